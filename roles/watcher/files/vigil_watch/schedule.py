# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When what is done next: every job has its interval, a jitter that spreads them, and a priority that the load gate looks at."""

from __future__ import annotations

import heapq
import os
import time
import typing as t
import zlib

if t.TYPE_CHECKING:
    from vigil_watch.model import Config

_FIRST = 5.0  # seconds within which everything is looked at for the first time
_STEADY = 20  # looks without a change after which P2 is looked at half as often
_SAMPLE = 2.0


class Gate:
    """Whether the node has so much to do that what can wait should wait.

    Source of the pressure: https://docs.kernel.org/accounting/psi.html (share of time in which something waited for a CPU)
    """

    def __init__(self, load_per_core: float, cpu_pressure: float, read: t.Callable[[str], str] | None = None) -> None:
        self._load, self._pressure = load_per_core, cpu_pressure
        self._read = read or _read
        self._until = 0.0
        self._hot = ""

    def hot(self) -> str:
        """Why it is closed, in one sentence; empty while it is open."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + _SAMPLE
            self._hot = self._look()
        return self._hot

    def _look(self) -> str:
        try:
            load = float(self._read("/proc/loadavg").split()[0]) / (os.cpu_count() or 1)
            if load > self._load:
                return f"the load is {load:.1f} a core, more than {self._load:g}"
        except (OSError, ValueError, IndexError):
            pass
        try:
            some = self._read("/proc/pressure/cpu").split()
            pressure = float(next(word[6:] for word in some if word.startswith("avg10=")))
            if pressure > self._pressure:
                return f"the pressure on the CPUs is {pressure:.0f} %, more than {self._pressure:g} %"
        except (OSError, ValueError, StopIteration):
            pass
        return ""


def _read(path: str) -> str:
    with open(path, encoding="ascii") as source:
        return source.read()


class Job:
    """Something that is done again and again.

    :arg priority: P0 always runs, P1 less often behind a closed gate, P2 not at all
    :arg adapts: whether it is looked at sooner while something is wrong or nearly so, and less often when nothing ever changes
    """

    def __init__(self, name: str, every: float, work: t.Any, priority: str = "P1", adapts: bool = False) -> None:
        self.name = name
        self.every = every
        self.work = work
        self.priority = priority
        self.adapts = adapts
        self.steady = 0
        self.wrong = self.near = False

    def interval(self) -> float:
        """Seconds until it is done again, by what it saw."""
        if not self.adapts or self.priority == "P0":
            return self.every
        if self.wrong or self.near:
            return max(self.every / 2, min(self.every, 1.0))
        return self.every * 2 if self.priority == "P2" and self.steady >= _STEADY else self.every

    def saw(self, status: str, changed: bool, near: bool = False) -> None:
        """What it led to; ``near``: a little more and it would be wrong."""
        self.wrong, self.near = status not in ("ok", "skipped"), near
        self.steady = 0 if changed or self.wrong else self.steady + 1


class Schedule:
    """The jobs of one room, by when they are due."""

    def __init__(self, jobs: t.Iterable[Job], config: Config, gate: Gate | None = None) -> None:
        self._gate = gate or Gate(config.load_per_core, config.cpu_pressure)
        self._stretch = config.stretch
        self._heap: t.List[t.Tuple[float, int, Job]] = []
        self._number = 0
        now = time.monotonic()
        for job in jobs:
            self._push(now + min(job.every, _FIRST) * _share(job.name), job)

    def _push(self, moment: float, job: Job) -> None:
        self._number += 1
        heapq.heappush(self._heap, (moment, self._number, job))

    def wait(self) -> float:
        """Seconds until something is due; a minute at most."""
        return min(max(self._heap[0][0] - time.monotonic(), 0.0), 60.0) if self._heap else 60.0

    def due(self, along: float = 0.0) -> t.List[Job]:
        """What is to be done now, the most important first; also what is due within ``along`` seconds, so that it shares the work.

        Each of them is scheduled again by ``again``.
        """
        found: t.List[Job] = []
        now = time.monotonic()
        if not self._heap or self._heap[0][0] > now:
            return found
        hot = bool(self._gate.hot())
        while self._heap and self._heap[0][0] <= now + along:
            job = heapq.heappop(self._heap)[2]
            if hot and job.priority == "P2":
                self._push(now + max(job.every, _SAMPLE), job)
            else:
                found.append(job)
        return sorted(found, key=lambda job: job.priority)

    def again(self, jobs: t.Iterable[Job]) -> None:
        """These were done; a tenth of the interval is chance, so that a thousand nodes do not ask at the same moment."""
        hot = bool(self._gate.hot())
        for job in jobs:
            every = job.interval() * (self._stretch if hot and job.priority == "P1" else 1.0)
            self._push(time.monotonic() + every * (0.95 + 0.1 * _share(f"{job.name}{self._number}")), job)

    def hasten(self, job: Job, seconds: float) -> None:
        """Do it in so many seconds, if it is not to be done sooner; behind a closed gate it waits for its time."""
        if self._gate.hot():
            return
        moment = time.monotonic() + seconds
        for index, (due, number, one) in enumerate(self._heap):
            if one is job and moment < due:
                self._heap[index] = (moment, number, job)
                heapq.heapify(self._heap)
                return

    def held(self) -> str:
        """Why some of it has to wait, in one sentence; empty where nothing has."""
        return self._gate.hot() if any(job.priority != "P0" for _moment, _number, job in self._heap) else ""

    def next_runs(self, most: int) -> t.Dict[str, float]:
        """Seconds until the next jobs run."""
        now = time.monotonic()
        return {job.name: round(max(moment - now, 0.0), 1) for moment, _number, job in heapq.nsmallest(most, self._heap)}


def _share(text: str) -> float:
    """A number from 0 to 1 that is always the same for a text."""
    return (zlib.crc32(text.encode("utf-8", "surrogatepass")) & 0xFFFF) / 0xFFFF
