# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there and not in a snapshot, for those who want exactly what was: found by what the backup would have taken, and removed.

What the backup left out on purpose or could not read is never removed, nor are sockets, other file systems, and what a restore kept aside.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.patterns import Patterns
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.target import Target

_ASIDE = re.compile(r".*\.[0-9]+\.[0-9]{4}-[0-9]{2}-[0-9]{2}@[0-9]{2}:[0-9]{2}:[0-9]{2}~", re.DOTALL)


class Extra(t.NamedTuple):
    """A path that the snapshot does not hold.

    :ivar path: as it would be in the snapshot; :ivar place: where it is; :ivar folder: whether it is a directory
    :ivar way: whether it stands where something else is to be put back; :ivar loose: see :meth:`target.Target.parent`
    """

    path: str
    place: str
    folder: bool
    way: bool
    loose: int


class Extras:
    """Looks for them.

    :arg dest: see :class:`restore.Wish`; :arg paths: those that are wanted back
    :raises BackupError: the snapshot does not say what was left out of it
    """

    def __init__(self, repository: Repository, record: t.Mapping[str, t.Any], paths: t.Sequence[str], dest: str | None) -> None:
        asked = record.get("selection")
        if not isinstance(asked, dict):
            raise BackupError(f"the snapshot {record['id']} does not say what was left out of it, so nothing can be removed by it")
        self._repository, self._record = repository, record
        self._wanted, self._dest = paths, dest
        self._roots: list[str] = asked["paths"]
        self._exclude, self._include = Patterns(asked["exclude"]), Patterns(asked["include"])
        self._left_out = {*(record.get("left_out") or ()), *(record.get("torn") or ())}
        self._problems: list[str] = record.get("problems") or []

    def find(self) -> list[Extra]:
        """All of them, what is in a directory before the directory."""
        held = {row["path"]: row["kind"] == "directory" for row, _line in self._repository.rows(self._record)}
        found: list[Extra] = []
        for root in self._roots:
            if root not in held:
                continue
            place = self._place(root)
            with contextlib.suppress(OSError):
                status = os.lstat(place)
                if stat.S_ISDIR(status.st_mode):
                    self._look(root, status.st_dev, held, found)
        return found

    def _look(self, root: str, device: int, held: t.Mapping[str, bool], found: list[Extra]) -> None:
        """Depth first; a directory comes up again when all in it was seen."""
        todo = [(root, not held[root], False)]
        pinned: set[str] = set()  # directories in which something stays
        loose = 0 if self._dest else root.lstrip("/").count("/")
        while todo:
            path, way, done = todo.pop()
            extra = path not in held or way
            if done and path in pinned:
                pinned.add(os.path.dirname(path))
                continue
            if done:
                if (path not in held or not held[path]) and self._is_wanted(path):
                    found.append(Extra(path, self._place(path), True, way, loose))
                continue
            if extra:
                todo.append((path, way, True))
            for item in self._inside(path):
                below = os.path.join(path, item.name)
                status = item.stat(follow_symlinks=False)
                folder = stat.S_ISDIR(status.st_mode)
                if status.st_dev != device or self._is_spared(below, item.name, folder) or stat.S_ISSOCK(status.st_mode):
                    pinned.add(path)
                    continue
                blocked = way or (folder and below in held and not held[below])
                if folder:
                    todo.append((below, blocked, False))
                elif below not in held and self._is_wanted(below):
                    found.append(Extra(below, self._place(below), False, way, loose))

    def _inside(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._place(path)) as entries:
                return sorted(entries, key=lambda item: item.name)
        except OSError:
            return []

    def _is_spared(self, path: str, name: str, folder: bool) -> bool:
        if self._place(path) == self._repository.path or path in self._left_out or _ASIDE.fullmatch(name):
            return True
        if self._exclude and self._exclude.fits(path, name, folder):
            return True
        if self._include and not folder and not self._include.fits(path, name, False):
            return True
        return any(problem.startswith(f"{shown(path)} cannot ") for problem in self._problems)

    def _is_wanted(self, path: str) -> bool:
        return not self._wanted or any(path == wish or path.startswith(wish.rstrip("/") + "/") for wish in self._wanted)

    def _place(self, path: str) -> str:
        return os.path.join(self._dest, path.lstrip("/")) if self._dest else path


def remove(extras: t.Sequence[Extra], dest: str | None, keep: bool) -> list[str]:
    """Remove them; a directory only when it is empty.

    :arg keep: rename them instead, as what a restore replaces
    :return: the names that they were given
    :raises BackupError: one of them cannot be removed
    """
    target, kept = Target(dest or "/"), []
    for extra in extras:
        path = extra.path.lstrip("/")
        name = path.rsplit("/", 1)[-1]
        handle = target.parent(path, extra.loose)
        try:
            if extra.folder:
                os.rmdir(name, dir_fd=handle)
            elif keep:
                aside = f"{name}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
                os.rename(name, aside, src_dir_fd=handle, dst_dir_fd=handle)
                kept.append(os.path.join(os.path.dirname(extra.place), aside))
            else:
                os.unlink(name, dir_fd=handle)
        except FileNotFoundError:
            continue
        except OSError as exc:
            if not extra.folder or exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise BackupError(f"{shown(extra.place)} cannot be removed: {os.strerror(exc.errno or 0).lower()}") from exc
        finally:
            os.close(handle)
    return kept
