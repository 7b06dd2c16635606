# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talking over the network within an absolute time: names, connections and a buffered stream.

Knows nothing of probes. Every function takes a Deadline and raises NetError, never anything of the socket module. What waits is a
coroutine, see ``_talks``.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import socket
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, closed_by_peer, ended, explain
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Errand, alone, done, ready

Address = t.Tuple[int, t.Any]

_MOST_ADDRESSES = 8
_CHUNK = 65536
_NON_BLOCKING = int(getattr(socket, "SOCK_NONBLOCK", 0))
_NO_NAME = re.compile(r"[\x00-\x20\x7f]")
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK, errno.EINTR)


# --- names ---


# a name on its way through the system's resolver; all who ask for it wait for the same thread
_LOOKUPS: dict[bytes, Errand] = {}
_LOOKUPS_LOCK = threading.Lock()


def _forget_lookups() -> None:
    """A forked child has none of the threads."""
    global _LOOKUPS_LOCK
    _LOOKUPS_LOCK = threading.Lock()
    _LOOKUPS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lookups)


def ascii_host(host: str) -> str:
    """A host name as the wire knows it (IDNA 2003, RFC 3490); addresses and plain names as they are, without brackets.

    :raises NetError: it cannot be a host name
    """
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or _NO_NAME.search(host):
        raise NetError("dns", f"{host!r} is not a host name", "dns")
    try:
        host.encode("ascii")
        return host
    except UnicodeError:
        pass
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise NetError("dns", f"{host!r} is not a host name", "dns") from exc


async def look_up(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host, in the order in which the system would try them.

    :return: [(family, socket address)]
    :raises NetError: dns
    """
    if _is_ipv4(host):
        return [(socket.AF_INET, (host, port))]
    name = ascii_host(host).encode("ascii")
    found = _numeric(name) or await _ask(name, host, deadline)
    addresses: list[Address] = []
    for family, _type, _proto, _canon, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            entry = (family, (address[0], port, *address[2:]))
            if entry not in addresses:
                addresses.append(entry)
    if not addresses:
        raise NetError("dns", f"{host} has no address", "dns")
    return addresses


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The same for those who wait for nothing else."""
    return t.cast("list[Address]", alone(look_up(host, port, deadline)))


@functools.lru_cache(maxsize=1024)
def _is_ipv4(host: str) -> bool:
    """Whether it is an address that was written out, as it stands in very many checks."""
    try:
        socket.inet_pton(socket.AF_INET, host)
        return True
    except (OSError, UnicodeError, ValueError):
        return False


def _numeric(name: bytes) -> list[t.Any]:
    """An address that was written out needs no resolver, so it cannot hang in one."""
    if b":" not in name and not name[-1:].isdigit():
        return []
    try:
        return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return []


async def _ask(name: bytes, host: str, deadline: Deadline) -> list[t.Any]:
    with _LOOKUPS_LOCK:
        lookup = _LOOKUPS.get(name)
        if lookup is None:
            lookup = _LOOKUPS[name] = Errand(functools.partial(_ask_system, name), "resolve")
    if not await done(lookup, deadline.end):
        raise NetError("dns", f"{host} was not resolved within {deadline.seconds:g} s", "dns", errno.ETIMEDOUT)
    try:
        return t.cast("list[t.Any]", lookup.result())
    except (OSError, UnicodeError) as exc:
        detail = exc.args[-1] if isinstance(exc, socket.gaierror) and exc.args else "not a host name"
        raise NetError("dns", f"{host} could not be resolved: {str(detail).lower()}", "dns") from exc


def _ask_system(name: bytes) -> list[t.Any]:
    try:
        return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    finally:
        with _LOOKUPS_LOCK:
            _LOOKUPS.pop(name, None)


# --- connections ---


async def connect(addresses: t.Sequence[Address], deadline: Deadline) -> socket.socket:
    """A TCP connection, which never blocks, to the first address that answers; each gets its share of the time that is left.

    :raises NetError: refused, unreachable, reset or timeout; the sentence names every address that was tried
    """
    failures: list[NetError] = []
    tried = addresses[:_MOST_ADDRESSES]
    for index, (family, address) in enumerate(tried):
        if failures and time.monotonic() >= deadline.end:
            break
        share = deadline.left("connect") / (len(tried) - index)
        try:
            sock, is_there = _begin(family, address)
            return sock if is_there else await _established(sock, share)
        except OSError as exc:
            failures.append(explain(exc, "connect", deadline, _place(address), share))
    worst = next((failure for failure in failures if failure.reason != "unreachable"), failures[0])
    raise NetError(worst.reason, "; ".join(failure.sentence for failure in failures), "connect")


def _begin(family: int, address: t.Any) -> tuple[socket.socket, bool]:
    """A connection on its way, and whether it is there."""
    sock = socket.socket(family, socket.SOCK_STREAM | _NON_BLOCKING)
    try:
        if not _NON_BLOCKING:
            sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(address)
        if code in _UNDER_WAY:
            code = sock.connect_ex(address)  # what is near has answered by now
        if code and code != errno.EISCONN and code not in _UNDER_WAY:
            raise OSError(code, os.strerror(code))
        return sock, code not in _UNDER_WAY
    except BaseException:
        sock.close()
        raise


async def _established(sock: socket.socket, seconds: float) -> socket.socket:
    try:
        if not await ready(sock, True, time.monotonic() + seconds):
            raise socket.timeout("timed out")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        return sock
    except BaseException:
        sock.close()
        raise


def _place(address: t.Any) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


class Stream:
    """A connection that is read and written under a deadline, with a buffer for lines. Everything raises NetError only.

    :ivar moment: time.monotonic() at which what was received last had come
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        if sock.gettimeout() != 0:
            sock.setblocking(False)
        self.sock = sock
        self.deadline = deadline
        self.moment = 0.0
        self._buffer = b""

    @property
    def pending(self) -> bytes:
        """What was received and not yet taken."""
        return self._buffer

    async def wait(self, fault: OSError, phase: str, write: bool = False) -> None:
        """Wait until what could not be done at once can be done.

        :arg fault: what the socket said; raised as a NetError where it is no such thing
        :arg write: whether that was to write
        """
        if isinstance(fault, BlockingIOError):
            pass
        elif type(fault).__name__ in ("SSLWantReadError", "SSLWantWriteError"):
            write = type(fault).__name__ == "SSLWantWriteError"
        else:
            raise explain(fault, phase, self.deadline) from fault
        moment = await ready(self.sock, write, self.deadline.end)
        if not moment:
            raise self.deadline.passed(phase)
        self.moment = moment

    async def send(self, data: bytes, phase: str = "send") -> None:
        """Send everything."""
        left = memoryview(data)
        while left:
            self.deadline.left(phase)
            try:
                left = left[self.sock.send(left) :]
            except OSError as exc:
                await self.wait(exc, phase, write=True)

    async def receive(self, phase: str, most: int = _CHUNK) -> bytes:
        """What is there, at least one byte; nothing at the end."""
        if self._buffer:
            taken, self._buffer = self._buffer[:most], self._buffer[most:]
            return taken
        self.moment = 0.0
        while True:
            self.deadline.left(phase)
            try:
                data = self.sock.recv(min(most, _CHUNK))
                self.moment = self.moment or time.monotonic()
                return data
            except OSError as exc:
                if ended(exc):
                    return b""
                await self.wait(exc, phase)

    def line_here(self, phase: str, limit: int = 8192, start: int = 0) -> bytes | None:
        r"""The next line without its end (``\r\n`` or ``\n``), if it has come; ``start`` is from where it is worth looking.

        :raises NetError: protocol when it is longer than the limit
        """
        buffer = self._buffer
        end = buffer.find(b"\n", start)
        if end > limit or (end < 0 and len(buffer) > limit):
            raise NetError("protocol", f"the server sent a line of more than {limit} bytes", phase)
        if end < 0:
            return None
        self._buffer = buffer[end + 1 :]
        return buffer[: end - 1 if buffer[end - 1 : end] == b"\r" else end]

    def block_here(self, limit: int) -> list[str] | None:
        r"""All lines up to an empty one, if they have come and all end with ``\r\n``; at least one. In ISO 8859-1, as each byte is a character."""
        end = self._buffer.find(b"\r\n\r\n", 0, limit)
        if end <= 0 or self._buffer.startswith(b"\r\n") or self._buffer.count(b"\n", 0, end) != self._buffer.count(b"\r\n", 0, end):
            return None
        block, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        return block.decode("latin-1").split("\r\n")

    async def line(self, phase: str, limit: int = 8192) -> bytes:
        """The next line, waited for.

        :raises NetError: protocol when it is longer than the limit, reset when the connection ends first
        """
        start = 0
        while True:
            line = self.line_here(phase, limit, start)
            if line is not None:
                return line
            start = len(self._buffer)
            held, self._buffer = self._buffer, b""
            more = await self.receive(phase)
            self._buffer = held + more
            if not more:
                raise closed_by_peer(phase)

    async def exactly(self, count: int, phase: str) -> bytes:
        """So many bytes (few; the caller bounds them)."""
        parts: list[bytes] = []
        while count > 0:
            part = await self.receive(phase, count)
            if not part:
                raise closed_by_peer(phase)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the connection at once; never raises."""
        try:
            self.sock.close()
        except OSError:
            pass


async def dial(host: str, port: int, deadline: Deadline) -> Stream:
    """Resolve and connect."""
    return Stream(await connect(await look_up(host, port, deadline), deadline), deadline)
