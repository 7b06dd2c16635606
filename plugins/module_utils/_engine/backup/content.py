# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a file that others may write to at the same time."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reach import reached

TRIES = 3
SMALL = 4 << 20  # bytes up to which a file is held in memory
_PIECE = 1 << 20
_PAUSE = 0.05
_GRAIN = 20 * 10**6  # nanoseconds: the kernel's clock for files ticks 100 to 1000 times a second, so two writes may bear the same time
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | getattr(os, "O_NOATIME", 0)


class Content(t.NamedTuple):
    """What was read.

    :ivar status: of the file that was read; :ivar data: None for a large one, which is read again by :func:`pieces`
    :ivar torn: whether it changed in every try; then it is what was read last
    """

    status: os.stat_result
    sha256: str
    data: bytes | None
    torn: bool


def read(path: str) -> Content:
    """Read a regular file as it was at one moment, in three tries.

    :raises OSError: it cannot be opened or read, or is no regular file any more (ENOENT)
    """
    found = _try(path)
    for number in range(1, TRIES):
        if not found.torn:
            break
        time.sleep(_PAUSE * number)
        found = _try(path)
    return found


def _try(path: str) -> Content:
    handle, before = _open(path)
    try:
        fresh = 0 <= time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) < _GRAIN
        digest = hashlib.sha256()
        data: list[bytes] | None = [] if before.st_size <= SMALL else None
        for piece in _read(handle, before.st_size):
            digest.update(piece)
            if data is not None:
                data.append(piece)
        after = os.fstat(handle)
    finally:
        os.close(handle)
    return Content(before, digest.hexdigest(), None if data is None else b"".join(data), fresh or not _alike(before, after))


def pieces(path: str, content: Content) -> t.Iterator[bytes]:
    """A large file once more, exactly ``content.status.st_size`` bytes; zeros where it became shorter.

    :raises OSError: it cannot be read
    """
    left = content.status.st_size
    handle, _status = _open(path)
    try:
        for piece in _read(handle, left):
            left -= len(piece)
            yield piece
    finally:
        os.close(handle)
    while left > 0:
        piece = bytes(min(left, _PIECE))
        left -= len(piece)
        yield piece


def xattrs(path: str) -> dict[str, bytes]:
    """Extended attributes, with ACLs; none where the file system knows none, or where they may not be read."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return reached(_xattrs, path)
    except OSError:
        return {}


def _xattrs(path: str) -> dict[str, bytes]:
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}


def _open(path: str) -> tuple[int, os.stat_result]:
    try:
        handle = reached(_quiet, path)
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENXIO):  # a symlink or a fifo is there now
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from exc
        raise
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return handle, status


def _quiet(path: str) -> int:
    try:
        return os.open(path, _FLAGS)
    except PermissionError:  # O_NOATIME is for the owner and root
        return os.open(path, _FLAGS & ~getattr(os, "O_NOATIME", 0))


def _read(handle: int, size: int) -> t.Iterator[bytes]:
    """At most ``size`` bytes: what is appended meanwhile is for the next time."""
    while size > 0:
        piece = os.read(handle, min(size, _PIECE))
        if not piece:
            return
        size -= len(piece)
        yield piece


def _alike(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (after.st_size, after.st_mtime_ns, after.st_ctime_ns)
