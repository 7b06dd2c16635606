# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How busy the processor is."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import CpuTimes, read_cpu

_SAMPLE = 0.25

SPEC = ProbeSpec(
    "cpu",
    {},
    {
        "used_percent": "busy time of all cores; waiting for disks does not count as busy",
        "iowait_percent": "time in which a core was idle and waited for a disk",
        "steal_percent": "time that the hypervisor gave to others",
        "cores": "number of cores",
    },
    {"used_percent": "< 90"},
    help="Measured from the begin of the run on, over a quarter of a second at least; all cpu checks of a run share the sample, and the time "
    "that the inspection itself takes is left out.",
)


class _Meter:
    """Two samples and what lies between them, shared by all checks of a run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.first: CpuTimes = read_cpu()
        self.own = _own()
        self.moment = time.monotonic()
        self.seen: dict[int, dict[str, t.Any]] = {}


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Take the first sample."""
    ctx.shared[SPEC.name] = _Meter()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc and no psutil
    """
    meter = ctx.shared.get(SPEC.name) or ctx.shared.setdefault(SPEC.name, _Meter())
    with meter.lock:
        if ctx.attempt not in meter.seen:
            time.sleep(max(0.0, meter.moment + _SAMPLE - time.monotonic()))
            second, own = read_cpu(), _own()
            meter.seen[ctx.attempt] = _between(meter.first, second, own - meter.own)
            meter.first, meter.own, meter.moment = second, own, time.monotonic()
        return dict(meter.seen[ctx.attempt])


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
