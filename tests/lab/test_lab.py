# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself: it boots, it answers Ansible, it keeps what was written, and it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import RUN, Lab, LabError, main
from lab_node import all_pids, proc_strings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

LAB_PY = Path(__file__).resolve().with_name("lab.py")


def traces(lab: Lab) -> list[str]:
    """Processes, mounts, groups and claims that name this lab."""
    sign = f"vl{lab.id}-"
    found = [f"process {pid}" for pid in all_pids() if any(sign.encode() in word for word in proc_strings(pid, "cmdline"))]
    for pid in all_pids():
        try:
            mounts = Path(f"/proc/{pid}/mounts").read_text()
        except OSError:
            continue
        found += [f"mount of {pid}: {line}" for line in mounts.splitlines() if f"{lab.dir}/" in line]
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            found += map(str, Path(line.split()[1]).glob(f"vigil-lab/{sign}*"))
    found += [f"claim {claim}" for claim in RUN.glob("127.*") if claim.read_text() == str(lab.dir)]
    found += map(str, Path("/run/systemd/nspawn/propagate").glob(sign + "*"))
    return found + [str(path) for path in (lab.dir, lab.run_dir) if path.exists()]


def lab_py(*words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(LAB_PY), *words], capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(name="own")
def fixture_own(tmp_path):
    """A lab that a test may ruin."""
    with Lab(tmp_path / "own", say=lambda _line: None) as lab:
        yield lab


def test_ansible_reaches_every_node(lab, ansible_env):
    done = ansible_env.run("ansible", "-i", lab.inventory, "all", "-m", "ansible.builtin.ping")
    assert done.rc == 0, done.output
    assert done.stdout.count('"pong"') == 3


def test_nodes_are_machines_of_their_own(lab):
    nodes = lab.nodes()
    assert [node.ssh("hostname").stdout.strip() for node in nodes] == ["node1", "node2", "node3"]
    assert len({node.read("/etc/machine-id") for node in nodes}) == 3
    assert len({node.ssh("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout for node in nodes}) == 3
    assert {node.state() for node in nodes} <= {"running", "degraded"}
    nodes[0].ssh("systemctl kill --signal=KILL dbus && systemctl stop systemd-journald.socket systemd-journald", check=False)
    assert nodes[1].ssh("systemctl is-active dbus systemd-journald").stdout.split() == ["active", "active"]
    lab.reboot(1)


def test_reboot_keeps_files_and_starts_anew(lab):
    node = lab.node(2)
    node.write("/root/kept.txt", "kept\n", mode="0600")
    node.write("/run/gone.txt", "gone\n")
    lab.reboot(2)
    assert node.ssh("stat -c %a /root/kept.txt; cat /root/kept.txt; ls /run/gone.txt 2>/dev/null", check=False).stdout == "600\nkept\n"


def test_node_reboots_itself(lab):
    node = lab.node(3)
    node.write("/root/kept.txt", "kept\n")
    node.write("/run/gone.txt", "gone\n")
    node.ssh("systemctl reboot", check=False)
    end = time.monotonic() + 60
    while node.ssh("test -e /run/gone.txt || echo rebooted", check=False).stdout != "rebooted\n" and time.monotonic() < end:
        time.sleep(0.2)
    node.wait()
    assert node.read("/root/kept.txt") == "kept\n"
    assert node.ssh("ls /run/gone.txt", check=False).returncode == 2


def test_power_cut_is_unreachable_until_started(lab, ansible_env):
    node = lab.node(1)
    node.ssh("echo kept > /root/kept.txt")
    lab.kill(1)
    assert (node.state(), node.processes()) == ("down", {})
    ping = ("ansible", "-i", lab.inventory, "all", "-m", "ansible.builtin.ping")
    done = ansible_env.run(*ping)
    assert done.rc != 0
    assert "node1 | UNREACHABLE" in done.output
    assert done.stdout.count('"pong"') == 2
    lab.start(1)
    node.wait()
    assert node.read("/root/kept.txt") == "kept\n"


def test_command_line(tmp_path):
    place = str(tmp_path / "cli")
    try:
        first = lab_py("up", "--nodes", "1", "--dir", place)
        assert first.returncode == 0, first.stderr
        assert first.stdout.splitlines()[-1] == f"Inventory: {place}/hosts.ini"
        again = lab_py("up", "--nodes", "1", "--dir", place)
        assert (again.returncode, again.stdout.splitlines()[0]) == (0, "the lab is already up: 1 nodes")
        done = lab_py("exec", "--dir", place, "node1", "--", "hostname; exit 7")
        assert (done.returncode, done.stdout) == (7, "node1\n")
        assert "up again after" in lab_py("reboot", "--dir", place, "node1").stdout
        assert "port 22  running" in lab_py("status", "--dir", place).stdout
        wrong = lab_py("reboot", "--dir", place, "node9")
        assert (wrong.returncode, wrong.stderr) == (1, f"lab.py: there is no node9 in the lab of {place}: it has 1 nodes\n")
    finally:
        assert main(["down", "--dir", place]) == 0
    assert traces(Lab(place)) == []
    assert main(["down", "--dir", place]) == 0
    assert lab_py("status", "--dir", place).stdout == f"no lab in {place}\n"


def test_two_labs_at_once(lab, own):
    own.up(1)
    assert own.node(1).address != lab.node(1).address
    assert own.node(1).ssh("hostname").stdout == "node1\n"
    own.down()
    assert traces(own) == []
    assert [node.ssh("hostname").stdout for node in lab.nodes()] == ["node1\n", "node2\n", "node3\n"]


def test_more_nodes_join(own):
    own.up(1)
    own.node(1).ssh("touch /root/first")
    assert own.up(2)
    assert own.node(1).ssh("ls /root/first").stdout == "/root/first\n"
    assert own.inventory.read_text().count("ansible_host=") == 2


@pytest.mark.parametrize("moment", [0.05, 0.15, 0.3, 0.6])
def test_down_after_up_was_killed(own, moment):
    started = subprocess.Popen([sys.executable, str(LAB_PY), "up", "--nodes", "2", "--dir", str(own.dir)], stdout=subprocess.DEVNULL)
    time.sleep(moment)
    started.kill()
    started.wait()
    own.down()
    assert traces(own) == []
    own.up(1)
    own.down()
    assert traces(own) == []


def test_down_finds_nodes_whose_files_are_lost(own):
    own.up(1)
    (own.dir / "lab.json").unlink()
    (own.dir / "nodes/node1/pid").unlink()
    own.down()
    assert traces(own) == []


def test_a_stale_pid_file_harms_nobody(own):
    own.up(1)
    own.kill(1)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (own.dir / "nodes/node1/pid").write_text(f"{bystander.pid} 1 {boot}\n")
        own.down()
        assert bystander.poll() is None
        bystander.terminate()


def test_holder_killed_alone(own):
    own.up(1)
    processes = own.node(1).processes()
    assert sorted(processes) == ["holder", "init", "nspawn"]
    os.kill(processes["holder"], signal.SIGKILL)
    os.kill(processes["nspawn"], signal.SIGKILL)
    assert own.up(1), "a node without its nspawn is booted anew"
    own.down()
    assert traces(own) == []


def test_refusals(tmp_path):
    with pytest.raises(LabError, match="without colon, comma"):
        Lab(tmp_path / "a:b").up(1)
    with pytest.raises(LabError, match="1 to 50 nodes, not 0"):
        Lab(tmp_path / "none").up(0)
    with pytest.raises(LabError, match="there is no node1"):
        Lab(tmp_path / "none").node(1)
    assert not (tmp_path / "none").exists()
