# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guarding services end to end in the engine: real programs, a real store; and how their events become alerts."""

from __future__ import annotations

import shutil

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard_events, guard_hands, outcomes
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_eyes import Eyes, Seen, look_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_request import Refusal, read
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.guard import Memory
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store
from ansible_collections.vigil.ops.plugins.module_utils._runner import run as run_program

UNIT = {"active": True, "state": "active", "sub": "running", "load": "loaded", "restarts": 0, "active_seconds": 500.0, "main_pid": 7}


@pytest.fixture
def store(store_url):
    with open_store(store_url) as opened:
        yield opened


@pytest.fixture
def options(tmp_path):
    up = str(tmp_path / "up")
    return {
        "service": "vigil-test-unit",
        "checks": [{"name": "up", "file": {"path": up}}],
        "failures": 2,
        "verify_timeout": "1s",
        "grace": 0,
        "backoff": 0,
        "restart_command": [shutil.which("touch"), up],
    }


def once(store, options, **more):
    return flow.guard(read(options), store, run_program, False, **more)


def test_two_bad_looks_a_restart_and_well_again(store, options):
    assert [once(store, options)["status"] for _run in range(2)] == ["failing", "healthy"]
    result = once(store, options)
    assert (result["changed"], result["status"], [event["kind"] for event in result["events"]]) == (
        False,
        "healthy",
        ["restart", "recovered"],
    )
    assert once(store, options, batch=result["batch"])["events"] == []


def test_a_recheck_counts_a_look_once(store, options):
    options["failures"] = 3
    for _run in range(4):
        found = once(store, options, heal=False) if _run == 0 else once(store, options, recheck=True)
        assert (found["status"], found["guards"][0]["failures"]) == ("failing", 1)


def test_in_check_mode_a_recheck_finds_due_what_the_look_before_found_due(store, options):
    """heal --check looks twice, and keeps neither look."""
    options["failures"] = 3
    for _run in range(2):
        once(store, options)
    for recheck in (False, True, True):
        found = flow.guard(read(options), store, run_program, True, heal=recheck, recheck=recheck)
        assert (found["status"], found["guards"][0]["failures"], found["changed"]) == ("due", 3, recheck)


def test_a_failing_command_is_named(store, options):
    options.update(failures=1, restart_command=["/nonexistent/ctl"])
    found = once(store, options)
    assert found["status"] == "restarted" and "/nonexistent/ctl cannot be run" in found["message"]


@pytest.mark.parametrize(
    ("unit", "memory", "well", "is_fresh"),
    [
        ({}, Memory(), True, False),
        ({"restarts": 5}, Memory(counter=2), True, False),  # but it has been running for long
        ({"restarts": 5, "active_seconds": 1.0}, Memory(counter=2), False, False),
        ({"restarts": 4, "active_seconds": 1.0}, Memory(counter=2), True, False),
        ({"restarts": 4, "active_seconds": 1.0}, Memory(counter=4, loops=True), False, False),
        ({"restarts": 4, "active_seconds": 99.0}, Memory(counter=4, loops=True), True, False),
        ({"restarts": 4, "active_seconds": 1.0}, Memory(counter=900), False, False),  # counted anew since a restart by hand
        ({"restarts": 4, "active_seconds": 1.0, "looping": True}, Memory(), False, False),  # a loop that the first look sees
        ({"restarts": 4, "active_seconds": 1.0, "looping": True}, Memory(counter=4), True, False),  # not since the last look
        ({"active": False, "state": "activating", "sub": "start"}, Memory(), False, True),
        ({"active": False, "state": "activating", "sub": "start"}, Memory(since=0.0), False, False),  # for ever
        ({"active": False, "state": "activating", "sub": "auto-restart", "restarts": 3}, Memory(), False, False),
        ({"active": False, "state": "failed", "active_seconds": None}, Memory(), False, False),
    ],
)
def test_what_systemd_says_without_checks(unit, memory, well, is_fresh):
    seen = Seen({**UNIT, **unit}, "x", "x")
    look = look_of(read({"service": "a"})[0], seen, memory, None, "", 1000.0)
    assert (look.well, look.is_fresh) == (well, is_fresh)


@pytest.mark.parametrize(
    ("unit", "wrong"),
    [
        ({}, 1),
        ({"active": False, "state": "failed"}, 2),
        ({"restarts": 2, "active_seconds": 0.2}, 2),  # it runs between two ends of a loop
        ({"restarts": 2, "active_seconds": 60.0}, 1),
        (None, 1),
    ],
)
def test_how_much_is_wrong_does_not_hang_on_the_moment_of_a_loop(unit, wrong):
    """Or a restart would seem to have made it worse, where the looks before and after it met other moments."""
    seen = Seen(None if unit is None else {**UNIT, **unit}, results=[{"status": "critical"}], has_checks=True)
    assert seen.wrong == wrong


def test_obstacles_of_units():
    plain, command = read({"service": "a"})[0], read({"service": "a", "restart_command": ["x"], "paths": []})[0]
    eyes = Eyes(None, False)
    for unit, kinds in (
        ({"load": "masked"}, ("masked", "masked")),
        ({"load": "not-found"}, ("missing", None)),
        ({"load": "bad-setting"}, ("missing", "missing")),
        (None, ("manager", None)),
    ):
        seen = Seen(None if unit is None else {**UNIT, **unit}, blind="no systemd")
        found = [eyes.obstacle(guard, seen) for guard in (plain, command)]
        assert tuple(one.kind if one else None for one in found) == kinds


@pytest.mark.parametrize(
    ("state", "probe", "reasons", "kind"),
    [
        ({}, "http", ["dns", "dns"], "dependency"),
        ({}, "http", ["dns", "refused"], None),
        ({}, "dns", ["dns"], None),  # it may be the name server that is guarded
        ({"active": False, "state": "failed"}, "http", ["dns"], None),
    ],
)
def test_nothing_is_restarted_for_a_name_that_is_not_resolved(state, probe, reasons, kind):
    results = [{"name": "x", "status": "critical", "probe": probe, "reason": reason, "summary": "s"} for reason in reasons]
    found = Eyes(None, False).obstacle(read({"service": "a", "paths": []})[0], Seen({**UNIT, **state}, results=results, has_checks=True))
    assert (found and found.kind) == kind


def test_what_starts_for_ever_has_no_time_when_it_is_given_none():
    seen = Seen({**UNIT, "active": False, "state": "activating", "sub": "start"}, "activating", "x")
    assert look_of(read({"service": "a", "grace": 0})[0], seen, Memory(), None, "", 1000.0).is_fresh is False


def test_who_may_not_restart_is_told_what_would_help():
    run = a_program("Failed to restart web.service: Access denied\n")
    assert guard_hands._carry_out(run, ["systemctl", "restart"], 1.0).endswith("Access denied; run with become")
    assert guard_hands._carry_out(a_program("Unit not found.\n"), ["systemctl"], 1.0) == "systemctl ended with 4: Unit not found."


def a_program(said):
    return lambda argv, timeout: (4, "", said)


def test_order_of_guards_and_what_each_says_for_itself():
    guards = read(
        {"failures": 5, "guards": ["c", {"service": "b", "depends_on": ["a.service"], "failures": 1}, {"service": "a", "depends_on": "c"}]}
    )
    assert [(one.service, one.limits.failures, one.parents) for one in guards] == [
        ("c", 5, []),
        ("a", 5, ["c.service"]),
        ("b", 1, ["a.service"]),
    ]
    other = read({"service": "a", "depends_on": ["z", {"name": "n", "tcp": {"host": "h", "port": 1}}]})[0]
    assert [check.probe for check in other.needs] == ["service", "tcp"] and other.parents == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "there is nothing to guard"),
        ({"guards": {"a": 1}}, "must be a list"),
        ({"guards": [{"checks": []}]}, "guard number 1"),
        ({"guards": [{"service": True}]}, "guard number 1 must be a mapping with a service"),
        ({"service": "a", "restart_command": [{"x": 1}]}, "restart_command must be a list"),
        ({"service": "a", "paths": ["var"]}, "absolute paths"),
        ({"service": "a", "verify_timeout": "0s"}, "verify_timeout is 0s; it must be from 1s"),
        ({"service": "a", "max_restarts": "x"}, "must be a whole number"),
        ({"service": "a", "depends_on": [1]}, "depends_on takes names"),
        ({"service": "-a; rm"}, "not the name of a unit"),
        ({"guards": [{"service": "a", "depends_on": ["a"]}]}, "circle"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(Refusal, match=words):
        read(options)


def outcome(*events, healthy=False, ledger="l", first=1):
    """What a host returned; events are (kind, seconds)."""
    usual = {"service": "web.service", "severity": "error", "message": "m", "since": 1000.0, "attempts": 1, "downtime": 5.0, "reason": ""}
    made = [
        {**usual, "kind": kind, "at": at, "status": "resolved" if kind == "recovered" else "firing", "number": number, "ledger": ledger}
        for number, (kind, at) in enumerate(events, first)
    ]
    guards = [{"unit": "web.service", "healthy": healthy}]
    return {"guards": guards, "events": made, "batch": "", "restarted": False, "receipt": ""}


@pytest.fixture
def tell(store):
    """tell(outcome, channels) -> [(status, channels)] of what is told."""

    def run(found, channels=("a",), now=2000.0):
        with store.unit() as unit:
            steps = outcomes.commit(unit, ("h", found, "vigil", now), [Route(channel) for channel in channels], lambda event: event, False)
        return [(step.event["status"], step.channels, step.event) for step in steps if step.event is not None and step.channels]

    return run


def test_an_alert_lasts_from_the_first_bad_look_to_the_end(tell):
    told = tell(outcome(("restart", 1060.0), ("recovered", 1065.0)))
    assert [one[0] for one in told] == ["firing", "resolved"]
    assert told[1][2]["starts_at"] == "1970-01-01T00:16:40Z" and told[1][2]["duration_seconds"] == 65.0
    assert told[0][2]["check"] == "service web"


def test_what_comes_again_is_told_once(tell):
    found = outcome(("restart", 1060.0), ("recovered", 1065.0))
    assert len(tell(found)) == 2 and tell(found) == []
    # a store that was begun anew counts from 1 again
    anew = outcome(("restart", 1700.0), ledger="new")
    anew["events"][0]["since"] = 1690.0
    assert [one[0] for one in tell(anew)] == ["firing"]


def test_other_channels_are_told_as_well_and_disturb_no_alert(tell):
    found = outcome(("restart", 1060.0), ("recovered", 1065.0), ("restart", 1500.0))
    found["events"][2]["since"] = 1490.0
    first = tell(found)
    other = tell(found, ("b",))
    assert [one[:2] for one in other] == [("firing", ("b",)), ("resolved", ("b",)), ("firing", ("b",))]
    assert [one[2]["alert_id"] for one in other] == [one[2]["alert_id"] for one in first]
    assert other[1][2]["duration_seconds"] == 5.0
    end = outcome(("recovered", 1600.0), first=4)
    assert [one[:2] for one in tell(end, ("a", "b"))] == [("resolved", ("a", "b"))]


def test_giving_up_raises_the_alert(tell):
    found = outcome(("restart", 1060.0), ("given_up", 1100.0))
    found["events"][1]["severity"] = "critical"
    assert [(one[0], one[2]["severity"]) for one in tell(found)] == [("firing", "error"), ("firing", "critical")]


def test_an_alert_whose_end_was_forgotten_is_over_when_it_is_seen_well(tell, store):
    tell(outcome(("restart", 1060.0)))
    assert [one[0] for one in tell(outcome(healthy=True))] == ["resolved"]
    assert tell(outcome(healthy=True)) == []
    with store.view() as unit:
        assert episodes.open_from(unit, guard_events.source_of("h")) == []
