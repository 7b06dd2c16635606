# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes run."""

from __future__ import annotations

import math
import os
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _procfs
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import found_in, start_guard
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import SAMPLE, clock, last_look, leave_more
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import Process, read_processes

_FRESH = 0.5
_SEARCH_SECONDS = 5.0
_MOST_PIDS = 20
_MOST_LEFT = 1000
_NAME_LIMIT = 15
# The start of a process and the clock of the system are counted in steps.
_STEP = 0.05

SPEC = ProbeSpec(
    "process",
    {
        "pattern": Option("regex", help="regular expression that is found in the command line, such as ^nginx: master"),
        "name": Option("str", help="name of the program, such as postgres"),
        "user": Option("str", help="name or number of the user it runs as"),
    },
    {
        "count": "how many processes match; zombies are not counted",
        "rss_bytes": "memory that they hold, together",
        "cpu_percent": "processor time that they take, in percent of one core, together; measured since the last run, see [Rates](#rates), or where an "
        "expectation names it, else null",
        "fds": "files and sockets that they have open, together; counted when an expectation names it or fds_percent",
        "fds_percent": "of these in percent of its limit, of the one that is nearest to it; looked for like fds",
        "oldest_seconds": "age of the oldest; null where there is none",
        "youngest_seconds": "age of the youngest; null where there is none",
        "pids": "up to twenty process ids, oldest process first",
        "seconds": "over how many seconds cpu_percent was measured; null where it was not",
    },
    {"count": ">= 1"},
    one_of=(("pattern", "name", "user"),),
    help="Processes that fulfil all that is given. The inspection itself never counts.",
)

# What processes took so far, and how old they were, by number and begin.
_Taken = t.Dict[t.Tuple[int, float], t.Tuple[float, float]]


class Reading(t.NamedTuple):
    """All processes, those without this inspection, when reading them was begun (boot-time clock), and how many seconds it took."""

    every: list[Process]
    processes: list[Process]
    moment: float
    length: float

    def taken(self) -> _Taken:
        return {(process.pid, process.began): (process.cpu_seconds, process.age) for process in self.every}


class Scan:
    """Readings of all processes, shared by the checks of a run: one, unless a check needs to see what they take just now."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._last: Reading | None = None
        self._before: Reading | None = None

    def reading(self, first: bool) -> Reading:
        """The first one of the run, or on a later attempt a fresh one."""
        with self.lock:
            if self._last is None or not (first or clock() - self._last.moment < _FRESH):
                self._read()
            return t.cast("Reading", self._last)

    def pair(self, first: bool) -> tuple[Reading, Reading]:
        """Two, a quarter of a second apart at least; it waits for what is missing of that."""
        with self.lock:
            if self._last is None:
                self._read()
            last = t.cast("Reading", self._last)
            if self._before is None or not (first or clock() - last.moment < _FRESH):
                time.sleep(max(0.0, last.moment + SAMPLE - clock()))
                self._read()
            return t.cast("Reading", self._before), t.cast("Reading", self._last)

    def _read(self) -> None:
        moment, every = clock(), read_processes()
        self._before, self._last = self._last, Reading(every, _without_us(every), moment, clock() - moment)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started, and make room for the reading; it is done by the first who needs it, or now if there must be two."""
    if any(options["pattern"] is not None for options in all_options):
        start_guard()
    scan = ctx.shared[SPEC.name] = Scan()
    if "cpu_percent" in ctx.wanted:
        scan.reading(True)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: processes or their open files cannot be seen, there is no such user, or the pattern takes too long
    """
    scan = ctx.shared.get(SPEC.name) or ctx.shared.setdefault(SPEC.name, Scan())
    uid = _uid(options["user"]) if options["user"] is not None else None
    reading = scan.reading(ctx.attempt == 1)
    found = _matching(reading.processes, options, uid)
    last = last_look(ctx, SPEC.name, reading.moment) if ctx.attempt == 1 else None
    percent, seconds = (None, None) if last is None else (_percent(_load(last[0]), found, last[1], reading.length), last[1])
    if ctx.attempt == 1:
        _leave(ctx, reading, found)
    if percent is None and "cpu_percent" in ctx.wanted:
        before, reading = scan.pair(ctx.attempt == 1)
        seconds = reading.moment - before.moment
        found = _matching(reading.processes, options, uid)
        percent = _percent(before.taken(), found, seconds, reading.length)
    found.sort(key=lambda process: -process.age)
    return {
        "count": len(found),
        "rss_bytes": sum(process.rss for process in found),
        "cpu_percent": percent,
        **(_open_files(found) if ctx.wanted & {"fds", "fds_percent"} else {"fds": None, "fds_percent": None}),
        "oldest_seconds": round(found[0].age, 1) if found else None,
        "youngest_seconds": round(found[-1].age, 1) if found else None,
        "pids": [process.pid for process in found[:_MOST_PIDS]],
        "seconds": None if percent is None or seconds is None else round(seconds, 3),
    }


def _matching(processes: list[Process], options: dict[str, t.Any], uid: int | None) -> list[Process]:
    name = options["name"]
    found = [
        process
        for process in processes
        if process.state not in "ZX"
        and (uid is None or process.uid == uid)
        and (name is None or process.program == name or process.name == name[:_NAME_LIMIT])
    ]
    if options["pattern"] is not None:
        fits = found_in(options["pattern"], [process.command for process in found], _SEARCH_SECONDS)
        found = [process for process, fit in zip(found, fits) if fit]
    return found


def _percent(before: _Taken, found: list[Process], seconds: float, length: float) -> float | None:
    """Of one core, together; None where a process was there before and is not known, or was set back.

    All processes are not read at one moment, so the time that counts for each is by how much it grew older.

    :arg length: seconds that reading them took, in which they grew older than ``seconds``
    """
    total = 0.0
    for process in found:
        used, age = before.get((process.pid, process.began), (0.0, 0.0))
        is_new = not age and process.age <= seconds + length + _STEP
        span = max(seconds if is_new else process.age - age, _STEP)
        if process.cpu_seconds < used or not (is_new or age) or process.age < age:
            return None
        total += (process.cpu_seconds - used) / span
    return round(100.0 * total, 2)


def _leave(ctx: Context, reading: Reading, found: list[Process]) -> None:
    """Leave processes for the next run: all of them, as those that match change with their command lines, or these alone where there are many."""
    few = len(reading.every) <= _MOST_LEFT
    if ctx.left is None or (few and SPEC.name in ctx.left):
        return
    look = {str(one.pid): [round(one.began, 2), round(one.cpu_seconds, 2), round(one.age, 2)] for one in (reading.every if few else found)}
    leave_more(ctx, SPEC.name, reading.moment, look, _MOST_LEFT)


def _load(value: t.Any) -> _Taken:
    """Of what the last run left; nothing where that is something else."""
    try:
        known = {(int(pid), float(began)): (float(used), float(age)) for pid, (began, used, age) in value.items()}
        return {process: one for process, one in known.items() if all(0 <= number < math.inf for number in one)}
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return {}


def _open_files(found: list[Process]) -> dict[str, t.Any]:
    """How many files processes have open, and how near to its limit the nearest is.

    :raises CannotSee: those of another user may not be looked at
    """
    total, nearest = 0, 0.0
    for process in found:
        place = f"{_procfs.PROC}/{process.pid}"
        try:
            count = len(os.listdir(f"{place}/fd"))
            with open(f"{place}/limits", encoding="ascii", errors="replace") as source:
                limit = next((line.split()[3] for line in source if line.startswith("Max open files")), "")
        except PermissionError as exc:
            raise CannotSee(
                f"the open files of process {process.pid} may not be looked at by this user; run with become", "permission"
            ) from exc
        except OSError as exc:
            if os.path.isdir(place):
                raise CannotSee(f"the open files of process {process.pid} cannot be counted here", "unsupported") from exc
            continue  # it has ended meanwhile
        total += count
        nearest = max(nearest, 100.0 * count / int(limit)) if limit.isdigit() and int(limit) else nearest
    if found and not os.path.isdir(_procfs.PROC):
        raise CannotSee(f"open files cannot be counted: there is no {_procfs.PROC}, which only Linux has", "unsupported")
    return {"fds": total, "fds_percent": round(nearest, 2)}


def _uid(user: str) -> int:
    import pwd

    if user.isdigit():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as exc:
        raise CannotSee(f"there is no user {user} on this node", "unsupported") from exc


def _without_us(processes: list[Process]) -> list[Process]:
    """Leave out this process, its forks, and those above it that carry the checks in their own arguments.

    That is the ancestors in the same session, and Ansible's own commands wherever they stand (``ansible -a 'checks=...'``), with
    their forks, which have the same command line.
    """
    by_pid = {process.pid: process for process in processes}
    me = by_pid.get(os.getpid())
    if me is None:
        return processes
    ours, lines = {me.pid}, set()
    above = by_pid.get(me.parent)
    while above is not None and above.pid > 1 and above.pid not in ours:
        carries = any(os.path.basename(word).startswith("ansible") for word in above.command.split()[:3])
        if carries:
            lines.add(above.command)
        if carries or (above.session == me.session and above.session > 0):
            ours.add(above.pid)
        above = by_pid.get(above.parent)
    return [
        process
        for process in processes
        if process.pid not in ours
        and process.command not in lines
        and not (process.command == me.command and process.uid == me.uid and process.age <= me.age)
    ]
