# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the history of a host gives its next look, with a real store."""

from __future__ import annotations

import random
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import from_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks, results
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

NOW = 1_763_692_800.0
HOUR = 3600.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture(name="clock")
def fixture_clock():
    return Clock()


@pytest.fixture(name="store")
def fixture_store(tmp_path, clock):
    with open_store(str(tmp_path / "state.db"), clock=clock) as store:
        yield store


def checks_of(expect=None, warn=None, probe="file", **options):
    options = options or {"path": "/x"}
    raw = {"name": "a", probe: options, "expect": expect or {}, "warn": warn or {}}
    return flow.read_checks([raw])


def keep(store, clock, values, step=300.0, status="ok", metric="size"):
    with store.unit() as unit:
        for value in values:
            clock.now += step
            result = new_result("a", status=status, metrics={metric: value})
            results.record(unit, "web1", {"results": [result], "summary": {}}, clock.now)


def noise(seed, count):
    chance = random.Random(seed)
    return [1000 + chance.gauss(0, 20) for _number in range(count)]


CHECKS = checks_of({"size": "< baseline"})


def known(store, checks=None):
    return flow.learned_baselines(store, "web1", checks or CHECKS)


def test_no_history_is_said_and_too_few_values_are_counted(store, clock):
    assert known(store) == {"a": {"size": {"n": 0, "needs": 12}}}
    keep(store, clock, noise(1, 5))
    assert known(store) == {"a": {"size": {"n": 5, "needs": 12}}}
    assert known(store, checks_of({"size": "< 5"})) == {}


def test_looks_are_learned_one_by_one_as_they_are_all_at_once(store, clock, tmp_path):
    with open_store(str(tmp_path / "other.db"), clock=clock) as other:
        for value in noise(2, 60):
            keep(store, clock, [value])
            clock.now -= 300
            keep(other, clock, [value])
            slowly = known(store)
        assert known(other) == slowly
    assert slowly["a"]["size"]["n"] == 60


def test_a_store_that_is_only_read_gives_the_same_and_keeps_nothing(store, clock, tmp_path):
    keep(store, clock, noise(3, 40))
    with open_store(str(tmp_path / "state.db"), clock=clock, read_only=True) as reader:
        seen = known(reader)
        assert seen["a"]["size"]["n"] == 40
    with store.view() as unit:
        assert unit.all("SELECT * FROM marks WHERE space LIKE 'baseline:%'") == []
    assert known(store) == seen
    with store.view() as unit:
        assert len(unit.all("SELECT * FROM marks WHERE space = 'baseline:web1'")) == 1


def test_what_broke_a_limit_is_not_usual_and_what_was_not_seen_is_left_out(store, clock):
    keep(store, clock, noise(4, 100))
    before = known(store)["a"]["size"]
    keep(store, clock, [1100.0] * 30, status="critical")
    keep(store, clock, [9999.0] * 30, status="unknown")
    keep(store, clock, [9999.0] * 30, status="skipped")
    after = known(store)["a"]["size"]
    assert after["n"] == before["n"]
    assert (after["usual"], after["spread"]) == (before["usual"], before["spread"])


def test_one_incident_begins_once_and_ends_when_it_is_over(store, clock):
    """Judged look by look as inspect does: values that stay high are critical from the first on, what follows is ok."""
    statuses = []
    for value in [*noise(5, 200), *[3000.0] * 10, *noise(6, 20)]:
        bounds = known(store)["a"]["size"]
        fails = "high" in bounds and value >= bounds["high"]
        keep(store, clock, [value], status="critical" if fails else "ok")
        statuses.append(fails)
    assert [place for place, fails in enumerate(statuses) if fails] == list(range(200, 210))


def test_a_new_level_is_told_once_and_is_usual_after_half_a_day(store, clock):
    statuses = []
    for value in [*noise(5, 200), *[value + 2000 for value in noise(6, 100)]]:
        bounds = known(store)["a"]["size"]
        fails = "high" in bounds and value >= bounds["high"]
        keep(store, clock, [value], step=HOUR, status="critical" if fails else "ok")
        statuses.append(fails)
    began = statuses.index(True)
    length = statuses[began:].index(False)
    assert began == 200 and 20 <= length <= 30
    assert not any(statuses[began + length :])


@pytest.mark.parametrize("damage", [5, "x", {}, {"form": 1}, {"form": 1, "last": 3, "state": {"detector": {"level": "x"}}}])
def test_what_was_remembered_and_is_damaged_is_learned_anew(store, clock, damage):
    keep(store, clock, noise(9, 50))
    before = known(store)
    with store.unit() as unit:
        marks.put(unit, "baseline:web1", "a\nsize", damage)
    assert known(store) == before


def test_given_baselines_hold_until_something_is_learned(store, clock):
    given = {"a": {"size": {"low": 1, "high": 2, "n": 3}, "age": {"low": 1, "high": 2, "n": 3}}, "b": {}}
    assert flow.learned_baselines(store, "web1", CHECKS, given) == given
    keep(store, clock, noise(9, 50))
    found = flow.learned_baselines(store, "web1", CHECKS, given)
    assert found["a"]["age"] == given["a"]["age"] and found["a"]["size"]["n"] == 50


def test_missing_and_odd_numbers_are_left_out(store, clock):
    keep(store, clock, noise(7, 20))
    keep(store, clock, [None, "text", float("nan"), True])
    assert known(store)["a"]["size"]["n"] == 20


def test_a_history_that_was_pruned_leaves_what_was_learned(store, clock):
    keep(store, clock, noise(8, 50))
    known(store)
    with store.unit() as unit:
        unit.execute("DELETE FROM results")
    assert known(store)["a"]["size"]["n"] == 50
    with store.unit() as unit:
        results.prune(unit, clock.now + 1)
        assert unit.all("SELECT * FROM marks WHERE space LIKE 'baseline:%'") == []


def test_a_disk_is_foreseen_and_null_before(store, clock, tmp_path):
    checks = checks_of(warn={"full_in_hours": "> 24"}, probe="disk", path=str(tmp_path))
    (result,) = flow.inspect(checks, baselines=known(store, checks))["results"]
    assert (result["status"], result["reason"]) == ("unknown", "learning")
    assert "history too short" in result["summary"]
    assert from_result(dict(result, name="a"), "vigil", "web1", NOW) is None
    free = result["metrics"]["free_bytes"]
    keep(store, clock, [free + 2**40 - number * free / 5 for number in range(60)], HOUR, metric="free_bytes")
    seen = known(store, checks)
    assert seen == {"a": {"full_in_hours": {"per_hour": pytest.approx(free / 5)}}}
    (result,) = flow.inspect(checks, baselines=seen)["results"]
    assert result["status"] == "warning"
    assert 4 < result["metrics"]["full_in_hours"] < 6


def test_a_disk_that_does_not_fill_is_far_from_full(store, clock, tmp_path):
    checks = checks_of(warn={"full_in_hours": "> 24"}, probe="disk", path=str(tmp_path))
    keep(store, clock, [5e9] * 20, HOUR, metric="free_bytes")
    (result,) = flow.inspect(checks, baselines=known(store, checks))["results"]
    assert (result["status"], result["metrics"]["full_in_hours"]) == ("ok", 8760.0)


def test_a_check_that_learns_is_told_to_nobody_and_confirms_nothing(store):
    checks = checks_of({"size": "< baseline"}, path=__file__)
    outcome = flow.inspect(checks, baselines=known(store, checks))
    (result,) = flow.keep(store, "web1", outcome, time.time(), checks)
    assert (result["status"], result["reason"], result["confirmed"]) == ("unknown", "learning", None)
    assert from_result(result, "vigil", "web1", NOW) is None


def test_it_is_learned_from_looks_that_were_unknown_for_want_of_it(store, clock, tmp_path):
    place = tmp_path / "file"
    place.write_bytes(b"x" * 1000)
    checks, statuses = checks_of({"size": "< baseline"}, path=str(place)), []
    for _number in range(13):
        clock.now += 300
        outcome = flow.inspect(checks, baselines=known(store, checks))
        (result,) = flow.keep(store, "web1", outcome, clock.now, checks)
        statuses.append(result["status"])
    assert statuses == ["unknown"] * 12 + ["ok"]
    place.write_bytes(b"x" * 5000)
    (result,) = flow.inspect(checks, baselines=known(store, checks))["results"]
    assert result["status"] == "critical"
