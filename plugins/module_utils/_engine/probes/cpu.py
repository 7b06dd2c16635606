# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How busy the processor is."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import growth, start
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import CpuTimes, read_cpu

SPEC = ProbeSpec(
    "cpu",
    {},
    {
        "used_percent": "busy time of all cores; waiting for disks does not count as busy",
        "iowait_percent": "time in which a core was idle and waited for a disk",
        "steal_percent": "time that the hypervisor gave to others",
        "cores": "number of cores",
        "context_switches_per_second": "how often the cores turned to another thread; null where the kernel does not tell",
    },
    {"used_percent": "< 90"},
    help="Measured from the begin of the run on, over a quarter of a second at least; all cpu checks of a run share the sample, and the time "
    "that the inspection itself takes is left out of the percentages.",
)


class _Look(t.NamedTuple):
    times: CpuTimes
    own: float


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Take the first look."""
    start(ctx, SPEC.name, _read)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc and no psutil
    """
    first, second, seconds = start(ctx, SPEC.name, _read).interval(ctx.attempt)
    switches = (
        None
        if first.times.switches is None or second.times.switches is None
        else growth(first.times.switches, second.times.switches, seconds)
    )
    return dict(_between(first.times, second.times, second.own - first.own), context_switches_per_second=switches)


def _read() -> _Look:
    return _Look(read_cpu(), _own())


def _own() -> float:
    """Seconds of processor time that this process and its children took so far."""
    return sum(os.times()[:4])


def _between(first: CpuTimes, second: CpuTimes, own: float) -> dict[str, t.Any]:
    """:arg own: seconds that looking took by itself, which are not the load of the host"""
    span = second.total - first.total
    idle, iowait, steal = second.idle - first.idle, second.iowait - first.iowait, second.steal - first.steal

    def percent(part: float) -> float:
        return round(min(100.0, max(0.0, 100.0 * part / span)), 2) if span > 0 else 0.0

    return {
        "used_percent": percent(span - idle - iowait - own),
        "iowait_percent": percent(iowait),
        "steal_percent": percent(steal),
        "cores": second.cores,
    }
