# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module check_suggest: what it writes is what inspect finds well on that very host."""

from __future__ import annotations

import json

import pytest


def play(tmp_path, **options):
    """Suggest, then inspect with it; both results are written down."""
    tasks = [
        {"name": "Suggest", "vigil.ops.check_suggest": options, "register": "suggested"},
        {"name": "Inspect", "vigil.ops.inspect": {"checks": "{{ suggested.checks }}"}, "register": "seen"},
        {
            "name": "Show",
            "ansible.builtin.copy": {
                "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.json",
                "content": "{{ [suggested, seen] | to_json }}",
            },
            "delegate_to": "localhost",
        },
    ]
    place = tmp_path / "play.json"
    place.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return place


def found(tmp_path, host):
    return json.loads((tmp_path / f"{host}.json").read_text())


def test_this_host(run_playbook, tmp_path):
    done = run_playbook(play(tmp_path, include=["mounts", "certificates"]), inventory=None)
    assert done.rc == 0, done.output
    suggested, seen = found(tmp_path, "localhost")
    assert {"disk /", "inodes /"} <= {check["name"] for check in suggested["checks"]}
    assert [(one["name"], one["summary"]) for one in seen["results"] if one["status"] != "ok"] == []
    assert suggested["changed"] is False


def test_bad_options_are_refused(run_playbook, tmp_path):
    done = run_playbook(play(tmp_path, include=["everything"]), inventory=None)
    assert done.rc != 0 and "everything" in done.output and "services" in done.output
    done = run_playbook(play(tmp_path, timeout="soon"), inventory=None)
    assert done.rc != 0 and "timeout" in done.output


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_real_node(lab, run_playbook, tmp_path):
    lab.node(1).write(
        "/etc/systemd/system/web.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    )
    lab.node(1).ssh("systemctl daemon-reload && systemctl enable --now web && timedatectl show && systemctl is-active systemd-timedated")
    done = run_playbook(play(tmp_path), "--limit", "node1", inventory=lab.inventory, timeout=120)
    assert done.rc == 0, done.output
    suggested, seen = found(tmp_path, "node1")
    checks = {check["name"]: check for check in suggested["checks"]}
    assert checks["service web"] == {"name": "service web", "service": {"name": "web"}, "expect": {"active": True, "enabled": True}}
    assert "service ssh" in checks and checks["port tcp 22"]["annotations"]["program"]
    # what ends by itself when nobody asks any more would be a false alarm a minute later
    assert [name for name in checks if "getty" in name or "user@" in name or "timedated" in name] == []
    moving = ("load", "memory", "processes")
    assert [(one["name"], one["summary"]) for one in seen["results"] if one["status"] != "ok" and one["probe"] not in moving] == []
