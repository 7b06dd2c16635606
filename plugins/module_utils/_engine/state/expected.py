# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are expected again and again: each says when it ends how soon the next one is due. Times are seconds."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, dump, load


class Expected(t.NamedTuple):
    """A run; ``body`` holds severity and service of its alarm."""

    name: str
    every: float
    grace: float
    last_at: float
    body: dict[str, t.Any]


def put(unit: Unit, one: Expected) -> None:
    """The run was seen at ``last_at``."""
    unit.execute(
        "INSERT INTO expected (name, every, grace, last_at, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
        " every = excluded.every, grace = excluded.grace, last_at = excluded.last_at, body = excluded.body",
        (one.name, one.every, one.grace, one.last_at, dump(one.body)),
    )


def every(unit: Unit) -> list[Expected]:
    """All, by name."""
    rows = unit.all("SELECT name, every, grace, last_at, body FROM expected ORDER BY name")
    return [Expected(row[0], row[1], row[2], row[3], load(row[4], {})) for row in rows]


def forget(unit: Unit, name: str) -> int:
    """It is not expected any more."""
    return unit.execute("DELETE FROM expected WHERE name = ?", (name,))
