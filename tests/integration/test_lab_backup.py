# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks backup and restore against real nodes over real SSH."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image


def brief(events):
    return sorted((event["instance"], event["check"], event["status"]) for event in events)


def test_etc_of_a_fleet_is_kept_and_comes_back(lab, run_playbook, listen):
    """Nodes are backed up, one breaks its configuration, and its /etc is again what it was, to the byte, the mode and the owner."""
    receiver = listen()
    nodes = [lab.node(1), lab.node(2)]
    for node in nodes:
        node.ssh(
            "rm -rf /var/backups/vigil /etc/shop && mkdir -p /etc/shop/conf.d && echo 80 > /etc/shop/port && install -m 640 -g daemon /dev/null /etc/shop/key"
        )

    def play(name, *args, rc=0, limit="node1,node2", **variables):
        given = {"vigil_channels": [receiver.url + "/hook"], "vigil_backup_name": "etc", **variables}
        done = run_playbook(f"vigil.ops.{name}", "-e", json.dumps(given), "--limit", limit, *args, inventory=lab.inventory, timeout=300)
        assert done.rc == rc, done.output
        return done.output

    options = {
        "vigil_backup_paths": ["/etc"],
        "vigil_backup_exclude": ["mtab", "resolv.conf"],
        "vigil_backup_stdin_from": [{"name": "units", "argv": ["sh", "-c", "ls /etc"]}],
    }
    play("backup", **options)
    assert brief(receiver.bodies) == [("node1", "backup etc", "firing"), ("node2", "backup etc", "firing")]
    assert nodes[0].ssh("stat -c %a /var/backups/vigil").stdout.strip() == "700"
    output = play("backup", **options)
    assert output.count("unchanged") == 2 and len(receiver.bodies) == 2

    listing = "cd /etc && find . -path ./mtab -o -path ./resolv.conf -o -printf '%p %M %u %g %l\\n' | sort && find shop -type f -exec sha256sum {} +"
    before = nodes[0].ssh(listing).stdout
    nodes[0].ssh("rm -rf /etc/shop/conf.d && echo broken > /etc/shop/port && chmod 600 /etc/shop/key && echo new > /etc/shop/evil")
    wish = {"vigil_hosts": "node1", "limit": "node1", "vigil_restore_exact": True, "vigil_restore_backup": False}
    output = play("restore", "--check", "--diff", **wish)
    assert "-broken" in output and "+80" in output and nodes[0].ssh("cat /etc/shop/port").stdout == "broken\n"
    output = play("restore", **wish, vigil_restore_confirm="yes")
    assert nodes[0].ssh(listing).stdout == before and "changed=2" in output  # the restore, and that it was told
    assert brief(receiver.bodies[2:]) == [("node1", "restore etc", "firing")]
    assert "changed=0" in play("restore", **wish)
