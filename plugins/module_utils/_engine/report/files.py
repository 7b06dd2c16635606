# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a report: tried before the work, written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
import typing as t

MODE = 0o644  # a textfile collector runs as another user
_REMEDIES = {
    errno.ENOSPC: "there is no space left on that disk",
    errno.EDQUOT: "the disk quota of this user is used up",
    errno.EFBIG: "the file would be larger than this user may write",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EROFS: "that file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a part of that path is a file",
    errno.EEXIST: "a file of that name is in the way",
    errno.EISDIR: "a directory of that name is in the way",
    errno.ELOOP: "its symbolic links lead in a circle",
}


class ReportError(Exception):
    """What keeps a report from being made, in one sentence with the place and the remedy."""


def try_directory(dest: str) -> None:
    """Whether files can be written in `dest`, made where it is missing; nothing of the trial stays, and another run's trial is not met.

    Raises ReportError when that cannot be done.
    """
    place, missing = dest, []  # type: str, t.List[str]
    while not os.path.lexists(place):
        place, name = os.path.split(place)
        missing.insert(0, name)
    try:
        if not os.path.isdir(place):
            raise OSError(errno.ENOTDIR if missing else errno.EEXIST, "not a directory")
        with tempfile.TemporaryDirectory(prefix=".vigil-", dir=place) as trial:
            inner = os.path.join(trial, *missing)
            os.makedirs(inner, exist_ok=True)
            with open(os.path.join(inner, "trial"), "wb") as stream:
                stream.write(b"try")
    except OSError as error:
        raise _refused("dest", dest, error) from error


def make_directory(dest: str) -> None:
    """Make `dest` with its parents. Raises ReportError when that cannot be done."""
    try:
        os.makedirs(dest, exist_ok=True)
    except OSError as error:
        raise _refused("dest", dest, error) from error


def read(path: str) -> t.Optional[str]:
    """What `path` holds; None when it is not there or is no text file of ours."""
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8")
    except (OSError, ValueError):
        return None


def write(path: str, text: str) -> None:
    """Put `text` at `path` in one step (a file beside it, fsync, rename), mode 0644. Raises ReportError; what was there then stays."""
    directory = os.path.dirname(path)
    temporary = None
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            raise OSError(errno.EISDIR, "is a directory")
        handle, temporary = tempfile.mkstemp(prefix=".vigil-", dir=directory)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fchmod(stream.fileno(), MODE)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise _refused("the report", path, error) from error
    finally:
        if temporary is not None:
            os.unlink(temporary)


def _refused(what: str, path: str, error: OSError) -> ReportError:
    why = _REMEDIES.get(error.errno or 0, (error.strerror or str(error)).lower())
    return ReportError(f"{what} cannot be written at {path}: {why}; name a directory that can be written in dest")
