# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guards remember, and events that are handed out until somebody has them."""

from __future__ import annotations

import sqlite3

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import guard, schema
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store


@pytest.fixture
def store(store_url):
    with open_store(store_url) as opened:
        yield opened


def test_memory_is_kept_by_service(store):
    with store.unit() as unit:
        guard.remember(unit, "web.service", {"failures": 2})
        guard.remember(unit, "db.service", {"failures": 1})
        guard.remember(unit, "web.service", {"failures": 3})
    with store.view() as unit:
        assert (guard.recall(unit, "web.service"), guard.recall(unit, "none.service")) == ({"failures": 3}, {})


def test_events_come_until_their_batch_is_acknowledged(store):
    with store.unit() as unit:
        assert guard.pending(unit, store.salt) == ([], "")
        for kind in ("restart", "recovered"):
            guard.add(unit, "web.service", {"kind": kind})
    with store.unit() as unit:
        events, batch = guard.pending(unit, store.salt)
        assert [(event["number"], event["kind"], event["service"]) for event in events] == [
            (1, "restart", "web.service"),
            (2, "recovered", "web.service"),
        ]
        assert guard.pending(unit, store.salt)[0] == events
        guard.add(unit, "db.service", {"kind": "disk"})
        assert guard.acknowledge(unit, store.salt, batch) == 2
        assert [event["kind"] for event in guard.pending(unit, store.salt)[0]] == ["disk"]


def test_a_batch_in_part_and_the_batch_of_another_store(store):
    with store.unit() as unit:
        for number in range(5):
            guard.add(unit, "web.service", {"kind": str(number)})
        events, batch = guard.pending(unit, store.salt, limit=2)
        assert [event["kind"] for event in events] == ["0", "1"]
        assert [event["kind"] for event in guard.pending(unit, store.salt, batch)[0]] == ["2", "3", "4"]
        for strange in ("", None, "x", guard.ledger("another") + ":5", guard.ledger(store.salt) + ":x"):
            assert guard.acknowledge(unit, store.salt, strange) == 0
        assert guard.acknowledge(unit, store.salt, batch) == 2


def test_old_events_are_forgotten(store):
    with store.unit() as unit:
        guard.add(unit, "web.service", {"kind": "restart"})
        guard.remember(unit, "web.service", {"failures": 1})
        assert guard.prune(unit, unit.now - 1) == 0
        assert guard.prune(unit, unit.now + 1) == 2
        assert guard.recall(unit, "web.service") == {}


def test_a_store_of_before_gets_the_tables(tmp_path):
    raw = sqlite3.connect(tmp_path / "old.db")
    for statement in (*schema.STEP_1, *schema.STEP_2, "INSERT INTO meta VALUES ('salt', 'abc')", "PRAGMA user_version = 2"):
        raw.execute(statement)
    raw.commit()
    raw.close()
    with open_store(f"sqlite:///{tmp_path}/old.db") as store, store.unit() as unit:
        assert guard.add(unit, "web.service", {"kind": "restart"}) == 1
