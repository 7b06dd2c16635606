# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Reading files that people name, also where they are pipes, as a shell's ``<(...)`` gives one: these can be read once, and by their own process alone."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
import types
import typing as t

_LIMIT = 1_000_000
_PIPE_SECONDS = 5.0

# What is known of paths already: what they hold, or why they cannot be read.
Held = t.Mapping[str, t.Union[bytes, OSError]]
NOTHING: Held = types.MappingProxyType({})


def read_bytes(path: str, held: Held = NOTHING) -> bytes:
    """What a file holds, or a pipe within a few seconds: a pipe that nobody writes to never ends.

    :raises OSError: it cannot be read
    """
    known = held.get(path)
    if isinstance(known, OSError):
        raise known
    return _read(os.path.expanduser(path)) if known is None else known


def hold(paths: t.Iterable[str]) -> dict[str, bytes | OSError]:
    """What the pipes among these hold, for another process to use."""
    held: dict[str, bytes | OSError] = {}
    for path in paths:
        try:
            if not stat.S_ISREG(os.stat(os.path.expanduser(path)).st_mode):
                held[path] = read_bytes(path)
        except OSError as exc:
            held[path] = OSError(exc.errno, exc.strerror)
    return held


def _read(path: str) -> bytes:
    found, until = b"", time.monotonic() + _PIPE_SECONDS
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while len(found) < _LIMIT:
            if not select.select([handle], [], [], max(until - time.monotonic(), 0.0))[0]:
                raise OSError(errno.ETIMEDOUT, "nothing comes out of it")
            piece = os.read(handle, _LIMIT - len(found))
            if not piece:
                break
            found += piece
    finally:
        os.close(handle)
    return found
