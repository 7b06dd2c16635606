# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small named values that rooms keep between runs and share between processes."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import (
    Unit,
    dump,
    load,
)


def get(unit: Unit, space: str, key: str, default: t.Any = None) -> t.Any:
    """The value kept as ``key`` in the room's ``space``."""
    row = unit.one("SELECT value FROM marks WHERE space = ? AND key = ?", (space, key))
    return default if row is None else load(row[0], default)


def put(unit: Unit, space: str, key: str, value: t.Any) -> None:
    """Keep a value that JSON can hold."""
    unit.execute(
        "INSERT INTO marks (space, key, value, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, at = excluded.at",
        (space, key, dump(value), unit.now),
    )


def forget(unit: Unit, space: str, before: float) -> None:
    """Forget what was put into a space before a time."""
    unit.execute("DELETE FROM marks WHERE space = ? AND at < ?", (space, before))
