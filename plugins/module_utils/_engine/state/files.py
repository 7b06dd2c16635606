# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SQLite file itself: made private, opened, and set aside when it is damaged. Nothing here is ever overwritten or deleted."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import (
    StateDamaged,
    StateError,
    StateMissing,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import (
    compact,
)

SMALLEST = 512  # bytes of the smallest SQLite database
_MAGIC = b"SQLite format 3\0"
_NAMES = (".db", ".sqlite", ".sqlite3")
SIDES = ("-wal", "-shm", "-journal")


def _remedy(exc: OSError, path: str, deed: str) -> StateError:
    if exc.errno in (errno.EACCES, errno.EPERM):
        return StateError(f"The state file {path} cannot be {deed}: permission denied; run as its owner or give another state_url.")
    if exc.errno == errno.EROFS:
        return StateError(f"The state file {path} cannot be {deed}: its file system is read-only; give a state_url on another one.")
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateError(f"The state file {path} cannot be {deed}: no space is left; free some space there or give another state_url.")
    if exc.errno in (errno.ENOTDIR, errno.EEXIST):
        return StateError(f"The state file {path} cannot be {deed}: a part of its path is not a directory; give another state_url.")
    reason = os.strerror(exc.errno) if exc.errno else str(exc)
    return StateError(f"The state file {path} cannot be {deed}: {reason}; give another state_url.")


def make_directory(directory: str, path: str) -> None:
    """Make the directory and the missing ones above it; what is made here is for its owner alone."""
    if os.path.isdir(directory):
        return
    parent = os.path.dirname(directory)
    if parent != directory:
        make_directory(parent, path)
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError as exc:
        if not os.path.isdir(directory):
            raise _remedy(exc, path, "created") from exc
    except OSError as exc:
        raise _remedy(exc, path, "created") from exc


def prepare(path: str) -> None:
    """Make an empty private file when there is none; refuse what is not a plain file that can be written."""
    make_directory(os.path.dirname(path), path)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        return
    except FileExistsError:
        pass
    except OSError as exc:
        raise _remedy(exc, path, "created") from exc
    check_kind(path)
    if not os.access(path, os.R_OK | os.W_OK):
        raise _remedy(OSError(errno.EROFS if _read_only_mount(path) else errno.EACCES, ""), path, "written")


def narrow(path: str) -> None:
    """Take group and others their rights on a store; only when it is known to be one."""
    for name in (path, *tuple(path + side for side in SIDES)):
        _narrow(name)


def is_like_a_store(path: str) -> bool:
    """Whether a file that is no sound database may have been a store. A mistyped path must not cost somebody another file.

    Only for a file that no connection of this process has open, see check_size.
    """
    if path.endswith(_NAMES):
        return True
    try:
        with open(path, "rb") as handle:
            return handle.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def check_writable(path: str) -> None:
    """Raise StateError when ``path`` could not be written, or not be made where it is missing; makes nothing."""
    try:
        check_kind(path)
        if not os.access(path, os.R_OK | os.W_OK):
            raise _remedy(OSError(errno.EROFS if _read_only_mount(path) else errno.EACCES, ""), path, "written")
        deed = "written"
    except StateMissing:
        deed = "created"
    directory = os.path.dirname(path)
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        raise _remedy(OSError(errno.ENOTDIR, ""), path, deed)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise _remedy(OSError(errno.EROFS if _read_only_mount(directory) else errno.EACCES, ""), path, deed)


def _read_only_mount(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _narrow(name: str) -> None:
    """Take group and others their rights, when the file is ours."""
    try:
        seen = os.lstat(name)
        if stat.S_ISREG(seen.st_mode) and stat.S_IMODE(seen.st_mode) & 0o077 and seen.st_uid == os.geteuid():
            os.chmod(name, 0o600)
    except OSError:
        return


def check_kind(path: str) -> None:
    """Raise StateMissing or StateError unless ``path`` is a plain file."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        raise StateMissing(f"There is no state file {path} yet; the first run that keeps history makes it.") from None
    except OSError as exc:
        raise _remedy(exc, path, "read") from exc
    if stat.S_ISLNK(mode):
        raise StateError(f"The state file {path} is a symbolic link; give the path of the file itself as state_url.")
    if stat.S_ISDIR(mode):
        raise StateError(f"The state file {path} is a directory; give the path of a file in it, such as {path}/state.db.")
    if not stat.S_ISREG(mode):
        raise StateError(f"The state file {path} is not a plain file; give another state_url.")


def check_size(path: str) -> None:
    """Raise StateDamaged for a file too short to be a database: SQLite would take it for an empty one.

    The file is not opened for that: closing it would take this process's SQLite locks away (POSIX locks belong to file and process).
    """
    if 0 < os.stat(path).st_size < SMALLEST:
        raise StateDamaged(f"The state file {path} is not a SQLite database.")


def connect(path: str, busy: float, read_only: bool) -> sqlite3.Connection:
    """Open the file that exists already (it is never made by SQLite, which would give it other rights)."""
    mode = "ro" if read_only else "rw"
    if read_only and not os.access(os.path.dirname(path), os.W_OK) and not os.path.exists(path + "-wal"):
        mode = "ro&immutable=1"  # nobody writes, and the side files that WAL needs could not be made
    return sqlite3.connect(
        f"file:{urllib.parse.quote(path)}?mode={mode}", timeout=busy, isolation_level=None, check_same_thread=False, uri=True
    )


def is_damage(exc: BaseException) -> bool:
    """Whether SQLite says that the file is no (sound) database."""
    text = str(exc).lower()
    return isinstance(exc, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text or "encrypted" in text)


def is_busy(exc: BaseException) -> bool:
    text = str(exc).lower()
    return isinstance(exc, sqlite3.OperationalError) and ("locked" in text or "busy" in text)


def explain(exc: sqlite3.Error, path: str) -> StateError:
    """SQLite's error as one sentence with place and remedy."""
    text = str(exc).lower()
    if is_damage(exc):
        return StateDamaged(f"The state file {path} is damaged ({exc}).")
    if is_busy(exc):
        return StateError(f"The state file {path} is locked by another process for too long; end that process or try again later.")
    if "full" in text or ("disk i/o" in text and _is_full(path)):  # where the side files cannot be made SQLite calls it an I/O error
        return StateError(f"The state file {path} cannot be written: no space is left; free some space there or give another state_url.")
    if "readonly" in text or "read-only" in text:
        return StateError(f"The state file {path} cannot be written: it is read-only; run as its owner or give another state_url.")
    if "unable to open" in text:
        return StateError(
            f"The state file {path} cannot be opened; see that its directory can be written by this user, or give another state_url."
        )
    if "disk i/o" in text:
        return StateError(f"The state file {path} cannot be read or written (disk I/O error); look at its disk, or give another state_url.")
    return StateError(f"The state file {path} cannot be used ({exc}); give another state_url.")


def _is_full(path: str) -> bool:
    """Whether the file's disk has no room for this user."""
    try:
        return os.statvfs(os.path.dirname(path) or ".").f_bavail == 0
    except OSError:
        return False


def identity(path: str) -> tuple[int, int] | None:
    """(device, inode) of the file now at ``path``."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def set_aside(path: str, damaged: tuple[int, int] | None, now: float) -> str | None:
    """Rename the damaged file and its side files; returns the new name, None when another process was first.

    Processes may see the damage at the same moment: the directory is locked, and only the very file that was seen damaged is moved.
    """
    handle = os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            if damaged is None or identity(path) != damaged:
                return None
            aside = _free_name(f"{path}.corrupt-{compact(now)}")
            for side in SIDES:
                if os.path.lexists(path + side):
                    os.rename(path + side, aside + side)
            os.rename(path, aside)
            return aside
        except OSError as exc:
            raise _remedy(exc, path, "set aside, though it is damaged") from exc
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _free_name(wanted: str) -> str:
    name, number = wanted, 1
    while os.path.lexists(name):
        number += 1
        name = f"{wanted}-{number}"
    return name
