# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what was seen to a verdict."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import threading
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.expectations import Expectation
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import Bounds, Matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, TEXT_LIMIT, Result, new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check

LONGEST_JUDGEMENT, _SHORTEST_JUDGEMENT = 2.0, 0.05
_MOST_ITEMS = 50
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NO_NUMBERS = (str, bool, type(None), dict, list)
_PLAIN = (bool, int, float, type(None))
_BULKY = ("json", "headers")
# Observed only where there is a history.
_FORECASTS = ("full_in_hours", "oom_kills_new")
_NO_LIMIT = contextlib.nullcontext()
_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode

Outcome = t.Union[t.Dict[str, t.Any], ProbeFailure, CannotSee]
Baselines = t.Mapping[str, Bounds]


def judge(
    check: Check,
    outcome: Outcome,
    attempts: int,
    duration_ms: float,
    baselines: Baselines | None = None,
    seconds: float = LONGEST_JUDGEMENT,
) -> Result:
    """The verdict on one check.

    :arg outcome: the observation, or the failure that the probe raised
    :arg baselines: {expression: {low, high, n}} for dynamic thresholds, with usual and spread for the summary; {n, needs} alone while too
        few values are known
    :arg seconds: how long it may take
    """
    result = _blank(check, attempts, duration_ms)
    try:
        if isinstance(outcome, CannotSee):
            raise outcome
        # only for these: to set an alarm costs as much as all the rest
        limit = _time_limit(max(_SHORTEST_JUDGEMENT, min(seconds, LONGEST_JUDGEMENT))) if check.judged.slow else _NO_LIMIT
        with limit:
            _decide(check, outcome, result, baselines or {})
    except CannotSee as exc:
        result.update(status="unknown", summary=exc.sentence, reason=exc.reason)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as exc:
        # Whatever a host made up to be looked at, it is one result and not the end of the run.
        result.update(status="unknown", summary=f"what was seen could not be judged: {type(exc).__name__}", reason="expression")
    return result


def _blank(check: Check, attempts: int, duration_ms: float) -> Result:
    result = new_result(check.name)
    result["probe"] = check.probe
    result["severity"] = check.severity
    result["attempts"] = attempts
    result["duration_ms"] = round(duration_ms, 3)
    result["weight"] = check.weight
    result["labels"].update(check.labels)
    result["annotations"].update(check.annotations)
    result["depends_on"] += check.depends_on
    return result


def _decide(check: Check, outcome: dict[str, t.Any] | ProbeFailure, result: Result, baselines: Baselines) -> None:
    failure = outcome if isinstance(outcome, ProbeFailure) else None
    seen = dict.fromkeys(check.spec.observes)
    seen.update(outcome.observed if isinstance(outcome, ProbeFailure) else outcome)
    judged = check.judged
    values = {path.text: path.get(seen) for path in judged.paths}
    dynamic = judged.dynamic
    failed = _failed(check.expect, values, baselines)
    missed = _failed(check.warn, values, baselines)
    result["metrics"] = metrics = _metrics(seen, values)
    observed: dict[str, t.Any] = dict(metrics)
    result["observed"] = observed
    for key, value in values.items():
        observed[key] = value if value.__class__ in _PLAIN else cut(value)
    blind = [] if failure or not (failed or missed) else _blind(check.expect, failed) or _blind(check.warn, missed)
    if blind:
        raise _unseen(blind)
    if failed or (failure and not _was_expected(check.expect + check.warn, failure)):
        reason = failure.reason if failure else _root(failed)
        result.update(status="critical", failed=failed, reason=reason, summary=failure.sentence if failure else _sentence(failed))
    elif missed:
        result.update(status="warning", severity="warning", failed=missed, reason=_root(missed), summary=_sentence(missed))
    elif dynamic and _learning(check.expect, baselines):
        raise CannotSee("history too short: " + ", ".join(_learning(check.expect, baselines)), LEARNING)
    else:
        result.update(status="ok", summary=_all_well(check, values, baselines, dynamic))


def _failed(expectations: t.Sequence[Expectation], values: dict[str, t.Any], baselines: Baselines) -> list[dict[str, t.Any]]:
    return [
        {"path": path.text, "expected": _shown(matcher, baselines.get(path.text)), "observed": cut(values[path.text])}
        for path, matcher in expectations
        if not matcher.test(values[path.text], _learned(baselines.get(path.text)))
    ]


def _learned(known: Bounds | None) -> Bounds | None:
    """The baseline; None while it is being learned."""
    return known if known and "high" in known and "low" in known else None


def _learning(expectations: t.Sequence[Expectation], baselines: Baselines) -> list[str]:
    """What is still being learned, and how far that is, such as ``3 of 12 values of size``."""
    young = {path.text: baselines.get(path.text) or {} for path, matcher in expectations if matcher.dynamic}
    return [
        f"{known.get('n', 0)} of {known['needs']} values of {path}" if "needs" in known else f"no value of {path} is kept"
        for path, known in young.items()
        if not _learned(known)
    ]


def _shown(matcher: Matcher, known: Bounds | None) -> str:
    """What was expected, such as ``< baseline (60; usually 20.5 ± 4 in 340 values)``."""
    known = _learned(known)
    text = matcher.shown(known)
    if not matcher.dynamic or not known or "usual" not in known:
        return text
    return f"{text[:-1]}; {_usual(known)})"


def _usual(known: Bounds) -> str:
    return f"usually {show(float(known['usual']))} ± {show(float(known.get('spread', 0)))} in {known['n']} values"


def _unseen(paths: list[str]) -> CannotSee:
    """A forecast that is not there yet is no fault of the host."""
    if all(path in _FORECASTS for path in paths):
        return CannotSee(f"history too short to tell {', '.join(paths)}", LEARNING)
    return CannotSee(f"{', '.join(paths)} cannot be told on this host", "unseen")


def _blind(expectations: t.Sequence[Expectation], failed: list[dict[str, t.Any]]) -> list[str]:
    """The observed keys that the probe cannot tell here (they are null), if nothing else is wrong; a value that is not there is no bad one."""
    matchers = {path.text: (path, matcher) for path, matcher in expectations} if failed else {}
    for item in failed:
        path, matcher = matchers[item["path"]]
        if item["observed"] is not None or path.text != path.root or path.root == "json" or matcher.kind == "exists":
            return []
    return [item["path"] for item in failed]


def _was_expected(expectations: t.Sequence[Expectation], failure: ProbeFailure) -> bool:
    """Whether the user asked for this very failure, as ``connected: false`` does; one that is not spoken of is critical."""
    return any(_speaks_of(path.root, matcher, failure) for path, matcher in expectations)


def _speaks_of(root: str | None, matcher: Matcher, failure: ProbeFailure) -> bool:
    if matcher.kind == "absent" or (matcher.kind == "literal" and matcher.operand is None):
        return True
    return root != "latency_ms" and failure.observed.get(root or "") is not None


def _root(failed: list[dict[str, t.Any]]) -> str:
    path = failed[0]["path"]
    return str(path).split(".", 1)[0].split("[", 1)[0]


def _sentence(failed: list[dict[str, t.Any]]) -> str:
    parts = [f"{item['path']} is {show(item['observed'])}, expected {item['expected']}" for item in failed]
    return "; ".join(parts)


def _all_well(check: Check, values: dict[str, t.Any], baselines: Baselines, dynamic: t.Collection[str]) -> str:
    parts = []
    for path in {path.text: None for path, _matcher in check.expect[:3]}:
        known = _learned(baselines.get(path)) if path in dynamic else None
        usual = f", {_usual(known)}" if known and "usual" in known else ""
        parts.append(f"{path} is {show(values[path])}{usual}")
    learning = _learning(check.warn, baselines) if dynamic else None
    if learning:
        parts.append("what is usual is still being learned: " + ", ".join(learning))
    return "; ".join(parts) or "seen"


def show(value: t.Any) -> str:
    """A value as it reads in a sentence, at most about 100 characters."""
    if value is None:
        return "not known"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{round(value, 2):g}" if abs(value) < 1e6 else f"{value:.0f}"
    text = value if isinstance(value, str) else str(value) if value.__class__ is int else _to_json(value)
    if len(text) <= 100 and text.isprintable() and " " not in (text[:1], text[-1:]) and "  " not in text:
        return text or "empty"
    text = _CONTROL.sub("\ufffd", " ".join(text.split())).encode("utf-8", "replace").decode("utf-8")
    return (text if len(text) <= 100 else text[:97] + "...") or "empty"


def cut(value: t.Any) -> t.Any:
    """A value small enough for a result: strings of at most 1 KiB, at most 50 items on each level."""
    if isinstance(value, str):
        data = value.encode("utf-8", "replace")
        return data.decode("utf-8") if len(data) <= TEXT_LIMIT else data[: TEXT_LIMIT - 3].decode("utf-8", "ignore") + "..."
    if isinstance(value, dict):
        return {cut(str(key)): cut(item) for key, item in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, (list, tuple)):
        return [cut(item) for item in list(value)[:_MOST_ITEMS]]
    return value


def _metrics(seen: dict[str, t.Any], values: dict[str, t.Any]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for key, value in seen.items():
        kind = value.__class__
        if kind is int or (kind is float and value - value == 0):
            metrics[key] = value
        elif kind is dict and key not in _BULKY:
            for name, number in value.items():
                if _is_number(number):
                    metrics[f"{key}.{name}"] = number
    for key, value in values.items():
        if key not in seen and _is_number(value):
            metrics[key] = value
    return metrics


def _is_number(value: t.Any) -> bool:
    if value.__class__ in _NO_NUMBERS:
        return False
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value - value == 0


@contextlib.contextmanager
def _time_limit(seconds: float) -> t.Iterator[None]:
    """Stop a regular expression that backtracks for ever: it holds the interpreter, so only a signal gets through."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signum: int, _frame: t.Any) -> None:
        raise CannotSee(f"an expression took longer than {seconds:g} s on what was seen; write a simpler one", "expression")

    before = signal.signal(signal.SIGALRM, stop)
    left, _interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
        signal.signal(signal.SIGALRM, before)
