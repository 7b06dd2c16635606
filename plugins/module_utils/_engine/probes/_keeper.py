# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other side of the guard: the keeper, which takes requests, and the lookers, which do them and may hang.

A looker that comes back is used again; one that hangs is left to itself and does not hold up the requests behind it.
"""

from __future__ import annotations

import array
import errno
import json
import os
import select
import signal
import socket
import time
import typing as t

Job = t.Callable[..., t.Dict[str, t.Any]]

LONGEST_REQUEST = 65536
_SLOW = 0.05  # seconds after which a looker is no longer waited for by requests that have none
AT_ONCE = 4  # lookers that are quick; slow ones come on top
_GRACE = 0.5
_DESCRIPTOR = array.array("i", [0]).itemsize


def become_keeper(channel: socket.socket, jobs: t.Mapping[str, Job], at_once: int) -> None:
    """In the forked child: fork once more so that nobody has to wait for the keeper, then serve; never returns."""
    try:
        if os.fork() == 0:
            os.setsid()
            _let_go(channel.fileno())
            _Keeper(channel, jobs, at_once).serve()
    finally:
        os._exit(0)


def _let_go(kept: int) -> None:
    """Give up everything that was inherited: standard streams, files, signal handlers."""
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for descriptor in _open_descriptors():
        if descriptor != kept:
            try:
                os.close(descriptor)
            except OSError:
                pass
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if descriptor != null:
            os.dup2(null, descriptor)
    if null > 2:
        os.close(null)
    os.chdir("/")


def _open_descriptors() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(folder)]
        except (OSError, ValueError):
            continue
    return list(range(256))


def _take(channel: socket.socket) -> tuple[bytes, int] | None:
    """A request and the descriptor for its answer; None when there will be no more."""
    while True:
        try:
            data, ancillary, _flags, _address = channel.recvmsg(LONGEST_REQUEST, socket.CMSG_SPACE(_DESCRIPTOR))
        except OSError as exc:
            if exc.errno == errno.EINTR:
                continue
            return None
        if not data or not ancillary:
            return None
        found = array.array("i")
        found.frombytes(ancillary[0][2][:_DESCRIPTOR])
        return data, found[0]


class _Looker:
    """A process that looks. ``since`` is when it got its work, 0 when it has none."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.since = 0.0


class _Keeper:
    def __init__(self, channel: socket.socket, jobs: t.Mapping[str, Job], at_once: int) -> None:
        self._channel = channel
        self._jobs = jobs
        self._at_once = at_once
        self._lookers: dict[int, _Looker] = {}
        self._waiting: list[tuple[bytes, int]] = []

    def serve(self) -> None:
        """Until the owner is gone."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while True:
            for descriptor, _event in poll.poll(_SLOW * 1000 if self._waiting else None):
                looker = self._lookers.get(descriptor)
                if looker is not None:
                    self._hear(looker, poll)
                    continue
                request = _take(self._channel)
                if request is None:
                    return
                self._waiting.append(request)
            while self._waiting and self._hand_out(poll):
                pass

    def _hear(self, looker: _Looker, poll: select.poll) -> None:
        """A looker is ready again, or has died."""
        idle = sum(not other.since for other in self._lookers.values())
        if looker.channel.recv(1) and idle < self._at_once:
            looker.since = 0.0
        else:
            self._drop(looker, poll)

    def _drop(self, looker: _Looker, poll: select.poll) -> None:
        poll.unregister(looker.channel)
        del self._lookers[looker.channel.fileno()]
        looker.channel.close()

    def _hand_out(self, poll: select.poll) -> bool:
        """Give the first request to a looker; False when it has to wait for one."""
        now = time.monotonic()
        looker = next((looker for looker in self._lookers.values() if not looker.since), None)
        if looker is None:
            if sum(now - other.since < _SLOW for other in self._lookers.values()) >= self._at_once:
                return False
            looker = self._fork(poll)
        data, writer = self._waiting[0]
        if looker is not None:
            try:
                looker.channel.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))])
                looker.since = now
            except OSError:
                self._drop(looker, poll)  # it has just died: the next one gets the request
                return True
        del self._waiting[0]
        os.close(writer)  # where no process could be had, the end of the pipe says so
        return True

    def _fork(self, poll: select.poll) -> _Looker | None:
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            return None
        with theirs:
            try:
                child = os.fork()
            except OSError:
                ours.close()
                return None
            if child == 0:
                _look(theirs, self._jobs)
        looker = self._lookers[ours.fileno()] = _Looker(ours)
        poll.register(ours, select.POLLIN)
        return looker


def _look(channel: socket.socket, jobs: t.Mapping[str, Job]) -> None:
    """In a looker: do what is asked until nobody asks any more; never returns."""
    try:
        _let_go(channel.fileno())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while True:
            request = _take(channel)
            if request is None:
                return
            _answer(request[0], request[1], jobs)
            channel.send(b".")
    finally:
        os._exit(0)


def _answer(request: bytes, writer: int, jobs: t.Mapping[str, Job]) -> None:
    """Do one job and write what came out; what takes too long is ended by the alarm, unless the kernel holds it."""
    name, arguments, seconds = json.loads(request.decode("ascii"))
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    try:
        answer: list[t.Any] = ["ok", jobs[name](**arguments)]
    except OSError as exc:
        answer = ["errno", [exc.errno or errno.EIO, exc.strerror or str(exc)]]
    except Exception as exc:  # noqa: BLE001 - the border of the process: a fault is told, not raised into nowhere
        answer = ["fault", f"{type(exc).__name__}: {exc}"]
    data = json.dumps(answer).encode("ascii")
    try:
        while data:
            data = data[os.write(writer, data) :]
    except BrokenPipeError:
        pass  # nobody waits for it any more
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.close(writer)
