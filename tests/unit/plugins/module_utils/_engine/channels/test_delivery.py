# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the outbox to real receivers on loopback: good, failing, slow, silent, dripping, redirecting, throttling, over TLS and proxies."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import breaker, delivery, texts, transport, wecom
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Answer, Request
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.verdicts import retry_after
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import entries, outbox

KEY = "KEY-693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The same steps in less time, and no proxy of the machine."""
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.02)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def queue(store, channel, count=1, alert=None, **values):
    channel.bind(store.salt)
    with store.unit() as unit:
        for number in range(count):
            event = new_event("shop", f"web{number}", "page", unit.now, message="it is down", **values)
            name = f"{number}-{time.monotonic_ns()}"
            outbox.add(unit, name, dict(event, event_id=name, alert_id=alert or event["alert_id"]), [channel.key])


def states(store):
    with store.view() as unit:
        return dict(unit.all("SELECT state, COUNT(*) FROM outbox GROUP BY state"))


def reason(store):
    with store.view() as unit:
        return unit.one("SELECT code, message, attempts FROM outbox ORDER BY updated DESC LIMIT 1")


def test_event_arrives_as_it_is(store, listen):
    receiver = listen()
    channel = parse({"url": receiver.url + "/hook/token?x=1", "headers": {"X-Api-Key": "s3cret-header"}})
    queue(store, channel, 3)
    report = delivery.deliver(store, [channel], 10)[0]
    assert (report.sent, report.attempts, report.code, report.message) == (3, 3, "200", "")
    assert [body["instance"] for body in receiver.bodies] == ["web0", "web1", "web2"]
    path, headers, _body = receiver.requests[0]
    assert path == "/hook/token?x=1"
    assert (headers["Content-Type"], headers["User-Agent"], headers["X-Api-Key"]) == ("application/json", transport.AGENT, "s3cret-header")
    assert len(receiver.connections) == 1
    assert states(store) == {"sent": 3}


def test_password_of_a_url_becomes_a_header(store, listen):
    receiver = listen()
    channel = parse(receiver.url.replace("://", "://me:pass%20word@") + "/")
    queue(store, channel)
    delivery.deliver(store, [channel], 10)
    assert receiver.requests[0][1]["Authorization"] == "Basic bWU6cGFzcyB3b3Jk"


@pytest.mark.parametrize(("status", "state"), [(200, "sent"), (204, "sent"), (301, "dead"), (307, "dead"), (400, "dead"), (401, "dead"), (404, "dead"),
                                               (408, "queued"), (425, "queued"), (429, "queued"), (500, "queued"), (503, "queued")])  # fmt: skip
def test_status_decides(store, listen, status, state):
    receiver = listen(status)
    channel = parse(receiver.url + "/hook")
    queue(store, channel)
    delivery.deliver(store, [channel], 1)
    assert states(store) == {state: 1}
    code, _message, attempts = reason(store)
    assert code == str(status)
    assert attempts == len(receiver.requests) >= 1


def test_trouble_that_passes(store, listen):
    answers = iter([500, 503, 200])
    receiver = listen(lambda _path, _body: (next(answers), {}, b""))
    channel = parse(receiver.url)
    queue(store, channel)
    assert delivery.deliver(store, [channel], 10)[0].attempts == 3
    assert states(store) == {"sent": 1}


def test_retry_after(store, listen):
    receiver = listen(lambda _path, _body: (429, {"Retry-After": "7"}, b""))
    channel = parse(receiver.url)
    queue(store, channel, 5)
    before = time.time()
    started = time.monotonic()
    delivery.deliver(store, [channel], 5)
    assert time.monotonic() - started < 4
    assert len(receiver.requests) == 1
    with store.view() as unit:
        assert unit.one("SELECT MAX(next_at) FROM outbox")[0] == pytest.approx(before + 7, abs=3)
    assert retry_after(Answer(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"")) == 0.0
    assert retry_after(Answer(429, {"retry-after": "nonsense"}, b"")) == 5.0
    assert retry_after(Answer(429, {"retry-after": "999999999"}, b"")) == 3600.0


def test_a_receiver_that_asks_to_wait_for_no_time_is_not_stormed(store, listen):
    receiver = listen(lambda _path, _body: (429, {"Retry-After": "0"}, b""))
    channel = parse(receiver.url)
    queue(store, channel)
    delivery.deliver(store, [channel], 2)
    assert 1 <= len(receiver.requests) <= 4
    assert states(store) == {"queued": 1}


def test_nobody_listens(store, receivers):
    channel = parse(f"http://127.0.0.1:{receivers.dead_port()}/token-abcdef")
    queue(store, channel, 50)
    started = time.monotonic()
    report = delivery.deliver(store, [channel], 10)[0]
    assert time.monotonic() - started < 8, "the breaker ends it early"
    assert (report.attempts, report.code) == (breaker.FAILURES, "refused")
    assert "token" not in report.message
    assert states(store) == {"queued": 50}


def test_unknown_name(store):
    channel = parse("http://no-such-host.invalid/token-abcdef")
    queue(store, channel)
    report = delivery.deliver(store, [channel], 5)[0]
    assert report.code == "dns"
    assert states(store) == {"queued": 1}


@pytest.mark.parametrize("mode", ["silent", "drip"])
def test_time_is_absolute(store, listen, mode):
    receiver = listen(mode)
    channel = parse({"url": receiver.url, "timeout": "400ms"})
    queue(store, channel)
    started = time.monotonic()
    report = delivery.deliver(store, [channel], 1.5)[0]
    assert time.monotonic() - started < 4
    assert report.code == "timeout"
    assert states(store) == {"queued": 1}


def test_huge_answer_is_not_read(store, listen):
    receiver = listen(lambda _path, _body: (200, {}, b"x" * 10_000_000))
    channel = parse(receiver.url)
    queue(store, channel, 2)
    delivery.deliver(store, [channel], 10)
    assert states(store) == {"sent": 2}


def test_a_slow_channel_does_not_hold_up_another(store, listen):
    slow, fast = listen("silent"), listen()
    channels = [parse({"url": slow.url, "timeout": 1}), parse(fast.url)]
    for channel in channels:
        queue(store, channel, 20, alert=None)
    reports = delivery.deliver(store, channels, 2.5)
    assert [report.sent for report in reports] == [0, 20]


def test_connection_closed_meanwhile(listen):
    receiver = listen()
    receiver.hangs_up = True
    way = transport.Transport(parse(receiver.url))
    for _number in range(3):
        assert way.send(Request(b"{}", {}), 5).status == 200
        time.sleep(0.05)
    assert len(receiver.requests) == len(receiver.connections) == 3


def test_tls(store, listen, receivers, tmp_path):
    ca, certificate, key = receivers.make_certificates(tmp_path)
    receiver = listen(tls=(certificate, key))
    channel = parse({"name": "good", "url": receiver.url, "ca": ca})
    queue(store, channel, 5)
    report = delivery.deliver(store, [channel], 10)[0]
    assert (report.sent, len(receiver.connections)) == (5, 1)
    stranger = parse({"name": "stranger", "url": receiver.url})
    queue(store, stranger)
    report = delivery.deliver(store, [stranger], 2)[0]
    assert (report.sent, report.code) == (0, "tls")
    plain = listen()
    wrong = parse({"name": "wrong", "url": plain.url.replace("http:", "https:"), "ca": ca})
    queue(store, wrong)
    assert delivery.deliver(store, [wrong], 2)[0].code == "tls"


def test_large_body_over_tls(listen, receivers, tmp_path):
    ca, certificate, key = receivers.make_certificates(tmp_path)
    receiver = listen(tls=(certificate, key))
    way = transport.Transport(parse({"url": receiver.url, "ca": ca}))
    body = json.dumps("x" * 3_000_000).encode()
    assert way.send(Request(body, {}), 20).status == 200
    assert receiver.requests[0][2] == body


def test_redirect_is_not_followed(store, listen):
    other = listen()
    receiver = listen(lambda _path, _body: (302, {"Location": other.url}, b""))
    channel = parse(receiver.url)
    queue(store, channel)
    delivery.deliver(store, [channel], 5)
    assert (len(receiver.requests), len(other.requests)) == (1, 0)
    assert reason(store)[:2] == ("302", "the receiver points elsewhere (HTTP 302); give its final URL")


def test_proxy(store, listen, monkeypatch):
    proxy = listen()
    monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://user:secret@"))
    monkeypatch.setenv("no_proxy", "direct.invalid")
    channel, direct = parse("http://far.invalid:8080/hook?a=b"), parse("http://direct.invalid/hook")
    queue(store, channel)
    queue(store, direct)
    reports = delivery.deliver(store, [channel, direct], 3)
    assert [report.sent for report in reports] == [1, 0]
    path, headers, _body = proxy.requests[0]
    assert (path, headers["Host"]) == ("http://far.invalid:8080/hook?a=b", "far.invalid:8080")
    assert headers["Proxy-Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    monkeypatch.setenv("https_proxy", proxy.url)
    tunnel = parse("https://far.invalid/hook")
    queue(store, tunnel)
    assert delivery.deliver(store, [tunnel], 2)[0].code in ("protocol", "tls", "reset")


def test_file(store, tmp_path):
    path = tmp_path / "events.jsonl"
    channel = parse(f"file://{path}")
    queue(store, channel, 3)
    delivery.deliver(store, [channel], 5)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["instance"] for line in lines] == ["web0", "web1", "web2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    gone = parse(f"file://{tmp_path}/none/events.jsonl")
    queue(store, gone)
    report = delivery.deliver(store, [gone], 1)[0]
    assert (report.code, report.message) == ("file", "the file cannot be opened: no such file or directory")


def robot_channel(receiver, more=""):
    return parse(f"wecom://{KEY}?endpoint={receiver.url}{more}")


def test_wecom_says_ok_in_the_body(store, listen, receivers):
    robot = receivers.Robot(KEY)
    channel = robot_channel(listen(robot), "&language=zh")
    queue(store, channel, severity="critical")
    assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert robot.contents[0].startswith('**<font color="warning">[严重] page</font>**\nit is down\n> 服务: shop')


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0, "sent"),
        (-1, "queued"),
        (45009, "queued"),
        (45033, "queued"),
        (40058, "dead"),
        (40008, "dead"),
        (93000, "dead"),
        (12345, "dead"),
        ("0", "dead"),
    ],
)
def test_wecom_codes(store, listen, receivers, code, state):
    robot = receivers.Robot(KEY)
    robot.force = code
    channel = robot_channel(listen(robot))
    queue(store, channel)
    delivery.deliver(store, [channel], 1)
    assert states(store) == {state: 1}


@pytest.mark.parametrize("answer", [b"<html>log in</html>", b"[]", b"{}", b'"x"', b"\xff\xfe", b""])
def test_wecom_answer_of_somebody_else(store, listen, answer):
    channel = robot_channel(listen(lambda _path, _body: (200, {}, answer)))
    queue(store, channel)
    delivery.deliver(store, [channel], 1)
    assert states(store) == {"queued": 1}
    assert reason(store)[0] == "no_json"


def test_wecom_rate_is_kept(store, listen, receivers):
    robot = receivers.Robot(KEY)
    receiver = listen(robot)
    channel = robot_channel(receiver, "&group=none")
    queue(store, channel, 30)
    report = delivery.deliver(store, [channel], 2)[0]
    assert (report.sent, report.code) == (20, "budget")
    assert len(receiver.requests) == 20
    same = robot_channel(receiver, "#by-another-name")
    queue(store, same, 1)
    assert delivery.deliver(store, [same], 1)[0].sent == 0
    assert states(store) == {"sent": 20, "queued": 11}


def test_wecom_sizes(store, listen, receivers):
    robot = receivers.Robot(KEY)
    channel = robot_channel(listen(robot), "&group=none")
    channel.bind(store.salt)
    messages = ["错误" * 3000, "line of text\n" * 2000, "😀" * 2000, "x" * 4096]
    with store.unit() as unit:
        for number, message in enumerate(messages):
            event = new_event("shop", "web1", f"check {number}", unit.now, message=message, labels={"n": number})
            outbox.add(unit, str(number), event, [channel.key])
    assert delivery.deliver(store, [channel], 5)[0].sent == 4
    for content in robot.contents:
        assert len(content.encode()) <= 4096
    told = [[one for one in robot.contents if f"] check {number}" in one] for number in range(4)]
    assert [len(parts) for parts in told] == [4, 2, 3, 2]
    assert all("> Instance: web1" in parts[0] for parts in told)
    assert "".join(part.splitlines()[1] for part in told[0]) == ("错误" * 3000)[:4095] + "…"  # events hold no more
    assert not any("(shortened)" in one for one in robot.contents)


def queue_alerts(store, channel, *events):
    """Queue (instance, check, severity, status) for a channel."""
    channel.bind(store.salt)
    with store.unit() as unit:
        for number, (instance, check, severity, status) in enumerate(events):
            event = new_event("shop", instance, check, 1700000000.0, severity=severity, status=status, message=f"{check} is {status}")
            outbox.add(unit, f"{number}-{time.monotonic_ns()}", event, [channel.key])


MIXED = [
    ("web1", "disk", "warning", "firing"),
    ("web1", "page", "critical", "firing"),
    ("web2", "page", "error", "firing"),
    ("web2", "load", "error", "resolved"),
    ("web1", "disk", "warning", "resolved"),
]


def test_digest_of_a_play(store, listen, receivers):
    robot = receivers.Robot(KEY)
    channel = robot_channel(listen(robot))
    queue_alerts(store, channel, *MIXED)
    report = delivery.deliver(store, [channel], 5)[0]
    assert (report.sent, report.attempts) == (5, 1)
    assert states(store) == {"sent": 5}
    lines = robot.contents[0].splitlines()
    assert lines[:2] == ['**<font color="warning">[Critical] 4 alerts, 2 hosts</font>**', "> In all: Critical 1, Error 1, Resolved 2"]
    heads = re.findall(r"\[(\w+)\] (\w+)</font>", robot.contents[0])
    # an alert that ended since is told by its end alone
    assert heads == [("Critical", "page"), ("Error", "page"), ("Resolved", "disk"), ("Resolved", "load")]


def test_digest_of_each_host(store, listen, receivers):
    robot = receivers.Robot(KEY)
    channel = robot_channel(listen(robot), "&group=host&language=zh")
    queue_alerts(store, channel, *MIXED)
    report = delivery.deliver(store, [channel], 5)[0]
    assert (report.sent, report.attempts) == (5, 2)
    assert robot.contents[0].startswith('**<font color="warning">[严重] web1: 2 条告警</font>**\n> 合计: 严重 1, 已恢复 1\n')
    assert robot.contents[1].startswith('**<font color="warning">[错误] web2: 2 条告警</font>**')


def test_one_event_is_told_as_it_would_be_alone(store, listen, receivers):
    robot = receivers.Robot(KEY)
    channel = robot_channel(listen(robot))
    queue_alerts(store, channel, ("web1", "page", "error", "firing"))
    delivery.deliver(store, [channel], 5)
    assert robot.contents[0].startswith('**<font color="warning">[Error] page</font>**\npage is firing\n> Service: shop')


def test_digest_of_many_tells_the_worst_and_how_many_more(store, listen, receivers):
    robot = receivers.Robot(KEY)
    channel = robot_channel(listen(robot))
    severities = ["warning"] * 800 + ["critical"] * 7
    queue_alerts(store, channel, *((f"web{number:03}", f"page {number}", severity, "firing") for number, severity in enumerate(severities)))
    assert delivery.deliver(store, [channel], 10)[0].attempts == 5
    assert all(2000 < len(content.encode()) <= 4096 for content in robot.contents)
    lines = [content.splitlines() for content in robot.contents]
    assert re.match(r'\*\*<font color="warning">\[Critical\] \d+ alerts, \d+ hosts \(1/5\)</font>\*\*\Z', lines[0][0])
    assert [line[:10] for line in lines[0][2:9]] == ["[Critical]"] * 7
    shown = sum(line.startswith("[") for part in lines for line in part[2:])
    assert lines[4][-1] == f"… and {807 - shown} more"
    assert not any("more" in part[-1] for part in lines[:4])
    assert states(store) == {"sent": 807}


def test_programs_get_every_event_by_itself(store, listen, tmp_path):
    receiver = listen()
    channels = [parse({"url": receiver.url, "group": "play"}), parse({"url": f"file://{tmp_path}/events.jsonl", "group": "host"})]
    for channel in channels:
        queue_alerts(store, channel, *MIXED[:4])
    assert [report.attempts for report in delivery.deliver(store, channels, 5)] == [4, 4]
    assert [(body["instance"], body["check"], body["severity"], body["status"]) for body in receiver.bodies] == MIXED[:4]
    assert len((tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize("code", [-1, 45009])
def test_digest_that_cannot_be_sent_leaves_all_queued(store, listen, receivers, code):
    robot = receivers.Robot(KEY)
    robot.force = code
    receiver = listen(robot)
    channel = robot_channel(receiver)
    queue(store, channel, 30)
    delivery.deliver(store, [channel], 1)
    assert states(store) == {"queued": 30}
    with store.unit() as unit:
        unit.execute("UPDATE outbox SET throttled = 0, next_at = 0")
        unit.execute("DELETE FROM marks WHERE space = 'rest'")
    robot.force = None
    before = len(receiver.requests)
    assert delivery.deliver(store, [channel], 5)[0].sent == 30
    assert len(receiver.requests) == before + 1


def test_digest_that_a_robot_refuses_for_good(store, listen, receivers):
    robot = receivers.Robot("another key of the same length as that")
    receiver = listen(robot)
    channel = robot_channel(receiver)
    queue(store, channel, 30)
    assert delivery.deliver(store, [channel], 5)[0].dead == 30
    assert len(receiver.requests) == 1


def test_one_text_that_is_refused_does_not_take_others_with_it(store, listen, receivers):
    robot = receivers.Robot(KEY)

    def picky(path, body):
        if b"web3" in body:
            return 200, {}, b'{"errcode": 40058, "errmsg": "markdown.content"}'
        return robot(path, body)

    channel = robot_channel(listen(picky))
    queue(store, channel, 6)
    report = delivery.deliver(store, [channel], 5)[0]
    assert (report.sent, report.dead) == (5, 1)
    assert states(store) == {"sent": 5, "dead": 1}
    with store.view() as unit:
        assert [entry["event"]["instance"] for entry in entries.entries(unit, "dead")] == ["web3"]


def test_digest_costs_one_message_of_the_budget(store, listen, receivers):
    robot = receivers.Robot(KEY)
    receiver = listen(robot)
    for _number in range(21):
        channel = robot_channel(receiver)
        queue(store, channel, 3)
        report = delivery.deliver(store, [channel], 1)[0]
    assert (report.sent, report.code) == (0, "budget")
    assert states(store) == {"sent": 60, "queued": 3}


@pytest.mark.parametrize("limit", range(300, 4200, 137))
def test_digest_fits(limit):
    events = [
        new_event(
            "服务", "主机" * (number % 7), "检查" * (number % 5), float(number), message="内容😀\n" * (number % 50), severity=severity
        )
        for number, severity in enumerate(["info", "warning", "error", "critical"] * 8)
    ]
    for language in texts.WORDS:
        for count in (2, 5, 32):
            text = texts.whole(events[:count], language, wecom.MARKDOWN, limit)
            assert len(text.encode()) <= limit
            assert "\ufffd" not in text


@pytest.mark.parametrize("limit", range(200, 1200, 37))
def test_shortening_never_cuts_a_character(limit):
    event = new_event("服务", "主机", "检查" * 10, 0.0, message="内容😀\n" * 300, labels={"标签": "值" * 200})
    for language in texts.WORDS:
        text = texts.whole([event], language, wecom.MARKDOWN, limit)
        assert len(text.encode()) <= limit
        assert "\ufffd" not in text


def test_lasted():
    assert [texts.lasted(seconds) for seconds in (0, 45, 60, 4320, 90000, 864000)] == ["0s", "45s", "1m", "1h 12m", "1d 1h", "10d"]
    assert set(texts.WORDS["en"]) == set(texts.WORDS["zh"])


def test_no_secret_in_the_store(store, listen, receivers, tmp_path):
    secrets = ["user-name-77", "pass-word-77", "path-token-77", "query-value-77", "header-value-77", KEY]
    receiver = listen(500)
    place = receiver.url.replace("://", "://user-name-77:pass-word-77@")
    channels = [
        parse({"url": f"{place}/path-token-77?k=query-value-77", "headers": {"X-Key": "header-value-77"}}),
        parse(f"http://127.0.0.1:{receivers.dead_port()}/path-token-77?k=query-value-77"),
        robot_channel(listen(lambda _path, _body: (200, {}, b'{"errcode": 93000, "errmsg": "' + KEY.encode() + b'"}'))),
    ]
    for channel in channels:
        queue(store, channel, 2)
    delivery.deliver(store, channels, 2)
    with store.view() as unit:
        shown = json.dumps([entries.entries(unit, kind) for kind in ("events", "outbox", "dead")])
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in data


SENDER = (
    "import sys\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import delivery\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store\n"
    "store, channel = open_store(sys.argv[1]), parse(sys.argv[2])\n"
    "channel.bind(store.salt)\n"
    "delivery.deliver(store, [channel], 30)\n"
)


def test_several_senders_send_each_message_once(store, listen):
    receiver = listen()
    receiver.delay = 0.005
    channel = parse(receiver.url)
    queue(store, channel, 100)
    senders = [subprocess.Popen([sys.executable, "-c", SENDER, store.path, receiver.url]) for _number in range(4)]
    assert [sender.wait(60) for sender in senders] == [0] * 4
    delivery.deliver(store, [channel], 10)
    instances = [body["instance"] for body in receiver.bodies]
    assert sorted(instances) == sorted(f"web{number}" for number in range(100))


def kill_senders(store, receiver, times):
    channel = parse(receiver.url)
    queue(store, channel, times * 10)
    for number in range(times):
        sender = subprocess.Popen([sys.executable, "-c", SENDER, store.path, receiver.url])
        wanted = len(receiver.requests) + 1 + number % 3
        give_up = time.monotonic() + 20
        while len(receiver.requests) < wanted and time.monotonic() < give_up and sender.poll() is None:
            time.sleep(0.002)
        sender.kill()
        sender.wait(10)
    delivery.deliver(store, [channel], 30)
    instances = [body["instance"] for body in receiver.bodies]
    assert set(instances) == {f"web{number}" for number in range(times * 10)}
    assert len(instances) <= times * 10 + times, "only what was in flight may come twice"
    assert states(store) == {"sent": times * 10}


def test_killed_senders_lose_nothing(store, listen):
    receiver = listen()
    receiver.delay = 0.01
    kill_senders(store, receiver, 8)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_senders_lose_nothing_long(store, listen):
    receiver = listen()
    receiver.delay = 0.01
    kill_senders(store, receiver, 200)


def test_store_that_fails_under_way(store, listen):
    channel = parse(listen().url)
    queue(store, channel, 2)
    blocker = sqlite3.connect(store.path)
    blocker.execute("PRAGMA user_version = 99")
    blocker.close()
    assert delivery.deliver(store, [channel], 5)[0].sent == 2


def test_a_file_that_becomes_a_link_is_refused(store, tmp_path):
    channel = parse(f"file://{tmp_path}/events.jsonl")
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "else")
    queue(store, channel)
    report = delivery.deliver(store, [channel], 2)[0]
    assert (report.dead, report.message) == (1, "the file is a symbolic link; give the path of the file itself")
    assert not (tmp_path / "else").exists()


def test_times_in_sentences_are_for_people(store, listen):
    channel = parse(listen("silent").url)
    queue(store, channel)
    report = delivery.deliver(store, [channel], 0.98765)[0]
    assert re.search(r"within 0\.\d s$", report.message), report.message
