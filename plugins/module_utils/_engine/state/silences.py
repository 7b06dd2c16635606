# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not told for a time. Times are seconds since the epoch."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import compact
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, dump, load

_COLUMNS = "id, matchers, starts_at, ends_at, comment, author, at"


class Silence(t.NamedTuple):
    """One silence; ``matchers`` as they were given."""

    id: str
    matchers: dict[str, t.Any]
    starts_at: float
    ends_at: float
    comment: str = ""
    author: str = ""
    at: float = 0.0


def name_of(matchers: t.Mapping[str, t.Any], start: float) -> str:
    """``VGS-20261121T200000Z-1f2e3d4c5b``."""
    return f"VGS-{compact(start)}-{hashlib.sha256(dump(matchers).encode('utf-8', 'replace')).hexdigest()[:10]}"


def _from_row(row: t.Sequence[t.Any]) -> Silence:
    return Silence(row[0], load(row[1], {}), *row[2:])


def save(unit: Unit, silence: Silence) -> None:
    """Write the silence in the place of the one with its id."""
    unit.execute(
        f"INSERT INTO silences ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET matchers = excluded.matchers,"
        " starts_at = excluded.starts_at, ends_at = excluded.ends_at, comment = excluded.comment, author = excluded.author, at = excluded.at",
        (silence.id, dump(silence.matchers), *silence[2:]),
    )


def lasting(unit: Unit) -> list[Silence]:
    """Those that are not over, begun or not, the first to end first."""
    return [_from_row(row) for row in unit.all(f"SELECT {_COLUMNS} FROM silences WHERE ends_at > ? ORDER BY ends_at, id", (unit.now,))]


def get(unit: Unit, name: str) -> Silence | None:
    """The silence with this id."""
    row = unit.one(f"SELECT {_COLUMNS} FROM silences WHERE id = ?", (name,))
    return _from_row(row) if row else None


def listing(unit: Unit, since: float, limit: int) -> list[Silence]:
    """Those that ended after a time or last, the newest first."""
    return [
        _from_row(row)
        for row in unit.all(f"SELECT {_COLUMNS} FROM silences WHERE ends_at >= ? ORDER BY starts_at DESC, id LIMIT ?", (since, limit))
    ]


def prune(unit: Unit, before: float) -> int:
    """Forget those that ended before a time."""
    return unit.execute("DELETE FROM silences WHERE ends_at < ?", (before,))
