# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real faults on real systemd nodes over real SSH, all at once, and the verdict on each: status, one word, one sentence, in time.

One run of the playbook looks at five hosts: node1 with broken services, disks, memory, clock, certificates and servers; node2 without
DNS; node3 as an ordinary user to whom /proc is hidden; a container without systemd; and a user who may start no more processes.
"""

from __future__ import annotations

import json
import re
import typing as t

import lab_faults as faults
import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

SERVERS = ("silent:7001", "deaf:7002", "headers:7003", "body:7004", "drip:7005", "ntp:7006:-300")
TLS = {"good": 7010, "expired": 7011, "other": 7012, "early": 7013}
PATIENCE = 3  # seconds for what does not answer
CA = "/opt/tls/ca.crt"
Row = t.Tuple[str, t.Dict[str, t.Any], str, t.Optional[str], str]


def service(name: str) -> dict[str, t.Any]:
    return {"service": {"name": name}}


def services() -> list[Row]:
    return [
        ("killed", service("killed"), "critical", "failed", r"killed\.service is failed \(result signal SIGKILL\)"),
        ("stopped", service("stopped"), "critical", "inactive", r"stopped\.service is inactive \(dead\)"),
        ("masked", service("veiled"), "critical", "masked", r"veiled\.service is masked"),
        ("restarted at once", service("spinning"), "critical", "restart_loop", r"ends again and again: systemd has restarted it \d+ times"),
        (
            "restarted later",
            service("pausing"),
            "critical",
            "activating",
            r"pausing\.service is activating \(auto-restart, result exit-code, exit status 1",
        ),
        (
            "given up",
            service("refused"),
            "critical",
            "failed",
            r"refused\.service is failed \(result exit-code, exit status 1, systemd has restarted it \d+ times\)$",
        ),
        ("never ready", service("endless"), "critical", "activating", r"endless\.service is activating \(start\) for \S+$"),
        ("no unit", service("nowhere"), "critical", "not_found", r"systemd knows no unit nowhere\.service"),
        ("no program", service("missing"), "critical", "failed", r"missing\.service is failed \(result exit-code, exit status 203\)"),
        ("unreadable", service("broken"), "critical", "unreadable", r"systemd cannot read broken\.service"),
        ("killed for memory", service("hog"), "critical", "failed", r"hog\.service is failed \(result (oom-kill|signal SIGKILL)\)"),
        ("well", service("ssh"), "ok", None, "active is true"),
    ]


def local(how: str) -> list[Row]:
    """:arg how: the option of cgroup by which the group is found"""
    tight = {"unit": "tight"} if how == "unit" else {"path": "/tight"}
    offset = {"offset_ms": "< 500"}
    return [
        ("full", {"disk": {"path": "/srv/full"}}, "critical", "used_percent", r"used_percent is \d+.*, expected < 90"),
        ("crowd", {"inode": {"path": "/srv/crowd"}}, "critical", "used_percent", r"used_percent is 100, expected < 90"),
        ("crowd has space", {"disk": {"path": "/srv/crowd"}}, "ok", None, ""),
        (
            "frozen",
            {"disk": {"path": "/srv/frozen"}, "expect": {"read_only": False}},
            "critical",
            "read_only",
            "read_only is true, expected false",
        ),
        (
            "a child was killed",
            {"cgroup": tight, "expect": {"oom_kills": 0}},
            "critical",
            "oom_kills",
            r"oom_kills is [1-9]\d*, expected 0",
        ),
        ("little is left", {"cgroup": tight}, "critical", "used_percent", r"used_percent is 9\d.*, expected < 90"),
        ("its service runs", service("tight"), "ok", None, ""),
        ("clock", {"time_sync": {}, "expect": offset}, "critical", "offset_ms", "offset_ms is 300000, expected < 500"),
        ("no psutil", {"process": {"name": "sshd"}}, "ok", None, r"count is [1-9]"),
        ("no psutil either", {"memory": {}, "expect": {}}, "ok", None, ""),
    ]


def talks(address: str) -> list[Row]:
    """What accepts and is silent, what does not even accept, and what says one byte at a time."""
    found: list[Row] = []
    probes: dict[str, tuple[dict[str, t.Any], str]] = {
        "http": ({"url": "http://{place}/"}, "no answer came"),
        "https": ({"url": "https://{place}/"}, "the TLS handshake did not end"),
        "tcp": ({"expect": "^220"}, "what was expected did not come"),
        "ssh": ({}, "what was expected did not come"),
        "tls": ({}, "the TLS handshake did not end"),
        "smtp": ({"starttls": "smtp"}, "what was expected did not come"),
    }
    for name, (options, phase) in probes.items():
        probe = {"https": "http", "smtp": "tls"}.get(name, name)
        for port, sentence in ((7001, f"connected, but {phase}"), (7002, "did not accept a connection")):
            given = {key: value.format(place=f"{address}:{port}") for key, value in options.items()}
            where = {} if probe == "http" else {"host": address, "port": port}
            check = {probe: {**given, **where, "timeout": PATIENCE}}
            pattern = rf"^{re.escape(address)}:{port}:? {sentence} within {PATIENCE} s$"
            found.append((f"{name} {port}", check, "critical", "timeout", pattern if "tls" not in (probe, name[-3:]) else sentence))
    for port, sentence in ((7003, "the headers of the answer did not end"), (7004, "the body of the answer did not end")):
        check = {"http": {"url": f"http://{address}:{port}/", "timeout": PATIENCE}}
        found.append((f"loris {port}", check, "critical", "timeout", rf"{address}:{port}: {sentence} within {PATIENCE} s"))
    for name, probe, options in (("tcp", "tcp", {"expect": "^220"}), ("ssh", "ssh", {}), ("smtp", "tls", {"starttls": "smtp"})):
        check = {probe: {"host": address, "port": 7005, "timeout": PATIENCE, **options}}
        found.append((f"loris {name}", check, "critical", "timeout", rf"{address}:7005: connected, but what was expected did not come"))
    return found


def certificates(address: str) -> list[Row]:
    def tls(port: int, **options: t.Any) -> dict[str, t.Any]:
        return {"tls": {"host": address, "port": port, "ca": CA, **options}}

    def http(name: str) -> dict[str, t.Any]:
        return {"http": {"url": f"https://{address}:{TLS[name]}/", "ca": CA}}

    names = {"names": "contains shop.example.test"}
    return [
        ("good tls", tls(7010), "ok", None, ""),
        ("good https", http("good"), "ok", None, ""),
        ("expired tls", tls(7011), "critical", "tls", r": expired: the certificate ended [\d.]+ days ago, on 2021-01-01T00:00:00Z$"),
        ("expired https", http("expired"), "critical", "tls", ": expired: .* has expired$"),
        (
            "expired file",
            {"cert_file": {"path": "/opt/tls/expired.pem"}},
            "critical",
            "tls",
            r"expired\.pem: expired: the certificate of CN=shop\.example\.test ended [\d.]+ days ago, on 2021-01-01T00:00:00Z$",
        ),
        ("wrong name tls", tls(7012), "critical", "tls", f": name: the certificate is for DNS:other.example.test, not for {address}$"),
        (
            "wrong name asked for",
            tls(7010, server_name="bank.example.test"),
            "critical",
            "tls",
            r": name: .*, not for bank\.example\.test$",
        ),
        ("wrong name https", http("other"), "critical", "tls", ": name: the certificate is for another address$"),
        (
            "wrong name file",
            {"cert_file": {"path": "/opt/tls/other.pem"}, "expect": names},
            "critical",
            "names",
            r'names is \["other\.example\.test"\], expected contains shop\.example\.test',
        ),
        ("early tls", tls(7013), "critical", "tls", r": expired: the certificate is not valid before 2090-01-01T00:00:00Z$"),
        ("early https", http("early"), "critical", "tls", ": expired: .* is not valid yet$"),
        ("early file", {"cert_file": {"path": "/opt/tls/early.pem"}}, "critical", "tls", r"is not valid before 2090-01-01T00:00:00Z$"),
        ("strange CA", {"tls": {"host": address, "port": 7010}}, "critical", "tls", ": chain: its issuer is not known here"),
    ]


def without_dns(address: str) -> list[Row]:
    def gone(name: str) -> str:
        return rf"^{name}\.example\.test was not resolved within {PATIENCE} s$"

    host = {"host": "gone.example.test", "timeout": PATIENCE}
    return [
        ("http", {"http": {"url": "http://web.example.test/", "timeout": PATIENCE}}, "critical", "dns", gone("web")),
        ("https", {"http": {"url": "https://web.example.test/", "timeout": PATIENCE}}, "critical", "dns", gone("web")),
        ("tcp", {"tcp": {**host, "port": 5432}}, "critical", "dns", gone("gone")),
        ("tls", {"tls": host}, "critical", "dns", gone("gone")),
        ("ssh", {"ssh": host}, "critical", "dns", gone("gone")),
        ("icmp", {"icmp": host}, "critical", "dns", gone("gone")),
        ("udp", {"udp": {**host, "port": 514, "send": "x"}, "expect": {"refused": False}}, "critical", "dns", gone("gone")),
        ("dns", {"dns": {"name": "web.example.test", "timeout": PATIENCE}}, "critical", "timeout", gone("web")),
        ("dns elsewhere", {"dns": {"name": "x.test", "type": "MX"}}, "unknown", "missing_library", "python3-dnspython"),
        ("name in /etc/hosts", {"tcp": {"host": "node2", "port": 22}}, "ok", None, ""),
        ("address", {"tcp": {"host": address, "port": 22}}, "ok", None, ""),
        ("disk", {"disk": {"path": "/"}, "expect": {}}, "ok", None, ""),
        ("service", service("ssh"), "ok", None, ""),
        ("user", {"user": {"name": "root"}}, "ok", None, ""),
    ]


def hidden(address: str) -> list[Row]:
    grant = r"/proc hides the processes of other users \(hidepid\); run with become, or as a member of its group"
    owner = {"port": {"port": 22, "address": address}, "expect": {"process": "sshd"}}
    return [
        ("process", {"process": {"name": "sshd"}}, "unknown", "permission", grant),
        ("no process", {"process": {"pattern": "^no-such"}, "expect": {"count": 0}}, "unknown", "permission", grant),
        ("processes", {"processes": {}}, "unknown", "permission", grant),
        ("owner of a port", owner, "unknown", "permission", "cannot be seen by this user; run with become|" + grant),
        ("port", {"port": {"port": 22, "address": address}}, "ok", None, "listening is true"),
        ("file", {"file": {"path": "/root/.ssh/authorized_keys"}}, "unknown", "permission", "grant read and search rights"),
        ("journal", {"journal": {}}, "unknown", "permission", "add it to the group systemd-journal"),
        ("service", service("ssh"), "ok", None, ""),
        ("memory", {"memory": {}, "expect": {}}, "ok", None, ""),
        ("disk", {"disk": {"path": "/"}, "expect": {}}, "ok", None, ""),
    ]


def bare(address: str) -> list[Row]:
    return [
        ("service", service("ssh"), "unknown", "unsupported", r"services cannot be seen: systemctl is not installed \(systemd is needed\)"),
        (
            "group",
            {"cgroup": {"unit": "ssh"}},
            "unknown",
            "unsupported",
            r"cannot be found: .*systemctl is not installed.*; write its path instead",
        ),
        ("journal", {"journal": {}}, "unknown", "unsupported", r"journalctl is not installed \(systemd is needed\)"),
        ("process", {"process": {"name": "sshd"}}, "ok", None, r"count is [1-9]"),
        ("processes", {"processes": {}}, "ok", None, ""),
        ("owner of a port", {"port": {"port": faults.BARE_PORT}, "expect": {"process": "sshd"}}, "ok", None, "process is sshd"),
        ("disk", {"disk": {"path": "/"}, "expect": {}}, "ok", None, ""),
        ("memory", {"memory": {}, "expect": {}}, "ok", None, ""),
        ("package", {"package": {"name": "openssh-server"}}, "ok", None, ""),
        ("ssh", {"ssh": {"host": address, "port": faults.BARE_PORT}}, "ok", None, ""),
        ("reboot", {"reboot": {}}, "ok", None, ""),
    ]


def spent(address: str) -> list[Row]:
    full = "the limit on processes of this user, or of this host, is reached"
    return [
        ("service", service("ssh"), "unknown", "unseen", f"systemctl cannot be started: {full}"),
        ("disk", {"disk": {"path": "/"}}, "unknown", "unseen", f"no process could be started: {full}"),
        ("command", {"command": {"argv": ["true"]}}, "unknown", "unseen", f"true cannot be started: {full}"),
        ("name", {"tcp": {"host": "node2", "port": 22}}, "unknown", "unseen", f"nothing more can be started: {full}"),
        ("retried", {**service("ssh"), "retries": 2}, "unknown", "unseen", full),
        ("name of a process", {"process": {"name": "sshd"}}, "ok", None, ""),
        ("address", {"tcp": {"host": address, "port": 22}}, "ok", None, ""),
        ("memory", {"memory": {}, "expect": {}}, "ok", None, ""),
    ]


# What is in these rows is all local: it must not wait for what does not answer.
QUICK = ("name in /etc/hosts", "address", "disk", "service", "user", "full", "crowd", "well", "killed", "expired file", "no psutil either")


class Seen(t.NamedTuple):
    """The rows that were asked for and the results, by host."""

    rows: dict[str, list[Row]]
    results: dict[str, dict[str, dict[str, t.Any]]]
    statuses: dict[str, str]


@pytest.fixture(scope="module")
def seen(own_lab, run_playbook_once, tmp_path_factory):
    """Everything is broken, then looked at once."""
    one, two, three = own_lab.nodes()
    assert one.ssh("python3 -c 'import psutil'", check=False).returncode != 0
    faults.make_certificates(one)
    faults.serve(one, *SERVERS, *(f"tls:{port}:/opt/tls/{name}.pem" for name, port in TLS.items()))
    faults.run_chrony(one, "clock", f"{one.address} port 7006")
    faults.break_services(one)
    how = faults.exhaust_memory(one)
    faults.fill_disks(one)
    faults.lose_dns(two)
    user, port = faults.hide_processes(three), faults.run_without_systemd(three)
    faults.wait_for_chrony(one)
    rows = {
        "node1": services() + local(how) + talks(one.address) + certificates(one.address),
        "node2": without_dns(two.address),
        "hidden": hidden(three.address),
        "bare": bare(three.address),
        "poor": spent(two.address),
    }
    place = tmp_path_factory.mktemp("faults")
    more = [f"hidden ansible_host={three.address} ansible_user={user}", f"bare ansible_host={three.address} ansible_port={port}"]
    more.append(f"poor ansible_host={two.address} ansible_user={faults.spend_processes(two)}")
    (place / "more.ini").write_text("\n".join(["[lab]", *more, ""]))
    checks = {host: [{"name": name, **check} for name, check, *_verdict in every] for host, every in rows.items()}
    given = {"vigil_report_dir": str(place), "faults": checks, "vigil_checks": "{{ faults[inventory_hostname] }}"}
    arguments = ("-i", str(place / "more.ini"), "--limit", ",".join(rows), "-e", json.dumps(given))
    done = run_playbook_once("vigil.ops.inspect", *arguments, inventory=own_lab.inventory, timeout=120)
    assert done.rc == 0, done.output
    hosts = {host["name"]: host for host in json.loads((place / "inspection.json").read_text())["hosts"]}
    results = {name: {result["name"]: result for result in host["results"]} for name, host in hosts.items()}
    return Seen(rows, results, {name: host["status"] for name, host in hosts.items()})


@pytest.mark.parametrize("host", ["node1", "node2", "hidden", "bare", "poor"])
def test_every_fault_has_its_verdict(seen, host):
    wrong = []
    assert len(seen.results[host]) == len(seen.rows[host])
    for name, _check, status, reason, sentence in seen.rows[host]:
        result = seen.results[host][name]
        if (result["status"], result["reason"] or None) != (status, reason) or not re.search(sentence, result["summary"]):
            wrong.append((name, result["status"], result["reason"], result["summary"]))
        if "\n" in result["summary"] or len(result["summary"]) > 300 or "Traceback" in result["summary"]:
            wrong.append((name, "is no sentence", result["summary"]))
    assert wrong == [], "\n".join(map(str, wrong))


def test_the_hosts_are_judged_by_what_was_seen(seen):
    assert seen.statuses == {"node1": "critical", "node2": "critical", "hidden": "unknown", "bare": "unknown", "poor": "unknown"}


@pytest.mark.parametrize("host", ["node1", "node2"])
def test_what_does_not_answer_is_given_up_in_time_and_holds_nobody_up(seen, host):
    """A bound, not a measure: these servers never end by themselves."""
    results = seen.results[host].values()
    assert max(result["duration_ms"] for result in results) < 4 * PATIENCE * 1000
    held = {result["name"]: result["duration_ms"] for result in results if result["name"] in QUICK}
    assert len(held) > 4
    assert max(held.values()) < PATIENCE * 1000, held


def test_a_host_on_which_ansible_can_write_nothing_is_looked_at_all_the_same(own_lab, seen, run_playbook_once, tmp_path):
    """Without pipelining, which is the default of Ansible, it copies its modules to the host: one disk is full, one read-only."""
    one, _two, three = own_lab.nodes()
    one.ssh("mkdir -p .ansible; mount -t tmpfs -o size=4k tmpfs .ansible; head -c 9000 /dev/zero > .ansible/big; true", check=False)
    three.ssh("mkdir -p .ansible; mount -t tmpfs -o ro tmpfs .ansible")
    checks = [{"name": "disk", "disk": {"path": "/root/.ansible"}, "expect": {"used_percent": "< 90", "read_only": False}}]
    variables = json.dumps({"vigil_report_dir": str(tmp_path), "vigil_checks": checks})
    off = {"ANSIBLE_PIPELINING": "0", "ANSIBLE_SSH_PIPELINING": "0"}
    arguments = ("--limit", "node1,node3", "-e", variables)
    done = run_playbook_once("vigil.ops.inspect", *arguments, inventory=own_lab.inventory, env=off, timeout=120)
    hosts = json.loads((tmp_path / "inspection.json").read_text())["hosts"]
    found = {host["name"]: [(result["status"], result["reason"]) for result in host["results"]] for host in hosts}
    assert found == {"node1": [("critical", "used_percent")], "node3": [("critical", "read_only")]}, done.output
    assert "Ansible cannot write on node1" in done.output
