# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import parse_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import trace_causes
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.score import CAP, coverage, score

SPEC = ProbeSpec("cpu", {}, {"used_percent": ""}, {})


def trace(edges, statuses):
    checks = parse_checks([{"name": name, "cpu": {}, "depends_on": edges.get(name, [])} for name in statuses], lambda name: SPEC, ["cpu"])
    results = [new_result(name, status=status, summary="it is so", reason="x") for name, status in statuses.items()]
    return trace_causes(checks, results), {result["name"]: (result["status"], result["caused_by"]) for result in results}


def test_children_of_a_failed_parent_are_skipped_and_name_the_topmost():
    causes, seen = trace(
        {"app": ["db"], "db": ["disk"], "page": ["app"]}, {"page": "critical", "app": "critical", "db": "critical", "disk": "critical"}
    )
    assert seen == {"page": ("skipped", "disk"), "app": ("skipped", "disk"), "db": ("skipped", "disk"), "disk": ("critical", None)}
    assert [(cause["name"], cause["affects"]) for cause in causes] == [("disk", ["page", "app", "db"])]


def test_a_parent_that_is_well_explains_nothing():
    causes, seen = trace({"app": ["db"], "db": ["disk"]}, {"app": "critical", "db": "ok", "disk": "critical"})
    assert seen["app"] == ("critical", None)
    assert causes == []


def test_a_warning_neither_explains_nor_is_skipped():
    _causes, seen = trace({"app": ["db"], "web": ["app"]}, {"db": "warning", "app": "critical", "web": "warning"})
    assert seen == {"db": ("warning", None), "app": ("critical", None), "web": ("warning", None)}


def test_a_child_that_is_well_stays_well_and_unknown_parents_count():
    _causes, seen = trace({"app": ["db"], "web": ["db"]}, {"db": "unknown", "app": "ok", "web": "unknown"})
    assert seen == {"db": ("unknown", None), "app": ("ok", None), "web": ("skipped", "db")}


def see(edges, results):
    checks = parse_checks(
        [{"name": one["name"], "cpu": {}, "depends_on": edges.get(one["name"], [])} for one in results], lambda name: SPEC, ["cpu"]
    )
    causes = trace_causes(checks, results)
    return causes, {one["name"]: (one["status"], one["caused_by"]) for one in results}


def test_a_parent_that_still_learns_explains_nothing():
    cpu = new_result("cpu", status="unknown", reason="learning", summary="s")
    causes, seen = see({"page": ["cpu"]}, [cpu, new_result("page", status="critical", summary="s")])
    assert causes == [] and seen["page"] == ("critical", None)
    # and what still learns says nothing of its own about a parent
    cpu = new_result("cpu", status="unknown", reason="learning", summary="s")
    _causes, seen = see({"cpu": ["db"]}, [cpu, new_result("db", status="critical", summary="s")])
    assert seen["cpu"] == ("unknown", None)


def test_what_could_not_be_seen_does_not_explain_what_was_seen_to_fail():
    for reason, expected in (("permission", None), ("missing_library", None), ("timeout", "db")):
        db = new_result("db", status="unknown", reason=reason, summary="s")
        results = [
            db,
            new_result("page", status="critical", summary="s"),
            new_result("job", status="unknown", reason="permission", summary="s"),
        ]
        _causes, seen = see({"page": ["db"], "job": ["db"]}, results)
        assert seen["page"][1] == expected and seen["job"] == ("skipped", "db")


def test_the_second_parent_explains_where_the_first_does_not():
    results = [
        new_result("a", status="unknown", reason="permission", summary="s"),
        new_result("b", status="critical", summary="s"),
        new_result("c", status="critical", summary="s"),
    ]
    assert see({"c": ["a", "b"]}, results)[1]["c"] == ("skipped", "b")


def test_a_suspect_is_as_severe_as_the_worst_that_fails_with_it():
    results = [
        new_result("p", status="critical", severity="info", summary="s"),
        new_result("c", status="critical", severity="critical", summary="s"),
        new_result("d", status="unknown", severity="critical", reason="permission", summary="s"),
    ]
    (cause,), _seen = see({"c": ["p"]}, results[:2])
    assert cause["severity"] == "critical"
    (cause,), _seen = see({"d": ["p"]}, [dict(results[0], status="critical"), results[2]])
    assert cause["severity"] == "warning"


def test_score_weighs_and_leaves_skipped_out():
    results = [
        new_result("a", status="ok", weight=3),
        new_result("b", status="warning", weight=1),
        new_result("c", status="critical", weight=1),
    ]
    assert score(results) == 70.0
    assert score([*results, new_result("d", status="skipped", weight=100)]) == 70.0
    assert score([new_result("a", status="unknown")]) == 0.0
    assert score([*results, new_result("e", status="unknown", reason="learning", weight=100)]) == 70.0
    assert score([]) is None


def test_a_failed_critical_check_holds_the_score_down():
    good = [new_result(str(number), status="ok") for number in range(99)]
    dead = new_result("database", status="critical", severity="critical")
    assert score([*good, dead]) == CAP
    assert score([*good, dict(dead, severity="error")]) == 99.0
    assert score([*good, dict(dead, status="ok")]) == 100.0
    assert score([*good, dict(dead, status="warning", severity="warning")]) == 99.5
    assert score([*good, dict(dead, weight=0)]) == 100.0
    # it fails along with its parent, or it is a command that check mode does not run
    assert score([*good, dict(dead, status="skipped", caused_by="disk")]) == CAP
    assert score([*good, dict(dead, status="skipped")]) == 100.0
    assert score([dead, dead]) == 0.0


def test_coverage_is_what_could_be_seen():
    results = [new_result("a", status="ok", weight=3), new_result("b", status="unknown"), new_result("c", status="skipped", weight=9)]
    assert coverage(results) == 75.0 and score(results) == 75.0
    assert coverage([]) is None and coverage([new_result("a", weight=0)]) is None


def test_scores_stay_in_their_bounds_and_better_is_never_less():
    chance = random.Random(11)
    order = ("critical", "unknown", "warning", "ok")
    for _round in range(500):
        results = [
            new_result(
                str(number),
                status=chance.choice(order),
                severity=chance.choice(("info", "error", "critical")),
                weight=chance.choice((0, 1, 2.5)),
            )
            for number in range(chance.randrange(1, 12))
        ]
        before = score(results)
        one = chance.choice(results)
        one["status"] = order[min(order.index(one["status"]) + 1, 3)]
        after = score(results)
        assert before is None or 0 <= before <= after <= 100
