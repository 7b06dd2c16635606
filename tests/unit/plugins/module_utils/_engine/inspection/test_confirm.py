# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands after many looks, as properties over random histories and as single stories."""

from __future__ import annotations

import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import parse_matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import SpecError, parse_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.confirm import WINDOW, changes, follow, settle
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.hysteresis import narrowed, tighten

SPEC = ProbeSpec("cpu", {}, {"used_percent": ""}, {})
ORDER = ("ok", "warning", "unknown", "critical")
LETTERS = dict(zip("owuc", ORDER))


def check(**keys):
    (made,) = parse_checks([dict({"name": "a", "cpu": {}}, **keys)], lambda name: SPEC, ["cpu"])
    return made


def play(looks, one):
    """What stands after each look, as letters, and the last standing."""
    memory, stood, standing = None, "", None
    for letter in looks:
        standing, memory = follow(one, LETTERS[letter], memory)
        stood += standing.status[0]
    return stood, standing


@pytest.mark.parametrize(
    ("keys", "looks", "stood"),
    [
        ({}, "ocowoc", "ocowoc"),
        ({"confirm": 3}, "oocccco", "oooocco"),
        ({"confirm": 3}, "ccoccoccc", "oooooooo" + "c"),
        ({"confirm": 3}, "ccc", "ooc"),
        ({"confirm": "3/5"}, "cocooco", "ooooooo"),
        ({"confirm": "3/5"}, "cococ", "ooooc"),
        ({"confirm": "2/3", "resolve_after": 2}, "cococoo", "oocccc" + "o"),
        ({"resolve_after": 3}, "coocooo", "cccccc" + "o"),
        # after a resolution earlier failures do not count again
        ({"confirm": "3/5"}, "cccoc", "ooco" + "o"),
        ({"confirm": "3/5"}, "cccoccc", "oocooo" + "c"),
        # up takes confirm looks, down resolve_after ones
        ({"confirm": 2}, "wwcwcc", "owwww" + "c"),
        ({"confirm": 2, "resolve_after": 2}, "ccwwoo", "oc" + "cwwo"),
        ({"confirm": 2}, "wcc", "owc"),
        ({"confirm": 2}, "cu", "ou"),
        ({"resolve_after": 2}, "cwow", "ccww"),
    ],
)
def test_stories(keys, looks, stood):
    assert play(looks, check(flapping=False, **keys))[0] == stood


def test_the_defaults_are_what_is_seen():
    chance = random.Random(3)
    looks = "".join(chance.choice("owuc") for _look in range(400))
    assert play(looks, check(flapping=False))[0] == looks


@pytest.mark.parametrize("seed", range(40))
def test_what_is_raised_was_seen_often_enough_and_what_is_lowered_long_enough(seed):
    chance = random.Random(seed)
    within = chance.randrange(1, 8)
    times, resolve = chance.randrange(1, within + 1), chance.randrange(1, 6)
    one = check(flapping=False, confirm=f"{times}/{within}", resolve_after=resolve)
    looks = "".join(chance.choice("ooowucc") for _look in range(300))
    stood = play(looks, one)[0]
    levels = [ORDER.index(LETTERS[letter]) for letter in looks]
    before = 0
    for place, letter in enumerate(stood):
        now = ORDER.index(LETTERS[letter])
        recent = levels[max(0, place + 1 - within) : place + 1]
        if now > before:
            assert levels[place] >= now and sum(level >= now for level in recent) >= times
        elif now < before:
            last = levels[place + 1 - resolve : place + 1]
            assert len(last) == resolve and max(last) == now
        elif before == 0 and place:
            assert not all(level > 0 for level in levels[max(0, place + 1 - times) : place + 1]) or place + 1 < times
        before = now


def test_nothing_is_told_of_less_than_n_in_a_row_and_n_in_a_row_always_is():
    chance = random.Random(9)
    one = check(flapping=False, confirm=4)
    for _round in range(50):
        short = "".join("c" * chance.randrange(0, 4) + "o" for _part in range(20))
        assert set(play(short, one)[0]) == {"o"}
        assert play(short + "cccc", one)[0][-1] == "c"


def test_the_flap_window_is_that_of_nagios():
    assert changes("o" * (WINDOW - 1)) is None
    assert changes("o" * WINDOW) == 0.0
    assert changes(("oc" * WINDOW)[:WINDOW]) == 100.0
    assert changes("c" + "o" * 20) == 3.8 and changes("o" * 20 + "c") == 6.2
    assert changes("o" * 500 + "c") == 6.2


def test_a_flapping_check_is_told_once_and_ends_when_it_settles():
    one = check()
    stood, standing = play("oc" * 20, one)
    assert standing.flapping and stood[:8] == "ococococ"
    quiet = stood[22:]
    assert quiet == quiet[0] * len(quiet) != "o" * len(quiet)
    stood, standing = play("oc" * 20 + "o" * 30, one)
    assert (stood[-1], standing.flapping) == ("o", False)
    assert stood[40:].count("o") > 5 and "oc" not in stood[40:] and stood[44] == "c"
    assert play("oc" * 20, check(flapping=False))[0] == "oc" * 20


def test_a_check_that_flaps_while_nothing_was_told_is_a_warning():
    stood, standing = play("oc" * 20, check(confirm=2))
    assert standing.flapping and stood[:20] == "o" * 20 and stood[-1] == "w"


@pytest.mark.parametrize("memory", [{}, {"looks": 5, "stands": "x", "fresh": "y"}, {"looks": "oc?", "fresh": -1, "flaps": None}])
def test_a_memory_of_another_shape_is_no_end_of_the_run(memory):
    standing, after = follow(check(), "critical", memory)
    assert standing.status == "critical" and after["looks"].endswith("c")


def seen(one, statuses):
    memory, results = None, []
    for status in statuses:
        result = new_result("a", status=status, summary="it is so")
        after = settle(one, result, memory)
        memory = memory if after is None else after
        results.append(result)
    return results


def test_the_summary_says_what_is_not_yet_sure():
    told = [result["summary"] for result in seen(check(confirm=3, resolve_after=2), ["critical", "critical", "critical", "ok", "ok"])]
    assert told == [
        "it is so (observed 1 of 3 times)",
        "it is so (observed 2 of 3 times)",
        "it is so",
        "it is so (observed 1 of 2 times; critical until then)",
        "it is so",
    ]
    told = [result["summary"] for result in seen(check(confirm="2/4"), ["critical", "ok", "ok", "critical"])]
    assert told == ["it is so (observed 1 of 2 times within 4 looks)", "it is so", "it is so", "it is so"]
    assert "flapping: " in seen(check(), ["ok", "critical"] * 20)[-1]["summary"]


def test_a_skipped_look_changes_nothing():
    results = seen(check(confirm=2), ["critical", "skipped", "critical"])
    assert [(result["confirmed"] or {}).get("status") for result in results] == ["ok", None, "critical"]


def test_the_severity_of_what_stands():
    one = check(severity="critical", resolve_after=2)
    assert [result["confirmed"]["severity"] for result in seen(one, ["critical", "ok", "ok", "warning"])] == [
        "critical",
        "critical",
        "warning",
        "warning",
    ]


@pytest.mark.parametrize(
    ("matcher", "margin", "good", "bad"),
    [
        ("< 90", (5, False), 84.9, 85),
        ("<= 90", (5, True), 85.5, 85.6),
        ("> 10", (2, False), 12.1, 12),
        (">= 10", (50, True), 15, 14.9),
        ("> -10", (10, True), -8.9, -9),
        ("between 10 20", (2, False), 12, 11),
        ("nagios 10:20", (2, False), 18, 19),
        ("nagios 10:", (2, False), 12, 11),
        ("@10:20", (2, False), 7, 9),
        ("between 10 20", (6, False), 10, 9),
        ("== 5", (2, False), 5, 4),
    ],
)
def test_a_broken_limit_must_be_kept_by_the_margin(matcher, margin, good, bad):
    after = narrowed(parse_matcher(matcher), *margin)
    assert after.test(good) and not after.test(bad)


def test_only_limits_that_were_broken_are_narrowed():
    one = check(expect={"used_percent": "< 90", "latency_ms": "< 100"}, warn={"used_percent": "< 80"}, hysteresis=5)
    tighten([one], {"a": {"expect": ["used_percent"], "warn": ["used_percent"]}, "b": {}})
    assert [matcher.text for _path, matcher in one.expect + one.warn] == [
        "< 90 (after a failure < 85)",
        "< 100",
        "< 80 (after a failure < 75)",
    ]
    same = check(expect={"used_percent": "< 90"})
    tighten([same], {"a": {"expect": ["used_percent"]}})
    assert same.expect[0][1].text == "< 90"


def test_what_was_broken_is_remembered_until_it_holds_again():
    one = check(expect={"used_percent": "< 90"}, hysteresis="5%")
    bad = new_result("a", status="critical", failed=[{"path": "used_percent", "expected": "< 90", "observed": 93}])
    memory = settle(one, bad, None)
    assert memory["failed"] == {"expect": ["used_percent"], "warn": ["used_percent"]}
    assert settle(one, new_result("a", status="unknown"), memory)["failed"] == memory["failed"]
    assert "failed" not in settle(one, new_result("a", status="ok"), memory)
    assert "failed" not in settle(check(), dict(bad), None)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"confirm": 0}, "confirm"),
        ({"confirm": "4/3"}, "can never be met"),
        ({"confirm": "0/3"}, "can never be met"),
        ({"confirm": "3/101"}, "can never be met"),
        ({"confirm": "often"}, "confirm"),
        ({"resolve_after": 0}, "resolve_after"),
        ({"hysteresis": -1}, "no margin"),
        ({"hysteresis": "100%"}, "no margin"),
        ({"hysteresis": "a bit"}, "hysteresis"),
        ({"flapping": "maybe"}, "flapping"),
    ],
)
def test_bad_keys_are_refused(keys, words):
    with pytest.raises(SpecError, match=words):
        check(**keys)


def test_keys_as_surveys_send_them():
    one = check(confirm=" 3 / 5 ", resolve_after="2", hysteresis="2.5", flapping="no")
    assert (tuple(one.confirm), one.resolve_after, one.hysteresis, one.flapping) == ((3, 5), 2, (2.5, False), False)
    assert tuple(check(confirm="3").confirm) == (3, 3)
