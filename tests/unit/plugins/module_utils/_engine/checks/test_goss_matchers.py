# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Matchers of goss against goss' own rules, written down here once more as its code has them (resource/gomega.go, matchers/)."""

from __future__ import annotations

import json
import random
import re

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_matchers import lines_of, text_expression, value_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_regex import NoEquivalent, expression
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import parse_matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.paths import parse_path


class Refusal(Exception):
    """goss calls it an error, which fails the test whatever stands around it."""


def text_of(value):
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def number_of(value):
    try:
        return float(text_of(value).strip())
    except ValueError as exc:
        raise Refusal from exc


def goss(wanted, value):
    """What goss says of a value, which is a text, a number or a list of texts."""
    if isinstance(wanted, str):
        return text_of(value) == wanted
    if isinstance(wanted, (int, float)):
        return number_of(value) == wanted
    if isinstance(wanted, list):
        wanted = {"contain-elements": wanted}
        if not isinstance(value, list):
            raise Refusal
    ((name, operand),) = wanted.items()
    items = value.split("\n") if isinstance(value, str) else value
    if name == "equal":
        return value == operand
    if name in ("have-prefix", "have-suffix", "contain-substring", "match-regexp"):
        text = text_of(value)
        return {
            "have-prefix": text.startswith(operand),
            "have-suffix": text.endswith(operand),
            "contain-substring": operand in text,
            "match-regexp": name == "match-regexp" and re.search(operand.replace("$", r"\Z"), text) is not None,
        }[name]
    if name in ("gt", "ge", "lt", "le"):
        number = number_of(value)
        return {"gt": number > operand, "ge": number >= operand, "lt": number < operand, "le": number <= operand}[name]
    if name == "have-len":
        return len(value) == operand
    if name == "contain-element":
        return any(_holds(operand, item) for item in items)
    if name == "contain-elements":
        return all(any(_holds(one, item) for item in items) for one in operand)
    if name == "consist-of":
        return sorted(operand) == sorted(items)
    if name == "not":
        return not goss(operand, value)
    return (all if name == "and" else any)([goss(one, value) for one in operand])


def _holds(wanted, item):
    try:
        return goss(wanted, item)
    except Refusal:
        return False


WORDS = ("foo", "bar", "fo", "o b", " foo", "foo ", "a.b", 'q"q', "x\\y", "", "12", "foo bar", "(", "é")
TEXTS = [*WORDS, "foo\n", "foo\nbar\n", "bar\nfoo", "xfoo\nbarx", "12\n", " foo \nbar", "a.b\nfoo bar\n"]
REGEXES = ("^foo", "o$", "^foo$", "[a-b]", "o.b", "o b", "f|b", r"\d", "(?i)FOO")


def matcher(chance, depth=0):
    leaves = ["have-prefix", "have-suffix", "contain-substring", "match-regexp", "equal", "contain-element", "word"]
    name = chance.choice(leaves + ([] if depth > 2 else ["and", "or", "not", "contain-elements"]))
    if name == "word":
        return chance.choice(WORDS)
    if name == "match-regexp":
        return {name: chance.choice(REGEXES)}
    if name == "contain-element":
        return {
            name: chance.choice([chance.choice(WORDS), {"have-prefix": chance.choice(WORDS)}, {"match-regexp": chance.choice(REGEXES)}])
        }
    if name == "contain-elements":
        return {name: [chance.choice(WORDS) for _each in range(chance.randrange(1, 3))]}
    if name in ("and", "or"):
        return {name: [matcher(chance, depth + 1) for _each in range(chance.randrange(1, 4))]}
    if name == "not":
        return {name: matcher(chance, depth + 1)}
    return {name: chance.choice(WORDS)}


def ours(expectations, seen):
    return all(parse_matcher(text, path).test(parse_path(path).get(seen)) for path, text in expectations)


@pytest.mark.parametrize("make", [lines_of, value_of])
def test_matchers_of_texts_say_what_goss_says(make):
    chance = random.Random(7)
    made = 0
    for _round in range(4000):
        wanted = matcher(chance)
        try:
            expectations = make("content", wanted)
        except NoEquivalent:
            continue
        made += 1
        for text in TEXTS:
            try:
                expected = goss(wanted, text)
            except Refusal:
                expected = False
            assert ours(expectations, {"content": text}) == expected, (wanted, expectations, text)
    assert made > 2500


def test_matchers_of_lists_say_what_goss_says():
    chance = random.Random(8)
    lists = [["foo"], ["foo", "bar"], ["bar", "foo"], [], ["12"], ["foo bar", "o"], ['q"q', "x\\y"], ["fo", "12"]]
    made = 0
    for _round in range(4000):
        wanted = chance.choice([matcher(chance), chance.choice(WORDS), [chance.choice(WORDS)], [{"have-prefix": chance.choice(WORDS)}]])
        try:
            expectations = value_of("versions", wanted)
        except NoEquivalent:
            continue
        made += 1
        for value in lists:
            try:
                expected = goss(wanted, value)
            except Refusal:
                expected = False
            if value == [] or (len(value) > 1 and "\n" in text_of(value) and "match-regexp" in json.dumps(wanted)):
                continue
            assert ours(expectations, {"versions": value}) == expected, (wanted, expectations, value)
    assert made > 1500


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        ("", [""], ["x", "\n"]),
        ("foo", ["foo"], ["foo\n", "a foo"]),
        (15, ["15", "15\n", " 15"], ["150", "x"]),
        (["/foo\\s+bar/"], ["foo  bar"], ["foo\nbar"]),
        (["!/a[^;]*b/"], ["a\nb", "a;b"], ["axb"]),
        (["/foo$/"], ["foo\r\nbar"], ["foo bar"]),
        (["/FOO/i"], ["a foo"], ["bar"]),
        (["/a.b/s"], ["axb"], ["a\nb"]),
        (["/etc/hosts"], ["x /etc/hosts", "etc/hosts"], ["/etc"]),
        (["\\/x/"], ["y x/"], ["x"]),
        (["/[[:digit:]]+x/"], ["12x"], ["x", "dx"]),
        (["/^\\Qa.b\\E$/"], ["a.b"], ["axb"]),
        (["foo "], ["foo bar"], ["foo"]),
        (["!foo "], ["foo"], ["foo bar"]),
        (["/ foo/"], ["a foo"], ["foo"]),
        ({"have-patterns": ["foo", "!bar"]}, ["foo"], ["foo\nbar"]),
        ({"contain-element": "foo"}, ["a\nfoo\n"], ["a foo"]),
        ({"not": {"contain-element": "foo"}}, ["a foo"], ["x\nfoo"]),
        ({"have-len": 3}, ["abc"], ["abcd"]),
        ({"and": [["foo"], {"have-suffix": "\n"}]}, ["a foo\n"], ["foo"]),
        ({"or": [{"have-prefix": "a"}, {"not": {"contain-substring": "x"}}]}, ["ax", "b"], ["bx"]),
        ({"match-regexp": "^foo$"}, ["foo"], ["foo\n"]),
    ],
)
def test_texts(wanted, good, bad):
    expectations = lines_of("content", wanted)
    assert [text for text in good if not ours(expectations, {"content": text})] == []
    assert [text for text in bad if ours(expectations, {"content": text})] == []


def test_a_value_that_is_not_in_the_document_fulfils_nothing():
    expectations = lines_of("body", {"gjson": {"a": {"not": 5}}})
    assert not ours(expectations, {"json": {}}) and ours(expectations, {"json": {"a": 6}})
    expectations = lines_of("body", {"gjson": {"a": {"contain-substring": "2"}}})
    assert ours(expectations, {"json": {"a": 42}})


@pytest.mark.parametrize(
    "wanted",
    [
        {"contain-element": {"not": "a"}},
        {"or": ["a", "b"]},
        {"not": "a"},
        {"gt": 1},
        {"contain-element": {"match-regexp": "^a"}},
        {"have-prefix": ["a"]},
        {"semver-constraint": ">1.0.0"},
        {"not": {"consist-of": ["a"]}},
    ],
)
def test_what_cannot_be_said_of_a_list_is_named(wanted):
    with pytest.raises(NoEquivalent):
        value_of("versions", wanted)


@pytest.mark.parametrize("text", ["(", "[", "[[:nonsense:]]", "a(?i)b", r"\p{Greek}", "(?U)a", r"\1", "x{99999999999}", "[\\"])
def test_expressions_that_python_does_not_read_are_named(text):
    for lines in (True, False):
        with pytest.raises(NoEquivalent):
            expression(text, lines)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (r"^a\z", ["a"], ["a\n"]),
        (r"\\z", ["\\z"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        ("[a&&b]", ["&"], ["c"]),
        (r"\x{e9}", ["é"], ["e"]),
        (r"\d", ["5"], ["٥"]),
        ("(?m)^b$", ["a\nb\nc"], ["ab"]),
    ],
)
def test_expressions(text, good, bad):
    found = re.compile(expression(text))
    assert all(found.search(one) for one in good) and not any(found.search(one) for one in bad)


def test_nonsense_is_named_and_never_raised():
    chance = random.Random(9)
    values = (
        None,
        True,
        5,
        -1.5,
        "",
        "a",
        [],
        {},
        [{}],
        {"a": 1},
        {"and": 5},
        {"or": []},
        {"not": None},
        {"and": {"gt": 1}},
        {"have-len": "x"},
    )
    names = (
        "and",
        "or",
        "not",
        "equal",
        "contain-element",
        "contain-elements",
        "consist-of",
        "have-len",
        "match-regexp",
        "gt",
        "gjson",
        "x",
    )
    for _round in range(3000):
        wanted = {chance.choice(names): chance.choice([*values, {chance.choice(names): chance.choice(values)}])}
        for make, path in ((lines_of, "content"), (value_of, "versions"), (value_of, "json.a")):
            try:
                made = make(path, wanted)
            except (NoEquivalent, TypeError, ValueError, AttributeError):
                continue
            assert all(isinstance(path, str) for path, _text in made)
        try:
            re.compile(text_expression(wanted))
        except NoEquivalent:
            pass
