# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind log_scan: read what is new, and keep positions, windows and findings in one unit of work."""

from __future__ import annotations

import functools
import hashlib
import time
import typing as t
import uuid

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_collect import MOST_ALARMS, Collector
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_request import Refusal, Request, read
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_sources import Reading, Stream
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.crew import Crew, Done
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.record import Record, restore
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import ONCE, TOTAL, Scanner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.watchdog import Watchdog
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import logs as state

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store, Unit

__all__ = ["Refusal", "Request", "log_scan", "read"]

_SOURCE = "source:"
_DAY = 86400.0
_TRIES = 3
Result = t.Dict[str, t.Any]


class _Known(t.NamedTuple):
    """What a view knows: records by ids, sources by names, memories of the rules, and which round this is."""

    records: t.Dict[str, Record]
    sources: t.Dict[str, t.Dict[str, t.Any]]
    memories: t.Dict[str, t.Dict[str, t.Any]]
    generation: t.Any
    bodies: t.Dict[str, t.Dict[str, t.Any]]


class _Taken(Exception):
    """Another run has read the same lines meanwhile."""


def log_scan(
    request: Request,
    store: t.Optional[Store],
    stream: t.Optional[Stream],
    check_mode: bool = False,
    clock: t.Callable[[], float] = time.time,
) -> Result:
    """Read what is new.

    :arg store: None where there is none yet and none may be made (check mode)
    :arg stream: see Reading
    :return: changed, matches, counts, levels, alarms, failures, stats, truncated, batch, view, notices
    :raises StateError: the store cannot be used; nothing was kept then, and the next run reads the same lines
    """
    for attempt in range(_TRIES):
        run = _Run(request, store, stream, check_mode, clock)
        try:
            return run.result()
        except _Taken:
            if attempt == _TRIES - 1:
                raise Refusal("other runs read the same logs all the time; give each task a view of its own") from None
    raise Refusal("the logs could not be read")


class _Run:
    """One attempt."""

    def __init__(
        self, request: Request, store: t.Optional[Store], stream: t.Optional[Stream], check_mode: bool, clock: t.Callable[[], float]
    ) -> None:
        self._request, self._store, self._check_mode = request, store, check_mode
        self._begin, self._now = time.monotonic(), clock()
        self._known = self._load()
        self._collector = Collector(request, self._known.memories, self._now)
        self._reading = Reading(self._collector, self._known.sources, self._now, stream)
        self._notices: t.List[str] = []
        self._processes = 1
        self._was = {name: dict(body) for name, body in self._known.sources.items()}

    def result(self) -> Result:
        """Read, keep, and say what was found."""
        scanners = self._read()
        alarms = self._collector.finish()
        for name, alarm in enumerate(alarms):
            alarm["id"] = _alarm_id(f"{self._request.view}/{self._known.generation}", alarm, name)
        matches, alarms, batch, left_out = self._kept(self._collector.matches, alarms)
        self._rules_failed(scanners)
        seconds = time.monotonic() - self._begin
        return {
            "changed": bool(alarms),
            "matches": matches,
            "counts": self._collector.counts,
            "levels": self._collector.levels,
            "alarms": alarms,
            "failures": self._reading.failures,
            "stats": {
                "bytes": self._reading.bytes,
                "lines": self._collector.lines,
                "seconds": round(seconds, 3),
                "rotations": self._reading.rotations,
                "files": self._reading.files,
                "long_lines": self._reading.long_lines,
                "matches": sum(self._collector.counts.values()),
                "processes": self._processes,
                "strategy": max((one.strategy for one in scanners), key=("find", "anchored", "re2", "hyperscan").index, default="find"),
            },
            "truncated": left_out or sum(self._collector.counts.values()) > len(self._collector.matches),
            "batch": batch,
            "view": self._request.view,
            "notices": self._notices,
        }

    def _load(self) -> _Known:
        if self._store is None:
            return _Known({}, {}, {}, None, {})
        with self._store.view() as unit:
            bodies, memories = state.files(unit, self._request.view), state.memories(unit, self._request.view)
            generation = state.generation(unit, self._request.view)
        sources = {name[len(_SOURCE) :]: body for name, body in bodies.items() if name.startswith(_SOURCE)}
        records = {name: restore(body) for name, body in bodies.items() if not name.startswith(_SOURCE)}
        wanted = {rule.name for rule in self._request.rules}
        return _Known(
            {name: record for name, record in records.items() if record is not None},
            sources,
            {name: memory for name, memory in memories.items() if name in wanted},
            generation,
            bodies,
        )

    def _read(self) -> t.List[Scanner]:
        with Watchdog(ONCE, TOTAL) as dog:
            scanners = {
                picked: Scanner(self._request.rules, dog, self._request.strategy, picked)
                for picked in set(map(tuple, self._request.picked))
            }
            with Crew(list(scanners.values()), dog, self._request.levels) as crew:
                for source, picked in zip(self._request.sources, self._request.picked):
                    scan = functools.partial(_scan, crew, scanners[tuple(picked)])
                    if source.journal is not None:
                        self._reading.journal(source, scan)
                    elif source.command:
                        if not self._check_mode:
                            self._reading.command(source, scan)
                    else:
                        self._files(source, scan)
            self._processes += crew.helpers
        return list(scanners.values())

    def _files(self, source: t.Any, scan: t.Any) -> None:
        own = {name: record for name, record in self._known.records.items() if record.source == source.name}
        before = set(own)
        self._reading.files_of(source, own, scan)
        for name in before - set(own):
            del self._known.records[name]
        self._known.records.update(own)
        self._known.sources.setdefault(source.name, {"since": self._now})
        self._notice(source)

    def _notice(self, source: t.Any) -> None:
        """Two tasks with rules of their own in one view would take each other's lines away; that is said whenever the rules are others."""
        names = sorted(rule.name for rule in self._request.rules)
        known = self._known.sources[source.name]
        if known.get("rules") not in (None, names):
            view = self._request.view or "(the default one)"
            self._notices.append(
                f"{source.name} was last read in the view {view} with other rules ({', '.join(known['rules'][:5])}). If that was another task,"
                " give each a view of its own, as a line is read once in a view."
            )
        self._known.sources[source.name] = dict(known, rules=names)

    def _rules_failed(self, scanners: t.Sequence[Scanner]) -> None:
        for scanner in scanners:
            for number, message in scanner.stopped.items():
                self._reading.failures.append({"source": f"rule {self._request.rules[number].name}", "reason": "rule", "message": message})
            for number, lines in scanner.slow.items():
                if number not in scanner.stopped:
                    name = self._request.rules[number].name
                    message = f"the regular expression of the rule {name} took too long for {lines} lines, which were passed over"
                    self._reading.failures.append({"source": f"rule {name}", "reason": "rule", "message": message})

    def _kept(self, matches: t.List[Result], alarms: t.List[Result]) -> t.Tuple[t.List[Result], t.List[Result], str, bool]:
        """Everything of the run in one unit of work; (matches, alarms, batch) with those that nobody has got yet."""
        store, request = self._store, self._request
        if store is None or self._check_mode:
            before: t.Tuple[t.List[Result], t.List[Result], str] = ([], [], "")
            if store is not None:
                with store.view() as unit:
                    before = state.pending(unit, request.view, store.salt, request.batch, request.max_matches, MOST_ALARMS)
            return (before[0] + matches)[: request.max_matches], before[1] + alarms, "", False
        bodies = {name: record.dump() for name, record in self._known.records.items()}
        bodies.update({_SOURCE + name: body for name, body in self._known.sources.items()})
        changed = {name: body for name, body in bodies.items() if body != self._old(name)}
        gone = [name for name in self._known.bodies if name not in bodies]
        memories = self._collector.changed()
        if self._is_idle(changed, gone, memories, bool(matches or alarms)):
            return [], [], "", False

        def work(unit: Unit) -> t.Tuple[t.List[Result], t.List[Result], str, bool]:
            if state.generation(unit, request.view) != self._known.generation:
                raise _Taken
            if request.batch:
                state.acknowledge(unit, request.view, store.salt, request.batch)
            state.save_files(unit, request.view, changed, gone)
            state.save_memories(unit, request.view, memories)
            state.add(unit, request.view, state.MATCH, matches)
            state.add(unit, request.view, state.ALARM, alarms)
            state.advance(unit, request.view, uuid.uuid4().hex)
            found = state.pending(unit, request.view, store.salt, None, request.max_matches, MOST_ALARMS)
            return (*found, len(found[0]) < len(matches))

        return store.run(work, durable=bool(matches or alarms))

    def _old(self, name: str) -> t.Optional[t.Dict[str, t.Any]]:
        return self._was.get(name[len(_SOURCE) :]) if name.startswith(_SOURCE) else self._known.bodies.get(name)

    def _is_idle(self, changed: t.Any, gone: t.Any, memories: t.Any, found: bool) -> bool:
        """Whether there is nothing to keep, nothing waits, and it is not time to say that the view is still in use."""
        store, request = self._store, self._request
        if changed or gone or memories or found or request.batch or store is None:
            return False
        with store.view() as unit:
            is_young = self._known.generation is not None and abs(unit.now - state.kept_at(unit, request.view)) < _DAY
            return is_young and not state.pending(unit, request.view, store.salt, None, 1, 1)[2]


def _scan(crew: Crew, scanner: Scanner, block: Block, done: Done) -> None:
    crew.put(block, scanner, done)


def _alarm_id(before: str, alarm: Result, number: int) -> str:
    """A name of its own for each alarm, also where two readings in one second found the same again.

    :arg before: the view, and the state of it before this reading
    """
    text = "/".join([before, *(str(alarm[key]) for key in ("rule", "kind", "status", "key", "since", "time", "count")), str(number)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
