# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restoring: what differs from a snapshot, and putting it back."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.archive import Reader, Stored
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.content import xattrs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import KINDS, Entry, entry_of, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.target import Target
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Found, seen

_PIECE = 1 << 20
_DEVICES = ("character_device", "block_device")


class Wish(t.NamedTuple):
    """What is wanted back.

    :ivar paths: absolute, with all below them; all if empty
    :ivar dest: directory below which the original paths are made; None for their own places
    :ivar keep: rename what is replaced instead of losing it
    :ivar devices: device files, too
    """

    paths: tuple[str, ...] = ()
    dest: str | None = None
    keep: bool = False
    devices: bool = False


class Restore:
    """One snapshot on its way back.

    :raises BackupError: nothing in the snapshot is below one of the paths
    """

    def __init__(self, repository: Repository, record: t.Mapping[str, t.Any], wish: Wish) -> None:
        self._repository = repository
        self._record = record
        self._wish = wish
        self._root = os.path.normpath(wish.dest) if wish.dest else "/"
        self.warnings: list[str] = []
        self.kept: list[str] = []
        self._steps: list[Entry] = []
        self._all: list[Entry] = []
        self._paths: set[str] = set()

    def plan(self) -> list[Entry]:
        """The entries that are not there as they should be, in the order of the manifest."""
        missing = set(self._wish.paths)
        for row in self._repository.rows(self._record):
            path = row.row["path"]
            found = [wanted for wanted in self._wish.paths if path == wanted or path.startswith(wanted.rstrip("/") + "/")]
            if self._wish.paths and not found:
                continue
            missing.difference_update(found)
            entry = entry_of(row.row)
            _refuse_escape(entry)
            if entry.kind == "socket":
                continue
            if entry.kind in _DEVICES and not self._wish.devices:
                self.warnings.append(f"{shown(path)} is a device and left out; ask for devices to have it back")
                continue
            self._all.append(entry)
            self._paths.add(path)
            if not self._is_there(entry):
                self._steps.append(entry)
        if missing:
            raise BackupError(f"the snapshot {self._record['id']} holds no {shown(sorted(missing)[0])}")
        return self._steps

    def run(self) -> None:
        """Put back what :meth:`plan` found.

        :raises BackupError: a content is damaged, or cannot be written; what was put back before stays
        """
        if self._wish.dest:
            try:
                os.makedirs(self._root, 0o700, exist_ok=True)
            except OSError as exc:
                raise refusal(exc, self._root, "made") from exc
        target = Target(self._root)
        places = self._places()
        readers: dict[str, Reader] = {}
        try:
            for entry in sorted(self._steps, key=lambda entry: _turn(entry, places)):
                self._put(target, entry, places, readers)
            for entry in self._directories():
                with target.parent(_inside(entry.path), self._loose(entry.path)) as handle:
                    target.finish(entry, _inside(entry.path), handle)
        except OSError as exc:
            raise refusal(exc, exc.filename if isinstance(exc.filename, str) else self._root, "restored") from exc
        finally:
            for reader in readers.values():
                reader.close()
        self.warnings += target.warnings

    def _put(self, target: Target, entry: Entry, places: dict[str, Stored], readers: dict[str, Reader]) -> None:
        if entry.path == "/":
            return
        path = _inside(entry.path)
        with target.parent(path, self._loose(entry.path)) as handle:
            if self._wish.keep and entry.kind != "directory":
                self._set_aside(path, handle)
            first = entry.hardlink
            if first is not None and first in self._paths:
                target.put(entry, path, handle, link=_inside(first))
                return
            pieces: t.Iterable[bytes] = ()
            if entry.kind == "file" and entry.size:
                place = places.get(entry.sha256 or "")
                if place is None:
                    raise Damaged(f"no archive holds the content of {shown(entry.path)}")
                if place.archive not in readers:
                    readers[place.archive] = Reader(self._repository.archive(place.archive), place.archive)
                pieces = checked(readers[place.archive].read(place), entry)
            target.put(entry, path, handle, pieces)

    def _directories(self) -> list[Entry]:
        """The directories that were put back or in which something was, the deepest first; others are left alone."""
        touched = {place for entry in self._steps for place in (entry.path, os.path.dirname(entry.path))}
        return [entry for entry in reversed(self._all) if entry.kind == "directory" and entry.path != "/" and entry.path in touched]

    def _set_aside(self, path: str, handle: int) -> None:
        """Rename what is there as Ansible names its backups."""
        name = path.rsplit("/", 1)[-1]
        other = f"{name}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, other, src_dir_fd=handle, dst_dir_fd=handle)
            self.kept.append(os.path.join(self._root, os.path.dirname(path), other))

    def _places(self) -> dict[str, Stored]:
        """Where each content lies that is wanted."""
        found: dict[str, Stored] = {}
        for archive in sorted({entry.archive for entry in self._steps if entry.archive}):
            found.update(self._repository.contents(archive))
        return found

    def _loose(self, path: str) -> int:
        """How many parts of a path may be symlinks: those above all that the snapshot holds, in their own places."""
        if self._wish.dest:
            return 0
        root = next((entry for entry in self._all if path == entry.path or path.startswith(entry.path.rstrip("/") + "/")), None)
        return _inside(root.path).count("/") if root is not None and self._is_root(root.path) else 0

    def _is_root(self, path: str) -> bool:
        return any(path == root for root in self._record.get("paths") or (path,))

    def _place(self, path: str) -> str:
        return os.path.join(self._root, _inside(path)) if self._wish.dest else path

    def _is_there(self, entry: Entry) -> bool:
        place = self._place(entry.path)
        try:
            status = os.lstat(place)
            if entry.hardlink in self._paths and os.lstat(self._place(entry.hardlink or "")).st_ino != status.st_ino:
                return False
            if status.st_mode >> 12 not in {mode >> 12 for mode, kind in KINDS.items() if kind == entry.kind}:
                return False
            now = seen(Found(place, entry.kind, status))
            own = (now.mode, now.target, now.device) == (entry.mode, entry.target, entry.device)
            if not own or (os.geteuid() == 0 and (now.uid, now.gid) != (entry.uid, entry.gid)) or xattrs(place) != entry.xattrs:
                return False
            if entry.kind != "file":
                return True
            return now.size == entry.size and _hash(place) == (entry.sha256 or hashlib.sha256().hexdigest())
        except OSError:
            return False


def checked(pieces: t.Iterable[bytes], entry: Entry) -> t.Iterator[bytes]:
    """The pieces of a content, and a refusal at their end when they are not what was backed up.

    :raises Damaged: as said
    """
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != entry.sha256:
        raise Damaged(f"the content of {shown(entry.path)} in the archive {entry.archive} is not what was backed up")


def _turn(entry: Entry, places: t.Mapping[str, Stored]) -> tuple[t.Any, ...]:
    """Directories first, then contents as they lie in the archives, then other names of files."""
    place = places.get(entry.sha256 or "") if entry.kind == "file" else None
    return (entry.kind != "directory", entry.hardlink is not None, *(place[:3] if place else ("", 0, 0)))


def _inside(path: str) -> str:
    return path.lstrip("/")


def _refuse_escape(entry: Entry) -> None:
    """A manifest is data from outside: what it names must lie where it says.

    :raises Damaged: a path is not absolute and plain
    """
    if not entry.path.startswith("/") or entry.path != os.path.normpath(entry.path).replace("//", "/") or "\0" in entry.path:
        raise Damaged(f"the manifest names the path {shown(entry.path)!r}, which is not absolute and plain")


def _hash(path: str) -> str:
    digest = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while True:
            piece = os.read(handle, _PIECE)
            if not piece:
                return digest.hexdigest()
            digest.update(piece)
    finally:
        os.close(handle)
