# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dns_diff against what was known: load, look, judge, and keep everything in one unit of work."""

from __future__ import annotations

import time
import typing as t
import uuid

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import zone as zones
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.diff import Change
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_asker import Asker
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_judge import Judge
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import dns as state
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_request import Request
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store, Unit

# Names without a fingerprint come back decoded, which takes about a kilobyte each until they are judged.
PORTION = 10_000
_MASS = "dns_mass"


class Found(t.NamedTuple):
    """What a run found. ``again``: changes of earlier runs that nobody acknowledged, at most max_results of ``returned``; ``mass``: one that is
    held back; ``batch``: what acknowledges all of it."""

    judge: Judge
    again: t.List[Change]
    returned: int
    mass: t.List[Change]
    changes: t.List[Change]
    batch: str


def compare(request: Request, asker: Asker, store: t.Optional[Store], check_mode: bool) -> Found:
    """Look at every name once and keep what is new.

    :arg store: None where there is none yet and none may be made
    :raises StateError: the store cannot be used; nothing was kept then
    """
    if store is not None and request.zone:
        _add_known(request, store)
    tails = [question.tail for question in request.questions]
    known: t.Dict[bytes, t.Optional[bytes]] = {}
    others: t.Dict[bytes, t.Tuple[bytes, ...]] = {}
    generation = None
    if store is not None:
        with store.view() as unit:
            known, others = state.prints(unit, request.view, tails)
            generation = state.generation(unit, request.view)
    judge = Judge(request, asker, store.clock() if store is not None else time.time())
    for part in _parts(request.questions, known):
        _look(part, known, others, asker, judge, store)
    judge.believe()
    judge.learn_pools()
    judge.confirm()
    mass = judge.hold_back()
    judge.changes.sort(key=lambda found: (found[1]["name"], found[1]["type"]))
    if store is None or check_mode:
        again, returned = _pending(request, store)
        changes = [dict(one, time=rfc3339(judge.now), id=None) for _tail, one in judge.changes]
        held = [dict(mass, time=rfc3339(judge.now), id=None)] if mass else []
        return Found(judge, again, returned, held, changes, "")
    judge.generation = generation
    return _kept(request, judge, mass, store, tails)


def _add_known(request: Request, store: Store) -> None:
    """Names of the zone that were known and are not in it any more: that they are gone is what is to be seen."""
    have = {question.tail for question in request.questions}
    with store.view() as unit:
        for tail in state.below(unit, request.view, names.to_wire(request.zone)):
            kind = int.from_bytes(tail[-4:-2], "big")
            if tail in have or not (request.kinds is None or kind in request.kinds):
                continue
            name = names.to_text(tail[:-4])
            if zones.is_answered(name, kind, request.zone, request.cuts):  # else somebody watches the child zone
                request.questions.append(wire.Question(name, kind, tail))


def _parts(questions: t.List[wire.Question], known: t.Mapping[bytes, t.Optional[bytes]]) -> t.Iterator[t.List[wire.Question]]:
    """All that have a fingerprint at once, the others in portions."""
    unknown = [question for question in questions if known.get(question.tail) is None]
    if len(unknown) <= PORTION:
        if questions:
            yield questions
        return
    rest = [question for question in questions if known.get(question.tail) is not None]
    if rest:
        yield rest
    for place in range(0, len(unknown), PORTION):
        yield unknown[place : place + PORTION]


def _look(
    part: t.Sequence[wire.Question],
    known: t.Mapping[bytes, t.Optional[bytes]],
    others: t.Mapping[bytes, t.Tuple[bytes, ...]],
    asker: Asker,
    judge: Judge,
    store: t.Optional[Store],
) -> None:
    more = {at: others[question.tail] for at, question in enumerate(part) if question.tail in others} if others else None
    outcome = asker.ask(part, known=[known.get(question.tail) for question in part], others=more)
    judge.same(outcome.same)
    if not outcome.answers:
        return
    if store is None:
        for at, answer in sorted(outcome.answers.items()):
            judge.see(part[at], answer, None)
        return
    with store.view() as unit:
        for at, answer in sorted(outcome.answers.items()):
            question = part[at]
            record = state.get(unit, judge.request.view, question.tail) if question.tail in known else None
            judge.see(question, answer, record)


def _pending(request: Request, store: t.Optional[Store]) -> t.Tuple[t.List[Change], int]:
    if store is None:
        return [], 0
    with store.view() as unit:
        return state.pending(unit, request.view, request.batch, request.max_results), state.count_pending(unit, request.view, request.batch)


def _kept(request: Request, judge: Judge, mass: t.Optional[Change], store: Store, tails: t.Sequence[bytes]) -> Found:
    """Everything of the run in one unit of work; with changes it is on the disk when it ends."""
    with store.view() as unit:
        waiting = state.count_pending(unit, request.view, request.batch)
        untouched = state.is_untouched(unit, request.view, tails)
        was_mass = marks.get(unit, _MASS, request.view)
    idle = not (judge.records or judge.changes or mass or was_mass or untouched or waiting or request.batch)
    if idle:
        return Found(judge, [], 0, [], [], "")
    token = uuid.uuid4().hex

    def work(unit: Unit) -> Found:
        if request.batch:
            state.acknowledge(unit, request.view, request.batch)
        again, returned = state.pending(unit, request.view, limit=request.max_results), state.count_pending(unit, request.view)
        changes = _not_taken(unit, request.view, judge)
        if judge.records:
            state.save(unit, request.view, judge.records.items())
        if untouched:
            state.touch(unit, request.view, [tail for tail in tails if tail not in judge.records], tails)
        number = state.new_batch(unit, request.view, token) if changes or returned else 0
        state.add_changes(unit, request.view, changes, number)
        return Found(judge, again, returned, _mass(unit, judge, mass), changes, token if number else "")

    return store.run(work, durable=bool(judge.changes or judge.stats["learned"]))


def _not_taken(unit: Unit, view: str, judge: Judge) -> t.List[Change]:
    """The changes but those of names that another run has written meanwhile: what was known is not what it was when this one began.

    Nothing of these is kept, so the next run compares with what the other one has seen.
    """
    if state.generation(unit, view) == judge.generation:
        return [one for _tail, one in judge.changes]
    changes = dict(judge.changes)
    for tail in list(judge.records):
        now, base = state.get(unit, view, tail), judge.bases.get(tail)
        if now is None or (base is not None and now.rdata == base.rdata):
            continue
        del judge.records[tail]
        one = changes.pop(tail, None)
        if base is None:
            judge.stats["learned"] -= 1
        elif one is not None and one["kind"] != "flapping":
            judge.stats["changed"] -= 1
    return list(changes.values())


def _mass(unit: Unit, judge: Judge, mass: t.Optional[Change]) -> t.List[Change]:
    """A mass change is told by every run that sees it, and kept in the history once. A run that hardly saw anything does not end it."""
    request = judge.request
    since = marks.get(unit, _MASS, request.view)
    if mass is None:
        if since and judge.stats["failed"] <= judge.compared:
            marks.put(unit, _MASS, request.view, None)
        return []
    mass = dict(mass, time=rfc3339(unit.now))
    mass["id"] = state.change_id(request.view, mass, since or unit.now)
    if not since:
        marks.put(unit, _MASS, request.view, unit.now)
        state.add_changes(unit, request.view, [dict(mass)], 0, open_=False)
    return [mass]
