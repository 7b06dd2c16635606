# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that answer wrongly, half or not at all, by UDP, TCP and TLS: one status of the list, another server where there is one, no thread that dies."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import resolver, rrtypes, servers, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import STATUSES
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits

pytest.importorskip("dns", reason="packets are read by dnspython")

import dns.flags
import dns.message
import dns.rrset

CLOSED = b"".join(((1).to_bytes(2, "little"), bytes(6)))
EXAMPLE = dns.message.make_query("example.test", "A").to_wire()
EMPTY_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def ask(places, count=1, kind="A", timeout=0.5, retries=2, seconds=20.0, **more):
    """The answers, in order."""
    questions = [wire.question(f"n{number}.example.test", rrtypes.number(kind)) for number in range(count)]
    given = Limits(timeout, retries, until=time.monotonic() + seconds)
    found = resolver.ask(questions, [servers.parse(place) for place in places], given, **more).answers
    assert sorted(found) == list(range(count))
    assert {answer.status for answer in found.values()} <= set(STATUSES)
    assert [answer.message for answer in found.values() if "could not be asked" in answer.message] == []  # a thread has died
    return [found[number] for number in range(count)]


def reply(query, *records, rcode=0, flags=0):
    made = dns.message.make_response(dns.message.from_wire(query))
    made.set_rcode(rcode)
    made.flags |= flags
    for kind, *values in records:
        made.answer.append(dns.rrset.from_text(made.question[0].name, 60, "IN", kind, *values))
    return made


def good(query, _transport="udp"):
    return reply(query, ("A", "192.0.2.1")).to_wire()


def lame(query, _transport):
    made = reply(query)
    made.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.test."))
    return made.to_wire()


def circle(query, _transport):
    return reply(query, ("CNAME", str(dns.message.from_wire(query).question[0].name))).to_wire()


def strange(query, _transport):
    made = reply(query)
    made.use_edns(0)
    made.set_rcode(3000)
    return made.to_wire()


@pytest.mark.parametrize("bad", [lame, circle, strange], ids=["lame", "circle", "rcode 3000"])
@pytest.mark.parametrize("ways", [("", ""), ("tcp://", "tcp://"), ("", "tcp://"), ("tcp://", "")])
def test_what_is_no_answer_is_asked_of_another_server(fake_dns, bad, ways):
    first, second, third = fake_dns(bad), fake_dns(bad), fake_dns(good)
    places = [ways[0] + first.address, ways[0] + second.address, ways[1] + third.address]
    (found,) = ask(places, first={0: 0})
    assert (found.status, found.rdata) == ("noerror", ("192.0.2.1",))
    assert ask(places[:2], first={0: 0})[0].status in ("lame", "malformed")
    if ways[0] == ways[1]:  # servers of both kinds stand in for each other in any case
        assert ask(places, first={0: 0}, retries=0)[0].status in ("lame", "malformed")


@pytest.mark.parametrize("by_tcp", [lambda query: None, lambda query: reply(query, rcode=2).to_wire(), lambda query: b"x", lame], ids=str)
def test_truncated_and_no_help_by_tcp_is_asked_of_another_server(fake_dns, by_tcp):
    def cut(query, transport):
        return (
            reply(query, flags=dns.flags.TC).to_wire()
            if transport == "udp"
            else by_tcp(query, transport)
            if by_tcp is lame
            else by_tcp(query)
        )

    first, second = fake_dns(cut), fake_dns(good)
    assert ask([first.address, second.address], first={0: 0})[0].rdata == ("192.0.2.1",)
    assert ask([first.address, "tcp://" + second.address], first={0: 0})[0].rdata == ("192.0.2.1",)
    assert ask([first.address])[0].status in ("truncated", "servfail", "malformed", "lame")


def test_answers_stay_with_their_names_when_all_go_to_another_kind_of_server(fake_dns):
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))

    def by_name(query, _transport):
        first = dns.message.from_wire(query).question[0].name.labels[0]
        return reply(query, ("A", f"192.0.2.{first[1:].decode()}")).to_wire()

    other = fake_dns(by_name)
    with closed:
        places = [f"tcp://127.0.0.1:{closed.getsockname()[1]}", other.address]
        found = ask(places, 20, first=dict.fromkeys(range(20), 0))
    assert [answer.rdata for answer in found] == [(f"192.0.2.{number}",) for number in range(20)]


@pytest.mark.parametrize(
    "refusal",
    [
        lambda query: query[:2] + b"\x80\x01" + bytes(8),
        lambda query: query[:2] + b"\x80\x01" + bytes(7) + b"\1" + EMPTY_OPT,
        lambda query: query[:2] + b"\x81\x81" + query[4:],
        lambda query: query[:2] + b"\x81\x84" + query[4:10] + b"\0\0" + query[12:-11],
        lambda query: None,
    ],
    ids=["header alone", "header and EDNS", "the query itself", "notimp", "silence"],
)
def test_a_server_that_knows_no_edns_is_asked_without(fake_dns, refusal):
    fake = fake_dns(lambda query, transport: refusal(query) if query[11] else good(query))
    assert ask([fake.address])[0].rdata == ("192.0.2.1",)


def test_signatures_are_never_asked_for_without_edns(fake_dns):
    fake = fake_dns(lambda query, transport: None)
    assert ask([fake.address], dnssec=True)[0].status == "timeout"
    assert {query[11] for _transport, query in fake.queries} == {1}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda query: bytes((query[0] ^ 255,)) + good(query)[1:],
        lambda query: query,
        lambda query: query[:2] + good(dns.message.make_query("other.test", "A").to_wire())[2:],
        lambda query: good(query)[:12] + good(query)[12:].replace(b"\7example", b"\7EXAMPLE"),
        lambda query: bytes((*good(query)[:2], good(query)[2] | 0x20, *good(query)[3:])),
    ],
    ids=["another id", "the query itself", "another name", "other letters", "another operation"],
)
def test_replies_that_are_none(fake_dns, wrong):
    """They neither count nor cost: the true reply behind them is taken, and where there is none it is said that they came."""
    first = fake_dns(lambda query, transport: [wrong(query), good(query)])
    assert {answer.rdata for answer in ask([first.address], 30)} == {("192.0.2.1",)}
    alone = fake_dns(lambda query, transport: wrong(query))
    (found,) = ask([alone.address], timeout=0.3, retries=0)
    assert found.status == "timeout" and ("were ignored" in found.message) == (wrong(EXAMPLE)[:2] == EXAMPLE[:2])


def listening(behave, context=None):
    """A TCP server with ``behave(connection)`` in a thread for each connection: (socket to close, address)."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(50)

    def converse(client):
        try:
            with context.wrap_socket(client, server_side=True) if context else client as sock:
                behave(sock)
        except (OSError, EOFError):
            pass

    def serve():
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=converse, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


def read(sock):
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        more = sock.recv(1)
        if not more:
            raise EOFError
        data += more
    return data[2:]


def send(sock, packet):
    sock.sendall(len(packet).to_bytes(2, "big") + packet)


def flood(sock):
    read(sock)
    while True:
        send(sock, b"\0\0" + bytes(1000))


def nothing(sock):
    read(sock)
    while True:
        sock.sendall(bytes(200))


def half(sock):
    read(sock)
    sock.sendall(b"\xff\xffabc")
    sock.recv(1 << 20)
    time.sleep(3)


def midway(sock):
    for _number in range(3):
        send(sock, good(read(sock)))
    time.sleep(3)


def reset(sock):
    read(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSED)


@pytest.mark.parametrize(
    ("behave", "statuses"),
    [
        (flood, {"timeout", "network"}),
        (nothing, {"timeout", "network"}),
        (half, {"timeout"}),
        (midway, {"noerror", "timeout"}),
        (reset, {"network"}),
    ],
)
def test_connections_that_bring_nothing(fake_dns, behave, statuses):
    listener, place = listening(behave)
    with listener:
        assert {answer.status for answer in ask([f"tcp://{place}"], 30, retries=1)} <= statuses
        other = fake_dns(good)
        found = ask([f"tcp://{place}", f"tcp://{other.address}"], 30)
    assert {answer.status for answer in found} == {"noerror"}


def long_answer(query, name, data, kind):
    """As many records as fit, each of its own, and one name that all of them point to."""
    tail = query[12 : query.index(b"\0\0\1\0\1" if kind == 1 else b"\0\0\2\0\1", 12) + 5]
    place = 12 + len(tail) + 12
    made, count = bytearray(name), 0
    while len(made) < 65000:
        rdata = data(count, place)
        made += (b"\xc0\x0c" + bytes((0, kind, 0, 1, 0, 0, 0, 60)) + len(rdata).to_bytes(2, "big") + rdata) if count or not name else b""
        count += 1
    head = bytes((0, kind, 0, 1, 0, 0, 0, 60)) + len(name).to_bytes(2, "big")
    body = (b"\xc0\x0c" + head + bytes(made)) if name else bytes(made)
    return query[:2] + b"\x84\0\0\1" + count.to_bytes(2, "big") + bytes(4) + tail + body


def test_the_longest_answers_there_are(fake_dns):
    """Four thousand addresses are an answer. Names that unpack to half a minute's work are not."""
    addresses = fake_dns(lambda query, transport: long_answer(query, b"", lambda count, place: b"\x0a\0" + count.to_bytes(2, "big"), 1))
    (found,) = ask([f"tcp://{addresses.address}"], timeout=10)
    assert found.status == "noerror" and len(found.rdata) > 4000, found.message
    deep = b"".join(b"\1" + bytes((97 + number % 26,)) for number in range(120)) + b"\0"
    bomb = fake_dns(
        lambda query, transport: long_answer(query, deep, lambda count, place: b"\4%04x" % count + (0xC000 | place).to_bytes(2, "big"), 2)
    )
    (found,) = ask([f"tcp://{bomb.address}"], kind="NS", timeout=10)
    assert (found.status, "unpacks" in found.message) == ("malformed", True), found.message


def test_three_copies_of_every_answer():
    def copies(sock):
        while True:
            packet = good(read(sock))
            for _number in range(3):
                send(sock, packet)

    listener, place = listening(copies)
    with listener:
        assert {answer.rdata for answer in ask([f"tcp://{place}"], 300)} == {("192.0.2.1",)}


def test_one_name_that_a_server_cannot_bear_costs_no_other():
    def picky(sock):
        while True:
            query = read(sock)
            if b"\2n7\7" in query:
                return
            send(sock, good(query))

    listener, place = listening(picky)
    with listener:
        found = ask([f"tcp://{place}"], 40)
    assert [number for number, answer in enumerate(found) if answer.status != "noerror"] == [7]


@pytest.mark.parametrize("way", ["", "tcp://", "tls://"])
def test_times_beyond_what_a_clock_can_hold(fake_dns, dns_certificates, way):
    fake = fake_dns(good, certificates=dns_certificates if way == "tls://" else None)
    assert ask([way + fake.address], timeout=1e12, seconds=1e13, ca=dns_certificates[0])[0].rdata == ("192.0.2.1",)


def test_a_certificate_that_has_expired(tmp_path, dns_certificates):
    import ssl

    key, request, made, names = (tmp_path / name for name in ("key.pem", "request.pem", "made.pem", "names.txt"))
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=x"]
    sign = ["-req", "-in", request, "-CA", dns_certificates[0], "-CAkey", Path(dns_certificates[0]).with_name("ca.key"), "-set_serial", "7"]
    for command in (["req", *new], ["x509", *sign, "-out", made, "-days", "-1", "-extfile", names]):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    listener, place = listening(lambda sock: sock.recv(1), context)
    with listener:
        (found,) = ask([f"tls://{place}"], ca=dns_certificates[0])
    assert (found.status, "expired" in found.message) == ("tls", True), found.message


def test_reading_what_came_ends_too(fake_dns, monkeypatch):
    """Records that take long to read do not hold the run for ever: what is not read in time is told."""
    fake = fake_dns(lambda query, transport: reply(query, ("TXT", '"a"')).to_wire())
    decode = resolver.answers.decode

    def slowly(*args, **more):
        time.sleep(0.2)
        return decode(*args, **more)

    monkeypatch.setattr(resolver.answers, "decode", slowly)
    found = ask([fake.address], 40, kind="TXT", seconds=0.5)
    told = [answer for answer in found if answer.status == "timeout"]
    assert {answer.status for answer in found} <= {"timeout", "noerror"}
    assert told and "not read before the total time limit" in told[0].message
