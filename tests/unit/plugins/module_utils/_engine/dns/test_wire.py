# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints of replies: what must be equal is, and never is what dnspython sees a difference in."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire

ASKED = wire.question("www.example.test", 1)
START = 12 + len(ASKED.tail)
A = b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4\x0a\0\0\1"
A2 = b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4\x0a\0\0\2"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
ZONE = b"\xc0\x10"  # example.test in the question
SOA = ZONE + b"\0\6\0\1\0\0\1\0\0\x1a" + b"\1n" + ZONE + b"\0" + bytes(21)


def packet(*answer, authority=(), additional=(OPT,), flags=b"\x84\x80", question=ASKED.tail, counts=None):
    counts = counts or (1, len(answer), len(authority), len(additional))
    return b"\x12\x34" + flags + struct.pack("!4H", *counts) + question + b"".join((*answer, *authority, *additional))


def said(*answer, **more):
    return wire.fingerprint(packet(*answer, **more), START)


def record(owner, kind, data, ttl=256):
    return owner + struct.pack("!HHLH", kind, 1, ttl, len(data)) + data


def test_a_question():
    assert wire.question("WWW.example.test.", 28) == ("www.example.test", 28, b"\3www\7example\4test\0\0\x1c\0\1")
    with pytest.raises(ValueError, match="a label is empty"):
        wire.question("a..b", 1)


def test_ttl_order_duplicates_ids_and_other_sections_do_not_count():
    first = said(A, A2)
    assert first == said(A2, A) == said(A, A2, A) == said(A, A2, additional=()) == said(A, A2, flags=b"\x81\x20")
    assert first == said(A, A2.replace(b"\0\0\1\0", b"\0\0\0\7", 1))
    assert first == said(A, A2, authority=(record(ZONE, 2, b"\2ns" + ZONE),))
    assert said(A) == said(A, A) == said(A, additional=()) == said(A.replace(b"\0\0\1\0", b"\xff\0\0\7"))
    assert len({first, said(A), said(A2), said(), said(flags=b"\x84\x83"), said(A, flags=b"\x84\x83")}) == 6


def test_owners_spelled_out_compressed_and_in_capitals_are_the_same():
    for owner in (b"\3www\7example\4test\0", b"\3WWW\7exAmple\4test\0", b"\3wWw" + ZONE, b"\3www\7example\xc0\x18"):
        assert said(record(owner, 1, b"\x0a\0\0\1")) == said(A)
        assert said(record(owner, 1, b"\x0a\0\0\1"), A2) == said(A2, A)
    assert said(record(ZONE, 1, b"\x0a\0\0\1")) != said(A)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        *((kind, b"", b"") for kind in (2, 5, 12, 39)),
        *((kind, b"\0\5", b"") for kind in (15, 18, 36)),
        (6, b"", b"\1r\0" + bytes(20)),
        (17, b"", b"\1t\0"),
        (26, b"\0\1", b"\1x\0"),
        (33, b"\0\1\0\2\0\3", b""),
        (35, b"\0\1\0\2\1S\0\3abc", b""),
        (46, b"\0\1" + bytes(16), b"signature"),
        (47, b"", b"\0\1\x40"),
        (64, b"\0\1", b"\0\1\0\2h2"),
    ],
)
def test_names_in_data_are_read(kind, before, after):
    short, long = (
        record(b"\xc0\x0c", kind, before + b"\2mx" + ZONE + after),
        record(b"\xc0\x0c", kind, before + b"\2mx\7example\4test\0" + after),
    )
    assert said(short) == said(long)
    assert said(short) != said(record(b"\xc0\x0c", kind, before + b"\2my" + ZONE + after))
    assert said(short) != said(record(b"\xc0\x0c", kind, before + b"\2mx\xc0\x18" + after))
    capitals = said(record(b"\xc0\x0c", kind, before + b"\2MX\7example\4test\0" + after))
    assert (capitals == said(short)) is (kind not in (47, 64))
    assert len(said(short)) <= 40


def test_pointers_that_read_the_same_in_other_places_are_not_the_same():
    """The bytes of the second record are equal, what they point to is not."""
    place = START + 12
    one = record(b"\xc0\x0c", 15, b"\0\1" + b"\1a\0") + record(b"\xc0\x0c", 15, b"\0\2" + struct.pack("!H", 0xC000 | place + 2))
    two = record(b"\xc0\x0c", 15, b"\0\1" + b"\1b\0") + record(b"\xc0\x0c", 15, b"\0\2" + struct.pack("!H", 0xC000 | place + 2))
    assert said(one, counts=(1, 2, 0, 1)) != said(two, counts=(1, 2, 0, 1))


def test_no_data_a_referral_and_another_zone_are_not_the_same():
    referral = record(ZONE, 2, b"\2ns" + ZONE)
    above = record(b"\xc0\x18", 6, SOA[12:])
    assert (
        len(
            {
                said(),
                said(authority=(SOA,)),
                said(authority=(referral,)),
                said(authority=(above,)),
                said(authority=(SOA,), flags=b"\x84\x83"),
            }
        )
        == 5
    )
    assert said(authority=(SOA, record(ZONE, 47, b"\1x\0\0\1\x40"))) == said(authority=(SOA,))


def test_long_ones_are_digests():
    texts = [record(b"\xc0\x0c", 16, bytes((number,)) + b"x" * number) for number in range(20, 60)]
    assert all(len(said(text)) <= 40 for text in texts) and len({said(text) for text in texts}) == 40
    assert said(*texts) == said(*reversed(texts)) != said(*texts[1:])
    assert said(texts[30], flags=b"\x84\x83") != said(texts[30])


def test_what_is_next_to_each_other_is_not_mixed_up():
    assert said(record(b"\xc0\x0c", 65280, b"ab"), record(b"\xc0\x0c", 65280, b"c")) != said(
        record(b"\xc0\x0c", 65280, b"a"), record(b"\xc0\x0c", 65280, b"bc")
    )
    inside = record(b"\xc0\x0c", 65280, b"a")[:4] + b"\0\1a"
    assert said(record(b"\xc0\x0c", 65280, b"a"), record(b"\xc0\x0c", 65280, b"b")) != said(record(b"\xc0\x0c", 65280, b"a" + inside))


LOOP = struct.pack("!H", 0xC000 | START)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        bytes(11),
        packet(A, flags=b"\x04\x80"),  # a query
        packet(A, flags=b"\x86\x80"),  # truncated
        packet(A, flags=b"\xac\x80"),  # update
        packet(A, counts=(0, 1, 0, 1)),
        packet(A, counts=(2, 1, 0, 1)),
        packet(A, counts=(1, 2, 0, 1)),
        packet(A, counts=(1, 1, 0, 2)),
        packet(A, counts=(1, 1, 0, 0)),
        packet(A, counts=(1, 1, 1, 1)),
        packet(A)[:-1],
        packet(A) + b"\0",
        packet(A, additional=())[:-1],
        packet(A, additional=()) + b"\0",
        packet(A, additional=())[:-8],
        packet(counts=(1, 65535, 65535, 65535)),
        packet(A[:5] + b"\3" + A[6:]),  # class CH
        packet(A, A2[:5] + b"\3" + A2[6:]),
        packet(OPT, additional=()),  # OPT as an answer
        packet(A, OPT, additional=()),
        packet(A, additional=(OPT[:5] + b"\1" + OPT[6:],)),  # BADVERS
        packet(record(LOOP, 1, b"abcd")),
        packet(record(b"\1a" + LOOP, 1, b"abcd")),
        packet(record(struct.pack("!H", 0xC000 | START + 2), 1, b"abcd")),  # forward
        packet(record(b"\xc0\0", 1, b"abcd")),  # into the header
        packet(record(struct.pack("!H", 0xC000 | START - 3), 1, b"abcd")),  # a name of which the pointer itself is a part
        packet(record(b"\xff\xff", 1, b"abcd")),
        packet(record(b"\x40a\0", 1, b"abcd")),
        packet(record(b"\x80a\0", 1, b"abcd")),
        packet(record((b"\x3f" + b"a" * 63) * 4 + b"\0", 1, b"abcd")),
        packet(record((b"\x3f" + b"a" * 63) * 3 + b"\x31" + b"b" * 49 + ZONE, 1, b"abcd")),
        packet(record(b"\xc0\x0c", 15, b"\0\5\2mx" + ZONE)[:-2], additional=()),
        packet(record(b"\xc0\x0c", 15, b"\0\5\2m")),  # the name goes on after the record
        packet(record(b"\xc0\x0c", 35, b"\0\1\0\2\xffS")),
        packet(A, authority=(record(b"\x40a\0", 2, b"\0"),)),
    ],
)
def test_broken_packets_have_no_fingerprint(broken):
    with pytest.raises(wire.Malformed):
        wire.fingerprint(broken, START)


def test_types_that_are_not_read_have_no_fingerprint():
    for kind in (38, 45, 55, 58, 66, 99, 249, 250, 260, 300):
        data = b"\0\1\1\0\0\2xx" + b"\0"
        if kind in (66, 99):
            said(record(b"\xc0\x0c", kind, data))
        else:
            with pytest.raises(wire.Unreadable):
                said(record(b"\xc0\x0c", kind, data))


def test_long_chains_of_pointers_take_no_time():
    """What was read once is not read again, and what was not has an end."""
    chain, place = b"", START + 12
    for number in range(200):
        chain += struct.pack("!H", 0xC000 | (place + 2 * (number - 1) if number else 12))
    names = [record(struct.pack("!H", 0xC000 | place + last), 65280, b"") for last in range(0, 400, 2)]
    first = record(b"\xc0\x0c", 65280, chain)
    assert wire.fingerprint(packet(first, *names), START) == wire.fingerprint(packet(first, names[0]), START)
    with pytest.raises(wire.Malformed, match="point backward"):
        wire.fingerprint(packet(first, *reversed(names)), START)
    many = record(b"\1a" * 110 + b"\0", 65280, b"") + record(LOOP, 65280, b"") * 4000
    assert wire.fingerprint(packet(many, counts=(1, 4001, 0, 1)), START)
