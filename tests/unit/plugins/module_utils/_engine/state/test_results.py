# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of an inspection, and what is filled in from the run before."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import budget
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import (
    check_key,
    new_result,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import (
    entries,
    marks,
    results,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import (
    open_store,
)

NOW = 1_763_692_800.0


@pytest.fixture
def store(store_url):
    with open_store(store_url, clock=lambda: NOW) as store:
        yield store


def run(*found, score=50.0):
    return {"results": list(found), "summary": {}, "score": score, "status": "warning", "changed": False}


def test_since_and_was(store):
    seen = []
    for minute, status in enumerate(["ok", "ok", "critical", "critical", "ok"]):
        with store.unit() as unit:
            seen += results.record(unit, "web1", run(new_result("disk", status=status)), NOW + 60 * minute)
    assert [result["was"] for result in seen] == [None, "ok", "ok", "critical", "critical"]
    assert [result["since"][11:16] for result in seen] == ["02:40", "02:40", "02:42", "02:42", "02:44"]


def test_the_given_outcome_is_not_changed(store):
    given = new_result("disk", status="ok")
    with store.unit() as unit:
        results.record(unit, "web1", run(given), NOW)
    assert given["since"] is None


def test_labels_are_identity(store):
    with store.unit() as unit:
        results.record(unit, "web1", run(new_result("disk", status="ok", labels={"path": "/"})), NOW)
        told = results.record(unit, "web1", run(new_result("disk", status="ok", labels={"path": "/var"})), NOW + 60)
        other = results.record(unit, "web2", run(new_result("disk", status="ok", labels={"path": "/"})), NOW + 60)
    assert told[0]["was"] is None
    assert other[0]["was"] is None


def test_series_are_of_sound_runs_only(store):
    key = check_key("cpu", {"a": "b"})
    with store.unit() as unit:
        for number, status in enumerate(["ok", "critical", "warning", "unknown", "ok"]):
            result = new_result(
                "cpu", status=status, labels={"a": "b"}, metrics={"used": float(number), "odd": "text", "nan": float("nan")}
            )
            results.record(unit, "web1", run(result), NOW + number)
        assert results.series(unit, "web1", key, "used", 10) == [0.0, 2.0, 4.0]
        assert results.series(unit, "web1", key, "used", 2) == [2.0, 4.0]
        assert results.series(unit, "web1", key, "none", 2) == []
        assert results.series(unit, "web9", key, "used", 2) == []


def test_scores(store):
    with store.unit() as unit:
        results.record(unit, "web1", run(score=10.0), NOW)
        results.record(unit, "web1", {"unreachable": True, "msg": "no route"}, NOW + 1)
        results.record(unit, "web1", {"failed": True, "msg": "boom"}, NOW + 2)
        results.record(unit, "web1", run(new_result("disk", status="ok"), score=90.0), NOW + 3)
        assert results.scores(unit, "web1") == [(NOW, 10.0), (NOW + 3, 90.0)]
        statuses = [row[0] for row in unit.all("SELECT status FROM runs ORDER BY id")]
    assert statuses == ["warning", "unreachable", "failed", "warning"]


def test_entries_of_results_and_changes(store):
    with store.unit() as unit:
        for minute, status in enumerate(["ok", "critical", "critical"]):
            results.record(unit, "web1", run(new_result("disk /", status=status), new_result("cpu_1", status="ok")), NOW + 60 * minute)
        everything = entries.entries(unit, "results")
        assert len(everything) == 6
        assert everything[0]["time"] == "2025-11-21T02:42:00Z"
        assert [entry["status"] for entry in entries.entries(unit, "changes")] == ["critical"]
        assert len(entries.entries(unit, "results", name="disk*")) == 3
        assert len(entries.entries(unit, "results", name="cpu?1")) == 3
        assert len(entries.entries(unit, "results", name="cpu_*")) == 3
        assert entries.entries(unit, "results", name="cpu%") == []
        assert len(entries.entries(unit, "results", name="web1", limit=2)) == 2
        assert len(entries.entries(unit, "results", since=NOW + 60)) == 4
        assert entries.entries(unit, "dead") == entries.entries(unit, "outbox") == entries.entries(unit, "events") == []
        with pytest.raises(ValueError, match="choose one of results"):
            entries.entries(unit, "nothing")


def test_marks_and_budget(store_url):
    now = [NOW]
    with open_store(store_url, clock=lambda: now[0]) as store:
        with store.unit() as unit:
            assert marks.get(unit, "dns", "zone", "default") == "default"
            marks.put(unit, "dns", "zone", {"serial": 1})
            marks.put(unit, "dns", "zone", {"serial": 2})
            assert marks.get(unit, "dns", "zone") == {"serial": 2}
        taken = []
        for second in range(180):
            now[0] = NOW + second
            with store.unit() as unit:
                if budget.take(unit, "robot", [(20, 60.0)]) == 0.0:
                    taken.append(second)
                elif second == 20:
                    assert budget.take(unit, "robot", [(20, 60.0)]) == pytest.approx(40.0 + budget._SLACK)
    for start in range(120):
        assert sum(1 for at in taken if start <= at < start + 60) <= 20
    assert len(taken) == 60


@pytest.mark.parametrize(
    ("name", "kept"),
    [("web\udcff", "web\\xff"), ("w\ud800", "w\\xed\\xa0\\x80"), ("w\udcffä\ud800", "w\\xffä\\xed\\xa0\\x80"), ("wäb", "wäb")],
)
def test_names_that_are_no_text(store_url, name, kept):
    found = new_result(name, status="ok", summary=name, labels={name: name}, metrics={name: 1})
    with open_store(store_url) as store, store.unit() as unit:
        for number in range(2):
            told = results.record(unit, name, {"results": [found], "score": 50.0, "status": "ok", "summary": {name: 1}}, NOW + number)
            assert told[0]["was"] == (None, "ok")[number]
        assert len(results.scores(unit, name)) == 2
        key = check_key(name, {name: name})
        assert len(entries.entries(unit, "results", name)) == 2
        assert results.series(unit, name, key, kept, 5) == [1.0, 1.0]
        assert entries.entries(unit, "results")[0]["host"] == kept
