# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scoring of the Numenta Anomaly Benchmark (NAB) 1.1, after its paper (arXiv 1510.03336) and its published results.

An alarm in a labelled window counts the more the earlier it is, only the best one of a window counts, and an alarm outside costs; a window
without one costs whole. The first 15% of a series (750 rows at most) are for learning. One threshold holds for all series and is the best
one for the profile. 0 is what a detector gets that never alarms, 100 one that alarms at the start of each window and nowhere else.
"""

from __future__ import annotations

import csv
import json
import math
import typing as t
from datetime import datetime
from pathlib import Path

# profile: (weight of an alarm outside of windows, weight of a window that was missed)
PROFILES = {"standard": (0.11, 1.0), "reward_low_FP_rate": (0.22, 1.0), "reward_low_FN_rate": (0.11, 2.0)}
_PROBATION, _LONGEST_PROBATION = 0.15, 750
# Alarms outside of windows that are no further apart are one false alarm to whoever is told.
_ONE_EVENT = 12


class DataError(ValueError):
    """A folder that is not laid out as NAB's; the message is a sentence."""


class Series(t.NamedTuple):
    """One file: its name below data/, seconds since the epoch, values, and windows as (first row, last row)."""

    name: str
    times: list[float]
    values: list[float]
    windows: list[tuple[int, int]]

    @property
    def probation(self) -> int:
        return int(min(math.floor(_PROBATION * len(self.values)), _LONGEST_PROBATION))

    @property
    def days(self) -> float:
        """Days that are scored."""
        return (self.times[-1] - self.times[min(self.probation, len(self.times) - 1)]) / 86400


class Outcome(t.NamedTuple):
    """What the best threshold gives; ``events`` are false alarms as they would be told."""

    score: float
    threshold: float
    hit: int
    windows: int
    events: int
    per_series_day: float


def read(folder: Path) -> list[Series]:
    """Every series of a folder with ``data/**/*.csv`` and ``labels/combined_windows.json``.

    :raises DataError: it is laid out in another way
    """
    labels = folder / "labels" / "combined_windows.json"
    try:
        windows = json.loads(labels.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DataError(f"{labels} cannot be read: {exc}") from exc
    found = []
    for path in sorted((folder / "data").rglob("*.csv")):
        name = path.relative_to(folder / "data").as_posix()
        if name not in windows:
            raise DataError(f"{labels} does not name {name}")
        found.append(_series(path, name, windows[name]))
    if not found:
        raise DataError(f"{folder / 'data'} holds no CSV file")
    return found


def _series(path: Path, name: str, windows: t.Sequence[t.Sequence[str]]) -> Series:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        times = [_time(row["timestamp"]) for row in rows]
        values = [float(row["value"]) for row in rows]
        # the first row of a time counts, as clocks that are put back make two of them
        place = {at: row for row, at in reversed(list(enumerate(times)))}
        return Series(name, times, values, [(place[_time(begin)], place[_time(end)]) for begin, end in windows])
    except (KeyError, ValueError, TypeError) as exc:
        raise DataError(f"{path} cannot be read: {exc}") from exc


def _time(text: str) -> float:
    return datetime.strptime(text.split(".")[0] + " +0000", "%Y-%m-%d %H:%M:%S %z").timestamp()


def _sigmoid(place: float) -> float:
    """1 well before, 0 at the right edge of a window, -1 well after; the window is one wide."""
    return -1.0 if place > 3.0 else 2.0 / (1.0 + math.exp(5.0 * place)) - 1.0


def _points(series: Series) -> list[tuple[int, float]]:
    """(number of the window or -1, what an alarm there is worth before weights) of each row."""
    best, points, last, width = _sigmoid(-1.0), [], None, 0.0
    windows = list(enumerate(series.windows))
    for row in range(len(series.values)):
        if windows and row > windows[0][1][1]:
            _number, (begin, last) = windows.pop(0)
            width = float(last - begin)
        if windows and row >= windows[0][1][0]:
            number, (begin, end) = windows[0]
            points.append((number, _sigmoid((row - end - 1) / float(end - begin + 1)) / best))
        else:
            points.append((-1, -1.0 if last is None else _sigmoid((row - last) / width)))
    return points


class Board:
    """Scores detectors on a set of series."""

    def __init__(self, every: t.Sequence[Series]) -> None:
        self.every = every
        self._points = [_points(series) for series in every]
        self.windows = sum(len(series.windows) for series in every)

    def best(self, scores: t.Sequence[t.Sequence[float]], profile: str) -> Outcome:
        """The outcome at the threshold that is best for the profile; ``scores`` has a number for each row of each series."""
        fp_weight, fn_weight = PROFILES[profile]
        rows = []
        for number, series in enumerate(self.every):
            points = self._points[number]
            rows += [(scores[number][row], number, *points[row]) for row in range(series.probation, len(points))]
        rows.sort(key=lambda row: -row[0])
        # windows that lie in the learning time cannot be hit and cost nothing
        scored = {(number, window) for _score, number, window, _worth in rows if window >= 0}
        total = -fn_weight * len(scored)
        hits: dict[tuple[int, int], float] = {}
        best, threshold = total, math.inf
        for index, (score, number, window, worth) in enumerate(rows):
            if window < 0:
                total += fp_weight * worth
            elif worth > hits.get((number, window), -fn_weight):
                total += worth - hits.get((number, window), -fn_weight)
                hits[number, window] = worth
            is_last_of_score = index + 1 == len(rows) or rows[index + 1][0] != score
            if is_last_of_score and total > best:
                best, threshold = total, score
        base = -fn_weight * self.windows
        # without a window there is nothing to hit, and every false alarm is one too many
        score = 100 * (best - base) / (self.windows - base) if self.windows else 0.0
        return self.at(scores, threshold)._replace(score=round(score, 2))

    def gained(self, scores: t.Sequence[t.Sequence[float]], profile: str, threshold: float) -> tuple[float, float]:
        """(what a given threshold gains over never alarming, what could be gained)"""
        fp_weight, fn_weight = PROFILES[profile]
        gain = 0.0
        for number, series in enumerate(self.every):
            hits: dict[int, float] = {}
            for row in range(series.probation, len(series.values)):
                window, worth = self._points[number][row]
                if scores[number][row] < threshold:
                    continue
                if window < 0:
                    gain += fp_weight * worth
                else:
                    hits[window] = max(worth, hits.get(window, -fn_weight))
            gain += sum(worth + fn_weight for worth in hits.values())
        return gain, self.windows * (1.0 + fn_weight)

    def is_hit(self, series: Series, row: int) -> bool:
        """Whether the row lies in a window."""
        return any(begin <= row <= end for begin, end in series.windows)

    def at(self, scores: t.Sequence[t.Sequence[float]], threshold: float) -> Outcome:
        """What the threshold gives; the score is left at 0."""
        hit, events, days = 0, 0, 0.0
        for number, series in enumerate(self.every):
            seen, last = set(), -math.inf
            for row in range(series.probation, len(series.values)):
                if scores[number][row] < threshold:
                    continue
                window = self._points[number][row][0]
                if window >= 0:
                    seen.add(window)
                else:
                    events += row - last > _ONE_EVENT
                    last = row
            hit += len(seen)
            days += series.days
        return Outcome(0.0, threshold, hit, self.windows, events, round(events / days, 3) if days else 0.0)


def published(folder: Path, detector: str, every: t.Sequence[Series]) -> list[list[float]]:
    """The scores that NAB keeps of a detector, below results/.

    :raises DataError: they are not there
    """
    found = []
    for series in every:
        group, _slash, name = series.name.rpartition("/")
        path = folder / "results" / detector / group / f"{detector}_{name}"
        try:
            with path.open(encoding="utf-8", newline="") as file:
                found.append([float(row["anomaly_score"]) for row in csv.DictReader(file)])
        except (OSError, KeyError, ValueError) as exc:
            raise DataError(f"{path} cannot be read: {exc}") from exc
    return found
