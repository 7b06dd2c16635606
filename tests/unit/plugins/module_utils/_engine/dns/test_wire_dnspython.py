# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints against dnspython: whatever the packet, equal fingerprints mean that dnspython reads the same answer.

Only where dnspython and hypothesis are: the leg that tests the engine alone has neither, and these tests would compare nothing there.
"""

from __future__ import annotations

import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire

message = pytest.importorskip("dns.message", reason="compares with dnspython")
hypothesis = pytest.importorskip("hypothesis", reason="draws packets with hypothesis")
import dns.flags
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from hypothesis import strategies as st

NAMES = (
    "www.example.test.",
    "WWW.example.TEST.",
    "example.test.",
    "a.example.test.",
    "A.Example.test.",
    "b.test.",
    ".",
    "ns.a.example.test.",
)
MAKE = {
    "A": lambda draw: "10.0.0.%d" % draw(st.integers(1, 3)),
    "AAAA": lambda draw: "2001:db8::%d" % draw(st.integers(1, 3)),
    "NS": lambda draw: draw(st.sampled_from(NAMES)),
    "CNAME": lambda draw: draw(st.sampled_from(NAMES)),
    "PTR": lambda draw: draw(st.sampled_from(NAMES)),
    "DNAME": lambda draw: draw(st.sampled_from(NAMES)),
    "MX": lambda draw: "%d %s" % (draw(st.integers(1, 2)), draw(st.sampled_from(NAMES))),
    "RP": lambda draw: "%s %s" % (draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))),
    "AFSDB": lambda draw: "1 " + draw(st.sampled_from(NAMES)),
    "KX": lambda draw: "1 " + draw(st.sampled_from(NAMES)),
    "RT": lambda draw: "1 " + draw(st.sampled_from(NAMES)),
    "PX": lambda draw: "1 %s %s" % (draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))),
    "SRV": lambda draw: "1 2 %d %s" % (draw(st.integers(1, 2)), draw(st.sampled_from(NAMES))),
    "NAPTR": lambda draw: '1 2 "%s" "E2U" "" %s' % (draw(st.sampled_from(("s", "S", ""))), draw(st.sampled_from(NAMES))),
    "SOA": lambda draw: "%s %s %d 2 3 4 5" % (draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES)), draw(st.integers(1, 2))),
    "TXT": lambda draw: draw(st.sampled_from(('"a" "b"', '"ab"', '"A" "b"', '"%s"' % ("x" * 90)))),
    "CAA": lambda draw: '0 issue "%s"' % draw(st.sampled_from(("ca.test", "CA.test"))),
    "DS": lambda draw: "1 8 2 " + "%064d" % draw(st.integers(1, 2)),
    "TLSA": lambda draw: "3 1 1 " + "%064d" % draw(st.integers(1, 2)),
    "SVCB": lambda draw: "%d %s" % (draw(st.integers(0, 1)), draw(st.sampled_from(NAMES))),
    "HTTPS": lambda draw: '1 %s alpn="h2"' % draw(st.sampled_from(NAMES)),
    "NSEC": lambda draw: draw(st.sampled_from(NAMES)) + " A",
    "RRSIG": lambda draw: "A 8 3 300 20300101000000 20200101000000 %d %s AAAA" % (draw(st.integers(1, 2)), draw(st.sampled_from(NAMES))),
    "LP": lambda draw: "1 " + draw(st.sampled_from(NAMES)),
    "HIP": lambda draw: "2 200100107B1A74DF365639CC39F1D578 AwEAAbdx " + draw(st.sampled_from(NAMES)),
    "TYPE65280": lambda draw: "\\# 2 0%d00" % draw(st.integers(1, 2)),
}  # fmt: skip
UNREAD = ("HIP",)


@st.composite
def records(draw):
    """(owner, type, data), few enough of each that equal ones come together."""
    kind = draw(st.sampled_from(sorted(MAKE)))
    return draw(st.sampled_from(NAMES)), kind, MAKE[kind](draw)


def packet_of(answer, authority=(), edns=True, rcode=0, ttl=300, one_each=False):
    """A reply to www.example.test A."""
    made = message.make_query("www.example.test", "A", use_edns=0 if edns else None)
    reply = message.make_response(made, recursion_available=True)
    reply.set_rcode(rcode)
    for section, content in ((reply.answer, answer), (reply.authority, authority)):
        for owner, kind, data in content:
            section.append(dns.rrset.from_text(owner, ttl, "IN", kind, data))
    return reply.to_wire(max_size=65535)


def start_of():
    return 12 + len(wire.question("www.example.test", 1).tail)


def fingerprint(packet):
    try:
        return wire.fingerprint(packet, start_of())
    except wire.Malformed:
        return None


def canonical(packet):
    """What dnspython reads in the answer section, as DNSSEC writes it (RFC 4034 6.2); None where it cannot read it."""
    try:
        read = message.from_wire(packet, one_rr_per_rrset=True, continue_on_error=True)
    except Exception:  # noqa: BLE001  # mutated packets bring the library to errors of many kinds
        return None
    count = int.from_bytes(packet[6:8], "big")
    if sum(len(rrset) for rrset in read.answer) != count:
        return None
    found = set()
    for rrset in read.answer:
        for rdata in rrset:
            found.add((rrset.name.canonicalize().to_wire(), int(rrset.rdtype), int(rrset.rdclass), rdata.to_digestable()))
    return int(read.rcode()), bool(read.flags & dns.flags.TC), frozenset(found)


@hypothesis.settings(deadline=None, max_examples=400, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    st.lists(records(), max_size=4),
    st.lists(records(), max_size=4),
    st.sampled_from((0, 3)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_equal_for_us_is_equal_for_dnspython(one, two, rcode, edns, chance):
    # of records that differ in letters only, dnspython packs the first one alone where the type compares them alike
    one = list({(owner, kind, data.lower()): (owner, kind, data) for owner, kind, data in one}.values())
    first, second = packet_of(one, rcode=rcode, edns=edns), packet_of(two, rcode=rcode)
    ours, theirs = fingerprint(first), fingerprint(second)
    unread = any(kind in UNREAD for _owner, kind, _data in one)
    assert (ours is None) is unread
    if ours is not None and one and two:
        # and the other way round, but for letters that some types do not compare alike: DNSSEC's form has them as they are, and so have we
        assert (ours == theirs) == (canonical(first) == canonical(second))
    shuffled = list(one) + one[:1]
    chance.shuffle(shuffled)
    assert fingerprint(packet_of(shuffled, ttl=7, rcode=rcode, edns=not edns)) == ours or not one


def seeds():
    """Packets of every type that a name has, compressed as servers do it."""
    found = []
    for kind, texts in sorted(SAMPLES.items()):
        found += [packet_of([("www.example.test.", kind, text)]) for text in texts]
        found.append(
            packet_of([("www.example.test.", kind, text) for text in texts], [("example.test.", "NS", "ns.example.test.")], edns=False)
        )
    found.append(packet_of([], [("example.test.", "SOA", "ns.example.test. root.example.test. 1 2 3 4 5")], rcode=3))
    found.append(
        packet_of(
            [("www.example.test.", "CNAME", "a.example.test."), ("a.example.test.", "A", "10.0.0.1"), ("a.example.test.", "A", "10.0.0.2")]
        )
    )
    return found


SAMPLES = {
    "A": ("10.0.0.1", "10.0.0.2"),
    "AAAA": ("2001:db8::1", "::"),
    "MX": ("10 mx.example.test.", "20 a.b.example.test."),
    "NS": ("ns.example.test.", "www.example.test."),
    "SOA": ("ns.example.test. root.example.test. 1 2 3 4 5",),
    "SRV": ("1 2 3 a.example.test.", "1 2 3 example.test."),
    "TXT": ('"a" "bc"', '"%s"' % ("y" * 120)),
    "NAPTR": ('1 2 "s" "E2U" "" a.example.test.',),
    "RP": ("a.example.test. b.example.test.",),
    "SVCB": ('1 a.example.test. alpn="h2,h3"',),
    "RRSIG": ("A 8 3 300 20300101000000 20200101000000 1 example.test. AAAA",),
    "NSEC": ("a.example.test. A MX",),
    "HIP": ("2 200100107B1A74DF365639CC39F1D578 AwEAAbdx a.example.test.",),
    "CAA": ('0 issue "ca.test"',),
}  # fmt: skip


def mutate(chance, packet):
    changed = bytearray(packet)
    for _change in range(chance.choice((1, 1, 1, 2, 3, 8))):
        what, place = chance.random(), chance.randrange(2, len(changed)) if len(changed) > 2 else 0
        if what < 0.35:
            changed[place : place + 1] = bytes((chance.randrange(256),))
        elif what < 0.55 and len(changed) > place:
            changed[place] ^= 1 << chance.randrange(8)
        elif what < 0.7:
            changed[place : place + 2] = (0xC000 | chance.randrange(len(packet))).to_bytes(2, "big")
        elif what < 0.8:
            del changed[place : place + chance.randint(1, 12)]
        elif what < 0.9:
            source = chance.randrange(len(changed) + 1)
            changed[place:place] = changed[source : source + chance.randint(1, 20)]
        elif what < 0.95:
            changed[place:place] = bytes(chance.randrange(256) for _byte in range(chance.randint(1, 6)))
        else:
            del changed[place:]
    return bytes(changed)


def hunt(count, seed):
    """Mutated packets: nothing but a fingerprint or Malformed comes, and equal means equal, also between mutants."""
    chance = random.Random(seed)
    originals = seeds()
    start = start_of()
    tail = originals[0][12:start]
    meaning = {}
    equal = 0
    for packet in originals:
        ours = fingerprint(packet)
        if ours is not None:
            meaning[ours] = canonical(packet)
            assert meaning[ours] is not None
    for number in range(count):
        packet = mutate(chance, originals[number % len(originals)])
        if packet[12:start] != tail:
            packet = packet[:12] + tail + packet[start:]  # the sweep has compared the question
        ours = fingerprint(packet)
        if ours is None or len(ours) > 40:
            assert ours is None
            continue
        if ours in meaning:
            equal += 1
            read = canonical(packet)
            assert read == meaning[ours], packet
        elif len(meaning) < 200000:
            read = canonical(packet)
            if read is not None:
                meaning[ours] = read
    return equal


def test_mutated_packets():
    assert hunt(20_000, 11) > 1000


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_mutated_packets():
    assert hunt(1_000_000, 12) > 50_000
