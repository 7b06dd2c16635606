# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind the module dns_info and the lookup dns: names in, answers out, all input checked before a query is sent."""

from __future__ import annotations

import collections
import dataclasses
import ipaddress
import re
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer as answers
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import authority, connection, resolver, rrtypes, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_options import (
    Refusal,
    anchors_of,
    limits_of,
    rates_of,
    servers_of,
    written_names,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import Answer
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

_PTR, _DS = 12, 43
_AUTHORITATIVE = re.compile(r"authoritative(?::([0-9]{1,5}))?", re.IGNORECASE)
_MOST_THREADS = 8  # authoritative servers asked at the same time
Params = t.Mapping[str, t.Any]


@dataclasses.dataclass
class Job:
    """What is to be asked. ``order`` has an index into ``questions`` for each answer that is wanted; ``port`` is that of authoritative servers, if they
    are to be asked, and ``servers`` then only help to find them."""

    names: int
    questions: t.List[wire.Question]
    order: t.List[int]
    servers: t.List[Server]
    port: t.Optional[int]
    transport: str
    limits: Limits
    dnssec: bool
    trust_anchors: t.Sequence[str]
    ca: t.Optional[str]


def read(params: Params) -> Job:
    """Options of the module or the lookup: ``names``, ``names_file``, ``types``, ``nameservers``, ``transport``, ``timeout``, ``retries``,
    ``concurrency``, ``deadline``, ``rate``, ``dnssec``, ``trust_anchors``, ``ca``.

    :raises Refusal: one sentence that names the option and the item
    :raises LibraryMissing: a library is not there
    """
    answers.require()
    kinds = _kinds(params.get("types") or ["A"])
    names, questions, order = _questions(params, kinds)
    places = [str(place).strip() for place in params.get("nameservers") or ()]
    port, transport = _authoritative(places), str(params.get("transport") or "udp")
    if port is not None and transport not in ("udp", "tcp"):
        raise Refusal(
            f'transport is {transport}; "authoritative" servers are asked by udp or tcp (write {transport}:// before the others instead)'
        )
    resolvers = [place for place in places if not _AUTHORITATIVE.fullmatch(place)]
    limits = limits_of(params)
    servers = servers_of(dict(params, nameservers=resolvers), "nameservers")
    rates_of(limits, params.get("rate"), servers, open_end=port is not None)
    dnssec = bool(params.get("dnssec"))
    try:
        connection.tls_context(params.get("ca") or None)
    except ValueError as exc:
        raise Refusal(str(exc)) from exc
    anchors = anchors_of(params.get("trust_anchors"), dnssec)
    return Job(names, questions, order, servers, port, transport, limits, dnssec, anchors, params.get("ca") or None)


def run(job: Job) -> t.Dict[str, t.Any]:
    """``answers`` in the order of the input, and ``stats``."""
    begin = time.monotonic()
    counts: t.Counter[str] = collections.Counter()
    found = _by_authority(job, counts) if job.port is not None else _by_servers(job, job.servers, range(len(job.questions)), counts, True)
    seconds = time.monotonic() - begin
    texts = {index: [_as_dict(one) for one in given] for index, given in found.items()}
    listed = [one for index in job.order for one in texts[index]]
    statuses = collections.Counter(one["status"] for one in listed)
    answered = sum(statuses[status] for status in answers.ANSWERED)
    stats = {
        "names": job.names,
        "queries": counts["queries"] + counts["streamed"],
        "resent": counts["resent"],
        "seconds": round(seconds, 3),
        "qps": round((counts["queries"] + counts["streamed"]) / max(seconds, 1e-6), 1),
        "answered": answered,
        "failed": len(listed) - answered,
        "statuses": {status: statuses[status] for status in answers.STATUSES if statuses[status]},
    }
    return {"answers": listed, "stats": stats}


def _as_dict(answer: Answer) -> t.Dict[str, t.Any]:
    return {
        "name": answer.name,
        "type": answer.type,
        "status": answer.status,
        "rdata": list(answer.rdata),
        "ttl": answer.ttl,
        "nameserver": answer.nameserver,
        "latency_ms": answer.latency_ms,
        "chain": list(answer.chain),
        "message": answer.message,
        "secure": answer.secure,
    }


# --- the input ---


def _kinds(types: t.Sequence[t.Any]) -> t.List[int]:
    try:
        return list(dict.fromkeys(rrtypes.number(kind) for kind in types))
    except ValueError as exc:
        raise Refusal(f"types: {exc}") from exc


def _questions(params: Params, kinds: t.Sequence[int]) -> t.Tuple[int, t.List[wire.Question], t.List[int]]:
    """How many names, every question once, and the index of each in the order of the input."""
    found: t.Dict[bytes, int] = {}
    questions: t.List[wire.Question] = []
    order: t.List[int] = []
    count = 0
    for place, number, name in written_names(params):
        count += 1
        for kind in kinds:
            try:
                question = wire.question(_reverse(name, kind), kind)
            except ValueError as exc:
                raise Refusal(f"{place} {number}: {exc}") from exc
            if question.tail not in found:
                found[question.tail] = len(questions)
                questions.append(question)
            order.append(found[question.tail])
    if not count:
        raise Refusal("there is nothing to ask for: give names, or a names_file with a name on a line")
    return count, questions, order


def _reverse(name: str, kind: int) -> str:
    """The name that an address has for PTR (RFC 1035 3.5, RFC 3596 2.5); other names as they are."""
    if not name[-1:].isalnum() or not (":" in name or name[-1:].isdigit()):
        return name
    try:
        address = ipaddress.ip_address(name.partition("%")[0])  # a scope means something on this machine alone
    except ValueError:
        return name
    if kind != _PTR:
        raise ValueError(f'"{name}" is an address, of which only PTR can be asked, not {rrtypes.text(kind)}')
    return address.reverse_pointer


def _authoritative(places: t.Sequence[str]) -> t.Optional[int]:
    """The port of authoritative servers where these are wanted."""
    matches = [match for match in map(_AUTHORITATIVE.fullmatch, places) if match]
    if not matches:
        return None
    if len(matches) > 1:
        raise Refusal('nameservers: "authoritative" may stand there once')
    port = int(matches[0].group(1) or 53)
    if not 1 <= port <= 65535:
        raise Refusal(f'nameservers: "{matches[0].group()}": a port is a number from 1 to 65535')
    return port


# --- asking ---


def _by_servers(
    job: Job, servers: t.Sequence[Server], indexes: t.Sequence[int], counts: t.Counter[str], recursion: bool
) -> t.Dict[int, t.List[Answer]]:
    questions = [job.questions[index] for index in indexes]
    outcome = resolver.ask(questions, servers, job.limits, dnssec=job.dnssec, ca=job.ca, recursion=recursion)
    if job.dnssec:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import dnssec

        dnssec.validate(outcome.answers, questions, job.servers, job.limits, job.trust_anchors, job.ca)
    counts.update(outcome.stats)
    return {indexes[at]: [answer] for at, answer in outcome.answers.items()}


def _by_authority(job: Job, counts: t.Counter[str]) -> t.Dict[int, t.List[Answer]]:
    """Every authoritative server of each name's zone, one answer from each."""
    places = [_place(question) for question in job.questions]
    found = authority.find(sorted(set(places)), job.servers, job.limits, job.port or 53, job.ca, job.transport)
    groups: t.Dict[Server, t.List[int]] = {}
    for index, place in enumerate(places):
        for server in found[place].servers:
            groups.setdefault(server, []).append(index)
    heard: t.Dict[Server, t.Dict[int, t.List[Answer]]] = {}
    waiting = list(groups.items())
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                server, indexes = waiting.pop()
            mine: t.Counter[str] = collections.Counter()
            given = _by_servers(job, [server], indexes, mine, False)
            with lock:
                heard[server] = given
                counts.update(mine)

    threads = [threading.Thread(target=work, daemon=True) for _number in range(min(_MOST_THREADS, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {index: _of_all(question, index, found[places[index]], heard) for index, question in enumerate(job.questions)}


def _place(question: wire.Question) -> str:
    """The name whose zone has the answer: DS records stand above the zone that they are about (RFC 4035 2.4)."""
    return authority.parent(question.name) if question.kind == _DS else question.name


def _of_all(
    question: wire.Question, index: int, found: authority.Found, heard: t.Mapping[Server, t.Mapping[int, t.List[Answer]]]
) -> t.List[Answer]:
    if not found.servers:
        return [answers.failed(question, found.status or "network", found.message)]
    every = []
    for server in found.servers:
        given = heard.get(server, {}).get(index) or [answers.failed(question, "network", f"{server.label} could not be asked", server)]
        every += [_responsible(answer, question, server) for answer in given]
    return every


def _responsible(answer: Answer, question: wire.Question, server: Server) -> Answer:
    """The answer, if its server is responsible for the zone as its NS record says (RFC 1035 4.1.1, AA)."""
    if answer.status not in answers.ANSWERED or answer.aa:
        return answer
    return answers.failed(
        question, "lame", f"{server.label} stands in the NS records for {question.name} and does not answer with authority", server
    )
