# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much passes an interface of this host."""

from __future__ import annotations

import os
import socket
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _procfs
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import Meter, counters, growth, start, went_on

# columns of /proc/net/dev behind the name: eight of what is received, eight of what is sent
_BYTES, _PACKETS, _ERRORS, _DROPPED = range(4)
_SENT, _READ = 8, 16

SPEC = ProbeSpec(
    "network",
    {"interface": Option("str", help="name of the interface, such as eth0; all but lo together if left out")},
    {
        "rx_bytes_per_second": "bytes received a second",
        "tx_bytes_per_second": "bytes sent a second",
        "rx_packets_per_second": "packets received a second",
        "tx_packets_per_second": "packets sent a second",
        "errors_per_second": "packets a second that came broken or could not be sent",
        "dropped_per_second": "packets a second that were given up",
        "seconds": "over how many seconds this was measured",
    },
    {"errors_per_second": "< 1"},
    help="Measured since the last run, see [Rates](#rates). A counter that was set back meanwhile gives null.",
)

_Interfaces = t.Dict[str, t.List[int]]


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Take the first look."""
    _meter(ctx)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found
    :raises CannotSee: this is no Linux
    """
    meter, name = _meter(ctx), options["interface"]
    if not meter.first:
        raise CannotSee(f"interfaces cannot be seen: there is no {_procfs.PROC}/net/dev, which only Linux has", "unsupported")

    def fits(last: _Interfaces, now: _Interfaces) -> bool:
        # where containers come and go, so do interfaces: what is new counts from the next run on
        both = [each for each in now if each in last and (each == name if name else each != "lo")]
        return bool(both) and all(went_on(last[each][:_READ], now[each][:_READ]) for each in both)

    first, second, seconds = meter.interval(ctx.attempt, fits)
    if name is not None and name not in second:
        raise ProbeFailure("not_found", f"there is no interface {name}, only {', '.join(sorted(second)[:20])}")
    # one that came meanwhile has nothing to be compared with
    names = [each for each in second if each in first and (each == name if name else each != "lo")]

    def rate(*columns: int) -> float | None:
        gained = [growth(first[each][column], second[each][column], seconds) for each in names for column in columns]
        return None if None in gained or (name and not names) else round(sum(value or 0.0 for value in gained), 3)

    return {
        "rx_bytes_per_second": rate(_BYTES),
        "tx_bytes_per_second": rate(_BYTES + _SENT),
        "rx_packets_per_second": rate(_PACKETS),
        "tx_packets_per_second": rate(_PACKETS + _SENT),
        "errors_per_second": rate(_ERRORS, _ERRORS + _SENT),
        "dropped_per_second": rate(_DROPPED, _DROPPED + _SENT),
        "seconds": round(seconds, 3),
    }


def _meter(ctx: Context) -> Meter[_Interfaces]:
    return start(ctx, SPEC.name, read_interfaces, _dump, _load)


def _dump(interfaces: _Interfaces) -> dict[str, t.Any]:
    return {name: [*_identity(name), *found] for name, found in interfaces.items()}


def _load(value: t.Any, moment: float) -> _Interfaces:
    """Without the interfaces that are other ones now."""
    return {name: counters(found[2:], _READ) for name, found in value.items() if found[:2] == _identity(name)}


def _identity(name: str) -> list[int]:
    """Number of the name space, and of the interface there, which no later one gets; 0 where it is not told."""
    try:
        return [os.stat("/proc/self/ns/net").st_ino, socket.if_nametoindex(name)]
    except (OSError, ValueError):
        return [0, 0]


def read_interfaces() -> _Interfaces:
    """Counters of each interface of the network name space; none where there is no Linux."""
    found: _Interfaces = {}
    try:
        with open(f"{_procfs.PROC}/net/dev", encoding="ascii", errors="replace") as source:
            lines = source.read().splitlines()[2:]
    except OSError:
        return found
    for line in lines:
        name, _colon, numbers = line.rpartition(":")
        columns = [int(number) for number in numbers.split() if number.isdigit()]
        if len(columns) >= _READ:
            found[name.strip()] = columns
    return found
