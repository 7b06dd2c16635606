# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting one path back: its parents without following a symlink, its content whole or not at all.

What is written when. A file whose place is free gets its name as soon as it is written; a power cut may then leave it without its content,
and the next restore sees that, as it compares contents. A file that takes the place of another one must not: of such files many are
written, then brought to the disk by one syncfs(2), then renamed, and the whole ends with one more. That is as safe as an fsync(2) for each of
them, which takes a hundred times as long. A process that is killed needs none of it: what it wrote is in the kernel's hands.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError

_HOLE = 4096
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Replaced(t.NamedTuple):
    """A file that is written and waits to take the place of another one.

    :ivar path: below the root; :ivar scratch: its name until then; :ivar loose: see :meth:`Target.parent`
    """

    path: str
    scratch: str
    loose: int


class Target:
    """A tree that paths are put back into.

    :arg root: absolute; nothing outside of it is ever touched
    """

    def __init__(self, root: str, owners: bool = True) -> None:
        self.root = root
        self._owners = owners and os.geteuid() == 0
        self._systems: dict[int, int] = {}  # device -> a handle there
        self._token, self._numbers = os.urandom(4).hex(), itertools.count()  # of names until a file has its own
        self.warnings: list[str] = []

    def parent(self, path: str, loose: int = 0) -> int:
        """A handle of the directory that holds a path, to be closed by the caller; missing directories are made, symlinks are refused.

        :arg path: below the root, without a slash at its begin
        :arg loose: so many of its first parts may be symlinks: those above what was backed up, when it is put back in its place
        :raises BackupError: a part of it is no directory
        """
        handle = os.open(self.root, _DIRECTORY)
        try:
            for number, part in enumerate(path.split("/")[:-1]):
                flags = _DIRECTORY if number < loose else _DIRECTORY | os.O_NOFOLLOW
                try:
                    inner = os.open(part, flags, dir_fd=handle)
                except FileNotFoundError:
                    with contextlib.suppress(FileExistsError):  # another thread was faster
                        os.mkdir(part, 0o700, dir_fd=handle)
                    inner = os.open(part, flags, dir_fd=handle)
                except OSError as exc:
                    if exc.errno in (errno.ELOOP, errno.ENOTDIR):
                        place = shown("/".join(path.split("/")[: number + 1]))
                        raise BackupError(f"{shown(path)} is not put back: {place} is a symlink or a file there, not a directory") from exc
                    raise
                os.close(handle)
                handle = inner
            self._note(handle)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def put(
        self,
        entry: Entry,
        path: str,
        parent: tuple[int, int],
        replaced: list[Replaced],
        pieces: t.Iterable[bytes] = (),
        link: str | None = None,
    ) -> None:
        """Make a path what the entry says.

        :arg parent: handle of its directory, and how many parts of the path may be symlinks
        :arg replaced: takes a file that waits for :meth:`replace`
        :arg link: name in the root of a file that is put back already, of which this is another name
        """
        handle, loose = parent
        name = path.rsplit("/", 1)[-1]
        if entry.kind == "directory":
            self._directory(entry, name, handle)
            return
        scratch = f".{os.fsdecode(os.fsencode(name)[:100])}.vigil-{self._token}{next(self._numbers):x}"
        try:
            self._make(entry, scratch, handle, pieces, link)
            found = _status(name, handle)
            if found is not None and stat.S_ISDIR(found.st_mode):
                raise BackupError(f"{shown(path)} is not put back: there is a directory of that name, which may hold other things")
            if found is not None and entry.kind == "file":
                replaced.append(Replaced(path, scratch, loose))
            else:
                os.rename(scratch, name, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(scratch, dir_fd=handle)
            raise

    def replace(self, replaced: list[Replaced]) -> None:
        """Let files take the places of others, when all of them are on the disk."""
        if replaced:
            self.sync()
            with Parents(self) as parents:
                while replaced:
                    path, scratch, loose = replaced[-1]
                    handle, _loose = parents.of(path, loose)
                    os.rename(scratch, path.rsplit("/", 1)[-1], src_dir_fd=handle, dst_dir_fd=handle)
                    replaced.pop()

    def discard(self, replaced: list[Replaced]) -> None:
        """Remove files that still wait."""
        with Parents(self) as parents:
            for path, scratch, loose in replaced:
                with contextlib.suppress(OSError, BackupError):
                    os.unlink(scratch, dir_fd=parents.of(path, loose)[0])
        replaced.clear()

    def sync(self) -> None:
        """Have all that was written on the disk, of the file systems that were written to."""
        import ctypes

        try:
            syncfs = ctypes.CDLL(None, use_errno=True).syncfs
        except AttributeError:  # not Linux
            os.sync()
            return
        for handle in list(self._systems.values()):
            if syncfs(handle):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), self.root)

    def close(self) -> None:
        """Let go of the file systems."""
        while self._systems:
            os.close(self._systems.popitem()[1])

    def __del__(self) -> None:
        self.close()

    def _note(self, handle: int) -> None:
        """Remember the file system of a directory."""
        device = os.fstat(handle).st_dev
        if device not in self._systems:
            mine = os.dup(handle)
            if self._systems.setdefault(device, mine) != mine:  # another thread was faster
                os.close(mine)

    def finish(self, entry: Entry, path: str, parent: tuple[int, int]) -> None:
        """The mode and times of a directory, after all below it."""
        inner = os.open(path.rsplit("/", 1)[-1], _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent[0])
        try:
            self._dress(entry, inner)
        finally:
            os.close(inner)

    def _directory(self, entry: Entry, name: str, handle: int) -> None:
        found = _status(name, handle)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=handle)
            found = None
        if found is None:
            os.mkdir(name, 0o700, dir_fd=handle)

    def _make(self, entry: Entry, name: str, handle: int, pieces: t.Iterable[bytes], link: str | None) -> None:
        if link is not None:
            source = self.parent(link)
            try:
                os.link(link.rsplit("/", 1)[-1], name, src_dir_fd=source, dst_dir_fd=handle, follow_symlinks=False)
            finally:
                os.close(source)
        elif entry.kind == "file":
            inner = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=handle)
            try:
                _write(inner, pieces, entry.sparse)
                self._dress(entry, inner)
            finally:
                os.close(inner)
        elif entry.kind == "symlink":
            os.symlink(entry.target or "", name, dir_fd=handle)
            if self._owners:
                os.chown(name, entry.uid, entry.gid, dir_fd=handle, follow_symlinks=False)
            os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=handle, follow_symlinks=False)
        else:
            kind = {"fifo": stat.S_IFIFO, "character_device": stat.S_IFCHR, "block_device": stat.S_IFBLK}[entry.kind]
            major, minor = (int(number) for number in (entry.device or "0:0").split(":"))
            os.mknod(name, kind | 0o600, os.makedev(major, minor), dir_fd=handle)
            if self._owners:
                os.chown(name, entry.uid, entry.gid, dir_fd=handle, follow_symlinks=False)
            os.chmod(name, entry.mode, dir_fd=handle)
            os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=handle)

    def _dress(self, entry: Entry, handle: int) -> None:
        """Owner, then attributes, then mode (a change of owner takes away set-id bits), then times."""
        if self._owners:
            os.fchown(handle, entry.uid, entry.gid)
        for name, value in entry.xattrs.items():
            try:
                os.setxattr(handle, name, value)
            except OSError as exc:
                self.warnings.append(f"{shown(entry.path)}: the attribute {name} cannot be set: {os.strerror(exc.errno or 0).lower()}")
        os.fchmod(handle, entry.mode)
        os.utime(handle, ns=(entry.mtime, entry.mtime))


class Parents:
    """Handles of the directories of paths that come one after the other, of which one is open at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._folder: str | None = None
        self._handle = -1

    def __enter__(self) -> Parents:
        return self

    def of(self, path: str, loose: int = 0) -> tuple[int, int]:
        """(handle, loose) of the directory of a path."""
        folder = path.rpartition("/")[0]
        if folder != self._folder:
            self.__exit__()
            self._handle, self._folder = self._target.parent(path, loose), folder
        return self._handle, loose

    def __exit__(self, *unused: t.Any) -> None:
        if self._folder is not None:
            self._folder = None
            os.close(self._handle)


def _status(name: str, handle: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _write(handle: int, pieces: t.Iterable[bytes], sparse: bool) -> None:
    size = 0
    for piece in pieces:
        for at in range(0, len(piece), _HOLE) if sparse else (0,):
            part = piece[at : at + _HOLE] if sparse else piece
            if sparse and not part.strip(b"\0"):
                os.lseek(handle, len(part), os.SEEK_CUR)
            else:
                while part:
                    part = part[os.write(handle, part) :]
        size += len(piece)
    if sparse:
        os.ftruncate(handle, size)
