# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dns_diff against records as they should be, against other name servers, and against a zone. Nothing is kept: what differs, differs."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import rrset, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import zone as zones
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import ANSWERED, Answer
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.diff import Change, change
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.expected import Expectation
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_asker import Asker, Failure, failure, lameness

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_request import Request

PORTION = 1000
_SOA = 6
_TRANSFER_SECONDS = 600.0


@dataclasses.dataclass
class Compared:
    """What differs, what could not be looked at, and how many were alike or not seen twice."""

    changes: t.List[Change] = dataclasses.field(default_factory=list)
    failures: t.List[Failure] = dataclasses.field(default_factory=list)
    unchanged: int = 0
    unconfirmed: int = 0


def against_expected(request: Request, asker: Asker) -> Compared:
    """Each name as it is, and as it should be."""
    wanted: t.Dict[t.Tuple[str, int], t.List[Expectation]] = {}
    for one in request.expectations:
        wanted.setdefault((one.name, one.kind), []).append(one)
    compared = Compared()
    for part in _portions(request.questions):
        outcome = asker.ask(part)
        open_: t.List[t.Tuple[wire.Question, Answer]] = []
        for at, question in enumerate(part):
            answer = outcome.answers[at]
            if answer.status not in ANSWERED:
                compared.failures.append(failure(answer))
            elif all(one.holds(answer.rdata) for one in wanted[question.name, question.kind]):
                compared.unchanged += 1
            else:
                open_.append((question, answer))
        for question, answer in _confirmed(asker, open_, compared):
            for one in wanted[question.name, question.kind]:
                if not one.holds(answer.rdata):
                    compared.changes.append(_unexpected(one, answer))
    return compared


def _unexpected(one: Expectation, answer: Answer) -> Change:
    says = one.says()
    more: t.Dict[str, t.Any] = {"status": answer.status, "nameserver": answer.nameserver}
    if one.match not in ("exact", "subset", "superset"):
        found = change(answer.name, answer.type, (), answer.rdata, kind="changed" if answer.rdata else "removed", **more)
        return dict(found, before=list(says), added=[], message=f"{len(answer.rdata)} records were seen, expected {', '.join(says)}")
    return change(answer.name, answer.type, says, answer.rdata, message=f"expected {one.match}", **more)


def _confirmed(asker: Asker, open_: t.List[t.Tuple[wire.Question, Answer]], compared: Compared) -> t.List[t.Tuple[wire.Question, Answer]]:
    """Those that are the same again, and negative ones that somebody stands behind."""
    for number in range(1, asker.request.confirm + 1):
        if open_:
            seen = asker.again(open_, number)
            same = [one for one, again in zip(open_, seen) if again.status in ANSWERED and again.rdata == one[1].rdata]
            compared.unconfirmed += len(open_) - len(same)
            open_ = same
    gone = [one for one in open_ if not one[1].rdata]
    lame = {gone[at][0].tail for at in asker.lame(gone)} if gone else set()
    compared.failures += [lameness(answer) for question, answer in gone if question.tail in lame]
    return [one for one in open_ if one[0].tail not in lame]


def _portions(questions: t.Sequence[wire.Question]) -> t.Iterator[t.Sequence[wire.Question]]:
    for place in range(0, len(questions), PORTION):
        yield questions[place : place + PORTION]


def against_nameservers(request: Request, asker: Asker) -> Compared:
    """The same questions at the same moment to every source; a difference is asked for again before it is called one.

    The reference is one source, as is each name server; without a reference the first name server is it.
    """
    reference = request.reference or request.servers[:1]
    sources = [[server] for server in (request.servers if request.reference else request.servers[1:])]
    compared = Compared()
    for part in _portions(request.questions):
        first = _at_once(asker, part, [reference, *sources])
        for number, source in enumerate(sources, 1):
            open_ = [at for at in range(len(part)) if _is_open(request, first[0][at], first[number][at], compared)]
            for _look in range(request.confirm if open_ else 0):
                again = _at_once(asker, [part[at] for at in open_], [reference, source])
                left = [at for place, at in enumerate(open_) if _differs(request, again[0][place], again[1][place])]
                compared.unconfirmed += len(open_) - len(left)
                open_ = left
            open_ = [at for at in open_ if not _is_unproved(asker, part[at], (first[0][at], first[number][at]), compared)]
            compared.changes += _told(asker, part, open_, first[0], first[number], reference, source)
        compared.failures += [failure(answer) for answer in first[0].values() if answer.status not in ANSWERED]
    return compared


def _at_once(asker: Asker, questions: t.Sequence[wire.Question], sources: t.Sequence[t.Sequence[Server]]) -> t.List[t.Dict[int, Answer]]:
    """The answers of every source, asked side by side."""
    found: t.List[t.Dict[int, Answer]] = [{} for _source in sources]
    errors: t.List[BaseException] = []

    def work(number: int) -> None:
        try:
            found[number] = asker.ask(questions, sources[number]).answers
        except BaseException as exc:  # noqa: BLE001 - it is raised again below, in the thread that asked
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(sources))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return found


def _differs(request: Request, one: Answer, other: Answer) -> bool:
    if one.status not in ANSWERED or other.status not in ANSWERED or one.rdata == other.rdata:
        return False
    return not (one.rdata and other.rdata and any(each.covers(one.name, one.rdata, other.rdata) for each in request.tolerance))


def _is_unproved(asker: Asker, question: wire.Question, pair: t.Sequence[Answer], compared: Compared) -> bool:
    """Whether the difference is only that one of the two is no server of the zone."""
    gone = [(question, answer) for answer in pair if not answer.rdata]
    lame = asker.lame(gone) if gone else set()
    compared.failures += [lameness(gone[at][1]) for at in sorted(lame)]
    return bool(lame)


def _is_open(request: Request, one: Answer, other: Answer, compared: Compared) -> bool:
    """Whether two answers differ; counts what is alike, and keeps what failed at the second."""
    if other.status not in ANSWERED:
        compared.failures.append(failure(other))
        return False
    if _differs(request, one, other):
        return True
    compared.unchanged += one.status in ANSWERED
    return False


def _told(
    asker: Asker,
    part: t.Sequence[wire.Question],
    open_: t.Sequence[int],
    one: t.Mapping[int, Answer],
    other: t.Mapping[int, Answer],
    reference: t.Sequence[Server],
    source: t.Sequence[Server],
) -> t.List[Change]:
    """The differences, each with the serial numbers of the zone where these explain it."""
    if not open_:
        return []
    serials = _serials(asker, sorted({part[at].name for at in open_}), reference, source)
    found = []
    for at in open_:
        before, after = one[at], other[at]
        message = f"{after.nameserver} differs from {before.nameserver}{serials.get(part[at].name, '')}"
        found.append(
            change(after.name, after.type, before.rdata, after.rdata, status=after.status, nameserver=after.nameserver, message=message)
        )
    return found


def _serials(asker: Asker, wanted: t.Sequence[str], reference: t.Sequence[Server], source: t.Sequence[Server]) -> t.Dict[str, str]:
    """By name, what is to be said of the serial numbers of its zone at the two sources."""
    zone_of: t.Dict[str, str] = {}
    replies = asker.ask([wire.question(name, _SOA) for name in wanted], source).answers
    for at, name in enumerate(wanted):
        reply = replies[at]
        zone = name if reply.status == "noerror" else reply.soa
        if zone is not None and reply.status in ANSWERED:
            zone_of[name] = zone
    roots = sorted(set(zone_of.values()))
    if not roots:
        return {}
    sides = _at_once(asker, [wire.question(zone, _SOA) for zone in roots], [reference, source])
    said: t.Dict[str, str] = {}
    for at, zone in enumerate(roots):
        here, there = (_serial(side[at]) for side in sides)
        if here and there and here != there:
            said[zone] = f": the zone {zone} has the serial {there} there and {here} at the reference"
        elif here and there:
            said[zone] = f", though the zone {zone} has the serial {here} at both"
    return {name: said.get(zone, "") for name, zone in zone_of.items()}


def _serial(answer: Answer) -> str:
    words = answer.rdata[0].split() if answer.rdata else []
    return words[2] if len(words) > 2 else ""


def fetch(request: Request) -> t.Any:
    """The zone of a request, from its file or from the first server that hands it out.

    :raises zones.ZoneError: one sentence
    """
    if request.zone_file:
        return zones.from_file(request.zone_file, request.zone)
    problem: t.Optional[zones.ZoneError] = None
    for server in request.servers:
        try:
            until = request.limits.until
            seconds = _TRANSFER_SECONDS if until is None else max(0.1, min(_TRANSFER_SECONDS, until - time.monotonic()))
            return zones.transfer(server, request.zone, request.key, min(seconds, max(request.limits.timeout, 10.0)), seconds)
        except zones.ZoneError as exc:
            problem = problem or exc
    raise problem or zones.ZoneError(f"no name server hands out the zone {request.zone}")


def zone_questions(request: Request, zone: t.Any) -> zones.Records:
    """The records of the zone that are asked for: of the names given, or of all; they become the request's questions."""
    request.cuts = zones.cuts(zone)
    records = zones.records(zone, request.kinds)
    if request.questions:
        wanted = {question.name for question in request.questions}
        for name in wanted:
            if not rrset.is_below(name, request.zone):
                raise zones.ZoneError(f"{name} is not in the zone {request.zone}")
        look = zones.Lookup({**zones.records(zone), **records}, request.zone)
        records = {key: values for key, values in records.items() if key[0] in wanted}
        for question in request.questions:
            _add(request, question, records, look)
    request.questions = [wire.question(name, kind) for name, kind in records]
    return records


def _add(request: Request, question: wire.Question, records: zones.Records, look: zones.Lookup) -> None:
    """A name and type that was asked for and is not in the zone as such: the wildcard's, an alias, or nothing, which must not be there then either."""
    name, kind = question.name, question.kind
    if (name, kind) in records:
        return
    values: t.Tuple[str, ...] = ()
    if request.against == "zone":
        if request.cuts.hides(name):
            raise zones.ZoneError(f"{name} is below a delegation or a DNAME, so the zone {request.zone} does not say what it is")
        kind, values = look(name, kind)
    records[name, kind] = values


def against_zone(request: Request, asker: Asker, records: zones.Records) -> Compared:
    """Each name as servers answer, and as it stands in the zone."""
    request.expectations = [Expectation(name, kind, "exact", values) for (name, kind), values in records.items()]
    compared = against_expected(request, asker)
    for one in compared.changes:
        one["message"] = f"{one['nameserver']} differs from {request.zone_file or 'the zone ' + request.zone}"
    return compared
