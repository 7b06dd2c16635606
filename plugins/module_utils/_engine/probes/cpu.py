# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How busy the processor is."""

from __future__ import annotations

import math
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import Meter, clock, counters, growth, start, went_on
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import CpuTimes, read_cpu

_COUNTED = ("context_switches_per_second", "interrupts_per_second", "forks_per_second")
_BEGAN = clock()

SPEC = ProbeSpec(
    "cpu",
    {},
    {
        "used_percent": "busy time of all cores; waiting for disks does not count as busy",
        "iowait_percent": "time in which a core was idle and waited for a disk",
        "steal_percent": "time that the hypervisor gave to others",
        "cores": "number of cores",
        "context_switches_per_second": "how often the cores turned to another thread; null where the kernel does not tell",
        "interrupts_per_second": "interrupts that they served; null likewise",
        "forks_per_second": "processes and threads that were begun; null likewise",
        "seconds": "over how many seconds this was measured",
    },
    {"used_percent": "< 90"},
    help="Measured since the last run, see [Rates](#rates). The time that the inspection itself takes is left out of the percentages.",
)


class _Look(t.NamedTuple):
    times: CpuTimes
    own: float


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Take the first look."""
    _meter(ctx)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc and no psutil, or the processor's time stands still
    """
    first, second, seconds = _meter(ctx).interval(ctx.attempt, _fits)
    span = second.times.total - first.times.total
    if span <= 0:
        raise CannotSee("how busy the processor is cannot be told: the time that the kernel counts stands still", "unseen")
    seen = _between(first.times, second.times, span, second.own - first.own)
    rates = [growth(one, two, seconds) for one, two in zip(first.times.counts, second.times.counts)] or [None] * len(_COUNTED)
    return {**seen, **dict(zip(_COUNTED, rates)), "seconds": round(seconds, 3)}


def _meter(ctx: Context) -> Meter[_Look]:
    return start(ctx, "cpu", _read, _dump, _load)


def _read() -> _Look:
    return _Look(read_cpu(), _own())


def _dump(look: _Look) -> list[t.Any]:
    return [*(round(value, 2) for value in look.times[:4]), look.times.cores, list(look.times.counts), round(look.own, 3)]


def _load(value: t.Any, moment: float) -> _Look:
    *seconds, cores, counts, taken = value
    total, idle, iowait, steal, own = numbers = [float(number) for number in (*seconds, taken)]
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or isinstance(cores, bool) or not isinstance(cores, int):
        raise ValueError("no look")
    times = CpuTimes(total, idle, iowait, steal, cores, tuple(counters(counts)))
    # what this process took before that look, if it was there: an inspection is begun anew, a watcher goes on
    return _Look(times, own if moment >= _BEGAN else 0.0)


def _fits(first: _Look, second: _Look) -> bool:
    """Cores may come and go, and where a container is shown times of its own, they begin anew with it."""
    one, two = first.times, second.times
    return one.cores == two.cores and one.total < two.total and one.idle <= two.idle and went_on(one.counts, two.counts)


def _own() -> float:
    """Seconds of processor time that this process and its children took so far."""
    return sum(os.times()[:4])


def _between(first: CpuTimes, second: CpuTimes, span: float, own: float) -> dict[str, t.Any]:
    """:arg own: seconds that looking took by itself, which are not the load of the host"""
    idle, iowait, steal = second.idle - first.idle, second.iowait - first.iowait, second.steal - first.steal

    def percent(part: float) -> float:
        return round(min(100.0, max(0.0, 100.0 * part / span)), 2)

    return {
        "used_percent": percent(span - idle - iowait - max(0.0, own)),
        "iowait_percent": percent(iowait),
        "steal_percent": percent(steal),
        "cores": second.cores,
    }
