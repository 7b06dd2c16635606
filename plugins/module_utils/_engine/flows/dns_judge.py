# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one look at every name means, against what was known: learned, the same, a failure, or something that is to be looked at again."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import flapping
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import ANSWERED, Answer
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.diff import Change, change, is_mass
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.rotation import LOOKS, Pool, is_apart, network
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.wire import Question
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_asker import Asker, Failure, failure, lameness, needs_proof
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.dns import MOST_PRINTS, Record

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_request import Request

STATS = ("learned", "unchanged", "changed", "failed", "unconfirmed", "held", "flapping", "rotating")


@dataclasses.dataclass
class Candidate:
    """Something that looks like a change. ``asked``: what the pool of a rotating name wonders about; ``looks``: what was seen since."""

    question: Question
    answer: Answer
    record: Record
    asked: str = ""
    pool: t.Optional[Pool] = None
    looks: t.List[Answer] = dataclasses.field(default_factory=list)


class Judge:
    """Judges one run.

    :ivar records: what is to be known from now on, by the question's tail
    :ivar bases: what was known before of each of these; those that are new are not in it
    :ivar generation: of what was known
    """

    def __init__(self, request: Request, asker: Asker, now: float) -> None:
        self.request, self.asker, self.now = request, asker, now
        self.records: t.Dict[bytes, Record] = {}
        self.bases: t.Dict[bytes, Record] = {}
        self.generation: t.Any = None
        self.changes: t.List[t.Tuple[bytes, Change]] = []
        self.failures: t.List[Failure] = []
        self.candidates: t.List[Candidate] = []
        self.fresh: t.List[t.Tuple[Question, Answer]] = []
        self.unproved: t.List[t.Tuple[Question, Answer]] = []
        self.stats = dict.fromkeys(STATS, 0)
        self.compared = 0

    def fail(self, found: Failure) -> None:
        self.stats["failed"] += 1
        self.failures.append(found)

    def see(self, question: Question, answer: Answer, record: t.Optional[Record]) -> None:
        """One answer that is not the same on the wire, and what was known."""
        if answer.status not in ANSWERED:
            self.fail(failure(answer))
        elif record is None:
            self.stats["learned"] += 1
            self.records[question.tail] = Record(answer.status, answer.rdata, answer.fingerprint, since=self.now)
            if self.request.rotation and answer.rdata:
                self.fresh.append((question, answer))
            if not answer.rdata and needs_proof(question, answer):
                self.unproved.append((question, answer))
        elif answer.rdata == record.rdata:
            self.compared += 1
            self._same(question, answer, record)
        else:
            self.compared += 1
            self._differs(Candidate(question, answer, record))

    def same(self, number: int) -> None:
        """So many were the same on the wire."""
        self.stats["unchanged"] += number
        self.compared += number

    def _same(self, question: Question, answer: Answer, record: Record) -> None:
        """The same records in other bytes: another order, case, alias, or another kind of nothing."""
        memory = record.memory or {}
        if flapping.is_flapping(memory.get("flaps")):
            self._rests(question, answer, record, memory)
            return
        pool = memory.get("pool")
        if pool and self.request.rotation:
            self.stats["rotating"] += 1
            learned = Pool(pool)
            learned.add(answer.rdata)
            self._keep(question, answer, record, dict(memory, pool=learned.memory()))
            return
        self.stats["unchanged"] += 1
        kept = record
        if answer.fingerprint is not None and answer.fingerprint != record.print and answer.fingerprint not in record.others:
            if record.print is None:
                kept = kept._replace(print=answer.fingerprint)
            else:
                kept = kept._replace(others=(*record.others, answer.fingerprint)[-MOST_PRINTS:])
        if answer.status != record.status:
            kept = kept._replace(status=answer.status)
        if kept is not record:
            self.records[question.tail], self.bases[question.tail] = kept, record

    def _rests(self, question: Question, answer: Answer, record: Record, memory: t.Mapping[str, t.Any]) -> None:
        verdict = flapping.rested(memory["flaps"], answer.rdata)
        if verdict.what == "settled" and verdict.told is not None:
            self._tell(question, answer, verdict.told, "")
        else:
            self.stats["flapping"] += 1
        self._keep(question, answer, record, dict(memory, flaps=verdict.memory))

    def _differs(self, candidate: Candidate) -> None:
        question, answer, record = candidate.question, candidate.answer, candidate.record
        if answer.rdata and record.rdata:
            if any(one.covers(question.name, record.rdata, answer.rdata) for one in self.request.tolerance):
                self.stats["rotating"] += 1
                self._keep(question, answer, record, record.memory)
                return
            if self.request.rotation:
                candidate.pool = Pool((record.memory or {}).get("pool"))
                if not candidate.pool.values.seen:
                    candidate.pool.add(record.rdata)
                candidate.asked = candidate.pool.question(answer.rdata)
                if not candidate.asked:
                    self._rotates(candidate)
                    return
        self.candidates.append(candidate)

    def _rotates(self, candidate: Candidate) -> None:
        """Another answer of the pool: learn it, and everything that was seen when it was looked at again."""
        pool = t.cast(Pool, candidate.pool)
        self.stats["rotating"] += 1
        for seen in [candidate.answer, *candidate.looks]:
            if seen.status == "noerror":
                pool.add(seen.rdata)
        memory = dict(candidate.record.memory or {}, pool=pool.memory())
        self._keep(candidate.question, candidate.answer, candidate.record, memory)

    def _keep(self, question: Question, answer: Answer, record: Record, memory: t.Optional[t.Dict[str, t.Any]]) -> None:
        """Know this value from now on. A name that flaps or rotates is read every time, so that its rests and its pool are counted."""
        memory = {key: value for key, value in (memory or {}).items() if value}
        rotates = self.request.rotation and bool(memory.get("pool", {}).get("rotated"))
        watched = rotates or flapping.is_flapping(memory.get("flaps"))
        since = record.since if answer.rdata == record.rdata else self.now
        fingerprint = None if watched else answer.fingerprint
        self.records[question.tail] = Record(answer.status, answer.rdata, fingerprint, (), memory or None, since)
        self.bases[question.tail] = record

    def learn_pools(self) -> None:
        """With rotation, names seen for the first time are looked at again at once: whoever rotates shows it now, and not as an alarm."""
        looks: t.Dict[bytes, t.List[Answer]] = {}
        for number in range(1, LOOKS + 1):
            for (question, _answer), seen in zip(self.fresh, self.asker.again(self.fresh, number) if self.fresh else ()):
                looks.setdefault(question.tail, []).append(seen)
        for question, answer in self.fresh:
            pool = Pool()
            for seen in [answer, *looks[question.tail]]:
                if seen.status == "noerror":
                    pool.add(seen.rdata)
            if pool.rotated:
                self.stats["rotating"] += 1
                self._keep(question, answer, self.records[question.tail], {"pool": pool.memory()})
                del self.bases[question.tail]
        self.fresh = []

    def believe(self) -> None:
        """That a name has no record is learned when somebody stands behind it."""
        lame = self.asker.lame(self.unproved) if self.unproved else set()
        for at in sorted(lame):
            question, answer = self.unproved[at]
            del self.records[question.tail]
            self.stats["learned"] -= 1
            self.fail(lameness(answer))
        self.unproved = []

    def confirm(self) -> None:
        """Look again at what looks like a change; what is left is one."""
        confirm = self.request.confirm
        left = self.candidates
        for number in range(1, max(confirm, LOOKS) + 1):
            looked = [one for one in left if number <= (max(confirm, LOOKS) if one.asked else confirm) and self._may_still_be(one)]
            if looked:
                for one, seen in zip(looked, self.asker.again([(one.question, one.answer) for one in looked], number)):
                    one.looks.append(seen)
        confirmed = [one for one in left if self._is_confirmed(one)]
        gone = [one for one in confirmed if not one.answer.rdata]
        lame = self.asker.lame([(one.question, one.answer) for one in gone]) if gone else set()
        unproved = {id(gone[at]) for at in lame}
        for one in confirmed:
            if id(one) in unproved:
                self.fail(lameness(one.answer, kept=True))
            else:
                self._moved(one)
        self.candidates = []

    def _may_still_be(self, one: Candidate) -> bool:
        return bool(one.asked) or all(_agrees(one, seen) for seen in one.looks)

    def _is_confirmed(self, one: Candidate) -> bool:
        if not one.asked:
            if len(one.looks) >= self.request.confirm and self._may_still_be(one):
                return True
            self.stats["unconfirmed"] += 1
            return False
        pool = t.cast(Pool, one.pool)
        looks = [(seen.rdata, seen.aa or seen.nameserver != one.answer.nameserver) for seen in one.looks if seen.status in ANSWERED]
        if pool.is_news(one.asked, one.answer.rdata, looks):
            return True
        if looks:
            self._rotates(one)
        else:
            self.stats["unconfirmed"] += 1
        return False

    def _moved(self, one: Candidate) -> None:
        memory = dict(one.record.memory or {})
        verdict = flapping.moved(memory.get("flaps"), one.record.rdata, one.answer.rdata, self.now)
        if one.pool is not None:
            one.pool.settle(one.answer.rdata)
            memory["pool"] = one.pool.memory() if one.pool.rotated else None
        elif not one.answer.rdata or not one.record.rdata:
            memory["pool"] = None
        memory["flaps"] = verdict.memory
        if verdict.what == "silent":
            self.stats["flapping"] += 1
        else:
            self._tell(one.question, one.answer, one.record.rdata, verdict.what)
        self._keep(one.question, one.answer, one.record, memory)

    def _tell(self, question: Question, answer: Answer, before: t.Sequence[str], what: str) -> None:
        more: t.Dict[str, t.Any] = {"status": answer.status, "nameserver": answer.nameserver}
        if what == "flapping":
            self.stats["flapping"] += 1
            more.update(kind="flapping", message=f"{answer.name} {answer.type} goes back and forth; it is told again when it rests")
        else:
            self.stats["changed"] += 1
        self.changes.append((question.tail, change(answer.name, answer.type, before, answer.rdata, **more)))

    def hold_back(self) -> t.Optional[Change]:
        """One entry in the place of a mass of changes, which are not known from now on, so that they are found again; None without one."""
        several = [tail for tail, one in self.changes if one["kind"] != "flapping"]
        if not is_mass(len(several), self.compared, self.request.max_change_percent):
            return None
        held = set(several)
        first = next(one for tail, one in self.changes if tail in held)
        self.changes = [(tail, one) for tail, one in self.changes if tail not in held]
        for tail in held:
            del self.records[tail], self.bases[tail]
        self.stats["held"], self.stats["changed"] = len(held), 0
        message = (
            f"{len(held)} of {self.compared} names have changed at once, more than max_change_percent ({self.request.max_change_percent:g})"
            f" allows, such as {first['name']} {first['type']}; they are held back and compared again by the next run."
            " Run once with max_change_percent: 100 to accept them."
        )
        return change("*", "*", (), (), kind="mass", status="noerror", nameserver=first["nameserver"], message=message)


def _agrees(one: Candidate, seen: Answer) -> bool:
    """Whether another look shows the same change: the same records, or where each look shows others, none that is anywhere near those of before."""
    if seen.status not in ANSWERED:
        return False
    if seen.rdata == one.answer.rdata:
        return True
    before = {network(value) for value in one.record.rdata}
    return is_apart(before, one.answer.rdata) and is_apart(before, seen.rdata)
