# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All ways of looking find the same, which is what each rule finds on each line by itself."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import literals, spec
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.prefilter import STRATEGIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block, Joiner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import Scanner, count_levels, text_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.watchdog import Watchdog
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = [
    {"name": "word", "keyword": ["ERROR", "refused to"]},
    {"name": "fold", "regex": r"(?i)failed (?P<what>\w+)"},
    {"name": "groups", "regex": r"^(?P<a>\w+): (?:timeout|time-out|gone)(?= )"},
    {"name": "hungry", "regex": r"[0-9]{3}"},
    {"name": "optional", "regex": r"(?:dead)?lock(?:ed)?"},
    {"name": "unicode", "keyword": "größe"},
    {"name": "kelvin", "keyword": "disk", "ignore_case": True},
    {"name": "json", "json": {"level": "error", "code": ">= 500"}},
    {"name": "excluded", "keyword": "ERROR", "exclude": ["heartbeat"]},
    {"name": "repeat", "regex": r"(?:ab){2,}c"},
    {"name": "either", "regex": r"red|green|blue"},
    {"name": "verbose", "regex": r"(?x) lo ck  # comment"},
    {"name": "both", "keyword": "timeout", "regex": r"(?P<n>[0-9]+) ms"},
]
WORDS = [
    "ERROR", "error", "refused to", "Failed x", "FAILED login", "svc: timeout ", "svc: gone now", "404", "deadlock", "locked", "größe", "disk",
    "di\u017fk", "DIS\u212a", "heartbeat", "ababc", "abc", "green", "timeout 12 ms", '{"level": "error", "code": 503}', '{"level": "error"}', "\0", "\udcff",
]  # fmt: skip


def strategies():
    found = ["find", "anchored"]
    for name, library in (("re2", "re2"), ("hyperscan", "hyperscan")):
        try:
            __import__(library)
        except ImportError:
            continue
        found.append(name)
    return found


def naive(rules, data, starts=None):
    found = []
    if starts is None:
        starts, at = [0], 0
        while True:
            at = data.find(b"\n", at) + 1
            if at in (0, len(data)):
                break
            starts.append(at)
    for place, start in enumerate(starts):
        end = (starts[place + 1] if place + 1 < len(starts) else len(data)) - 1
        text = text_of(data[start:end])
        for number, rule in enumerate(rules):
            fields = rule.match(text)
            if fields is not None:
                found.append((start, end, number, fields))
    return found


def shown(hits):
    return [(hit.start, hit.end, hit.rule, hit.fields) for hit in hits]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.sampled_from([*WORDS, "x", "INFO"]), max_size=4).map(" ".join), min_size=1, max_size=30), st.booleans())
def test_every_strategy_finds_what_each_rule_finds_by_itself(lines, is_joined):
    rules = spec.read_rules(RULES)
    data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
    starts = Joiner("INFO", False).starts(data) if is_joined else None
    expected = naive(rules, data, starts)
    for name in strategies():
        scanner = Scanner(rules, strategy=name)
        assert shown(scanner.scan(Block(data, 0, len(data), starts))) == expected, name
        assert scanner.strategy == name


def test_every_strategy_over_large_blocks_and_two_hundred_rules():
    rules = spec.read_rules([{"name": f"r{number}", "regex": f"code {number * 7919 % 1000:03d} of (?P<x>\\w+)"} for number in range(200)])
    lines = [f"2026-11-21 host{number % 9} code {number * 31 % 1400:03d} of part{number}\n" for number in range(20000)]
    data = "".join(lines).encode()
    found = {name: shown(Scanner(rules, strategy=name).scan(Block(data, 0, len(data)))) for name in strategies()}
    assert len(found["find"]) > 1000 and all(hits == found["find"] for hits in found.values())
    assert set(strategies()) <= set(STRATEGIES)


@pytest.mark.parametrize(
    "pattern, texts",
    (
        (r"connection refused to (?P<host>\S+)", {b"connection refused to "}),
        (r"\bCRITICAL\b", {b"CRITICAL"}),
        (r"Kill(?:ed)? process", {b" process"}),
        (r"(?:timed out|refused)", {b"timed out", b"refused"}),
        (r"(?i)Failed", {b"failed"}),
        (r"[0-9]+", None),
        (r"a|bcd", None),
        (r"x*", None),
        (r"(foo)+bar", {b"foo"}),
        (r"foo\nbarbar", {b"barbar"}),
        (r"(?!never)this", {b"this"}),
        (r"é+ô", {"é".encode()}),
    ),
)
def test_required_texts(pattern, texts):
    found = literals.required(re.compile(pattern))
    assert (found and {literal.text for literal in found}) == texts


@settings(max_examples=200, deadline=None)
@given(st.from_regex(re.compile(r"[abAB.?*+()|]{1,12}"), fullmatch=True), st.text(alphabet="abAB", max_size=12))
def test_a_required_text_is_in_whatever_matches(pattern, text):
    for flags in (0, re.IGNORECASE):
        try:
            compiled = re.compile(pattern, flags)
        except re.error:
            return
        needs = literals.required(compiled)
        if needs and compiled.search(text):
            raw = text.encode()
            assert any((literal.text in raw.lower()) if literal.fold else (literal.text in raw) for literal in needs)


def test_a_regex_that_would_go_on_for_ever_is_stopped_and_the_others_go_on():
    rules = spec.read_rules([{"name": "evil", "regex": r"^(a+)+$"}, {"name": "good", "keyword": "aaa"}])
    data = b"".join(b"a" * 40 + b"!%d\n" % number for number in range(6))
    with Watchdog(0.2, 5.0) as dog:
        scanner = Scanner(rules, dog)
        hits = scanner.scan(Block(data, 0, len(data)))
    assert [hit.rule for hit in hits] == [1] * 6
    assert "evil" in scanner.stopped[0] and scanner.slow == {0: 3}


def test_a_rule_that_is_slow_on_every_line_has_a_budget():
    rules = spec.read_rules([{"name": "slow", "regex": r"^(?:a|aa){20}(?:a|aa)*x$"}])
    data = (b"a" * 30 + b"\n") * 2000
    with Watchdog(60.0, 0.3) as dog:
        scanner = Scanner(rules, dog)
        assert scanner.scan(Block(data, 0, len(data))) == []
    assert "slow" in scanner.stopped[0]


def test_levels():
    counts = {}
    count_levels(b'INFO a\nx ERROR WARN\nnothing\n{"level":"warn"}\nerrors\n2026 FATAL\n[err] x\n', counts)
    assert counts == {"info": 1, "error": 2, "warning": 1, "fatal": 1}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["info", "WARN", "Error", "xerr", "critx", "9fatal1", "-", "[", "é", "a", "\0", " "]), max_size=12).map(
            "".join
        ),
        max_size=8,
    )
)
def test_a_line_has_the_level_of_its_first_word_that_is_one(lines):
    counts, expected = {}, {}
    count_levels("".join(line + "\n" for line in lines).encode(), counts)
    names = {"info": "info", "warn": "warning", "error": "error", "err": "error", "fatal": "fatal"}
    for line in lines:
        words = [word.lower() for word in re.findall("[A-Za-z]+", line)]
        level = next((names[word] for word in words if word in names), None)
        if level:
            expected[level] = expected.get(level, 0) + 1
    assert counts == expected


def test_levels_of_lines_without_an_end_in_sight_take_no_time():
    counts = {}
    count_levels(b"a-" * 500_000 + b"\n" + b"-" * 1_000_000 + b"\n" + b"a" * 1_000_000 + b" ERROR\n", counts)
    assert counts == {"error": 1}


def test_bytes_that_are_no_text_are_kept():
    rules = spec.read_rules([{"name": "a", "regex": "x(?P<rest>.+)"}])
    hits = Scanner(rules).scan(Block(b"\0\0x\xff\xfe\r\n", 0, 7))
    assert hits[0].text == "x\udcff\udcfe" and json.dumps(hits[0].fields)
