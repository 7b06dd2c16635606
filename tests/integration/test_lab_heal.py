# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook heal against real systemd nodes over real SSH, with the faults that services have."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
QUICK = {"failures": 1, "verify_timeout": "8s", "grace": 0, "backoff": 0}


def put(node, name, text=SLEEP, start=True):
    """A unit on a node, started."""
    node.write(f"/etc/systemd/system/{name}.service", text)
    node.ssh("systemctl daemon-reload" + (f" && systemctl start {name}" if start else ""))


def show(node, unit, name="ActiveState"):
    return node.ssh(f"systemctl show -p {name} --value {unit}").stdout.strip()


@pytest.fixture
def heal(lab, run_playbook, listen):
    """heal(guards, *args, **variables) -> (output, what the receiver was told so far) on node1 unless --limit says otherwise."""
    receiver = listen()
    for node in lab.nodes():
        node.ssh("rm -rf /var/lib/vigil")  # nothing of the test before is remembered, or told once more

    def run(guards, *args, limit="node1", rc=0, lost=False, **variables):
        given = {"vigil_guards": guards, "vigil_channels": [receiver.url + "/hook"], **variables}
        done = run_playbook("vigil.ops.heal", "-e", json.dumps(given), "--limit", limit, *args, inventory=lab.inventory, timeout=200)
        assert done.rc == rc and ("UNREACHABLE" in done.output) == lost, done.output
        return done.output, receiver.bodies

    return run


def brief(events):
    return [(event["instance"], event["check"], event["status"], event["severity"]) for event in events]


def test_a_killed_service_is_healed_and_its_end_is_told(lab, heal):
    """End to end: failure, three looks in three runs, restart, verification over HTTP, resolved with the downtime at a real receiver."""
    node = lab.node(1)
    put(node, "shop", f"[Service]\nExecStart=/usr/bin/python3 -m http.server 8080 --bind {node.address} --directory /run\n")
    http = {"name": "front page", "http": {"url": f"http://{node.address}:8080/", "timeout": 3}, "expect": {"status": 200}}
    guard = {"service": "shop", "checks": [http], "verify_timeout": "20s", "grace": 0}
    before = show(node, "shop", "InvocationID")
    time.sleep(1)
    assert heal([guard])[1] == []
    node.ssh("systemctl kill -s KILL shop")
    for run in (1, 2):
        output, told = heal([guard])
        assert told == [] and f"({run} of 3 looks)" in output, output
    assert show(node, "shop") == "failed"
    output, told = heal([guard])
    assert brief(told) == [("node1", "service shop", "firing", "error"), ("node1", "service shop", "resolved", "error")], output
    fired, resolved = told
    assert "front page" in fired["message"] and "refused" in fired["message"]
    assert resolved["alert_id"] == fired["alert_id"] and resolved["starts_at"] == fired["starts_at"]
    assert resolved["duration_seconds"] > 2 and abs(resolved["context"]["metrics"]["downtime_seconds"] - resolved["duration_seconds"]) < 3
    assert show(node, "shop") == "active" and show(node, "shop", "InvocationID") != before
    assert output.rstrip().splitlines()[-1].split()[:3] == ["node1", "shop", "healed"]
    assert heal([guard])[1] == told
    node.ssh("systemctl stop shop")


def test_a_stopped_service_is_started_and_check_mode_only_says_so(lab, heal):
    node = lab.node(1)
    put(node, "idle")
    node.ssh("systemctl stop idle")
    output, told = heal([{"service": "idle", **QUICK}], "--check", "--diff")
    assert "idle.service: would be restarted" in output and told == [] and show(node, "idle") == "inactive"
    assert node.ssh("ls /var/lib/vigil", check=False).returncode != 0
    _output, told = heal([{"service": "idle", **QUICK}])
    assert show(node, "idle") == "active" and [event["status"] for event in told] == ["firing", "resolved"]


def test_masked_and_missing_units_are_told_apart_and_left_alone(lab, heal):
    node = lab.node(1)
    put(node, "hidden")
    # masking needs the name of the unit to be free below /etc
    node.ssh("mkdir -p /run/systemd/system; mv /etc/systemd/system/hidden.service /usr/lib/systemd/system/; systemctl daemon-reload")
    node.ssh("systemctl mask --now hidden")
    guards = [{"service": "hidden", **QUICK}, {"service": "nowhere", **QUICK}]
    for _run in range(2):
        output, told = heal(guards)
    assert {(event["check"], event["context"]["observed"]["kind"]) for event in told} == {
        ("service hidden", "masked"),
        ("service nowhere", "missing"),
    }
    assert len(told) == 2 and "systemctl unmask hidden.service" in output and show(node, "hidden") == "inactive"
    node.ssh("systemctl unmask hidden")
    put(node, "nowhere")
    _output, told = heal(guards)
    assert show(node, "hidden") == "active"
    assert sorted(event["check"] for event in told[2:] if event["status"] == "resolved") == ["service hidden", "service nowhere"]


def test_a_restart_loop_is_seen_and_given_up(lab, heal):
    """systemd starts it again and again, so that it is active at most looks."""
    node = lab.node(1)
    loop = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'sleep 0.4; exit 1'\nRestart=always\nRestartSec=50ms\n"
    put(node, "loop", loop)
    guard = {"service": "loop", **QUICK, "max_restarts": 2, "grace": "1s", "verify_timeout": "4s"}
    outputs = []
    for _run in range(5):
        output, told = heal([guard])
        outputs.append(output)
        time.sleep(1)
    criticals = [event for event in told if event["severity"] == "critical"]
    assert len(criticals) == 1 and "given up" in criticals[0]["message"], brief(told)
    assert {event["status"] for event in told} == {"firing"} and "given_up" in outputs[-1]
    node.ssh("systemctl stop loop")


def test_a_unit_that_systemd_itself_has_given_up_is_started_again(lab, heal):
    node = lab.node(1)
    node.ssh("rm -f /run/config")
    put(
        node,
        "limit",
        "[Service]\nExecStart=/bin/sh -c 'test -e /run/config && exec sleep infinity'\nRestart=always\nRestartSec=20ms\n",
        start=False,
    )
    node.ssh("systemctl start limit; for n in $(seq 100); do systemctl is-failed -q limit && break; sleep 0.1; done; touch /run/config")
    assert node.ssh("systemctl start limit", check=False).returncode != 0, "systemd refuses: it was started too often"
    _output, told = heal([{"service": "limit", **QUICK}])
    assert show(node, "limit") == "active" and [event["status"] for event in told] == ["firing", "resolved"]


@pytest.mark.parametrize(
    ("size", "fill", "words"), [("2m", "head -c 4m /dev/zero > big", "is full"), ("4m,nr_inodes=8", "touch 1 2 3 4 5 6 7 8 9", "no inode")]
)
def test_nothing_is_restarted_while_the_disk_is_full(lab, heal, size, fill, words):
    node = lab.node(1)
    node.ssh(f"mkdir -p /srv/full && mount -t tmpfs -o size={size} tmpfs /srv/full")
    try:
        put(node, "writer", "[Service]\nExecStart=/bin/sh -c 'echo $$$$ > /srv/full/pid && exec sleep infinity'\n")
        node.ssh(f"systemctl stop writer; cd /srv/full; rm pid; {fill}", check=False)
        invocation = show(node, "writer", "InvocationID")
        guard = {"service": "writer", "paths": ["/", "/srv/full"], **QUICK}
        for _run in range(2):
            output, told = heal([guard])
        assert words in told[0]["message"] and "/srv/full" in told[0]["message"] and len(told) == 1, output
        assert show(node, "writer", "InvocationID") == invocation, "nobody has tried to start it"
        node.ssh("rm -f /srv/full/*")
        _output, told = heal([guard])
        assert show(node, "writer") == "active" and told[-1]["status"] == "resolved"
    finally:
        node.ssh("systemctl stop writer; umount /srv/full")


def test_what_fails_with_its_dependency_is_neither_restarted_nor_told(lab, heal):
    node = lab.node(1)
    put(node, "base")
    put(node, "front", "[Unit]\nBindsTo=base.service\nAfter=base.service\n" + SLEEP)
    node.ssh("mv /etc/systemd/system/base.service /usr/lib/systemd/system/; systemctl daemon-reload; systemctl mask --now base")
    invocation = show(node, "front", "InvocationID")
    guards = [{"service": "front", "depends_on": ["base"], **QUICK}, {"service": "base", **QUICK}]
    for _run in range(3):
        output, told = heal(guards)
    assert brief(told) == [("node1", "service base", "firing", "error")], output
    assert show(node, "front", "InvocationID") == invocation and "dependency" in output
    node.ssh("systemctl unmask base")
    for _run in range(3):
        output, told = heal(guards)
    assert (show(node, "base"), show(node, "front")) == ("active", "active"), output
    assert ("node1", "service base", "resolved", "error") in brief(told)


def test_what_somebody_has_just_started_has_time_to_come_up(lab, heal):
    """monit's issue 64: the program is still starting, and is restarted again and again because of that."""
    node = lab.node(1)
    put(
        node,
        "slow",
        f"[Service]\nExecStart=/bin/sh -c 'sleep 6; exec python3 -m http.server 8081 --bind {node.address} --directory /run'\n",
    )
    invocation = show(node, "slow", "InvocationID")
    http = {"name": "page", "http": {"url": f"http://{node.address}:8081/", "timeout": 2}}
    guard = {"service": "slow", "checks": [http], **QUICK, "grace": "30s", "verify_timeout": "20s"}
    output, told = heal([guard])
    assert "it has just been started" in output and told == []
    time.sleep(6)
    assert heal([guard])[1] == [] and show(node, "slow", "InvocationID") == invocation
    node.ssh("systemctl kill -s KILL slow")
    _output, told = heal([guard])  # the verification waits until it is up
    assert [event["status"] for event in told] == ["firing", "resolved"]
    node.ssh("systemctl stop slow")


def test_the_cure_that_makes_it_worse_stops_the_others(lab, heal):
    """A configuration that is broken on the whole fleet: what still runs with the old one would not come back."""
    for node in lab.nodes():
        node.ssh("rm -f /run/broken /run/answer")
        put(node, "fleet", "[Service]\nExecStart=/bin/sh -c 'test ! -e /run/broken && exec sleep infinity'\n")
        node.ssh("touch /run/broken")
    guard = {
        "service": "fleet",
        "checks": [{"name": "runs", "service": {"name": "fleet"}}, {"name": "answers", "file": {"path": "/run/answer"}}],
        **QUICK,
    }
    output, told = heal([guard], limit="all", vigil_max_unavailable=1)
    states = [show(node, "fleet") for node in lab.nodes()]
    assert states == ["failed", "active", "active"], output
    assert "nothing more is restarted: node1" in output
    assert ("node1", "service fleet", "firing", "critical") in brief(told)


def test_a_node_that_does_not_survive_the_cure_is_the_only_one(lab, heal):
    for node in lab.nodes():
        put(node, "deadly")
        node.ssh("rm -f /run/answer; touch /run/deadly")
        put(node, "deadly", "[Service]\nExecStart=/bin/sh -c 'systemctl poweroff -ff; exec sleep infinity'\n", start=False)
    guard = {"service": "deadly", "checks": [{"name": "answers", "file": {"path": "/run/answer"}}], **QUICK}
    output, told = heal([guard], limit="all", lost=True)
    assert "nothing more is restarted: node1 cannot be reached any more" in output
    assert [node.alive() for node in lab.nodes()] == [False, True, True], output
    assert ("node1", "reachable", "firing", "critical") in brief(told)
