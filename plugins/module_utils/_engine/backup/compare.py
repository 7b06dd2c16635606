# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one snapshot changed."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import entry_of, order
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository


def differences(repository: Repository, record: t.Mapping[str, t.Any], before: t.Mapping[str, t.Any] | None) -> t.Iterator[tuple[str, str]]:
    """(``added``, ``modified`` or ``removed``, path) of a snapshot, held against another one; both manifests are read side by side.

    :raises Damaged: a manifest cannot be read
    """
    old = iter(repository.rows(before) if before else ())
    last = next(old, None)
    for row, line in repository.rows(record):
        key = order(row["path"])
        while last is not None and order(last.row["path"]) < key:
            yield "removed", last.row["path"]
            last = next(old, None)
        if last is None or last.row["path"] != row["path"]:
            yield "added", row["path"]
            continue
        if last.line != line and not entry_of(row).same_thing(entry_of(last.row)):
            yield "modified", row["path"]
        last = next(old, None)
    while last is not None:
        yield "removed", last.row["path"]
        last = next(old, None)
