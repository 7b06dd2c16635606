# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far logs were read, what their rules remember, and which findings the receiver has not got yet.

A view keeps apart the tasks that read the same logs. Findings are numbered in the order in which they were kept; a batch names the store
and the last number that was handed out, so that a batch of a store that is gone does nothing.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import EVERY, Unit, dump, load

PORTION = 5000
MATCH, ALARM = "match", "alarm"
_ROUND = "log_round"
Body = t.Dict[str, t.Any]


def ledger(salt: str) -> str:
    """A name for this store that says nothing of its salt."""
    return hashlib.sha256(f"logs/{salt}".encode()).hexdigest()[:16]


def generation(unit: Unit, view: str) -> t.Any:
    """Another one whenever something of the view was kept: two runs at a time must not both have read the same lines."""
    return marks.get(unit, _ROUND, view)


def advance(unit: Unit, view: str, name: str) -> None:
    """Give the view its next generation."""
    marks.put(unit, _ROUND, view, name)


def kept_at(unit: Unit, view: str) -> float:
    """When that was, seconds since the epoch."""
    row = unit.one("SELECT at FROM marks WHERE space = ? AND key = ?", (_ROUND, view))
    return float(row[0]) if row else 0.0


def files(unit: Unit, view: str) -> dict[str, Body]:
    """The positions of a view by their ids."""
    return {name: load(body, {}) for name, body in unit.all("SELECT id, body FROM log_files WHERE view = ?", (view,))}


def save_files(unit: Unit, view: str, changed: t.Mapping[str, Body], gone: t.Iterable[str]) -> None:
    """Write positions in the place of what they were, and forget others."""
    unit.many("DELETE FROM log_files WHERE view = ? AND id = ?", ((view, name) for name in gone))
    unit.many(
        "INSERT INTO log_files (view, id, body, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (view, id) DO UPDATE SET body = excluded.body, at = excluded.at",
        ((view, name, dump(body), unit.now) for name, body in changed.items()),
    )


def memories(unit: Unit, view: str) -> dict[str, Body]:
    """What the rules of a view remember, by their names."""
    return {rule: load(body, {}) for rule, body in unit.all("SELECT rule, body FROM log_rules WHERE view = ?", (view,))}


def save_memories(unit: Unit, view: str, changed: t.Mapping[str, Body]) -> None:
    """Write what rules remember in the place of what it was."""
    unit.many(
        "INSERT INTO log_rules (view, rule, body, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (view, rule) DO UPDATE SET body = excluded.body, at = excluded.at",
        ((view, rule, dump(body), unit.now) for rule, body in changed.items()),
    )


def add(unit: Unit, view: str, kind: str, found: t.Iterable[Body]) -> None:
    """Keep matches or alarms until they are acknowledged."""
    unit.many(
        "INSERT INTO log_found (view, kind, at, open, body) VALUES (?, ?, ?, 1, ?)",
        ((view, kind, unit.now, dump(body)) for body in found),
    )


def pending(
    unit: Unit, view: str, salt: str, after: str | None = None, most: int = EVERY, most_alarms: int = EVERY
) -> tuple[list[Body], list[Body], str]:
    """(matches, alarms, batch) of what was not acknowledged, oldest first; the batch acknowledges them and is empty where there are none.

    :arg after: a batch that is about to be acknowledged; what it holds is left out
    :arg most: at most so many matches, which are samples: the rest is acknowledged with them
    :arg most_alarms: at most so many alarms; the rest comes with later batches
    :return: bodies with ``number`` and ``ledger`` besides what was given
    """
    name, first = ledger(salt), _number(after, ledger(salt))
    row = unit.one("SELECT max(id) FROM log_found WHERE view = ? AND open = 1 AND id > ?", (view, first))
    last = int(row[0]) if row and row[0] else 0
    alarms = _found(unit, view, ALARM, (first, last), most_alarms, name)
    if most_alarms == len(alarms):
        last = int(alarms[-1]["number"]) if alarms else 0
    return _found(unit, view, MATCH, (first, last), most, name), alarms, f"{name}:{last}" if last else ""


def _found(unit: Unit, view: str, kind: str, between: tuple[int, int], most: int, name: str) -> list[Body]:
    sql = "SELECT id, body FROM log_found WHERE view = ? AND open = 1 AND kind = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?"
    return [dict(load(body, {}), number=number, ledger=name) for number, body in unit.all(sql, (view, kind, *between, most))]


def acknowledge(unit: Unit, view: str, salt: str, batch: str | None) -> int:
    """The batch and all before it were received; returns how many findings that were."""
    number = _number(batch, ledger(salt))
    if not number:
        return 0
    unit.execute("DELETE FROM log_found WHERE view = ? AND open = 1 AND kind = ? AND id <= ?", (view, MATCH, number))
    return unit.execute("UPDATE log_found SET open = 0 WHERE view = ? AND open = 1 AND id <= ?", (view, number))


def _number(batch: str | None, name: str) -> int:
    """The number in a batch of the store of this name; 0 for any other."""
    owner, _colon, number = str(batch or "").partition(":")
    return int(number) if owner == name and number.isdigit() else 0


def prune(unit: Unit, before: float, portion: int = PORTION) -> int:
    """Delete up to ``portion`` old findings (alarms only once they were received), and what was kept of views that nobody reads any more."""
    old = "(SELECT id FROM log_found WHERE at < ? AND (open = 0 OR kind = ?) ORDER BY id LIMIT ?)"
    deleted = unit.execute(f"DELETE FROM log_found WHERE id IN {old}", (before, MATCH, portion))
    stale = "(SELECT key FROM marks WHERE space = ? AND at < ?)"
    for table in ("log_files", "log_rules"):
        deleted += unit.execute(f"DELETE FROM {table} WHERE view IN {stale}", (_ROUND, before))
    return deleted
