# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind service_guard: look, judge, keep, and only then restart.

What a look leads to is judged and kept in one unit of work, on the disk before anything is restarted: a run that is killed in between has
spent its restart, and of two runs at the same time one restarts and the other one finds that it has just been done.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_eyes import LOOP, Eyes, Run, Seen, look_of, may_loop
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_hands import restart
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_request import Guard, Refusal, read
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import check_secrets
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.guard import Event, Memory, Obstacle, Verdict, judge, restarted
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import guard as state
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store, Unit

__all__ = ["Guard", "Refusal", "guard", "read", "secrets_of"]

# The worst first: what stands for several services.
STATUSES = (
    "given_up",
    "worse",
    "missing",
    "masked",
    "manager",
    "disk",
    "dependency",
    "restarted",
    "due",
    "waiting",
    "failing",
    "unknown",
    "grace",
    "healthy",
)
_FIELDS = tuple(field.name for field in dataclasses.fields(Memory))
Outcome = t.Dict[str, t.Any]


def guard(
    guards: t.List[Guard],
    store: t.Optional[Store],
    run: Run,
    check_mode: bool,
    heal: bool = True,
    batch: str = "",
    recheck: bool = False,
) -> Outcome:
    """Look at every service once (more often where ``interval`` says so), and restart what is to be restarted.

    :arg store: None where there is none yet and none may be made (check mode)
    :arg heal: False: nothing is restarted, what would be is ``due``
    :arg batch: the last batch that the receiver got
    :arg recheck: what is bad was seen a moment ago and counted; it does not count twice
    :return: changed, healthy, restarted, attempts, recovered, status, reason, message, guards, events, batch, diff
    :raises StateError: the store cannot be used; nothing was restarted then that is not kept
    """
    if store is not None and not check_mode and batch:
        store.run(lambda unit: state.acknowledge(unit, store.salt, batch), durable=True)
    watch = _Watch(guards, store, run, check_mode, heal, recheck)
    watch.run()
    events, token = _pending(store, batch)
    outcomes = [watch.outcomes[one.unit] for one in guards]
    would = heal and check_mode and any(one["status"] == "due" for one in outcomes)
    return _result(outcomes, events + watch.dry_events, "" if check_mode else token, would)


def secrets_of(guards: t.Iterable[Guard]) -> t.Set[str]:
    """What must not be shown: the secrets in the checks."""
    return check_secrets([check for one in guards for check in [*one.checks, *one.needs]])


def _pending(store: t.Optional[Store], batch: str) -> t.Tuple[t.List[Event], str]:
    if store is None:
        return [], ""
    with store.view() as unit:
        return state.pending(unit, store.salt, batch)


class _Watch:
    """One run over the guards of a host; used once."""

    def __init__(self, guards: t.List[Guard], store: t.Optional[Store], run: Run, check_mode: bool, heal: bool, recheck: bool) -> None:
        self._guards = guards
        self._store = store
        self._run = run
        self._check_mode = check_mode
        self._may_restart = heal and not check_mode
        self._recheck = recheck
        self._eyes = Eyes(run, check_mode)
        self._dry: t.Dict[str, Memory] = {}
        self._touched: t.Set[str] = set()  # what was restarted in this run
        self.outcomes: t.Dict[str, Outcome] = {}
        self.dry_events: t.List[Event] = []  # what would be told, in check mode

    def run(self) -> None:
        """Look until nothing is left whose next look belongs into this run."""
        due = {one.unit: time.monotonic() for one in self._guards}
        while due:
            time.sleep(max(min(due.values()) - time.monotonic(), 0.0))
            ready = [one for one in self._guards if one.unit in due and due[one.unit] <= time.monotonic()]
            for one, seen in zip(ready, self._eyes.look(ready)):
                again = self._handle(one, seen)
                del due[one.unit]
                if again and one.interval:
                    due[one.unit] = time.monotonic() + one.interval

    def _handle(self, one: Guard, seen: Seen) -> bool:
        """Judge a service and do what follows; True when it should be looked at again soon."""
        if any(parent in self._touched for parent in one.parents):
            seen = self._eyes.look([one])[0]  # what it needs was restarted since
        obstacle = None
        if seen.well() is False or may_loop(one, seen):
            obstacle = self._parents(one) or self._eyes.obstacle(one, seen)
        verdict = self._judged(one, seen, obstacle)
        outcome = self.outcomes[one.unit] = _outcome(one, seen, verdict, self.outcomes.get(one.unit))
        if obstacle is not None and outcome["status"] != "healthy":
            outcome["caused_by"] = obstacle.caused_by
        if verdict.status == "restart":
            self._heal(one, seen, verdict, outcome)
        return outcome["status"] in ("failing",) and not (obstacle and obstacle.is_told)

    def _parents(self, one: Guard) -> t.Optional[Obstacle]:
        """A guard of this list that this one needs and that is not well; its own guard tells of it."""
        for parent in one.parents:
            if parent in self._touched:
                return Obstacle("dependency", f"{parent}, which it needs, has just been restarted", parent, True)
            found = self.outcomes.get(parent)
            if found is not None and found["healthy"] is False:
                return Obstacle("dependency", f"{parent} fails, which it needs", parent, True)
        return None

    def _judged(self, one: Guard, seen: Seen, obstacle: t.Optional[Obstacle]) -> Verdict:
        """The verdict, kept in the same unit of work as what it was made of."""

        def decide(memory: Memory, now: float) -> Verdict:
            if self._recheck and not self._check_mode:  # in check mode the look before was not kept
                memory.failures = max(memory.failures - 1, 0)
            look = look_of(one, seen, memory, obstacle, self._eyes.boot, now)
            verdict = judge(memory, look, one.limits, now, self._may_restart)
            counter = (seen.unit or {}).get("restarts")
            verdict.memory.counter = memory.counter if counter is None else counter
            verdict.memory.loops = look.well is not True and (memory.loops or look.reason == LOOP)
            return verdict

        return self._kept(one, decide, durable=seen.well() is False)

    def _heal(self, one: Guard, seen: Seen, verdict: Verdict, outcome: Outcome) -> None:
        self._touched.add(one.unit)
        cure = restart(one, seen, self._eyes, self._run)

        def decide(memory: Memory, now: float) -> Verdict:
            after = restarted(memory, cure.well, cure.sentence, cure.is_worse, now)
            after.memory.counter = (cure.seen.unit or {}).get("restarts")
            return after

        after = self._kept(one, decide, durable=True)
        attempts = verdict.memory.attempts
        outcome.update(_outcome(one, cure.seen, after, None), restarted=True, attempts=attempts, recovered=bool(cure.well))
        outcome["before"] = verdict.sentence
        if cure.well:
            outcome["message"] = after.events[0]["message"] if after.events else "it is well again"

    def _kept(self, one: Guard, decide: t.Callable[[Memory, float], Verdict], durable: bool) -> Verdict:
        if self._store is None or self._check_mode:
            return self._decided_dry(one, decide)

        def work(unit: Unit) -> Verdict:
            verdict = decide(_memory(state.recall(unit, one.unit)), unit.now)
            for event in verdict.events:
                state.add(unit, one.unit, event)
            state.remember(unit, one.unit, dataclasses.asdict(verdict.memory))
            return verdict

        return self._store.run(work, durable=durable)

    def _decided_dry(self, one: Guard, decide: t.Callable[[Memory, float], Verdict]) -> Verdict:
        """In check mode the looks of this run count as well, in this process alone."""
        if one.unit not in self._dry:
            found: t.Dict[str, t.Any] = {}
            if self._store is not None:
                with self._store.view() as unit:
                    found = state.recall(unit, one.unit)
            self._dry[one.unit] = _memory(found)
        now = time.time()
        verdict = decide(self._dry[one.unit], now)
        self._dry[one.unit] = verdict.memory
        self.dry_events += [dict(event, service=one.unit, time=rfc3339(now), number=0, ledger="") for event in verdict.events]
        return verdict


def _memory(found: t.Mapping[str, t.Any]) -> Memory:
    """What was kept, as far as this version knows it."""
    return Memory(**{key: found[key] for key in _FIELDS if key in found})


def _outcome(one: Guard, seen: Seen, verdict: Verdict, before: t.Optional[Outcome]) -> Outcome:
    memory = verdict.memory
    healthy = {"healthy": True, "unknown": None}.get(verdict.status, False)
    recovered = any(event["kind"] == "recovered" for event in verdict.events)
    return {
        "service": one.service,
        "unit": one.unit,
        "healthy": healthy,
        "status": verdict.status,
        "reason": "" if healthy else seen.why()[0],
        "message": verdict.sentence or (verdict.events[0]["message"] if recovered else ""),
        "failures": memory.failures,
        "since": rfc3339(memory.since),
        "restarted": bool(before and before["restarted"]),
        "attempts": memory.attempts,
        "recovered": recovered,
        "caused_by": None,
        "results": [{key: result[key] for key in ("name", "status", "reason", "summary")} for result in seen.results],
    }


def _result(outcomes: t.List[Outcome], events: t.List[Event], batch: str, would: bool) -> Outcome:
    worst = min(outcomes, key=lambda one: STATUSES.index(one["status"]))
    states = [one["healthy"] for one in outcomes]
    changed = [one for one in outcomes if one["restarted"] or (would and one["status"] == "due")]
    lines = [(f"{one['unit']}: {one.pop('before', one['message'])}", f"{one['unit']}: {_after(one)}") for one in changed]
    return {
        "changed": bool(changed),
        "healthy": False if False in states else None if None in states else True,
        "restarted": any(one["restarted"] for one in outcomes),
        "attempts": sum(one["attempts"] for one in outcomes),
        "recovered": any(one["recovered"] for one in outcomes),
        "status": worst["status"],
        "reason": worst["reason"],
        "message": worst["message"],
        "guards": outcomes,
        "events": events,
        "batch": batch,
        "diff": {
            "before": "".join(line + "\n" for line, _after in lines),
            "after": "".join(line + "\n" for _before, line in lines),
            "before_header": "services",
            "after_header": "services",
        },
    }


def _after(one: Outcome) -> str:
    if not one["restarted"]:
        return "would be restarted"
    return "restarted, well" if one["recovered"] else f"restarted, {one['message']}"
