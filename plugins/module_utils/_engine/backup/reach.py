# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths that are longer than what the kernel takes at once (PATH_MAX, 4096 bytes)."""

from __future__ import annotations

import errno
import os
import typing as t

_STEP = 2000  # bytes that are walked at once
_T = t.TypeVar("_T")


def reached(deed: t.Callable[[str], _T], path: str) -> _T:
    """Do something with a path; where it is too long, by way of a handle of its directory.

    :raises OSError: as the deed does
    """
    try:
        return deed(path)
    except OSError as exc:
        if exc.errno != errno.ENAMETOOLONG or not hasattr(os, "O_PATH"):
            raise
    folder, _slash, name = path.rpartition("/")
    handle = directory(folder)
    try:
        return deed(f"/proc/self/fd/{handle}/{name}")
    finally:
        os.close(handle)


def directory(path: str) -> int:
    """A handle of a directory, to be closed by the caller.

    :raises OSError: there is none
    """
    rest = os.fsencode(path).strip(b"/")
    handle = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    while rest:
        at = rest.rfind(b"/", 0, _STEP) if len(rest) > _STEP else -1
        step, rest = (rest[:at], rest[at + 1 :]) if at > 0 else (rest, b"")
        try:
            inner = os.open(step, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle
