# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two numbers for a host: how well it is, and how much of it could be seen."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, Result

_WORTH = {"ok": 1.0, "warning": 0.5}
# No more than this while a check of severity critical fails, however many others are well.
CAP = 49.0


def score(results: t.Sequence[Result]) -> float | None:
    """0..100 over the weights: ok counts whole, a warning half, all else nothing; skipped ones are left out, and those that still learn what is usual.

    At most CAP while a check of severity critical fails. None when nothing has a weight.
    """
    earned = total = 0.0
    for result in results:
        if result["status"] != "skipped" and result["reason"] != LEARNING:
            total += _weight(result)
            earned += _weight(result) * _WORTH.get(result["status"], 0.0)
    if not total:
        return None
    reached = round(100 * earned / total, 1)
    return min(reached, CAP) if is_capped(results) else reached


def is_capped(results: t.Iterable[Result]) -> bool:
    """Whether a check of severity critical fails: by itself, or along with another one that explains it."""
    return any(
        result["severity"] == "critical"
        and _weight(result) > 0
        and (result["status"] == "critical" or (result["status"] == "skipped" and bool(result["caused_by"])))
        for result in results
    )


def coverage(results: t.Sequence[Result]) -> float | None:
    """How much of what was asked could be seen, 0..100 over the weights; skipped ones are left out. None when nothing has a weight."""
    seen = total = 0.0
    for result in results:
        if result["status"] != "skipped":
            total += _weight(result)
            seen += _weight(result) * (result["status"] != "unknown")
    return round(100 * seen / total, 1) if total else None


def _weight(result: Result) -> float:
    weight = result.get("weight")
    return 1.0 if weight is None else float(weight)
