# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever answers in place of the vendor (a portal, a proxy, a gateway in trouble), and however: it is never taken for a success."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
import zlib

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import alertmanager, delivery, registry, syslog, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Answer
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox

TOKEN = "0123456789abcdef0123456789abcdef"
URLS = {
    "wecom": f"wecom://{TOKEN}",
    "dingtalk": f"dingtalk://{TOKEN}",
    "feishu": f"feishu://{TOKEN}",
    "slack": f"slack://T00000000/B00000000/{TOKEN}",
    "slack api": "slack://xoxb-abc-123456@C0ABC",
    "teams": f"teams://flow.example.com/workflows/{TOKEN}/triggers/manual/paths/invoke?sig=abc",
    "teams connector": f"teams://x.webhook.office.com/webhookb2/{TOKEN}",
    "discord": f"discord://12345/{TOKEN}",
    "pagerduty": f"pagerduty://{TOKEN}",
    "alertmanager": "alertmanager://127.0.0.1:9093",
}
GOOD = {
    "slack": b"ok",
    "slack api": b'{"ok": true}',
    "teams": b"",
    "teams connector": b"1",
    "discord": b'{"id": "1"}',
    "pagerduty": b'{"status": "success"}',
    "alertmanager": b"",
}
PAGE = b"\n<!DOCTYPE html><html><body>please log in</body></html>"


def verdict(name, status, body=b"", **headers):
    channel = parse(URLS[name])
    judge = registry.load(channel.scheme).judge
    answer = Answer(status, headers, body)
    return judge(channel, answer) if judge is not None else alertmanager.judge(answer)


@pytest.mark.parametrize("name", URLS)
def test_what_the_vendor_says_is_a_success(name):
    good = GOOD.get(name, b'{"errcode": 0, "code": 0}')
    status = 202 if name in ("teams", "pagerduty") else 200
    assert verdict(name, status, good).kind == "sent"
    assert verdict(name, status, b"\xef\xbb\xbf" + good).kind == "sent", "a byte order mark"


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 207, 226, 299])
def test_a_page_to_log_in_is_no_success_whatever_its_status(name, status):
    found = verdict(name, status, PAGE)
    assert found.kind == "retry", found
    assert "portal" in found.message or name == "teams connector" or (name == "teams" and status not in (200, 202)), found


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("status", [201, 203, 206, 226])
def test_another_status_than_the_vendors_is_no_success(name, status):
    if name not in ("wecom", "dingtalk", "feishu"):  # of these the body alone counts
        assert verdict(name, status, GOOD[name]).kind == ("sent" if name == "discord" else "retry")
    assert verdict(name, status, b"").kind == "retry"


@pytest.mark.parametrize("name", [name for name in URLS if name not in ("alertmanager", "teams")])
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"0", b'"ok"', b"\xff\xfe", b'{"errcode": null, "code": null, "ok": null, "id": null}', b"[" * 60000]
    + [b'{"errcode": 0, "code": 0, "ok": true, "id": "1', b'{"errcode": ' + b"9" * 5000 + b"}", b'{"errcode": NaN, "code": NaN}'],
    ids=lambda body: repr(body[:20]),
)
def test_garbage_is_no_success_and_no_refusal(name, body):
    for status in (200, 202):
        assert verdict(name, status, body).kind == "retry"


def test_a_workflow_that_says_an_error():
    assert verdict("teams", 202, b'{"error": {"code": "WorkflowSuspended"}}').kind == "retry"
    assert verdict("teams", 200, b'{"id": "1"}').kind == "sent", "a flow may answer what it likes"


@pytest.mark.parametrize("name", ["wecom", "dingtalk", "feishu"])
def test_a_gateway_in_trouble_counts_whatever_code_it_adds(name):
    body = b'{"errcode": 99991400, "code": 99991400, "msg": "request trigger frequency limit"}'
    asked = verdict(name, 429, body, **{"retry-after": "7"})
    assert (asked.kind, asked.wait) == ("throttled", 7.0)
    for status in (500, 502, 503, 504, 408, 425):
        found = verdict(name, status, body)
        assert (found.kind, found.tries) == ("retry", 0), "it is in trouble, however long"
    assert verdict(name, 503, b'{"errcode": 0, "code": 0}').kind == "retry"
    unknown = verdict(name, 400, body)
    assert (unknown.kind, unknown.tries) == ("retry", 2), "a refusal that the documents do not name is asked for once more"


@pytest.mark.parametrize("name", URLS)
def test_a_proxy_that_wants_a_password_is_no_refusal_by_the_receiver(name):
    assert verdict(name, 407).kind == "retry"


def test_a_code_and_a_header_that_ask_to_wait():
    body = b'{"errcode": 45009}'
    assert verdict("wecom", 200, body, **{"retry-after": "90"}).wait == 90.0
    assert verdict("wecom", 200, body, **{"retry-after": "1"}).wait == 60.0


@pytest.mark.parametrize(
    ("asked", "seconds"), [("1.5", 1.5), ("7000", 3600.0), ("1e9", 3600.0), ("Infinity", 3600.0), ("NaN", 5.0), ("-1", 5.0)]
)
def test_however_long_discord_asks_to_wait(asked, seconds):
    assert verdict("discord", 429, f'{{"retry_after": {asked}}}'.encode()).wait == seconds


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_all_forms_of_a_date(form):
    date = time.strftime(form, time.gmtime(time.time() + 100))
    assert 90 < verdicts.retry_after(Answer(429, {"retry-after": date}, b"")) <= 100


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP"])
def test_an_answer_that_was_packed_on_its_way(store, listen, coding):
    said = b'{"errcode": 0}'
    packed = zlib.compress(said) if coding == "deflate" else gzip.compress(said)
    receiver = listen(lambda _path, _body: (200, {"Content-Encoding": coding}, packed))
    channel = parse(f"wecom://{TOKEN}?endpoint={receiver.url}")
    channel.bind(store.salt)
    with store.unit() as unit:
        outbox.add(unit, "1", new_event("shop", "web1", "page", unit.now, message="it is down"), [channel.key])
    assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert receiver.requests[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("packed", [gzip.compress(b" " * 50_000_000), b"\x1f\x8b\x08junk"], ids=["bomb", "junk"])
def test_an_answer_that_unpacks_to_nothing_good(store, listen, packed):
    receiver = listen(lambda _path, _body: (200, {"Content-Encoding": "gzip"}, packed))
    channel = parse(f"wecom://{TOKEN}?endpoint={receiver.url}")
    channel.bind(store.salt)
    with store.unit() as unit:
        outbox.add(unit, "1", new_event("shop", "web1", "page", unit.now, message="it is down"), [channel.key])
    report = delivery.deliver(store, [channel], 0.5)[0]
    assert (report.sent, report.dead, report.code) == (0, 0, "no_json")


def told(store, channel, seconds=0.5):
    """The report of telling one event, and all that the store keeps of it."""
    channel.bind(store.salt)
    with store.unit() as unit:
        event = new_event("shop", "web1", "page", unit.now, message="it is down")
        outbox.add(unit, f"{time.monotonic_ns()}", event, [channel.key])
    report = delivery.deliver(store, [channel], seconds)[0]
    with store.view() as unit:
        return report, repr(unit.all("SELECT code, message FROM outbox")) + repr(unit.all("SELECT value FROM marks"))


@pytest.mark.parametrize("name", ["wecom", "dingtalk", "feishu", "slack", "discord"])
def test_a_code_that_is_the_secret_is_not_shown(store, listen, name):
    token = "abcdefghijklmnopqrstuvwxyzabcdefgh"
    receiver = listen(lambda path, _body: (200, {}, ('{"errcode": "%s", "code": "%s"}' % (path, path)).encode()))
    url = URLS[name].replace(TOKEN, token)
    for mode in (receiver.mode, lambda _path, _body: (200, {}, token.encode()), lambda _path, _body: (403, {}, token.encode())):
        receiver.mode = mode
        report, kept = told(store, parse(f"{url}?endpoint={receiver.url}#{time.monotonic_ns()}"))
        assert report.sent == 0
        assert token[:5] not in report.code + report.message + kept


def test_an_answer_that_begins_like_the_request_shows_no_part_of_a_secret(store):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo():
            connection, _address = server.accept()
            with connection:
                connection.sendall(connection.recv(65536).split(b" ", 1)[1])

        threading.Thread(target=echo, daemon=True).start()
        url = f"slack://T00000000/B00000000/{TOKEN}?endpoint=http://127.0.0.1:{server.getsockname()[1]}#x"
        report, kept = told(store, parse(url))
    assert report.attempts
    assert TOKEN[:4] not in report.message + kept and "B0000" not in report.message + kept


def test_a_template_that_cannot_be_used_is_waited_for(store, listen, tmp_path):
    receiver, path = listen(), tmp_path / "body.j2"
    channel = parse({"url": receiver.url, "name": "desk", "template": str(path)})
    for text, words in ((None, "cannot be read: no such file"), ("{{ event.check", "no Jinja2 template at line 1"), (b"\xff", "not UTF-8")):
        if text is not None:
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        report, _kept = told(store, channel)
        assert (report.sent, report.dead, report.code) == (0, 0, "template")
        assert words in report.message
    path.write_text("{{ event.check }}", encoding="utf-8")
    assert delivery.deliver(store, [channel], 5)[0].sent == 3


def test_a_line_that_a_full_disk_has_cut_takes_no_other_with_it(store, tmp_path):
    path = tmp_path / "events.jsonl"
    channel = parse(f"file://{path}")
    told(store, channel)
    with path.open("ab") as file:
        file.write(b'{"half of')
    told(store, channel)
    told(store, channel)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["check"] for line in lines if line != '{"half of'] == ["page"] * 3
    assert len(lines) == 4


@pytest.mark.parametrize("name", ["主机" * 200, '"]\\' * 200, "😀" * 200, "x" * 600])
def test_syslog_is_never_cut_within_its_data(name):
    event = new_event(name, name, name, 1700000000.0, message=name)
    for most in (2048, 8192):
        line = syslog.rfc5424(dict(event, event_id="0" * 32), 3, most)
        assert len(line) <= most
        assert re.fullmatch(rb'<\d+>1 \S+ \S+ vigil \d+ firing \[vigil@32473( \w+="([^"\\\]]|\\["\\\]])*")+\] \xef\xbb\xbf.*', line)
