# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes run."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import found_in, start_guard
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import Process, read_processes

_FRESH = 0.5
_SEARCH_SECONDS = 5.0
_MOST_PIDS = 20
_NAME_LIMIT = 15

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
        "cpu_percent": "processor time over their lives in percent of one core, together",
        "oldest_seconds": "age of the oldest; null where there is none",
        "pids": "up to twenty process ids, oldest process first",
    },
    {"count": ">= 1"},
    one_of=(("pattern", "name", "user"),),
    help="Processes that fulfil all that is given. The inspection itself never counts.",
)


class _Scan:
    """One reading of all processes, shared by the checks of a run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.moment = 0.0
        self.found: list[Process] = []

    def processes(self, first: bool) -> list[Process]:
        """All processes; those of the first reading of the run, or on a later attempt fresh ones."""
        with self.lock:
            if not self.found or not (first or time.monotonic() - self.moment < _FRESH):
                self.found = _without_us(read_processes())
                self.moment = time.monotonic()
            return self.found


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Make room for the reading, which is done by the first who needs it, and fork before threads are started."""
    if any(options["pattern"] is not None for options in all_options):
        start_guard()
    ctx.shared[SPEC.name] = _Scan()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: processes cannot be seen, there is no such user, or the pattern takes too long
    """
    scan = ctx.shared.get(SPEC.name) or ctx.shared.setdefault(SPEC.name, _Scan())
    uid = _uid(options["user"]) if options["user"] is not None else None
    name = options["name"]
    found = [
        process
        for process in scan.processes(ctx.attempt == 1)
        if process.state not in "ZX"
        and (uid is None or process.uid == uid)
        and (name is None or process.program == name or process.name == name[:_NAME_LIMIT])
    ]
    if options["pattern"] is not None:
        fits = found_in(options["pattern"], [process.command for process in found], _SEARCH_SECONDS)
        found = [process for process, fit in zip(found, fits) if fit]
    found.sort(key=lambda process: -process.age)
    return {
        "count": len(found),
        "rss_bytes": sum(process.rss for process in found),
        "cpu_percent": round(sum(100.0 * process.cpu_seconds / max(process.age, 1.0) for process in found), 2),
        "oldest_seconds": round(found[0].age, 1) if found else None,
        "pids": [process.pid for process in found[:_MOST_PIDS]],
    }


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
