# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory is taken."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._cgroups import Groups, groups_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import read_memory

SPEC = ProbeSpec(
    "memory",
    {},
    {
        "used_percent": "memory that programs cannot have any more, in percent of all",
        "total_bytes": "memory of the node, or the limit of its container where that is lower",
        "available_bytes": "what programs can still have without swapping; caches that can be given up included",
        "limit_bytes": "the limit of the container that counts as total; null where there is none",
    },
    {"used_percent": "< 95"},
    help="Memory as the kernel's MemAvailable sees it. In a container with a limit that limit is the whole.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Find where control groups are mounted."""
    groups_of(ctx)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc and no psutil
    """
    found = read_memory()
    return judge_total(found["total"], min(found["available"], found["total"]), groups_of(ctx))


def judge_total(total: int, available: int, groups: Groups) -> dict[str, t.Any]:
    """The figures of the node, or those of the control group of PID 1 where its limit is lower.

    PID 1 stands for the container: the limits of a login session, which this inspection may run in, are not those of the node.
    """
    limit = None
    group = groups.of_process("memory", "1")
    folder = None if group is None else groups.folder("memory", group)
    for place in [] if folder is None else groups.above("memory", folder):
        used, most = groups.memory(place)
        if used is not None and most is not None and most < total:
            left = max(0, min(available, most - used))
            if limit is None or left < available:
                limit, total, available = most, most, left
    return {
        "used_percent": round(100.0 * (total - available) / total, 2) if total else 0.0,
        "total_bytes": total,
        "available_bytes": available,
        "limit_bytes": limit,
    }
