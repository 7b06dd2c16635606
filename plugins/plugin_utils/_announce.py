# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A last word after the play recap: a worker leaves a text, the main process prints it when it ends.

The strategy plugins load the class of an action in the main process before they fork workers, so what is made there at import is shared
with every worker: a piece of anonymous memory. A worker ends without running exit handlers, and prints nothing itself.
"""

from __future__ import annotations

import atexit
import contextlib
import mmap
import multiprocessing
import os
import struct
import sys
import typing as t
import zlib

from ansible import constants as C

SIZE = 64 * 1024
# What these write to standard output is read by programs, or is meant to be nothing.
_MACHINES = frozenset({"json", "jsonl", "null", "junit"})
_HEADER = struct.Struct("<II")  # bytes of the text, and their CRC-32: a text that was torn by a killed worker is not printed
_WAIT_SECONDS = 5.0


class _Board:
    """Memory that is shared with every process forked from here on."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._memory = mmap.mmap(-1, SIZE)
        self._lock: t.Any = None
        with contextlib.suppress(ImportError, OSError, ValueError):  # no semaphores on this machine: the check sum has to do
            self._lock = multiprocessing.get_context("fork").Lock()

    def read(self) -> str:
        """What was left so far."""
        length, check = _HEADER.unpack(self._memory[: _HEADER.size])
        body = self._memory[_HEADER.size : _HEADER.size + length]
        return body.decode("utf-8", "replace") if zlib.crc32(body) == check else ""

    def add(self, text: str) -> None:
        """Append `text` unless it is there already; lines that find no room are left out at the front, the last ones matter."""
        held = self._lock is not None and self._lock.acquire(timeout=_WAIT_SECONDS)
        try:
            before = self.read()
            if text not in before:
                self._write((before + text).encode("utf-8", "replace"))
        finally:
            if held:
                self._lock.release()

    def _write(self, body: bytes) -> None:
        room = SIZE - _HEADER.size
        if len(body) > room:
            body = body[-room:].partition(b"\n")[2]
        self._memory[_HEADER.size : _HEADER.size + len(body)] = body
        self._memory[: _HEADER.size] = _HEADER.pack(len(body), zlib.crc32(body))


_board: _Board | None = None


def prepare() -> None:
    """Make the memory and the exit handler, once, and only in a process that will run exit handlers."""
    global _board
    if _board is None and multiprocessing.parent_process() is None:
        with contextlib.suppress(OSError, ValueError):
            _board = _Board()
            atexit.register(_print)


def leave(text: str) -> bool:
    """Leave `text` to be printed when the main process ends; False when there is none that would, so that the caller has to show it."""
    if _board is None:
        return False
    _board.add(text)
    return True


def is_machine(callback: str) -> bool:
    """Whether the standard output of this callback plugin is for programs."""
    return callback.rsplit(".", 1)[-1] in _MACHINES


def _print() -> None:
    if _board is None or os.getpid() != _board.pid or is_machine(str(C.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))):
        return
    text = _board.read()
    if not text:
        return
    try:
        _write_out(sys.stdout, text)
    except (OSError, ValueError, AttributeError):
        # The reader has gone, or standard output is closed: point it at nothing, so that Python's own last flush stays quiet.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_out(stream: t.TextIO, text: str) -> None:
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
