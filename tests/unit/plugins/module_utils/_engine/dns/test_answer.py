# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets become answers: every status, canonical text, chains, and bytes that make no sense."""

from __future__ import annotations

import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer, rrtypes, servers, wire

pytest.importorskip("dns", reason="packets are read by dnspython")

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVER = servers.parse("192.0.2.53")


def packet(name, kind, records=(), rcode=0, authority=(), aa=False, options=None, flags=0):
    query = dns.message.make_query(name, kind, use_edns=0 if options is not None else False)
    made = dns.message.make_response(query)
    if options is not None:
        made.use_edns(0, 0, 1232, options=options)
    made.set_rcode(rcode)
    made.flags |= (dns.flags.AA if aa else 0) | flags
    for section, rows in ((made.answer, records), (made.authority, authority)):
        for owner, ttl, record_type, *values in rows:
            section.append(dns.rrset.from_text(owner, ttl, "IN", record_type, *values))
    return made.to_wire()


def decoded(name, kind, *args, **kwargs):
    return answer.decode(packet(name, kind, *args, **kwargs), wire.question(name.rstrip("."), rrtypes.number(kind)), SERVER, 0.0123)


SOA = ("example.test.", 600, "SOA", "ns.example.test. h.example.test. 1 3600 600 86400 60")
NS = ("example.test.", 600, "NS", "ns.other.test.")


def test_addresses():
    found = decoded("www.example.test.", "A", [("www.example.test.", 300, "A", "192.0.2.9", "192.0.2.10", "192.0.2.9")], aa=True)
    assert (found.status, found.rdata, found.ttl, found.aa) == ("noerror", ("192.0.2.10", "192.0.2.9"), 300, True)
    assert (found.name, found.type, found.nameserver, found.latency_ms) == ("www.example.test", "A", "192.0.2.53:53", 12.3)
    assert (found.message, found.chain, found.soa, found.secure) == ("", (), None, None)
    assert found.fingerprint


@pytest.mark.parametrize(
    ("kind", "written", "canonical"),
    [
        ("MX", "10 MAIL.Example.TEST.", "10 mail.example.test."),
        ("NS", "NS1.Example.Test.", "ns1.example.test."),
        ("TXT", '"v=spf1 -ALL" "Second"', '"v=spf1 -ALL" "Second"'),
        ("SOA", "NS.Example.test. H.Example.test. 7 1 2 3 4", "ns.example.test. h.example.test. 7 1 2 3 4"),
        ("SRV", "1 2 443 Host.Example.test.", "1 2 443 host.example.test."),
        ("CAA", '0 issue "CA.example"', '0 issue "CA.example"'),
        ("PTR", "Host.Example.test.", "host.example.test."),
        ("DS", "12345 13 2 " + "AB" * 32, "12345 13 2 " + "ab" * 32),
        ("TLSA", "3 1 1 " + "CD" * 32, "3 1 1 " + "cd" * 32),
        ("HTTPS", '1 Svc.Example.test. alpn="h2,h3"', '1 svc.example.test. alpn="h2,h3"'),
        ("AAAA", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("TYPE65280", r"\# 4 0A0B0C0D", r"\# 4 0a0b0c0d"),
        ("TYPE65281", r"\# 0", r"\# 0"),
        ("TYPE65282", r"\# 100 " + "ab" * 100, r"\# 100 " + "ab" * 100),
    ],
)
def test_canonical_text(kind, written, canonical):
    name = dns.rdatatype.to_text(dns.rdatatype.from_text(kind))
    found = decoded("x.example.test.", kind, [("x.example.test.", 60, name, written)])
    assert (found.status, found.rdata) == ("noerror", (canonical,))
    assert found.type == kind


def test_case_and_order_and_duplicates_make_no_difference():
    one = decoded("x.test.", "MX", [("x.test.", 60, "MX", "10 A.test.", "20 b.TEST.")])
    two = decoded("x.test.", "MX", [("X.Test.", 999, "MX", "20 B.test.", "10 a.test.", "10 A.TEST.")])
    assert one.rdata == two.rdata == ("10 a.test.", "20 b.test.")


def test_a_chain_of_aliases():
    records = [
        ("www.test.", 300, "CNAME", "CDN.Net.test."),
        ("cdn.net.test.", 20, "CNAME", "edge.net.test."),
        ("edge.net.test.", 60, "A", "192.0.2.1"),
    ]
    found = decoded("www.test.", "A", records)
    assert (found.rdata, found.chain, found.ttl) == (("192.0.2.1",), ("cdn.net.test.", "edge.net.test."), 20)
    asked = decoded("www.test.", "CNAME", records[:1])
    assert (asked.rdata, asked.chain) == (("cdn.net.test.",), ())


def test_chains_that_do_not_end_well():
    circle = decoded("a.test.", "A", [("a.test.", 60, "CNAME", "b.test."), ("b.test.", 60, "CNAME", "a.test.")])
    assert circle.status == "malformed" and "circle" in circle.message
    itself = decoded("a.test.", "A", [("a.test.", 60, "CNAME", "a.test.")])
    assert itself.status == "malformed"
    nowhere = decoded("a.test.", "A", [("a.test.", 60, "CNAME", "b.test.")])
    assert (nowhere.status, nowhere.chain, nowhere.rdata) == ("nodata", ("b.test.",), ())
    gone = decoded("a.test.", "A", [("a.test.", 60, "CNAME", "b.test.")], rcode=3, authority=[("test.", *SOA[1:])])
    assert (gone.status, gone.chain, gone.soa) == ("nxdomain", ("b.test.",), "test")


@pytest.mark.parametrize(
    ("rcode", "status", "word"),
    [
        (1, "formerr", "formerr"),
        (2, "servfail", "servfail"),
        (4, "notimp", "notimp"),
        (5, "refused", "refused"),
        (9, "refused", "NOTAUTH"),
        (16, "notimp", "BADVERS"),
        (6, "malformed", "YXDOMAIN"),
        (12, "malformed", "RCODE12"),
    ],
)
def test_codes(rcode, status, word):
    found = decoded("x.test.", "A", rcode=rcode, options=[] if rcode > 15 else None)
    assert found.status == status and status in answer.STATUSES
    assert word in found.message and found.message.count("192.0.2.53:53") == 1
    assert (found.rdata, found.fingerprint) == ((), None)


def test_negative_answers():
    gone = decoded("x.example.test.", "A", rcode=3, authority=[SOA])
    assert (gone.status, gone.soa, gone.ttl) == ("nxdomain", "example.test", 60)
    none = decoded("x.example.test.", "A", authority=[SOA])
    assert (none.status, none.soa, none.ttl, bool(none.fingerprint)) == ("nodata", "example.test", 60, True)
    bare = decoded("x.example.test.", "A")
    assert (bare.status, bare.soa, bare.fingerprint) == ("nodata", None, None)
    both = decoded("x.example.test.", "MX", [("x.example.test.", 60, "MX", "1 a.test.")], rcode=3)
    assert both.status == "malformed"


def test_a_server_that_points_elsewhere_is_lame():
    assert decoded("x.example.test.", "A", authority=[NS]).status == "lame"
    assert decoded("x.example.test.", "A", authority=[NS], aa=True).status == "nodata"
    assert decoded("x.example.test.", "A", authority=[NS, SOA]).status == "nodata"


def test_extended_errors_are_told():
    option = dns.edns.GenericOption(15, b"\0\6no signature\x07 fits")
    found = decoded("x.test.", "A", rcode=2, options=[option])
    assert found.ede == "DNSSEC Bogus (no signature  fits)"
    assert found.message.endswith("answered servfail for x.test A: DNSSEC Bogus (no signature  fits)")
    assert decoded("x.test.", "A", rcode=2, options=[dns.edns.GenericOption(15, b"\x01\x00")]).ede == "extended error 256"


def test_truncated():
    assert decoded("x.test.", "A", flags=dns.flags.TC).status == "truncated"


def test_an_answer_to_something_else():
    data = packet("x.test.", "A", [("x.test.", 60, "A", "192.0.2.1")])
    for name, kind in (("y.test", 1), ("x.test", 28)):
        found = answer.decode(data, wire.question(name, kind), SERVER, 0.1)
        assert found.status == "malformed" and "another question" in found.message
    mixed = data.replace(b"\x01x\x04test", b"\x01X\x04tEsT", 1)
    assert answer.decode(mixed, wire.question("x.test", 1), SERVER, 0.1).rdata == ("192.0.2.1",)


def test_refusals_without_a_question():
    question = wire.question("x.test", 1)
    assert answer.decode(b"\0\0\x81\x05" + bytes(8), question, SERVER, 0.1).status == "refused"
    assert answer.decode(b"\0\0\x81\x00" + bytes(8), question, SERVER, 0.1).status == "malformed"
    for data in (b"", b"\0" * 11, b"\0\0\x01\0" + bytes(8)):
        assert answer.decode(data, question, SERVER, 0.1).status == "malformed"


def test_any_names_the_types():
    found = decoded("x.test.", "ANY", [("x.test.", 60, "A", "192.0.2.1"), ("x.test.", 60, "MX", "1 A.test.")])
    assert found.rdata == ("A 192.0.2.1", "MX 1 a.test.")


def test_the_quick_way_and_the_library_agree():
    numbers = random.Random(7)
    for kind, size in (("A", 4), ("AAAA", 16)):
        for _number in range(300):
            values = {
                numbers.choice(
                    [
                        bytes(size),
                        bytes(numbers.randrange(256) for _byte in range(size)),
                        bytes(size - 4) + bytes(numbers.randrange(256) for _byte in range(4)),
                    ]
                )
                for _address in range(numbers.randrange(1, 5))
            }
            texts = sorted(dns.ipv4.inet_ntoa(value) if size == 4 else dns.ipv6.inet_ntoa(value) for value in values)
            data = packet("x.test.", kind, [("x.test.", numbers.randrange(1000), kind, *texts)])
            question = wire.question("x.test", rrtypes.number(kind))
            quick, slow = answer.decode(data, question, SERVER, 0.1), answer.decode(data, question, SERVER, 0.1, keep=True)
            assert quick == slow and quick.rdata == tuple(texts)


def test_broken_packets_are_answers_too():
    numbers = random.Random(11)
    good = [
        packet("www.example.test.", "A", [("www.example.test.", 300, "A", "192.0.2.9", "192.0.2.10")], options=[]),
        packet("www.example.test.", "A", [("www.example.test.", 9, "CNAME", "b.test."), ("b.test.", 9, "A", "192.0.2.1")], authority=[NS]),
        packet("www.example.test.", "A", rcode=3, authority=[SOA]),
    ]
    question = wire.question("www.example.test", 1)
    for number in range(6000):
        data = bytearray(good[number % len(good)])
        for _change in range(numbers.randrange(1, 5)):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        data = bytes(data[: numbers.randrange(len(data) + 1)] if number % 3 == 0 else data)
        found = answer.decode(data, question, SERVER, 0.1)
        assert found.status in answer.STATUSES
        assert bool(found.rdata) == (found.status == "noerror")
        assert (found.message == "") == (found.status == "noerror")
