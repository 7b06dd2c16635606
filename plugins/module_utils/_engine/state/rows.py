# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of rows of the outbox beside them: whom they call by name, and how many parts of a long text were taken."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, load

_CALLED, _PARTS = "mention", "parts"
_KEPT = 90 * 86400.0
_SKEW = 60.0


class Parts(t.NamedTuple):
    """``taken`` of at most ``most`` parts were taken by the receiver; ``text`` tells whether it is still the same text."""

    taken: int
    most: int
    text: str


def call(unit: Unit, rows: t.Iterable[int], names: t.Sequence[str]) -> None:
    """These rows call these people, and nobody where there are none."""
    marks.forget(unit, _CALLED, unit.now - _KEPT)
    for row in rows:
        marks.put(unit, _CALLED, str(row), list(names))


def called(unit: Unit, rows: t.Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Whom they call, of those rows for which that was said."""
    found: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(rows), 500):
        part = [str(row) for row in rows[start : start + 500]]
        places = ",".join("?" * len(part))
        for key, value in unit.all(f"SELECT key, value FROM marks WHERE space = ? AND key IN ({places})", [_CALLED, *part]):
            found[int(key)] = tuple(str(name) for name in load(value, []))
    return found


def unstick(unit: Unit, channel: str) -> int:
    """The clock went back: what waits for a time that was counted from a later now does not wait any more. Returns how many do not."""
    return unit.execute(
        "UPDATE outbox SET next_at = ?, updated = ? WHERE state = 'queued' AND channel = ? AND updated > ? AND next_at > ?",
        (unit.now, unit.now, channel, unit.now + _SKEW, unit.now),
    )


def took(unit: Unit, row: int, parts: Parts) -> None:
    """The receiver took another part."""
    marks.forget(unit, _PARTS, unit.now - _KEPT)
    marks.put(unit, _PARTS, str(row), list(parts))


def parts(unit: Unit, row: int) -> Parts | None:
    """What was taken of a row already; None for nothing."""
    found = marks.get(unit, _PARTS, str(row))
    return Parts(int(found[0]), int(found[1]), str(found[2])) if isinstance(found, list) and len(found) == 3 else None


def drop(unit: Unit, rows: t.Iterable[int]) -> None:
    """They have been told."""
    unit.many("DELETE FROM marks WHERE space = ? AND key = ?", [(space, str(row)) for row in rows for space in (_CALLED, _PARTS)])
