# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks questions of name servers of any transport. Every question has exactly one answer, or is the same as before."""

from __future__ import annotations

import dataclasses
import time
import typing as t
from binascii import crc32

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer as answers
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Pace
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.stream import Manner, Reply, exchange
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits, Odd, sweep

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import Answer
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.wire import Question

_NOERROR, _FORMERR, _SERVFAIL, _NXDOMAIN, _NOTIMP, _REFUSED = 0, 1, 2, 3, 4, 5
_FAR = 10.0 * 365 * 86400


@dataclasses.dataclass
class Outcome:
    """What came of a list of questions.

    :ivar same: how many say the same as their known fingerprint
    :ivar answers: by index, of every question that is not the same
    :ivar stats: queries, resent, late, rejected, streamed
    """

    same: int
    answers: t.Dict[int, Answer]
    stats: t.Dict[str, int]


def ask(
    questions: t.Sequence[Question],
    servers: t.Sequence[Server],
    limits: Limits,
    known: t.Optional[t.Sequence[t.Optional[bytes]]] = None,
    others: t.Optional[t.Mapping[int, t.Collection[bytes]]] = None,
    first: t.Optional[t.Mapping[int, int]] = None,
    dnssec: bool = False,
    ca: t.Optional[str] = None,
    recursion: bool = True,
) -> Outcome:
    """Ask every question; a server that cannot answer it is followed by the next.

    :arg known: fingerprint by index that counts as the same; ``others`` has more of them
    :arg first: index of the server to begin with, for questions where it matters
    :arg dnssec: ask for signatures and keep the packets for :mod:`dnssec`; nothing counts as the same then
    :arg ca: PEM file or directory to trust for tls and https
    :raises ValueError: there is no server, or the CA cannot be used
    :raises LibraryMissing: a packet must be decoded and dnspython is not there
    """
    if not servers:
        raise ValueError("there is no name server to ask")
    asking = _Asking(questions, servers, limits, None if dnssec else known, None if dnssec else others, first or {})
    asking.manner = Manner(
        limits.timeout,
        limits.until if limits.until is not None else time.monotonic() + _FAR,
        max(1, limits.concurrency),
        limits.rate_of,
        recursion,
        dnssec,
        ca=ca,
    )
    return asking.run()


class _Asking:
    manner: Manner

    def __init__(
        self,
        questions: t.Sequence[Question],
        servers: t.Sequence[Server],
        limits: Limits,
        known: t.Optional[t.Sequence[t.Optional[bytes]]],
        others: t.Optional[t.Mapping[int, t.Collection[bytes]]],
        first: t.Mapping[int, int],
    ) -> None:
        self.questions, self.servers, self.limits = questions, servers, limits
        self.known, self.others, self.first = known, others or {}, first
        self.udp = [number for number, server in enumerate(servers) if server.transport == "udp"]
        self.streams = [number for number, server in enumerate(servers) if server.transport != "udp"]
        # failures that were judged from one server's word alone: index, and address and port of the servers that had their say
        self.heard: t.Dict[int, t.Set[t.Tuple[str, int]]] = {}
        self.paces: t.Dict[str, Pace] = {}
        self.begin = self.reads = time.monotonic()
        self.outcome = Outcome(0, {}, {"queries": 0, "resent": 0, "late": 0, "rejected": 0, "streamed": 0})

    def run(self) -> Outcome:
        """Everything, in the order: by UDP, what was truncated there by TCP, what failed by the other kind of server."""
        everything = range(len(self.questions))
        if not self.streams:
            failed = self._by_udp(everything)
        elif not self.udp:
            failed = self._by_stream(everything, self.streams)
        else:
            start = {index: self._start(index, len(self.servers)) for index in everything}
            mine = set(self.udp)
            failed = self._by_udp([index for index in everything if start[index] in mine])
            failed += self._by_stream([index for index in everything if start[index] not in mine], self.streams)
            if failed and self._time_left():
                by_udp = [index for index in failed if start[index] in mine]
                by_stream = [index for index in failed if start[index] not in mine]
                failed = self._by_stream(by_udp, self.streams) + self._by_udp(by_stream)
        self._ask_others(failed)
        return self.outcome

    def _start(self, index: int, count: int) -> int:
        return self.first[index] if index in self.first else crc32(self.questions[index].tail) % count

    def _time_left(self) -> bool:
        return time.monotonic() < self.manner.until

    # by UDP

    def _by_udp(self, indexes: t.Sequence[int], among: t.Optional[t.Sequence[int]] = None) -> t.List[int]:
        """Ask and settle; returns what failed."""
        among = self.udp if among is None else among
        if not indexes or not among:
            return list(indexes)
        whole = len(indexes) == len(self.questions)
        indexes = range(len(self.questions)) if whole else indexes
        place = {server: number for number, server in enumerate(among)}
        swept = sweep(
            self.questions if whole else [self.questions[index] for index in indexes],
            [self.servers[number] for number in among],
            self.limits,
            self.known if whole or self.known is None else [self.known[index] for index in indexes],
            self.others if whole else {at: self.others[index] for at, index in enumerate(indexes) if index in self.others},
            {at: place[self.first[index]] for at, index in enumerate(indexes) if self.first.get(index) in place} if self.first else None,
            recursion=self.manner.recursion,
            dnssec=self.manner.dnssec,
            paces=self.paces,
        )
        self._count(swept.same, swept.stats)
        return self._settle_odd([odd._replace(index=indexes[odd.index], server=among[odd.server]) for odd in swept.odd])

    def _settle_odd(self, odds: t.Sequence[Odd]) -> t.List[int]:
        failed, cut = [], {}
        self._read_until()
        for odd in odds:
            if odd.status == "truncated":
                cut[odd.index] = odd
            elif odd.packet is not None:
                bad = self._settle(odd.index, odd.packet, self.servers[odd.server], odd.seconds)
                failed += bad
                if bad and odd.packet[3] & 15 in (
                    _NOERROR,
                    _NXDOMAIN,
                ):  # what the wire alone does not show; others were asked about the rest
                    self._note(odd.index, self.servers[odd.server])
            else:
                self._keep(
                    odd.index, answers.failed(self.questions[odd.index], odd.status, odd.message, self.servers[odd.server], odd.seconds)
                )
                failed.append(odd.index)
        return failed + self._by_tcp(cut) if cut else failed

    def _by_tcp(self, cut: t.Mapping[int, Odd]) -> t.List[int]:
        """What did not fit into a datagram, from the same server (RFC 7766 section 5)."""
        by_server: t.Dict[int, t.List[int]] = {}
        for index, odd in cut.items():
            by_server.setdefault(odd.server, []).append(index)
        plan = [(dataclasses.replace(self.servers[number], transport="tcp"), indexes) for number, indexes in by_server.items()]
        failed = []
        replies = exchange(self.questions, plan, self.manner)
        self.outcome.stats["streamed"] += sum(reply.sent for reply in replies.values())
        self._read_until()
        for index, reply in replies.items():
            self._note(index, reply.server)
            if reply.packet is not None:
                failed += self._settle(index, reply.packet, reply.server, reply.seconds)
                continue
            sentence = f"the answer of {reply.server.label} does not fit into a datagram, and by TCP {reply.message}"
            self._keep(
                index, answers.failed(self.questions[index], "truncated", sentence, reply.server, cut[index].seconds + reply.seconds)
            )
            failed.append(index)
        return failed

    # by TCP, TLS and HTTPS

    def _by_stream(self, indexes: t.Sequence[int], among: t.Sequence[int]) -> t.List[int]:
        """Ask and settle; returns what failed. Who fails is asked again at the next server, servers without any answer come last."""
        turn = {index: self._turn(index, among) for index in indexes}
        dead: t.Set[int] = set()
        bare: t.Set[int] = set()
        best: t.Dict[int, Reply] = {}
        for number in range(1 + max(0, self.limits.retries)):
            replies = self._round(turn, among, bare)
            self.outcome.stats["resent"] += sum(reply.sent for reply in replies.values()) if number else 0
            heard = {turn[index] for index, reply in replies.items() if reply.packet is not None}
            dead |= set(turn.values()) - heard
            again: t.Dict[int, int] = {}
            for index, reply in replies.items():
                if reply.packet is not None or index not in best:
                    best[index] = reply
                if _code(reply) in (_FORMERR, _NOTIMP) and index not in bare:
                    bare.add(index)  # perhaps EDNS is what it does not know (RFC 6891 section 7): the same server once more
                    again[index] = turn[index]
                elif _code(reply) in (None, _FORMERR, _SERVFAIL, _NOTIMP, _REFUSED):
                    again[index] = _next(turn[index], len(among), dead)
            turn = again
            if not turn or not self._time_left():
                break
        failed = []
        self._read_until()
        for index, reply in best.items():
            if reply.packet is not None:
                bad = self._settle(index, reply.packet, reply.server, reply.seconds)
                failed += bad
                if bad and _code(reply) not in (None, _FORMERR, _SERVFAIL, _NOTIMP, _REFUSED):
                    self._note(index, reply.server)
            else:
                self._keep(index, answers.failed(self.questions[index], reply.status, reply.message, reply.server, reply.seconds))
                failed.append(index)
        return failed

    def _round(self, turn: t.Mapping[int, int], among: t.Sequence[int], bare: t.Set[int]) -> t.Dict[int, Reply]:
        """Every question once, at the server whose turn it is; those in ``bare`` without EDNS."""
        replies: t.Dict[int, Reply] = {}
        for edns in (True, False):
            plan: t.Dict[int, t.List[int]] = {}
            for index, at in turn.items():
                if (index not in bare) is edns:
                    plan.setdefault(at, []).append(index)
            if plan:
                manner = dataclasses.replace(self.manner, edns=edns)
                replies.update(exchange(self.questions, [(self.servers[among[at]], group) for at, group in plan.items()], manner))
        self.outcome.stats["streamed"] += sum(reply.sent for reply in replies.values())
        return replies

    def _turn(self, index: int, among: t.Sequence[int]) -> int:
        start = self.first.get(index)
        return among.index(start) if start in among else crc32(self.questions[index].tail) % len(among)

    # verdicts

    def _read_until(self) -> None:
        """To read what came takes time too; where the answers came at the last moment, a quarter of that time and a second more."""
        now = time.monotonic()
        self.reads = max(self.manner.until, now + 1 + (now - self.begin) / 4)

    def _settle(self, index: int, packet: bytes, server: Server, seconds: float) -> t.List[int]:
        """Take a packet; returns the index where it is no answer."""
        question = self.questions[index]
        if time.monotonic() > self.reads:
            sentence = f"the answer of {server.label} was not read before the total time limit"
            self._keep(index, answers.failed(question, "timeout", sentence, server, seconds))
            return [index]
        if self.known is not None and (self.known[index] is not None or index in self.others):
            said = _fingerprint(packet, question)
            if said is not None and (said == self.known[index] or said in self.others.get(index, ())):
                self.outcome.answers.pop(index, None)
                self.outcome.same += 1
                return []
        found = answers.decode(packet, question, server, seconds, self.manner.dnssec)
        self._keep(index, found)
        return [] if found.status in answers.ANSWERED else [index]

    def _keep(self, index: int, found: Answer) -> None:
        """The latest answer counts, except that a server that said why it failed says more than one that was silent."""
        before = self.outcome.answers.get(index)
        if before is None or found.status not in ("timeout", "network") or before.status in ("timeout", "network"):
            self.outcome.answers[index] = found

    def _note(self, index: int, server: Server) -> None:
        self.heard.setdefault(index, set()).add((server.address, server.port))

    def _ask_others(self, failed: t.Sequence[int]) -> None:
        """Further looks where one server's word was no answer, at the servers that had no say yet."""
        open_ = {index for index in failed if index in self.heard}
        for _number in range(max(0, self.limits.retries)):
            groups: t.Dict[t.FrozenSet[t.Tuple[str, int]], t.List[int]] = {}
            for index in sorted(open_):
                groups.setdefault(frozenset(self.heard.pop(index)), []).append(index)
            open_ = set()
            for had, indexes in groups.items():
                rest = {number for number, server in enumerate(self.servers) if (server.address, server.port) not in had}
                if not rest or not self._time_left():
                    continue
                bad = self._by_udp(indexes, [number for number in self.udp if number in rest])
                streams = [number for number in self.streams if number in rest]
                bad = self._by_stream(bad, streams) if bad and streams else bad
                for index in set(bad) & set(self.heard):
                    self.heard[index] |= had
                    open_.add(index)
            if not open_:
                return

    def _count(self, same: int, stats: t.Mapping[str, int]) -> None:
        self.outcome.same += same
        for name, value in stats.items():
            self.outcome.stats[name] = self.outcome.stats.get(name, 0) + value


def _next(at: int, count: int, dead: t.Set[int]) -> int:
    """The next server in turn, one that lives where there is one."""
    for step in range(1, count + 1):
        if (at + step) % count not in dead:
            return (at + step) % count
    return (at + 1) % count


def _code(reply: Reply) -> t.Optional[int]:
    """The response code; None where there is no whole packet."""
    packet = reply.packet
    return packet[3] & 15 if packet is not None and len(packet) >= 12 and not packet[2] & 0x02 else None


def _fingerprint(packet: bytes, question: Question) -> t.Optional[bytes]:
    try:
        echo = packet[12 : 12 + len(question.tail)]
        return wire.fingerprint(packet, 12 + len(question.tail)) if echo == question.tail else None
    except wire.Malformed:
        return None
