# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One number of a check through its looks."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, clean, load

# What was learned of a host's numbers is in ``marks``, one row for each; the space carries the host.
LEARNED = "baseline:"


class Look(t.NamedTuple):
    """A number in the results; ``row`` grows with each of them, ``at`` is in seconds since the epoch."""

    row: int
    at: float
    status: str
    value: float


def space_of(host: str) -> str:
    """Where what was learned of a host is kept."""
    return LEARNED + clean(str(host))


def after(unit: Unit, host: str, key: str, metric: str, row: int, limit: int) -> list[Look]:
    """The last ``limit`` looks after a row, oldest first; those that saw nothing, or stood in for another check, are left out."""
    rows = unit.all(
        "SELECT id, at, status, metrics FROM results WHERE host = ? AND key = ? AND id > ?"
        " AND (status IN ('ok', 'warning', 'critical') OR (status = 'unknown' AND reason = ?)) ORDER BY id DESC LIMIT ?",
        (clean(str(host)), clean(key), int(row), LEARNING, int(limit)),
    )
    looks = [(number, at, status, load(metrics, {}).get(metric)) for number, at, status, metrics in reversed(rows)]
    return [Look(number, float(at), status, float(value)) for number, at, status, value in looks if isinstance(value, (int, float))]


def numbers(unit: Unit, host: str, key: str, metric: str, limit: int) -> list[tuple[float, float]]:
    """(seconds since the epoch, number) of the last ``limit`` looks, oldest first."""
    return [(look.at, look.value) for look in after(unit, host, key, metric, 0, limit)]
