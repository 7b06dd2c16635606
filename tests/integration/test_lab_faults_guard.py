# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard makes of faults on real systemd nodes: it restarts what a restart helps, and says of the rest why it does not.

One run of the playbook heal over four hosts, as in test_lab_faults.py; test_lab_heal.py has the healing itself.
"""

from __future__ import annotations

import json
import re

import lab_faults as faults
import pytest
from receivers import Receiver

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

SHORT = {"failures": 1, "verify_timeout": "3s", "grace": 0, "backoff": 0}
QUICK = {**SHORT, "verify_timeout": "15s"}
HANGS = "#!/bin/sh\n[ -e /run/hung ] && exec python3 -m http.server 7001 --bind {address} --directory /run\n"
HANGS += "touch /run/hung; exec python3 /opt/bad_servers.py {address} silent:7001\n"
WEB = "[Service]\nExecStart=/usr/bin/python3 -m http.server {port} --bind {address} --directory /run\n"
AGAIN = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=50ms\nExecStart=/bin/sh -c '{}'\n"
DEAF = "[Service]\nTimeoutStopSec=2s\nExecStart=/bin/sh -c 'trap \"\" TERM; touch /run/deaf; while :; do sleep 1; done'\n"


def page(address, port):
    return {"name": "page", "http": {"url": f"http://{address}:{port}/", "timeout": 1}}


def break_node(node):
    """The services of node1, each broken in its way."""
    address = node.address
    node.write("/opt/hung.sh", HANGS.format(address=address), "0755")
    faults.serve(node, "silent:7009")  # for the program itself
    units = {
        "hung": "[Service]\nExecStart=/opt/hung.sh\n",
        "fullloop": AGAIN.format("head -c 65536 /dev/zero > /srv/full/state && exec sleep infinity"),
        "maskedloop": AGAIN.format("sleep 0.3; exit 1"),
        "spinning": AGAIN.format("sleep 0.3; exit 1"),
        "maskedalive": faults.SLEEP,
        "unreadable": "nonsense\n",
        "endless": faults.SERVICES["endless"],
        "deaf": DEAF,
    }
    for name, text in units.items():
        faults.put(node, name, text)
    faults.fill_disks(node)
    node.ssh(
        "mv /etc/systemd/system/masked* /usr/lib/systemd/system/; systemctl daemon-reload;"
        f" systemctl start --no-block {' '.join(units)}; until [ -e /run/deaf -a -e /run/hung ]; do sleep 0.1; done; rm /run/deaf;"
        " systemctl mask -q maskedalive maskedloop"
    )
    faults.exhaust_memory(node)


@pytest.fixture(scope="module")
def broken(own_lab, tmp_path_factory):
    """The inventory of the two further hosts; everything is broken."""
    one, two, three = own_lab.nodes()
    break_node(one)
    faults.put(two, "far", WEB.format(port=7001, address=two.address))
    two.ssh("systemctl daemon-reload; systemctl start far")
    faults.lose_dns(two)
    faults.put(three, "idle")
    three.ssh("systemctl daemon-reload")
    user, port = faults.hide_processes(three), faults.run_without_systemd(three)
    place = tmp_path_factory.mktemp("guard") / "more.ini"
    more = [f"hidden ansible_host={three.address} ansible_user={user}", f"bare ansible_host={three.address} ansible_port={port}"]
    place.write_text("\n".join(["[lab]", *more, ""]))
    return place


def guards(one):
    by_name = {"name": "by name", "http": {"url": "http://web.example.test:7001/", "timeout": 1}}
    dns = {"name": "dns", "dns": {"name": "web.example.test", "timeout": 1}}
    ghost = {"service": "ghost", "checks": [{"name": "runs", "process": {"name": "ghost"}}], **SHORT}
    return {
        "node1": [
            {"service": "hung", "checks": [page(one.address, 7001)], **QUICK},
            {"service": "deaf", "checks": [{"name": "mark", "file": {"path": "/run/deaf"}}], **QUICK},
            {"service": "fullloop", "paths": ["/", "/srv/full"], **SHORT},
            {"service": "maskedalive", "checks": [page(one.address, 7099)], **SHORT},
            {"service": "maskedloop", **SHORT},
            {"service": "unreadable", **SHORT},
            {"service": "endless", **SHORT},
            {"service": "hog", **SHORT},
            {"service": "spinning", "checks": [{"name": "runs", "service": {"name": "spinning"}}], **SHORT},
        ],
        "node2": [{"service": "far", "checks": [by_name], **SHORT}, {"service": "ssh", "checks": [by_name], "depends_on": [dns], **SHORT}],
        "hidden": [ghost, {"service": "idle", **SHORT}],
        "bare": [
            {"service": "app", **SHORT},
            ghost,
            {"service": "initd", "checks": [{"name": "up", "file": {"path": "/run/up"}}], "restart_command": ["touch", "/run/up"], **QUICK},
        ],
    }


@pytest.fixture(scope="module")
def seen(own_lab, broken, run_playbook_once):
    """{(host, service): (status, message)} of the table at the end of one run, and the events that a receiver got."""
    receiver, given = Receiver(), guards(own_lab.node(1))
    variables = {"vigil_channels": [receiver.url + "/hook"], "vigil_max_unavailable": 4}
    variables.update(by_host=given, vigil_guards="{{ by_host[inventory_hostname] }}")
    arguments = ("-i", str(broken), "--limit", ",".join(given), "-e", json.dumps(variables))
    pid = own_lab.node(1).ssh("systemctl show -p MainPID --value maskedalive").stdout
    done = run_playbook_once("vigil.ops.heal", *arguments, inventory=own_lab.inventory, timeout=200)
    receiver.close()
    assert done.rc == 0, done.output
    assert own_lab.node(1).ssh("systemctl show -p MainPID --value maskedalive").stdout == pid
    rows = re.findall(r"^  (\S+) +(\S+) +(\w+) *(.*)$", done.output[done.output.index("\nServices\n") :], re.MULTILINE)
    return {(host, name): (status, message) for host, name, status, message in rows}, receiver.bodies


@pytest.mark.parametrize(
    ("host", "service", "status", "sentence"),
    [
        ("node1", "hung", "healed", "well again after 1 restart"),
        ("node1", "deaf", "healed", "well again after 1 restart"),
        (
            "node1",
            "fullloop",
            "disk",
            r"(ends again and again|exit-code).*; it is not restarted: the disk at /srv/full is full \(\d+ KiB free\)",
        ),
        ("node1", "maskedalive", "masked", "refused the connection; it is not restarted: somebody masked maskedalive.service on purpose"),
        ("node1", "maskedloop", "masked", "; it is not restarted: somebody masked maskedloop.service on purpose"),
        (
            "node1",
            "unreadable",
            "missing",
            r"^systemd cannot read unreadable\.service; systemctl status \S+ says why; it is not restarted$",
        ),
        ("node1", "endless", "restarted", r"endless\.service is activating \(start\) for \S+ \(systemctl did not end within [\d.]+ s\)"),
        ("node1", "hog", "restarted", r"hog\.service is failed \(result (oom-kill|signal SIGKILL)\)"),
        ("node1", "spinning", "restarted", r"runs: spinning\.service (ends again and again|is activating)"),
        (
            "node2",
            "far",
            "dependency",
            r"web\.example\.test was not resolved within 1 s; it is not restarted: that does not bring name servers",
        ),
        ("node2", "ssh", "dependency", "; it is not restarted: dns fails, which it needs"),
        ("hidden", "ghost", "unknown", r"runs: /proc hides the processes of other users \(hidepid\); run with become"),
        ("hidden", "idle", "restarted", r"idle\.service is inactive \(dead\) .*; run with become\)$"),
        ("bare", "app", "unknown", r"systemctl is not installed \(systemd is needed\)"),
        ("bare", "ghost", "manager", "; it is not restarted: .*; give restart_command"),
        ("bare", "initd", "healed", "well again after 1 restart"),
    ],
)
def test_what_the_guard_makes_of_it(seen, host, service, status, sentence):
    found = seen[0][host, service]
    assert found[0] == status and re.search(sentence, found[1]), found


def test_each_is_told_once_and_the_end_of_what_was_healed(seen):
    told = [(event["instance"], event["check"][8:], event["status"]) for event in seen[1]]
    assert len(told) == len(set(told)), told
    assert {one[:2] for one in told if one[2] == "firing"} == set(seen[0])
    assert {one[:2] for one in told if one[2] == "resolved"} == {("node1", "hung"), ("node1", "deaf"), ("bare", "initd")}
    fired = next(event for event in seen[1] if event["check"] == "service hung")
    assert "connected, but no answer came within 1 s" in fired["message"]
    assert all("\n" not in event["message"] and len(event["message"]) < 400 for event in seen[1])
