# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""A process of its own for what would burden the one that forks workers, and the line to it.

Each worker of Ansible is a fork of the main process and pays for what that has loaded and touched; and whoever forks must not have threads that hold locks of a
C library at that moment. So what keeps and sends is another process, made before there are threads, and this one only tells it what it has seen.
What was written to the line is done also when this process is killed in the next moment.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import pickle
import select
import signal
import socket
import struct
import time
import typing as t

_HEAD = struct.Struct("!4sI")  # a mark, and the bytes that follow
_MARK = b"vgl1"
_PIECE = 65536
_WATCH = 1.0  # seconds between two looks whether the main process is still there
_PARTING = 1.0  # seconds that the end of the main process waits for it
_BEGINNINGS = 3  # a process that ends again and again is not begun again
_STEP = 0.002
_MOST_FILES = 65536  # the limit of a container may be a thousand million


class Answer(t.NamedTuple):
    """What the other side says: a value, and sentences for people."""

    value: t.Any = None
    sentences: t.Sequence[str] = ()


Do = t.Callable[[str, t.Tuple[t.Any, ...]], Answer]


class Silent(Exception):
    """There is no answer in time."""


class Gone(Exception):
    """The process ended again and again, or cannot be begun; the text is why."""


class Line:
    """The line to a process, as the main process holds it. What is told is plain data.

    :arg make: called in the process; returns what does the things that are told and asked, by their names
    """

    def __init__(self, make: t.Callable[[], Do]) -> None:
        self._make = make
        self._socket: socket.socket | None = None
        self._pid = 0
        self._beginnings = 0
        self._number = 0
        self._out = bytearray()
        self._in = bytearray()
        self._unanswered: dict[int, bytes] = {}
        self._lasting: dict[str, tuple[int, bytes]] = {}
        self._answers: dict[int, t.Any] = {}
        self._awaited = 0
        self._sentences: list[str] = []
        self._owner = os.getpid()
        atexit.register(self.part)

    def tell(self, name: str, *args: t.Any, lasts: bool = False) -> None:
        """Have something done; nothing is waited for.

        :arg lasts: a process that is begun again has to be told again
        :raises Gone: it cannot be told
        """
        self._put(name, args, lasts)
        self._move()

    def ask(self, name: str, *args: t.Any, seconds: float, lasts: bool = False) -> t.Any:
        """Have something done, and wait for what comes of it.

        :raises Silent: there is no answer within so many seconds; it may still be done
        :raises Gone: it cannot be asked
        """
        number = self._awaited = self._put(name, args, lasts)
        until = time.monotonic() + seconds
        while True:
            self._move()
            if number in self._answers:
                return self._answers.pop(number)
            left = until - time.monotonic()
            if left <= 0:
                raise Silent
            poll = select.poll()
            poll.register(t.cast(socket.socket, self._socket), select.POLLIN | (select.POLLOUT if self._out else 0))
            poll.poll(left * 1000)

    def heard(self) -> list[str]:
        """The sentences that came since the last time."""
        heard, self._sentences = self._sentences, []
        return heard

    def end(self) -> None:
        """Leave the process alone: it does what it was told, however long that takes, and ends. Another is begun where there is more to tell."""
        self._drop()
        self._unanswered.clear()

    def part(self) -> None:
        """The main process ends: what was told is done first, and nobody is left behind, unless that takes too long."""
        pid, until = self._pid, time.monotonic() + _PARTING
        if self._socket is None or os.getpid() != self._owner:
            return
        with contextlib.suppress(Exception):
            self._socket.settimeout(_PARTING)  # what it was too busy to take
            self._write()
        self._socket.close()
        self._socket, self._pid = None, 0
        with contextlib.suppress(OSError):
            while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(_STEP)

    def _put(self, name: str, args: tuple[t.Any, ...], lasts: bool) -> int:
        self._number += 1
        frame = _framed((self._number, name, args))
        if self._socket is None:
            self._begin()
        self._unanswered[self._number] = frame
        self._out += frame
        if lasts:
            self._lasting[name] = self._number, frame
        return self._number

    def _move(self) -> None:
        """Write and read as much as goes without waiting; the process is begun again where it has ended."""
        try:
            self._write()
            self._read()
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            self._begin()
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        line = t.cast(socket.socket, self._socket)
        with contextlib.suppress(BlockingIOError):
            while self._out:
                del self._out[: line.send(self._out)]

    def _read(self) -> None:
        line = t.cast(socket.socket, self._socket)
        with contextlib.suppress(BlockingIOError):
            while True:
                piece = line.recv(_PIECE)
                if not piece:
                    raise EOFError
                self._in += piece
                if len(piece) < _PIECE:
                    break
        for number, value, sentences in _unframed(self._in):
            self._unanswered.pop(number, None)
            self._sentences += sentences
            if number == self._awaited:
                self._answers = {number: value}

    def _begin(self) -> None:
        """Begin the process, and tell it what the one before did not answer."""
        self._drop()
        if self._beginnings >= _BEGINNINGS:
            raise Gone("the process that keeps and sends has ended")
        self._beginnings += 1
        try:
            ours, theirs = socket.socketpair()
        except OSError as exc:
            raise Gone(f"there is no line to a process: {os.strerror(exc.errno or 0)}") from exc
        try:
            pid = os.fork()
        except OSError as exc:
            ours.close()
            theirs.close()
            raise Gone(f"no process can be begun: {os.strerror(exc.errno or 0)}") from exc
        if not pid:
            try:
                _serve(theirs.detach(), self._make)
            finally:
                os._exit(0)
        theirs.close()
        ours.setblocking(False)
        self._socket, self._pid = ours, pid
        again = {**dict(self._lasting.values()), **self._unanswered}
        self._out, self._in = bytearray(b"".join(again.values())), bytearray()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._pid:
            with contextlib.suppress(OSError):
                os.waitpid(self._pid, os.WNOHANG)
        self._socket, self._pid = None, 0


def _framed(what: t.Any) -> bytes:
    body = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    return _HEAD.pack(_MARK, len(body)) + body


def _unframed(data: bytearray) -> t.Iterator[t.Any]:
    """What has come whole; it is taken out of the data.

    :raises ValueError: it is not what the other side has written
    """
    while len(data) >= _HEAD.size:
        mark, length = _HEAD.unpack_from(data)
        if mark != _MARK:
            raise ValueError("the line is out of step")
        end = _HEAD.size + length
        if len(data) < end:
            return
        body = bytes(data[_HEAD.size : end])
        del data[:end]
        yield pickle.loads(body)  # noqa: S301 - from our own process alone


def _serve(number: int, make: t.Callable[[], Do]) -> None:
    """The process: what comes is done in turn, until the main process has ended and all that it told is done; ``close`` is the last."""
    parent = os.getppid()
    # it ends with the main process, and not before all that was told is done; whoever cancels a job (as ansible-runner does) kills its whole group
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.setsid()
    line = socket.socket(fileno=_alone(number))
    gc.freeze()  # so that the memory that is shared with the main process is not touched
    do = make()
    _listen(line, do, parent)
    _done(do, "close", ())


def _listen(line: socket.socket, do: Do, parent: int) -> None:
    done, data, ends = set(), bytearray(), _end_of(parent)
    while True:
        for which, name, args in _unframed(data):
            if which not in done:  # where a signal came in between, something may have been written twice
                done.add(which)
                answer = _framed((which, *_done(do, name, args)))
                with contextlib.suppress(OSError):  # the main process has ended, but what it told is done
                    line.sendall(answer)
        ready = select.select([line.fileno(), *ends], [], [], _WATCH)[0]
        if line.fileno() not in ready:
            if ready or os.getppid() != parent:
                return
            continue
        try:
            piece = line.recv(_PIECE)
        except OSError:
            return
        if not piece:
            return
        data += piece


def _end_of(pid: int) -> list[int]:
    """A file that can be read when the process has ended, though workers of it hold the line open; where there is none, one looks from time to time."""
    try:
        return [os.pidfd_open(pid)]
    except (OSError, AttributeError):
        return []


def _done(do: Do, name: str, args: tuple[t.Any, ...]) -> Answer:
    try:
        return do(name, args)
    except Exception as exc:  # noqa: BLE001 - the border of the process; its text may hold a secret
        return Answer(None, [f"a fault in {name} ({type(exc).__name__}); the run goes on."])


def _alone(number: int) -> int:
    """Leave nothing open but this file: nobody must wait for the end of this process. The numbers stay in use, as objects of the main process
    that hold some of them close them once more, whatever they are then."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        files = [int(name) for name in os.listdir("/dev/fd") if name.isdigit()]
    except OSError:
        files = list(range(_MOST_FILES))
    for file in files:
        if file not in (number, null):
            try:
                os.fstat(file)
                os.dup2(null, file)
            except OSError as exc:
                if exc.errno != errno.EBADF:
                    raise
    return number
