# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DoH servers that break the rules of HTTP/2 and HTTP/1.1, bend them, or lie: a status of the list and a sentence, in time, and no thread dies."""

from __future__ import annotations

import random
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import resolver, servers, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import STATUSES
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits

pytest.importorskip("dns", reason="packets are read by dnspython")
pytest.importorskip("h2", reason="HTTP/2 is spoken through h2")

import dns.message
import dns.rrset
import hpack
from dns_http import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PUSH,
    RESET,
    SETTINGS,
    WINDOW,
    Played,
    frame,
    request,
)


@pytest.fixture(name="played")
def fixture_played(dns_certificates):
    made = []

    def play(behave, speaks="h2", settings=b""):
        made.append(Played(behave, dns_certificates, speaks, settings))
        return made[-1]

    yield play
    for one in made:
        one.close()


@pytest.fixture(name="ask")
def fixture_ask(dns_certificates):
    def ask(place, count=5, timeout=1.0, retries=1):
        questions = [wire.question(f"n{number}.test", 1) for number in range(count)]
        given = Limits(timeout, retries, until=time.monotonic() + 20)
        found = resolver.ask(questions, [servers.parse(place)], given, ca=dns_certificates[0]).answers
        assert sorted(found) == list(range(count))
        assert [answer.message for answer in found.values() if "could not be asked" in answer.message] == []  # a thread has died
        assert all(answer.message.isprintable() for answer in found.values())
        return [found[number] for number in range(count)]

    return ask


def good(query, name=None):
    made = dns.message.make_response(dns.message.from_wire(query))
    made.answer.append(dns.rrset.from_text(made.question[0].name, 60, "IN", "A", "192.0.2.1"))
    return made.to_wire()


def answer(two, stream, query):
    two.send(two.head(stream), frame(DATA, END_STREAM, stream, good(query)))


def each(behave):
    """A connection of which every question is answered alike."""

    def run(two):
        while True:
            behave(two, *two.question())

    return run


LEGAL = {
    "plain": answer,
    "a second head of 103": lambda two, stream, query: (
        two.send(frame(HEADERS, END_HEADERS, stream, two.encoder.encode([(":status", "103")]))),
        answer(two, stream, query),
    ),
    "trailers": lambda two, stream, query: two.send(
        two.head(stream),
        frame(DATA, 0, stream, good(query)),
        frame(HEADERS, END_HEADERS | END_STREAM, stream, two.encoder.encode([("x-y", "z")])),
    ),
    "padding": lambda two, stream, query: two.send(
        two.head(stream), frame(DATA, PADDED | END_STREAM, stream, b"\5" + good(query) + bytes(5))
    ),
    "byte by byte": lambda two, stream, query: two.send(
        two.head(stream), *[frame(DATA, 0, stream, bytes((byte,))) for byte in good(query)], frame(DATA, END_STREAM, stream)
    ),
    "frames that nobody knows": lambda two, stream, query: (two.send(frame(99, 255, stream, b"zz")), answer(two, stream, query)),
    "a charset": lambda two, stream, query: two.send(
        two.head(stream, media="Application/DNS-Message; charset=x"), frame(DATA, END_STREAM, stream, good(query))
    ),
    "more after the end": lambda two, stream, query: (answer(two, stream, query), two.send(frame(DATA, END_STREAM, stream, b"x"))),
}


@pytest.mark.parametrize("behave", LEGAL.values(), ids=LEGAL)
def test_what_may_be(played, ask, behave):
    assert {one.status for one in ask(played(each(behave)).https, 30)} == {"noerror"}


@pytest.mark.parametrize(
    "settings",
    [b"\0\3\0\0\0\0", b"\0\3\0\0\0\1", b"\0\4\0\0\0\0", b"\0\4\0\0\0\x0a"],
    ids=["no streams", "one stream", "no window", "a window of ten bytes"],
)
def test_servers_that_allow_little(played, ask, settings):
    assert {one.status for one in ask(played(each(answer), settings=settings).https, 20)} <= {"noerror", "network", "timeout"}


def flood(kind, body, count=500):
    return lambda two, stream, query: [two.send(frame(kind, 0, 0, body) * 100) for _number in range(count)]


def bomb(two, stream, query):
    """Little that unpacks to much (CVE-2016-6581)."""
    two.send(frame(HEADERS, 0, stream, two.encoder.encode([(":status", "200"), ("a", "b" * 4000)])))
    for _number in range(30):
        two.send(frame(CONTINUATION, 0, stream, b"\xbe" * 16000))
    two.send(frame(CONTINUATION, END_HEADERS, stream))


def whole(status="200", media="application/dns-message", body=b"x", **more):
    return lambda two, stream, query: two.send(two.head(stream, status, media, **more), frame(DATA, END_STREAM, stream, body))


ILLEGAL = {
    "redirect": (whole("302", more=[("location", "https://127.0.0.1/")]), {"http"}, "HTTP status 302"),
    "a page": (whole(media="text/html", body=b"<html>"), {"http"}, "text/html"),
    "not found": (whole("404"), {"http"}, "404"),
    "no content": (lambda two, stream, query: two.send(two.head(stream, "204", flags=END_HEADERS | END_STREAM)), {"http"}, "204"),
    "no number": (whole("abc"), {"http"}, "HTTP status"),
    "an empty body": (whole(body=b""), {"malformed"}, "0 bytes"),
    "another answer": (whole(body=good(dns.message.make_query("other.test", "A", id=0).to_wire())), {"malformed"}, "another question"),
    "too much": (
        lambda two, stream, query: two.send(two.head(stream), *[frame(DATA, 0, stream, bytes(16000))] * 300),
        {"http"},
        "more than 65535",
    ),
    "no status": (
        lambda two, stream, query: two.send(frame(HEADERS, 5, stream, two.encoder.encode([("a", "b")]))),
        {"http"},
        "proper HTTP/2",
    ),
    "data first": (lambda two, stream, query: two.send(frame(DATA, END_STREAM, stream, good(query))), {"http"}, "proper HTTP/2"),
    "reset": (lambda two, stream, query: two.send(frame(RESET, 0, stream, b"\0\0\0\7")), {"http"}, "HTTP/2 error 7"),
    "bad header block": (lambda two, stream, query: two.send(frame(HEADERS, 5, stream, b"\xff" * 6)), {"http"}, "proper HTTP/2"),
    "letters of no alphabet": (
        lambda two, stream, query: two.send(frame(HEADERS, 5, stream, hpack.Encoder().encode([(b":status", b"200"), (b"x", b"\xff")]))),
        {"http"},
        "proper HTTP/2",
    ),
    "a bomb": (bomb, {"http"}, "proper HTTP/2"),
    "endless headers": (
        lambda two, stream, query: two.send(frame(HEADERS, 0, stream), *[frame(CONTINUATION, 0, stream)] * 5000),
        {"http"},
        "proper HTTP/2",
    ),
    "a frame too large": (lambda two, stream, query: two.send(b"\xff\xff\xff\0\0\0\0\0\1"), {"http", "timeout"}, ""),
    "pings": (flood(PING, b"12345678"), {"timeout", "network", "http"}, ""),
    "settings": (flood(SETTINGS, b"\0\3\0\0\0\1"), {"timeout", "network", "http"}, ""),
    "two heads": (
        lambda two, stream, query: two.send(two.head(stream), two.head(stream), frame(DATA, 1, stream)),
        {"http"},
        "proper HTTP/2",
    ),
    "too much padding": (
        lambda two, stream, query: two.send(two.head(stream), frame(DATA, PADDED | END_STREAM, stream, b"\xff" + good(query))),
        {"http"},
        "proper HTTP/2",
    ),
    "a wrong length": (whole(more=[("content-length", "5")], body=b"123456789"), {"http"}, "proper HTTP/2"),
    "a stream of its own": (lambda two, stream, query: answer(two, 2, query), {"http"}, "proper HTTP/2"),
    "a broken setting": (lambda two, stream, query: two.send(frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff")), {"http"}, "proper HTTP/2"),
    "a broken window": (lambda two, stream, query: two.send(frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff")), {"http"}, "proper HTTP/2"),
    "HTTP/1.1": (lambda two, stream, query: two.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), {"http", "timeout"}, ""),
    "silence": (lambda two, stream, query: None, {"timeout"}, "did not answer"),
}


@pytest.mark.parametrize(("behave", "statuses", "words"), ILLEGAL.values(), ids=ILLEGAL)
def test_what_may_not_be(played, ask, behave, statuses, words):
    found = ask(played(each(behave)).https)
    assert {one.status for one in found} <= statuses, found[0].message
    assert all(words in one.message for one in found), found[0].message


def test_pushed_answers_are_nobody_s(played, ask):
    def push(two, stream, query):
        promise = two.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", "127.0.0.1"), (":path", "/")])
        two.send(frame(PUSH, END_HEADERS, stream, (2).to_bytes(4, "big") + promise))
        answer(two, stream, query)

    assert {one.status for one in ask(played(each(push)).https)} <= {"noerror", "http"}


@pytest.mark.parametrize("stays", [False, True])
def test_questions_that_a_server_will_not_answer_any_more_are_asked_again(played, ask, stays):
    """GOAWAY names the last question that is answered (RFC 9113 6.8), whether the connection is closed then or not."""

    def leave(two):
        for _number in range(3):
            stream, query = two.question()
            answer(two, stream, query)
        two.send(frame(GOAWAY, 0, 0, stream.to_bytes(4, "big") + bytes(4)))
        while stays:
            two.question()

    server = played(leave)
    assert {one.status for one in ask(server.https, 20, timeout=5.0, retries=0)} == {"noerror"}
    assert server.connections >= 7


def test_a_server_that_always_leaves_is_given_up(played, ask):
    server = played(lambda two: (two.question(), two.send(frame(GOAWAY, 0, 0, bytes(8))), two.question()))
    assert {one.status for one in ask(server.https, 20)} == {"network"}
    assert server.connections < 60


def test_any_bytes(played, ask):
    """Frames with changed bytes: an answer or a failure, and the connection's thread survives."""
    chance = random.Random(7)

    def changed(two, stream, query):
        packet = bytearray(two.head(stream) + frame(DATA, END_STREAM, stream, good(query)) + frame(PING, 0, 0, b"12345678"))
        for _number in range(chance.choice((0, 1, 1, 2, 5))):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        two.send(bytes(packet))

    server = played(each(changed))
    seen = {one.status for _number in range(40) for one in ask(server.https, 3, timeout=0.2, retries=0)}
    assert "noerror" in seen and seen <= set(STATUSES)


# HTTP/1.1


def one_by_one(make):
    def run(sock):
        while True:
            sock.sendall(make(good(request(sock))))

    return run


def lines(*more, body=b"", status="200 OK", media="Content-Type: application/dns-message"):
    head = [f"HTTP/1.1 {status}", *([media] if media else []), *more]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def sized(body, **more):
    return lines(f"Content-Length: {len(body)}", body=body, **more)


OLD = {
    "plain": (sized, {"noerror"}, ""),
    "chunked": (lambda body: lines("Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)), {"noerror"}, ""),
    "twice": (lambda body: sized(body) * 2, {"noerror"}, ""),
    "garbage after": (lambda body: sized(body) + b"garbage\r\n\r\n", {"noerror"}, ""),
    "redirect": (lambda body: sized(b"", status="307 Elsewhere"), {"http"}, "307"),
    "no media type": (lambda body: sized(body, media=""), {"http"}, "no media type"),
    "a media type to paint the screen": (lambda body: sized(body, media="Content-Type: a\x1b[31m\xff"), {"http"}, "a?[31m"),
    "bad chunks": (lambda body: lines("Transfer-Encoding: chunked", body=b"zz\r\n"), {"http"}, "proper HTTP"),
    "too few bytes": (lambda body: lines("Content-Length: 20", body=body), {"malformed", "http"}, ""),
    "too many bytes": (lambda body: lines("Content-Length: 99999", body=body), {"timeout"}, "did not end in time"),
    "a negative length": (lambda body: lines("Content-Length: -5", body=body), {"timeout"}, ""),
    "many headers": (lambda body: lines(*["A: b"] * 500), {"http"}, "proper HTTP"),
    "a long header": (lambda body: lines("A: " + "b" * 70000), {"http"}, "proper HTTP"),
    "go on, go on": (lambda body: b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, {"timeout", "http"}, ""),
    "no status": (lambda body: b"HTTP/1.1\r\n\r\n", {"http"}, "does not answer in HTTP"),
    "an endless status": (lambda body: b"HTTP/1.1 999999 OK\r\n\r\n", {"http"}, "does not answer in HTTP"),
    "something else": (lambda body: b"220 mail.example.test ESMTP\r\n", {"http"}, "does not answer in HTTP"),
    "zipped": (lambda body: sized(b"\x1f\x8b" + bytes(40)), {"malformed"}, ""),
}


@pytest.mark.parametrize(("make", "statuses", "words"), OLD.values(), ids=OLD)
def test_http_1(played, ask, make, statuses, words):
    found = ask(played(one_by_one(make), "http/1.1").https)
    assert {one.status for one in found} <= statuses, found[0].message
    assert all(words in one.message for one in found), found[0].message


def test_a_server_that_hangs_up_in_the_middle(played, ask):
    def half(sock):
        sock.sendall(lines("Content-Length: 500", body=good(request(sock))))

    found = ask(played(half, "http/1.1").https)
    assert {(one.status, "broke off" in one.message) for one in found} == {("network", True)}


def test_one_answer_a_connection(played, ask):
    def brief(sock):
        sock.sendall(lines("Connection: close", body=good(request(sock))))

    assert {one.status for one in ask(played(brief, "http/1.1").https, 12)} == {"noerror"}
