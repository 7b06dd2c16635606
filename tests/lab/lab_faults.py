# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults, brought about on lab nodes. None is undone: use nodes of your own (the fixture own_lab)."""

from __future__ import annotations

import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from lab_node import Node

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
BAD_SERVERS = Path(__file__).with_name("bad_servers.py")
BARE_PORT = 2200


def put(node: Node, name: str, text: str = SLEEP) -> None:
    """A unit, not yet loaded."""
    node.write(f"/etc/systemd/system/{name}.service", text)


def serve(node: Node, *servers: str) -> None:
    """Start bad servers (see bad_servers.py) on the node's address, and wait until the last TCP one is there."""
    node.write("/opt/bad_servers.py", BAD_SERVERS.read_text())
    ports = [word.split(":")[1] for word in servers if not word.startswith(("deaf", "mute", "ntp", "late"))]
    waits = "".join(f"until echo > /dev/tcp/{node.address}/{port}; do sleep 0.05; done\n" for port in ports)
    words = " ".join(servers)
    node.ssh(f"systemd-run -q python3 /opt/bad_servers.py {node.address} {words} && timeout 20 bash -c '{waits}true' 2> /dev/null")


# --- services ---

_LOOP = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'sleep {life}; exit 1'\nRestart=always\nRestartSec={pause}\n"
SERVICES = {
    "killed": SLEEP,
    "stopped": SLEEP,
    "veiled": SLEEP,  # masked
    "spinning": _LOOP.format(life="0.4", pause="10ms"),  # active at most looks
    "pausing": _LOOP.format(life="0", pause="1h"),  # between two starts at most looks
    "refused": "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=10ms\n",  # systemd gives up on it
    "endless": "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n",  # never says that it is ready
    "broken": "[Service]\nExecStart=sleep infinity &&\nNonsense\n[Service\n",  # systemd cannot read it
    "missing": "[Service]\nExecStart=/opt/not-there\n",
}


def break_services(node: Node) -> None:
    for name, text in SERVICES.items():
        put(node, name, text)
    node.ssh(
        "mv /etc/systemd/system/veiled.service /usr/lib/systemd/system/; systemctl daemon-reload; systemctl start killed stopped veiled;"
        " systemctl start --no-block spinning pausing refused endless missing; systemctl kill -s KILL killed; systemctl stop stopped;"
        " systemctl mask --now -q veiled; timeout 20 sh -c 'until systemctl is-failed -q refused; do sleep 0.1; done'"
    )


# --- memory ---

MEMORY_GROUPS = "/srv/memory"
_EATER = """
import os, sys, time
name, unit, whole = sys.argv[1], open("/proc/self/cgroup").read().rpartition(":")[2].strip(), len(sys.argv) > 2
group, usage = "/sys/fs/cgroup" + unit, "memory.current"
if os.path.isdir("{groups}"):
    group, usage = "{groups}/" + name, "memory.usage_in_bytes"
    os.makedirs(group, exist_ok=True)
    for file, text in (("memory.limit_in_bytes", "64M"), ("cgroup.procs", "0")):
        with open(group + "/" + file, "w") as target:
            target.write(text)
if whole:
    held = bytearray(200 << 20)
held = []
while int(open(group + "/" + usage).read()) < 60 * 2**20:
    held.append(os.urandom(1 << 18))
os.system("echo 1000 > /proc/$$/oom_score_adj; exec python3 -c 'bytearray(200 << 20)'")
time.sleep(9999)
"""


def exhaust_memory(node: Node) -> str:
    """Two services with a limit of 64 MiB: `hog` takes more and is killed; of `tight` a child is, it runs on with what it has.

    Where the host counts memory with cgroup version 1, systemd in a container cannot set limits: then the services join groups that are
    made by hand.

    :return: "unit" or "path", how the option of the probe cgroup that finds the group of `tight` is called
    """
    has_new = node.ssh("grep -qw memory /sys/fs/cgroup/cgroup.controllers", check=False).returncode == 0
    if not has_new:
        node.ssh(f"mkdir -p {MEMORY_GROUPS} && mount -t cgroup -o memory cgroup {MEMORY_GROUPS}")
    node.write("/opt/eater.py", _EATER.format(groups=MEMORY_GROUPS))
    limits = "[Service]\nMemoryMax=64M\nMemorySwapMax=0\nOOMPolicy={}\nExecStart=/usr/bin/python3 /opt/eater.py {}\n"
    put(node, "hog", limits.format("stop", "hog whole"))
    put(node, "tight", limits.format("continue", "tight"))
    node.ssh(
        "systemctl daemon-reload; systemctl start hog tight; timeout 20 sh -c 'until systemctl is-failed -q hog; do sleep 0.1; done';"
        f" cd {MEMORY_GROUPS}/tight 2> /dev/null || cd /sys/fs/cgroup/system.slice/tight.service;"
        " timeout 20 sh -c 'until grep -q \"oom_kill [1-9]\" memory.events memory.oom_control 2> /dev/null; do sleep 0.1; done'"
    )
    return "unit" if has_new else "path"


# --- disks ---

_FILE_SYSTEM = """
small() {  # a file system in a file, or in memory where the node may use no loop device
    mkdir -p "$1"
    truncate -s 8m "$1.img"; mkfs.ext4 -q -m 0 -N 32 "$1.img" && mount -o loop "$1.img" "$1" && return
    mount -t tmpfs -o size=8m,nr_inodes=32 tmpfs "$1"
}
mknod /dev/loop-control c 10 237; for n in $(seq 0 15); do mknod /dev/loop$n b 7 $n; done
small /srv/full; head -c 20m /dev/zero > /srv/full/big
small /srv/crowd; cd /srv/crowd; for n in $(seq 40); do : > $n; done
small /srv/frozen; mount -o remount,ro /srv/frozen
"""


def fill_disks(node: Node) -> None:
    """/srv/full is full, /srv/crowd has no free inode, /srv/frozen is read-only."""
    node.ssh(["bash", "-c", _FILE_SYSTEM + "findmnt -n /srv/full && findmnt -n /srv/crowd && findmnt -n /srv/frozen"])


# --- clock ---


def run_chrony(node: Node, name: str, server: str) -> None:
    """chronyd follows a server; it does not touch the clock, which is that of this machine."""
    conf = f"server {server} minpoll -6 maxpoll -6 iburst\ncmdport 0\nport 0\nuser root\n"
    node.write(f"/opt/{name}.conf", conf)
    node.ssh(f"install -d -m 750 /run/chrony && systemd-run -q --unit={name} chronyd -x -n -f /opt/{name}.conf")


def wait_for_chrony(node: Node) -> None:
    node.ssh("timeout 30 sh -c 'until chronyc -c tracking | grep -q Normal; do sleep 0.1; done'")


# --- certificates ---

_OWN = "DNS:shop.example.test,IP:{address}"
CERTIFICATES = {
    "good": (_OWN, "20200101000000Z", "21000101000000Z"),
    "expired": (_OWN, "20200101000000Z", "20210101000000Z"),
    "early": (_OWN, "20900101000000Z", "21000101000000Z"),
    "other": ("DNS:other.example.test", "20200101000000Z", "21000101000000Z"),
}
_CA = """[ca]
default_ca = it
[it]
database = index
serial = serial
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
default_md = sha256
policy = any
x509_extensions = extensions
unique_subject = no
[any]
commonName = optional
[extensions]
subjectAltName = $ENV::SAN
"""
_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def make_certificates(node: Node) -> None:
    """/opt/tls/ca.crt, and /opt/tls/NAME.pem with certificate and key."""
    node.write("/opt/tls/ca.conf", _CA)
    lines = ["set -e; cd /opt/tls; touch index", f"openssl req -x509 {_KEY} -keyout ca.key -out ca.crt -subj /CN=lab -days 30"]
    for name, (san, start, end) in CERTIFICATES.items():
        lines.append(f"export SAN={san.format(address=node.address)}")
        lines.append(f"openssl req {_KEY} -keyout {name}.key -out {name}.csr -subj /CN=shop.example.test")
        lines.append(
            f"openssl ca -batch -notext -config ca.conf -rand_serial -startdate {start} -enddate {end} -in {name}.csr -out {name}.crt"
        )
        lines.append(f"cat {name}.crt {name}.key > {name}.pem")
    node.ssh("\n".join(lines))


# --- name servers, /proc, systemd ---


def lose_dns(node: Node) -> None:
    """The only name server takes questions and never answers."""
    serve(node, "mute_udp:53")
    node.ssh(f"umount /etc/resolv.conf 2> /dev/null; echo nameserver {node.address} > /etc/resolv.conf")


def hide_processes(node: Node) -> str:
    """/proc shows each user his own processes only; returns a user who may log in and nothing more."""
    node.ssh(
        "useradd -m app && usermod -p '*' app && mkdir -p ~app/.ssh && cp /root/.ssh/authorized_keys ~app/.ssh/ && chown -R app: ~app/.ssh"
        " && mount -o remount,hidepid=2 /proc"
    )
    return "app"


def spend_processes(node: Node) -> str:
    """A user who may log in, run Python, and start nothing more (processes are counted by user id, over all nodes and this machine)."""
    node.ssh(
        "useradd -m -u 61234 poor && usermod -p '*' poor && mkdir -p ~poor/.ssh && cp /root/.ssh/authorized_keys ~poor/.ssh/"
        " && chown -R poor: ~poor/.ssh && echo 'poor hard nproc 4' >> /etc/security/limits.conf"
    )
    return "poor"


_BARE = f"""#!/bin/sh
# sshd as the first process of a container without systemd: its own processes and mounts, no /run/systemd, no systemctl
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/bin
cp -a /usr/bin/. /run/bin/
rm /run/bin/*ctl
mount --bind /run/bin /usr/bin
exec /usr/sbin/sshd -D -e -p {BARE_PORT}
"""


def run_without_systemd(node: Node) -> int:
    """The port of an sshd where there is no systemd."""
    node.write("/opt/bare.sh", _BARE, "0755")
    node.ssh(
        "systemd-run -q --unit=bare unshare --mount --pid --fork --kill-child /opt/bare.sh;"
        f" timeout 20 bash -c 'until echo > /dev/tcp/{node.address}/{BARE_PORT}; do sleep 0.05; done' 2> /dev/null"
    )
    return BARE_PORT
