# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many processes there are, and how many of them are dead or stuck."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeSpec

PROC = "/proc"
_MOST_NAMES = 20

SPEC = ProbeSpec(
    "processes",
    {},
    {
        "total": "all processes",
        "running": "those that run or want to, without this inspection",
        "zombies": "those that have ended and whose parent does not take notice",
        "blocked": "those that cannot be interrupted, waiting for a disk or a dead network mount as a rule",
        "threads": "threads of all processes",
        "zombie_names": "up to twenty names of zombies",
        "blocked_names": "up to twenty names of blocked processes",
    },
    {"zombies": "< 10", "blocked": "< 20"},
    help="A single look: a process that waits for a disk in this moment counts as blocked.",
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc, or it hides the processes of others
    """
    scan = ctx.shared.get("process")
    if scan is None or ctx.attempt > 1:
        return count(PROC)
    every = scan.reading(True).every  # the probe process has read them, or will for both
    return summary((process.pid, process.name, process.state, process.threads) for process in every)


def count(proc: str) -> dict[str, t.Any]:
    """What the processes in a /proc do."""
    if not os.path.exists(f"{proc}/self/stat"):
        raise CannotSee(f"processes cannot be seen: there is no {proc}, which only Linux has", "unsupported")
    if not os.path.exists(f"{proc}/1"):
        raise CannotSee("/proc hides the processes of other users (hidepid); run with become, or as a member of its group", "permission")
    found = ((int(entry), _read(f"{proc}/{entry}/stat")) for entry in os.listdir(proc) if entry.isdigit())
    return summary((pid, *seen) for pid, seen in found if seen is not None)


def summary(processes: t.Iterable[tuple[int, str, str, int]]) -> dict[str, t.Any]:
    """:arg processes: number, name, state and number of threads of each"""
    me = os.getpid()
    names: dict[str, list[str]] = {}
    total = threads = 0
    for pid, name, state, count_of_threads in processes:
        total += 1
        threads += count_of_threads
        if pid != me:
            names.setdefault(state, []).append(name)
    zombies, blocked = names.get("Z", []), names.get("D", [])
    return {
        "total": total,
        "running": len(names.get("R", [])),
        "zombies": len(zombies),
        "blocked": len(blocked),
        "threads": threads,
        "zombie_names": sorted(zombies)[:_MOST_NAMES],
        "blocked_names": sorted(blocked)[:_MOST_NAMES],
    }


def _read(path: str) -> tuple[str, str, int] | None:
    """Name, state and number of threads (proc(5)); None for a process that has ended meanwhile."""
    try:
        with open(path, "rb") as source:
            text = source.read().decode("utf-8", "replace")
        fields = text[text.rindex(")") + 2 :].split()
        return text[text.index("(") + 1 : text.rindex(")")], fields[0], int(fields[17])
    except (OSError, ValueError, IndexError):
        return None
