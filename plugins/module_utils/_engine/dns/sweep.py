# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks many questions over UDP, with one thread, and says which answers are the same as before.

A question first goes to the server that its name picks. Without a reply in the time that this server needs, it goes to the next one while the first reply is
still welcome: asking again is a hedge and never cuts a wait short, a name has at least ``Limits.timeout`` in all. Every question ends exactly once.
"""

from __future__ import annotations

import dataclasses
import select
import struct
import time
import typing as t
from binascii import crc32

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import lane as lanes
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.lane import Lane, Odd, Port
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits, Pace
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.retry import Keeper, network
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

__all__ = ["EDNS_SIZE", "Limits", "Odd", "Swept", "sweep"]

EDNS_SIZE = 1232  # fits every path (DNS flag day 2020)

_LARGEST_REPLY = 4096  # from servers that do not care for the size they are told
_LONGEST_POLL = 0.05
_MANY_SERVERS = 50


@dataclasses.dataclass
class Swept:
    """What a sweep found: every question is counted in ``same`` or has one entry in ``odd``."""

    same: int
    odd: t.List[Odd]
    stats: t.Dict[str, int]  # queries sent, resent of these, late replies, rejected replies


def sweep(
    questions: t.Sequence[wire.Question],
    servers: t.Sequence[Server],
    limits: Limits,
    known: t.Optional[t.Sequence[t.Optional[bytes]]] = None,
    others: t.Optional[t.Mapping[int, t.Collection[bytes]]] = None,
    first: t.Optional[t.Mapping[int, int]] = None,
    recursion: bool = True,
    dnssec: bool = False,
    edns_size: int = EDNS_SIZE,
    paces: t.Optional[t.MutableMapping[str, Pace]] = None,
) -> Swept:
    """Ask every question until it has an answer, its tries are used up, or the time is.

    :param servers: of transport udp
    :param known: the fingerprint that each answer had the last time; such an answer is the same
    :param others: by index of the question, further fingerprints that count as the same
    :param first: by index of the question, the index of the server that is asked first; else the name decides
    :param edns_size: largest reply in bytes that servers are told to send; 0 asks without EDNS
    :param paces: what is known about servers, by label; read and written, for one sweep after the other
    :raises ValueError: the arguments do not fit together
    """
    if not servers or any(server.transport != "udp" for server in servers):
        raise ValueError("a sweep needs name servers, all of them over UDP")
    if known is not None and len(known) != len(questions):
        raise ValueError("there must be one known fingerprint, or None, for each question")
    keeper = Keeper(questions, limits)
    keeper.known = known if known is not None else [None] * len(questions)
    keeper.others = others or {}
    keeper.signed = dnssec
    # CD with DO: who asks for signatures checks them himself (RFC 6840 5.9)
    keeper.head = struct.pack("!HHHHH", (0x0100 if recursion else 0) | (0x0010 if dnssec else 0), 1, 0, 0, 1 if edns_size else 0)
    # RFC 6891 6.1.2; the DO bit is RFC 3225's
    keeper.options = struct.pack("!BHHBBHH", 0, 41, edns_size, 0, 0, 0x8000 if dnssec else 0, 0) if edns_size else b""
    keeper.size = max(_LARGEST_REPLY, edns_size) + 1
    for number, server in enumerate(servers):
        pace = paces.get(server.label) if paces else None
        pace = pace or Pace(limits.timeout, limits.concurrency)
        pace.set_limits(limits, server)
        if paces is not None:
            paces[server.label] = pace
        keeper.lanes.append(Lane(number, server, pace, keeper))
    _share_out(keeper, first or {})
    _run(keeper, limits.until if limits.until is not None else float("inf"))
    stats = {"queries": keeper.queries, "resent": keeper.resent, "late": keeper.late, "rejected": keeper.rejected}
    return Swept(keeper.same, keeper.odd, stats)


def _share_out(keeper: Keeper, first: t.Mapping[int, int]) -> None:
    """Each question into the queue of the server that it is asked of first; those of one length together, as they can be sent together."""
    count = len(keeper.lanes)
    queues = [lane.queue for lane in keeper.lanes]
    lengths = [len(question[2]) for question in keeper.questions]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    if count == 1:
        queues[0].extend(order)
        return
    for index in order:
        question = keeper.questions[index]
        number = first.get(index) if first else None
        queues[crc32(question.tail) % count if number is None else number].append(index)


def _run(keeper: Keeper, until: float) -> None:
    poll = select.poll()
    ports: t.Dict[int, t.Tuple[Lane, Port]] = {}
    total = len(keeper.questions)
    try:
        for lane in keeper.lanes:
            try:
                lane.open(lanes.PORTS if len(keeper.lanes) <= _MANY_SERVERS else 1)
            except OSError as exc:
                lane.broken = network(lane, exc)
            for port in lane.ports:
                ports[port.socket.fileno()] = (lane, port)
                poll.register(port.socket, select.POLLIN)
        now = time.monotonic()
        keeper.leave_the_dead(now)
        while keeper.same + len(keeper.odd) < total and now < until:
            for lane in keeper.lanes:
                lane.fill(now)
            ready = poll.poll(_pause(keeper, now, until))
            now = time.monotonic()
            for number, _events in ready:
                lane, port = ports[number]
                lane.drain(port, now)
            for lane in keeper.lanes:
                lane.expire(now)
            keeper.ask_due(now)
            keeper.end_names(now)
            keeper.leave_the_dead(now)
        if keeper.same + len(keeper.odd) < total:
            keeper.out_of_time(now)
    finally:
        for lane in keeper.lanes:
            lane.close()


def _pause(keeper: Keeper, now: float, until: float) -> float:
    """Milliseconds to wait for a packet."""
    longest = min(_LONGEST_POLL, until - now)
    for times in (keeper.due, keeper.ends):
        if times:
            longest = min(longest, times[0][0] - now + 0.001)
    for lane in keeper.lanes:
        if lane.flying:
            longest = min(longest, lane.pace.rto / 4)
        if lane.queue or lane.again:
            pause = lane.pace.pause(now)
            if pause or lane.pace.room(lane.flying, now) > 0:
                longest = min(longest, max(pause, 0.0))
    return max(0.0, longest) * 1000
