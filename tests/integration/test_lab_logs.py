# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log_audit against the journal of real systemd nodes over SSH."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image


def test_the_journal_is_read_by_cursor_and_each_entry_once(lab, run_playbook, tmp_path):
    node = lab.node(1)
    node.ssh("rm -rf /var/lib/vigil; journalctl --sync; systemd-cat -t vigil-test -p err echo 'ERROR number 0 of before'")
    told = tmp_path / "told.jsonl"
    given = {
        "vigil_log_sources": ["journal:identifier=vigil-test"],
        "vigil_log_rules": [{"name": "lab", "regex": r"ERROR number (?P<n>\d+)"}, "systemd"],
        "vigil_channels": [f"file://{told}"],
    }

    def audit():
        node.ssh("journalctl --sync")
        done = run_playbook("vigil.ops.log_audit", "-e", json.dumps(given), "--limit", "node1", inventory=lab.inventory, timeout=200)
        assert done.rc == 0 and "cannot be read" not in done.output, done.output
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []

    assert audit() == []  # what was there before is left alone
    node.ssh("for n in 1 2 3; do systemd-cat -t vigil-test -p err echo ERROR number $n; done; systemd-cat -t another echo ERROR number 9")
    (event,) = audit()
    assert (event["check"], event["instance"], event["context"]["metrics"]["count"]) == ("log lab", "node1", 3)
    assert event["context"]["observed"]["fields"]["n"] == "1" and event["context"]["observed"]["fields"]["priority"] == "err"
    assert audit() == [event]
    node.ssh("systemd-cat -t vigil-test -p err echo ERROR number 4; journalctl --rotate")
    assert [one["context"]["observed"]["fields"]["n"] for one in audit()] == ["1", "4"]
