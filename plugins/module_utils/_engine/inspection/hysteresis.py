# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hysteresis: a limit that was broken holds again only when it is kept by a margin."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.expectations import Expectation
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import Matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check


def tighten(checks: t.Iterable[Check], held: t.Mapping[str, t.Any]) -> None:
    """Narrow the limits that were broken in the last run, in place.

    :arg held: {check key: {expect: [expressions], warn: [expressions]}}, as ``confirm.settle`` remembers them
    """
    for check in checks:
        failed = held.get(check.key)
        if check.hysteresis is not None and isinstance(failed, dict):
            check.hold_to(
                [_narrowed(check, one, failed.get("expect")) for one in check.expect],
                [_narrowed(check, one, failed.get("warn")) for one in check.warn],
            )


def _narrowed(check: Check, expectation: Expectation, failed: t.Any) -> Expectation:
    path, matcher = expectation
    if not isinstance(failed, list) or path.text not in failed or matcher.dynamic or check.hysteresis is None:
        return expectation
    return path, narrowed(matcher, *check.hysteresis)


def narrowed(matcher: Matcher, margin: float, is_share: bool) -> Matcher:
    """The matcher as it holds again; one that compares no numbers stays as it is, and so does a range that would be empty.

    :arg margin: in the unit of what is observed, or percent of each limit
    """
    kind, operand = matcher.kind, matcher.operand
    if kind in ("<", "<="):
        return Matcher(kind, *_moved(matcher, kind, operand, -_amount(operand, margin, is_share)))
    if kind in (">", ">="):
        return Matcher(kind, *_moved(matcher, kind, operand, _amount(operand, margin, is_share)))
    if kind not in ("between", "range"):
        return matcher
    sign = -1 if kind == "range" and operand[2] else 1
    low = operand[0] + sign * _amount(operand[0], margin, is_share)
    high = operand[1] - sign * _amount(operand[1], margin, is_share)
    if low > high:
        return matcher
    return Matcher(kind, (low, high, *operand[2:]), f"{matcher.text} (after a failure {low:g} to {high:g})")


def _amount(limit: float, margin: float, is_share: bool) -> float:
    if limit in (float("inf"), float("-inf")):
        return 0.0
    return abs(limit) * margin / 100 if is_share else margin


def _moved(matcher: Matcher, kind: str, limit: float, by: float) -> tuple[float, str]:
    return limit + by, f"{matcher.text} (after a failure {kind} {limit + by:g})"
