# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running checks: many at once, each within its time, all within the run's."""

from __future__ import annotations

import functools
import queue
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.judge import Baselines, Outcome, judge
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration

_USUAL_TIME = 30.0
_GRACE = 2.0
_LONGEST_PAUSE = 1.0
_BEGUN = object()

Load = t.Callable[[str], t.Any]


class _Look(t.NamedTuple):
    """One attempt at one check."""

    place: int
    attempt: int


class Runner:
    """Runs the checks of one list, or some of them; used once.

    Probes whose observe() is a Talker talk in this thread, all at once. Another one that does not come back in its own time is given
    up: its check is unknown, its thread is left behind as a daemon and another takes its place.

    :arg load: gives the module of a probe by name, with observe() and maybe gather()
    :arg context: what the probes get; its deadline ends the run
    :arg baselines: {check key: {expression: bounds}}
    """

    def __init__(self, checks: list[Check], load: Load, context: Context, concurrency: int, baselines: t.Mapping[str, Baselines]) -> None:
        self._checks = checks
        self._load = load
        self._context = context
        self._concurrency = max(1, concurrency)
        self._baselines = baselines
        self._crowd: t.Any = None
        self._workers = 0
        self._places: list[int] = []
        self._take: t.Callable[[], t.Sequence[int]] | None = None
        self._todo: queue.SimpleQueue[_Look | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[_Look, t.Any, float]] = queue.SimpleQueue()
        self._probes: dict[str, t.Any] = {}
        self._overdue: dict[_Look, float] = {}
        self._began: dict[int, float] = {}
        self._blind: dict[str, CannotSee] = {}
        self._results: dict[int, Result] = {}
        self._verdicts: dict[int, Result] = {}  # of attempts that are followed by another one

    def run(self) -> list[Result]:
        """The verdicts, in the order of the checks."""
        found = self.look(range(len(self._checks)))
        return [found[place] for place in range(len(self._checks))]

    def look(
        self, places: t.Sequence[int], shared: t.Sequence[int] = (), take: t.Callable[[], t.Sequence[int]] | None = None
    ) -> dict[int, Result]:
        """The verdicts on the checks at these places of the list, and on those that were taken.

        :arg shared: places at which somebody else looks, too; all of Talkers
        :arg take: called when there is room for more, returns the next of these, nothing at the end
        """
        self._gather([*places, *shared])
        self._take = take
        try:
            self._begin_all(places)
            for _number in range(min(self._concurrency, self._todo.qsize())):
                self._start_worker()
            while self._has_more() and self._step():
                pass
            return {place: self._results.get(place) or self._unfinished(place) for place in self._places}
        finally:
            for _number in range(self._workers):
                self._todo.put(None)
            if self._crowd is not None:
                self._crowd.close()

    def _begin_all(self, places: t.Sequence[int]) -> None:
        self._places += places
        for place in places:
            self._begin(_Look(place, 1))

    def _has_more(self) -> bool:
        """Take more where there is room; whether there is something to do."""
        while self._take is not None and (self._crowd is None or self._crowd.has_room()):
            places = self._take()
            self._begin_all(places)
            if not places:
                self._take = None
        return len(self._results) < len(self._places)

    def _begin(self, look: _Look) -> None:
        check = self._checks[look.place]
        talker: t.Any = None if check.probe in self._blind else self._probes[check.probe].observe
        if not hasattr(talker, "talk"):
            self._todo.put(look)
            return
        if self._crowd is None:
            self._crowd = talker.crowd(self._concurrency)
        view = self._context.view(look.attempt, check.wanted)
        self._crowd.add(look, functools.partial(talker.talk, check.options, view), self._pause(look))

    def _pause(self, look: _Look) -> float:
        """Seconds before a look is made."""
        if look.attempt == 1:
            return 0.0
        return max(0.0, min(_LONGEST_PAUSE, 0.25 * (look.attempt - 1), self._context.deadline - time.monotonic()))

    def _gather(self, places: t.Sequence[int]) -> None:
        """What is asked once for all checks of a probe, before any thread runs (probes fork here)."""
        groups: dict[str, list[Check]] = {}
        for place in places:
            groups.setdefault(self._checks[place].probe, []).append(self._checks[place])
        for name, checks in groups.items():
            self._probes[name] = self._load(name)
            gather = getattr(self._probes[name], "gather", None)
            if gather is None:
                continue
            try:
                gather([check.options for check in checks], self._context.view(1, {key for check in checks for key in check.wanted}))
            except CannotSee as exc:
                self._blind[name] = exc
            except Exception as exc:  # noqa: BLE001 - a fault of one probe must not take the others along
                self._blind[name] = _fault(name, exc)

    def _start_worker(self) -> None:
        try:
            threading.Thread(target=self._work, daemon=True, name="vigil-probe").start()
        except RuntimeError:
            return  # no room for another one, see _step
        self._workers += 1

    def _work(self) -> None:
        while True:
            look = self._todo.get()
            if look is None:
                return
            self._make(look)

    def _make(self, look: _Look) -> None:
        time.sleep(self._pause(look))
        begin = time.monotonic()
        self._tell(look, _BEGUN, begin)
        check = self._checks[look.place]
        try:
            view = self._context.view(look.attempt, check.wanted)
            seen = self._blind.get(check.probe) or self._probes[check.probe].observe(check.options, view)
        except Exception as exc:  # noqa: BLE001 - see _outcome
            seen = exc
        self._tell(look, seen, time.monotonic() - begin)

    def _tell(self, look: _Look, seen: t.Any, moment: float) -> None:
        self._done.put((look, seen, moment))
        if self._crowd is not None:
            self._crowd.wake()

    def _step(self) -> bool:
        """Take one message of the workers or note what is overdue; False when the run's time is over."""
        now = time.monotonic()
        if now >= self._context.deadline:
            return False
        if not self._workers and not self._todo.empty():
            self._make(t.cast(_Look, self._todo.get()))  # a host that is out of processes is looked at all the same, if slowly
        until = min([self._context.deadline, *self._overdue.values()])
        if self._crowd is not None:
            for look, seen, begin, end in self._crowd.step(until if self._done.empty() else now):
                self._began.setdefault(look.place, begin)
                if time.monotonic() < self._context.deadline:
                    self._settle(look, seen, end - begin)
        try:
            look, seen, moment = self._done.get(timeout=max(0.0, until - now)) if self._crowd is None else self._done.get_nowait()
        except queue.Empty:
            return self._give_up(time.monotonic())
        if seen is _BEGUN:
            self._began.setdefault(look.place, moment)
            self._overdue[look] = moment + self._limit(look.place)
        elif self._overdue.pop(look, None) is not None:
            self._settle(look, seen, moment)
        return True

    def _settle(self, look: _Look, seen: t.Any, seconds: float) -> None:
        check = self._checks[look.place]
        outcome = _outcome(check.probe, seen, seconds)
        left = self._context.deadline - time.monotonic()
        known = self._baselines.get(check.key) if self._baselines else None
        foresee = getattr(self._probes[check.probe], "foresee", None)
        if foresee is not None and isinstance(outcome, dict):
            foresee(outcome, known or {})
        result = judge(check, outcome, look.attempt, seconds * 1000, known, left)
        if isinstance(outcome, CannotSee) and outcome.reason == "check_mode":
            result["status"] = "skipped"
        again = result["status"] not in ("ok", "skipped") and look.attempt <= check.retries
        if again and not (isinstance(outcome, CannotSee) and outcome.reason in ("missing_library", "unsupported")):
            self._verdicts[look.place] = result
            self._begin(_Look(look.place, look.attempt + 1))
        else:
            self._results[look.place] = result

    def _give_up(self, now: float) -> bool:
        if now >= self._context.deadline:
            return False
        for look in [look for look, end in self._overdue.items() if end <= now]:
            del self._overdue[look]
            self._start_worker()
            limit = self._limit(look.place)
            sentence = f"the {self._checks[look.place].probe} probe did not come back within {format_duration(limit)}"
            self._results[look.place] = judge(self._checks[look.place], CannotSee(sentence, "timeout"), look.attempt, limit * 1000)
        return True

    def _limit(self, index: int) -> float:
        timeout = self._checks[index].options.get("timeout")
        return (timeout if isinstance(timeout, (int, float)) else _USUAL_TIME) + _GRACE

    def _unfinished(self, index: int) -> Result:
        if index in self._verdicts:
            return self._verdicts[index]
        began = self._began.get(index)
        if began is None and self._crowd is not None:
            began = self._crowd.began(_Look(index, 1))
        seconds = 0.0 if began is None else time.monotonic() - began
        word = "it had not ended" if began is not None else "its turn had not come"
        outcome = CannotSee(f"{word} when the time of the whole run was over", "timeout")
        return judge(self._checks[index], outcome, 0 if began is None else 1, seconds * 1000)


def _outcome(probe: str, seen: t.Any, seconds: float) -> Outcome:
    """What a look brought; the fault of a probe is an unknown result that says so, never a traceback."""
    if isinstance(seen, (ProbeFailure, CannotSee)):
        return seen
    if not isinstance(seen, dict):
        return _fault(probe, seen if isinstance(seen, Exception) else TypeError(f"it saw {seen!r}"))
    if seen.get("latency_ms") is None:
        seen["latency_ms"] = round(seconds * 1000, 3)
    return seen


def _fault(probe: str, exc: Exception) -> CannotSee:
    if isinstance(exc, RuntimeError) and "start new thread" in str(exc):
        return CannotSee("nothing more can be started: the limit on processes of this user, or of this host, is reached", "unseen")
    detail = " ".join(str(exc).split())[:200]
    return CannotSee(f"the {probe} probe itself failed: {type(exc).__name__}: {detail}", "internal")
