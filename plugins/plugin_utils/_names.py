# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Host names for threads in a process that forks.

The resolver of the C library holds locks and cannot be given a time limit. A child forked in that moment would find them locked, so a
fork would have to wait for the name server. Therefore a small process of its own resolves names, and the threads ask it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
import time
import typing as t

KEPT, KEPT_FAILURE = 300.0, 30.0  # seconds
_SLICE = 0.1
_MOST_FILES = 65536  # the limit of a container may be a thousand million, which old kernels close one by one
_Addresses = t.List[t.Tuple[int, t.List[t.Any]]]
Resolve = t.Callable[[bytes], _Addresses]


def system(name: bytes) -> _Addresses:
    """The addresses of a name as the system knows them: [(family, socket address)]; raises OSError or UnicodeError."""
    return [
        (int(family), list(address)) for family, _kind, _proto, _canon, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    ]


class Names:
    """The names of all channels of one process, found ones and those that were not.

    :arg gate: taken around a lookup of this process itself, when the helper is gone
    :arg resolve: what the helper calls
    """

    def __init__(self, gate: t.ContextManager[t.Any], resolve: Resolve = system) -> None:
        self._gate = gate
        self._resolve = resolve
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, _Addresses | None]] = {}
        self._asked: set[str] = set()
        self._rest = b""
        self._socket: socket.socket | None = None
        os.register_at_fork(after_in_child=self._forget)

    def start(self) -> None:
        """Fork the helper. On the main thread, before there is any other."""
        if self._socket is not None:
            return
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            return
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            return
        if not pid:
            try:
                _serve(theirs.detach(), self._resolve)
            finally:
                os._exit(0)
        theirs.close()
        ours.setblocking(False)
        self._socket = ours

    def _forget(self) -> None:
        """A worker must not keep the helper alive."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            self._drop()

    def lookup(self, name: str, seconds: float) -> _Addresses:
        """The addresses of a name.

        :raises TimeoutError: they are not known within so many seconds
        :raises OSError: there are none
        """
        give_up = time.monotonic() + seconds
        while True:
            with self._lock:
                self._read()
                kept = self._kept.get(name)
                if kept is not None and kept[0] > time.monotonic():
                    if kept[1] is None:
                        raise OSError("not found")
                    return kept[1]
                asked = self._ask(name)
            if asked is None:
                return self._by_ourselves(name)
            left = give_up - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # short, as another thread may have read the answer
            poll = select.poll()
            poll.register(asked, select.POLLIN)
            poll.poll(min(left, _SLICE) * 1000)

    def _ask(self, name: str) -> int | None:
        """Ask the helper, once; returns what to wait for, None without a helper."""
        if self._socket is None:
            return None
        if name not in self._asked:
            try:
                self._socket.send(name.encode("ascii") + b"\n")
            except OSError:
                self._drop()
                return None
            self._asked.add(name)
        return self._socket.fileno()

    def _read(self) -> None:
        while self._socket is not None:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop()
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                name, found = json.loads(line)
                self._asked.discard(name)
                self._keep(name, None if found is None else [(pair[0], pair[1]) for pair in found])

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""
        self._asked.clear()

    def _keep(self, name: str, found: _Addresses | None) -> None:
        self._kept[name] = (time.monotonic() + (KEPT_FAILURE if found is None else KEPT), found)

    def _by_ourselves(self, name: str) -> _Addresses:
        with self._gate:
            found = _found(name.encode("ascii"), self._resolve)
        with self._lock:
            self._keep(name, found)
        if found is None:
            raise OSError("not found")
        return found


def _found(name: bytes, resolve: Resolve) -> _Addresses | None:
    try:
        return resolve(name)
    except (OSError, UnicodeError):
        return None


def _serve(number: int, resolve: Resolve) -> None:
    """The helper: names in, one a line, answers out; each is looked up by a thread, so that one that hangs stops no other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_DFL)
    if number < 3:
        number = os.dup2(number, 3)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, number)
    os.closerange(number + 1, _MOST_FILES)
    lock = threading.Lock()

    def answer(name: bytes) -> None:
        line = json.dumps([name.decode("ascii"), _found(name, resolve)]).encode() + b"\n"
        with lock, open(number, "wb", closefd=False) as out:
            out.write(line)

    rest = b""
    while True:
        data = os.read(number, 65536)
        if not data:
            return
        *names, rest = (rest + data).split(b"\n")
        for name in names:
            threading.Thread(target=answer, args=(name,), daemon=True).start()
