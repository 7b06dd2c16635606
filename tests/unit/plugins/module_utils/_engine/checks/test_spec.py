# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import SpecError, find_circle, parents_abroad, parse_checks

SPECS = {
    "tcp": ProbeSpec(
        "tcp",
        {"host": Option(required=True), "port": Option("port", required=True), "timeout": Option("duration", default=5.0)},
        {"connected": "", "banner": ""},
        {"connected": True},
    ),
    "cpu": ProbeSpec("cpu", {}, {"used_percent": ""}, {"used_percent": "< 90"}),
    "process": ProbeSpec(
        "process", {"name": Option(), "pattern": Option("regex")}, {"count": ""}, {"count": ">= 1"}, one_of=[("name", "pattern")]
    ),
    "command": ProbeSpec("command", {"argv": Option("list", required=True, elements="str")}, {"rc": ""}, {"rc": 0}),
    "http": ProbeSpec(
        "http",
        {"url": Option("url", required=True), "method": Option(choices=["GET", "HEAD"], default="GET")},
        {"status": ""},
        {"status": "< 400"},
    ),
}


def parse(raw):
    return parse_checks(raw, SPECS.__getitem__, list(SPECS))


def test_a_check_is_complete_after_reading():
    (check,) = parse([{"name": "a", "tcp": {"host": "h", "port": "80"}, "retries": "2", "weight": "3", "labels": {"n": 1}, "every": "30s"}])
    assert check.options == {"host": "h", "port": 80, "timeout": 5.0}
    assert (check.retries, check.weight, check.labels, check.every, check.severity) == (2, 3, {"n": "1"}, 30, "error")
    assert [(path.text, matcher.text) for path, matcher in check.expect] == [("connected", "true")]
    assert check.wanted == {"connected"}


def test_an_expression_wants_only_the_keys_it_names():
    assert parse([{"name": "a", "tcp": {"host": "h", "port": 1}, "expect": {"connected == `true`": True}}])[0].wanted == {"connected"}


def test_expect_replaces_the_default_and_may_be_empty():
    assert parse([{"name": "a", "cpu": None, "expect": {}}])[0].expect == ()
    assert [
        path.text for path, _m in parse([{"name": "a", "tcp": {"host": "h", "port": 1}, "expect": {"banner": "exists"}}])[0].expect
    ] == ["banner"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({}, "checks must be a list, not a mapping"),
        ([{"name": "a", "tcp": {"host": "h", "port": 1, "timeout": 0}}], "tcp.timeout: 0 s is no time to wait"),
        ([{"name": "a", "tcp": {"host": "h", "port": 1, "timeout": "99999d"}}], "at most a day"),
        ([{"name": "a", "cpu": {}, "expect": {"len(used_percent)": 1}}], "did you mean length()?"),
        ([7], "check number 1 must be a mapping"),
        ([{"cpu": {}}], "check number 1 needs a name"),
        ([{"name": "x\ny", "cpu": {}}], "check number 1 needs a name"),
        ([{"name": "a"}], 'check "a": it has no probe; add exactly one of'),
        ([{"name": "a", "cpu": {}, "tcp": {"host": "h", "port": 1}}], 'check "a": it has 2 probes (cpu, tcp)'),
        ([{"name": "a", "cpuu": {}}], 'did you mean "cpu"?'),
        ([{"name": "a", "TCP": {}}], 'did you mean "tcp"?'),
        ([{"name": "a", "tcp": {"hots": "h", "port": 1}}], 'check "a": tcp has no option "hots"; did you mean "host"?'),
        ([{"name": "a", "tcp": {"host": "h"}}], 'check "a": tcp needs the option "port"'),
        ([{"name": "a", "tcp": "h:80"}], "tcp takes its options as a mapping, such as {host: ..., port: ...}, not text"),
        ([{"name": "a", "tcp": {"host": "h", "port": 0}}], "0 is not a port"),
        ([{"name": "a", "tcp": {"host": "h", "port": 1, "timeout": "soon"}}], "tcp.timeout: 'soon' is not a duration"),
        ([{"name": "a", "cpu": {"x": 1}}], 'cpu has no options, so "x" cannot be given'),
        ([{"name": "a", "cpu": {}, "expect": {"used": 1}}], 'cpu does not observe "used"'),
        ([{"name": "a", "cpu": {}, "expect": {"used_precent": 1}}], 'did you mean "used_percent"?'),
        ([{"name": "a", "cpu": {}, "expect": "fine"}], "expect: a mapping of observed keys to matchers is needed here, not text"),
        ([{"name": "a", "cpu": {}, "warn": {"used_percent": "<"}}], "warn: used_percent: '<' has nothing to compare with"),
        ([{"name": "a", "cpu": {}, "severity": "fatal"}], 'severity: "fatal" is not known here'),
        ([{"name": "a", "cpu": {}, "retries": -1}], "retries: -1 is not a number from 0 to 100"),
        ([{"name": "a", "cpu": {}, "weight": -1}], "weight: -1 is negative"),
        ([{"name": "a", "cpu": {}, "every": "0s"}], "every: '0s' is no time"),
        (
            [{"name": "a", "cpu": {}, "depends_on": "bb"}, {"name": "b", "cpu": {}}],
            'check "a": depends_on names "bb", which is not there; did you mean "b"?',
        ),
        ([{"name": "a", "cpu": {}, "depends_on": ["a"]}], 'depends_on goes in a circle: "a" -> "a"'),
        ([{"name": "a", "cpu": {}}, {"name": "a", "cpu": {}, "weight": 2}], 'check "a" is there twice with different content'),
        ([{"name": "a", "process": {}}], 'process needs one of the options "name", "pattern"'),
        ([{"name": "a", "process": {"pattern": "("}}], "process.pattern: '(' is not a regular expression"),
        ([{"name": "a", "command": {"argv": "ls -l"}}], "command.argv: a list is needed here, not text"),
        ([{"name": "a", "command": {"argv": ["ls", ["-l"]]}}], "command.argv[1]: text is needed here, not a list"),
        ([{"name": "a", "http": {"url": "shop.example.com"}}], "http.url: this is not a URL"),
        ([{"name": "a", "http": {"url": "http://h:99999/"}}], "http.url: this is not a URL"),
        ([{"name": "a", "http": {"url": "file:///etc/passwd"}}], "http.url: this is not a URL"),
        ([{"name": "a", "http": {"url": "http://h/", "method": "GTE"}}], 'http.method is "GTE"; did you mean "GET"?'),
        ([{"name": "a", "cpu": {}, "labels": ["x"]}], "labels: a mapping of names to plain values"),
        ([{"name": "a", "cpu": {}, "priority": "P7"}], 'priority: "P7"'),
    ],
)
def test_bad_input_is_refused_with_one_sentence(raw, sentence):
    with pytest.raises(SpecError) as caught:
        parse(raw)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://h", "https://h:8443/x?y=z", "http://[::1]:80/", "http://user:pw@h/", "https://xn--bcher-kva.example/"]
)
def test_urls_that_are_good(url):
    assert parse([{"name": "a", "http": {"url": url}}])[0].options["url"] == url


def test_the_same_check_of_two_groups_counts_once_and_labels_make_it_another():
    one = {"name": "a", "cpu": {}}
    assert len(parse([one, dict(one)])) == 1
    assert len(parse([one, dict(one, labels={"disk": "b"})])) == 2


def test_circles_are_found_in_a_big_graph_without_recursion():
    chain = {str(number): [str(number + 1)] for number in range(20000)}
    assert find_circle(chain) == []
    chain["20000"] = ["19999"]
    assert find_circle(chain) == ["19999", "20000", "19999"]


def test_whatever_is_given_there_is_a_check_list_or_one_sentence():
    chance = random.Random(20261121)
    words = [
        *SPECS,
        "name",
        "expect",
        "warn",
        "severity",
        "retries",
        "depends_on",
        "labels",
        "annotations",
        "weight",
        "every",
        "priority",
        "confirm",
    ]
    words += ["host", "port", "timeout", "status", "used_percent", "url", "argv", "pattern"]
    texts = [
        "",
        "a",
        "< 5",
        "~ [",
        "in [",
        "=",
        "5s",
        "http://h",
        "http://[",
        "\ud800",
        "\0",
        "é" * 300,
        "${x}",
        "a.b[",
        '"',
        "baseline",
        "P0",
    ]

    def value(depth):
        kind = chance.randrange(9 if depth else 6)
        if kind < 2:
            return chance.choice(texts)
        if kind < 6:
            return chance.choice([None, True, False, 0, -1, 80, 1e300, float("nan"), float("inf"), 10**40, b"x", 3.5])
        if kind == 6:
            return [value(depth - 1) for _number in range(chance.randrange(4))]
        return {chance.choice(words + texts): value(depth - 1) for _number in range(chance.randrange(5))}

    def item():
        made = value(3) if chance.random() < 0.3 else {}
        made = made if isinstance(made, dict) else {}
        made.update({chance.choice(words): value(2)}, name=chance.choice(["a", "b", value(1)]))
        return made

    refused = 0
    for _number in range(5000):
        try:
            parse([item(), item()])
        except SpecError as exc:
            refused += 1
            assert "\n" not in str(exc)
    assert refused > 1000


def test_parents_on_other_hosts_are_told_from_those_of_the_list():
    checks = parse(
        [{"name": "a", "cpu": {}, "depends_on": ["db1:postgres", "b:c", "d"]}, {"name": "b:c", "cpu": {}}, {"name": "d", "cpu": {}}]
    )
    assert [(check.name, parent) for check, parent in parents_abroad(checks)] == [("a", "db1:postgres")]
    for wrong in ("db1:", ":postgres", " : "):
        with pytest.raises(SpecError, match="is not there"):
            parse([{"name": "a", "cpu": {}, "depends_on": [wrong]}])
