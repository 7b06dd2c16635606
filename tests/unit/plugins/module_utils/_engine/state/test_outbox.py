# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outbox: leases, order, back-off, and what outlives a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, owner
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

START = 1_763_692_800.0


@pytest.fixture
def world(store_url):
    now = [START]
    with open_store(store_url, clock=lambda: now[0]) as store:
        yield now, store


def event(alert="A", status="firing"):
    return {"alert_id": alert, "status": status, "severity": "error", "service": "s", "instance": "i", "check": "c", "message": "m"}


def test_lease_keeps_others_away_until_it_ends(world):
    now, store = world
    with store.unit() as unit:
        assert len(outbox.add(unit, "e1", event(), ["ops", "boss"])) == 2
        assert outbox.add(unit, "e1", event(), ["ops", "boss"]) == []
        assert [message.event_id for message in outbox.claim(unit, "ops", "one", lease=60)] == ["e1"]
        assert outbox.claim(unit, "ops", "two") == []
        assert outbox.next_due(unit, "ops") == START + 60
    now[0] += 61
    with store.unit() as unit:
        assert len(outbox.claim(unit, "ops", "two")) == 1
        outbox.release(unit, "two")
        assert len(outbox.claim(unit, "ops", "three")) == 1


def test_of_one_alert_the_oldest_first(world):
    _now, store = world
    with store.unit() as unit:
        for name, alert, status in (("e1", "A", "firing"), ("e2", "A", "resolved"), ("e3", "B", "firing")):
            outbox.add(unit, name, event(alert, status), ["ops"])
        first = outbox.claim(unit, "ops", "me")
        assert [message.event_id for message in first] == ["e1", "e3"]
        assert outbox.claim(unit, "ops", "me") == []
        outbox.mark_failed(unit, first[0].id, START + 30, "500", "no")
        outbox.mark_sent(unit, first[1].id)
        assert outbox.claim(unit, "ops", "me") == []
        assert outbox.next_due(unit, "ops") == START + 30
        outbox.wake(unit, ["ops"], lambda _owner: True)
        assert [message.event_id for message in outbox.claim(unit, "ops", "me")] == ["e1"]
        outbox.mark_dead(unit, first[0].id, "400", "no")
        assert [message.event_id for message in outbox.claim(unit, "ops", "me")] == ["e2"]
        assert outbox.pending(unit) == {"ops": 1}


def test_a_receivers_wish_to_wait_outlives_the_run(world):
    now, store = world
    with store.unit() as unit:
        outbox.add(unit, "e1", event(), ["ops"])
        row = outbox.claim(unit, "ops", "me")[0].id
        outbox.mark_failed(unit, row, START + 600, "429", "wait", throttled=True)
        outbox.wake(unit, ["ops"], lambda _owner: True)
        assert outbox.claim(unit, "ops", "me") == []
    now[0] += 601
    with store.unit() as unit:
        assert outbox.claim(unit, "ops", "me")[0].attempts == 1


def test_dead_processes_hold_nothing(world):
    _now, store = world
    mine = owner.this_process()
    dead = mine.rsplit("/", 1)[0] + "/12345"
    assert owner.is_alive(mine)
    assert owner.is_alive(mine + "#7f00")
    assert not owner.is_alive(dead)
    assert owner.is_alive("another-machine/1/2")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = f"{owner.this_process().rsplit('/', 2)[0]}/{other.pid}/{owner._seen(other.pid)[1]}"
        assert owner.is_alive(theirs)
        other.stdin.close()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        assert not owner.is_alive(theirs)
    with store.unit() as unit:
        outbox.add(unit, "e1", event(), ["ops"])
        outbox.claim(unit, "ops", dead)
        assert outbox.claim(unit, "ops", mine) == []
        outbox.wake(unit, ["ops"], owner.is_alive)
        assert len(outbox.claim(unit, "ops", mine)) == 1
        outbox.wake(unit, ["ops"], owner.is_alive)
        assert outbox.claim(unit, "ops", "other") == []


def test_queued_and_dead_outlive_retention(world):
    now, store = world
    with store.unit() as unit:
        for name in ("sent", "queued", "dead"):
            outbox.add(unit, name, event(name), ["ops"])
        rows = {message.event_id: message.id for message in outbox.claim(unit, "ops", "me")}
        outbox.mark_sent(unit, rows["sent"])
        outbox.mark_dead(unit, rows["dead"], "400", "no")
    now[0] += 200 * 86400
    store.tidy()
    with store.view() as unit:
        assert {row[0] for row in unit.all("SELECT event FROM outbox")} == {"queued", "dead"}
        assert {row[0] for row in unit.all("SELECT id FROM events")} == {"queued", "dead"}
