# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at what may hang for ever, such as a dead network mount, from processes that can be left behind.

A thread in an uninterruptible system call cannot be stopped, so every look is made by a process of its own. A small *keeper* process is
forked once, before threads are started; it forks the lookers, so that no fork is ever made from a process with threads. The keeper holds
none of the standard streams (an SSH connection would wait for them) and ends when the process that started it is gone.
"""

from __future__ import annotations

import array
import errno
import json
import os
import select
import socket
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._keeper import AT_ONCE, LONGEST_REQUEST, Job, become_keeper

_LONGEST_ANSWER = 4 << 20


class GuardTimeout(Exception):
    """The look did not come back in its time."""


class GuardLost(Exception):
    """The look could not be made: no process could be started, or it died."""


def _no_process(exc: OSError) -> GuardLost:
    full = "the limit on processes of this user, or of this host, is reached"
    return GuardLost(f"no process could be started: {full if exc.errno == errno.EAGAIN else str(exc.strerror).lower()}")


class Guard:
    """Runs named jobs in processes that may be left behind.

    :arg jobs: name -> function; takes and returns what JSON can hold, and may raise OSError
    """

    def __init__(self, jobs: t.Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._at_once = AT_ONCE
        self._lock = threading.Lock()
        self._keeper: socket.socket | None = None
        self._owner = 0
        self._stuck: dict[str, list[int]] = {}

    def start(self, at_once: int = AT_ONCE) -> None:
        """Fork the keeper, unless there is one; to be called before threads are started.

        :arg at_once: how many quick jobs are done at the same time; each takes a process that stays

        :raises GuardLost: there is no more room for processes
        """
        with self._lock:
            self._at_once = at_once
            self._start()

    def _start(self) -> None:
        if self._keeper is not None and self._owner == os.getpid():
            return
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as exc:
            raise _no_process(exc) from exc
        with theirs:
            try:
                pid = os.fork()
            except OSError as exc:
                ours.close()
                raise _no_process(exc) from exc
            if pid == 0:
                become_keeper(theirs, self._jobs, self._at_once)
        try:
            os.waitpid(pid, 0)  # the parent of the keeper, which leaves at once
        except ChildProcessError:
            pass  # children are not waited for in this process
        self._keeper, self._owner = ours, os.getpid()

    def stop(self) -> None:
        """Let the keeper go."""
        with self._lock:
            if self._keeper is not None:
                self._keeper.close()
            self._keeper = None
            while self._stuck:
                for reader in self._stuck.popitem()[1]:
                    os.close(reader)

    def call(self, name: str, arguments: dict[str, t.Any], seconds: float) -> dict[str, t.Any]:
        """What the job returns.

        A look that is still stuck is not repeated; the one who asks for the same again waits for the first.

        :raises OSError: as the job raised it
        :raises GuardTimeout: it did not come back; GuardLost: it could not be made
        """
        end = time.monotonic() + seconds
        request = json.dumps([name, arguments, seconds])
        key = json.dumps([name, arguments])
        with self._lock:
            waiting = self._stuck.get(key)
            reader = waiting.pop() if waiting else None
        if reader is not None:
            try:
                return _answer(self._wait(reader, key, end))
            except GuardLost:
                pass  # the stuck one has died since
        return _answer(self._wait(self._ask(request), key, end))

    def _ask(self, request: str) -> int:
        """Hand a request to the keeper; returns where the answer can be read."""
        data = request.encode("ascii")
        if len(data) > LONGEST_REQUEST:
            raise GuardLost("the request is too long")
        reader, writer = os.pipe()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))]
        try:
            with self._lock:
                for attempt in (1, 2):
                    self._start()
                    try:
                        t.cast(socket.socket, self._keeper).sendmsg([data], rights)
                        break
                    except OSError as exc:  # the keeper was killed
                        t.cast(socket.socket, self._keeper).close()
                        self._keeper = None
                        if attempt == 2:
                            raise _no_process(exc) from exc
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        return reader

    def _wait(self, reader: int, key: str, end: float) -> bytes:
        """Everything that the looker writes; where it does not come, the place to read is kept for the next who asks."""
        poll = select.poll()
        poll.register(reader, select.POLLIN | select.POLLHUP)
        data = b""
        while True:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000 + 1):
                self._keep(reader, key, data)
                raise GuardTimeout
            piece = os.read(reader, 65536)
            if not piece or len(data) > _LONGEST_ANSWER:
                os.close(reader)
                return data
            data += piece

    def _keep(self, reader: int, key: str, data: bytes) -> None:
        with self._lock:
            if data or self._owner != os.getpid():
                os.close(reader)
            else:
                self._stuck.setdefault(key, []).append(reader)


def _answer(data: bytes) -> dict[str, t.Any]:
    try:
        kind, value = json.loads(data.decode("ascii"))
    except ValueError as exc:
        raise GuardLost("the process that looked has died") from exc
    if kind == "errno":
        raise OSError(value[0], value[1])
    if kind != "ok":
        raise GuardLost(str(value))
    return t.cast("dict[str, t.Any]", value)
