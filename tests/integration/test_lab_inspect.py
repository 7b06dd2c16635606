# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook inspect against real systemd nodes over real SSH: the main job, and what happens when a node is not well."""

from __future__ import annotations

import json
import typing as t

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

LOCAL_CHECKS = ("cpu", "memory", "swap", "load", "disk /", "inodes /", "disk /var")
SSH = {"name": "ssh", "service": {"name": "ssh"}}
# What a look at the node must leave as it was; logs and /run tell of every login, whoever it was. Of folders only names and modes count.
# systemd makes systemd-private-* for a service of its own that it starts when asked for the clock, and removes it by itself.
WATCHED = "/var/lib /var/tmp /var/cache /root /home /tmp /etc /opt /srv /usr"
FIND = f"find {WATCHED} -xdev -name 'systemd-private-*' -prune -o -type d -printf '%p %m\\n' -o -printf '%p %y %m %s %T@ %C@\\n' | sort"


class Seen(t.NamedTuple):
    """One run of the playbook."""

    rc: int
    output: str
    report: dict[str, t.Any]

    @property
    def hosts(self) -> dict[str, dict[str, t.Any]]:
        return {host["name"]: host for host in self.report.get("hosts", [])}

    def result(self, host: str, check: str) -> dict[str, t.Any]:
        return next(result for result in self.hosts[host]["results"] if result["name"] == check)


@pytest.fixture(name="inspect")
def fixture_inspect(lab, run_playbook, tmp_path):
    """inspect("--limit", "node1", vigil_checks=[...]) -> Seen; the store is that of the test."""
    report_dir = tmp_path / "report"

    def run(*args, env=None, **variables):
        place = report_dir / "inspection.json"
        place.unlink(missing_ok=True)
        given = {"vigil_report_dir": str(report_dir), **variables}
        done = run_playbook("vigil.ops.inspect", "-e", json.dumps(given), *args, inventory=lab.inventory, env=env, timeout=120)
        report = json.loads(place.read_text()) if place.exists() else {}
        return Seen(done.rc, done.output, report)

    return run


def no_failed_node(lab, output):
    """Not a wish of this test: a guard, so that the others fail for their own reasons."""
    assert "UNREACHABLE" not in output, [node.state() for node in lab.nodes()]


def test_every_node_is_in_the_report(lab, inspect):
    seen = inspect()
    no_failed_node(lab, seen.output)
    assert seen.rc == 0, seen.output
    assert sorted(seen.hosts) == ["node1", "node2", "node3"]
    for host in seen.hosts.values():
        assert sum(host["summary"].values()) == len(host["results"]) >= len(LOCAL_CHECKS)
        assert (host["summary"]["unknown"], host["summary"]["skipped"]) == (0, 0), host
    assert seen.output.rstrip().splitlines()[-1].startswith("Report: /")
    assert seen.output.rstrip().endswith("/report/inspection.html")


def test_local_checks_need_no_psutil(lab, inspect):
    assert lab.node(1).ssh("python3 -c 'import psutil'", check=False).returncode != 0
    seen = inspect("--limit", "node1")
    for name in LOCAL_CHECKS:
        result = seen.result("node1", name)
        assert result["status"] in ("ok", "warning", "critical"), result
        assert result["metrics"], result


def test_stopped_service_is_critical_with_its_reason(lab, inspect):
    lab.node(2).write("/etc/systemd/system/web.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    lab.node(2).ssh("systemctl daemon-reload && systemctl start web")
    checks = [{"name": "web", "service": {"name": "web"}}, SSH]
    first = inspect("--limit", "node2", vigil_checks=checks)
    assert (first.result("node2", "web")["status"], first.hosts["node2"]["status"]) == ("ok", "ok"), first.output
    lab.node(2).ssh("systemctl stop web")
    second = inspect("--limit", "node2", vigil_checks=checks)
    result = second.result("node2", "web")
    assert (result["status"], result["observed"]["active"], result["failed"][0]["path"]) == ("critical", False, "active")
    assert result["reason"]
    assert "web" in second.output
    assert second.result("node2", "ssh")["status"] == "ok"
    # what the last run saw
    assert (result["was"], second.result("node2", "ssh")["was"]) == ("ok", "ok")
    assert result["since"] > first.result("node2", "web")["since"]
    assert second.result("node2", "ssh")["since"] == first.result("node2", "ssh")["since"]


def test_crashed_service_says_how_it_ended(lab, inspect):
    lab.node(2).write("/etc/systemd/system/crash.service", "[Service]\nExecStart=/bin/sh -c 'exit 3'\n")
    lab.node(2).ssh("systemctl daemon-reload; systemctl start crash; sleep 0.5; systemctl is-failed crash")
    seen = inspect("--limit", "node2", vigil_checks=[{"name": "crash", "service": {"name": "crash"}}])
    result = seen.result("node2", "crash")
    assert (result["status"], seen.hosts["node2"]["status"]) == ("critical", "critical")
    assert "exit-code" in json.dumps(result), result
    lab.node(2).ssh("systemctl reset-failed crash")


@pytest.mark.parametrize("number", [1, 3])
def test_dead_node_is_reported_and_counts_as_critical(lab, inspect, number):
    lab.kill(number)
    seen = inspect(vigil_checks=[SSH])
    assert seen.rc == 0, seen.output
    statuses = {name: host["status"] for name, host in seen.hosts.items()}
    assert statuses == {"node1": "ok", "node2": "ok", "node3": "ok", f"node{number}": "unreachable"}
    assert "Report: /" in seen.output.rstrip().splitlines()[-1]
    failing = inspect(vigil_checks=[SSH], vigil_fail_on="critical")
    assert failing.rc == 2, failing.output
    assert len(failing.hosts) == 3


def test_all_nodes_dead(lab, inspect):
    for node in lab.nodes():
        node.kill()
    seen = inspect(vigil_checks=[SSH])
    assert [host["status"] for host in seen.hosts.values()] == ["unreachable"] * 3, seen.output
    assert seen.rc == 0
    assert inspect(vigil_checks=[SSH], vigil_fail_on="critical").rc == 2


def test_node_that_hangs_is_unreachable_and_holds_nobody_up(lab, inspect):
    """Its kernel still accepts connections, but sshd says nothing."""
    lab.node(2).ssh("kill -STOP $(systemctl show -p MainPID --value ssh)")
    try:
        seen = inspect("-T", "3", vigil_checks=[SSH])
    finally:
        lab.kill(2)
    assert {name: host["status"] for name, host in seen.hosts.items()} == {"node1": "ok", "node2": "unreachable", "node3": "ok"}
    assert seen.rc == 0


def test_limit(lab, inspect):
    seen = inspect("--limit", "node2,node3", vigil_checks=[SSH])
    assert (seen.rc, sorted(seen.hosts)) == (0, ["node2", "node3"]), seen.output


@pytest.mark.parametrize("dead", [None, 1, 2, 3])
def test_serial_keeps_one_report(lab, inspect, dead):
    if dead:
        lab.kill(dead)
    seen = inspect("-e", "vigil_serial=1", vigil_checks=[SSH])
    assert seen.rc == 0, seen.output
    assert sorted(seen.hosts) == ["node1", "node2", "node3"], seen.output
    assert [name for name, host in seen.hosts.items() if host["status"] == "unreachable"] == ([f"node{dead}"] if dead else [])
    assert seen.output.count("Report: /") == 1


def test_check_mode_sees_but_keeps_and_runs_nothing(lab, inspect):
    mark = {"name": "mark", "command": {"argv": ["touch", "/root/mark"]}}
    dry = inspect("--check", "--limit", "node1", vigil_checks=[SSH, mark])
    assert dry.rc == 0, dry.output
    assert dry.report == {}, "check mode writes no report"
    assert lab.node(1).ssh("ls /root/mark", check=False).returncode == 2
    real = inspect("--limit", "node1", vigil_checks=[SSH])
    assert real.result("node1", "ssh")["was"] is None, "what check mode saw was not kept"


@pytest.mark.parametrize("pipelining", ["1", "0"])
def test_agentless_leaves_no_trace(lab, inspect, pipelining):
    node = lab.node(3)
    node.ssh("rm -rf /root/.ansible; systemctl stop 'apt-daily*.timer' fstrim.timer e2scrub_all.timer dpkg-db-backup.timer", check=False)
    before = node.ssh(FIND).stdout
    seen = inspect("--limit", "node3", env={"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_SSH_PIPELINING": pipelining})
    assert seen.hosts["node3"]["status"] != "unreachable", seen.output
    after = node.ssh(FIND).stdout
    new = {line.split()[0] for line in set(after.splitlines()) ^ set(before.splitlines())}
    # without pipelining Ansible itself makes its folder for module files, and leaves it empty
    assert new <= (set() if pipelining == "1" else {"/root/.ansible", "/root/.ansible/tmp"}), sorted(new)
    assert node.ssh("pgrep -af ansible", check=False).stdout == ""


def test_secrets_do_not_reach_the_log_of_the_node(lab, inspect):
    secret = "tok-5b1c9e77f0"
    http = {"url": "http://127.0.0.1:1/", "timeout": 1, "headers": {"Authorization": f"Bearer {secret}"}}
    seen = inspect("--limit", "node1", "-vvv", vigil_checks=[{"name": "api", "http": http}])
    assert seen.result("node1", "api")["status"] == "critical"
    assert secret not in json.dumps(seen.report)
    assert secret not in lab.node(1).ssh("journalctl --no-pager").stdout


def test_checks_run_on_the_node_and_not_on_the_controller(lab, inspect, tmp_path):
    for node in lab.nodes():
        node.write("/etc/motd.lab", node.name)
    (tmp_path / "only-here").write_text("")
    checks = [
        {"name": "own file", "file": {"path": "/etc/motd.lab"}, "expect": {"content": "~ ^node[123]$", "size": 5}},
        {"name": "not the controller", "file": {"path": str(tmp_path / "only-here")}, "expect": {"exists": False}},
        {"name": "own sshd", "tcp": {"host": lab.node(1).address, "port": lab.node(1).port}, "expect": {"connected": True}},
    ]
    seen = inspect(vigil_checks=checks)
    assert {host["status"] for host in seen.hosts.values()} == {"ok"}, seen.output
