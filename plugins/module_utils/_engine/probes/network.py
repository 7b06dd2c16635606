# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much passes an interface of this host."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _procfs
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._meter import growth, start

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
    },
    {"errors_per_second": "< 1"},
    help="Measured like cpu. A counter that was set back meanwhile gives null.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Take the first look."""
    start(ctx, SPEC.name, read_interfaces)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found
    :raises CannotSee: this is no Linux
    """
    first, second, seconds = start(ctx, SPEC.name, read_interfaces).interval(ctx.attempt)
    if not second:
        raise CannotSee(f"interfaces cannot be seen: there is no {_procfs.PROC}/net/dev, which only Linux has", "unsupported")
    name = options["interface"]
    if name is not None and name not in second:
        raise ProbeFailure("not_found", f"there is no interface {name}, only {', '.join(sorted(second)[:20])}")
    # one that came meanwhile has nothing to be compared with
    names = [each for each in second if each in first and (each == name if name else each != "lo")]
    before, after = ([sum(look[each][column] for each in names) for column in range(_READ)] for look in (first, second))

    def rate(*columns: int) -> float | None:
        if name and not names:
            return None
        return growth(sum(before[column] for column in columns), sum(after[column] for column in columns), seconds)

    return {
        "rx_bytes_per_second": rate(_BYTES),
        "tx_bytes_per_second": rate(_BYTES + _SENT),
        "rx_packets_per_second": rate(_PACKETS),
        "tx_packets_per_second": rate(_PACKETS + _SENT),
        "errors_per_second": rate(_ERRORS, _ERRORS + _SENT),
        "dropped_per_second": rate(_DROPPED, _DROPPED + _SENT),
    }


def read_interfaces() -> dict[str, list[int]]:
    """Counters of each interface of the network name space; none where there is no Linux."""
    found: dict[str, list[int]] = {}
    try:
        with open(f"{_procfs.PROC}/net/dev", encoding="ascii", errors="replace") as source:
            lines = source.read().splitlines()[2:]
    except OSError:
        return found
    for line in lines:
        name, _colon, numbers = line.rpartition(":")
        counters = [int(number) for number in numbers.split() if number.isdigit()]
        if len(counters) >= _READ:
            found[name.strip()] = counters
    return found
