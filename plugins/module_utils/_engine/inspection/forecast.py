# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast something is used up."""

from __future__ import annotations

import statistics
import typing as t

# Fewer looks, or less time between them, tell no trend.
FEWEST, _SHORTEST = 8, 3600.0
# Days that a trend looks back.
_REACH = 7 * 86400.0
_MOST = 60
# The last looks are a trend of their own where nearly all of them fell.
_LATEST, _FALLING = 12, 0.75

Points = t.Sequence[t.Tuple[float, float]]


def loss(points: Points, now: float) -> float | None:
    """How much less of something there is per hour, 0 where it does not get less, None while too little is known.

    The median of the slopes between all pairs of looks (Theil-Sen), so that a file that came and went changes nothing; of the last week,
    or of the last looks where these show a faster and steady loss.

    :arg points: (seconds since the epoch, what is left), oldest first
    """
    recent = [point for point in points if now - _REACH <= point[0] <= now]
    if len(recent) < FEWEST or recent[-1][0] - recent[0][0] < _SHORTEST:
        return None
    rates = [_slope(_thinned(recent))]
    latest = recent[-_LATEST:]
    steps = [after[1] < before[1] for before, after in zip(latest, latest[1:])]
    if sum(steps) >= _FALLING * len(steps):
        rates.append(_slope(latest))
    return max(0.0, -min(rates) * 3600.0)


def _thinned(points: Points) -> Points:
    """At most 60 of them, the newest included: the number of pairs grows with the square."""
    step = -(-len(points) // _MOST)
    return points[::-1][::step][::-1]


def _slope(points: Points) -> float:
    """Per second. Source: P. K. Sen, Estimates of the Regression Coefficient Based on Kendall's Tau (1968)."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(points)
        for later in points[place + 1 :]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0
