# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a name server said, as one status of a closed list and records in canonical text. Packets are read by dnspython."""

from __future__ import annotations

import dataclasses
import importlib.util
import socket
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, rrtypes, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.ede import extended_error

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

STATUSES = (
    "noerror",
    "nodata",
    "nxdomain",
    "servfail",
    "refused",
    "formerr",
    "notimp",
    "timeout",
    "network",
    "tls",
    "http",
    "malformed",
    "truncated",
    "bogus",
    "lame",
)
# a definite answer; every other status is a failure that says nothing about the name
ANSWERED = frozenset(("noerror", "nodata", "nxdomain"))
# RFC 6895 section 2.3; what has no word of its own keeps its name in the message
_RCODES = {
    0: "noerror",
    1: "formerr",
    2: "servfail",
    3: "nxdomain",
    4: "notimp",
    5: "refused",
    9: "refused",
    10: "refused",
    16: "notimp",
    23: "refused",
}
_RCODE_NAMES = {6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 23: "BADCOOKIE"}
_IN, _A, _NS, _CNAME, _SOA, _AAAA, _ANY = 1, 1, 2, 5, 6, 28, 255
_OLDEST = (1, 16)


class LibraryMissing(Exception):
    """A Python library is not installed, or too old; the text is one sentence.

    :ivar library: its name where it is not there at all, else empty
    """

    def __init__(self, sentence: str, library: str = "") -> None:
        super().__init__(sentence)
        self.library = library


@dataclasses.dataclass
class Answer:
    """One question's answer from one server.

    :ivar name: canonical, without the final dot; ``type`` as text, such as ``MX`` or ``TYPE65280``
    :ivar status: one of :data:`STATUSES`
    :ivar rdata: canonical texts, sorted, no duplicates; empty unless the status is noerror
    :ivar ttl: seconds all of it may be kept; of a negative answer, how long it may be kept (RFC 2308)
    :ivar nameserver: the label of the server that answered or failed last; None when no server was asked
    :ivar chain: the targets of the CNAMEs that were followed, in order
    :ivar soa: the zone whose SOA stands in the authority section of a negative answer
    :ivar message: one sentence for people where the status is not noerror
    :ivar fingerprint: see :func:`wire.fingerprint`; None where the answer may not be compared by it
    :ivar ede: extended error (RFC 8914) as text, else empty
    :ivar secure: secure, insecure or bogus where DNSSEC was validated
    :ivar packet: the answer as received, kept only for validation
    """

    name: str
    type: str
    status: str
    rdata: t.Tuple[str, ...] = ()
    ttl: t.Optional[int] = None
    nameserver: t.Optional[str] = None
    latency_ms: t.Optional[float] = None
    chain: t.Tuple[str, ...] = ()
    soa: t.Optional[str] = None
    message: str = ""
    fingerprint: t.Optional[bytes] = None
    aa: bool = False
    ede: str = ""
    secure: t.Optional[str] = None
    packet: t.Optional[bytes] = dataclasses.field(default=None, repr=False, compare=False)


class _Bad(Exception):
    """The packet is not an answer to the question; the text says why."""


def require() -> None:
    """See that dnspython is there.

    :raises LibraryMissing: it is not, or it is too old
    """
    try:
        import dns.version

        found = importlib.util.find_spec("dns.message")  # found and not imported, which takes as long as asking for 10,000 names
    except ImportError:
        found = None
    if found is None:
        raise LibraryMissing("the Python library dnspython is needed; install python3-dnspython or dnspython", "dnspython")
    if (dns.version.MAJOR, dns.version.MINOR) < _OLDEST:
        raise LibraryMissing(f"dnspython {dns.version.version} is too old; 1.16 or newer is needed")


def failed(
    question: wire.Question, status: str, message: str, server: t.Optional[Server] = None, seconds: t.Optional[float] = None
) -> Answer:
    """An answer for a question that got none."""
    return Answer(
        question.name,
        rrtypes.text(question.kind),
        status,
        nameserver=server.label if server else None,
        latency_ms=None if seconds is None else round(seconds * 1000, 3),
        message=message,
    )


def decode(packet: bytes, question: wire.Question, server: Server, seconds: float, keep: bool = False) -> Answer:
    """Read a packet. Bytes that make no sense are an answer too, of the status malformed.

    :arg seconds: how long the server took
    :arg keep: leave the packet in the answer
    """
    answer = failed(question, "malformed", "", server, seconds)
    what = f"{answer.name} {answer.type}"
    try:
        if question.kind in (_A, _AAAA) and not keep and _addresses(packet, question, answer):
            return answer
        _check_head(packet, question)
        if packet[2] & 0x02:
            answer.status, answer.message = "truncated", f"{server.label} sent a truncated answer for {what}"
            return answer
        if wire.is_bomb(packet, 12 + len(question.tail)):
            raise _Bad("unpacks to more than anybody needs")
        _read(packet, question, answer)
    except _Bad as exc:
        answer.status, answer.message = "malformed", f"the answer of {server.label} for {what} {exc}"
    except Exception as exc:  # noqa: BLE001 - bytes of strangers: the library raises whatever its records raise
        why = " ".join(str(exc).split())[:200] or type(exc).__name__
        answer.status, answer.message = "malformed", f"the answer of {server.label} for {what} cannot be read: {why}"
    if answer.status == "malformed":
        answer.rdata, answer.chain, answer.ttl, answer.soa = (), (), None, None
    elif answer.status not in ANSWERED or answer.status == "noerror":
        answer.message = answer.message and f"{server.label} {answer.message}"
    if answer.ede and answer.status != "noerror":
        answer.message = f"{answer.message}: {answer.ede}"
    if answer.status in ANSWERED and (answer.status != "nodata" or answer.soa is not None):  # without SOA it resembles a lame answer
        answer.fingerprint = _fingerprint(packet, question)
    if keep:
        answer.packet = bytes(packet)
    return answer


def rdata_text(rdata: t.Any) -> str:
    """The canonical text of a dnspython rdata: names in it in lower case and absolute, unknown types as RFC 3597 without blanks."""
    import dns.rdata

    for slot in _slots(type(rdata)):
        value = getattr(rdata, slot, None)
        lower = _lower(value)
        if lower is not value:
            object.__setattr__(rdata, slot, lower)  # the library's records refuse changes; this one is ours alone
    text = str(rdata.to_text())
    if isinstance(rdata, dns.rdata.GenericRdata):
        head, _blank, digits = text.partition(" ")
        size, _blank, digits = digits.partition(" ")
        return f"{head} {size} {digits.replace(' ', '')}".rstrip()
    return text


def _slots(kind: t.Any) -> t.Tuple[str, ...]:
    if kind not in _SLOTS:
        found: t.List[str] = []
        for base in kind.__mro__:
            slots = base.__dict__.get("__slots__", ())
            found += [slots] if isinstance(slots, str) else list(slots)
        _SLOTS[kind] = tuple(found)
    return _SLOTS[kind]


_SLOTS: t.Dict[t.Any, t.Tuple[str, ...]] = {}


def _lower(value: t.Any) -> t.Any:
    """A name, or a sequence of names, in lower case; the same object where there is nothing to do."""
    import dns.name

    if isinstance(value, dns.name.Name):
        lower = value.canonicalize()
        return value if lower.labels == value.labels else lower
    if isinstance(value, (tuple, list)) and value and all(isinstance(item, dns.name.Name) for item in value):
        return type(value)(item.canonicalize() for item in value)
    return value


def _addresses(packet: bytes, question: wire.Question, answer: Answer) -> bool:
    """The quick way, fifty times as fast: nothing but address records of the name itself. False leaves it to the library."""
    start = 12 + len(question.tail)
    if packet[12:start] != question.tail or not packet[7] or packet[6] or packet[3] & 15:
        return False
    said = _fingerprint(packet, question)  # it reads the whole packet and refuses what is broken or has an extended code
    family, size = (socket.AF_INET, 4) if question.kind == _A else (socket.AF_INET6, 16)
    head = b"\xc0\x0c" + question.tail[-4:]
    found, ttls = set(), []
    for place in range(start, start + packet[7] * (12 + size), 12 + size):
        if said is None or packet[place : place + 6] != head or packet[place + 10 : place + 12] != bytes((0, size)):
            return False
        ttls.append(int.from_bytes(packet[place + 6 : place + 10], "big"))
        found.add(socket.inet_ntop(family, packet[place + 12 : place + 12 + size]))
    answer.status, answer.rdata, answer.ttl, answer.fingerprint = "noerror", tuple(sorted(found)), min(ttls), said
    answer.aa = bool(packet[2] & 0x04)
    return max(ttls) < 1 << 31  # more is no TTL (RFC 2181 section 8), the library knows what to do


def _check_head(packet: bytes, question: wire.Question) -> None:
    """Header and echoed question; upper and lower case of the name are alike (the sender may have mixed them)."""
    if len(packet) < 12:
        raise _Bad(f"has only {len(packet)} bytes")
    if packet[2] & 0xF8 != 0x80:
        raise _Bad("is not a response to a query")
    count, size = packet[4] << 8 | packet[5], len(question.tail)
    if count == 0 and packet[3] & 15:
        return  # some servers refuse without repeating the question
    echo = packet[12 : 12 + size]
    if count != 1 or echo[-4:] != question.tail[-4:] or echo[:-4].lower() != question.tail[:-4].lower():
        raise _Bad("belongs to another question")


def _read(packet: bytes, question: wire.Question, answer: Answer) -> None:
    import dns.message
    import dns.name

    message = dns.message.from_wire(packet, ignore_trailing=True)
    rcode = int(message.rcode())
    answer.aa = bool(packet[2] & 0x04)
    answer.ede = extended_error(message)
    _soa(message, answer)
    answer.status = _RCODES.get(rcode, "malformed")
    if answer.status not in ANSWERED:
        name = _RCODE_NAMES.get(rcode) or (f"RCODE{rcode}" if rcode not in _RCODES else answer.status)
        if answer.status == "malformed":
            raise _Bad(f"has the code {name}")
        answer.ttl = answer.soa = None
        answer.message = f"answered {name} for {answer.name} {answer.type}"
        return
    owner = dns.name.from_wire(question.tail, 0)[0]
    records, ttls = _follow(message, owner, question.kind, answer)
    what = f"{answer.name} has no {answer.type} record"
    if rcode == 3:
        if records:
            raise _Bad("says that the name is not there, and has records of it")
        answer.message = (
            f"{answer.chain[-1]}, to which {answer.name} leads, is not there" if answer.chain else f"{answer.name} is not there"
        )
    elif records:
        answer.rdata = tuple(sorted({_said(rrset, rdata, question.kind) for rrset in records for rdata in rrset}))
        answer.ttl = min(ttls)
    elif not answer.chain and answer.soa is None and not answer.aa and any(int(rrset.rdtype) == _NS for rrset in message.authority):
        answer.status, answer.message = "lame", f"does not know {answer.name} and names other servers"
    else:
        answer.status, answer.message = "nodata", what + (f" at {answer.chain[-1]}, to which it leads" if answer.chain else "")
        if answer.chain and answer.soa is None:  # a server that is not asked to follow, and does not know the other zone
            answer.message = f"{answer.name} leads to {answer.chain[-1]}, of which the answer has no {answer.type} record"


def _follow(message: t.Any, owner: t.Any, kind: int, answer: Answer) -> t.Tuple[t.List[t.Any], t.List[int]]:
    """The RRsets of the type at the end of the chain of CNAMEs, and every TTL on the way."""
    found: t.Dict[t.Tuple[t.Any, int], t.List[t.Any]] = {}
    for rrset in message.answer:
        if int(rrset.rdclass) == _IN:
            found.setdefault((rrset.name, int(rrset.rdtype)), []).append(rrset)
    if kind == _ANY:
        every = [rrset for (name, _type), rrsets in found.items() if name == owner for rrset in rrsets]
        return every, [int(rrset.ttl) for rrset in every]
    chain: t.List[str] = []
    ttls: t.List[int] = []
    seen = {owner}
    while (owner, kind) not in found and (owner, _CNAME) in found:
        (alias,) = found[owner, _CNAME]
        if len(alias) != 1:
            raise _Bad(f"has {len(alias)} CNAME records of one name")
        owner = alias[0].target
        chain.append(owner.canonicalize().to_text())
        ttls.append(int(alias.ttl))
        if owner in seen:
            raise _Bad(f"leads in a circle, through {chain[-1]}")
        seen.add(owner)
    answer.chain = tuple(chain)
    records = found.get((owner, kind), [])
    return records, ttls + [int(rrset.ttl) for rrset in records]


def _said(rrset: t.Any, rdata: t.Any, kind: int) -> str:
    """The record's text; of an answer to ANY with its type in front."""
    return f"{rrtypes.text(int(rrset.rdtype))} {rdata_text(rdata)}" if kind == _ANY else rdata_text(rdata)


def _soa(message: t.Any, answer: Answer) -> None:
    for rrset in message.authority:
        if int(rrset.rdtype) == _SOA and int(rrset.rdclass) == _IN and len(rrset):
            answer.soa = names.to_text(rrset.name.to_wire())
            answer.ttl = min(int(rrset.ttl), int(rrset[0].minimum))


def _fingerprint(packet: bytes, question: wire.Question) -> t.Optional[bytes]:
    try:
        return wire.fingerprint(packet, 12 + len(question.tail))
    except wire.Malformed:
        return None
