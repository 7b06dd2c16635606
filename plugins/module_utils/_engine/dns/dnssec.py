# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validates answers from a trust anchor down (RFC 4035 section 5): every signature, every delegation, and every absence by NSEC or NSEC3.

Signatures are verified by dnspython, which needs the library cryptography.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer as answers
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import rrtypes, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.denial import Denial
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.resolver import ask
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.signatures import (
    MOST_KEYS,
    MOST_SIGNATURES,
    ROOT,
    Bogus,
    Zone,
    read_anchors,
    usable,
    verify,
    vouches,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import Answer
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits

_IN, _CNAME, _SOA, _DNAME, _DS, _RRSIG, _NSEC, _DNSKEY, _NSEC3, _ANY = 1, 5, 6, 39, 43, 46, 47, 48, 50, 255


def validate(
    found: t.Mapping[int, Answer],
    questions: t.Sequence[wire.Question],
    resolvers: t.Sequence[Server],
    limits: Limits,
    trust_anchors: t.Sequence[str] = ROOT,
    ca: t.Optional[str] = None,
) -> None:
    """Judge answers that :func:`resolver.ask` got with ``dnssec``: sets ``secure``, and drops the packets.

    A bogus answer gets the status bogus and loses its records. Where the chain could not be fetched, the answer fails with that status.

    :arg resolvers: where DS and DNSKEY records are asked for; they must hand on signatures
    """
    validator = Validator(resolvers, limits, trust_anchors, ca)
    until = limits.until if limits.until is not None else float("inf")
    validator.fetch_ahead([questions[index] for index, answer in found.items() if answer.status in answers.ANSWERED], found.values())
    for index, answer in found.items():
        if answer.packet is not None and answer.status in answers.ANSWERED:
            if time.monotonic() < until:
                validator.judge(answer, questions[index])
            else:
                _unsure(answer, None, "timeout", "it was not validated before the total time limit")
        answer.packet = None


class Validator:
    """Walks from the anchors to zones, and remembers the way."""

    def __init__(
        self, resolvers: t.Sequence[Server], limits: Limits, trust_anchors: t.Sequence[str] = ROOT, ca: t.Optional[str] = None
    ) -> None:
        self._resolvers, self._limits, self._ca = resolvers, limits, ca
        self._anchors = read_anchors(trust_anchors)
        self._fetched: t.Dict[t.Tuple[str, int], Answer] = {}
        self._zones: t.Dict[t.Any, Zone] = {}

    # the answers

    def fetch_ahead(self, questions: t.Sequence[wire.Question], found: t.Iterable[Answer]) -> None:
        """Ask for the records of all delegations at once: one after the other would take a round trip for each."""
        import dns.name

        wanted: t.Dict[t.Tuple[str, int], None] = {}
        signers = {signer for answer in found if answer.packet is not None for signer in _signers(answer.packet)}
        places = signers or {dns.name.from_wire(question.tail, 0)[0] for question in questions}
        for name in places:
            at = name
            while len(at.labels) > 1 and at not in self._anchors:
                wanted[at.canonicalize().to_text(), _DS] = None
                at = at.parent()
            if at in self._anchors:
                wanted[at.canonicalize().to_text(), _DNSKEY] = None
        wanted.update({(name.canonicalize().to_text(), _DNSKEY): None for name in signers})
        self._fetch(list(wanted))

    def judge(self, answer: Answer, question: wire.Question) -> None:
        """Set ``secure`` of one answer, and its status where it is bogus or cannot be validated."""
        zone = None
        try:
            answer.secure, zone = self._judge(answer, question)
        except Bogus as exc:
            zone = Zone(None, "bogus", None, str(exc))
        except Exception as exc:  # noqa: BLE001 - bytes of strangers once more
            zone = Zone(None, "bogus", None, f"its signatures cannot be read ({type(exc).__name__})")
        if zone is not None:
            _unsure(answer, "bogus" if zone.state == "bogus" else None, zone.status, zone.why)

    def _judge(self, answer: Answer, question: wire.Question) -> t.Tuple[t.Optional[str], t.Optional[Zone]]:
        """(verdict, None), or (None, the zone that is the reason)."""
        import dns.name

        message = _message(answer.packet)
        owner = dns.name.from_wire(question.tail, 0)[0]
        verdicts = []
        kinds = [question.kind] if question.kind not in (_ANY, _RRSIG) else sorted({int(r.rdtype) for r in message.answer} - {_RRSIG})
        for name, kind in [(name, _CNAME) for name in _owners(owner, answer)] + [(_end(owner, answer), kind) for kind in kinds]:
            rrset = message.get_rrset(message.answer, name, _IN, kind)
            if rrset is None:
                continue
            zone = self._signed(message, _source(message, rrset))
            if zone.state in ("bogus", "failed"):
                return None, zone
            verdicts.append(zone.state)
        if answer.status != "noerror":
            zone = self._absent(message, _end(owner, answer), question.kind, answer.status)
            if zone.state in ("bogus", "failed"):
                return None, zone
            verdicts.append(zone.state)
        return ("secure" if set(verdicts) == {"secure"} else "insecure"), None

    def _signed(self, message: t.Any, rrset: t.Any) -> Zone:
        """The zone that signed an RRset; insecure where none must."""
        name, kind = rrset.name, int(rrset.rdtype)
        signatures = message.get_rrset(message.answer, name, _IN, _RRSIG, kind)
        for signer in sorted(
            {s.signer for s in signatures or () if name.is_subdomain(s.signer) and (kind != _DS or s.signer != name)}, reverse=True
        ):
            zone = self._walk(signer)
            if zone.state != "secure" or zone.name == signer:
                if zone.state == "secure":
                    labels = verify(rrset, signatures, zone)
                    if labels < len(name.labels) - 1 - name.is_wild() and self._denial(message, zone).no_closer(name, labels) is None:
                        raise Bogus(f"it comes from a wildcard, and nothing proves that {name} has no records of its own")
                return zone
        zone = self._walk(name.parent() if kind == _DS and len(name.labels) > 1 else name)
        if zone.state == "secure":
            raise Bogus(f"the zone {zone.name} is signed, and {name} {rrtypes.text(kind)} has no signature of it")
        return zone

    def _absent(self, message: t.Any, name: t.Any, kind: int, status: str) -> Zone:
        """The zone that proves an absence; insecure where none must."""
        soa = next((rrset.name for rrset in message.authority if int(rrset.rdtype) == _SOA and name.is_subdomain(rrset.name)), None)
        zone = self._walk(soa) if soa is not None else None
        if zone is not None and zone.state == "secure" and zone.name == soa:
            denial = self._denial(message, zone)
            proof = denial.no_data(name, kind) if status == "nodata" else denial.no_name(name)
            if proof is not None:
                return zone if proof == "secure" else Zone(zone.name, "insecure")
        zone = self._walk(name.parent() if kind == _DS and len(name.labels) > 1 else name)
        if zone.state == "secure":
            raise Bogus(
                f"the zone {zone.name} is signed, and nothing proves that {name} {'is not there' if status == 'nxdomain' else 'has no such record'}"
            )
        return zone

    def _denial(self, message: t.Any, zone: Zone) -> Denial:
        """The verified NSEC and NSEC3 records of the authority section."""
        found: t.Dict[int, t.List[t.Tuple[t.Any, t.Any]]] = {_NSEC: [], _NSEC3: []}
        for rrset in message.authority:
            if int(rrset.rdtype) in found and len(found[int(rrset.rdtype)]) < MOST_SIGNATURES and rrset.name.is_subdomain(zone.name):
                try:
                    verify(rrset, message.get_rrset(message.authority, rrset.name, _IN, _RRSIG, rrset.rdtype), zone)
                except Bogus:
                    continue
                found[int(rrset.rdtype)] += [(rrset.name, rdata) for rdata in rrset]
        return Denial(zone.name, found[_NSEC], found[_NSEC3])

    # the way down

    def _walk(self, name: t.Any) -> Zone:
        """The zone that the name is in, as far down as the chain of trust goes."""
        name = name.canonicalize()
        way = [name]
        while way[-1] not in self._anchors:
            if len(way[-1].labels) <= 1:
                return Zone(name, "insecure")  # below no anchor
            way.append(way[-1].parent())
        zone = self._zone(way.pop(), None)
        while way and zone.state == "secure":
            below = self._zone(way.pop(), zone)
            zone = below if below.state != "none" else zone
        return zone

    def _zone(self, name: t.Any, above: t.Optional[Zone]) -> Zone:
        """A zone from its parent's point of view; the state ``none`` where no zone begins at the name."""
        if name not in self._zones:
            try:
                self._zones[name] = self._delegated(name, above) if above is not None else self._keys(name, self._anchors[name])
            except Bogus as exc:
                self._zones[name] = Zone(name, "bogus", None, str(exc))
        return self._zones[name]

    def _delegated(self, name: t.Any, above: Zone) -> Zone:
        reply = self._get(name, _DS)
        if reply.status not in answers.ANSWERED or reply.packet is None:
            return Zone(name, "failed", None, f"the DS record of {name} could not be fetched: {reply.message}", reply.status)
        message = _message(reply.packet)
        rrset = message.get_rrset(message.answer, name, _IN, _DS)
        if rrset is not None:
            verify(rrset, message.get_rrset(message.answer, name, _IN, _RRSIG, _DS), above)
            return self._keys(name, list(rrset))
        if reply.chain:
            return Zone(name, "none")  # an alias is no zone cut
        cut = self._denial(message, above).cut(name)
        if cut is None:
            raise Bogus(f"{above.name} does not prove that {name} has no DS record")
        return Zone(name, "insecure" if cut == "delegation" else "none")

    def _keys(self, name: t.Any, anchors: t.Sequence[t.Any]) -> Zone:
        """The zone's keys, where one that an anchor vouches for signs them all."""
        known = [anchor for anchor in anchors if usable(anchor)]
        if not known:
            return Zone(name, "insecure")
        reply = self._get(name, _DNSKEY)
        if reply.status != "noerror" or reply.packet is None:
            if reply.status in answers.ANSWERED:
                raise Bogus(f"{name} has no DNSKEY record, and a DS record says that it must")
            return Zone(name, "failed", None, f"the DNSKEY record of {name} could not be fetched: {reply.message}", reply.status)
        message = _message(reply.packet)
        rrset = message.get_rrset(message.answer, name, _IN, _DNSKEY)
        signatures = message.get_rrset(message.answer, name, _IN, _RRSIG, _DNSKEY)
        trusted = [key for key in list(rrset or ())[:MOST_KEYS] if any(vouches(anchor, name, key) for anchor in known)]
        if not trusted:
            raise Bogus(f"no DNSKEY record of {name} fits its DS record")
        import dns.rdataset

        verify(rrset, signatures, Zone(name, "secure", dns.rdataset.from_rdata_list(0, trusted)))
        return Zone(name, "secure", dns.rdataset.from_rdata_list(0, list(rrset)[: 4 * MOST_KEYS]))

    # what is asked

    def _get(self, name: t.Any, kind: int) -> Answer:
        pair = (name.to_text(), kind)
        if pair not in self._fetched:
            self._fetch([pair])
        return self._fetched[pair]

    def _fetch(self, pairs: t.Sequence[t.Tuple[str, int]]) -> None:
        wanted = [pair for pair in pairs if pair not in self._fetched]
        if wanted:
            outcome = ask([wire.question(*pair) for pair in wanted], self._resolvers, self._limits, dnssec=True, ca=self._ca)
            self._fetched.update({pair: outcome.answers[index] for index, pair in enumerate(wanted)})


def _unsure(answer: Answer, secure: t.Optional[str], status: str, why: str) -> None:
    """An answer that is not to be believed."""
    answer.secure, answer.status = secure, status
    answer.message = f"{answer.name} {answer.type} cannot be trusted: {why}"
    answer.rdata, answer.chain, answer.ttl, answer.fingerprint = (), (), None, None


def _message(packet: t.Optional[bytes]) -> t.Any:
    import dns.message

    return dns.message.from_wire(packet or b"", ignore_trailing=True)


def _source(message: t.Any, rrset: t.Any) -> t.Any:
    """The RRset that has to be signed: of a CNAME that a DNAME stands behind, the DNAME (RFC 6672 5.3.1)."""
    if int(rrset.rdtype) != _CNAME or message.get_rrset(message.answer, rrset.name, _IN, _RRSIG, _CNAME) is not None:
        return rrset
    name = rrset.name
    moved = [
        one for one in message.answer if int(one.rdtype) == _DNAME and len(one) == 1 and one.name != name and name.is_subdomain(one.name)
    ]
    return next((one for one in moved if name.relativize(one.name).concatenate(one[0].target) == rrset[0].target), rrset)


def _owners(owner: t.Any, answer: Answer) -> t.List[t.Any]:
    """The names that are aliases on the way."""
    import dns.name

    return [owner, *[dns.name.from_text(text) for text in answer.chain]][:-1]


def _end(owner: t.Any, answer: Answer) -> t.Any:
    import dns.name

    return dns.name.from_text(answer.chain[-1]) if answer.chain else owner


def _signers(packet: bytes) -> t.Set[t.Any]:
    """Who signed something in a packet, as far as they may; not more than anybody needs."""
    found: t.Set[t.Any] = set()
    try:
        message = _message(packet)
        for rrset in [*message.answer, *message.authority]:
            if int(rrset.rdtype) == _RRSIG:
                found.update([rdata.signer for rdata in rrset if rrset.name.is_subdomain(rdata.signer)][:MOST_SIGNATURES])
    except Exception:  # noqa: BLE001 - bytes of strangers; the judge says so
        return set()
    return set(sorted(found)[:MOST_SIGNATURES])
