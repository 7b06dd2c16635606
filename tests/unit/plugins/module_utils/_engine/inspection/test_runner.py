# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
import types

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import parse_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.runner import Runner

SPEC = ProbeSpec("act", {"say": Option("any"), "timeout": Option("duration")}, {"value": ""}, {"value": 1})


def run(checks, observe, timeout=30.0, concurrency=64, gather=None, baselines=None):
    probe = types.SimpleNamespace(observe=observe)
    if gather:
        probe.gather = gather
    parsed = parse_checks(checks, lambda name: SPEC, ["act"])
    context = Context(deadline=time.monotonic() + timeout)
    return Runner(parsed, lambda name: probe, context, concurrency, baselines or {}).run()


def many(count, **options):
    return [{"name": str(number), "act": dict({"say": number}, **options)} for number in range(count)]


def test_results_keep_the_order_of_the_checks():
    results = run(many(200), lambda options, ctx: {"value": 1}, concurrency=7)
    assert [result["name"] for result in results] == [str(number) for number in range(200)]
    assert {result["status"] for result in results} == {"ok"}


def test_checks_run_at_once_up_to_the_limit():
    gate, running, peak, lock = threading.Barrier(5, timeout=20), [0], [0], threading.Lock()

    def observe(options, ctx):
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        gate.wait()
        with lock:
            running[0] -= 1
        return {"value": 1}

    assert {result["status"] for result in run(many(20), observe, concurrency=5)} == {"ok"}
    assert peak[0] == 5


def test_retries_are_extra_attempts_before_a_verdict():
    seen = []

    def observe(options, ctx):
        seen.append(ctx.attempt)
        return {"value": 1 if ctx.attempt == 3 else 0}

    (result,) = run([{"name": "a", "act": {}, "retries": 2}], observe)
    assert (result["status"], result["attempts"], seen) == ("ok", 3, [1, 2, 3])
    (result,) = run([{"name": "a", "act": {}, "retries": 1}], lambda options, ctx: {"value": 0})
    assert (result["status"], result["attempts"]) == ("critical", 2)


def test_a_probe_that_hangs_is_unknown_and_does_not_hold_the_others():
    stop = threading.Event()

    def observe(options, ctx):
        if options["say"] == 0:
            stop.wait(60)
        return {"value": 1}

    try:
        results = run(many(5, timeout="100ms"), observe, timeout=40, concurrency=1)
    finally:
        stop.set()
    assert [result["status"] for result in results] == ["unknown", "ok", "ok", "ok", "ok"]
    assert results[0]["reason"] == "timeout"
    assert "did not come back within" in results[0]["summary"]


def test_without_a_single_thread_everything_is_looked_at_all_the_same(monkeypatch):
    """As on a host where the limit on processes is reached."""

    def refuse(self):
        raise RuntimeError("can't start new thread")

    def observe(options, ctx):
        if options["say"] == 1:
            threading.Thread(target=print).start()
        return {"value": 1 if options["say"] != 2 or ctx.attempt == 3 else 0}

    monkeypatch.setattr(threading.Thread, "start", refuse)
    results = run([*many(2), {"name": "2", "act": {"say": 2}, "retries": 2}], observe)
    assert [result["status"] for result in results] == ["ok", "unknown", "ok"]
    assert (results[1]["reason"], results[2]["attempts"]) == ("unseen", 3)
    assert results[1]["summary"] == "nothing more can be started: the limit on processes of this user, or of this host, is reached"


def test_the_time_of_the_run_ends_all():
    stop = threading.Event()
    begin = time.monotonic()

    def observe(options, ctx):
        stop.wait(60)
        return {"value": 1}

    try:
        results = run(many(4), observe, timeout=0.3, concurrency=2)
    finally:
        stop.set()
    assert time.monotonic() - begin < 30
    assert {(result["status"], result["reason"]) for result in results} == {("unknown", "timeout")}
    assert [result["attempts"] for result in results] == [1, 1, 0, 0]


def test_a_fault_of_a_probe_is_an_unknown_result_that_says_so():
    def observe(options, ctx):
        raise KeyError("oops")

    (result,) = run([{"name": "a", "act": {}}], observe)
    assert (result["status"], result["reason"]) == ("unknown", "internal")
    assert "KeyError" in result["summary"]


@pytest.mark.parametrize("fault", [CannotSee("no systemd", "unsupported"), RuntimeError("broken")])
def test_a_gather_that_fails_makes_its_checks_unknown(fault):
    def gather(options, ctx):
        raise fault

    results = run(many(3), lambda options, ctx: {"value": 1}, gather=gather)
    assert {result["status"] for result in results} == {"unknown"}


def test_gather_runs_once_before_any_thread():
    calls = []

    def gather(options, ctx):
        calls.append((len(options), threading.active_count(), threading.current_thread() is threading.main_thread()))
        ctx.shared["act"] = "left here"

    before = threading.active_count()
    results = run(many(3), lambda options, ctx: {"value": 1 if ctx.shared["act"] == "left here" else 0}, gather=gather)
    assert calls == [(3, before, True)]
    assert {result["status"] for result in results} == {"ok"}


def test_check_mode_skips_what_would_run_a_command():
    def observe(options, ctx):
        raise CannotSee("a command does not run in check mode", "check_mode")

    assert run([{"name": "a", "act": {}}], observe)[0]["status"] == "skipped"


def test_a_failure_is_judged_and_retried():
    def observe(options, ctx):
        if ctx.attempt == 1:
            raise ProbeFailure("refused", "refused")
        return {"value": 1}

    assert run([{"name": "a", "act": {}, "retries": 1}], observe)[0]["status"] == "ok"


def test_nothing_to_do_is_no_work():
    assert run([], lambda options, ctx: {}) == []


def test_a_verdict_is_kept_when_the_time_ends_before_the_last_retry():
    (result,) = run([{"name": "a", "act": {}, "retries": 100}], lambda options, ctx: {"value": 0}, timeout=1.5)
    assert (result["status"], result["attempts"] > 1) == ("critical", True)


def test_slow_judging_does_not_outlast_the_run():
    checks = [{"name": str(number), "act": {}, "expect": {"value": "~ ^(a+)+$"}} for number in range(20)]
    begin = time.monotonic()
    results = run(checks, lambda options, ctx: {"value": "a" * 60 + "b"}, timeout=3)
    assert time.monotonic() - begin < 15
    assert {result["status"] for result in results} == {"unknown"}
