# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judgement behind self-healing: known faults of monit as examples, and what must hold whatever is seen."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import guard
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.guard import Limits, Look, Memory, Obstacle, judge, restarted
from hypothesis import given, settings
from hypothesis import strategies as st

BAD = Look(False, "refused", "refused")
WELL = Look(True)
UNSEEN = Look(None, "unseen", "cannot be seen")
DISK = BAD._replace(obstacle=Obstacle("disk", "/var is full"))
PARENT = BAD._replace(obstacle=Obstacle("dependency", "db fails", "db", is_told=True))
T0 = 1_000_000.0


class World:
    """One service, looked at again and again; a restart is carried out at once, and helps or not."""

    def __init__(self, limits=Limits(), helps=False):
        self.limits, self.helps = limits, helps
        self.memory, self.now = Memory(), T0
        self.events, self.restarts, self.statuses = [], [], []

    def look(self, look=BAD, after=60.0):
        self.now += after
        verdict = judge(self.memory, look, self.limits, self.now)
        self.memory = verdict.memory
        self.events += verdict.events
        self.statuses.append(verdict.status)
        if verdict.status == "restart":
            self.restarts.append(self.now)
            verdict = restarted(self.memory, self.helps, "still refused", False, self.now + 1)
            self.memory = verdict.memory
            self.events += verdict.events
        return self.statuses[-1]

    def kinds(self):
        return [event["kind"] for event in self.events]


def test_failures_in_a_row_then_restart_and_resolved_with_downtime():
    world = World(helps=True)
    assert [world.look() for _n in range(3)] == ["failing", "failing", "restart"]
    assert world.kinds() == ["restart", "recovered"]
    fired, resolved = world.events
    assert (fired["status"], fired["severity"], fired["since"]) == ("firing", "error", T0 + 60)
    assert (resolved["status"], resolved["downtime"], resolved["attempts"]) == ("resolved", 121.0, 1)
    assert "after 1 restart" in resolved["message"] and "2m1s" in resolved["message"]


def test_a_good_look_between_begins_anew():
    world = World()
    for look in (BAD, BAD, WELL, BAD, BAD, WELL):
        world.look(look)
    assert world.restarts == [] and world.events == [] and world.memory.failures == 0


def test_the_counter_is_reset_by_a_restart_monit_64():
    """monit counted on after a restart, so that the next failing look, while the program was still starting, restarted it again.

    Issue 64, and told again in 711, 787, 1030 and 1032.
    """
    world = World(Limits(failures=3, max_restarts=10, grace=120, backoff=0))
    for _n in range(3):
        world.look()
    assert world.look(after=30) == "grace" and world.look(after=30) == "grace"
    assert [world.look(after=61), world.look(), world.look()] == ["failing", "failing", "restart"]


def test_not_restarted_indefinitely_monit_546():
    world = World(Limits(failures=1, max_restarts=3, within=1800, backoff=0, grace=0))
    for _n in range(200):
        world.look()
    assert len(world.restarts) == 3 and world.kinds().count("given_up") == 1
    assert world.events[-1]["severity"] == "critical" and "3 restarts within 30m" in world.events[-1]["message"]


def test_restarts_that_help_for_a_moment_use_up_the_window_too():
    world = World(Limits(failures=1, max_restarts=3, within=3600, backoff=0, grace=0), helps=True)
    for _n in range(20):
        world.look(WELL)
        world.look(BAD)
    assert len(world.restarts) == 3


@pytest.mark.parametrize("allowed", [0, 1, 2, 5])
def test_so_many_restarts_and_not_one_more_or_less_monit_1073(allowed):
    """monit's "2 restarts within 2 cycles" acted at the third (issues 1073 and 1075)."""
    world = World(Limits(failures=1, max_restarts=allowed, within=86400, backoff=0, grace=0))
    for number in range(allowed):
        assert (world.look(), len(world.restarts)) == ("restart", number + 1)
    assert world.look() == "given_up" and len(world.restarts) == allowed
    assert world.kinds() == ["restart"] * allowed + ["given_up"]


def test_after_giving_up_nothing_is_tried_until_it_was_well_and_the_window_has_room():
    world = World(Limits(failures=1, max_restarts=1, within=600, backoff=0, grace=0))
    for _n in range(60):
        world.look()
    assert len(world.restarts) == 1 and world.statuses[-1] == "given_up"
    world.look(WELL)
    assert world.kinds()[-1] == "recovered"
    assert world.look() == "restart"


def test_the_window_still_counts_after_a_person_repaired_it():
    world = World(Limits(failures=1, max_restarts=1, within=6000, backoff=0, grace=0))
    world.look()
    world.look()
    world.look(WELL)
    assert world.look() == "given_up" and len(world.restarts) == 1
    assert world.kinds() == ["restart", "given_up", "recovered", "given_up"]


def test_each_restart_of_an_outage_waits_twice_as_long():
    world = World(Limits(failures=1, max_restarts=5, within=86400, backoff=100, grace=0))
    for _n in range(200):
        world.look(after=10)
    gaps = [after - before for before, after in zip(world.restarts, world.restarts[1:])]
    assert gaps == [100, 200, 400, 800] and world.statuses[1] == "waiting"


def test_grace_longer_than_the_window_is_kept():
    world = World(Limits(failures=1, max_restarts=1, within=10, backoff=0, grace=60))
    assert [world.look(), world.look(after=30), world.look(after=30)] == ["restart", "grace", "restart"]


def test_the_pause_begins_anew_after_success():
    world = World(Limits(failures=1, max_restarts=5, within=86400, backoff=100, grace=0))
    for _n in range(20):
        world.look(after=20)
    world.look(WELL)
    before = len(world.restarts)
    assert world.look(after=1) == "restart" and len(world.restarts) == before + 1


@pytest.mark.parametrize("kind", ["missing", "masked", "disk", "manager", "dependency"])
def test_an_obstacle_is_told_once_and_never_restarted(kind):
    world = World()
    look = BAD._replace(obstacle=Obstacle(kind, "because", "db" if kind == "dependency" else None))
    for _n in range(50):
        world.look(look)
    assert world.restarts == [] and world.kinds() == [kind] and world.statuses[-1] == kind
    world.look(WELL)
    assert world.kinds() == [kind, "recovered"]


def test_what_the_guard_of_a_dependency_tells_is_not_told_again():
    world = World(helps=True)
    for _n in range(10):
        world.look(PARENT)
    assert (world.restarts, world.events, world.statuses[-1]) == ([], [], "dependency")
    # it gets its own looks once the dependency is well
    assert [world.look() for _n in range(3)] == ["failing", "failing", "restart"]
    for _n in range(10):
        world.look(PARENT)
    world.look(WELL)
    assert world.kinds() == ["restart", "recovered"]


def test_a_disk_that_has_room_again_lets_the_restart_through():
    world = World(helps=True)
    for _n in range(5):
        world.look(DISK)
    assert world.look() == "restart" and world.kinds() == ["disk", "restart", "recovered"]


def test_what_cannot_be_seen_is_neither_good_nor_bad():
    world = World()
    for look in (BAD, BAD, UNSEEN, UNSEEN, UNSEEN):
        world.look(look)
    assert world.restarts == [] and world.memory.failures == 2
    assert world.look() == "restart"


def test_a_guard_that_sees_nothing_says_so_once():
    world = World()
    for _n in range(10):
        assert world.look(UNSEEN) == "unknown"
    assert [(event["kind"], event["severity"]) for event in world.events] == [("unseen", "warning")]
    world.look(WELL)
    assert world.events[-1]["message"] == "it is seen again, and well" and world.events[-1]["downtime"] == 0
    for look in (UNSEEN, UNSEEN, WELL, UNSEEN, UNSEEN):
        world.look(look)
    assert len(world.events) == 2


def test_what_was_started_by_others_has_its_grace_too():
    world = World()
    for _n in range(10):
        assert world.look(BAD._replace(is_fresh=True)) == "grace"
    assert world.memory.failures == 0


def test_a_boot_and_a_long_pause_begin_anew():
    for between in ({"look": BAD._replace(boot="b")}, {"look": BAD._replace(boot="a"), "after": 2 * 86400}):
        world = World()
        for _n in range(2):
            world.look(BAD._replace(boot="a"))
        assert world.look(**between) == "failing" and world.memory.failures == 1


def test_a_restart_that_makes_it_worse_is_critical():
    verdict = judge(Memory(), BAD, Limits(failures=1), T0)
    worse = restarted(verdict.memory, False, "2 checks fail, it was 1", True, T0 + 9)
    assert (worse.status, worse.events[0]["severity"], worse.events[0]["kind"]) == ("worse", "critical", "worse")
    assert judge(worse.memory, WELL, Limits(), T0 + 90).events[0]["kind"] == "recovered"


def test_a_clock_that_was_ahead_blocks_nothing():
    world = World(Limits(failures=1, max_restarts=2, within=600, backoff=10, grace=10))
    world.now += 365 * 86400
    world.look()
    world.now = T0
    for _n in range(3):
        world.look()
    assert len(world.restarts) == 2


LOOKS = st.sampled_from([BAD, BAD, BAD, WELL, UNSEEN, DISK, PARENT, BAD._replace(is_fresh=True)])


def halves(least, most):
    """Seconds that are added without rounding."""
    return st.integers(2 * least, 2 * most).map(lambda number: number / 2)


STEPS = st.lists(st.tuples(LOOKS, halves(1, 900)), max_size=120)
LIMITS = st.builds(
    Limits,
    failures=st.integers(1, 5),
    max_restarts=st.integers(0, 4),
    within=halves(10, 4000),
    backoff=halves(0, 300),
    grace=halves(0, 200),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(steps=STEPS, limits=LIMITS, helps=st.booleans())
def test_what_holds_whatever_is_seen(steps, limits, helps):
    world = World(limits, helps)
    counted, open_, critical, gave_up = 0, False, 0, False
    for look, after in steps:
        seen, restarts = len(world.events), len(world.restarts)
        last = world.restarts[-1] if world.restarts else None
        before = copy.deepcopy(world.memory)
        status = world.look(look, after)
        if look.well:
            counted, gave_up, critical = 0, False, 0
        elif look.well is False and status != "grace":
            counted += 1
        if len(world.restarts) > restarts:
            assert look.well is False and look.obstacle is None and not look.is_fresh and not gave_up
            assert counted >= limits.failures
            assert last is None or world.now - last >= limits.grace
            assert not before.attempts or world.now - last >= min(limits.backoff, limits.within)
            counted = 0
        gave_up = gave_up or status == "given_up"
        for event in world.events[seen:]:
            assert (event["status"] == "resolved") == (event["kind"] == "recovered")
            assert event["downtime"] >= 0 and (event["status"] == "firing" or open_)
            open_ = event["status"] == "firing"
            critical += event["kind"] == "given_up"
        assert critical <= 1
    for at in world.restarts:
        assert len([other for other in world.restarts if at <= other <= at + limits.within]) <= limits.max_restarts


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(steps=st.lists(st.tuples(LOOKS, st.floats(-1e6, 1e6)), max_size=60))
def test_a_clock_that_jumps_breaks_nothing(steps):
    world = World()
    for look, after in steps:
        assert world.look(look, after) in {"healthy", "unknown", "grace", "failing", "waiting", "restart", "given_up", "disk", "dependency"}
        assert len(world.memory.restarts) <= world.limits.max_restarts
        assert all(at <= world.now for at in world.memory.restarts)


def test_the_memory_given_is_not_changed():
    memory = Memory(failures=2, since=T0, seen=T0, restarts=[T0 - 100])
    kept = copy.deepcopy(memory)
    guard.judge(memory, BAD, Limits(), T0 + 60)
    guard.judge(memory, WELL, Limits(), T0 + 60)
    assert memory == kept
