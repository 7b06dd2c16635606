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


def take(unit: Unit, key: str, allowed: int, seconds: float) -> float:
    """Take one token of a budget of ``allowed`` in any ``seconds``: 0.0 when there was one, else how long to wait for the next.

    The times of the last tokens are kept, so that no stretch of ``seconds`` sees more than ``allowed``, whoever takes them.
    """
    used = [at for at in get(unit, "budget", key, []) if unit.now - seconds < at <= unit.now]
    if len(used) >= allowed:
        return max(used[-allowed] + seconds - unit.now, 0.05)
    put(unit, "budget", key, [*used, unit.now])
    return 0.0
