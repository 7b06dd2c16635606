# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control group takes of what it may: a service, a container, or what this inspection runs in."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._cgroups import Groups, groups_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import (
    LONGEST,
    SHORTEST,
    clock,
    counters,
    last_look,
    leave_more,
    went_on,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import read_memory
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._units import is_name, properties, unit_name, want

_MOST_LEFT = 500


def _complete(options: dict[str, t.Any]) -> None:
    name, path = options["unit"], options["path"]
    if name is not None and path is not None:
        raise ValueError("cgroup takes unit or path, not both")
    if name is not None and not is_name(name):
        raise ValueError(f"cgroup.unit: {name!r} is not the name of a unit; write one such as nginx or user.slice")
    if path is not None and ".." in path.split("/"):
        raise ValueError(f"cgroup.path: {path!r} must not hold ..; write one such as /system.slice/nginx.service")


SPEC = ProbeSpec(
    "cgroup",
    {
        "unit": Option("str", help="unit of systemd; .service is added where it has no kind"),
        "path": Option(
            "path", help="the group below its root, such as /system.slice/nginx.service; the one of PID 1 if unit is left out, too"
        ),
    },
    {
        "used_percent": "memory in percent of the limit, or of the memory of the node where there is none",
        "used_bytes": "memory that it holds; file caches that can be given up at once do not count",
        "limit_bytes": "the lowest limit on it or on a group above it; null where there is none",
        "oom_kills": "how many of its processes were killed for want of memory since it was made; null where the kernel does not count",
        "oom_kills_new": "how many of these since the last run; null where that left nothing to compare with",
        "throttled_percent": "periods in which it was kept from running, in percent of those in which it ran, since the last run, or since it was made "
        "where seconds is null; null without a limit",
        "cpu_limit": "cores that it may use; null where there is no limit",
        "pids": "processes and threads in it; null where they are not counted",
        "pids_limit": "how many it may have; null where there is no limit",
        "pids_percent": "pids in percent of that limit; 0 where there is none",
        "path": "the group that was looked at",
        "seconds": "since when throttled_percent counts, see [Rates](#rates); null where it counts from the beginning",
    },
    {"used_percent": "< 90", "pids_percent": "< 90"},
    help="Versions 1 and 2. As PID 1 stands for it, an inspection in a container sees the limits of the container.",
    complete=_complete,
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Say which units are looked at, so that systemd is asked for all of them at once, and find where groups are mounted."""
    want(ctx, [unit_name(options["unit"]) for options in all_options if options["unit"]])
    groups_of(ctx)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found
    :raises CannotSee: there are no control groups here, or the group counts nothing
    """
    return look(options, ctx, groups_of(ctx))


def look(options: dict[str, t.Any], ctx: Context, groups: Groups) -> dict[str, t.Any]:
    """What is observed of one group."""
    if groups.unified is None and not groups.single:
        raise CannotSee("control groups cannot be seen: none are mounted here", "unsupported")
    name = (options["path"] or "").rstrip("/") or (_of_unit(options["unit"], ctx) if options["unit"] else None)
    group = name or groups.of_process("memory", "1") or "/"
    folders = {controller: groups.folder(controller, _of(groups, controller, name)) for controller in ("memory", "cpu", "pids")}
    if not any(folders.values()):
        raise ProbeFailure("not_found", f"there is no control group {group}")
    root = _of(groups, "memory", name) == "/"
    seen = {**_memory(groups, folders["memory"], root), **_cpu(groups, folders["cpu"]), **_pids(groups, folders["pids"]), "path": group}
    seen.update(_since(groups, ctx, group, folders, seen))
    if seen["used_bytes"] is None and seen["pids"] is None and name is not None:
        raise CannotSee(
            f"control group {group} counts neither memory nor processes; turn on MemoryAccounting and TasksAccounting", "unsupported"
        )
    return seen


def _since(groups: Groups, ctx: Context, group: str, folders: dict[str, str | None], seen: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was new since the last run, and leave for the next one what counts it."""
    now = clock()
    periods, throttled = _periods(groups, folders["cpu"])
    counts = [seen["oom_kills"] or 0, periods, throttled]
    identity = [groups.identity(folders[controller]) for controller in ("memory", "cpu")]
    if ctx.attempt == 1:
        leave_more(ctx, SPEC.name, now, {group: identity + counts}, _MOST_LEFT)
    news: dict[str, t.Any] = {"oom_kills_new": None, "seconds": None}
    found = last_look(ctx, SPEC.name, now, 0.0, math.inf)
    try:
        last = counters(found[0][group], 5) if found else []
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return news
    if not found or last[:2] != identity or not went_on(last[2:5], counts):
        return news
    if seen["oom_kills"] is not None:
        news["oom_kills_new"] = counts[0] - last[2]
    if SHORTEST <= found[1] <= LONGEST and seen["throttled_percent"] is not None:
        ran = periods - last[3]
        news.update(throttled_percent=round(100.0 * (throttled - last[4]) / ran, 2) if ran else 0.0, seconds=round(found[1], 3))
    return news


def _periods(groups: Groups, folder: str | None) -> tuple[int, int]:
    found = {} if folder is None else groups.table(f"{folder}/cpu.stat")
    return found.get("nr_periods", 0), found.get("nr_throttled", 0)


def _of(groups: Groups, controller: str, name: str | None) -> str:
    return name or groups.of_process(controller, "1") or "/"


def _of_unit(written: str, ctx: Context) -> str:
    name = unit_name(written)
    try:
        found = properties(ctx, name)
    except CannotSee as exc:
        raise CannotSee(f"the control group of {name} cannot be found: {exc.sentence}; write its path instead", exc.reason) from exc
    if found.get("LoadState") == "not-found":
        raise ProbeFailure("not_found", f"systemd knows no unit {name}")
    if not found.get("ControlGroup"):
        raise ProbeFailure("inactive", f"{name} does not run, so it has no control group")
    return found["ControlGroup"]


def _memory(groups: Groups, folder: str | None, root: bool) -> dict[str, t.Any]:
    used, limits, kills = None, [], None
    if folder is not None:
        used = groups.memory(folder)[0]
        limits = [limit for limit in (groups.memory(place)[1] for place in groups.above("memory", folder)) if limit is not None]
        kills = groups.table(f"{folder}/memory.{'events' if groups.is_new('memory') else 'oom_control'}").get("oom_kill")
    limit = min(limits) if limits else None
    total = limit if limit is not None else read_memory()["total"]
    if folder is not None and used is None and root:  # the kernel counts nothing there: it is the node itself
        found = read_memory()
        used = found["total"] - found["available"]
    percent = round(100.0 * used / total, 2) if used is not None and total else None
    return {"used_percent": percent, "used_bytes": used, "limit_bytes": limit, "oom_kills": kills}


def _cpu(groups: Groups, folder: str | None) -> dict[str, t.Any]:
    if folder is None:
        return {"throttled_percent": None, "cpu_limit": None}
    periods, times = _periods(groups, folder)
    if groups.is_new("cpu"):
        quota, _blank, period = groups.text(f"{folder}/cpu.max").strip().partition(" ")
    else:
        quota, period = (groups.text(f"{folder}/cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    limit = round(int(quota) / int(period), 3) if quota.isdigit() and period.isdigit() and int(period) else None
    throttled = round(100.0 * times / periods, 2) if periods else None if limit is None else 0.0
    return {"throttled_percent": throttled, "cpu_limit": limit}


def _pids(groups: Groups, folder: str | None) -> dict[str, t.Any]:
    count = limit = None
    if folder is not None:
        count, limit = groups.number(f"{folder}/pids.current"), groups.number(f"{folder}/pids.max")
    return {"pids": count, "pids_limit": limit, "pids_percent": round(100.0 * count / limit, 2) if count and limit else 0.0}
