# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scoring that measures the baselines, on small series whose scores can be told by hand."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

PLACE = Path(__file__).resolve().parents[1] / "bench" / "baseline" / "nab_score.py"


@pytest.fixture(name="scorer", scope="module")
def fixture_scorer():
    spec = importlib.util.spec_from_file_location("nab_score", PLACE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["nab_score"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["nab_score"]


def stamp(row):
    return f"2026-01-{1 + row // 24:02} {row % 24:02}:00:00"


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    """A series of 200 hours with a window from row 100 to 109, and one of 100 without."""
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    for name, rows in (("one", 200), ("two", 100)):
        lines = ["timestamp,value", *(f"{stamp(row)},{row}" for row in range(rows))]
        (tmp_path / "data" / "a" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    windows = {"a/one.csv": [[f"{stamp(100)}.000000", f"{stamp(109)}.000000"]], "a/two.csv": []}
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    return tmp_path


def scored(scorer, folder, alarms, profile="standard"):
    every = scorer.read(folder)
    scores = [[float((series.name, row) in alarms) for row in range(len(series.values))] for series in every]
    return scorer.Board(every).best(scores, profile)


def test_an_alarm_at_the_begin_of_every_window_is_all_there_is(scorer, folder):
    best = scored(scorer, folder, {("a/one.csv", 100)})
    assert (best.score, best.hit, best.windows, best.events) == (100.0, 1, 1, 0)


@pytest.mark.parametrize("profile", ["standard", "reward_low_FP_rate", "reward_low_FN_rate"])
def test_whoever_never_alarms_scores_nothing(scorer, folder, profile):
    assert scored(scorer, folder, set(), profile).score == 0.0
    # nor does one that would be better off silent
    assert scored(scorer, folder, {("a/two.csv", 50)}, profile).score == 0.0


def test_a_later_alarm_is_worth_less(scorer, folder):
    scores = [scored(scorer, folder, {("a/one.csv", row)}).score for row in range(100, 110)]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == 10
    edge = (2 / (1 + math.exp(-0.5)) - 1) / (2 / (1 + math.exp(-5.0)) - 1)
    assert scores[-1] == round(100 * (edge + 1) / 2, 2)


def test_a_false_alarm_costs_its_weight(scorer, folder):
    alarms = {("a/one.csv", 100), ("a/two.csv", 50), ("a/two.csv", 51), ("a/two.csv", 90)}
    best = scored(scorer, folder, alarms)
    assert (best.score, best.events) == (round(100 * (1 - 3 * 0.11 + 1) / 2, 2), 2)
    assert scored(scorer, folder, alarms, "reward_low_FP_rate").score == round(100 * (1 - 3 * 0.22 + 1) / 2, 2)
    assert scored(scorer, folder, alarms, "reward_low_FN_rate").score == round(100 * (1 - 3 * 0.11 + 2) / 3, 2)


def test_what_a_threshold_gains_is_what_its_score_is_made_of(scorer, folder):
    every = scorer.read(folder)
    board = scorer.Board(every)
    scores = [[(row * 37 % 101) / 101 for row in range(len(series.values))] for series in every]
    for profile in scorer.PROFILES:
        best = board.best(scores, profile)
        gained, most = board.gained(scores, profile, best.threshold)
        assert round(100 * gained / most, 2) == best.score
        assert all(board.gained(scores, profile, number / 101)[0] <= gained + 1e-9 for number in range(101))


def test_alarms_while_learning_count_neither_way(scorer, folder):
    alarms = {("a/one.csv", 100), ("a/one.csv", 5), ("a/one.csv", 29), ("a/two.csv", 14)}
    assert scored(scorer, folder, alarms).score == 100.0


def test_a_folder_of_another_kind_is_refused_with_a_sentence(scorer, folder, tmp_path_factory):
    with pytest.raises(scorer.DataError, match=r"combined_windows\.json cannot be read"):
        scorer.read(tmp_path_factory.mktemp("empty"))
    (folder / "data" / "a" / "three.csv").write_text("when,what\n1,2\n")
    with pytest.raises(scorer.DataError, match=r"does not name a/three\.csv"):
        scorer.read(folder)
