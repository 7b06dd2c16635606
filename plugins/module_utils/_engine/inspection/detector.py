# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a number is unusual for its own past: a few running statistics, fed value by value."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.novelty import Novelty

ALARM = 1.1
# The least distance from the centre, in spreads, that can be an alarm; below it an incident is over.
CALM = 3.0
LEARNED_FROM = 12
# An alarm silences what is no more unusual for so many seconds.
_COOL_DOWN = 12 * 3600.0
# An incident that lasted so many looks and seconds is the new normal.
_PATIENCE, _PATIENCE_SECONDS = 24, 12 * 3600.0
# A pause is a gap when it is so many times the usual one, and longer than an hour.
_GAP, _SHORTEST_GAP = 12.0, 3600.0
# How many values the running statistics reach back, about.
_MEMORY, _HOUR_MEMORY = 4000, 200
_RECENT = 48
_FEWEST = 10
_SHARE = 0.01  # of the centre: no spread is smaller
# The hour of the day counts once two days and so many differences from it were seen.
_HOURS_AFTER, _HOURS_SPAN = 200, 2 * 86400.0
_NATS = 8.0
_PLACES = 120
_FARTHEST = 1e6
_GREATEST = 1e100  # its square is still a number


class Scale:
    """Centre and spread of what it was fed, old values counting less and less."""

    __slots__ = ("count", "mean", "variance")

    def __init__(self, state: t.Sequence[float] = (0, 0.0, 0.0)) -> None:
        self.count, self.mean, self.variance = int(state[0]), state[1], state[2]

    def learn(self, value: float, memory: int = _MEMORY) -> None:
        self.count += 1
        share = max(1.0 / self.count, 1.0 / memory)
        step = value - self.mean
        self.mean += share * step
        self.variance = (1.0 - share) * (self.variance + share * step * step)

    def spread(self, floor: float) -> float:
        return max(math.sqrt(self.variance), _SHARE * abs(self.mean), floor)

    def hurry(self, count: int) -> None:
        """Follow as if no more than ``count`` values had been seen."""
        self.count = min(self.count, count)

    def state(self) -> list[float]:
        return [self.count, self.mean, self.variance]


class Rarity:
    """How rare a distance is among those that were met, in nats; while few were met, a tail as 1 / (1 + z^3) is assumed."""

    __slots__ = ("counts", "total")

    def __init__(self, state: t.Mapping[str, int] | None = None) -> None:
        self.counts = [0] * _PLACES
        for place, count in (state or {}).items():
            self.counts[int(place)] = int(count)
        self.total = sum(self.counts)

    def of(self, distance: float) -> float:
        beyond = sum(self.counts[_place(distance) :])
        return math.log((self.total + 2.0) / (beyond + 2.0 / (1.0 + min(distance, _FARTHEST) ** 3)))

    def learn(self, distance: float) -> None:
        self.counts[_place(distance)] += 1
        self.total += 1
        if self.total >= _MEMORY:
            self.counts = [count // 2 for count in self.counts]
            self.total = sum(self.counts)

    def state(self) -> dict[str, int]:
        return {str(place): count for place, count in enumerate(self.counts) if count}


def _place(distance: float) -> int:
    return min(_PLACES - 1, int(8.0 * math.log2(1.0 + min(distance, _FARTHEST))))


class Detector:
    """One series: ``look`` at each value as it comes, or ask ``bounds`` for what would be an alarm next.

    A value scores by how rare its distance from what is usual is (at this hour of the day, once that is known), by whether the last values
    are spread as never before, and by how far the mean of the last 48 lies from such means; :data:`ALARM` and more is an alarm. For half
    a day after it only what is more unusual is one, so that an incident is told once. From the values of an incident centre and spread
    learn nothing; when they have lasted for half a day they are what is usual now.
    """

    def __init__(self, floor: float = 1e-9, state: t.Mapping[str, t.Any] | None = None) -> None:
        """
        :arg floor: no spread is smaller
        :arg state: of another, as ``state`` gave it
        """
        known = state or {}
        nothing = (0, 0.0, 0.0)
        self._floor = floor
        self._level, self._means, self._aside = (Scale(known.get(name, nothing)) for name in ("level", "means", "aside"))
        self._hours = {int(hour): Scale(scale) for hour, scale in known.get("hours", {}).items()}
        self._rarity, self._novelty = Rarity(known.get("rarity")), Novelty(known.get("novelty"))
        self._recent: list[float] = list(known.get("recent", ()))
        self._peaks: list[tuple[float, float]] = [(peak[0], peak[1]) for peak in known.get("peaks", ())]
        self._first, self._last, self._pause = known.get("times", (0.0, 0.0, 0.0))
        self._incident, self._began = known.get("incident", (0, 0.0))

    def state(self) -> dict[str, t.Any]:
        """What to remember, as JSON; some kilobytes."""
        return {
            "level": self._level.state(),
            "means": self._means.state(),
            "aside": self._aside.state(),
            "hours": {str(hour): scale.state() for hour, scale in self._hours.items()},
            "rarity": self._rarity.state(),
            "novelty": self._novelty.state(),
            "recent": self._recent,
            "peaks": self._peaks,
            "times": (self._first, self._last, self._pause),
            "incident": (self._incident, self._began),
        }

    @property
    def count(self) -> int:
        """How many values were learned."""
        return self._level.count

    @property
    def in_incident(self) -> bool:
        return self._incident > 0

    def usual(self, at: float) -> tuple[float, float]:
        """(centre, spread) of the values at this time of the day."""
        spread = self._level.spread(self._floor)
        hour = self._hours.get(_hour(at))
        if hour is not None and self._aside.count > _HOURS_AFTER and at - self._first > _HOURS_SPAN:
            # a quarter of the whole spread at least: some hours know only a few days
            return hour.mean, max(math.sqrt(self._aside.variance), 0.25 * spread, self._floor)
        return self._level.mean, spread

    def look(self, at: float, value: float, learn: bool = True) -> float:
        """Take a value in (seconds since the epoch); returns its score, 0 where something as unusual was seen just before.

        :arg learn: False keeps it from counting as usual
        """
        value = max(-_GREATEST, min(value, _GREATEST))
        self._pass(at)
        distance, score = self._score(at, value)
        told = score if score > self._peak(at) else 0.0
        while self._peaks and self._peaks[-1][1] <= score:
            self._peaks.pop()
        self._peaks.append((at, score))
        self._follow(at, distance, told)
        self._novelty.learn(value)
        if self._level.count >= _FEWEST:
            self._rarity.learn(distance)
        self._recent.append(value)
        del self._recent[: -2 * _RECENT]
        if learn and not self._incident:
            self._learn(at, value)
        return told

    def bounds(self, at: float) -> tuple[float, float] | None:
        """(low, high) beyond which a value is an alarm now, or None while too few were seen; in an incident, where it would be over."""
        if self._level.count < LEARNED_FROM:
            return None
        centre, spread = self.usual(at)
        if self._incident:
            return centre - CALM * spread, centre + CALM * spread
        needed = max(ALARM, self._peak(at) + 1e-9)
        return self._edge(at, centre, -spread, needed), self._edge(at, centre, spread, needed)

    def _edge(self, at: float, centre: float, spread: float, needed: float) -> float:
        near, far = CALM, CALM
        while far < _FARTHEST and self._score(at, centre + far * spread)[1] < needed:
            near, far = far, far * 2.0
        while far > near * 1.01:
            middle = (near + far) / 2.0
            if self._score(at, centre + middle * spread)[1] < needed:
                near = middle
            else:
                far = middle
        return centre + far * spread

    def _score(self, at: float, value: float) -> tuple[float, float]:
        """(distance from what is usual in spreads, score)"""
        if self._level.count < _FEWEST:
            return 0.0, 0.0
        centre, spread = self.usual(at)
        distance = abs(value - centre) / spread
        score = (self._rarity.of(distance) + self._novelty.surprise(self._novelty.bin_of(value))) / _NATS
        if self._means.count > _RECENT and len(self._recent) >= _RECENT - 1:
            mean = (sum(self._recent[1 - _RECENT :]) + value) / _RECENT
            away = abs(mean - self._means.mean) / self._means.spread(self._floor)
            score += 0.5 * away / (away + 5.0)
        return distance, score

    def _pass(self, at: float) -> None:
        """Time goes on; over a gap, and when the clock is put back, there is nothing recent."""
        if not self._last:
            self._first = at
        else:
            pause = at - self._last
            if (self._pause and pause > max(_GAP * self._pause, _SHORTEST_GAP)) or pause < 0:
                self._recent = []
                self._novelty.restart()
            elif pause > 0:
                self._pause += (pause - self._pause) * (0.05 if self._pause else 1.0)
        self._last = at

    def _peak(self, at: float) -> float:
        while self._peaks and not 0 <= at - self._peaks[0][0] <= _COOL_DOWN:
            self._peaks.pop(0)
        return self._peaks[0][1] if self._peaks else 0.0

    def _follow(self, at: float, distance: float, told: float) -> None:
        if not self._incident:
            if told >= ALARM and distance >= CALM:
                self._incident, self._began = 1, at
            return
        self._incident += 1
        lasted = at - self._began
        if distance < CALM or lasted < 0:
            self._incident = 0
        elif self._incident > _PATIENCE and lasted >= _PATIENCE_SECONDS:
            self._incident = 0
            self._level.hurry(_PATIENCE)
            for hour in self._hours.values():
                hour.hurry(3)

    def _learn(self, at: float, value: float) -> None:
        self._level.learn(value)
        hour = self._hours.setdefault(_hour(at), Scale())
        if hour.count:
            self._aside.count += 1
            self._aside.variance += max(1.0 / self._aside.count, 1.0 / _MEMORY) * ((value - hour.mean) ** 2 - self._aside.variance)
        hour.learn(value, _HOUR_MEMORY)
        if len(self._recent) == 2 * _RECENT:
            self._means.learn(sum(self._recent[:_RECENT]) / _RECENT)


def _hour(at: float) -> int:
    return int(at // 3600) % 24
