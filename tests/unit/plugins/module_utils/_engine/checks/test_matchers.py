# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import parse_matcher


@pytest.mark.parametrize(
    ("matcher", "good", "bad"),
    [
        ("< 90", [89.9, 0, "12"], [90, 91, None, "x", True, [1]]),
        ("<= 90%", [90, 1], [90.1]),
        ("> 1e2", [101], [100, None]),
        (">= -1", [-1, 0], [-1.1]),
        ("== up", ["up"], ["down", None, 1]),
        ("== 200", [200, 200.0, "200"], [201, True, "200 OK"]),
        ("!= 200", [404, None, "x"], [200, "200"]),
        ("~ ^2[0-9]{2}$", [200, "204"], [404, None]),
        ("!~ error", ["fine", None], ["an error"]),
        ("in [200, 204, 'a,b', x]", [200, "204", "a,b", "x"], [201, None, "a"]),
        ("contains ok", ["all ok here", ["ok"], {"ok": 1}], ["no", [], None, 5]),
        ("contains 5", ["5 apples", [5], ["5"]], ["6"]),
        ("between 10 20", [10, 15, 20], [9, 21, None]),
        ("between 10 and 20", [15], [25]),
        ("exists", [0, "", False, []], [None]),
        ("absent", [None], [0, ""]),
        (True, [True, "true", "True", "yes"], [False, 1, None, "maybe"]),
        (200, [200, "200"], [True, 404, None]),
        ("up", ["up"], ["UP", None]),
        (None, [None], ["", 0]),
        ([1, 2], [[1, 2]], [[2, 1], 1]),
        ({"a": 1}, [{"a": 1}], [{}, None]),
        ("== 'exists'", ["exists"], [None]),
        ('== "< 5"', ["< 5"], [4]),
    ],
)
def test_what_holds(matcher, good, bad):
    parsed = parse_matcher(matcher)
    assert [value for value in good if not parsed.test(value)] == []
    assert [value for value in bad if parsed.test(value)] == []


@pytest.mark.parametrize(
    ("matcher", "path", "number"),
    [
        ("< 2s", "latency_ms", 2000),
        ("< 500ms", "phases.first_byte_ms", 500),
        ("> 14d", "days_left", 14),
        ("> 336h", "days_left", 14),
        ("> 10GiB", "free_bytes", 10 * 1024**3),
        ("< 4K", "size", 4096),
        ("< 1h", "age_seconds", 3600),
    ],
)
def test_units_follow_the_key(matcher, path, number):
    assert parse_matcher(matcher, path).operand == pytest.approx(number)


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        ("<", "nothing to compare"),
        ("~", "nothing to compare"),
        ("=< 5", "not a matcher"),
        ("=> 5", "not a matcher"),
        ("= 5", "not a matcher"),
        ("!< 5", "not a matcher"),
        ("< < 5", "not a matcher"),
        ("< 90GB", "needs a number"),
        ("< many", "needs a number"),
        ("~ [", "regular expression"),
        ("in 1, 2", "in brackets"),
        ("in []", "can never hold"),
        ("between 5", "two numbers"),
        ("between 20 10", "can never hold"),
        ("contains", "not a matcher"),
        ("exist", "did you mean 'exists'"),
        ("Exists", "did you mean 'exists'"),
        ("exits", "did you mean 'exists'"),
        ("absentt", "did you mean 'absent'"),
        ("Absent", "did you mean 'absent'"),
        ("not exists", "did you mean 'absent'"),
        ("!exists", "did you mean 'absent'"),
        ("is absent", "did you mean 'absent'"),
        ("not absent", "did you mean 'exists'"),
        ("== baseline", "only '< baseline'"),
        ("!= baseline", "only '< baseline'"),
        ("in[200, 204]", "not a matcher"),
        ("IN [200, 204]", "not a matcher"),
        ("in(200, 204)", "not a matcher"),
        ("Between 10 20", "not a matcher"),
        ("between10 20", "not a matcher"),
        ("not between 1 2", "not a matcher"),
        ("90% >", "not a matcher"),
        ("90 <=", "not a matcher"),
        ("&lt; 90", "not a matcher"),
        ("less than 90%", "not a matcher"),
        ("at most 90", "not a matcher"),
        ("< = 90", "did you mean '<= 90'"),
        ("<> 90", "did you mean '!= 90'"),
        ("~= up", "did you mean '~ up'"),
        ("90%", "used_percent is a number"),
        ("low", "used_percent is a number"),
    ],
)
def test_a_wrong_matcher_is_refused(matcher, words):
    with pytest.raises(ValueError, match=words):
        parse_matcher(matcher, "used_percent")


@pytest.mark.parametrize(
    "text",
    [
        "up",
        "exit",
        "sent",
        "present",
        "missing",
        "baseline",
        "existing",
        "Contains eggs",
        "inactive",
        "index.html",
        "between",
        "90%",
        "10-20",
        "",
    ],
)
def test_a_literal_stays_one(text):
    if text != "between":
        assert parse_matcher(text, "json.state").test(text)
    assert parse_matcher(f'== "{text}"', "json.state").test(text)


@pytest.mark.parametrize("text", ["exist", "absentt", "baseline", "in[a]", "90% <", "~= x", "at most 5"])
def test_every_text_can_be_written_as_itself(text):
    assert parse_matcher(f'== "{text}"', "stdout").test(text)


def test_a_wrong_unit_is_refused():
    with pytest.raises(ValueError, match="duration"):
        parse_matcher("< 5 parsecs", "latency_ms")


def test_a_baseline_holds_while_it_is_learned_and_then_bounds():
    below, above = parse_matcher("< baseline"), parse_matcher("> baseline")
    known = {"low": 10.0, "high": 20.0, "n": 30}
    assert below.test(1000) and above.test(1)
    assert not below.test(None)
    assert below.test(19, known) and not below.test(21, known)
    assert above.test(11, known) and not above.test(9, known)
    assert below.shown(known) == "< baseline (20)" and below.shown() == "< baseline"


@pytest.mark.parametrize("value", [0o644, "0644", "644"])
def test_permissions_are_octal(value):
    assert parse_matcher(value, "mode").test("0644")
    assert not parse_matcher(value, "mode").test("0600")


def test_phases_are_milliseconds():
    assert parse_matcher("< 1s", "phases.tls").operand == 1000


@pytest.mark.parametrize(
    ("matcher", "good", "bad"),
    [
        # the examples of the guidelines: what alerts there does not hold here
        ("nagios 10", [0, 5, 10, "10"], [-1, 10.1, None, "x", True]),
        ("nagios 10:", [10, 1e9], [9, -10, None]),
        ("nagios ~:10", [-1e9, 10], [11]),
        ("nagios 10:20", [10, 15, 20], [9, 21]),
        ("nagios @10:20", [9, 21], [10, 20, None]),
        ("nagios :10", [0, 10], [-1, 11]),
        ("nagios -20:-10", [-15], [-21, -9, 15]),
        ("@10:20", [9, 21], [10, 20, None, "x"]),
        ("@10", [11, -1], [0, 10]),
        ("@10:", [9], [10, 1e9]),
        ("@~:10", [11], [10, -1e9]),
        ("@0.5:1.5", [0.4, 1.6], [1]),
    ],
)
@pytest.mark.parametrize("path", ["used_percent", "json.a"])
def test_thresholds_of_nagios(matcher, path, good, bad):
    parsed = parse_matcher(matcher, path)
    assert [value for value in good if not parsed.test(value)] == []
    assert [value for value in bad if parsed.test(value)] == []
    assert parsed.shown() == matcher


@pytest.mark.parametrize(("matcher", "good", "bad"), [("10:", 10, 9), ("~:10", -5, 11), ("10:20", 20, 21), (":10", 0, -1)])
def test_a_key_that_is_a_number_takes_thresholds_as_they_are(matcher, good, bad):
    parsed = parse_matcher(matcher, "latency_ms")
    assert parsed.kind == "range" and parsed.test(good) and not parsed.test(bad)


def test_other_keys_keep_texts_and_expressions():
    assert parse_matcher("10:20", "json.time").test("10:20")
    assert parse_matcher("~:10", "stdout").test("at 12:10")
    assert parse_matcher("10", "count").test(10) and not parse_matcher("10", "count").test(9)
    assert parse_matcher("@here", "stdout").test("@here")
    assert parse_matcher("== @10:20", "stdout").test("@10:20")


def test_thresholds_carry_the_unit_of_the_key():
    assert parse_matcher("100ms:2s", "latency_ms").operand == (100, 2000, False)
    assert parse_matcher("@1GiB:2GiB", "free_bytes").operand == (1024**3, 2 * 1024**3, True)
    assert parse_matcher("80%:90%", "used_percent").operand == (80, 90, False)


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        ("nagios", "not a matcher"),
        ("nagios :", "not a range"),
        ("nagios 1:2:3", "not a range"),
        ("nagios 20:10", "start is above its end"),
        ("nagios ten", "needs a number"),
        ("@20:10", "start is above its end"),
        ("@10:x", "needs a number"),
        ("@1:2:3", "not a range"),
        ("@~:~", "not a range"),
        ("20:10", "start is above its end"),
    ],
)
def test_a_wrong_threshold_is_refused(matcher, words):
    with pytest.raises(ValueError, match=words):
        parse_matcher(matcher, "used_percent")


@pytest.mark.parametrize(
    ("matcher", "meant"),
    [
        ("10-20", "'10:20'"),
        ("10..20", "'10:20'"),
        ("10 : 20", "'10:20'"),
        ("@ 10:20", "'@10:20'"),
        ("@20-10", "'@10:20'"),
        ("20:10", "'10:20'"),
        ("@20:10", "'@10:20'"),
        ("10:20:30", "write one of 10, 10:, ~:10, 10:20 or @10:20"),
        ("@", "write one of 10, 10:, ~:10, 10:20 or @10:20"),
        ("@:", "write one of 10, 10:, ~:10, 10:20 or @10:20"),
        ("~:~", "write one of 10, 10:, ~:10, 10:20 or @10:20"),
        (float("nan"), "nothing is ever equal to it"),
        (float("inf"), "nothing is ever equal to it"),
        ({"lt": 5}, "'< 5'"),
        ({"max": 5}, "'<= 5'"),
        ([1], "is a number"),
        ({}, "is a number"),
        (True, "is a number"),
    ],
)
def test_what_is_nearly_a_threshold_is_refused_with_the_right_form(matcher, meant):
    with pytest.raises(ValueError, match=re.escape(meant)):
        parse_matcher(matcher, "used_percent")


def test_mappings_and_lists_may_be_seen_elsewhere():
    assert parse_matcher({"lt": 5}, "json.a").test({"lt": 5}) and parse_matcher([1], "json.a").test([1])
    with pytest.raises(ValueError, match="contains a"):
        parse_matcher({"contain-element": "a"}, "addresses")


def test_the_word_baseline_in_capitals():
    assert parse_matcher("<Baseline", "used_percent").dynamic
