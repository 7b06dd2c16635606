# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random

from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.baseline import Baseline
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.forecast import FEWEST, loss

START = 1_700_000_000.0
HOUR = 3600.0


def learned(values, name="", step=300.0, baseline=None, start=START):
    baseline = baseline or Baseline(name)
    baseline.learn([(start + place * step, value, True) for place, value in enumerate(values)])
    return baseline


def test_a_baseline_needs_enough_and_says_how_many_there_are():
    assert learned([5.0] * 11).bounds(START + 1e4) == {"n": 11, "needs": 12}
    known = learned([5.0] * 12).bounds(START + 1e4)
    assert known["n"] == 12 and known["usual"] == 5.0 and known["low"] < 5.0 < known["high"]


def test_an_outage_among_the_values_does_not_widen_it():
    chance = random.Random(7)
    steady = [50 + chance.gauss(0, 2) for _number in range(400)]
    usual, shaken = (learned(values).bounds(START + 3e5) for values in (steady, steady[:200] + [500.0] * 5 + steady[200:]))
    assert abs(usual["spread"] - shaken["spread"]) < 0.5
    assert 54 < usual["high"] < 75 and 25 < usual["low"] < 46


def test_a_number_that_never_moved_has_room_to_stir():
    assert learned([10.0] * 50, "used_percent").bounds(START + 2e4)["high"] >= 16.0
    assert learned([0] * 50).bounds(START + 2e4)["high"] > 0
    assert learned([1000.0] * 50).bounds(START + 2e4)["high"] >= 1030.0


def test_of_a_counter_the_increase_counts():
    chance, values, total = random.Random(3), [], 0.0
    for _number in range(300):
        total += 1000 * 300 * chance.uniform(0.9, 1.1)
        values.append(total)
    baseline = learned(values, "rx_bytes")
    soon, later = baseline.bounds(START + 300 * 300), baseline.bounds(START + 600 * 300)
    assert total < soon["usual"] < soon["high"] < total + 10 * 300_000
    assert later["high"] > soon["high"]
    # the same as a plain number would always be higher than ever
    assert learned(values).bounds(START + 300 * 300)["high"] > 0


def test_a_counter_that_begins_anew_is_survived():
    values = [float(number * 3_000_000) for number in range(1, 200)]
    baseline = learned(values, "tx_bytes")
    before = baseline.bounds(START + 199 * 300)["spread"]
    baseline = learned([5000.0, 3_005_000.0], "tx_bytes", baseline=baseline, start=START + 199 * 300)
    known = baseline.bounds(START + 201 * 300)
    assert known["low"] == 0.0 and 3_005_000 < known["high"] < 30_000_000
    assert abs(known["spread"] - before) < before


def test_what_is_no_number_is_left_out():
    assert learned([5.0, float("nan"), float("inf")] * 20).bounds(START + 2e4)["n"] == 20


def test_it_is_remembered_as_json():
    values = [float(number % 17) for number in range(300)]
    first = learned(values)
    second = Baseline("", json.loads(json.dumps(first.state())))
    assert second.bounds(START + 1e5) == first.bounds(START + 1e5)


def points(values, step=HOUR):
    return [(START + place * step, float(value)) for place, value in enumerate(values)], START + len(values) * step


def test_a_disk_that_fills_steadily_is_foreseen():
    assert round(loss(*points(range(1000, 900, -2)))) == 2
    assert round(loss(*points(range(1000, 0, -10), 300.0))) == 120


def test_what_does_not_fill_loses_nothing():
    assert loss(*points([500] * 50)) == 0
    assert loss(*points(range(100, 200))) == 0
    chance = random.Random(2)
    assert loss(*points([500 + chance.gauss(0, 5) for _number in range(160)])) < 0.2


def test_a_file_that_came_and_went_changes_nothing():
    values = [1000.0 - number for number in range(100)]
    for place in (20, 50, 51, 80):
        values[place] -= 400
    assert 0.9 < loss(*points(values)) < 1.1


def test_a_disk_that_fills_since_this_morning_is_foreseen_from_the_last_looks():
    assert round(loss(*points([1000] * 150 + list(range(1000, 880, -10))))) == 10


def test_of_too_few_looks_nothing_is_foreseen():
    assert loss(*points([9] * (FEWEST - 1))) is None
    assert loss(*points([9] * 100, 1.0)) is None
    assert loss([], START) is None
    old, end = points(range(100, 0, -1))
    assert loss(old, end + 30 * 86400) is None
