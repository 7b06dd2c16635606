# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets of one name server in a sweep, and the two loops that every question goes through.

A reply is taken only from the address that was asked (the sockets are connected), on the port and with the id of a question on its way, with the question
repeated byte for byte. Ids are 16 random bits of the system, ports several of the system's choice per sweep: about 30 bits that somebody off the path
would have to guess within one round trip. The letter case of the name is not played with: servers that do not repeat it would look dead.
"""

from __future__ import annotations

import errno
import os
import socket
import typing as t
from collections import deque

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Pace
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

PORTS = 4
BATCH = 256  # questions sent, or replies read, before the other side gets its turn
LEVELS = 4  # how often the wait for a reply is lengthened, by GROWTH
GROWTH = 4

# states of a try
FIRST = 2  # of its name, nothing else happened to it
AGAIN = 1
PARKED = 0  # no longer waited for, though still welcome

# (index of the question, when it was sent, id, state)
Try = t.Tuple[int, float, bytes, int]

_RECEIVE_BUFFER = 4 << 20
NOT_NOW = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS)


class Odd(t.NamedTuple):
    """A question whose answer somebody has to look at."""

    index: int  # type: ignore[assignment]
    packet: t.Optional[bytes]
    server: int  # index
    seconds: float  # of the try that was answered; all that was waited, where none was
    status: str  # empty if there is a reply to decode; truncated, malformed (both with the packet), timeout, network
    message: str


class Port:
    """One socket. ``flying`` has the tries that a reply is still taken for, by their id."""

    __slots__ = ("behind", "clock", "flying", "receive", "send", "socket")

    def __init__(self, server: Server) -> None:
        self.socket = socket.socket(server.family, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self.socket.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BUFFER)
            self.socket.connect(socket.getaddrinfo(server.address, server.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0][4])
        except OSError:
            self.socket.close()
            raise
        self.send, self.receive = self.socket.send, self.socket.recv
        self.flying: t.Dict[bytes, Try] = {}
        self.clock: t.Deque[Try] = deque()
        self.behind = False  # more has come than was read


class Books(t.Protocol):
    """What a lane needs from the sweep that it is a part of."""

    questions: t.Sequence[wire.Question]
    known: t.Sequence[t.Optional[bytes]]
    others: t.Mapping[int, t.Collection[bytes]]
    odd: t.List[Odd]
    same: int
    queries: int
    late: int
    rejected: int
    head: bytes
    options: bytes
    size: int

    def hear(self, lane: Lane, entry: Try, packet: bytes, now: float) -> None:
        """A reply that is no plain answer to a first try."""

    def expired(self, lane: Lane, port: Port, entry: Try, now: float) -> None:
        """A try was waited for long enough."""

    def unreachable(self, lane: Lane, port: Port, error: OSError, now: float) -> None:
        """The network told of this port that its server is not there."""

    def resend(self, lane: Lane, room: int, now: float) -> int:
        """Ask again what waits for it, at most ``room`` of it; returns how many."""


class Lane:
    """One server with its sockets and the questions that wait for it."""

    def __init__(self, number: int, server: Server, pace: Pace, keeper: Books) -> None:
        self.number, self.server, self.pace, self.keeper = number, server, pace, keeper
        self.queue: t.Deque[int] = deque()
        self.again: t.Deque[t.Any] = deque()
        self.flying = 0  # tries that are waited for
        self.levels: t.List[t.Deque[t.Tuple[Port, Try]]] = [deque() for _level in range(LEVELS)]
        self.ports: t.List[Port] = []
        self.broken = ""  # why there is no way to the server, if there is none
        self._turn = 0
        self._keys: t.List[bytes] = []

    def open(self, count: int = PORTS) -> None:
        """:raises OSError: there is no way to this server"""
        for _number in range(count):
            self.ports.append(Port(self.server))

    def close(self) -> None:
        """Give the sockets back."""
        for port in self.ports:
            port.socket.close()

    def port(self) -> Port:
        """The next port in turn."""
        self._turn = (self._turn + 1) % len(self.ports)
        return self.ports[self._turn]

    def key(self, flying: t.Mapping[bytes, Try]) -> bytes:
        """A random id that is not on its way."""
        while True:
            if not self._keys:
                some = os.urandom(2 * BATCH)
                self._keys = [some[place : place + 2] for place in range(0, len(some), 2)]
            key = self._keys.pop()
            if key not in flying:
                return key

    def fill(self, now: float) -> None:
        """Send what the pace allows: first what is asked again, then new questions."""
        room = self.pace.room(self.flying, now)
        if room <= 0 or not self.ports:
            return
        if self.again:
            room -= self.keeper.resend(self, room, now)
        if room > 0 and self.queue:
            self._ask(self.port(), min(room, BATCH), now)

    def _ask(self, port: Port, room: int, now: float) -> None:
        keeper, flying, send, note, draw = self.keeper, port.flying, port.send, port.clock.append, self.queue.popleft
        questions, head, options, new_key = keeper.questions, keeper.head, keeper.options, self.key
        count = min(room, len(self.queue))
        sent = 0
        error: t.Optional[OSError] = None
        for _number in range(count):
            index = draw()
            key = new_key(flying)
            try:
                send(key + head + questions[index][2] + options)
            except OSError as exc:
                if exc.errno in NOT_NOW:
                    self.queue.appendleft(index)
                    break
                error = exc
            entry = (index, now, key, FIRST)
            flying[key] = entry
            note(entry)
            sent += 1
            if error is not None:
                break
        self.flying += sent
        keeper.queries += sent
        self.pace.spend(sent)
        if error is not None:
            keeper.unreachable(self, port, error, now)

    def drain(self, port: Port, now: float) -> None:
        """Read what came. What says the same as before is done with here, and what is new is only handed on."""
        keeper, receive, take, number = self.keeper, port.receive, port.flying.pop, self.number
        questions, known, others, odd, size, fingerprint = (
            keeper.questions,
            keeper.known,
            keeper.others,
            keeper.odd,
            keeper.size,
            wire.fingerprint,
        )
        good = same = 0
        sent = now
        port.behind = True
        for _number in range(BATCH):
            try:
                packet = receive(size)
            except OSError as exc:
                if exc.errno in NOT_NOW:
                    port.behind = False
                    break
                keeper.unreachable(self, port, exc, now)
                continue
            entry = take(packet[:2], None)
            if entry is None:
                keeper.late += 1
                continue
            index = entry[0]
            tail = questions[index][2]
            if not packet.startswith(tail, 12) or packet[2] & 0xF8 != 0x80 or packet[4:6] != b"\0\1":
                self._doubt(port, entry, packet, now)
                continue
            if entry[3] == FIRST and packet[3] & 15 in (0, 3):
                try:
                    said = fingerprint(packet, 12 + len(tail))
                except wire.Malformed:
                    keeper.hear(self, entry, packet, now)
                    continue
                good += 1
                sent = entry[1]
                if said == known[index] or (index in others and said in others[index]):
                    same += 1
                else:
                    odd.append(Odd(index, packet, number, now - sent, "", ""))
            else:
                keeper.hear(self, entry, packet, now)
        if good:
            keeper.same += same
            self.flying -= good
            self.pace.sample(now - sent)
            self.pace.answered(good)

    def _doubt(self, port: Port, entry: Try, packet: bytes, now: float) -> None:
        """A reply without our question: an error of a server that did not read so far (RFC 1035 4.1.1), or from somebody who guesses."""
        if len(packet) == 12 and packet[2] & 0xF8 == 0x80 and packet[3] & 15 in (1, 2, 4, 5) and packet[4:12] == bytes(8):
            self.keeper.hear(self, entry, packet, now)
        else:
            port.flying[entry[2]] = entry
            self.keeper.rejected += 1

    def expire(self, now: float) -> None:
        """Tell of tries that were waited for long enough."""
        rto = self.pace.rto
        for port in self.ports:
            if port.behind:
                continue  # the reply may be among those
            clock, flying, limit = port.clock, port.flying, now - rto
            while clock:
                entry = clock[0]
                if flying.get(entry[2]) is entry:
                    if entry[1] > limit:
                        break
                    self.keeper.expired(self, port, entry, now)
                clock.popleft()
        for level, waiting in enumerate(self.levels):
            limit = now - min(self.pace.timeout, rto * GROWTH ** (level + 1))
            while waiting:
                port, entry = waiting[0]
                if port.flying.get(entry[2]) is entry:
                    if entry[1] > limit:
                        break
                    self.keeper.expired(self, port, entry, now)
                waiting.popleft()
