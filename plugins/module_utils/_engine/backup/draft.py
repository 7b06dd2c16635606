# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next manifest, written while both sides are compared: begun at the first difference, so that nothing is written where there is none."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, dump
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.manifest import ManifestWriter, Row
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending

_MOST_WAITING = 20_000
_Use = t.Tuple[t.Optional[str], int]  # archive, bytes of a content in it


class Draft:
    """Takes each row of the last manifest, and each new one, in their order.

    :arg pending: opens the file
    :arg before: the rows of the last manifest, once more
    :ivar used: archives that rows name, and how many bytes they have there
    """

    def __init__(self, pending: t.Callable[[], Pending], before: t.Callable[[], t.Iterable[Row]]) -> None:
        self._pending, self._before = pending, before
        self._at = 0
        self._waiting: dict[int, tuple[_Use, bytes]] = {}
        self._file: Pending | None = None
        self._writer: ManifestWriter | None = None
        self.used: dict[str, int] = {}

    def keep(self, row: Row) -> None:
        """A path that is as it was."""
        self._at += 1
        if self._writer is not None:
            self._add(_use_of(row.row), row.line)

    def amend(self, entry: Entry) -> None:
        """A path of which nothing but times differ: that alone is no reason to write."""
        if self._writer is None and len(self._waiting) < _MOST_WAITING:
            self._waiting[self._at] = (_use(entry), dump(entry))
        else:
            self._begun()
            self._add(_use(entry), dump(entry))
        self._at += 1

    def replace(self, entry: Entry) -> None:
        """A path that is another one than before."""
        self.put(entry)
        self._at += 1

    def put(self, entry: Entry) -> None:
        """A path that was not there before."""
        self._begun()
        self._add(_use(entry), dump(entry))

    def drop(self) -> None:
        """A path that is not there any more."""
        self._begun()
        self._at += 1

    def close(self) -> dict[str, t.Any]:
        """Put the manifest in its place; what the record says of it."""
        writer = self._begun()
        about = {"sha256": writer.close(), "rows": writer.rows}
        if self._file is not None:
            self._file.commit()
        return about

    def abandon(self) -> None:
        """Remove what was written, if it is not in its place."""
        if self._writer is not None:
            self._writer.abandon()
        if self._file is not None:
            self._file.__exit__()

    def _begun(self) -> ManifestWriter:
        if self._writer is None:
            self._file = self._pending()
            self._writer = ManifestWriter(self._file.file)
            for at, row in enumerate(itertools.islice(self._before(), self._at)):
                use, line = self._waiting.get(at) or (_use_of(row.row), row.line)
                self._add(use, line)
            self._waiting = {}
        return self._writer

    def _add(self, use: _Use, line: bytes) -> None:
        if self._writer is not None:
            self._writer.add(line)
        archive, size = use
        if archive:
            self.used[archive] = self.used.get(archive, 0) + size


def _use_of(row: t.Mapping[str, t.Any]) -> _Use:
    get = row.get
    return get("archive"), get("size", 0) if "sha256" in row and "hardlink" not in row else 0


def _use(entry: Entry) -> _Use:
    return entry.archive, entry.size if entry.sha256 and entry.hardlink is None else 0


class NoDraft(Draft):
    """For a look that writes nothing."""

    def __init__(self) -> None:
        pass

    def keep(self, row: Row) -> None:
        """Nothing."""

    def amend(self, entry: Entry) -> None:
        """Nothing."""

    def replace(self, entry: Entry) -> None:
        """Nothing."""

    def put(self, entry: Entry) -> None:
        """Nothing."""

    def drop(self) -> None:
        """Nothing."""

    def abandon(self) -> None:
        """Nothing."""
