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
import struct
import sys
import typing as t
from collections import deque

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Pace
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

PORTS = 4
BATCH = 256  # questions sent, or replies read, before the other side gets its turn
_PATIENCE = 64  # batches; a server that sends more at a stretch does not stop the clock

# (index of the question, when it was sent, id, how often its name was asked before)
Try = t.Tuple[int, float, bytes, int]

_ANSWERS = (0, 3)  # NOERROR, NXDOMAIN
_WITHOUT_QUESTION = (1, 2, 4, 5)  # FORMERR, SERVFAIL, NOTIMP, REFUSED
_RECEIVE_BUFFER = 4 << 20
NOT_NOW = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS)


# Linux 4.18 cuts one large send into packets of one size. It is most of what a question costs: loopback 2.6 against 0.5 microseconds of CPU.
SEGMENTS = 64
_UDP_SEGMENT = 103
_SIZE = struct.Struct("=H").pack
_UNCUT = (errno.EINVAL, errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EMSGSIZE)


class Odd(t.NamedTuple):
    """A question whose answer somebody has to look at."""

    index: int  # type: ignore[assignment]
    packet: t.Optional[bytes]
    server: int  # index
    seconds: float  # of the try that was answered; all that was waited, where none was
    status: str  # empty if there is a reply to decode; truncated, malformed (both with the packet), timeout, network
    message: str


class Port:
    """One socket, and its tries by their id: those that are waited for, and those that were, for which a reply is still taken."""

    __slots__ = ("behind", "flying", "most", "parked", "receive", "send", "socket")

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
        self.most = SEGMENTS if _cuts(self.socket) else 1
        self.flying: t.Dict[bytes, Try] = {}
        self.parked: t.Dict[bytes, Try] = {}
        self.behind = 0  # batches read at a stretch, with more to come

    def send_all(self, packets: t.Sequence[bytes]) -> t.Optional[OSError]:
        """Send packets of one size. All go or, with an error, none."""
        try:
            if len(packets) == 1:
                self.send(packets[0])
            else:
                self.socket.sendmsg(packets, [(socket.IPPROTO_UDP, _UDP_SEGMENT, _SIZE(len(packets[0])))])
        except OSError as exc:
            if len(packets) == 1 or exc.errno not in _UNCUT:
                return exc
            self.most = 1  # not on this way out: one by one from now on
            return BlockingIOError(errno.EAGAIN, "")
        return None

    def is_behind(self) -> bool:
        """Whether a reply that is waited for may be among what is still to be read."""
        return 0 < self.behind < _PATIENCE


def _cuts(sock: socket.socket) -> bool:
    """Whether the kernel knows the option. An older one would ignore it and send everything as one packet."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        sock.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 0)
    except OSError:
        return False
    return True


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
        """A try was waited for as long as its server needs."""

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
        self.ports: t.List[Port] = []
        self.broken = ""  # why there is no way to the server, if there is none
        self._turn = 0
        self._keys: t.List[bytes] = []
        self._next_look = 0.0

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

    def keys(self) -> t.List[bytes]:
        """Random ids to pop from, never empty."""
        if not self._keys:
            some = os.urandom(4 * BATCH)
            self._keys = [some[place : place + 2] for place in range(0, len(some), 2)]
        return self._keys

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
        before = len(port.flying)
        error: t.Optional[OSError] = None
        while error is None and self.queue and room > 0:
            tries, packets = self._run(port, min(room, port.most), now)
            room -= len(tries) or 1
            error = port.send_all(packets) if packets else None
            if error is not None:
                # nothing of it went out: all waits again, but the first if the network told that nobody is there
                for entry in reversed(tries if error.errno in NOT_NOW else tries[1:]):
                    del port.flying[entry[2]]
                    self.queue.appendleft(entry[0])
        sent = len(port.flying) - before
        self.flying += sent
        self.keeper.queries += sent
        self.pace.spend(sent)
        if error is not None and error.errno not in NOT_NOW:
            self.keeper.unreachable(self, port, error, now)

    def _run(self, port: Port, most: int, now: float) -> t.Tuple[t.List[Try], t.List[bytes]]:
        """The next questions of one length, as tries that fly and as packets."""
        questions, head, options = self.keeper.questions, self.keeper.head, self.keeper.options
        queue, draw, keys, flying, parked = self.queue, self.queue.popleft, self.keys(), port.flying, port.parked
        length = len(questions[queue[0]][2])
        tries, packets = [], []
        for _number in range(min(most, len(queue), len(keys))):
            key = keys.pop()
            if key in flying or key in parked:
                continue  # some other id another time
            index = queue[0]
            tail = questions[index][2]
            if len(tail) != length:
                break
            draw()
            flying[key] = entry = (index, now, key, 0)
            tries.append(entry)
            packets.append(key + head + tail + options)
        return tries, packets

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
        port.behind += 1
        for _number in range(BATCH):
            try:
                packet = receive(size)
            except OSError as exc:
                if exc.errno in NOT_NOW:
                    port.behind = 0
                    break
                keeper.unreachable(self, port, exc, now)
                continue
            entry = take(packet[:2], None)
            if entry is None:
                self._late(port, packet, now)
                continue
            index, sent_then, _key, before = entry
            tail = questions[index][2]
            if before == 0 and packet.startswith(tail, 12) and packet[3] & 15 in _ANSWERS:
                try:
                    said = fingerprint(packet, 12 + len(tail))
                except wire.Malformed:
                    self._look(port, port.flying, entry, packet, now)
                    continue
                good += 1
                sent = sent_then
                if said == known[index] or (index in others and said in others[index]):
                    same += 1
                else:
                    odd.append(Odd(index, packet, number, now - sent, "", ""))
            else:
                self._look(port, port.flying, entry, packet, now)
        if good:
            keeper.same += same
            self.flying -= good
            self.pace.sample(now - sent)
            self.pace.answered(good)

    def _late(self, port: Port, packet: bytes, now: float) -> None:
        entry = port.parked.pop(packet[:2], None)
        if entry is None:
            self.keeper.late += 1
        else:
            self._look(port, port.parked, entry, packet, now)

    def _look(self, port: Port, place: t.Dict[bytes, Try], entry: Try, packet: bytes, now: float) -> None:
        """Hand on what is a reply to this try, with its id free again. Something else goes, and the try stays in its place."""
        is_reply = len(packet) >= 12 and packet[2] & 0xF8 == 0x80
        if is_reply and packet.startswith(self.keeper.questions[entry[0]].tail, 12) and packet[4:6] == b"\0\1":
            pass
        elif is_reply and packet[3] & 15 in _WITHOUT_QUESTION and packet[4:10] == bytes(6):
            pass  # a server that did not read so far (RFC 1035 4.1.1); it may say so with EDNS
        else:
            place[entry[2]] = entry
            self.keeper.rejected += 1
            return
        if place is port.flying:
            self.flying -= 1
        self.keeper.hear(self, entry, packet, now)

    def expire(self, now: float) -> None:
        """Tell of tries that were waited for as long as the server needs. From then on they take no room in the window."""
        rto = self.pace.rto
        if now < self._next_look or not self.flying:
            return
        self._next_look = now + rto / 4
        limit = now - rto
        for port in self.ports:
            if port.is_behind():
                continue
            for entry in [entry for entry in port.flying.values() if entry[1] <= limit]:
                del port.flying[entry[2]]
                self.flying -= 1
                port.parked[entry[2]] = entry
                self.keeper.expired(self, port, entry, now)
