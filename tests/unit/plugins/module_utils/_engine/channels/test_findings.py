# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One message for many hosts: the same finding is one line with counts and the first hosts, and where to read the rest."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import texts

NOW = 1_763_712_000.0
PLAIN = texts.Style(lambda text: text)


def events(check, count, message="it is full", **more):
    return [new_event("shop", f"web{number:03}", check, NOW, message=message.format(number=number), **more) for number in range(count)]


def test_two_hundred_hosts_with_the_same_finding_are_one():
    told = texts.letter(events("disk /", 200, severity="critical"), "en", PLAIN, 4096)
    assert told.title == "[Critical] 200 alerts, 200 hosts"
    assert told.text.splitlines()[:5] == [
        "> In all: Critical 200",
        "",
        "**[Critical] disk /**",
        "it is full",
        "> Service: shop",
    ]
    assert "> Instance: web000, web001, web002, web003, web004, web005, web006, web007 and 192 more" in told.text
    assert len(told.events) == 200


@pytest.mark.parametrize(("language", "words"), [("en", "All of them"), ("zh", "完整列表")])
def test_where_to_read_the_hosts_that_are_not_named(language, words):
    given = [dict(event, _more="https://x.example/") for event in events("disk /", 200)]
    for limit in (*range(250, 400, 7), 4096):
        told = texts.letter(given, language, PLAIN, limit)
        assert texts.size(told.text) <= limit
        assert told.text.endswith(f"> {words}: https://x.example/")
    assert words not in texts.letter(given[:8], language, PLAIN, 4096).text
    assert words not in texts.letter(events("disk /", 200), language, PLAIN, 4096).text


def test_messages_that_differ_and_chinese():
    told = texts.letter(events("disk /", 50, "used_percent is {number}", severity="warning"), "zh", PLAIN, 4096)
    assert told.title == "[警告] 50 条告警,涉及 50 台主机"
    assert "例如 web000: used_percent is 0" in told.text
    assert "web007 等,另有 42 台" in told.text


def test_what_is_not_the_same_stays_apart():
    given = [
        *events("a", 2),
        *events("b", 3, severity="critical"),
        *events("b", 3),
        new_event("shop", "web001", "b", NOW, message="again", labels={"disk": "2"}),
        new_event("vigil", "", "run of x", NOW, message="m"),
    ]
    told = texts.letter(given, "en", PLAIN, 100_000)
    heads = [line for line in told.text.splitlines() if line.startswith("**")]
    assert heads.count("**[Critical] b**") == 1
    assert heads.count("**[Error] b**") == 4  # one of the hosts has two of it, so they are told one by one
    assert heads.count("**[Error] a**") == 2


@pytest.mark.parametrize("limit", [300, 500, 1000, 2048])
def test_the_rest_is_counted_in_alerts_and_says_where_to_read_it(limit):
    given = [dict(event, _more="https://x.example/") for number in range(40) for event in events(f"check {number}", 5, "m" * 200)]
    told = texts.letter(given, "en", PLAIN, limit)
    lines = told.text.splitlines()
    assert texts.size(told.text) <= limit
    number = 200 - 5 * (len(lines) - 2)
    assert lines[-1] == f"… and {number} more: https://x.example/"


def test_a_job_is_where_the_rest_is():
    given = [dict(event, annotations={"run": "https://awx/1"}) for number in range(40) for event in events(f"check {number}", 1, "m" * 200)]
    assert texts.letter(given, "en", PLAIN, 600).text.endswith(" more: https://awx/1")


def test_the_users_words():
    one = dict(events("disk /", 1)[0], _title="Own title", _text=True, message="own text\nof two lines")
    told = texts.letter([one], "en", PLAIN, 4096)
    assert (told.title, told.text) == ("Own title", "own text\nof two lines")
    many = texts.letter([one, *events("cpu", 3)], "en", PLAIN, 4096)
    assert "**Own title**\nown text\nof two lines" in many.text
