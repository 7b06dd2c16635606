# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of an alert: what is told, to whom, and how often."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import entries, episodes, outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

START = 1_763_692_800.0
OPS, BOSS = Route("ops"), Route("boss", "critical")


class World:
    def __init__(self, path):
        self.now = START
        self.store = open_store(path, clock=lambda: self.now)

    def see(self, status="firing", severity="error", routes=(OPS, BOSS), after=60, at=None, **more):
        self.now += after
        event = new_event("shop", "web1", "page", self.now if at is None else at, status=status, severity=severity, message="m")
        with self.store.unit() as unit:
            return lifecycle.step(unit, event, routes, source="test", **more)


@pytest.fixture
def world(store_url):
    world = World(store_url)
    yield world
    world.store.close()


def test_told_once_and_resolved_once(world):
    first = world.see()
    assert first.channels == ("ops",)
    assert [world.see().channels for _minute in range(10)] == [()] * 10
    over = world.see("resolved")
    assert over.channels == ("ops",)
    assert (over.event["count"], over.event["duration_seconds"], over.event["severity"]) == (11, 660.0, "error")
    assert over.event["alert_id"] == first.event["alert_id"]
    assert over.event["starts_at"] == first.event["timestamp"]
    assert over.event["ends_at"] == over.event["timestamp"]
    assert over.event["event_id"] != first.event["event_id"]
    assert world.see("resolved") == lifecycle.NOTHING
    again = world.see()
    assert again.channels == ("ops",)
    assert again.event["alert_id"] != first.event["alert_id"]
    assert again.event["count"] == 1


def test_resolved_without_episode_is_silent(world):
    assert world.see("resolved") == lifecycle.NOTHING


def test_told_again_after_the_interval(world):
    first = world.see()
    assert world.see(after=4 * 3600 - 1).channels == ()
    again = world.see(after=2)
    assert (again.channels, again.event["count"]) == (("ops",), 3)
    assert again.event["alert_id"] == first.event["alert_id"]
    assert again.event["event_id"] != first.event["event_id"]
    assert world.see(after=60).channels == ()


def test_a_risen_severity_is_told_at_once(world):
    world.see(severity="warning")
    assert world.see(severity="critical").channels == ("ops", "boss")
    assert world.see(severity="warning").channels == ()
    assert world.see("resolved").channels == ("ops", "boss")


def test_a_new_channel_is_told_of_what_is_open(world):
    world.see(routes=[OPS])
    assert world.see(routes=[OPS, Route("new")]).channels == ("new",)
    assert world.see("resolved", routes=[OPS, Route("new"), Route("newer")]).channels == ("ops", "new")


def test_the_same_observation_twice_is_one(world):
    world.see(at=START + 60)
    world.see(at=START + 60)
    world.see(at=START + 60)
    assert world.see("resolved").event["count"] == 1


def test_flapping_within_a_second_has_two_episodes(world):
    one = world.see(at=START, after=0)
    world.see("resolved", at=START, after=0)
    two = world.see(at=START, after=0)
    assert two.channels == ("ops",)
    assert one.event["alert_id"] != two.event["alert_id"]


def test_clock_that_went_back(world):
    world.see(after=86400)
    assert world.see(after=-86400).channels == ("ops",)
    over = world.see("resolved", after=60)
    assert over.event["duration_seconds"] == 0.0


def test_dry_writes_nothing(world):
    assert world.see(dry=True).channels == ("ops",)
    with world.store.view() as unit:
        assert entries.entries(unit, "events") == []
    assert world.see().channels == ("ops",)


def test_what_is_kept(world):
    world.see(routes=[])
    world.see("resolved", routes=[])
    world.see()
    with world.store.view() as unit:
        assert [event["status"] for event in entries.entries(unit, "events")] == ["firing", "resolved", "firing"]
        assert len(entries.entries(unit, "outbox")) == 1
        assert [episode.instance for episode in episodes.open_from(unit, "test")] == ["web1"]


def test_message_is_always_told(world):
    event = new_event("ops", "web1", "title", world.now, message="m", severity="warning")
    with world.store.unit() as unit:
        steps = [lifecycle.message(unit, event, [OPS, BOSS], name) for name in ("1", "2", "2")]
    assert [len(step.rows) for step in steps] == [1, 1, 0]
    assert steps[0].channels == ("ops",)


def refuse(world):
    with world.store.unit() as unit:
        for (row,) in unit.all("SELECT id FROM outbox WHERE state = 'queued'"):
            outbox.mark_dead(unit, row, "404", "no")


def test_who_refused_it_was_not_told(world):
    for _run in range(3):
        assert world.see().channels == ("ops",), "one new try a run"
        refuse(world)
    with world.store.view() as unit:
        assert len(entries.entries(unit, "dead")) == 1, "of one alert the last refusal is kept"
    assert world.see("resolved").channels == ()
    assert world.see().channels == ("ops",)
    assert world.see().channels == ()
    refuse(world)
    assert world.see().channels == ("ops",), "the address is right now"
    assert world.see().channels == ()
    assert world.see("resolved").channels == ("ops",)
