# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many questions to servers by TCP, TLS or HTTPS: few connections to each, many questions on the way on each.

A connection that ends with questions on it is replaced and they are asked again, as long as connections bring answers at all (RFC 7766 6.2.4: servers
may close at any time). A server that takes no connection, or whose connections bring nothing, is given up for the call, so that not every
question pays for it. A question ends as exactly one reply; all have one when the time is over.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import connection
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.connection import StreamError
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Pace

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.wire import Question

_MOST_THREADS = 32
_CONNECTIONS = {"tcp": 2, "tls": 2, "https": 4}  # to one server; HTTP/1.1 has one question at a time on each
_PER_CONNECTION = {"tcp": 50, "tls": 50, "https": 4}  # a further connection pays from so many questions on
_STRIKES = 4  # connections in a row that brought nothing
_LOST = 3  # connections that ended under one question and brought nothing else
_SILENT = 500  # questions without an answer on one connection, then a new one is used


def _doh() -> t.Any:
    """HTTP, which takes as long to import as everything else together, where it is needed."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import doh

    return doh


@dataclasses.dataclass
class Reply:
    """What came of one question: a packet, or a status (network, timeout, tls or http) with a sentence."""

    packet: t.Optional[bytes]
    server: Server
    seconds: float
    status: str = ""
    message: str = ""

    @property
    def sent(self) -> bool:
        """Whether it was asked at all; a server that takes no connection is not asked."""
        return self.packet is not None or self.seconds > 0


@dataclasses.dataclass
class Manner:
    """How questions are asked. ``until`` is the time.monotonic() at which everything ends, ``rate_of`` a server's questions a second (0: any)."""

    timeout: float
    until: float
    concurrency: int = 1000
    rate_of: t.Callable[[Server], float] = lambda server: 0.0
    recursion: bool = True
    dnssec: bool = False
    edns: bool = True
    ca: t.Optional[str] = None


def exchange(questions: t.Sequence[Question], plan: t.Sequence[t.Tuple[Server, t.Sequence[int]]], manner: Manner) -> t.Dict[int, Reply]:
    """Ask each server of the plan the questions with its indexes; every index stands under one server, and has one reply.

    :raises ValueError: the CA cannot be used
    """
    replies: t.Dict[int, Reply] = {}
    jobs: t.List[_Asking] = []
    for server, indexes in plan:
        if indexes:
            asking = _Asking(questions, server, indexes, manner, replies)
            jobs += [asking] * asking.connections
    threads = [
        threading.Thread(target=_work, args=(jobs,), daemon=True, name="vigil-dns") for _number in range(min(_MOST_THREADS, len(jobs)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server, indexes in plan:  # none is missing, whatever happened in a thread
        for index in indexes:
            if index not in replies:
                replies[index] = Reply(None, server, 0.0, "network", f"{server.label} could not be asked")
    return replies


def _work(jobs: t.List[_Asking]) -> None:
    while True:
        try:
            asking = jobs.pop(0)
        except IndexError:
            return
        asking.run()


class _Asking:
    """All questions to one server. Every method but run() is called with the lock held."""

    def __init__(
        self, questions: t.Sequence[Question], server: Server, indexes: t.Sequence[int], manner: Manner, replies: t.Dict[int, Reply]
    ) -> None:
        self._questions, self._server, self._manner, self._replies = questions, server, manner, replies
        self._waiting = collections.deque(indexes)
        self._lost: t.Dict[int, int] = {}
        self._flying = 0
        self._strikes = 0
        self._fault: t.Optional[StreamError] = None
        self._lock = threading.Lock()
        self._pace = Pace(manner.timeout, max(1, manner.concurrency), manner.rate_of(server))
        self._window = manner.concurrency
        self._protocols = _doh().protocols() if server.transport == "https" else ()
        self._context = connection.tls_context(manner.ca, self._protocols) if server.transport in ("tls", "https") else None
        most = min(_CONNECTIONS[server.transport], max(1, manner.concurrency))
        self.connections = max(1, min(most, len(indexes) // _PER_CONNECTION[server.transport]))

    def run(self) -> None:
        """Connect and converse until nothing is left to ask."""
        while self._goes_on():
            channel = None
            try:
                channel = self._open()
                self._converse(channel)
            except StreamError as exc:
                with self._lock:
                    self._strike(exc)
            except Exception as exc:  # noqa: BLE001 - libraries that read bytes of strangers raise whatever they raise
                sentence = f"what {self._server.label} says cannot be read ({type(exc).__name__})"
                with self._lock:
                    self._strike(StreamError("http" if self._server.transport == "https" else "malformed", sentence))
            finally:
                if channel is not None:
                    channel.close()

    def _open(self) -> t.Any:
        end = min(time.monotonic() + self._manner.timeout, self._manner.until)
        sock = connection.connect(self._server, end, self._context)
        if self._server.transport == "https":
            return _doh().open_channel(sock, self._server, self._build, end)
        return connection.Framed(sock, self._server, self._build)

    def _build(self, ident: int, index: int) -> bytes:
        manner = self._manner
        return connection.query(ident, self._questions[index].tail, manner.recursion, manner.dnssec, manner.edns)

    def _goes_on(self) -> bool:
        """Whether there is something to ask; ends everything that waits when the server was given up or the time is over."""
        with self._lock:
            if time.monotonic() >= self._manner.until:
                self._drop(StreamError("timeout", "not asked before the total time limit"))
            elif self._fault is not None:
                self._drop(self._fault)
            return bool(self._waiting)

    def _drop(self, fault: StreamError) -> None:
        while self._waiting:
            self._fail(self._waiting.popleft(), fault, 0.0)

    def _fail(self, index: int, fault: StreamError, seconds: float) -> None:
        self._replies[index] = Reply(None, self._server, seconds, fault.status, str(fault))

    def _strike(self, fault: StreamError) -> None:
        """A connection that could not be made, or brought nothing."""
        self._strikes += 1
        self._window = max(1, self._window // 8)
        if fault.status in ("tls", "http") or self._strikes >= _STRIKES or (self._strikes >= 2 and fault.status == "timeout"):
            self._fault = fault

    def _converse(self, channel: t.Any) -> None:
        """One connection until it ends or nothing is left.

        :raises StreamError: it brought nothing
        """
        flying: t.Dict[int, float] = {}
        heard = silent = 0
        try:
            while silent < _SILENT:
                sent = self._send(channel, flying)
                if not flying:
                    if sent or not self._waits():
                        return
                    continue
                end = min(min(flying.values()) + self._manner.timeout, self._manner.until)
                if sent is False:  # the rate lets more go before long
                    end = min(end, time.monotonic() + 0.05)
                found = channel.receive(end)
                heard += self._take(found, flying)
                silent += self._expire(flying)
                if not heard and silent and not flying:
                    break
            if not heard:
                raise StreamError("timeout", f"{self._server.label} did not answer within {self._manner.timeout:g} s")
        except StreamError as exc:
            self._lose(flying, exc, heard)
            if not heard:
                raise
        finally:
            self._lose(flying, StreamError("network", f"{self._server.label} could not be asked"), self._window)

    def _waits(self) -> bool:
        """Nothing is on the way: wait for the rate; False when there is nothing to wait for."""
        with self._lock:
            pause = self._pace.pause(time.monotonic()) if self._waiting and self._fault is None else None
        if pause is None or time.monotonic() >= self._manner.until:
            return False
        time.sleep(max(0.001, min(pause, self._manner.until - time.monotonic(), 1.0)))
        return True

    def _send(self, channel: t.Any, flying: t.Dict[int, float]) -> bool:
        """Fill the connection; False when the rate kept something back."""
        with self._lock:
            now = time.monotonic()
            if not self._waiting or self._fault is not None or now >= self._manner.until:
                return True
            room = min(channel.limit, self._window) - len(flying)
            allowed = self._pace.room(self._flying, now)
            count = max(0, min(room, allowed, len(self._waiting)))
            batch = [self._waiting.popleft() for _number in range(count)]
            self._flying += count
            self._pace.spend(count)
            for index in batch:
                flying[index] = now
        if batch:
            channel.send(batch, min(now + self._manner.timeout, self._manner.until))
        return bool(batch) or room <= 0

    def _take(self, found: t.Sequence[t.Tuple[int, t.Union[bytes, StreamError]]], flying: t.Dict[int, float]) -> int:
        count = 0
        now = time.monotonic()
        with self._lock:
            for index, what in found:
                if index not in flying:
                    continue  # it came too late
                seconds = now - flying.pop(index)
                count += 1
                if isinstance(what, StreamError):
                    self._fail(index, what, seconds)
                else:
                    self._replies[index] = Reply(what, self._server, seconds)
            self._flying -= count
            if count:
                self._strikes = 0
                self._pace.answered(count)
        return count

    def _expire(self, flying: t.Dict[int, float]) -> int:
        now = time.monotonic()
        late = [index for index, sent in flying.items() if now >= min(sent + self._manner.timeout, self._manner.until)]
        with self._lock:
            for index in late:
                seconds = now - flying.pop(index)
                limit = "before the total time limit" if now >= self._manner.until else f"within {seconds:.3g} s"
                self._fail(index, StreamError("timeout", f"{self._server.label} did not answer {limit}"), seconds)
            self._flying -= len(late)
        return len(late)

    def _lose(self, flying: t.Dict[int, float], fault: StreamError, heard: int) -> None:
        """The connection is over with questions on it: they wait again, unless it happens to one too often."""
        with self._lock:
            if heard and flying:
                self._window = max(1, min(self._window, heard))  # some servers close after so many questions
            for index, sent in flying.items():
                self._lost[index] = self._lost.get(index, 0) + (0 if heard else 1)
                if self._lost[index] >= _LOST or fault.status in ("timeout", "http"):
                    self._fail(index, fault, time.monotonic() - sent)
                else:
                    self._waiting.append(index)
            self._flying -= len(flying)
            flying.clear()
