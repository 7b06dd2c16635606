# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the recent values are spread as they have been spread before."""

from __future__ import annotations

import math
import typing as t

WINDOW = 52
_BINS = 8
_ALL = _BINS + 3
# Where the chi-squared distribution with 8 degrees of freedom leaves 1%.
_CRITICAL = 20.09
_AGREES = _CRITICAL / 2 / WINDOW
# Windows that are remembered; those that were not met for longest are forgotten first.
_MOST = 64
_NEVER = -1e9
_LOG = [0.0] + [math.log(count / WINDOW) for count in range(1, WINDOW + 1)]


class Novelty:
    """Compares how the last 52 values fall into bins with what was met before, by relative entropy.

    Source: Wang et al., Statistical Techniques for Online Anomaly Detection in Data Centers (IM 2011), figure 1. Unlike there, the bins
    come from the past alone: eight between the least and the greatest value so far, one beyond either of them.
    """

    def __init__(self, state: t.Mapping[str, t.Any] | None = None) -> None:
        state = state or {}
        self._low: float | None = state.get("low")
        self._high: float | None = state.get("high")
        self._window: list[int] = list(state.get("window", ()))
        self._met: list[list[int]] = [list(counts) for counts in state.get("met", ())]
        self._windows: int = state.get("windows", 0)
        self._new: int = state.get("new", 0)
        self._counts = [0] * _ALL
        for place in self._window:
            self._counts[place] += 1
        self._logs = [_logs(counts) for counts in self._met]

    def state(self) -> dict[str, t.Any]:
        """What to remember, as JSON."""
        values = (self._low, self._high, self._window, self._met, self._windows, self._new)
        return dict(zip(("low", "high", "window", "met", "windows", "new"), values))

    def restart(self) -> None:
        """Values on both sides of a gap are no window."""
        self._window, self._counts = [], [0] * _ALL

    def bin_of(self, value: float) -> int:
        """Which of the bins the value falls into now."""
        if self._low is None or self._high is None:
            return 1
        if value < self._low:
            return 0
        if value > self._high:
            return _ALL - 1
        width = (self._high - self._low) / _BINS
        return 1 + (min(math.ceil((value - self._low) / width), _BINS) if width > 0 else 0)

    def surprise(self, place: int) -> float:
        """0 where the window that ends in this bin was met before, else the more (in nats) the rarer news has been."""
        if len(self._window) < WINDOW - 1 or not self._met:
            return 0.0
        return 0.0 if self._agreeing(self._next(place)) >= 0 else math.log((self._windows + 2) / (self._new + 1))

    def learn(self, value: float) -> None:
        """Take the value in; a new window is remembered."""
        place = self.bin_of(value)
        self._low = value if self._low is None else min(self._low, value)
        self._high = value if self._high is None else max(self._high, value)
        self._counts = self._next(place)
        self._window.append(place)
        del self._window[:-WINDOW]
        if len(self._window) < WINDOW:
            return
        self._windows += 1
        found = self._agreeing(self._counts)
        if found < 0:
            self._new += 1
            self._met.insert(0, self._counts[:])
            self._logs.insert(0, _logs(self._counts))
            del self._met[_MOST:], self._logs[_MOST:]
        elif found:
            self._met.insert(0, self._met.pop(found))
            self._logs.insert(0, self._logs.pop(found))

    def _next(self, place: int) -> list[int]:
        counts = self._counts[:]
        counts[place] += 1
        if len(self._window) >= WINDOW:
            counts[self._window[0]] -= 1
        return counts

    def _agreeing(self, counts: list[int]) -> int:
        shares = [(place, count / WINDOW) for place, count in enumerate(counts) if count]
        most = sum(share * _LOG[counts[place]] for place, share in shares) - _AGREES
        for number, logs in enumerate(self._logs):
            rest = most
            for place, share in shares:
                rest -= share * logs[place]
            if rest < 0:
                return number
        return -1


def _logs(counts: t.Sequence[int]) -> list[float]:
    return [_LOG[count] if count else _NEVER for count in counts]
