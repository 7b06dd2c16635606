# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not fit into one message: several messages, each a valid one, nothing twice and nothing missing, whatever fails in between."""

from __future__ import annotations

import json
import re
import time

import pytest
import vendors
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import delivery, portions, slack, texts, wecom
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox

KEY = "693a7aoc-4bc4-97a0-0ec2sifa5aaa"
LINES = "".join(f"line {number} of {'内存不足' * 3}\n" for number in range(150))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.02)


def queue(store, channel, *events):
    channel.bind(store.salt)
    with store.unit() as unit:
        for number, event in enumerate(events):
            outbox.add(unit, f"{number}-{time.monotonic_ns()}", event, [channel.key])


def again(store, receiver, more=""):
    """As another process has the channel."""
    channel = parse(f"wecom://{KEY}?endpoint={receiver.url}{more}")
    channel.bind(store.salt)
    return channel


def one(message, **more):
    return new_event("shop", "web1", "page", 1_700_000_000.0, message=message, severity="critical", **more)


def contents(robot):
    return [taken["markdown"]["content"] for taken in robot.taken]


def lines_of(told):
    return re.findall(r"line (\d+) of", "".join(told))


def test_a_long_text_is_told_in_parts_at_ends_of_lines(store, listen):
    robot = vendors.WeCom(KEY)
    channel = parse(f"wecom://{KEY}?endpoint={listen(robot).url}&mention=zhangsan")
    queue(store, channel, one(LINES, annotations={"runbook": "https://wiki.example.com/"}))
    report = delivery.deliver(store, [channel], 5)[0]
    assert (report.sent, report.attempts) == (1, 2)
    told = contents(robot)
    assert [re.search(r"page( \(./.\))", part).group(1) for part in told] == [" (1/2)", " (2/2)"]
    assert lines_of(told) == [str(number) for number in range(150)], "nothing is missing, twice or cut"
    assert [part.count("wiki.example.com") for part in told] == [1, 0]
    assert [part.count("<@zhangsan>") for part in told] == [1, 0]
    with store.view() as unit:
        assert unit.all("SELECT key FROM marks WHERE space IN ('parts', 'mention')") == []


@pytest.mark.parametrize("failure", [(200, {}, b'{"errcode": -1}'), (500, {}, b"")])
def test_only_the_rest_is_sent_again_when_a_part_fails(store, listen, failure):
    robot = vendors.WeCom(KEY)
    receiver = listen(robot)
    channel = parse(f"wecom://{KEY}?endpoint={receiver.url}")
    queue(store, channel, one("".join(f"line {number} of " + "x" * 30 + "\n" for number in range(60)) + "内" * 1200))
    judge = robot.judge

    def breaks(*given):
        if len(robot.taken) == 1:
            return failure
        return judge(*given)

    robot.judge = breaks
    assert delivery.deliver(store, [channel], 0.5)[0].sent == 0
    assert len(robot.taken) == 1
    robot.judge = judge
    assert delivery.deliver(store, [again(store, receiver)], 5)[0].sent == 1
    told = contents(robot)
    assert lines_of(told) == [str(number) for number in range(60)]
    assert "".join(told).count("内") == 1200
    assert len(told) == len({part.splitlines()[0] for part in told})


def test_a_text_that_is_another_one_meanwhile_is_told_from_its_beginning(store, listen):
    robot = vendors.WeCom(KEY)
    channel = parse(f"wecom://{KEY}?endpoint={listen(robot).url}")
    queue(store, channel, one(LINES))
    judge = robot.judge
    robot.judge = lambda *given: (500, {}, b"") if len(robot.taken) == 1 else judge(*given)
    delivery.deliver(store, [channel], 0.5)
    robot.judge = judge
    channel.words = lambda events, _language: [dict(event, message="own words\n" + event["message"]) for event in events]
    assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert "own words" in contents(robot)[1]
    assert lines_of(contents(robot)[1:]) == [str(number) for number in range(150)]


def test_parts_of_a_list_are_alerts_that_are_each_told_once_whichever_fails(store, listen):
    robot = vendors.WeCom(KEY)
    receiver = listen(robot)
    url = f"wecom://{KEY}?endpoint={receiver.url}#ops"
    channel = parse(url)
    alerts = [new_event("shop", f"web{number:03}", f"page {number}", 1_700_000_000.0, message="m" * 90) for number in range(80)]
    over = [dict(alert, status="resolved", message="fine") for alert in alerts[:5]]
    queue(store, channel, *alerts, *over)
    judge = robot.judge
    robot.judge = lambda *given: (500, {}, b"") if len(robot.taken) == 2 else judge(*given)
    before = delivery.deliver(store, [channel], 0.5)[0].sent
    assert 0 < before < 85
    robot.judge = judge
    assert delivery.deliver(store, [again(store, receiver, "#ops")], 5)[0].sent == 85 - before
    named = re.findall(r"page (\d+)", "".join(contents(robot)))
    assert sorted(map(int, named)) == list(range(80))
    assert "more" not in "".join(contents(robot))
    assert len(re.findall(r"\[Resolved\] page", "".join(contents(robot)))) == 5, "of what is over the end alone"


def test_a_robot_that_is_nearly_used_up_is_told_in_one(store, listen):
    robot = vendors.WeCom(KEY)
    channel = parse(f"wecom://{KEY}?endpoint={listen(robot).url}&group=none")
    queue(store, channel, *(new_event("shop", f"web{number}", "page", 1_700_000_000.0, message="m") for number in range(17)))
    assert delivery.deliver(store, [channel], 5)[0].sent == 17
    listed = parse(f"wecom://{KEY}?endpoint={robot_url(channel)}#listed")
    queue(store, listed, *(new_event("shop", f"db{number}", f"disk {number}", 1_700_000_000.0, message="m" * 90) for number in range(80)))
    assert delivery.deliver(store, [listed], 5)[0].sent == 80
    assert len(robot.taken) == 18
    assert re.search(r"… and \d+ more\Z", contents(robot)[-1])
    assert robot.refusals == 0


def robot_url(channel):
    scheme, host, port = channel.origin
    return f"{scheme}://{host}:{port}"


def test_slack_gets_long_texts_in_several_blocks(store, listen):
    server = vendors.Slack("T0/B0/XXXXXXXX")
    channel = parse(f"slack://T0/B0/XXXXXXXX?endpoint={listen(server).url}")
    message = "".join(f"line {number} of <a&b> & more *bold* text\n" for number in range(80))
    queue(store, channel, one(message))
    assert delivery.deliver(store, [channel], 5)[0].attempts == 1
    sections = [block["text"]["text"] for block in server.taken[0]["blocks"][1:]]
    assert 1 < len(sections) <= 6
    assert lines_of(sections) == [str(number) for number in range(80)]
    assert not any(re.search(r"&[a-z]{0,3}\Z", section) for section in sections)


@pytest.mark.parametrize("text", ["&" * 4000, "<>&" * 3000, "word " * 2000, "x" * 9000, "内" * 9000, "😀" * 5000, "a\n" * 5000])
def test_sections_of_slack(text):
    written = slack.STYLE.escape(text)
    found = slack._sections(written)
    assert all(0 < texts.units(one) <= 3000 for one in found)
    assert re.sub(r"\n", "", "".join(found)) == re.sub(r"\n", "", written)
    assert not any(re.search(r"&(a|am|amp|l|lt|g|gt)?\Z", one) for one in found)


@pytest.mark.parametrize("message", ["内存不足 " * 700, "e\u0301" * 2040, "👩\u200d🚀" * 1300, "👍🏽" * 1500, "🏳️\u200d🌈" * 800, LINES])
def test_a_cut_is_never_within_a_character(message):
    page = portions.Page(wecom.MARKDOWN, 4096)
    parts = portions.of_text(one(message), "zh", page, portions.MOST)
    assert len(parts) > 1
    said = [part["message"] for part in parts]
    assert re.sub(r"\s", "", "".join(said)) == re.sub(r"\s", "", message)
    assert not any(part[0] in "\u0301\u200d\ufe0f🏽" for part in said)
    assert not any(part[-1] == "\u200d" for part in said)
    for part in parts[:-1]:
        told = texts.whole([part], "zh", wecom.MARKDOWN, 4096)
        assert texts.size(told) <= 4096
        assert "截短" not in told
        assert part["message"].splitlines()[-1] in told


def test_what_fits_is_one_message():
    page = portions.Page(wecom.MARKDOWN, 4096)
    assert len(portions.of_text(one("short"), "en", page, 5)) == 1
    assert len(portions.of_list([one("short"), dict(one("b"), alert_id="2")], "en", page, 5)) == 1
    assert portions.of_text(one("x" * 4096, annotations={"a": "y" * 9000}), "en", page, 5)[0]["message"], "facts leave no room: as ever"
    assert json.dumps(one("x")) == json.dumps(one("x"))
