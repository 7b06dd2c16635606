# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher tells whom its configuration names, and looks for what is due."""

from __future__ import annotations

import time

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox
from vigil_watch.cli import main
from vigil_watch.config import load
from vigil_watch.desk import Desk

MAIN = """
channels: ['file:///{place}/a#ops', 'file:///{place}/b#oncall']
alerts:
  routes:
  - {{match: {{severity: critical}}, to: oncall}}
  - {{to: ops}}
  expected:
  - {{name: nightly, every: 1s, grace: 0}}
"""


def test_routes_and_runs_that_did_not_happen(tmp_path):
    path = tmp_path / "vigil.yml"
    path.write_text(
        f"name: web1\nwatch_dir: {tmp_path}/watch.d\nstate_url: sqlite:///{tmp_path}/state.db\n"
        + MAIN.format(place=str(tmp_path).lstrip("/"))
    )
    desk = Desk(load(str(path)))
    try:
        for severity in ("critical", "error"):
            desk.tell(notify.Batch([new_event("shop", "web1", severity, time.time(), severity=severity, message="m")]))
        with desk.store.unit() as unit:
            assert outbox.pending(unit) == {"ops": 1, "oncall": 1}
        assert desk.look() == 0
        with desk.store.unit() as unit:
            unit.execute("UPDATE expected SET last_at = last_at - 60")
        assert desk.look() == 1
        assert desk.look() == 0
        with desk.store.unit() as unit:
            assert outbox.pending(unit) == {"ops": 2, "oncall": 1}
    finally:
        desk.store.close()


def test_what_was_refused_is_sent_again_and_thrown_away(tmp_path, capsys):
    path = tmp_path / "vigil.yml"
    path.write_text(
        f"name: web1\nwatch_dir: {tmp_path}/watch.d\nstate_url: sqlite:///{tmp_path}/state.db\n"
        + MAIN.format(place=str(tmp_path).lstrip("/"))
    )
    desk = Desk(load(str(path)))
    try:
        desk.tell(notify.Batch([new_event("shop", "web1", name, time.time(), severity="error", message="m") for name in "ab"]))
        with desk.store.unit() as unit:
            for message in outbox.claim(unit, "ops", "test"):
                outbox.mark_dead(unit, message.id, "400", "refused")
        assert main(["outbox", "--config", str(path), "--replay", "--channel", "other"]) == 0
        assert main(["outbox", "--config", str(path), "--replay"]) == 0
        with desk.store.unit() as unit:
            assert outbox.pending(unit) == {"ops": 2}
        assert main(["outbox", "--config", str(path), "--purge"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "0 messages to be sent again",
            "2 messages to be sent again",
            "0 messages thrown away",
        ]
    finally:
        desk.store.close()
