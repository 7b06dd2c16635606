# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thresholds that come from what was seen before."""

from __future__ import annotations

import statistics
import typing as t

# Twelve looks are a working day of hourly runs; below that the spread says nothing.
LEARNED_FROM = 12
WINDOW = 500
_WIDTH = 3.0
_FLOORS = (("_percent", 2.0), ("_ms", 5.0))


def bounds(numbers: t.Sequence[float], name: str = "") -> dict[str, float] | None:
    """The range in which the next number is no surprise, or None while there are too few.

    Centre and spread are median and median absolute deviation, so that an outage among the numbers does not widen the range; the
    spread has a floor (1% of the centre, and by unit), as a number that never moved would else alarm at its first stir.

    :return: {low, high, n}
    """
    window = list(numbers)[-WINDOW:]
    if len(window) < LEARNED_FROM:
        return None
    centre = statistics.median(window)
    deviation = 1.4826 * statistics.median([abs(number - centre) for number in window])
    quartiles = statistics.quantiles(window, n=4)
    spread = max(deviation, (quartiles[2] - quartiles[0]) / 1.349, abs(centre) * 0.01, _floor(name))
    return {"low": round(centre - _WIDTH * spread, 6), "high": round(centre + _WIDTH * spread, 6), "n": len(window)}


def _floor(name: str) -> float:
    return max([floor for suffix, floor in _FLOORS if name.endswith(suffix)], default=1e-3)
