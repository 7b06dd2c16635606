# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking for dns_diff: every query of a run goes through here, so that it is counted and the total time holds."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import resolver, rrset, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import ANSWERED, Answer

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_request import Request

Failure = t.Dict[str, t.Any]
_SOA = 6
_LONGEST = 1000  # letters of a message, which may hold what a server says


class Asker:
    """Asks as the request says, and counts."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.queries = 0
        self.seconds = 0.0
        self._lock = threading.Lock()  # sources are asked side by side

    def ask(self, questions: t.Sequence[wire.Question], servers: t.Optional[t.Sequence[Server]] = None, **more: t.Any) -> resolver.Outcome:
        """As :func:`resolver.ask`, validated where that is asked for."""
        request, begin = self.request, time.monotonic()
        among = list(servers) if servers is not None else request.servers
        outcome = resolver.ask(questions, among, request.limits, dnssec=request.dnssec, ca=request.ca, **more)
        if request.dnssec:
            self._validate(outcome, questions, among)
        with self._lock:
            self.queries += outcome.stats.get("queries", 0) + outcome.stats.get("streamed", 0)
            self.seconds += time.monotonic() - begin
        for answer in outcome.answers.values():
            _name_alias(answer)
        return outcome

    def _validate(self, outcome: resolver.Outcome, questions: t.Sequence[wire.Question], among: t.Sequence[Server]) -> None:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import dnssec

        anchors = self.request.trust_anchors or dnssec.ROOT
        dnssec.validate(outcome.answers, questions, among, self.request.limits, anchors, self.request.ca)

    def again(self, asked: t.Sequence[t.Tuple[wire.Question, Answer]], number: int) -> t.List[Answer]:
        """Ask once more, at another server where there is one.

        :arg asked: questions with the answers they had; ``number``: the how manieth look this is, from 1
        """
        servers = self.request.servers
        place = {server.label: at for at, server in enumerate(servers)}
        first = {at: (place.get(str(answer.nameserver), 0) + number) % len(servers) for at, (_question, answer) in enumerate(asked)}
        outcome = self.ask([question for question, _answer in asked], first=first)
        return [outcome.answers[at] for at in range(len(asked))]

    def lame(self, asked: t.Sequence[t.Tuple[wire.Question, Answer]]) -> t.Set[int]:
        """Which negative answers nobody stands behind: they name no zone that the name is in (RFC 2308 section 3), and neither does the
        same server when it is asked for the SOA of the name and of those above it."""
        open_ = {at: rrset.parents(_end(*one)) for at, one in enumerate(asked) if needs_proof(*one)}
        unproved: t.Set[int] = set()
        while open_:
            by_server: t.Dict[str, t.List[int]] = {}
            for at in open_:
                by_server.setdefault(str(asked[at][1].nameserver), []).append(at)
            for label, group in by_server.items():
                every = [*self.request.servers, *self.request.reference]
                servers = [server for server in every if server.label == label][:1] or self.request.servers
                outcome = self.ask([wire.question(open_[at][0], _SOA) for at in group], servers)
                for number, at in enumerate(group):
                    reply = outcome.answers[number]
                    if reply.status == "noerror" or (reply.status in ANSWERED and reply.soa and rrset.is_below(open_[at][0], reply.soa)):
                        del open_[at]
                    elif len(open_[at]) == 1:
                        unproved.add(at)
                        del open_[at]
                    else:
                        open_[at] = open_[at][1:]
        return unproved


def needs_proof(question: wire.Question, answer: Answer) -> bool:
    """Whether a negative answer names no zone that the name is in."""
    return answer.soa is None or not rrset.is_below(_end(question, answer), answer.soa)


def _name_alias(answer: Answer) -> None:
    """A server that has the name, and it leads to a zone that this server has not: the alias is all that it knows, and what is compared."""
    if answer.status == "nodata" and answer.chain and answer.aa and answer.soa is None:
        answer.status, answer.rdata, answer.message = "noerror", (f"CNAME {answer.chain[-1]}",), ""


def _end(question: wire.Question, answer: Answer) -> str:
    """The name that is not there: of an alias the one it leads to."""
    return answer.chain[-1].rstrip(".") if answer.chain else question.name


def failure(answer: Answer, status: str = "", message: str = "") -> Failure:
    """A name that could not be looked at, as it is returned."""
    return {
        "name": answer.name,
        "type": answer.type,
        "status": status or answer.status,
        "nameserver": answer.nameserver,
        "message": (message or answer.message)[:_LONGEST],
    }


def lameness(answer: Answer, kept: bool = False) -> Failure:
    """A negative answer that is not believed. ``kept``: what was known before stays."""
    what = f"{answer.nameserver} says that {answer.name} has no {answer.type} record, but names no zone that it is in"
    return failure(answer, "lame", what + ("; the records known before are kept" if kept else ""))
