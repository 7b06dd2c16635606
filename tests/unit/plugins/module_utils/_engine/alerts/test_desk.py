# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told of what and when: routes, silences, windows, inhibition, flapping, escalation, digests, runs that did not happen."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle, rounds
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.desk import Desk, Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import silence
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

START = 1_763_712_000.0  # Friday, 2025-11-21T08:00:00Z
CHANNELS = (Route("ops"), Route("oncall"), Route("boss", "critical"))
GROUPS = {"web": ["web1", "web2"], "db": ["db1"]}


class World:
    def __init__(self, path):
        self.now = START
        self.store = open_store(path, clock=lambda: self.now)
        self.policy = None

    def rules(self, **given):
        self.policy = read_policy({"timezone": "UTC", **given})

    def desk(self):
        return Desk(CHANNELS, self.policy, GROUPS)

    def see(self, check="page", instance="web1", status="firing", severity="error", after=60, labels=None, caused_by=None):
        self.now += after
        event = new_event(
            "shop", instance, check, self.now, status=status, severity=severity, message="m", labels=labels, caused_by=caused_by
        )
        with self.store.unit() as unit:
            return lifecycle.step(unit, event, self.desk(), "test")

    def well(self, check="page", **more):
        return self.see(check, status="resolved", **more)

    def look(self, after=60):
        self.now += after
        with self.store.unit() as unit:
            return rounds.round_(unit, self.desk())

    def silence(self, **wanted):
        with self.store.unit() as unit:
            return silence.apply(unit, silence.Wanted(author="me", **wanted), GROUPS)

    def due(self, channel="ops"):
        with self.store.unit() as unit:
            found = outbox.claim(unit, channel, "test", together=True)
            for one in found:
                outbox.mark_sent(unit, one.id)
        return [(one.event["status"], one.event["check"]) for one in found]


@pytest.fixture
def world(store_url):
    world = World(store_url)
    yield world
    world.store.close()


def test_the_first_route_that_fits_says_who_is_told(world):
    world.rules(
        routes=[
            {"match": {"severity": "critical"}, "to": ["oncall", "boss"], "continue": True},
            {"match": {"group": "db"}, "to": ["ops"]},
            {"match": {"check": "noise"}, "to": []},
            {"match": {"service": "other"}, "to": ["oncall"]},
        ]
    )
    assert world.see("a", "db1", severity="critical").channels == ("oncall", "boss", "ops")
    assert world.see("b", "db1").channels == ("ops",)
    assert world.see("noise", severity="critical").channels == ("oncall", "boss")
    assert world.see("noise", "web2").channels == ()
    assert world.see("c").channels == ("ops", "oncall")  # no route fits: nothing is lost, but boss takes critical alone


def test_time_of_day(world):
    world.rules(routes=[{"hours": "mon-fri 08:00-18:00", "to": ["ops"]}, {"to": ["oncall"]}])
    assert world.see("a").channels == ("ops",)
    assert world.see("b", after=12 * 3600).channels == ("oncall",)
    assert world.well("a").channels == ("ops",)  # the end goes to those who know of the beginning


def test_repeat_interval(world):
    world.rules(repeat_interval="2h", routes=[{"to": ["ops"]}, {"to": ["oncall"]}])
    assert [len(world.see(after=3600).channels) for _hour in range(5)] == [1, 0, 1, 0, 1]
    world.rules(routes=[{"to": ["ops"], "repeat_interval": "3h"}])
    assert [len(world.see(after=3600).channels) for _hour in range(4)] == [0, 0, 1, 0]


def test_silence_mutes_what_matches_until_it_ends(world):
    made = world.silence(matchers={"instance": "web*"}, end=world.now + 600, comment="patches")
    assert made.changed
    assert (made.silence["state"], made.silence["matched"], made.silence["author"]) == ("active", 0, "me")
    step = world.see()
    assert (step.channels, step.muted) == ((), f"silence {made.silence['id']}")
    assert world.see(instance="db1").channels == ("ops", "oncall")
    assert world.silence(matchers={"instance": "web*"}, end=made.silence and START + 600, comment="patches").changed is False
    again = world.see(after=600)
    assert (again.channels, again.muted) == (("ops", "oncall"), "")
    assert again.event["count"] == 2


def test_an_alert_that_comes_and_goes_in_a_silence_is_told_to_nobody(world):
    world.silence(matchers={"service": "shop"}, end=world.now + 3600)
    assert world.see().channels == ()
    assert world.well().channels == ()


def test_the_end_of_what_was_told_is_told_in_a_silence(world):
    world.see()
    world.silence(matchers={"service": "shop"}, end=world.now + 3600)
    assert world.well().channels == ("ops", "oncall")


def test_silences_end_early_are_extended_and_begin_later(world):
    first = world.silence(matchers={"check": "page"}, end=world.now + 600)
    longer = world.silence(matchers={"check": "page"}, end=world.now + 6000)
    assert (longer.changed, longer.silence["id"]) == (True, first.silence["id"])
    assert world.see().channels == ()
    assert world.silence(matchers={"check": "page"}, present=False).silence["matched"] == 1
    assert world.see().channels == ("ops", "oncall")
    assert world.silence(matchers={"check": "page"}, present=False).changed is False
    assert world.silence(name=first.silence["id"], present=False).changed is False
    later = world.silence(matchers={"check": "other"}, begin=world.now + 600, end=world.now + 1200)
    assert later.silence["state"] == "pending"
    assert world.see("other").channels == ("ops", "oncall")
    with pytest.raises(ValueError, match='There is no silence "VGS-x"'):
        world.silence(name="VGS-x", present=False)
    with pytest.raises(ValueError, match="A silence needs an end"):
        world.silence(matchers={"check": "page"})
    with pytest.raises(ValueError, match="matchers is empty"):
        world.silence(matchers={}, end=world.now + 1)


def test_maintenance_windows(world):
    world.rules(
        maintenance=[
            {"match": {"group": "db"}, "hours": "fri 08:00-09:00", "comment": "vacuum"},
            {"from": "2025-11-21 10:00", "until": "2025-11-21 11:00"},
        ]
    )
    step = world.see(instance="db1")
    assert (step.channels, step.muted) == ((), "maintenance vacuum")
    assert world.see().channels == ("ops", "oncall")
    assert world.see(instance="db1", after=3600).channels == ("ops", "oncall")
    assert world.see("other", after=3600).muted == "maintenance"


def test_notes_that_are_told_once_are_not_told_in_a_window_and_messages_of_people_are(world):
    world.rules(maintenance=[{"hours": "fri"}])
    event = new_event("shop", "web1", "dns", world.now, message="changed")
    with world.store.unit() as unit:
        assert lifecycle.note(unit, event, world.desk(), "1").channels == ()
        assert lifecycle.message(unit, event, world.desk(), "2").channels == ("ops", "oncall")
        assert len(outbox.events(unit, None, 0, 9)) == 2


def test_inhibition(world):
    world.rules(inhibit=[{"when": {"check": "reachable"}, "mute": {"severity": "<= error"}}])
    world.see("reachable", severity="critical")
    step = world.see("disk")
    assert (step.channels, step.muted) == ((), "inhibited by web1: reachable")
    assert world.see("disk", "web2").channels == ("ops", "oncall")
    assert world.see("cpu", severity="critical").channels == ("ops", "oncall", "boss")
    world.well("reachable")
    assert world.see("disk").channels == ("ops", "oncall")


def test_desks_of_one_process_share_what_is_open(world):
    world.rules(inhibit=[{"when": {"check": "reachable"}, "mute": {"severity": "<= error"}}])
    memory = {}
    world.desk = lambda: Desk(CHANNELS, world.policy, GROUPS, memory)
    assert world.see("disk").channels == ("ops", "oncall")
    world.see("reachable", severity="critical", after=1)
    assert world.see("cpu", after=1).muted == "inhibited by web1: reachable"
    world.well("reachable", after=1)
    assert world.see("cpu", after=1).channels == ("ops", "oncall")
    with world.store.unit() as unit:  # another process
        unit.execute("UPDATE episodes SET open = 1 WHERE event LIKE '%reachable%'")
    assert world.see("load", after=6).muted == "inhibited by web1: reachable"


def test_alerts_that_are_causes_and_effects_do_not_mute_each_other(world):
    world.rules(inhibit=[{"when": {"service": "shop"}, "mute": {"service": "shop"}}])
    assert world.see("a").channels
    assert world.see("b").channels


def test_an_alert_that_names_its_cause_waits_for_it(world):
    world.see("db port", "db1")
    assert world.see("page", caused_by="db1:db port").muted == "caused by db1: db port"
    assert world.see("page", "web2", caused_by="db port").channels == ("ops", "oncall")  # no such alert on its own host
    world.well("db port", instance="db1")
    assert world.see("page", caused_by="db1:db port").channels == ("ops", "oncall")


def test_flapping_is_told_once_and_ends_when_it_is_steady(world):
    world.rules(flapping={"times": 3, "within": "1h"})
    told = []
    for _round in range(10):
        told += [world.see(after=120), world.well(after=120)]
    spoken = [(step.event["status"], "flapping" in step.event["annotations"]) for step in told if step.channels]
    assert spoken == [("firing", False), ("resolved", False), ("firing", False), ("resolved", False), ("firing", True)]
    assert world.well(after=600).event is None
    over = world.well(after=1800)
    assert (over.channels, over.event["status"]) == (("ops", "oncall"), "resolved")
    again = world.see(after=3600)
    assert (again.channels, "flapping" in again.event["annotations"]) == (("ops", "oncall"), False)


def test_a_flapping_alert_that_nobody_looks_at_any_more_is_over_some_time(world):
    world.rules(flapping={"times": 2, "within": "10m"})
    for _round in range(3):
        world.see(after=30)
        world.well(after=30)
    assert world.look() == []
    (over,) = world.look(after=300)
    assert (over.event["status"], over.channels) == ("resolved", ("ops", "oncall"))
    assert world.look(after=300) == []


def test_a_flapping_alert_that_stays_bad_goes_on_as_usual(world):
    world.rules(flapping={"times": 2, "within": "10m"}, repeat_interval="1h")
    for _round in range(2):
        world.see(after=30)
        world.well(after=30)
    assert [world.see(after=200).event is None for _time in range(3)] == [True] * 3
    assert world.see(after=3600).channels == ("ops", "oncall")
    assert world.well().event["status"] == "resolved"


def test_escalation_by_whoever_looks_and_not_when_somebody_takes_care(world):
    world.rules(routes=[{"to": ["ops"], "escalate": [{"after": "15m", "to": ["oncall"]}, {"after": "1h", "to": ["boss"]}]}])
    alert = world.see(severity="critical").event["alert_id"]
    assert world.look(after=600) == []
    (up,) = world.look(after=300)
    assert (up.channels, up.event["annotations"]["escalation"]) == (("oncall",), "nobody has acknowledged it for 15m")
    assert world.look() == []
    done = world.silence(alert_id=alert, comment="on it")
    assert (done.changed, done.silence["state"], done.silence["alerts"][0]["acknowledged"]["by"]) == (True, "acknowledged", "me")
    assert world.due("ops") == [("firing", "page"), ("acknowledged", "page")]
    assert world.silence(alert_id=alert, comment="on it").changed is False
    assert world.look(after=7200) == []
    assert world.see(severity="critical", after=86400).channels == ()
    assert world.silence(alert_id=alert, present=False).changed
    assert world.see(severity="critical").channels == ("ops", "oncall", "boss")
    assert world.well().channels == ("ops", "oncall", "boss")
    assert world.silence(alert_id=alert).silence["state"] == "resolved"


def test_escalation_when_it_is_observed(world):
    world.rules(routes=[{"to": ["ops"], "escalate": {"after": "15m", "to": ["oncall"]}}])
    assert world.see().channels == ("ops",)
    assert world.see(after=900).channels == ("oncall",)
    with pytest.raises(ValueError, match='There is no alert "VGL-1"'):
        world.silence(alert_id="VGL-1")


def test_a_risen_severity_is_told_though_somebody_takes_care(world):
    alert = world.see(severity="warning").event["alert_id"]
    world.silence(alert_id=alert, end=world.now + 7200)
    assert world.see(severity="warning", after=600).channels == ()
    assert world.see(severity="error").channels == ("ops", "oncall")
    assert world.see(severity="error", after=6 * 3600).channels == ("ops", "oncall")  # the acknowledgement has ended


def test_digest_collects_and_what_is_urgent_takes_the_rest_with_it(world):
    world.rules(routes=[{"match": {"severity": "<= warning"}, "to": ["ops"], "digest": "15m"}, {"to": ["ops"]}])
    assert world.see("a", severity="warning").channels == ("ops",)
    world.see("b", severity="warning")
    world.well("b")
    with world.store.unit() as unit:
        outbox.wake(unit, ["ops"], lambda _owner: True)
        assert (outbox.pending(unit), outbox.waiting(unit)) == ({}, {"ops": 3})
    assert world.due() == []
    world.see("a", severity="error")
    assert world.due() == [("firing", "a"), ("firing", "a")]
    world.now = START + 900
    assert world.due() == [("firing", "b"), ("resolved", "b")]


def test_what_a_person_says_waits_for_no_digest_and_what_was_seen_does(world):
    world.rules(routes=[{"to": ["ops"], "digest": "1h"}])
    with world.store.unit() as unit:
        lifecycle.message(unit, new_event("shop", "web1", "deployed", world.now, message="4.2"), world.desk(), "1")
        lifecycle.note(unit, new_event("shop", "web1", "dns", world.now, message="changed"), world.desk(), "2")
    assert world.due() == [("firing", "deployed")]


def test_digest_at_times_of_the_day(world):
    world.rules(routes=[{"to": ["ops"], "digest": "08:00,17:30"}])
    world.see()
    world.now = START + 9 * 3600 + 1700
    assert world.due() == []
    world.now = START + 9 * 3600 + 1800
    assert world.due() == [("firing", "page")]


def test_a_run_that_never_happened(world):
    run = {"name": "nightly backup", "every": "1d", "grace": "1h"}
    world.rules(expected=[run])
    assert world.look() == []  # from now on it is expected
    assert world.look(after=25 * 3600 - 60) == []
    (late,) = world.look(after=120)
    assert late.channels == ("ops", "oncall")
    assert late.event["check"] == "run of nightly backup"
    assert late.event["message"].startswith("did not run for 1d1h, and is expected every 1d; it ended last at 2025-11-21T08:01:00Z")
    with world.store.unit() as unit:
        rounds.seen(unit, world.policy.expected[0])
    (over,) = world.look()
    assert (over.event["status"], over.event["message"]) == ("resolved", "it has run again")
    assert world.look() == []


def test_a_run_that_is_not_expected_any_more_and_a_clock_that_jumps(world):
    world.rules(expected=[{"name": "x", "every": "1h", "grace": "0s"}])
    world.look()
    world.look(after=7200)
    world.now -= 30 * 86400
    assert [step.event["status"] for step in world.look()] == ["resolved"]
    assert [step.event["status"] for step in world.look(after=3700)] == ["firing"]


def test_dry_rounds_write_nothing(world):
    world.rules(routes=[{"to": ["ops"], "escalate": {"after": "15m", "to": ["oncall"]}}])
    world.see()
    world.now += 900
    with world.store.unit() as unit:
        assert rounds.round_(unit, world.desk(), dry=True)[0].channels == ("oncall",)
        assert rounds.round_(unit, world.desk(), dry=True)[0].channels == ("oncall",)
        assert episodes.all_open(unit)[0].tellings == 1
