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

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.content import xattrs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import KINDS, Entry, entry_of, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import Stored
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reach import reached
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reader import Reader
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.target import Parents, Replaced, Target
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Found, seen
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.cores import cores

_PIECE = 1 << 20
_TOGETHER = 2000  # paths that are sorted by where their contents lie, and put back together
_DEVICES = ("character_device", "block_device")
_EMPTY = hashlib.sha256().hexdigest()


class Wish(t.NamedTuple):
    """What is wanted back.

    :ivar paths: absolute, with all below them; all if empty
    :ivar dest: directory below which the original paths are made; None for their own places
    :ivar keep: rename what is replaced instead of losing it
    :ivar devices: device files, too
    :ivar apart: a directory of what never was a file of this host; all of it is left out, unless it is named or there is a dest
    """

    paths: tuple[str, ...] = ()
    dest: str | None = None
    keep: bool = False
    devices: bool = False
    apart: str | None = None


class Step(t.NamedTuple):
    """A path that is to be put back, and the archive that holds its content, if it has one."""

    path: str
    archive: str | None


class Restore:
    """One snapshot on its way back. Its manifest is read twice rather than held in memory.

    :arg workers: threads that unpack and write
    :raises BackupError: nothing in the snapshot is below one of the paths
    """

    def __init__(self, repository: Repository, record: t.Mapping[str, t.Any], wish: Wish, workers: int | None = None) -> None:
        self._repository = repository
        self._record = record
        self._wish = wish
        # more get into each other's way in the kernel, where files are made
        self._workers = workers or min(2, cores())
        self._root = os.path.normpath(wish.dest) if wish.dest else "/"
        self.warnings: list[str] = []
        self.kept: list[str] = []
        self._steps = bytearray()  # of each wanted path: whether it is to be put back
        self._touched: set[str] = set()
        self._linked: set[str] = set()  # wanted files with several names

    def plan(self) -> list[Step]:
        """The paths that are not there as they should be, in the order of the manifest."""
        missing = set(self._wish.paths)
        found: list[Step] = []
        for entry in self._wanted(missing, self.warnings):
            if entry.links > 1 and entry.hardlink is None:
                self._linked.add(entry.path)
            there = self._is_there(entry)
            self._steps.append(not there)
            if not there:
                found.append(Step(entry.path, entry.archive if entry.kind == "file" and entry.size else None))
                self._touched.add(os.path.dirname(entry.path))
        if missing:
            raise BackupError(f"the snapshot {self._record['id']} holds no {shown(sorted(missing)[0])}")
        return found

    def run(self) -> None:
        """Put back what :meth:`plan` found.

        :raises BackupError: a content is damaged, or cannot be written; what was put back before stays
        """
        from concurrent.futures import ThreadPoolExecutor

        if self._wish.dest:
            try:
                os.makedirs(self._root, 0o700, exist_ok=True)
            except OSError as exc:
                raise refusal(exc, self._root, "made") from exc
        target = Target(self._root)
        folders: list[Entry] = []
        try:
            with ThreadPoolExecutor(self._workers) as pool:
                steps: list[Entry] = []
                for number, entry in enumerate(self._wanted(set(), [])):
                    if entry.kind == "directory" and entry.path != "/" and (self._steps[number] or entry.path in self._touched):
                        folders.append(entry)
                    if self._steps[number]:
                        steps.append(entry)
                    if len(steps) >= _TOGETHER:
                        self._together(target, pool, steps)
                        steps = []
                self._together(target, pool, steps)
            with Parents(target) as parents:
                for entry in reversed(folders):
                    path = _inside(entry.path)
                    target.finish(entry, path, parents.of(path, self._loose(entry.path)))
            target.sync()
        except OSError as exc:
            raise refusal(exc, exc.filename if isinstance(exc.filename, str) else self._root, "restored") from exc
        finally:
            target.close()
        self.warnings += target.warnings

    # --- what is wanted ---

    def _wanted(self, missing: set[str], warnings: list[str]) -> t.Iterator[Entry]:
        """The entries that are wished for; warnings takes what is left out, and missing loses what is found."""
        wishes = tuple((wish, wish.rstrip("/") + "/") for wish in self._wish.paths)
        root: str | None = None
        self._roots: list[str] = list(self._record.get("paths") or ())
        derive = not self._roots
        apart = None if self._wish.dest or wishes else self._wish.apart
        for row in self._repository.rows(self._record):
            path = row.row["path"]
            if wishes:
                found = [wish for wish, below in wishes if path == wish or path.startswith(below)]
                if not found:
                    continue
                missing.difference_update(found)
            if apart is not None and (path == apart or path.startswith(apart + "/")):
                continue
            if derive and (root is None or not path.startswith(root.rstrip("/") + "/")):
                root = path  # a record that does not name them: what lies below nothing else
                self._roots.append(path)
            entry = entry_of(row.row)
            _refuse_escape(entry)
            if entry.kind == "socket":
                continue
            if entry.kind in _DEVICES and not self._wish.devices:
                warnings.append(f"{shown(path)} is a device and left out; ask for devices to have it back")
                continue
            yield entry

    def _loose(self, path: str) -> int:
        """How many parts of a path may be symlinks: those above what was backed up, in their own places."""
        if self._wish.dest:
            return 0
        roots = [root for root in self._roots if path == root or path.startswith(root.rstrip("/") + "/")]
        return _inside(min(roots, key=len)).count("/") if roots else 0

    def _place(self, path: str) -> str:
        return os.path.join(self._root, _inside(path)) if self._wish.dest else path

    def _is_there(self, entry: Entry) -> bool:
        place = self._place(entry.path)
        try:
            status = reached(os.lstat, place)
            if entry.hardlink in self._linked and reached(os.lstat, self._place(entry.hardlink or "")).st_ino != status.st_ino:
                return False
            if KINDS.get(status.st_mode & 0o170000) != entry.kind:
                return False
            now = seen(Found(place, entry.kind, status))
            own = (now.mode, now.target, now.device) == (entry.mode, entry.target, entry.device)
            if not own or (os.geteuid() == 0 and (now.uid, now.gid) != (entry.uid, entry.gid)) or xattrs(place) != entry.xattrs:
                return False
            if entry.kind != "file":
                return True
            return now.size == entry.size and reached(_hash, place) == (entry.sha256 or _EMPTY)
        except OSError:
            return False

    # --- putting it back ---

    def _together(self, target: Target, pool: t.Any, steps: t.Sequence[Entry]) -> None:
        """Put back some paths that follow each other: directories, then contents block by block on all cores, then other names of files."""
        blocks: dict[tuple[str, int], list[tuple[int, Entry, Stored]]] = {}
        links: list[Entry] = []
        replaced: list[Replaced] = []
        try:
            with Parents(target) as parents:
                for entry in steps:
                    if entry.hardlink in self._linked:
                        links.append(entry)
                        continue
                    place = self._stored(entry) if entry.kind == "file" and entry.size else None
                    if place is not None:
                        blocks.setdefault(place[:2], []).append((place.skip, entry, place))
                    elif entry.path != "/":
                        self._put(target, parents, entry, replaced)
            jobs = [pool.submit(self._block, target, archive, items, replaced) for (archive, _at), items in sorted(blocks.items())]
            for job in jobs:
                job.result()
            target.replace(replaced)
            with Parents(target) as parents:
                for entry in links:
                    self._put(target, parents, entry, replaced, link=_inside(entry.hardlink or ""))
                target.replace(replaced)
        finally:
            target.discard(replaced)

    def _block(self, target: Target, archive: str, items: list[tuple[int, Entry, Stored]], replaced: list[Replaced]) -> None:
        """Put back the contents that begin in one block of an archive."""
        reader = Reader(self._repository.archive(archive), archive)
        try:
            with Parents(target) as parents:
                for _skip, entry, place in sorted(items, key=lambda item: item[0]):
                    self._put(target, parents, entry, replaced, checked(reader.read(place), entry))
        finally:
            reader.close()

    def _put(
        self,
        target: Target,
        parents: Parents,
        entry: Entry,
        replaced: list[Replaced],
        pieces: t.Iterable[bytes] = (),
        link: str | None = None,
    ) -> None:
        path = _inside(entry.path)
        parent = parents.of(path, self._loose(entry.path))
        if self._wish.keep and entry.kind != "directory":
            self._set_aside(path, parent[0])
        target.put(entry, path, parent, replaced, pieces, link)

    def _stored(self, entry: Entry) -> Stored:
        """Where its content lies.

        :raises Damaged: nowhere
        """
        for archive in [entry.archive] if entry.archive else []:
            place = self._repository.contents(archive).get(entry.sha256 or "")
            if place is not None:
                return place
        raise Damaged(f"no archive holds the content of {shown(entry.path)}")

    def _set_aside(self, path: str, handle: int) -> None:
        """Rename what is there as Ansible names its backups."""
        name = path.rsplit("/", 1)[-1]
        other = f"{name}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, other, src_dir_fd=handle, dst_dir_fd=handle)
            self.kept.append(os.path.join(self._root, os.path.dirname(path), other))


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
