# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How busy the disks of this host are."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _procfs
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import Meter, counters, growth, start, went_on

SYS = "/sys/block"
CLASS = "/sys/class/block"
# columns of /proc/diskstats behind the name (Documentation/admin-guide/iostats.rst of Linux)
_READS, _SECTORS_READ, _MS_READ, _WRITES, _SECTORS_WRITTEN, _MS_WRITTEN, _MS_BUSY = 0, 2, 3, 4, 6, 7, 9
_COUNTED = (_READS, _SECTORS_READ, _MS_READ, _WRITES, _SECTORS_WRITTEN, _MS_WRITTEN, _MS_BUSY)  # others, as those in flight, go down, too
_SECTOR = 512  # whatever the disk says of itself
_COLUMNS = 11

SPEC = ProbeSpec(
    "io",
    {"device": Option("str", help="such as sda, /dev/sda1 or /dev/mapper/data; all disks together if left out")},
    {
        "busy_percent": "time in which the disk had something to do; of the busiest one where there are several",
        "read_bytes_per_second": "bytes read a second",
        "written_bytes_per_second": "bytes written a second",
        "reads_per_second": "reads that ended, a second",
        "writes_per_second": "writes that ended, a second",
        "await_ms": "milliseconds that a read or a write took on average, waiting included; null where there was none",
        "seconds": "over how many seconds this was measured",
    },
    {"busy_percent": "< 95"},
    help="Measured since the last run, see [Rates](#rates). A counter that was set back meanwhile gives null.",
)

_Disks = t.Dict[str, t.List[int]]


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Take the first look."""
    _meter(ctx)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found
    :raises CannotSee: this is no Linux
    """
    meter = _meter(ctx)
    if not meter.first:
        raise CannotSee(f"disks cannot be seen: there is no {_procfs.PROC}/diskstats, or it names none", "unsupported")
    wanted = options["device"]

    def names(disks: _Disks) -> list[str]:
        return whole_disks(disks) if wanted is None else [_name(wanted)]

    def fits(last: _Disks, now: _Disks) -> bool:
        return all(name in last and name in now and _went_on(last[name], now[name]) for name in names(now))

    first, second, seconds = meter.interval(ctx.attempt, fits)
    if wanted is not None and _name(wanted) not in second:
        raise ProbeFailure("not_found", f"there is no block device {wanted}, only {', '.join(whole_disks(second)[:20])}")
    both = [(first[name], second[name]) for name in names(second) if name in first and name in second]
    gained = [[growth(one, two, seconds) for one, two in zip(*looks)] for looks in both]
    return dict(_seen(gained), seconds=round(seconds, 3))


def _went_on(first: list[int], second: list[int]) -> bool:
    return went_on([first[column] for column in _COUNTED], [second[column] for column in _COUNTED])


def _name(device: str) -> str:
    return os.path.basename(os.path.realpath(device if device.startswith("/") else f"/dev/{device}"))


def _meter(ctx: Context) -> Meter[_Disks]:
    return start(ctx, SPEC.name, read_disks, _dump, _load)


def _dump(disks: _Disks) -> dict[str, t.Any]:
    return {name: [_identity(name), *found[:_COLUMNS]] for name, found in disks.items()}


def _load(value: t.Any, moment: float) -> _Disks:
    """Without the devices that are other ones now."""
    return {name: counters(found[1:], _COLUMNS) for name, found in value.items() if found[0] == _identity(name)}


def _identity(name: str) -> int:
    """A number that the kernel gives to no other device until it is started anew; 0 where it gives none."""
    try:
        return os.stat(f"{CLASS}/{name.replace('/', '!')}").st_ino
    except (OSError, ValueError):
        return 0


def _seen(disks: list[list[float | None]]) -> dict[str, t.Any]:
    def total(column: int, unit: int = 1) -> float | None:
        values = [disk[column] for disk in disks]
        return None if None in values or not values else round(unit * sum(value or 0.0 for value in values), 3)

    ended = [total(_READS), total(_WRITES)]
    waited = [total(_MS_READ), total(_MS_WRITTEN)]
    known = None not in ended and None not in waited
    operations, time_taken = (sum(value or 0.0 for value in values) for values in (ended, waited))
    busy = [value for value in (disk[_MS_BUSY] for disk in disks) if value is not None]
    return {
        "busy_percent": min(100.0, round(max(busy) / 10.0, 2)) if busy else None,
        "read_bytes_per_second": total(_SECTORS_READ, _SECTOR),
        "written_bytes_per_second": total(_SECTORS_WRITTEN, _SECTOR),
        "reads_per_second": ended[0],
        "writes_per_second": ended[1],
        "await_ms": round(time_taken / operations, 3) if known and operations else None,
    }


def whole_disks(names: t.Iterable[str]) -> list[str]:
    """The disks among block devices: not their partitions, nor what is made of other devices or of memory."""
    found = sorted(name for name in names if os.path.exists(f"{SYS}/{name.replace('/', '!')}/device"))
    return found or sorted(name for name in names if not name.startswith(("loop", "ram", "zram", "dm-", "md", "sr")))


def read_disks() -> _Disks:
    """Counters of each block device; none where there is no Linux."""
    found: _Disks = {}
    try:
        with open(f"{_procfs.PROC}/diskstats", encoding="ascii", errors="replace") as source:
            lines = source.read().splitlines()
    except OSError:
        return found
    for line in lines:
        words = line.split()
        numbers = [int(word) for word in words[3:] if word.isdigit()]
        if len(numbers) >= _COLUMNS:
            found[words[2]] = numbers
    return found
