# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting one path back: its parents without following a symlink, its content whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError

_HOLE = 4096
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Target:
    """A tree that paths are put back into.

    :arg root: absolute; nothing outside of it is ever touched
    :arg trusted: parts of a path, from the root on, that may be symlinks: those above what was backed up, when it is put back in its place
    """

    def __init__(self, root: str, owners: bool = True) -> None:
        self.root = root
        self._owners = owners and os.geteuid() == 0
        self.warnings: list[str] = []

    @contextlib.contextmanager
    def parent(self, path: str, loose: int = 0) -> t.Iterator[int]:
        """A handle of the directory that holds a path; missing directories are made, symlinks are refused.

        :arg path: below the root, without a slash at its begin
        :arg loose: so many of its first parts may be symlinks
        :raises BackupError: a part of it is no directory
        """
        handle = os.open(self.root, _DIRECTORY)
        try:
            for number, part in enumerate(path.split("/")[:-1]):
                flags = _DIRECTORY if number < loose else _DIRECTORY | os.O_NOFOLLOW
                try:
                    inner = os.open(part, flags, dir_fd=handle)
                except FileNotFoundError:
                    os.mkdir(part, 0o700, dir_fd=handle)
                    inner = os.open(part, flags, dir_fd=handle)
                except OSError as exc:
                    if exc.errno in (errno.ELOOP, errno.ENOTDIR):
                        place = shown("/".join(path.split("/")[: number + 1]))
                        raise BackupError(f"{shown(path)} is not put back: {place} is a symlink or a file there, not a directory") from exc
                    raise
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    def put(self, entry: Entry, path: str, handle: int, pieces: t.Iterable[bytes] = (), link: str | None = None) -> None:
        """Make a path what the entry says.

        :arg handle: of its directory
        :arg link: name in the root of a file that is put back already, of which this is another name
        """
        name = path.rsplit("/", 1)[-1]
        if entry.kind == "directory":
            self._directory(entry, name, handle)
            return
        scratch = f".{name[:100]}.vigil-{secrets.token_hex(4)}"
        try:
            self._make(entry, scratch, handle, pieces, link)
            found = _status(name, handle)
            if found is not None and stat.S_ISDIR(found.st_mode):
                raise BackupError(f"{shown(path)} is not put back: there is a directory of that name, which may hold other things")
            os.rename(scratch, name, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(scratch, dir_fd=handle)
            raise

    def finish(self, entry: Entry, path: str, handle: int) -> None:
        """The mode and times of a directory, after all below it."""
        inner = os.open(path.rsplit("/", 1)[-1], _DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
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
            os.link(os.path.join(self.root, link), name, dst_dir_fd=handle, follow_symlinks=False)
        elif entry.kind == "file":
            inner = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=handle)
            try:
                _write(inner, pieces, entry.sparse)
                self._dress(entry, inner)
                os.fsync(inner)
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
