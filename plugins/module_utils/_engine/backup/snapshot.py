# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a snapshot: what is as it was is only looked at, what is new is read once and stored once."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.content import xattrs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.draft import Draft, NoDraft
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import entry_of, order, packed_xattrs, untouched
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.manifest import Row
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Comparer, Options, Outcome
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import FORMAT, Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.taker import Taker
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Found, Selection, Walk

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
        self._id = ""

    def _begin(self, parent: dict[str, t.Any] | None) -> None:
        repository = self._repository
        self._parent = parent
        self._walk = Walk(self._selection, repository.path)
        self._outcome = Outcome()
        comparer = self._comparer if parent else None
        self._taker = Taker(repository, self._selection, self._options, self._id, self._outcome, self._dry, comparer)
        self._draft = NoDraft() if self._dry else Draft(lambda: Pending(repository.scratch(), repository.manifest(self._id)), self._before)

    def take(self, now: float) -> Outcome:
        """Look, and store what is new.

        Where the last snapshot cannot be read any more, everything is looked at as if it were the first, and a problem says so.

        :arg now: seconds since 1970, for the id of the snapshot
        :raises BackupError: the repository cannot be written; what was there is unharmed
        """
        began = time.time_ns()
        self._id = self._repository.new_id(now)
        self._begin(None)
        try:
            if not self._dry:
                self._repository.shelf.mend()
            try:
                self._begin(self._last())
                self._compare()
            except Damaged as exc:
                self._drop()
                self._begin(None)
                self._outcome.problems.append(f"{exc}; everything was looked at anew")
                self._compare()
            outcome = self._outcome
            outcome.problems += [*self._repository.shelf.mended, *self._walk.problems]
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

    def _before(self) -> t.Iterable[Row]:
        return self._repository.rows(self._parent) if self._parent else ()

    def _drop(self) -> None:
        """Let go of what was not committed."""
        self._taker.abandon()
        self._draft.abandon()

    # --- looking ---

    def _compare(self) -> None:
        """Both sides are sorted alike, so they are merged as they are read."""
        parent, count = self._parent, 0
        before = iter(self._before())
        sure = int(parent["scanned"]) - _RACY if parent and not self._options.paranoid else 0
        row = next(before, None)
        for found in self._walk:
            path = found.path
            if row is not None and row.row["path"] != path:
                key = order(path)
                while row is not None and order(row.row["path"]) < key:
                    self._gone(row)
                    row = next(before, None)
            if row is not None and row.row["path"] == path:
                self._again(row, found, sure)
                row = next(before, None)
            else:
                self._new(found)
            count += 1
        while row is not None:
            self._gone(row)
            row = next(before, None)
        self._outcome.stats["paths"] = count

    def _again(self, row: Row, found: Found, sure: int) -> None:
        """A path that was there before."""
        status, is_file = found.status, found.kind == "file"
        if is_file:
            self._outcome.stats["bytes"] += status.st_size
        if untouched(row.row, found.kind, status) and self._sure(row.row, found, sure):
            if is_file and status.st_nlink > 1 and "hardlink" not in row.row:
                self._taker.note(row.row)
            self._draft.keep(row)
            return
        before = entry_of(row.row)
        try:
            entry = self._taker.entry(found, before)
        except FileNotFoundError:
            self._gone(row)
            return
        if entry is None:
            self._draft.keep(row)
        elif entry.same_thing(before):
            self._draft.amend(entry)
        else:
            self._draft.replace(entry)
            self._outcome.modified.append(found.path)

    def _sure(self, row: t.Mapping[str, t.Any], found: Found, sure: int) -> bool:
        """Whether a path that looks as it did is as it was."""
        status = found.status
        if found.kind == "file":
            return not row.get("torn") and status.st_mtime_ns < sure and status.st_ctime_ns < sure
        if found.kind == "directory" and row.get("ctime") != status.st_ctime_ns:
            return (row.get("xattrs") or {}) == packed_xattrs(xattrs(found.path))
        return True

    def _new(self, found: Found) -> None:
        try:
            entry = self._taker.entry(found, None)
        except FileNotFoundError:
            return
        if entry is not None:
            self._draft.put(entry)
            self._outcome.added.append(found.path)
            self._outcome.stats["bytes"] += entry.size if entry.kind == "file" else 0

    def _gone(self, row: Row) -> None:
        """A path that is not there any more, unless nobody could look."""
        path = row.row["path"]
        if any(path.startswith(place.rstrip("/") + "/") or path == place for place in self._walk.unseen):
            self._draft.keep(row)
            return
        self._draft.drop()
        self._outcome.removed.append(path)

    # --- writing ---

    def _commit(self, now: float, began: int) -> None:
        """Archive, its index, the manifest, and last the record, each whole and on the disk before the next."""
        archive = self._taker.close()
        manifest = self._draft.close()
        outcome = self._outcome
        record = {
            "format": FORMAT,
            "id": self._id,
            "name": self._options.name,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
            "host": self._options.host,
            "paths": sorted({*self._selection.paths, *self._selection.streams}),
            "selection": self._selection.described(),
            "parent": self._parent["id"] if self._parent else None,
            "scanned": began,
            "manifest": manifest,
            "archive": archive,
            "archives": sorted(self._draft.used if archive is None else {*self._draft.used, self._id}),
            "uses": self._draft.used,
            "added": len(outcome.added),
            "modified": len(outcome.modified),
            "removed": len(outcome.removed),
            "torn": outcome.torn,
            "left_out": outcome.left_out,
            "problems": outcome.problems,
            "stats": outcome.stats,
        }
        self._repository.commit(record)
        outcome.snapshot = self._id
