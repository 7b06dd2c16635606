# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation against zones that ldns signed, nsd serves and unbound resolves: good, broken, expired, unsigned, and absences."""

from __future__ import annotations

import random
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer, dnssec, resolver, rrtypes, servers, signatures, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits

pytest.importorskip("dns", reason="packets are read by dnspython")
pytest.importorskip("cryptography", reason="signatures need it")

import dns.flags
import dns.message
import dns.rdatatype

PLAIN = "  qname-minimisation: no\n"


def limits():
    return Limits(3.0, 2, until=time.monotonic() + 30)


def judged(place, wanted, anchor, through=None):
    questions = [wire.question(name, rrtypes.number(kind)) for name, kind in wanted]
    found = resolver.ask(questions, [servers.parse(place)], limits(), dnssec=True).answers
    dnssec.validate(found, questions, [servers.parse(through or place)], limits(), [anchor])
    assert all(one.packet is None for one in found.values())
    return [found[index] for index in range(len(wanted))]


@pytest.fixture(name="resolves")
def fixture_resolves(signed_tree, nsd, unbound):
    server = nsd(signed_tree.zones)
    return unbound(dict.fromkeys(signed_tree.zones, server), anchor=signed_tree.anchor, extra=PLAIN)


def test_the_tree(resolves, signed_tree):
    wanted = [
        ("www.secure.test", "A"),
        ("secure.test", "SOA"),
        ("secure.test", "DNSKEY"),
        ("bogus.secure.test", "DS"),
        ("ok.bogus.secure.test", "A"),
        ("www.bogus.secure.test", "A"),
        ("www.expired.secure.test", "A"),
        ("www.insecure.secure.test", "A"),
        ("none.insecure.secure.test", "A"),
        ("none.secure.test", "A"),
        ("www.secure.test", "MX"),
        ("insecure.secure.test", "DS"),
    ]
    found = judged(resolves.address, wanted, signed_tree.anchor)
    assert [(one.status, one.secure) for one in found] == [
        ("noerror", "secure"),
        ("noerror", "secure"),
        ("noerror", "secure"),
        ("noerror", "secure"),
        ("noerror", "secure"),
        ("bogus", "bogus"),
        ("bogus", "bogus"),
        ("noerror", "insecure"),
        ("nxdomain", "insecure"),
        ("nxdomain", "secure"),
        ("nodata", "secure"),
        ("nodata", "secure"),
    ]
    assert (found[5].rdata, found[5].fingerprint) == ((), None)
    assert "www.bogus.secure.test" in found[5].message
    assert "expired" in found[6].message


ZONE = """\
www A 192.0.2.1
alias CNAME www
out CNAME www.other.test.
*.wild A 192.0.2.9
deep.empty A 192.0.2.3
unsigned NS ns.unsigned
ns.unsigned A 127.0.0.1
"""


@pytest.mark.parametrize("nsec3", [False, True])
def test_absences_wildcards_and_aliases(nsd, unbound, zone_key, nsec3):
    key = zone_key("example.test")
    server = nsd(
        {"example.test": key.sign(ZONE, nsec3=nsec3), "unsigned.example.test": "www A 192.0.2.4\n", "other.test": "www A 192.0.2.5\n"}
    )
    resolves = unbound(dict.fromkeys(["example.test", "unsigned.example.test", "other.test"], server), extra=PLAIN)
    wanted = [
        ("www.example.test", "A"),
        ("alias.example.test", "A"),
        ("out.example.test", "A"),
        ("x.wild.example.test", "A"),
        ("x.wild.example.test", "MX"),
        ("empty.example.test", "A"),
        ("none.example.test", "A"),
        ("a.b.none.example.test", "A"),
        ("www.example.test", "TXT"),
        ("www.unsigned.example.test", "A"),
        ("unsigned.example.test", "DS"),
        ("www.other.test", "A"),
    ]
    found = judged(resolves.address, wanted, key.ds)
    verdicts = [(one.status, one.secure) for one in found]
    assert verdicts == [
        ("noerror", "secure"),
        ("noerror", "secure"),
        ("noerror", "insecure"),
        ("noerror", "secure"),
        ("nodata", "secure"),
        ("nodata", "secure"),
        ("nxdomain", "secure"),
        ("nxdomain", "secure"),
        ("nodata", "secure"),
        ("noerror", "insecure"),
        ("nodata", "secure"),
        ("noerror", "insecure"),
    ]
    assert judged(resolves.address, wanted[:1], key.dnskey)[0].secure == "secure"


@pytest.mark.parametrize("nsec3", [False, True])
def test_whole_trees_that_are_moved(fake_dns, nsd, zone_key, nsec3):
    """The CNAME that a server makes of a DNAME has no signature of its own, and must be what the signed DNAME says (RFC 6672 5.3.1)."""
    from dns_proxies import ask_tcp

    key = zone_key("example.test")
    server = nsd({"example.test": key.sign("d DNAME e\nx.e A 192.0.2.1\ny.e A 192.0.2.2\nz CNAME x.d\n", nsec3=nsec3)})
    wanted = [("x.d.example.test", "A"), ("x.d.example.test", "CNAME"), ("z.example.test", "A"), ("d.example.test", "DNAME")]
    found = judged(server.address, wanted, key.ds)
    assert [(one.status, one.secure) for one in found] == [("noerror", "secure")] * 4, [one.message for one in found]
    assert (found[0].rdata, found[0].chain) == (("192.0.2.1",), ("x.e.example.test.",))

    def elsewhere(query, transport):
        message = dns.message.from_wire(query)
        if message.question[0].name.to_text() != "x.d.example.test.":
            return ask_tcp((server.host, server.port), query)
        other = dns.message.from_wire(
            ask_tcp((server.host, server.port), dns.message.make_query("y.d.example.test", "A", want_dnssec=True).to_wire())
        )
        made = dns.message.make_response(message)
        made.answer = list(other.answer)
        for rrset in made.answer:
            if rrset.rdtype == dns.rdatatype.CNAME:
                rrset.name = message.question[0].name
        return made.to_wire()

    place = fake_dns(elsewhere).address
    (lie,) = judged(place, [("x.d.example.test", "A")], key.ds, through=server.address)
    assert (lie.status, lie.secure, lie.rdata) == ("bogus", "bogus", ())


@pytest.mark.parametrize("algorithm", ["RSASHA256", "ED25519", "ECDSAP384SHA384"])
def test_algorithms(nsd, zone_key, algorithm):
    key = zone_key("example.test", algorithm=algorithm)
    server = nsd({"example.test": key.sign("www A 192.0.2.1\n")})
    found = judged(server.address, [("www.example.test", "A"), ("none.example.test", "A")], key.ds)
    assert [one.secure for one in found] == ["secure", "secure"]


def liar(fake_dns, server, change):
    """A server that hands on what another says, changed by change(message)."""
    from dns_proxies import ask_tcp

    def lie(query, transport):
        message = dns.message.from_wire(ask_tcp((server.host, server.port), query))
        change(message)
        return message.to_wire()

    return fake_dns(lie)


def test_liars_are_found_out(fake_dns, nsd, zone_key):
    key, other = zone_key("example.test"), zone_key("example.test")
    server = nsd({"example.test": key.sign(ZONE)})

    def drop(kind, *sections):
        def change(message):
            for section in sections:
                wanted = getattr(message, section)
                wanted[:] = [rrset for rrset in wanted if rrset.rdtype != kind]

        return change

    def pretend_gone(message):
        if message.question[0].rdtype == 1:
            message.answer[:] = []
            message.set_rcode(3)

    cases = [
        (drop(46, "answer"), "www.example.test", "A"),  # signatures left out
        (drop(1, "answer"), "www.example.test", "A"),  # the record left out
        (drop(47, "authority"), "none.example.test", "A"),  # the proof left out
        (drop(47, "authority"), "x.wild.example.test", "A"),  # a wildcard without proof
        (drop(48, "answer"), "www.example.test", "A"),  # the keys left out
        (drop(46, "authority"), "www.example.test", "TXT"),
        (pretend_gone, "www.example.test", "A"),
    ]
    for change, name, kind in cases:
        (found,) = judged(liar(fake_dns, server, change).address, [(name, kind)], key.ds, through=liar(fake_dns, server, change).address)
        assert (found.status, found.secure, found.rdata) == ("bogus", "bogus", ()), (name, kind)
    (found,) = judged(server.address, [("www.example.test", "A")], other.ds)
    assert found.secure == "bogus"


def test_a_chain_that_cannot_be_fetched_is_no_verdict(fake_dns, nsd, zone_key):
    key = zone_key("example.test")
    server = nsd({"example.test": key.sign(ZONE)})
    silent = fake_dns(lambda query, transport: None)
    questions = [wire.question("www.example.test", 1)]
    found = resolver.ask(questions, [servers.parse(server.address)], limits(), dnssec=True).answers
    dnssec.validate(found, questions, [servers.parse(silent.address)], Limits(0.3, 0, until=time.monotonic() + 3), [key.ds])
    assert (found[0].status, found[0].secure, found[0].rdata) == ("timeout", None, ())
    assert "DNSKEY" in found[0].message


def test_outside_the_anchors_nothing_is_secure(nsd, zone_key):
    server = nsd({"example.test": zone_key("example.test").sign(ZONE)})
    (found,) = judged(server.address, [("www.example.test", "A")], zone_key("another.test").ds)
    assert (found.status, found.secure) == ("noerror", "insecure")


def test_failures_are_left_alone(fake_dns, zone_key):
    refuses = fake_dns(lambda query, transport: query[:2] + b"\x81\x05" + bytes(8))
    (found,) = judged(refuses.address, [("www.example.test", "A")], zone_key("example.test").ds)
    assert (found.status, found.secure) == ("refused", None)


def test_the_anchors_of_the_root_can_be_read():
    anchors = signatures.read_anchors(dnssec.ROOT)
    assert len(anchors) == 1
    name, keys = anchors.popitem()
    assert name.to_text() == "." and [key.key_tag for key in keys] == [20326, 38696]


@pytest.mark.parametrize("line", ["", "example.com.", "DS 1 8 2 AB", "example.com. DS 1 8 2", "example.com. A 192.0.2.1", ". DS 1 8 2 XY"])
def test_anchors_that_are_none(line):
    with pytest.raises(ValueError, match="is not a trust anchor"):
        signatures.read_anchors([line])


def test_without_cryptography_it_says_so(monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == "cryptography"] + ["cryptography.hazmat.primitives"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(answer.LibraryMissing, match="python3-cryptography"):
        signatures.require()


@pytest.mark.parametrize("nsec3", [False, True])
def test_true_proofs_of_something_else(fake_dns, nsd, zone_key, nsec3):
    """Records with good signatures, for the wrong question: each claims that something is not there that is."""
    from dns_proxies import ask_tcp

    key = zone_key("example.test")
    text = ZONE + "real.wild A 192.0.2.8\nzz A 192.0.2.7\nsigned NS ns.unsigned\n" + zone_key("signed.example.test").ds + "\n"
    server = nsd({"example.test": key.sign(text, nsec3=nsec3)})

    def other(name, kind):
        query = dns.message.make_query(name, kind, want_dnssec=True)
        return dns.message.from_wire(ask_tcp((server.host, server.port), query.to_wire()))

    def lie(asked, kind, told):
        def handler(query, transport):
            message = dns.message.from_wire(query)
            if (message.question[0].name.to_text(True), message.question[0].rdtype) != (asked, dns.rdatatype.from_text(kind)):
                return ask_tcp((server.host, server.port), query)
            made = dns.message.make_response(message)
            made.set_rcode(told.rcode())
            made.answer, made.authority = list(told.answer), list(told.authority)
            if told.answer and told.question[0].rdtype == message.question[0].rdtype:
                for rrset in made.answer:
                    rrset.name = message.question[0].name
            return made.to_wire()

        return fake_dns(handler)

    absent = [
        ("www.example.test", "A", other("none.example.test", "A")),
        ("zz.example.test", "A", other("a.b.none.example.test", "A")),
        ("www.example.test", "A", other("zz.example.test", "MX")),
        ("www.example.test", "A", other("www.example.test", "MX")),
        ("x.wild.example.test", "A", other("x.wild.example.test", "MX")),
        ("x.wild.example.test", "A", other("none.example.test", "A")),
        ("real.wild.example.test", "A", other("x.wild.example.test", "A")),
        ("alias.example.test", "A", other("alias.example.test", "MX")),
    ]
    for name, kind, told in absent:
        place = lie(name, kind, told).address
        (found,) = judged(place, [(name, kind)], key.ds, through=server.address)
        assert found.secure == "bogus", (name, kind, told.to_text())
    # a delegation with a DS record must not be made an unsigned one
    for told in (other("unsigned.example.test", "DS"), other("none.example.test", "DS"), other("signed.example.test", "A")):
        place = lie("signed.example.test", "DS", told).address
        unsigned = fake_dns(GOOD_A)
        (found,) = judged(unsigned.address, [("www.signed.example.test", "A")], key.ds, through=place)
        assert found.status in ("bogus", "lame") and found.rdata == (), told.to_text()


def GOOD_A(query, transport):
    import dns.rrset

    made = dns.message.make_response(dns.message.from_wire(query))
    made.answer.append(dns.rrset.from_text(made.question[0].name, 60, "IN", "A", "192.0.2.66"))
    return made.to_wire()


@pytest.mark.parametrize("nsec3", [False, True])
def test_changed_packets_are_never_secure(nsd, zone_key, nsec3):
    key = zone_key("example.test")
    server = nsd({"example.test": key.sign(ZONE, nsec3=nsec3)})
    place = [servers.parse(server.address)]
    wanted = [
        ("www.example.test", 1),
        ("alias.example.test", 1),
        ("x.wild.example.test", 1),
        ("none.example.test", 1),
        ("www.example.test", 16),
    ]
    questions = [wire.question(name, kind) for name, kind in wanted]
    found = resolver.ask(questions, place, limits(), dnssec=True).answers
    validator = dnssec.Validator(place, Limits(3.0, 2, until=time.monotonic() + 60), [key.ds])
    packets = {}
    for index, question in enumerate(questions):
        packets[index] = found[index].packet
        validator.judge(found[index], question)
        assert found[index].secure == "secure"
    numbers = random.Random(5)
    kept = 0
    for number in range(1500):
        index = number % len(questions)
        data = bytearray(packets[index])
        for _change in range(numbers.randrange(1, 4)):
            data[numbers.randrange(2, len(data))] = numbers.randrange(256)
        one = answer.decode(bytes(data), questions[index], place[0], 0.1, keep=True)
        if one.status in answer.ANSWERED:
            validator.judge(one, questions[index])
        if one.secure == "secure":  # a TTL, a flag or the letter case of a name
            kept += 1
            assert (one.status, one.rdata, one.chain) == (found[index].status, found[index].rdata, found[index].chain)
    assert kept
