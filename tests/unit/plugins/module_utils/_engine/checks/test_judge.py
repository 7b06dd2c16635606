# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.judge import cut, judge, show
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import RESULT_KEYS
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import parse_checks

SPEC = ProbeSpec("http", {"url": Option()}, {"status": "", "json": "", "body": "", "connected": "", "phases": ""}, {"status": "< 400"})


def check(**more):
    return parse_checks([dict({"name": "a", "http": {}}, **more)], lambda name: SPEC, ["http"])[0]


def test_ok_reads_as_a_sentence_and_keeps_numbers():
    result = judge(check(), {"status": 200, "latency_ms": 12.5, "body": "x", "phases": {"dns": 1.5}}, 1, 12.6)
    assert (result["status"], result["summary"], result["reason"]) == ("ok", "status is 200", None)
    assert result["metrics"] == {"status": 200, "latency_ms": 12.5, "phases.dns": 1.5}
    assert result["observed"] == {"status": 200, "latency_ms": 12.5, "phases.dns": 1.5}
    assert tuple(sorted(result)) == tuple(sorted(RESULT_KEYS))


def test_a_failed_expect_is_critical_whatever_its_severity():
    result = judge(check(severity="info", expect={"status": 200, "json.status": "up"}), {"status": 503, "json": {"status": "down"}}, 2, 1)
    assert (result["status"], result["severity"], result["reason"], result["attempts"]) == ("critical", "info", "status", 2)
    assert result["summary"] == "status is 503, expected 200; json.status is down, expected up"
    assert result["failed"][1] == {"path": "json.status", "expected": "up", "observed": "down"}


def test_a_failed_warn_is_a_warning():
    result = judge(check(severity="critical", warn={"latency_ms": "< 10"}), {"status": 200, "latency_ms": 12}, 1, 12)
    assert (result["status"], result["severity"], result["summary"]) == ("warning", "warning", "latency_ms is 12, expected < 10")


def test_a_failure_says_why_and_may_be_expected():
    failure = ProbeFailure("refused", "the connection was refused", {"connected": False})
    assert judge(check(), failure, 1, 1)["summary"] == "the connection was refused"
    assert judge(check(expect={"connected": False}), failure, 1, 1)["status"] == "ok"
    assert judge(check(expect={"status": "absent"}), failure, 1, 1)["status"] == "ok"
    assert judge(check(expect={}, warn={"connected": False}), failure, 1, 1)["status"] == "ok"
    assert judge(check(expect={}, warn={"connected": True}), failure, 1, 1)["status"] == "warning"


@pytest.mark.parametrize("expect", [{}, {"status": "!= 500"}, {"latency_ms": "< 5000"}, {"body": "!~ error"}])
def test_a_failure_that_nobody_speaks_of_is_critical(expect):
    assert judge(check(expect=expect), ProbeFailure("timeout", "no answer"), 1, 1)["status"] == "critical"


def test_what_cannot_be_seen_is_unknown():
    result = judge(check(), CannotSee("grant read access to /x", "permission"), 1, 1)
    assert (result["status"], result["reason"], result["summary"]) == ("unknown", "permission", "grant read access to /x")


def test_a_dynamic_threshold_shows_its_number():
    limits = {"latency_ms": {"low": 1.0, "high": 20.0, "n": 30}}
    mine = check(expect={"latency_ms": "< baseline"})
    assert judge(mine, {"latency_ms": 25}, 1, 1, limits)["summary"] == "latency_ms is 25, expected < baseline (20)"
    limits["latency_ms"].update(usual=10.5, spread=2.0)
    result = judge(mine, {"latency_ms": 25}, 1, 1, limits)
    assert result["summary"] == "latency_ms is 25, expected < baseline (20; usually 10.5 ± 2 in 30 values)"
    assert result["failed"][0]["observed"] == 25
    assert judge(mine, {"latency_ms": 12}, 1, 1, limits)["summary"] == "latency_ms is 12, usually 10.5 ± 2 in 30 values"


def test_while_the_history_is_too_short_an_expect_is_unknown_and_a_warn_holds():
    limits = {"latency_ms": {"n": 3, "needs": 12}}
    result = judge(check(expect={"latency_ms": "< baseline"}), {"latency_ms": 25}, 1, 1, limits)
    assert (result["status"], result["reason"]) == ("unknown", "learning")
    assert result["summary"] == "history too short: 3 of 12 values of latency_ms"
    assert result["metrics"] == {"latency_ms": 25}
    result = judge(check(warn={"latency_ms": "< baseline"}), {"status": 200, "latency_ms": 25}, 1, 1, limits)
    assert result["status"] == "ok"
    assert result["summary"] == "status is 200; what is usual is still being learned: 3 of 12 values of latency_ms"
    assert judge(check(expect={"latency_ms": "> baseline"}), {"latency_ms": 2}, 1, 1)["summary"] == (
        "history too short: no value of latency_ms is kept"
    )


def test_a_hard_limit_is_judged_while_learning_and_after():
    mine = check(expect={"latency_ms": "< baseline"}, warn={"status": "< 400"})
    assert judge(mine, {"status": 500, "latency_ms": 25}, 1, 1)["status"] == "warning"
    mine = check(expect={"status": "< baseline"})
    for limits in (None, {"status": {"low": 0, "high": 900, "n": 40}}):
        result = judge(mine, {"status": 500, "latency_ms": 25}, 1, 1, limits)
        assert (result["status"], result["summary"]) == ("critical", "status is 500, expected < 400")
    assert judge(mine, {"status": 200, "latency_ms": 25}, 1, 1, {"status": {"low": 0, "high": 900, "n": 40}})["summary"] == "status is 200"


def test_a_regular_expression_that_backtracks_for_ever_is_stopped():
    result = judge(check(expect={"body": "~ ^(a+)+$"}), {"body": "a" * 60 + "b"}, 1, 1)
    assert (result["status"], result["reason"]) == ("unknown", "expression")


def test_judging_works_off_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(judge(check(), {"status": 200}, 1, 1)["status"]))
    thread.start()
    thread.join(10)
    assert found == ["ok"]


def test_strings_are_cut_at_1_kib_and_never_inside_a_character():
    assert len(cut("ü" * 5000).encode()) <= 1024
    assert cut("ü" * 5000).endswith("...")
    assert len(cut(list(range(1000)))) == 50
    assert show("x" * 500) == "x" * 97 + "..."
    assert show(None) == "not known"


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308, "9" * 5000, float("nan"), {"deep": [[[[]]]]}, "\ud800", "\0"])
@pytest.mark.parametrize("matcher", ["< 5", "== 5", "between 1 2", "~ x", "contains x", "in [1]", "exists", 5, True])
def test_odd_values_are_judged(value, matcher):
    result = judge(check(expect={"status": matcher}), {"status": value}, 1, 1)
    assert result["status"] in ("ok", "critical")


def test_what_a_probe_cannot_tell_here_is_unknown():
    result = judge(check(expect={"connected": True}), {"status": 200, "connected": None}, 1, 1)
    assert (result["status"], result["summary"]) == ("unknown", "connected cannot be told on this host")
    assert judge(check(warn={"connected": True}), {"status": 200, "connected": None}, 1, 1)["status"] == "unknown"
    assert judge(check(expect={"connected": True, "status": 200}), {"status": 500, "connected": None}, 1, 1)["status"] == "critical"
    assert judge(check(expect={"json.a": 1}), {"status": 200, "json": None}, 1, 1)["status"] == "critical"
    assert judge(check(expect={"connected": "absent"}), {"status": 200, "connected": None}, 1, 1)["status"] == "ok"
    assert judge(check(expect={"connected": "exists"}), {"status": 200, "connected": None}, 1, 1)["status"] == "critical"
