# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions through UDP, TCP, TLS and HTTPS to real servers, good and bad: every question has exactly one answer."""

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import authority, connection, resolver, rrtypes, servers, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits

pytest.importorskip("dns", reason="packets are read by dnspython")

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

ZONE = "\n".join(
    ["www A 192.0.2.1", "mail MX 10 mx", "mx A 192.0.2.7", "alias CNAME www", 'big TXT "' + '" "'.join(["x" * 200] * 20) + '"']
    + [f"h{number} A 10.0.{number >> 8}.{number & 255}" for number in range(600)]
)


def limits(seconds=20.0, timeout=2.0, retries=2, **more):
    return Limits(timeout, retries, until=time.monotonic() + seconds, **more)


def ask(places, wanted, transport="udp", **more):
    questions = [wire.question(name, rrtypes.number(kind)) for name, kind in wanted]
    given = more.pop("limits", None) or limits()
    found = resolver.ask(questions, [servers.parse(place, transport) for place in places], given, **more)
    assert found.same + len(found.answers) == len(questions)
    return found


def one(places, name="www.example.test", kind="A", **more):
    return ask(places, [(name, kind)], **more).answers[0]


def reply(query, rcode=0, records=(), flags=0):
    made = dns.message.make_response(dns.message.from_wire(query))
    made.set_rcode(rcode)
    made.flags |= flags
    for kind, *values in records:
        made.answer.append(dns.rrset.from_text(made.question[0].name, 60, "IN", kind, *values))
    return made.to_wire()


def well(query, transport):
    return reply(query, 0, [("A", "192.0.2.1")])


@pytest.fixture(name="zone")
def fixture_zone(nsd):
    return nsd({"example.test": ZONE})


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_real_server(zone, transport):
    wanted = [("www.example.test", "A"), ("mail.example.test", "MX"), ("alias.example.test", "A"), ("none.example.test", "A")]
    wanted += [("www.example.test", "AAAA"), ("big.example.test", "TXT"), ("example.test", "SOA"), ("elsewhere.test", "A")]
    found = ask([zone.address], wanted, transport, recursion=False).answers
    assert [found[number].status for number in range(8)] == [
        "noerror",
        "noerror",
        "noerror",
        "nxdomain",
        "nodata",
        "noerror",
        "noerror",
        "refused",
    ]
    assert found[1].rdata == ("10 mx.example.test.",)
    assert (found[2].rdata, found[2].chain) == (("192.0.2.1",), ("www.example.test.",))
    assert len(found[5].rdata[0]) > 4000  # does not fit into a datagram
    assert found[0].aa and found[0].nameserver.endswith(zone.address)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_many_names_and_what_is_known(zone, transport):
    wanted = [(f"h{number}.example.test", "A") for number in range(600)]
    first = ask([zone.address], wanted, transport)
    assert {found.status for found in first.answers.values()} == {"noerror"}
    known = [first.answers[number].fingerprint for number in range(600)]
    known[7] = b"something else"
    others = {8: {known[8]}}
    known[8] = None
    again = ask([zone.address], wanted, transport, known=known, others=others)
    assert (again.same, list(again.answers)) == (599, [7])


def test_tls_and_https_of_unbound(zone, unbound, dns_certificates):
    pytest.importorskip("h2", reason="unbound speaks HTTP/2 alone")
    resolves = unbound({"example.test": zone}, certificates=dns_certificates)
    wanted = [(f"h{number}.example.test", "A") for number in range(300)] + [("big.example.test", "TXT")]
    for place in (resolves.tls, resolves.https):
        found = ask([place], wanted, ca=dns_certificates[0]).answers
        assert {answer.status for answer in found.values()} == {"noerror"}
        assert found[299].rdata == ("10.0.1.43",)
        assert found[0].nameserver == place


def test_https_without_the_library_for_http_2(zone, unbound, dns_certificates, monkeypatch):
    resolves = unbound({"example.test": zone}, certificates=dns_certificates)
    for module in [name for name in sys.modules if name.split(".")[0] == "h2"] + ["h2", "h2.connection"]:
        monkeypatch.setitem(sys.modules, module, None)
    found = one([resolves.https], ca=dns_certificates[0], limits=limits(8, 2))
    assert found.status == "http", found.message
    assert "python3-h2" in found.message


def test_https_by_http_1(zone, doh_server, dns_certificates):
    doh = doh_server(zone)
    wanted = [(f"h{number}.example.test", "A") for number in range(40)]
    found = ask([doh.https], wanted, ca=dns_certificates[0]).answers
    assert {answer.status for answer in found.values()} == {"noerror"}
    assert doh.connections <= 4
    assert {method for method, _path, _head in doh.requests} == {"POST"}


def test_https_that_is_not_well(zone, doh_server, dns_certificates):
    doh = doh_server(zone)
    doh.status = 503
    found = one([doh.https], ca=dns_certificates[0])
    assert (found.status, "503" in found.message) == ("http", True)
    doh.status, doh.content_type = 200, "text/html"
    assert one([doh.https], ca=dns_certificates[0]).status == "http"
    doh.content_type, doh.body = "application/dns-message", b"x" * 70000
    assert one([doh.https], ca=dns_certificates[0]).status == "http"
    doh.body = b"short"
    assert one([doh.https], ca=dns_certificates[0]).status == "malformed"
    assert one([doh.https + "/elsewhere"], ca=dns_certificates[0]).status == "http"


def test_certificates_are_verified(fake_dns, dns_certificates):
    fake = fake_dns(well, certificates=dns_certificates)
    assert one([fake.tls], ca=dns_certificates[0]).status == "noerror"
    unknown = one([fake.tls])
    assert unknown.status == "tls" and "chain" in unknown.message
    other = one([f"tls://{fake.address}#dns.example.test"], ca=dns_certificates[0])
    assert other.status == "tls" and "name" in other.message
    plain = fake_dns(well)
    assert one([plain.tls], ca=dns_certificates[0], limits=limits(5, 1)).status in ("tls", "network", "timeout")
    with pytest.raises(ValueError, match="/not/here"):
        one([fake.tls], ca="/not/here")


def test_answers_in_any_order_on_one_connection(fake_dns):
    held = []

    def backwards(query, transport):
        held.append(query)
        if len(held) < 40:
            return None
        return [well(one, transport) for one in reversed(held)]

    fake = fake_dns(backwards)
    found = ask([fake.address], [(f"n{number}.test", "A") for number in range(40)], "tcp").answers
    assert {answer.status for answer in found.values()} == {"noerror"}
    assert fake.connections == 1


def impolite(after):
    """A TCP server that closes each connection after so many answers, and its port; ``count`` has one entry a connection."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(50)
    count = []

    def serve():
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            count.append(1)
            with client, client.makefile("rb") as stream:
                for _number in range(after):
                    head = stream.read(2)
                    if len(head) == 2:
                        answer = well(stream.read(int.from_bytes(head, "big")), "tcp")
                        client.sendall(len(answer).to_bytes(2, "big") + answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener, f"127.0.0.1:{listener.getsockname()[1]}", count


def test_connections_that_are_closed_early_are_replaced():
    listener, place, count = impolite(3)
    with listener:
        found = ask([place], [(f"n{number}.test", "A") for number in range(30)], "tcp", limits=limits(20, 2, 0)).answers
    assert {answer.status for answer in found.values()} == {"noerror"}
    assert len(count) >= 10


def test_a_server_that_closes_without_a_word_is_given_up():
    listener, place, count = impolite(0)
    with listener:
        found = ask([place], [(f"n{number}.test", "A") for number in range(200)], "tcp", limits=limits(20, 2, 0)).answers
    assert {answer.status for answer in found.values()} == {"network"}
    assert len(count) < 50


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_silence_costs_no_more_than_the_time(fake_dns, transport):
    fake = fake_dns(lambda query, transport: None)
    begin = time.monotonic()
    found = ask([fake.address], [(f"n{number}.test", "A") for number in range(300)], transport, limits=limits(3, 0.5, 1)).answers
    assert {answer.status for answer in found.values()} == {"timeout"}
    assert time.monotonic() - begin < 10  # far from 300 waits


def test_nobody_listens():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        for transport in ("udp", "tcp", "tls", "https"):
            found = one([place], transport=transport, limits=limits(5, 1))
            assert found.status == "network"


def test_a_trickle_is_not_waited_for(dns_certificates):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    over = threading.Event()

    def drip(client):
        client.recv(4096)
        try:
            while not over.wait(0.1):
                client.sendall(b"\x20")
        except OSError:
            pass

    def serve():
        while True:
            try:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    place = f"127.0.0.1:{listener.getsockname()[1]}"
    with listener:
        for transport in ("tcp", "tls", "https"):
            found = one([place], transport=transport, limits=limits(4, 0.6, 0))
            assert found.status in ("timeout", "tls", "network", "malformed")
        over.set()


def test_bad_answers_are_asked_of_another_server(fake_dns):
    good = fake_dns(well)
    for rcode in (2, 5):
        bad = fake_dns(lambda query, transport: reply(query, rcode))
        for places in (
            [bad.address, good.address],
            [f"tcp://{bad.address}", f"tcp://{good.address}"],
            [bad.address, f"tcp://{good.address}"],
        ):
            assert one(places, first={0: 0}).rdata == ("192.0.2.1",)
        alone = one([bad.address])
        assert alone.status == ("servfail" if rcode == 2 else "refused")
        assert one([f"tcp://{bad.address}"]).status == alone.status


def test_a_lame_server_is_not_believed(fake_dns):
    def lame(query, transport):
        made = dns.message.make_response(dns.message.from_wire(query))
        made.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.test."))
        return made.to_wire()

    bad, good = fake_dns(lame), fake_dns(well)
    assert one([bad.address]).status == "lame"
    assert one([bad.address, good.address], first={0: 0}).rdata == ("192.0.2.1",)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_that_knows_no_edns(fake_dns, transport):
    fake = fake_dns(lambda query, _transport: reply(query, 1) if query[11] else well(query, _transport))
    assert one([fake.address], transport=transport).rdata == ("192.0.2.1",)


def test_truncated_and_no_tcp(fake_dns, zone):
    fake = fake_dns(lambda query, transport: reply(query, flags=dns.flags.TC) if transport == "udp" else None)
    found = one([fake.address], limits=limits(6, 0.5, 0))
    assert (found.status, "TCP" in found.message) == ("truncated", True)
    fits = fake_dns(lambda query, transport: reply(query, flags=dns.flags.TC) if transport == "udp" else well(query, transport))
    assert one([fits.address]).rdata == ("192.0.2.1",)


def test_a_dead_server_among_three(zone, udp_proxy):
    dead = udp_proxy(zone, dead=True)
    wanted = [(f"h{number}.example.test", "A") for number in range(300)]
    found = ask([dead.address, zone.address, f"tcp://{zone.address}"], wanted, limits=limits(20, 1)).answers
    assert {answer.status for answer in found.values()} == {"noerror"}


def test_no_time_at_all(fake_dns):
    fake = fake_dns(well)
    for transport in ("udp", "tcp"):
        found = ask([fake.address], [("a.test", "A"), ("b.test", "A")], transport, limits=Limits(until=time.monotonic() - 1)).answers
        assert {answer.status for answer in found.values()} == {"timeout"}


def test_rates_hold_for_streams(fake_dns):
    fake = fake_dns(well)
    given = limits(1.0, 1.0, 0, rates={f"tcp://{fake.address}": 20.0})
    found = ask([fake.address], [(f"n{number}.test", "A") for number in range(200)], "tcp", limits=given).answers
    statuses = [answer.status for answer in found.values()]
    assert 5 <= statuses.count("noerror") <= 40
    assert statuses.count("timeout") == 200 - statuses.count("noerror")


def test_the_query_asks_for_signatures_unchecked():
    packet = connection.query(7, wire.question("a.test", 1).tail, dnssec=True)
    message = dns.message.from_wire(packet)
    assert message.flags & dns.flags.CD and message.ednsflags & dns.flags.DO and message.flags & dns.flags.RD
    assert dns.message.from_wire(connection.query(7, wire.question("a.test", 1).tail, recursion=False, edns=False)).edns == -1


def test_authoritative_servers(nsd, unbound):
    below = nsd({"sub.example.test": "www A 192.0.2.5\n"})
    top = nsd({"example.test": "www A 192.0.2.1\nalias CNAME www\nsub NS ns.sub\nns.sub A 127.0.0.1\n"})
    resolves = unbound({"example.test": top, "sub.example.test": below}, extra="  qname-minimisation: no\n")
    through = [servers.parse(resolves.address)]
    found = authority.find(
        ["www.example.test", "alias.example.test", "none.example.test", "www.sub.example.test", "a.b"], through, limits(), top.port
    )
    assert [found[name].zone for name in ("www.example.test", "alias.example.test", "none.example.test")] == ["example.test"] * 3
    assert found["www.sub.example.test"].zone == "sub.example.test"
    assert [server.label for server in found["www.example.test"].servers] == [f"127.0.0.1:{top.port}#ns.example.test"]
    assert found["a.b"].status == "refused" and not found["a.b"].servers
    (server,) = authority.servers_of("www.example.test", through, limits(), top.port)
    answer = resolver.ask([wire.question("www.example.test", 1)], [server], limits(), recursion=False).answers[0]
    assert (answer.rdata, answer.aa) == (("192.0.2.1",), True)
    with pytest.raises(ValueError, match=r"a\.b"):
        authority.servers_of("a.b", through, limits())
