# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what is new or may be, and storing what the repository does not hold yet."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.archive import Writer
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.content import TRIES, Content, pieces, read, xattrs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, entry_of, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Comparer, Options, Outcome
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.owners import Owners
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Found, Selection, seen


class Taker:
    """Makes the entries of one snapshot.

    :arg archive: id of the archive that it writes, if there is anything to write
    :arg dry: nothing is written
    :arg comparer: sees each content that is new, where there is a snapshot before this one
    """

    def __init__(
        self,
        repository: Repository,
        selection: Selection,
        options: Options,
        archive: str,
        outcome: Outcome,
        dry: bool,
        comparer: Comparer | None,
    ) -> None:
        self._repository, self._selection, self._options = repository, selection, options
        self._archive, self._outcome, self._dry, self._comparer = archive, outcome, dry, comparer
        self._codec = codec(options.compression)
        self._owners = Owners()
        self._links: dict[str, Entry] = {}
        self._known: dict[bytes, str] | None = None
        self._pending: Pending | None = None
        self._writer: Writer | None = None

    def note(self, row: t.Mapping[str, t.Any]) -> None:
        """A file with several names that is as it was."""
        self._links[row["inode"]] = entry_of(row)

    def entry(self, found: Found, before: Entry | None) -> Entry | None:
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
        if entry.kind == "socket":
            return entry
        if before is not None and entry.same_thing(before):
            entry.archive = before.archive
            return entry
        if first is None:
            entry.archive = self._archive
        if not self._dry:
            self._started().add(entry)
        return entry

    def close(self) -> dict[str, t.Any] | None:
        """Put the archive and then its index in their places; what the record says of it. None where there is nothing new."""
        if self._writer is None or self._pending is None:
            return None
        repository, writer = self._repository, self._writer
        writer.close()
        self._pending.commit(alone=False)
        repository.shelf.changed()
        index = writer.index()
        with Pending(repository.scratch(), repository.archive_index(self._archive)) as pending:
            pending.file.write(index)
            pending.commit(sure=False)  # after a power cut it may be damaged, and is made anew of the archive
        repository.shelf.changed()
        self._outcome.stats["stored_bytes"] = writer.bytes
        return {"sha256": writer.sha256, "bytes": writer.bytes, "index_sha256": hashlib.sha256(index).hexdigest()}

    def abandon(self) -> None:
        """Let go of what was not put in its place."""
        if self._writer is not None:
            self._writer.abandon()
        if self._pending is not None:
            self._pending.__exit__()

    # --- files ---

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
            entry.archive = self._held().get(bytes.fromhex(content.sha256))
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
        if self._comparer is not None:
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
        entry.archive = self._archive
        self._outcome.stats["new_bytes"] += entry.size
        writer = self._started()
        if content.data is not None:
            entry.size = len(content.data)
            writer.small(entry, content.data, bytes.fromhex(content.sha256))
        else:
            entry.sha256 = writer.add(entry, pieces(self._selection.place(entry.path), content))
        self._held()[bytes.fromhex(entry.sha256 or "")] = self._archive
        return entry.sha256 == content.sha256

    def _started(self) -> Writer:
        if self._writer is None:
            repository = self._repository
            self._pending = Pending(repository.scratch(), repository.shelf.fresh(self._archive, self._codec.suffix))
            self._writer = Writer(self._pending.file, self._options.workers, self._codec)
        return self._writer

    def _held(self) -> dict[bytes, str]:
        """sha256 -> archive of all that the repository holds, asked when something is new."""
        if self._known is None:
            self._known = {}
            for archive in reversed(self._repository.archives()):  # the oldest that holds it is named
                try:
                    self._known.update(dict.fromkeys(self._repository.shelf.hashes(archive), archive))
                except Damaged as exc:  # what is in it is stored once more
                    self._outcome.problems.append(str(exc))
        return self._known


class _Unreadable(Exception):
    """A sentence."""
