# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DNS packets by hand: the question that is sent, and the fingerprint of what a reply says.

Only what a sweep of many names needs, so that an answer that is the same as the last time costs about a microsecond. A fingerprint may only ever be used
to say "the same": packets with equal fingerprints say the same for a reader that knows every detail, the reverse need not hold. So what this file
does not understand completely has no fingerprint at all (:class:`Unreadable`), and neither has what is broken (:class:`Malformed`).

What a fingerprint is made of: one byte response code, then the sorted set of the answer's records, each as owner, type, length of the data, data. Names are
uncompressed; they are in lower case wherever DNSSEC's canonical form has them so (RFC 4034 6.2, RFC 6840 5.1). TTL, order and duplicates are left out.
The owner of the question itself is written as the pointer that it mostly is, so fingerprints of different questions must not be compared. Where there
is no answer record, the owners of SOA and NS in the authority section take their place: no data and a referral are not the same.
Beyond 40 bytes it is a mark and a BLAKE2b digest.
"""

from __future__ import annotations

import hashlib
import struct
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names

LONGEST_FINGERPRINT = 40

_IN = b"\0\1"
_OWNER = b"\xc0\x0c"  # a pointer to the question, which always begins at byte 12
_ONE_ONE = b"\0\1\0\1"  # counts of questions and answers
_BYTE = [bytes((number,)) for number in range(16)]
_SOA_NS = (b"\0\6", b"\0\2")
_HOPS = 126  # pointers followed in one name; a name has at most 127 labels
_FIXED = struct.Struct("!2s2sLH").unpack_from
_LENGTH = struct.Struct("!H").pack


def _types(*numbers: int) -> t.FrozenSet[bytes]:
    return frozenset(map(_LENGTH, numbers))


# data without any domain name, and the private types, which nobody reads into
_OPAQUE = _types(
    *(1, 10, 11, 13, 16, 19, 20, 22, 27, 28, 29, 37, 42, 43, 44, 48, 49, 50, 51, 52, 53, 56, 59, 60, 61, 62, 63),
    *(99, 104, 105, 106, 108, 109, 256, 257, 258, 261, 262, 32769, *range(65280, 65535)),
)
# bytes before the first name, how many names, and whether they are compared in lower case; more bytes may follow
_NAMES: t.Dict[bytes, t.Tuple[int, int, bool]] = {
    _LENGTH(kind): what
    for kinds, what in (
        ((2, 3, 4, 5, 7, 8, 9, 12, 23, 39), (0, 1, True)),
        ((6, 14, 17), (0, 2, True)),
        ((15, 18, 21, 36), (2, 1, True)),
        ((26,), (2, 2, True)),
        ((33,), (6, 1, True)),
        ((24, 46), (18, 1, True)),
        ((47,), (0, 1, False)),
        ((64, 65, 107), (2, 1, False)),
        ((66,), (5, 1, False)),
    )
    for kind in kinds
}
_NAPTR = _LENGTH(35)
_SIMPLE = frozenset(_OWNER + kind + _IN for kind in _OPAQUE)

# counts and bytes of authority and additional sections that were found whole; only their framing, which hangs on nothing else
_stepped: t.Set[bytes] = {bytes(4)}
_MOST_STEPPED = 1000
_MOST_UNPACKED = 256 * 1024  # bytes: 3600 records of 70 bytes each; more hardly fit into one message


class Malformed(ValueError):
    """A reply that cannot be right; the text says why."""


class Unreadable(Malformed):
    """A reply that may well be right, with something in it that this file does not read."""


class Question(t.NamedTuple):
    """One thing to ask for."""

    name: str  # canonical text
    kind: int
    tail: bytes  # the question section: name on the wire, type, class IN


def question(name: str, kind: int) -> Question:
    """:raises ValueError: the name is impossible; the text says why"""
    name, wire = names.both(name)
    return Question(name, kind, wire + _LENGTH(kind) + _IN)


def fingerprint(packet: bytes, start: int) -> bytes:
    """What a reply says, in at most 40 bytes.

    :param start: where the answer section begins: 12 and the length of the question, which the caller has compared
    :raises Malformed: it is no whole, untruncated answer to one question
    """
    if packet[4:8] == _ONE_ONE and packet[start : start + 6] in _SIMPLE and packet[2] & 0xFA == 0x80 and len(packet) >= start + 12:
        end = start + 12 + (packet[start + 10] << 8 | packet[start + 11])
        if end < start + 46 and (packet[8:12] + packet[end:] in _stepped or _step(packet, end)) and len(packet) >= end:
            return _BYTE[packet[3] & 15] + packet[start : start + 4] + packet[start + 10 : end]
    try:
        if packet[2] & 0xFA != 0x80 or packet[4:6] != b"\0\1":
            raise Malformed(_what_is_wrong(packet))
        count = packet[6] << 8 | packet[7]
        records, end = _records(packet, start, count)
        end = _rest(packet, end, records if not count else None)
    except (IndexError, struct.error) as exc:
        raise Malformed("the packet ends in the middle of a record") from exc
    if end != len(packet):
        raise Malformed("the packet does not end where its last record does")
    said = b"".join(sorted(set(records)))
    if len(said) < LONGEST_FINGERPRINT:
        return _BYTE[packet[3] & 15] + said
    return b"\xff" + hashlib.blake2b(said, digest_size=31, key=_BYTE[packet[3] & 15]).digest()


def is_bomb(packet: bytes, start: int) -> bool:
    """Whether compressed names unpack to so much that the library, which reads label by label, would need many seconds.

    :param start: where the answer section begins
    """
    if len(packet) <= 4096:
        return False
    try:
        records, _end = _records(packet, start, packet[6] << 8 | packet[7])
    except (IndexError, struct.error, Malformed):
        return False  # the library stops there too
    return sum(map(len, records)) > _MOST_UNPACKED


def _step(packet: bytes, end: int) -> bool:
    """Whether what follows the answer section is whole. The same bytes follow many answers of a server, so they are remembered."""
    try:
        good = _rest(packet, end, None) == len(packet)
    except (IndexError, Malformed):
        return False  # the slow way says why
    if good:
        if len(_stepped) >= _MOST_STEPPED:
            _stepped.clear()
            _stepped.add(bytes(4))
        _stepped.add(packet[8:12] + packet[end:])
    return good


def _what_is_wrong(packet: bytes) -> str:
    if len(packet) < 12:
        return "the packet is shorter than a DNS header"
    if not packet[2] & 0x80:
        return "the packet is a query, not a reply"
    if packet[2] & 0x78:
        return "the reply is to another kind of operation"
    if packet[2] & 2:
        return "the reply is truncated"
    return "the reply is not to one question"


def _records(packet: bytes, place: int, count: int) -> t.Tuple[t.List[bytes], int]:
    """Canonical records of the answer section, and where it ends."""
    records = []
    seen: t.Dict[int, bytes] = {}
    asked = None
    for _number in range(count):
        if packet[place : place + 2] == _OWNER:
            owner, place = _OWNER, place + 2
        else:
            asked = asked or _name(packet, 12, seen)[0].lower()
            owner, place = _name(packet, place, seen)
            owner = owner.lower()
            if owner == asked:
                owner = _OWNER
        kind, klass, _ttl, length = _FIXED(packet, place)
        place += 10
        end = place + length
        if end > len(packet):
            raise Malformed("the packet ends in the middle of a record")
        if klass != _IN:
            raise Malformed("a record of the answer is not of class IN")
        if kind in _OPAQUE:
            records.append(owner + kind + packet[place - 2 : end])
        else:
            data = _data(packet, place, end, kind, seen)
            records.append(owner + kind + _LENGTH(len(data)) + data)
        place = end
    return records, place


def _data(packet: bytes, place: int, end: int, kind: bytes, seen: t.Dict[int, bytes]) -> bytes:
    """Record data whose names are uncompressed."""
    if kind == _NAPTR:  # order, preference, three counted strings, name (RFC 3403 4.1)
        size, count, lower = 4, 1, True
        for _text in range(3):
            size += 1 + packet[place + size]
    elif kind in _NAMES:
        size, count, lower = _NAMES[kind]
    else:
        raise Unreadable("a record of the answer is of a type that is not read here")
    parts = [packet[place : place + size]]
    place += size
    for _number in range(count):
        name, place = _name(packet, place, seen)
        parts.append(name.lower() if lower else name)
    if place > end:
        raise Malformed("a name does not end where its record does")
    parts.append(packet[place:end])
    return b"".join(parts)


def _name(packet: bytes, place: int, seen: t.Dict[int, bytes]) -> t.Tuple[bytes, int]:
    """An uncompressed name and where it ends in the packet.

    Pointers must point backward, each further than the last, so there are no loops. What they point to is a name that came before, so it ends before
    this one begins (RFC 1035 4.1.4); dnspython before 2.9 loses its place in others.

    :param seen: names by the place that was pointed to, for this packet
    """
    parts: t.List[bytes] = []
    total, after, limit, hops = 0, 0, place, 0
    begin, edge = place, 1 << 17
    first = None
    while True:
        size = packet[place]
        if 0 < size < 64:
            parts.append(packet[place : place + 1 + size])
            place += 1 + size
            total += 1 + size
            if total > names.LONGEST_NAME - 1:
                raise Malformed("a name is longer than 255 bytes")
            if place > edge:
                raise Malformed("a compressed name runs into itself")
        elif size >= 0xC0:
            target = (size & 0x3F) << 8 | packet[place + 1]
            after = after or place + 2
            hops += 1
            if not 12 <= target < limit or hops > _HOPS:
                raise Malformed("a compressed name does not point backward")
            if target in seen:
                parts.append(seen[target])
                break
            if first is None:
                first = (target, len(parts))
            place, limit, edge = target, target, begin
        elif size:
            raise Malformed("a name has a label of an unknown kind")
        else:
            parts.append(b"\0")
            break
    name = b"".join(parts)
    if len(name) > names.LONGEST_NAME:
        raise Malformed("a name is longer than 255 bytes")
    if first is not None:
        seen[first[0]] = b"".join(parts[first[1] :])
    return name, after or place + 1


def _rest(packet: bytes, place: int, negative: t.Optional[t.List[bytes]]) -> int:
    """Steps over authority and additional section; returns where they end.

    :param negative: takes owners of SOA and NS of the authority section, where there is no answer
    """
    authority = packet[8] << 8 | packet[9]
    seen: t.Dict[int, bytes] = {}
    for number in range(authority + (packet[10] << 8 | packet[11])):
        start = place
        size = packet[place]
        while 0 < size < 64:
            place += size + 1
            size = packet[place]
        if 63 < size < 0xC0:
            raise Malformed("a name has a label of an unknown kind")
        place += 2 if size else 1
        kind = packet[place : place + 2]
        if kind == b"\0\x29" and packet[place + 4]:
            raise Unreadable("the reply has an extended response code")
        if negative is not None and number < authority and kind in _SOA_NS:
            negative.append(_name(packet, start, seen)[0].lower() + kind)
        place += 10 + (packet[place + 8] << 8 | packet[place + 9])
    return place
