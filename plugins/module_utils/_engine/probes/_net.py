# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talking over the network within an absolute time: names, connections and a buffered stream.

Knows nothing of probes. Every function takes a Deadline and raises NetError, never anything of the socket module.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, closed_by_peer, ended, explain

Address = t.Tuple[int, t.Any]

_MOST_ADDRESSES = 8
_CHUNK = 65536


# --- names ---


class _Lookup:
    """One name on its way through the system's resolver, which cannot be interrupted: all who ask for it wait for the same thread."""

    def __init__(self, host: bytes) -> None:
        self.done = threading.Event()
        self.found: list[tuple[t.Any, ...]] = []
        self.error: Exception | None = None
        self._host = host
        threading.Thread(target=self._run, daemon=True, name="vigil-resolve").start()

    def _run(self) -> None:
        try:
            self.found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            self.error = exc
        finally:
            with _LOOKUPS_LOCK:
                _LOOKUPS.pop(self._host, None)
            self.done.set()


_LOOKUPS: dict[bytes, _Lookup] = {}
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
    if not host or any(ord(char) <= 32 or ord(char) == 127 for char in host):
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


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host, in the order in which the system would try them.

    :return: [(family, socket address)]
    :raises NetError: dns or timeout
    """
    name = ascii_host(host).encode("ascii")
    numeric = _numeric(name)
    found = numeric or _ask(name, host, deadline)
    addresses: list[Address] = []
    for family, _type, _proto, _canon, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            entry = (family, (address[0], port, *address[2:]))
            if entry not in addresses:
                addresses.append(entry)
    if not addresses:
        raise NetError("dns", f"{host} has no address", "dns")
    return addresses


def _numeric(name: bytes) -> list[t.Any]:
    """An address that was written out needs no resolver, so it cannot hang in one."""
    if b":" not in name and not name[-1:].isdigit():
        return []
    try:
        return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return []


def _ask(name: bytes, host: str, deadline: Deadline) -> list[t.Any]:
    left = deadline.left("dns")
    with _LOOKUPS_LOCK:
        lookup = _LOOKUPS.get(name)
        if lookup is None:
            lookup = _LOOKUPS[name] = _Lookup(name)
    if not lookup.done.wait(left):
        raise deadline.passed("dns")
    if lookup.error is not None:
        detail = lookup.error.args[-1] if isinstance(lookup.error, socket.gaierror) and lookup.error.args else "not a host name"
        raise NetError("dns", f"{host} could not be resolved: {str(detail).lower()}", "dns") from lookup.error
    return lookup.found


# --- connections ---


def connect(addresses: t.Sequence[Address], deadline: Deadline) -> socket.socket:
    """A TCP connection to the first address that answers; each gets its share of the time that is left.

    :raises NetError: refused, unreachable, reset or timeout; the sentence names every address that was tried
    """
    failures: list[NetError] = []
    tried = addresses[:_MOST_ADDRESSES]
    for index, (family, address) in enumerate(tried):
        if failures and time.monotonic() >= deadline.end:
            break
        share = deadline.left("connect") / (len(tried) - index)
        try:
            return _connect_one(family, address, share)
        except OSError as exc:
            failures.append(explain(exc, "connect", deadline, _place(address), share))
    worst = next((failure for failure in failures if failure.reason != "unreachable"), failures[0])
    raise NetError(worst.reason, "; ".join(failure.sentence for failure in failures), "connect")


def _connect_one(family: int, address: t.Any, seconds: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except BaseException:
        sock.close()
        raise


def _place(address: t.Any) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


class Stream:
    """A connection that is read and written under a deadline, with a buffer for lines. Everything raises NetError only."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        self._buffer = b""

    @property
    def pending(self) -> bytes:
        """What was received and not yet taken."""
        return self._buffer

    def send(self, data: bytes, phase: str = "send") -> None:
        """Send everything."""
        try:
            self.sock.settimeout(self.deadline.left(phase))
            self.sock.sendall(data)
        except OSError as exc:
            raise explain(exc, phase, self.deadline) from exc

    def receive(self, phase: str, most: int = _CHUNK) -> bytes:
        """What is there, at least one byte; nothing at the end."""
        if self._buffer:
            taken, self._buffer = self._buffer[:most], self._buffer[most:]
            return taken
        try:
            self.sock.settimeout(self.deadline.left(phase))
            return self.sock.recv(min(most, _CHUNK))
        except OSError as exc:
            if ended(exc):
                return b""
            raise explain(exc, phase, self.deadline) from exc

    def line(self, phase: str, limit: int = 8192) -> bytes:
        r"""The next line without its end (``\r\n`` or ``\n``).

        :raises NetError: protocol when it is longer than the limit, reset when the connection ends first
        """
        start = 0
        while True:
            end = self._buffer.find(b"\n", start)
            if end > limit or (end < 0 and len(self._buffer) > limit):
                raise NetError("protocol", f"the server sent a line of more than {limit} bytes", phase)
            if end >= 0:
                line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
                return line[:-1] if line.endswith(b"\r") else line
            start = len(self._buffer)
            held, self._buffer = self._buffer, b""
            more = self.receive(phase)
            self._buffer = held + more
            if not more:
                raise closed_by_peer(phase)

    def exactly(self, count: int, phase: str) -> bytes:
        """So many bytes (few; the caller bounds them)."""
        parts: list[bytes] = []
        while count > 0:
            part = self.receive(phase, count)
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


def dial(host: str, port: int, deadline: Deadline) -> Stream:
    """Resolve and connect."""
    return Stream(connect(resolve(host, port, deadline), deadline), deadline)
