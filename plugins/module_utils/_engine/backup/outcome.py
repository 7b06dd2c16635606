# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a snapshot is asked for, and what came of it."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry


class Comparer(t.Protocol):
    """Who looks at contents; data is None for a large one."""

    def alike(self, before: Entry | None, data: bytes | None) -> bool:
        """Whether a content that differs counts as the same."""

    def tell(self, entry: Entry, before: Entry | None, data: bytes | None) -> None:
        """A content that is new."""


class Options(t.NamedTuple):
    """How a snapshot is taken.

    :ivar name: of the job; :ivar paranoid: read every file, whatever its times say; :ivar workers: threads that press
    :ivar host: written into the record; :ivar compression: of :data:`codec.SUFFIXES`
    """

    name: str
    paranoid: bool = False
    workers: int = 2
    host: str = ""
    compression: str = "gzip"


class Outcome:
    """What a look at a selection found.

    :ivar snapshot: id of the snapshot, None where there is none
    :ivar added, modified, removed: paths; :ivar torn: files that changed in every try, whose older version is kept where there is one
    :ivar problems: sentences of what could not be read: what was known of it is kept
    """

    def __init__(self) -> None:
        self.snapshot: str | None = None
        self.added: list[str] = []
        self.modified: list[str] = []
        self.removed: list[str] = []
        self.torn: list[str] = []
        self.problems: list[str] = []
        self.left_out: list[str] = []
        self.stats: dict[str, t.Any] = {"paths": 0, "bytes": 0, "read_bytes": 0, "new_bytes": 0, "stored_bytes": 0}

    @property
    def changed(self) -> bool:
        return bool(self.added or self.modified or self.removed)
