# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says once that something was written to a file, by inotify(7): a log that is written without a pause wakes nobody more often than one that is not.

Where the kernel gives no watch, and for files that are not there yet, nothing is said: whoever asks looks from time to time anyway.
"""

from __future__ import annotations

import ctypes
import os
import struct
import typing as t

_MODIFY, _MOVE_SELF, _DELETE_SELF, _ONESHOT = 0x002, 0x800, 0x400, 0x80000000
_HEAD = struct.Struct("iIII")
_MOST = 1000  # files; the rest is looked at from time to time


class Stirs:
    """Files by the names of those who want to know of them."""

    def __init__(self) -> None:
        self._names: t.Dict[int, t.Set[str]] = {}
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._file = int(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        except (OSError, AttributeError):
            self._file = -1

    def fileno(self) -> int:
        """It can be read when something was written; -1 where there is no inotify."""
        return self._file

    def arm(self, name: str, paths: t.Iterable[str]) -> None:
        """Say it for these, each once."""
        for path in paths:
            if self._file < 0 or len(self._names) >= _MOST:
                return
            watch = int(
                self._libc.inotify_add_watch(self._file, os.fsencode(path), ctypes.c_uint32(_MODIFY | _MOVE_SELF | _DELETE_SELF | _ONESHOT))
            )
            if watch >= 0:
                self._names.setdefault(watch, set()).add(name)

    def heard(self) -> t.Set[str]:
        """Whose files were written to."""
        found: t.Set[str] = set()
        try:
            data = os.read(self._file, 65536)
        except OSError:
            return found
        place = 0
        while place + _HEAD.size <= len(data):
            watch, _mask, _cookie, length = _HEAD.unpack_from(data, place)
            found |= self._names.pop(watch, set())
            place += _HEAD.size + length
        return found
