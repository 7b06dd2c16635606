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

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import Bounds, Matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import TEXT_LIMIT, Result, new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check, Expectation

LONGEST_JUDGEMENT, _SHORTEST_JUDGEMENT = 2.0, 0.05
_MOST_ITEMS = 50
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BULKY = ("json", "headers")

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
    :arg baselines: {expression: {low, high, n}} for dynamic thresholds
    :arg seconds: how long it may take
    """
    result = _blank(check, attempts, duration_ms)
    try:
        if isinstance(outcome, CannotSee):
            raise outcome
        with _time_limit(max(_SHORTEST_JUDGEMENT, min(seconds, LONGEST_JUDGEMENT))):
            _decide(check, outcome, result, baselines or {})
    except CannotSee as exc:
        result.update(status="unknown", summary=exc.sentence, reason=exc.reason)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as exc:
        # Whatever a host made up to be looked at, it is one result and not the end of the run.
        result.update(status="unknown", summary=f"what was seen could not be judged: {type(exc).__name__}", reason="expression")
    return result


def _blank(check: Check, attempts: int, duration_ms: float) -> Result:
    return new_result(
        check.name,
        probe=check.probe,
        severity=check.severity,
        attempts=attempts,
        duration_ms=round(duration_ms, 3),
        labels=dict(check.labels),
        annotations=dict(check.annotations),
        weight=check.weight,
        depends_on=list(check.depends_on),
    )


def _decide(check: Check, outcome: dict[str, t.Any] | ProbeFailure, result: Result, baselines: Baselines) -> None:
    failure = outcome if isinstance(outcome, ProbeFailure) else None
    seen = dict.fromkeys(check.spec.observes)
    seen.update(outcome.observed if isinstance(outcome, ProbeFailure) else outcome)
    values = {path.text: path.get(seen) for path, _matcher in check.expect + check.warn}
    failed = _failed(check.expect, values, baselines)
    missed = _failed(check.warn, values, baselines)
    result["metrics"] = _metrics(seen, values)
    result["observed"] = dict(result["metrics"], **{key: cut(value) for key, value in values.items()})
    blind = [] if failure else _blind(check.expect, failed) or _blind(check.warn, missed)
    if blind:
        raise CannotSee(f"{', '.join(blind)} cannot be told on this host", "unseen")
    if failed or (failure and not _was_expected(check.expect + check.warn, failure)):
        reason = failure.reason if failure else _root(failed)
        result.update(status="critical", failed=failed, reason=reason, summary=failure.sentence if failure else _sentence(failed))
    elif missed:
        result.update(status="warning", severity="warning", failed=missed, reason=_root(missed), summary=_sentence(missed))
    else:
        result.update(status="ok", summary=_all_well(check, values, baselines))


def _failed(expectations: list[Expectation], values: dict[str, t.Any], baselines: Baselines) -> list[dict[str, t.Any]]:
    return [
        {"path": path.text, "expected": matcher.shown(baselines.get(path.text)), "observed": cut(values[path.text])}
        for path, matcher in expectations
        if not matcher.test(values[path.text], baselines.get(path.text))
    ]


def _blind(expectations: list[Expectation], failed: list[dict[str, t.Any]]) -> list[str]:
    """The observed keys that the probe cannot tell here (they are null), if nothing else is wrong; a value that is not there is no bad one."""
    matchers = {path.text: (path, matcher) for path, matcher in expectations}
    for item in failed:
        path, matcher = matchers[item["path"]]
        if item["observed"] is not None or path.text != path.root or path.root == "json" or matcher.kind == "exists":
            return []
    return [item["path"] for item in failed]


def _was_expected(expectations: list[Expectation], failure: ProbeFailure) -> bool:
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


def _all_well(check: Check, values: dict[str, t.Any], baselines: Baselines) -> str:
    parts = [f"{path.text} is {show(values[path.text])}" for path, _matcher in check.expect[:3]]
    learning = [path.text for path, matcher in check.expect + check.warn if matcher.dynamic and path.text not in baselines]
    if learning:
        parts.append(f"the baseline of {', '.join(learning)} is still being learned")
    return "; ".join(parts) or "seen"


def show(value: t.Any) -> str:
    """A value as it reads in a sentence, at most about 100 characters."""
    if value is None:
        return "not known"
    if isinstance(value, float):
        return f"{round(value, 2):g}" if abs(value) < 1e6 else f"{value:.0f}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
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
        nested = value if isinstance(value, dict) and key not in _BULKY else {}
        for name, number in [(key, value)] + [(f"{key}.{inner}", item) for inner, item in nested.items()]:
            if _is_number(number):
                metrics[name] = number
    metrics.update({key: value for key, value in values.items() if _is_number(value)})
    return metrics


def _is_number(value: t.Any) -> bool:
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
