# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends ICMP echo requests ("ping"), without privileges where the system allows it."""

from __future__ import annotations

import errno
import os
import socket
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import failure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, explain
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import resolve
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._ping import answered, open_socket, request

_MOST = 100
_GRANT = "add a group of this user to net.ipv4.ping_group_range (sysctl), give CAP_NET_RAW, or run with become"


def _complete(options: dict[str, t.Any]) -> None:
    if not 1 <= options["count"] <= _MOST:
        raise ValueError(f"icmp.count: {options['count']} is not a number from 1 to {_MOST}")


SPEC = ProbeSpec(
    "icmp",
    {
        "host": Option("str", required=True, help="name or address; of a name the first address that can be asked"),
        "count": Option(
            "int", default=1, help="how many requests are sent, each after the answer to the one before or its share of the time"
        ),
        "timeout": Option("duration", default=3.0, help="for everything together"),
    },
    {
        "reachable": "whether any answer came",
        "loss_percent": "requests without an answer in percent",
        "rtt_ms": "milliseconds from request to answer, on average; null where none came",
        "rtt_min_ms": "the shortest",
        "rtt_max_ms": "the longest",
        "address": "who was asked",
    },
    {"reachable": True},
    help="Needs no privileges where net.ipv4.ping_group_range allows it, else CAP_NET_RAW.",
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: dns, or timeout and unreachable with ``reachable: false``
    :raises CannotSee: this user may not send such packets
    """
    host, deadline = options["host"], Deadline(options["timeout"])
    try:
        addresses = resolve(host, 0, deadline)
        channel, address = _open(addresses, deadline, host)
    except NetError as exc:
        raise failure(exc, _nothing(None)) from exc
    with channel:
        times, refusal = _send_all(channel, options["count"], deadline)
    if not times:
        seen, place = _nothing(address), address if address == host else f"{host} ({address})"
        if refusal is not None:
            raise ProbeFailure("unreachable", f"{place} cannot be reached: {(refusal.strerror or str(refusal)).lower()}", seen)
        raise ProbeFailure("timeout", f"{place} did not answer within {options['timeout']:g} s", seen)
    return {
        "reachable": True,
        "loss_percent": round(100.0 * (options["count"] - len(times)) / options["count"], 2),
        "rtt_ms": round(sum(times) * 1000 / len(times), 3),
        "rtt_min_ms": round(min(times) * 1000, 3),
        "rtt_max_ms": round(max(times) * 1000, 3),
        "address": address,
        "latency_ms": round(sum(times) * 1000 / len(times), 3),
    }


def _nothing(address: str | None) -> dict[str, t.Any]:
    return {"reachable": False, "loss_percent": 100.0, "rtt_ms": None, "rtt_min_ms": None, "rtt_max_ms": None, "address": address}


def _open(addresses: list[tuple[int, t.Any]], deadline: Deadline, host: str) -> tuple[socket.socket, str]:
    """A socket that is connected to the first address to which there is a way, so that it hears of errors, too."""
    refusal: OSError | None = None
    for family, address in addresses:
        try:
            channel = open_socket(family)
        except OSError as exc:
            refusal = refusal or exc
            continue
        try:
            channel.connect(address)
            return channel, str(address[0])
        except OSError as exc:
            channel.close()
            refusal = exc
    if refusal is not None and refusal.errno in (errno.EACCES, errno.EPERM):
        raise CannotSee(f"{host} cannot be asked: ICMP is not allowed to this user; {_GRANT}", "permission") from refusal
    raise explain(refusal or OSError(errno.EHOSTUNREACH, "no address"), "connect", deadline, host)


def _send_all(channel: socket.socket, count: int, deadline: Deadline) -> tuple[list[float], OSError | None]:
    """Seconds that each answer took, and the last error that came back."""
    sent: dict[int, float] = {}
    times: dict[int, float] = {}
    refusal: OSError | None = None
    nonce = os.urandom(16)
    for number in range(1, count + 1):
        now = time.monotonic()
        end = now + max(0.0, deadline.end - now) / (count - number + 1)
        try:
            sent[number] = now
            channel.send(request(channel, number, nonce))
            while number not in times and time.monotonic() < end:
                channel.settimeout(max(0.001, end - time.monotonic()))
                heard = answered(channel, channel.recv(2048), nonce)
                if heard in sent and heard not in times:
                    times[heard] = time.monotonic() - sent[heard]
        except socket.timeout:
            continue
        except OSError as exc:
            refusal = exc
    return list(times.values()), refusal
