# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.detector import ALARM, LEARNED_FROM, Detector, Rarity, Scale
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.novelty import WINDOW, Novelty

START = 1_700_000_000.0


def fed(values, step=300.0, detector=None, start=START):
    """The detector, and the places at which an incident began."""
    detector, began = detector or Detector(), []
    for place, value in enumerate(values):
        was = detector.in_incident
        detector.look(start + place * step, value)
        if detector.in_incident and not was:
            began.append(place)
    return detector, began


def noise(seed, count, centre=50.0, spread=2.0):
    chance = random.Random(seed)
    return [centre + chance.gauss(0, spread) for _number in range(count)]


@pytest.mark.parametrize("value", [0.0, 1.0, -7.5, 1e12, 1e-9])
@pytest.mark.parametrize("step", [1.0, 300.0, 3600.0, 90000.0])
def test_a_series_that_never_moves_never_alarms(value, step):
    detector, alarms = fed([value] * 600, step)
    assert alarms == []
    low, high = detector.bounds(START + 600 * step)
    assert low < value < high


@pytest.mark.parametrize("seed", range(12))
def test_plain_noise_rarely_alarms(seed):
    _detector, alarms = fed(noise(seed, 2000))
    assert len(alarms) <= 2


@pytest.mark.parametrize("seed", range(12))
def test_scores_of_plain_noise_are_rarely_alarms(seed):
    detector = Detector()
    scores = [detector.look(START + place * 300, value) for place, value in enumerate(noise(seed, 2000))]
    assert sum(score >= ALARM for score in scores) <= 5


@pytest.mark.parametrize("seed", range(12))
def test_a_shift_is_seen_at_once_and_told_once(seed):
    _detector, alarms = fed(noise(seed, 600) + noise(seed + 100, 600, centre=90.0))
    assert [place for place in alarms if place >= 600] == [600]


def test_what_lasts_becomes_usual():
    detector, _alarms = fed(noise(1, 600) + noise(2, 600, centre=90.0))
    assert not detector.in_incident
    low, high = detector.bounds(START + 1200 * 300)
    assert low < 90 < high
    assert abs(detector.usual(START + 1200 * 300)[0] - 90) < 10


def test_nothing_is_learned_from_an_incident():
    detector, _alarms = fed(noise(1, 600))
    before, count = detector.usual(START + 600 * 300), detector.count
    fed([500.0] * 20, detector=detector, start=START + 600 * 300)
    assert detector.in_incident
    assert detector.usual(START + 600 * 300) == before and detector.count == count
    fed([50.0], detector=detector, start=START + 620 * 300)
    assert not detector.in_incident and detector.count == count + 1


def test_in_an_incident_the_bounds_are_those_within_which_it_would_be_over():
    detector, _alarms = fed(noise(1, 600))
    calm = detector.bounds(START + 600 * 300)
    fed([500.0] * 3, detector=detector, start=START + 600 * 300)
    low, high = detector.bounds(START + 603 * 300)
    assert calm[0] <= low < 50 < high <= calm[1]
    fed([50.0], detector=detector, start=START + 603 * 300)
    after = detector.bounds(START + 604 * 300)
    # the same again would not be told
    assert after[1] >= 500
    later = detector.bounds(START + 604 * 300 + 13 * 3600)
    assert later[1] < 200


def test_bounds_say_what_the_score_says():
    detector, _alarms = fed(noise(3, 900))
    now = START + 900 * 300
    low, high = detector.bounds(now)
    for value, is_alarm in ((low - 0.5, True), (high + 0.5, True), (low + 0.5, False), (high - 0.5, False)):
        twin = Detector(state=json.loads(json.dumps(detector.state())))
        assert (twin.look(now, value) >= ALARM) is is_alarm


def test_few_values_make_wide_bounds_and_fewer_none():
    detector, _alarms = fed(noise(4, LEARNED_FROM - 1))
    assert detector.bounds(START + 1e4) is None
    detector, _alarms = fed(noise(4, LEARNED_FROM))
    few = detector.bounds(START + 1e4)
    detector, _alarms = fed(noise(4, 1000))
    many = detector.bounds(START + 3e5)
    assert few[0] < many[0] < 50 < many[1] < few[1]


@pytest.mark.parametrize("cut", [5, 40, 200, 399])
def test_a_restart_between_two_looks_changes_nothing(cut):
    values = noise(5, 400, spread=4.0)
    values[150:155] = [400.0] * 5
    whole, alarms = fed(values)
    first, early = fed(values[:cut])
    second = Detector(state=json.loads(json.dumps(first.state())))
    second, late = fed(values[cut:], detector=second, start=START + cut * 300)
    assert early + [place + cut for place in late] == alarms
    assert json.dumps(second.state()) == json.dumps(whole.state())


def test_a_gap_alarms_not_and_loses_nothing():
    detector, _alarms = fed(noise(6, 500))
    count = detector.count
    later = START + 500 * 300 + 30 * 86400
    detector, alarms = fed(noise(7, 100), detector=detector, start=later)
    assert alarms == [] and detector.count == count + 100
    _detector, alarms = fed([400.0], detector=detector, start=later + 100 * 300)
    assert alarms == [0]


def test_irregular_looks_and_a_clock_that_is_put_back_are_survived():
    chance, at, detector, alarms = random.Random(8), START, Detector(), 0
    for place, value in enumerate(noise(8, 1500)):
        at += chance.choice((0.0, 60.0, 300.0, 4000.0, 90000.0)) - (86400.0 if place % 400 == 399 else 0.0)
        alarms += detector.look(at, value) >= ALARM
    assert alarms <= 3
    assert detector.bounds(at)[1] < 100


def test_the_hour_of_the_day_counts_once_it_is_known():
    def load(at):
        return 90.0 if int(at // 3600) % 24 in (2, 3) else 10.0

    detector, alarms, chance = Detector(), [], random.Random(9)
    for place in range(14 * 288):
        at = START + place * 300
        if detector.look(at, load(at) + chance.gauss(0, 1)) >= ALARM:
            alarms.append(place)
    assert [place for place in alarms if place > 2 * 288] == []
    day = (START // 86400 + 15) * 86400
    assert detector.bounds(day + 2.5 * 3600)[1] > 90
    assert detector.bounds(day + 12 * 3600)[1] < 60


@pytest.mark.parametrize("value", [1e308, -1e308, 1e154, 5e-324])
def test_any_number_is_survived(value):
    detector, _alarms = fed([0.0] * 20 + [value, -value] * 40 + [0.0] * 200)
    low, high = detector.bounds(START + 1e6)
    assert low < 0 < high


def test_values_that_may_not_count_are_not_learned():
    detector, _alarms = fed(noise(1, 100))
    count = detector.count
    detector.look(START + 1e5, 51.0, learn=False)
    assert detector.count == count


def test_the_state_stays_small():
    detector, _alarms = fed(noise(10, 5000, spread=20.0))
    assert len(json.dumps(detector.state())) < 12000


def test_running_statistics_are_those_of_the_values():
    scale = Scale()
    for value in (2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0):
        scale.learn(value)
    assert (round(scale.mean, 9), round(scale.spread(0.0), 9)) == (5.0, 2.0)
    assert scale.spread(3.0) == 3.0


def test_what_is_farther_is_never_less_rare():
    rarity, chance = Rarity(), random.Random(11)
    for _number in range(6000):
        rarity.learn(abs(chance.gauss(0, 1)))
    numbers = [rarity.of(distance / 10) for distance in range(400)]
    assert numbers == sorted(numbers)
    assert rarity.total < 4000


def test_a_pattern_that_was_met_is_no_news():
    novelty, news = Novelty(), []
    wave = [float(place % 13) for place in range(13 * 40)]
    for place, value in enumerate(wave + [6.0] * WINDOW + wave):
        news.append((place, novelty.surprise(novelty.bin_of(value)) > 0))
        novelty.learn(value)
    late = [place for place, is_new in news if is_new]
    assert not [place for place in late if 2 * WINDOW < place < len(wave)]
    assert [place for place in late if len(wave) <= place < len(wave) + WINDOW]
