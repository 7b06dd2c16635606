# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the detector behind `"< baseline"` is, on labelled series: the Numenta Anomaly Benchmark, or others in its layout.

    python3 tests/bench/baseline/bench.py --data DIR [--check] [--events] [--json FILE]

DIR is a checkout of github.com/numenta/NAB, or holds data/**/*.csv (timestamp,value) and labels/combined_windows.json. `--check` scores
results that NAB publishes, too, and fails when they come out otherwise. The collection is the checkout that this file is in, the one below
VIGIL_TEST_COLLECTIONS, or whatever Python finds. Exit code 1: an aim was missed (the aims are for NAB), 2: DIR is of no use.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import typing as t
from pathlib import Path

# the directory that ansible_collections/vigil/ops is in
sys.path.insert(0, os.environ.get("VIGIL_TEST_COLLECTIONS", os.path.abspath(os.path.join(__file__, *[os.pardir] * 7))))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import nab_score
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.detector import ALARM, Detector

# https://github.com/numenta/NAB, results/final_results.json
PUBLISHED = {"windowedGaussian": (39.65, 20.87, 47.41), "skyline": (35.69, 27.08, 44.48), "null": (0.0, 0.0, 0.0)}
AIMS = {"standard": 60.0, "reward_low_FP_rate": 50.0}
FEWEST_FALSE = 0.08


def detect(every: t.Sequence[nab_score.Series]) -> tuple[list[list[float]], dict[str, float]]:
    """The scores of each row, and what it took: {microseconds, state_bytes, bounds_ms}."""
    scores, rows, sizes, spent = [], 0, 0, 0.0
    began = time.process_time()
    for series in every:
        detector = Detector()
        scores.append([detector.look(at, value) for at, value in zip(series.times, series.values)])
        rows += len(series.values)
        before = time.process_time()
        detector.bounds(series.times[-1])
        spent += time.process_time() - before
        sizes += len(json.dumps(detector.state()))
    used = time.process_time() - began - spent
    cost = {"us_per_value": used / rows * 1e6, "bounds_ms": spent / len(every) * 1e3, "state_bytes": sizes / len(every)}
    return scores, {name: round(number, 2) for name, number in cost.items()}


def report(board: nab_score.Board, scores: t.Sequence[t.Sequence[float]]) -> dict[str, t.Any]:
    """{profile: outcome}, printed as a table."""
    print(f"{'profile':20} {'score':>6} {'threshold':>9} {'windows hit':>12} {'false alarms':>13} {'a series and day':>17}")
    found = {}
    for profile in nab_score.PROFILES:
        best = board.best(scores, profile)
        found[profile] = best._asdict()
        share = f"{best.hit}/{best.windows}"
        print(f"{profile:20} {best.score:6.2f} {best.threshold:9.3f} {share:>12} {best.events:13} {best.per_series_day:17.3f}")
    return found


def crossed(every: t.Sequence[nab_score.Series], scores: t.Sequence[t.Sequence[float]], profile: str) -> float:
    """The score when the threshold for each half of the series is the one that is best for the other half."""
    halves = [(nab_score.Board(every[part::2]), scores[part::2]) for part in (0, 1)]
    gain = most = 0.0
    for (board, own), (other, others) in (halves, halves[::-1]):
        gained, possible = board.gained(own, profile, other.best(others, profile).threshold)
        gain, most = gain + gained, most + possible
    return round(100 * gain / most, 2) if most else 0.0


def verify(folder: Path, every: t.Sequence[nab_score.Series], board: nab_score.Board) -> list[str]:
    """What differs between published scores and those that come out here."""
    wrong = []
    for detector, expected in PUBLISHED.items():
        scores = nab_score.published(folder, detector, every)
        found = tuple(board.best(scores, profile).score for profile in nab_score.PROFILES)
        print(f"{detector:20} {found} published {expected}")
        if found != expected:
            wrong.append(f"{detector} scores {found}, published are {expected}")
    return wrong


def main(argv: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="score published results as well")
    parser.add_argument("--events", action="store_true", help="list the alarms at the threshold that ships")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    try:
        every = nab_score.read(args.data)
        board = nab_score.Board(every)
        missed = verify(args.data, every, board) if args.check else []
    except nab_score.DataError as exc:
        print(exc, file=sys.stderr)
        return 2
    scores, cost = detect(every)
    found = report(board, scores)
    halves = {profile: crossed(every, scores, profile) for profile in nab_score.PROFILES}
    print("with the threshold that is best for the other half of the series: " + ", ".join(f"{halves[name]:.2f}" for name in halves))
    shipped = board.at(scores, ALARM)
    print(f"at {ALARM}, which ships: {shipped.hit}/{shipped.windows} windows hit, {shipped.per_series_day} false alarms a series and day")
    print(f"{cost['us_per_value']} us of CPU a value, {cost['bounds_ms']} ms for bounds, {cost['state_bytes']:.0f} bytes of state a series")
    if args.events:
        for series, numbers in zip(every, scores):
            rows = [row for row, score in enumerate(numbers) if score >= ALARM and row >= series.probation]
            print(f"{series.name}: " + ", ".join(f"{row}{'+' if board.is_hit(series, row) else ''}" for row in rows))
    if args.json:
        args.json.write_text(
            json.dumps({"profiles": found, "crossed": halves, "shipped": shipped._asdict(), "cost": cost}, indent=2) + "\n",
            encoding="utf-8",
        )
    missed += [f"{name} is below {aim}" for name, aim in AIMS.items() if found[name]["score"] < aim]
    if found["reward_low_FP_rate"]["per_series_day"] > FEWEST_FALSE:
        missed.append(f"more than {FEWEST_FALSE} false alarms a series and day at the threshold of reward_low_FP_rate")
    print("\n".join(f"missed: {one}" for one in missed) or "all aims met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
