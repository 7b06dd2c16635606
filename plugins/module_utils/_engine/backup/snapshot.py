# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a snapshot: what is as it was is only looked at, what is new is read once and stored once."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.archive import Writer
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.content import TRIES, Content, pieces, read, xattrs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, dump, entry_of, order, shown, untouched
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.manifest import ManifestWriter
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Comparer, Options, Outcome, Plan
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.owners import Owners
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import FORMAT, Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Found, Selection, Walk, seen

_RACY = 2 * 10**9  # nanoseconds: a file that was written so shortly before it was looked at may change without a trace (as git calls it)


class Snapshot:
    """One look at a selection, and the snapshot of it if something is new.

    :arg dry: nothing is written
    :arg comparer: sees each content that is new
    """

    def __init__(
        self, repository: Repository, selection: Selection, options: Options, dry: bool = False, comparer: Comparer | None = None
    ) -> None:
        self._repository = repository
        self._selection = selection
        self._options = options
        self._dry = dry
        self._comparer = comparer
        self._owners = Owners()
        self._known: dict[str, str] | None = None
        self._id = ""
        self._stored = ""
        self._begin()

    def _begin(self) -> None:
        self._walk = Walk(self._selection, self._repository.path)
        self._links: dict[str, Entry] = {}
        self._plan = Plan()
        self._outcome = Outcome()
        self._parent: dict[str, t.Any] | None = None
        self._pending: Pending | None = None
        self._writer: Writer | None = None

    def take(self, now: float) -> Outcome:
        """Look, and store what is new.

        Where the last snapshot cannot be read any more, everything is looked at as if it were the first, and a problem says so.

        :arg now: seconds since 1970, for the id of the snapshot
        :raises BackupError: the repository cannot be written; what was there is unharmed
        """
        began = time.time_ns()
        self._id = self._repository.new_id(now)
        try:
            try:
                self._parent = self._last()
                self._compare()
            except Damaged as exc:
                self._drop()
                self._begin()
                self._outcome.problems.append(f"{exc}; everything was looked at anew")
                self._compare()
            outcome = self._outcome
            outcome.problems += self._walk.problems
            outcome.left_out = self._walk.left_out
            if outcome.changed and not self._dry:
                self._commit(now, began)
        except OSError as exc:
            raise refusal(exc, self._repository.path, "written") from exc
        finally:
            self._drop()
        return outcome

    def _last(self) -> dict[str, t.Any] | None:
        ids = self._repository.ids(self._options.name)
        return self._repository.record(self._options.name, ids[-1]) if ids else None

    def _drop(self) -> None:
        """Let go of what was not committed."""
        if self._writer is not None:
            self._writer.abandon()
        if self._pending is not None:
            self._pending.__exit__()

    # --- looking ---

    def _compare(self) -> None:
        """Both sides are sorted alike, so they are merged as they are read."""
        parent = self._parent
        before = iter(self._repository.rows(parent) if parent else ())
        sure = int(parent["scanned"]) - _RACY if parent and not self._options.paranoid else 0
        at, row = 0, next(before, None)
        for found in self._walk:
            key = order(found.path)
            while row is not None and order(row.row["path"]) < key:
                self._gone(at, row.row)
                at, row = at + 1, next(before, None)
            if row is not None and row.row["path"] == found.path:
                self._again(at, row.row, found, sure)
                at, row = at + 1, next(before, None)
            else:
                self._new(at, found)
            self._outcome.stats["paths"] += 1
        while row is not None:
            self._gone(at, row.row)
            at, row = at + 1, next(before, None)

    def _again(self, at: int, row: dict[str, t.Any], found: Found, sure: int) -> None:
        """A path that was there before."""
        self._outcome.stats["bytes"] += found.status.st_size if found.kind == "file" else 0
        if untouched(row, found.kind, found.status) and not row.get("torn"):
            racy = found.kind == "file" and max(found.status.st_mtime_ns, found.status.st_ctime_ns) >= sure
            if not racy:
                if found.status.st_nlink > 1 and found.kind == "file" and "hardlink" not in row:
                    self._links[row["inode"]] = entry_of(row)
                return
        before = entry_of(row)
        try:
            entry = self._entry(found, before)
        except FileNotFoundError:
            self._gone(at, row)
            return
        if entry is None:
            return
        self._plan.dropped.add(at)
        self._plan.put(at, entry)
        if not entry.same_thing(before):
            self._outcome.modified.append(found.path)

    def _new(self, at: int, found: Found) -> None:
        try:
            entry = self._entry(found, None)
        except FileNotFoundError:
            return
        if entry is not None:
            self._plan.put(at, entry)
            self._outcome.added.append(found.path)
            self._outcome.stats["bytes"] += entry.size if entry.kind == "file" else 0

    def _gone(self, at: int, row: dict[str, t.Any]) -> None:
        """A path that is not there any more, unless nobody could look."""
        path = row["path"]
        if any(path.startswith(place.rstrip("/") + "/") or path == place for place in self._walk.unseen):
            return
        self._plan.dropped.add(at)
        self._outcome.removed.append(path)

    # --- reading ---

    def _entry(self, found: Found, before: Entry | None) -> Entry | None:
        """The entry of a path, its content stored if need be; None where it cannot be read, so that what is known of it stays.

        :raises FileNotFoundError: it went meanwhile
        """
        entry = seen(found)
        entry.user, entry.group = self._owners.user(entry.uid), self._owners.group(entry.gid)
        entry.xattrs = xattrs(self._selection.place(found.path))
        first = self._links.get(entry.inode) if entry.kind == "file" and entry.links > 1 else None
        if first is not None:
            entry.hardlink, entry.sha256, entry.archive, entry.size = first.path, first.sha256, first.archive, first.size
        elif entry.kind == "file":
            try:
                self._read(entry, before)
            except _Unreadable as exc:
                self._outcome.problems.append(exc.args[0])
                return None
            if entry.links > 1:
                self._links[entry.inode] = entry
            return entry
        if entry.kind != "socket" and (before is None or not entry.same_thing(before)):
            self._store(entry)
        return entry

    def _read(self, entry: Entry, before: Entry | None) -> None:
        """Read a file, and store its content where the repository does not hold it yet."""
        for number in range(TRIES):
            content = self._content(entry.path)
            entry.size, entry.sha256, entry.torn = content.status.st_size, content.sha256, content.torn
            entry.mtime, entry.ctime = content.status.st_mtime_ns, content.status.st_ctime_ns
            self._outcome.stats["read_bytes"] += entry.size
            if before is not None and before.sha256 == entry.sha256:
                entry.archive = before.archive
                return
            if before is not None and self._comparer is not None and self._comparer.alike(before, content.data):
                entry.size, entry.sha256, entry.archive, entry.mtime = before.size, before.sha256, before.archive, before.mtime
                return
            if content.torn:
                break
            entry.archive = self._held().get(content.sha256)
            if entry.archive is not None or self._dry or self._keep(entry, content):
                break
            entry.torn = number == TRIES - 1
        if entry.torn:
            self._outcome.torn.append(entry.path)
            if before is not None and before.sha256 is not None:
                # the older version is whole, so it is worth more than the one that was caught in the middle
                entry.size, entry.sha256, entry.archive, entry.mtime = before.size, before.sha256, before.archive, before.mtime
                return
            if entry.archive is None and not self._dry:
                self._keep(entry, content)
        if self._comparer is not None and self._parent is not None:
            self._comparer.tell(entry, before, content.data)

    def _content(self, path: str) -> Content:
        try:
            return read(self._selection.place(path))
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise _Unreadable(f"{shown(path)} cannot be read: {os.strerror(exc.errno or 0).lower()}") from exc

    def _keep(self, entry: Entry, content: Content) -> bool:
        """Store a content; False where a large file was another one when it was read for the second time. The entry names what was stored."""
        entry.archive = self._id
        self._outcome.stats["new_bytes"] += entry.size
        if content.data is not None:
            entry.size = len(content.data)
            self._store(entry, (content.data,))
        else:
            self._store(entry, pieces(self._selection.place(entry.path), content))
        entry.sha256 = self._stored
        self._held()[self._stored] = self._id
        return self._stored == content.sha256

    def _store(self, entry: Entry, data: t.Iterable[bytes] = ()) -> None:
        if self._dry:
            return
        if self._writer is None:
            self._pending = Pending(self._repository.scratch(), self._repository.archive(self._id))
            self._writer = Writer(self._pending.file, self._options.workers)
        self._stored = self._writer.add(entry, data)

    def _held(self) -> dict[str, str]:
        """sha256 -> archive of all that the repository holds, asked when something is new."""
        if self._known is None:
            self._known = {}
            for archive in self._repository.archives():
                try:
                    for sha256 in self._repository.contents(archive):
                        self._known.setdefault(sha256, archive)
                except Damaged as exc:  # what is in it is stored once more
                    self._outcome.problems.append(str(exc))
        return self._known

    # --- writing ---

    def _commit(self, now: float, began: int) -> None:
        """Archive, its index, the manifest, and last the record, each whole and on the disk before the next."""
        repository, archive = self._repository, None
        if self._writer is not None and self._pending is not None:
            self._writer.close()
            self._pending.commit()
            index = self._writer.index()
            with Pending(repository.scratch(), repository.archive_index(self._id)) as pending:
                pending.file.write(index)
                pending.commit()
            archive = {"sha256": self._writer.sha256, "bytes": self._writer.bytes, "index_sha256": hashlib.sha256(index).hexdigest()}
            self._outcome.stats["stored_bytes"] = self._writer.bytes
        used: dict[str, int] = {}
        with Pending(repository.scratch(), repository.manifest(self._id)) as pending:
            writer = ManifestWriter(pending.file)
            for entry, line in self._next_rows():
                writer.add(line)
                if entry:
                    used[entry] = used.get(entry, 0) + 1
            manifest = {"sha256": writer.close(), "rows": writer.rows}
            pending.commit()
        outcome = self._outcome
        record = {
            "format": FORMAT,
            "id": self._id,
            "name": self._options.name,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
            "host": self._options.host,
            "parent": self._parent["id"] if self._parent else None,
            "scanned": began,
            "manifest": manifest,
            "archive": archive,
            "archives": sorted(used if archive is None else {**used, self._id: 0}),
            "added": len(outcome.added),
            "modified": len(outcome.modified),
            "removed": len(outcome.removed),
            "torn": outcome.torn,
            "problems": outcome.problems,
            "stats": outcome.stats,
        }
        repository.commit(record)
        outcome.snapshot = self._id

    def _next_rows(self) -> t.Iterator[tuple[str | None, bytes]]:
        """(archive of the content, line) of the new manifest."""
        plan, at = self._plan, -1
        before = self._repository.rows(self._parent) if self._parent else ()
        for at, row in enumerate(before):
            for entry in plan.entries.get(at, ()):
                yield entry.archive, dump(entry)
            if at not in plan.dropped:
                yield row.row.get("archive"), row.line
        for place in sorted(place for place in plan.entries if place > at):
            for entry in plan.entries[place]:
                yield entry.archive, dump(entry)


class _Unreadable(Exception):
    """A sentence."""
