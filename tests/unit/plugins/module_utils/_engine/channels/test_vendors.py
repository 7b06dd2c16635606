# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every vendor's dialect against its server over TLS: what it takes, and what becomes of each of its codes. Success is what the body says."""

from __future__ import annotations

import json
import os
import re
import time

import pytest
import trustme
import vendors
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import breaker, delivery, dingtalk, feishu, portions
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import entries, outbox

TOKEN = "0123456789abcdef0123456789abcdef"
SECRET = "SECabcdef0123456789"
SIG = "sig-abc_DEF-0123456789"
FLOW = f"teams://flow.example.com{vendors.Teams.PATH}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIG}"
SLACK = f"T00000000/B00000000/{TOKEN}"

# name -> (URL without endpoint, the vendor's server, where the text of a message stands)
CHATS = {
    "wecom": (f"wecom://{TOKEN}?", lambda: vendors.WeCom(TOKEN), lambda taken: taken["markdown"]["content"]),
    "wecom text": (f"wecom://{TOKEN}?type=text&", lambda: vendors.WeCom(TOKEN), lambda taken: taken["text"]["content"]),
    "wecom markdown_v2": (f"wecom://{TOKEN}?type=markdown_v2&", lambda: vendors.WeCom(TOKEN), lambda taken: taken["markdown_v2"]["content"]),
    "wecom card": (f"wecom://{TOKEN}?type=template_card&", lambda: vendors.WeCom(TOKEN), lambda taken: json.dumps(taken, ensure_ascii=False)),
    "dingtalk": (f"dingtalk://{TOKEN}?secret={SECRET}&", lambda: vendors.DingTalk(TOKEN, SECRET), lambda taken: taken["markdown"]["text"]),
    "dingtalk text": (f"dingtalk://{TOKEN}?type=text&", lambda: vendors.DingTalk(TOKEN), lambda taken: taken["text"]["content"]),
    "dingtalk card": (f"dingtalk://{TOKEN}?type=actionCard&", lambda: vendors.DingTalk(TOKEN), lambda taken: taken[taken["msgtype"]]["text"]),
    "feishu": (f"feishu://{TOKEN}?secret={SECRET}&", lambda: vendors.Feishu(TOKEN, SECRET), lambda taken: taken["card"]["elements"][0]["text"]["content"]),
    "lark": (f"lark://{TOKEN}?", lambda: vendors.Feishu(TOKEN), lambda taken: taken["card"]["elements"][0]["text"]["content"]),
    "feishu text": (f"feishu://{TOKEN}?type=text&", lambda: vendors.Feishu(TOKEN), lambda taken: taken["content"]["text"]),
    "slack": (f"slack://{SLACK}?", lambda: vendors.Slack(SLACK), lambda taken: taken["blocks"][1]["text"]["text"]),
    "slack api": ("slack://xoxb-abc-123456@C0ABC?", lambda: vendors.Slack("xoxb-abc-123456", "C0ABC"), lambda taken: taken["blocks"][1]["text"]["text"]),
    "teams": (FLOW + "&", lambda: vendors.Teams(SIG), lambda taken: taken["body"][1]["text"]),
    "teams connector": (f"teams://x.webhook.office.com/webhookb2/{TOKEN}?", lambda: vendors.Connector(TOKEN), lambda taken: taken["text"]),
    "discord": (f"discord://12345/{TOKEN}?", lambda: vendors.Discord(f"12345/{TOKEN}"), lambda taken: taken["embeds"][0]["description"]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.02)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """(CA, certificate, key) of a CA of our own."""
    place = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(place / "ca.pem"))
    cert = ca.issue_cert("127.0.0.1", "localhost")
    cert.private_key_pem.write_to_path(str(place / "key.pem"))
    for number, blob in enumerate(cert.cert_chain_pems):
        blob.write_to_path(str(place / "cert.pem"), append=number > 0)
    return str(place / "ca.pem"), str(place / "cert.pem"), str(place / "key.pem")


@pytest.fixture
def open_channel(listen, tls):
    """`open_channel("slack", "&more")`: the channel and its vendor's server."""

    def make(name, more="", **options):
        url, vendor, _text = CHATS[name]
        server = vendor()
        receiver = listen(server, tls[1:])
        return parse({"url": f"{url}endpoint={receiver.url}{more}", "ca": tls[0], **options}), server

    return make


def queue(store, channel, *events):
    channel.bind(store.salt)
    with store.unit() as unit:
        for number, event in enumerate(events):
            outbox.add(unit, f"{number}-{time.monotonic_ns()}", event, [channel.key])


def event(instance="web1", check="page", **values):
    return new_event("shop", instance, check, 1700000000.0, **{"severity": "critical", "message": "it is down", **values})


def rows(store):
    with store.view() as unit:
        return unit.all("SELECT state, attempts, code, message FROM outbox ORDER BY id")


def forget_budget(store, server=None):
    """As if time had passed."""
    with store.unit() as unit:
        unit.execute("DELETE FROM marks WHERE space = 'budget'")
        unit.execute(
            "UPDATE outbox SET next_at = 0 WHERE code IS NULL OR throttled = 1 AND attempts > 0 AND code NOT IN ('429', 'ratelimited')"
        )
    if server is not None:
        server._times.clear()


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_message_of_each_kind(store, open_channel, name, language):
    channel, server = open_channel(name, f"&group=none&language={language}")
    link = {"runbook": "https://wiki.example.com/page"}
    told = [
        event(annotations=link, labels={"db": "shop"}),
        event(check="disk", severity="warning", message="used_percent is 93.1, expected < 90", annotations=link),
        event(check="load", status="resolved", message="load is fine", annotations=link),
        event(check="backup", severity="info", message="内存不足", annotations=link),
    ]
    for one in told:
        queue(store, channel, one)
        forget_budget(store, server)
        delivery.deliver(store, [channel], 5)
    assert [row[0] for row in rows(store)] == ["sent"] * 4, rows(store)
    shown = [CHATS[name][2](taken) for taken in server.taken]
    assert "it is down" in shown[0]
    assert ("实例" if language == "zh" else "Instance") in (
        shown[0] if "card" not in name else json.dumps(server.taken[0], ensure_ascii=False)
    )
    assert server.refusals == 0
    assert not any(taken.get("called") for taken in server.taken)


@pytest.mark.parametrize("name", CHATS)
def test_digest_of_many(store, open_channel, name):
    channel, server = open_channel(name)
    queue(
        store,
        channel,
        *(
            event(f"web{number}", check=f"page {number}", severity="warning" if number % 3 else "critical", message="慢 " * 40)
            for number in range(300)
        ),
    )
    report = delivery.deliver(store, [channel], 10)[0]
    assert (report.sent, report.attempts, server.refusals) == (300, len(server.taken), 0), (report.message, rows(store)[0])
    whole = [json.dumps(taken, ensure_ascii=False) for taken in server.taken]
    assert 2 < len(whole) <= portions.MOST
    assert all(f"({number}/{len(whole)})" in one for number, one in enumerate(whole, 1))
    named = [number for one in whole for number in re.findall(r"page (\d+)", one)]
    more = re.search(r"and (\d+) more", whole[-1])
    assert len(named) == len(set(named)) == 300 - int(more.group(1) if more else 0)
    assert not any(re.search(r"and \d+ more", one) for one in whole[:-1]), "only the last has no room"
    assert not any("�" in one for one in whole)


HUGE = [
    "错误" * 2000,
    "line of text\n" * 330,
    "😀" * 2000,
    "<a&b>" * 800,
    "*_`~[x](y)" * 400,
    '"\\' * 2000,
    "x" * 4096,
]


@pytest.mark.parametrize("name", CHATS)
def test_sizes_are_counted_as_the_vendor_does(store, open_channel, name):
    channel, server = open_channel(name, "&group=none")
    given = HUGE[2:5] if name.startswith("slack") else HUGE  # parts wait for each other there
    for number, message in enumerate(given):
        one = event(
            check=f"check {number} " + "名" * 300,
            message=message,
            labels={"标签" * 50: "值" * 900},
            annotations={f"a{n}": "注" * 700 for n in range(9)},
        )
        queue(store, channel, one)
        forget_budget(store, server)
        delivery.deliver(store, [channel], 5)
    assert [row[0] for row in rows(store)] == ["sent"] * len(given), [row for row in rows(store) if row[0] != "sent"]
    assert server.refusals == 0
    for taken in server.taken:
        assert "�" not in CHATS[name][2](taken)


HOSTILE = [
    "@everyone @here @all <@12345> <@&12345> <@U123> <!channel> <!here> <!subteam^S1>",
    '<at id=all></at> <at user_id="all">x</at> <at>Ann</at> <@all> <font color="info">x</font>',
    "[click](https://evil.example.com) <https://evil.example.com|click> **bold** # head",
]


@pytest.mark.parametrize("name", CHATS)
def test_text_of_users_calls_nobody_and_links_nowhere(store, open_channel, name):
    channel, server = open_channel(name)
    told = [
        event(f"web{number}", check=text[:60], message=text, labels={"x": text}, annotations={text[:20]: text})
        for number, text in enumerate(HOSTILE)
    ]
    queue(store, channel, *told)
    queue(store, channel, event("web9", message="\n".join(HOSTILE)))
    assert delivery.deliver(store, [channel], 5)[0].sent == 4, rows(store)
    for taken in server.taken:
        assert not taken.get("called")
        assert not taken.get("links")
        shown = CHATS[name][2](taken)
        if "text" in name or name == "wecom card":
            continue  # which show everything as it is written
        assert not re.search(r"(?<!\\)<(https://evil|@|font color=.info|at\b|!)", shown)
        assert name.startswith("slack") or "[click](" not in shown
        assert "**bold**" not in shown


def test_feishu_text_has_no_tags_of_users(store, open_channel):
    channel, server = open_channel("feishu text")
    queue(store, channel, event(message=HOSTILE[1]))
    delivery.deliver(store, [channel], 5)
    assert "<at" not in server.taken[0]["content"]["text"]


@pytest.mark.parametrize(
    ("name", "mention", "called"),
    [
        ("dingtalk", "13800001111,manager7,all", ["13800001111", "manager7", "all"]),
        ("dingtalk text", "13800001111", ["13800001111"]),
        ("feishu", "ou_abc,all,ann@example.com", ["ou_abc", "all", "ann@example.com"]),
        ("feishu text", "ou_abc,all", ["ou_abc", "all"]),
        ("slack", "U0123,S0456,here", ["@U0123", "!subteam^S0456", "!here"]),
        ("slack", "all", ["!channel"]),
        ("discord", "42,&77", ["42", "&77"]),
        ("discord", "everyone", ["@everyone"]),
    ],
)
def test_mentions(store, open_channel, name, mention, called):
    channel, server = open_channel(name, "&group=none&mention=" + mention.replace("&", "%26"))
    for one in (event(), event(check="disk", severity="warning"), event(check="load", status="resolved")):
        queue(store, channel, one)
        forget_budget(store, server)
        delivery.deliver(store, [channel], 5)
    assert [taken["called"] for taken in server.taken] == [called, [], []]


def test_mentions_of_wecom_and_teams(store, open_channel):
    channel, server = open_channel("wecom", "&mention=zhangsan&mention_from=warning")
    queue(store, channel, event(severity="warning"))
    delivery.deliver(store, [channel], 5)
    assert server.taken[0]["markdown"]["content"].endswith("\n<@zhangsan>")
    channel, server = open_channel("wecom markdown_v2", "&mention=all,13800001111,zhangsan")
    queue(store, channel, event())
    delivery.deliver(store, [channel], 5)
    assert server.taken[0]["text"]["mentioned_list"] == ["@all", "zhangsan"], "markdown cannot call everybody, so it is a text"
    assert server.taken[0]["text"]["mentioned_mobile_list"] == ["13800001111"]
    channel, server = open_channel("teams", "&mention=ann@example.com")
    queue(store, channel, event())
    delivery.deliver(store, [channel], 5)
    assert server.taken[0]["msteams"]["entities"] == [
        {"type": "mention", "text": "<at>ann@example.com</at>", "mentioned": {"id": "ann@example.com", "name": "ann@example.com"}}
    ]


def test_signatures():
    assert dingtalk.sign("SEC000", 1700000000000) == "ltBBey5eZrWKh1cPzFIdz3v3xpkc4Tjx4lLsPSHqdtA="
    assert feishu.sign("abc", 1700000000) == "VIS10b0EBvzzSdFnuk4tznEmK5wHaruvf/WnViv2yR4="


@pytest.mark.parametrize("name", ["dingtalk", "feishu"])
def test_signature_that_is_too_old_is_made_anew_once(store, open_channel, name):
    channel, server = open_channel(name)
    late = iter([7200.0, 0.0, 0.0])
    server.clock = lambda: time.time() + next(late, 0.0)
    queue(store, channel, event())
    assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert rows(store)[0][1] == 2
    server.secret = "another"
    queue(store, channel, event(check="disk"))
    assert delivery.deliver(store, [channel], 5)[0].dead == 1
    state, attempts, code, message = rows(store)[1]
    assert (state, attempts, code) == ("dead", 2, {"dingtalk": "310000", "feishu": "19021"}[name])
    assert "signature" in message


JSON = {"Content-Type": "application/json"}


def errcode(code, text=""):
    return 200, JSON, json.dumps({"errcode": code, "errmsg": text}).encode()


def code(number, status=200, **more):
    return status, JSON, json.dumps({"code": number, "msg": "x", **more}).encode()


def status(number, body=b"", **headers):
    return number, headers, body


PORTAL = status(200, b"<html>log in</html>")
# (dialect, answer, what becomes of the message, attempts when it is dead, words of the reason)
CODES = [
    *(("wecom", errcode(number), state, tries, words) for number, state, tries, words in [
        (0, "sent", 1, ""),
        (-1, "queued", 0, "busy"),
        (45009, "queued", 1, "too often"),
        (45033, "queued", 1, "too often"),
        (40008, "dead", 1, "message type"),
        (93000, "dead", 1, "key is not valid"),
        (40058, "dead", 3, "too long"),
        (40001, "dead", 2, "errcode 40001"),
        ("0", "dead", 2, ""),
        (None, "queued", 0, ""),
        (True, "dead", 2, ""),
        (False, "dead", 2, ""),
    ]),
    *(("dingtalk", errcode(number, text), state, tries, words) for number, text, state, tries, words in [
        (0, "ok", "sent", 1, ""),
        (-1, "system busy", "queued", 0, "busy"),
        (130101, "send too fast", "queued", 1, "too often"),
        (410100, "send too fast", "queued", 1, "too often"),
        (310000, "keywords not in content", "dead", 1, "keyword"),
        (310000, "ip 1.2.3.4 not in whitelist", "dead", 1, "address"),
        (310000, "sign not match", "dead", 2, "signature"),
        (310000, "invalid timestamp", "dead", 2, "signature or the time"),
        (460101, "message too long", "dead", 3, "too long"),
        (101002, "message too long", "dead", 3, "too long"),
        (300001, "token is not exist", "dead", 1, "token"),
        (400101, "access_token not found", "dead", 1, "token"),
        (40035, "param missing", "dead", 1, "parameter"),
        (88, "something new", "dead", 2, "errcode 88"),
    ]),
    *(("feishu", answer, state, tries, words) for answer, state, tries, words in [
        (code(0), "sent", 1, ""),
        (status(200, b'{"StatusCode": 0}'), "sent", 1, ""),
        (code(0, StatusCode=0), "sent", 1, ""),
        (code(11232), "queued", 1, "too often"),
        (code(19021), "dead", 2, "signature"),
        (code(19022), "dead", 1, "address"),
        (code(19024), "dead", 1, "keyword"),
        (code(9499), "dead", 1, "not valid"),
        (code(9499, 400), "dead", 1, "not valid"),
        (code(19001), "dead", 1, "token"),
        (code(19002), "dead", 1, "parameter"),
        (code(19036), "dead", 3, "too long"),
        (code(19036, 400), "dead", 3, "too long"),
        (code(0, 502), "queued", 0, "HTTP 502"),
        (code(77), "dead", 2, "code 77"),
    ]),
    *(("slack", answer, state, tries, words) for answer, state, tries, words in [
        (status(200, b"ok"), "sent", 1, ""),
        (status(200, b"ok\n"), "sent", 1, ""),
        (status(200, b"okay"), "dead", 2, ""),
        (status(200, b""), "queued", 0, "not Slack's"),
        (status(429, b"rate_limited", **{"Retry-After": "30"}), "queued", 1, "wait"),
        (status(400, b"invalid_payload"), "dead", 1, "not valid"),
        (status(400, b"invalid_blocks"), "dead", 1, "not valid"),
        (status(403, b"action_prohibited"), "dead", 1, "forbids"),
        (status(403, b"invalid_token"), "dead", 1, "token"),
        (status(404, b"no_service"), "dead", 1, "no such webhook"),
        (status(404, b"channel_not_found"), "dead", 1, "no such channel"),
        (status(410, b"channel_is_archived"), "dead", 1, "archived"),
        (status(500, b"server_error"), "queued", 0, ""),
        (status(503, b""), "queued", 0, "HTTP 503"),
    ]),
    *(("slack api", status(200, json.dumps(body).encode()), state, tries, words) for body, state, tries, words in [
        ({"ok": True}, "sent", 1, ""),
        ({"ok": False, "error": "ratelimited"}, "queued", 1, "wait"),
        ({"ok": False, "error": "channel_not_found"}, "dead", 1, "no such channel"),
        ({"ok": False, "error": "invalid_auth"}, "dead", 2, "invalid_auth"),
        ({"ok": False, "error": "msg_too_long"}, "dead", 3, "too long"),
        ({"ok": False, "error": "internal_error"}, "queued", 0, "trouble"),
        ({"ok": "true"}, "queued", 0, "not Slack's"),
    ]),
    *(("teams", answer, state, tries, words) for answer, state, tries, words in [
        (status(202), "sent", 1, ""),
        (status(200), "sent", 1, ""),
        (status(204), "dead", 2, "not a workflow's"),
        (status(429, b"", **{"Retry-After": "20"}), "queued", 1, "wait"),
        (status(401), "dead", 1, "not there any more"),
        (status(403), "dead", 1, "not there any more"),
        (status(404), "dead", 1, "not there any more"),
        (status(413), "dead", 3, "HTTP 413"),
        (status(500), "queued", 0, "HTTP 500"),
        (status(502), "queued", 0, "HTTP 502"),
    ]),
    *(("teams connector", status(200, body), state, tries, words) for body, state, tries, words in [
        (b"1", "sent", 1, ""),
        (b"", "dead", 2, "does not say 1"),
        (b"0", "dead", 2, "does not say 1"),
        (b"Microsoft Teams endpoint returned HTTP error 429 with ContextId x", "queued", 1, "HTTP 429"),
        (b"Microsoft Teams endpoint returned HTTP error 413 with ContextId x", "dead", 3, "HTTP 413"),
        (b"Microsoft Teams endpoint returned HTTP error 400 with ContextId x", "dead", 1, "HTTP 400"),
        (b"Microsoft Teams endpoint returned HTTP error 503 with ContextId x", "queued", 0, "HTTP 503"),
    ]),
    *(("discord", answer, state, tries, words) for answer, state, tries, words in [
        (status(200, b'{"id": "1"}'), "sent", 1, ""),
        (status(204), "sent", 1, ""),
        (status(200, b"{}"), "queued", 0, "not Discord's"),
        (status(429, b'{"retry_after": 30.65, "global": false}'), "queued", 1, "Discord asks to wait"),
        (status(429, b'{"retry_after": 30.65, "global": true}', **{"X-RateLimit-Global": "true"}), "queued", 1, "this address"),
        (status(429, b"<html>", **{"Retry-After": "30"}), "queued", 1, "wait"),
        (status(400, b'{"code": 50035}'), "dead", 1, "HTTP 400"),
        (status(401), "dead", 1, "not there any more"),
        (status(404), "dead", 1, "not there any more"),
        (status(502), "queued", 0, "HTTP 502"),
    ]),
    *((name, PORTAL, "queued", 0, "portal") for name in ("wecom", "dingtalk", "feishu", "slack", "discord")),
    ("teams connector", PORTAL, "dead", 2, "does not say 1"),
    *((name, status(307, Location="https://127.0.0.1:9/x"), "dead", 1, "elsewhere") for name in CHATS if " " not in name),
    *((name, status(500), "queued", 0, "HTTP 500") for name in CHATS if " " not in name and name != "teams"),
    *((name, status(429, **{"Retry-After": "30"}), "queued", 1, "wait") for name in ("wecom", "dingtalk", "feishu")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "state", "tries", "words"), CODES, ids=lambda value: str(value)[:60])
def test_every_code(store, open_channel, name, answer, state, tries, words):
    """No refusal is a success; what passes is tried again, what the vendor asks to wait for is waited for, all else is kept as dead."""
    channel, server = open_channel(name)
    server.force = answer
    queue(store, channel, event())
    for _number in range(6 if state == "dead" and tries == 2 else 1):
        forget_budget(store)
        delivery.deliver(store, [channel], 6.0 if tries == 3 else 0.6)
    row = rows(store)[0]
    assert row[0] == state, row
    if state == "dead" and tries < 3:
        assert row[1] == tries
    if state == "queued":
        assert row[1] == (1 if tries == 1 else breaker.FAILURES) or name.startswith("slack") or "portal" in words, row
    assert words in row[3]
    assert TOKEN not in row[3]


def test_too_long_is_told_shorter(store, open_channel):
    """A vendor that takes less than it says: the text is halved until it fits."""
    channel, server = open_channel("teams")
    judge = server.judge
    server.judge = lambda path, query, headers, message, body: (
        (413, {}, b"") if len(body) > 4000 else judge(path, query, headers, message, body)
    )
    queue(store, channel, event(message="line\n" * 800))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
    assert "(shortened)" in server.taken[0]["body"][1]["text"]


@pytest.mark.parametrize("name", ["wecom", "dingtalk"])
def test_budget_of_a_robot_is_shared_so_that_no_vendor_has_to_refuse(store, open_channel, name):
    channel, server = open_channel(name, "&group=none")
    queue(store, channel, *(event(f"web{number}") for number in range(25)))
    for _number in range(3):
        delivery.deliver(store, [parse_again(channel)], 2)
    assert len(server.taken) == 20
    assert server.refusals == 0


def parse_again(channel):
    """The same channel as another process would see it."""
    channel.own = dict(channel.own)
    return channel


def test_a_robot_that_is_shut_out_is_left_alone_by_everybody(store, open_channel):
    """Somebody else uses the robot, too: it is shut out for ten minutes, and every process on this store waits."""
    channel, server = open_channel("dingtalk", "&group=none")
    for _number in range(20):
        server.is_too_often()
    queue(store, channel, *(event(f"web{number}") for number in range(5)))
    delivery.deliver(store, [channel], 2)
    delivery.deliver(store, [parse_again(channel)], 2)
    assert server.refusals == 1
    now = [time.time()]
    server.clock = lambda: now[0] + 61
    with store.unit() as unit:
        unit.execute("DELETE FROM marks WHERE space = 'rest'")
        unit.execute("UPDATE outbox SET next_at = 0, throttled = 0")
    delivery.deliver(store, [channel], 2)
    with store.view() as unit:
        waits = unit.one("SELECT MAX(next_at) FROM outbox")[0] - time.time()
    assert 550 < waits <= 601, "the second time it is ten minutes"


def test_an_address_that_told_too_much_leaves_all_webhooks_alone(store, open_channel):
    """And one webhook that is told too often leaves the others as they are."""
    (one, server), (two, other) = open_channel("discord", "&group=none"), open_channel("discord", "&group=none")
    two.origin, two.path = one.origin, one.path.replace("12345", "67890")
    for globally, expected in ((False, 1), (True, 0)):
        server.force = status(429, json.dumps({"retry_after": 3.0, "global": globally}).encode())
        queue(store, one, event())
        queue(store, two, event())
        assert delivery.deliver(store, [one], 1)[0].attempts == 1
        report = delivery.deliver(store, [parse_again(two)], 1)[0]
        assert (report.attempts, report.sent) == (expected, 0)
        with store.unit() as unit:
            unit.execute("DELETE FROM marks")
            unit.execute("DELETE FROM outbox")
    assert not other.taken


def test_a_webhook_that_is_gone_is_asked_once(store, open_channel):
    channel, server = open_channel("discord", "&group=none")
    server.force = status(404)
    queue(store, channel, *(event(f"web{number}") for number in range(30)))
    delivery.deliver(store, [channel], 2)
    assert server.refusals == 0
    assert [row[0] for row in rows(store)].count("dead") == 1


def test_a_certificate_of_somebody_else(store, listen, tls):
    channel = parse(f"wecom://{TOKEN}?endpoint={listen(vendors.WeCom(TOKEN), tls[1:]).url}")
    queue(store, channel, event())
    report = delivery.deliver(store, [channel], 1)[0]
    assert (report.sent, report.code) == (0, "tls")


@pytest.mark.parametrize("name", CHATS)
def test_no_secret_is_kept_or_shown(store, open_channel, tmp_path, name):
    channel, server = open_channel(name)
    server.force = status(403, json.dumps([TOKEN, SECRET, SIG]).encode())
    queue(store, channel, event())
    report = delivery.deliver(store, [channel], 1)[0]
    with store.view() as unit:
        shown = (
            json.dumps([entries.entries(unit, kind) for kind in ("events", "outbox", "dead")])
            + report.message
            + channel.masked
            + repr(channel)
        )
    store.close()
    shown += b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file()).decode("latin-1")
    for secret in (TOKEN, SECRET, SIG, "xoxb-abc-123456"):
        assert secret not in shown
        assert secret not in channel.hide(f"the URL is {CHATS[name][0]}")


# --- PagerDuty ---


def pagerduty(listen, tls, server, more=""):
    return parse({"url": f"pagerduty://{TOKEN}?endpoint={listen(server, tls[1:]).url}{more}", "ca": tls[0]})


def test_pagerduty_life_of_an_incident(store, listen, tls):
    server = vendors.PagerDuty(TOKEN)
    channel = pagerduty(listen, tls, server)
    one = event(message="x" * 4096, annotations={"runbook": "https://wiki.example.com"}, observed={"blob": "y" * 700_000})
    for state, expected in (("firing", "triggered"), ("acknowledged", "acknowledged"), ("resolved", "resolved")):
        queue(store, channel, dict(one, status=state))
        assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
        assert server.incidents == {one["fingerprint"]: expected}
    assert server.taken[0]["links"] == [{"href": "https://wiki.example.com", "text": "runbook"}]
    assert server.taken[0]["payload"]["custom_details"]["message"] == "x" * 4096
    assert parse(f"pagerduty://{TOKEN}?region=eu").origin[1] == "events.eu.pagerduty.com"


@pytest.mark.parametrize("what", ["labels", "annotations"])
def test_pagerduty_takes_an_event_with_more_than_it_has_room_for(store, listen, tls, what):
    server = vendors.PagerDuty(TOKEN)
    channel = pagerduty(listen, tls, server)
    queue(store, channel, event(**{what: {f"a{number}": "https://h.example.com/" + "é" * 9000 for number in range(60)}}))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
    assert server.taken[0]["payload"]["custom_details"]["message"] == "it is down"


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (status(202, b'{"status": "success"}'), "sent", ""),
        (status(202, b'{"status": "invalid event"}'), "queued", "no status success"),
        (status(202), "queued", "no status success"),
        (status(200, b'{"status": "success"}'), "queued", "not PagerDuty's"),
        (status(400, b'{"status": "invalid event"}'), "dead", "HTTP 400"),
        (status(403), "dead", "HTTP 403"),
        (status(429), "queued", "wait"),
        (status(500), "queued", "HTTP 500"),
        (status(503), "queued", "HTTP 503"),
        (PORTAL, "queued", "not PagerDuty's"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_pagerduty_codes(store, listen, tls, answer, state, words):
    server = vendors.PagerDuty(TOKEN)
    server.force = answer
    channel = pagerduty(listen, tls, server)
    queue(store, channel, event())
    delivery.deliver(store, [channel], 1)
    assert rows(store)[0][0] == state
    assert words in rows(store)[0][3]
