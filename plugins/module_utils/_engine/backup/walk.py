# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walking over what is to be kept, in the order of the manifest."""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import KINDS, Entry, order, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.patterns import Patterns
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reach import reached


class Selection:
    """What a backup is made of.

    :arg paths: absolute; a path below another one is no extra
    :arg exclude: globs that are left out, with all below them
    :arg include: globs of which a file must fit one, where there are any
    :arg max_size: bytes; larger files are left out and said
    :arg one_file_system: other file systems that are mounted below a path are left out; their mount point is kept
    :arg streams: path in the snapshot -> file with its content, None where there is none now and what is known of it stays
    :raises ValueError: a path is not absolute, or a pattern is none
    """

    def __init__(
        self,
        paths: t.Sequence[str],
        exclude: t.Iterable[str] = (),
        include: t.Iterable[str] = (),
        max_size: int | None = None,
        one_file_system: bool = False,
        streams: t.Mapping[str, str | None] | None = None,
    ) -> None:
        for path in paths:
            if not path.startswith("/"):
                raise ValueError(f"the path {shown(path)!r} is not absolute")
        roots = sorted({os.path.normpath(path).replace("//", "/") for path in paths}, key=order)
        self.paths = [path for path in roots if not any(_below(path, other) for other in roots)]
        exclude, include = list(exclude), list(include)
        self.exclude = Patterns(exclude)
        self.include = Patterns(include)
        self.max_size = max_size
        self.one_file_system = one_file_system
        self.streams = dict(streams or {})
        self._patterns = {"exclude": exclude, "include": include}

    def described(self) -> dict[str, t.Any]:
        """What was asked for, for a record: whoever deletes what a snapshot does not hold must know what was left out of it."""
        return {"paths": self.paths, **self._patterns, "max_size": self.max_size, "one_file_system": self.one_file_system}

    def place(self, path: str) -> str:
        """Where the content of a path lies."""
        return self.streams.get(path) or path


class Found(t.NamedTuple):
    """A path and what lstat said of it."""

    path: str
    kind: str
    status: os.stat_result


class Walk:
    """The paths of a selection, sorted by :func:`order`.

    :ivar problems: sentences of what could not be looked at; :ivar left_out: files that are too large
    """

    def __init__(self, selection: Selection, repository: str = "") -> None:
        self._selection = selection
        self._repository = repository
        self.problems: list[str] = []
        self.left_out: list[str] = []
        self.unseen: list[str] = []

    def __iter__(self) -> t.Iterator[Found]:
        for path in sorted({*self._selection.paths, *self._selection.streams}, key=order):
            if path in self._selection.streams:
                yield from self._stream(path)
                continue
            try:
                found = os.lstat(path)
            except OSError as exc:
                self._problem(path, exc)
                continue
            if not (self._selection.exclude and self._selection.exclude.fits(path, os.path.basename(path), stat.S_ISDIR(found.st_mode))):
                yield from self._visit(path, found, found.st_dev)

    def _stream(self, path: str) -> t.Iterator[Found]:
        place = self._selection.streams[path]
        if place is None:
            self.unseen.append(path)
        else:
            yield Found(path, "file", os.lstat(place))

    def _visit(self, path: str, found: os.stat_result, device: int) -> t.Iterator[Found]:
        """Depth first without recursion, as a path may be deeper than Python's stack."""
        todo: list[tuple[str, os.stat_result]] = [(path, found)]
        while todo:
            path, found = todo.pop()
            kind = KINDS.get(stat.S_IFMT(found.st_mode))
            if kind is None:
                self._problem(path, None)
                continue
            yield Found(path, kind, found)
            if kind == "directory" and path != self._repository and not (self._selection.one_file_system and found.st_dev != device):
                todo.extend(reversed(self._inside(path)))

    def _inside(self, path: str) -> list[tuple[str, os.stat_result]]:
        selection = self._selection
        picky = selection.exclude or selection.include or selection.max_size is not None
        try:
            found = reached(_listed, path)
        except OSError as exc:
            self._problem(path, exc)
            return []
        found.sort(key=_by_name)
        start = path.rstrip("/") + "/"
        return [(start + name, status) for name, status in found if not picky or self._wanted(start + name, name, status)]

    def _wanted(self, path: str, name: str, status: os.stat_result) -> bool:
        selection, directory = self._selection, stat.S_ISDIR(status.st_mode)
        if selection.exclude and selection.exclude.fits(path, name, directory):
            return False
        if selection.include and not directory and not selection.include.fits(path, name, False):
            return False
        if selection.max_size is not None and stat.S_ISREG(status.st_mode) and status.st_size > selection.max_size:
            self.left_out.append(path)
            return False
        return True

    def _problem(self, path: str, exc: OSError | None) -> None:
        if isinstance(exc, FileNotFoundError):
            self.problems.append(f"{shown(path)} does not exist")
            return
        self.unseen.append(path)
        why = "it is of a kind that is not known" if exc is None else os.strerror(exc.errno or 0).lower()
        self.problems.append(f"{shown(path)} cannot be looked at: {why}")


def seen(found: Found) -> Entry:
    """The entry of a path, without its content.

    :raises OSError: a symlink that went
    """
    path, kind, status = found
    entry = Entry(path, kind)
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    entry.mtime, entry.ctime = status.st_mtime_ns, status.st_ctime_ns
    if kind == "directory":
        return entry
    entry.inode = f"{status.st_dev:x}:{status.st_ino}"
    entry.links = status.st_nlink
    entry.size = status.st_size
    if kind == "file":
        entry.sparse = status.st_blocks * 512 < status.st_size
    elif kind == "symlink":
        try:
            entry.target = reached(os.readlink, path)
        except OSError as exc:
            if exc.errno == errno.EINVAL:  # something else is there now
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from exc
            raise
    elif kind in ("character_device", "block_device"):
        entry.device = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return entry


def _listed(path: str) -> list[tuple[str, os.stat_result]]:
    found = []
    with os.scandir(path) as entries:
        for item in entries:
            try:
                found.append((item.name, item.stat(follow_symlinks=False)))
            except FileNotFoundError:  # it went meanwhile
                continue
    return found


def _by_name(pair: tuple[str, os.stat_result]) -> bytes:
    return os.fsencode(pair[0])


def _below(path: str, other: str) -> bool:
    return path != other and (other == "/" or path.startswith(other + "/"))
