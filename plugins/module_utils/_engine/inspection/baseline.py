# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thresholds that come from what was seen before."""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.detector import LEARNED_FROM, Detector

_FLOORS = (("_percent", 2.0), ("_ms", 5.0))
_SMALLEST_FLOOR = 1e-3
# Counted since the interface, or the group of processes, was made: only their increase tells anything.
_COUNTERS = re.compile(r"[rt]x_(bytes|packets|errors|dropped)|oom_kills")

Point = t.Tuple[float, float, bool]


class Baseline:
    """What is usual for one expression of one check, learned look by look.

    Of counters the increase per second is followed; where one begins anew, that look tells nothing.
    """

    def __init__(self, name: str, state: t.Mapping[str, t.Any] | None = None) -> None:
        known = state or {}
        self._counts = _COUNTERS.fullmatch(name) is not None
        self._last: tuple[float, float] | None = tuple(known["last"]) if known.get("last") else None  # type: ignore[assignment]
        floor = max([floor for suffix, floor in _FLOORS if name.endswith(suffix)], default=_SMALLEST_FLOOR)
        self._detector = Detector(floor, known.get("detector"))

    def state(self) -> dict[str, t.Any]:
        """What to remember, as JSON."""
        return {"last": self._last, "detector": self._detector.state()}

    def learn(self, points: t.Iterable[Point]) -> None:
        """Take looks in, as (seconds since the epoch, value, whether it may count as usual)."""
        for at, value, may_learn in points:
            if not math.isfinite(value):
                continue
            before, self._last = self._last, (at, value)
            if not self._counts:
                self._detector.look(at, value, may_learn)
            elif before and at > before[0] and value >= before[1]:
                self._detector.look(at, (value - before[1]) / (at - before[0]), may_learn)

    def bounds(self, now: float) -> dict[str, float]:
        """{low, high, n, usual, spread} for a look now; {n, needs} alone while too few values are known."""
        found = self._detector.bounds(now)
        if found is None:
            return {"n": self._detector.count, "needs": LEARNED_FROM}
        numbers = dict(zip(("low", "high"), found))
        numbers["usual"], numbers["spread"] = self._detector.usual(now)
        if self._counts and self._last:
            at, value = self._last
            seconds = max(now - at, 1.0)
            numbers = {name: number * seconds for name, number in numbers.items()}
            # a counter that began anew is low, and nothing to tell
            numbers.update(low=0.0, high=value + numbers["high"], usual=value + numbers["usual"])
        return {**{name: float(f"{number:.9g}") for name, number in numbers.items()}, "n": self._detector.count}
