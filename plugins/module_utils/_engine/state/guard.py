# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guards remember of services, and which of their events the receiver has not got yet.

Events are numbered in the order in which they happened. A batch names the store and the last number that was handed out, so that a batch
of a store that is gone does nothing.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, dump, load

MOST = 1000
PORTION = 5000
Event = t.Dict[str, t.Any]


def ledger(salt: str) -> str:
    """A name for this store that says nothing of its salt."""
    return hashlib.sha256(f"guard/{salt}".encode()).hexdigest()[:16]


def recall(unit: Unit, service: str) -> dict[str, t.Any]:
    """What is remembered of a service; empty when nothing is."""
    row = unit.one("SELECT memory FROM guards WHERE service = ?", (service,))
    found = load(row[0], {}) if row else {}
    return found if isinstance(found, dict) else {}


def remember(unit: Unit, service: str, memory: t.Mapping[str, t.Any]) -> None:
    """Keep what is to be remembered of a service in the place of what was."""
    unit.execute(
        "INSERT INTO guards (service, memory, at) VALUES (?, ?, ?)"
        " ON CONFLICT (service) DO UPDATE SET memory = excluded.memory, at = excluded.at",
        (service, dump(memory), unit.now),
    )


def add(unit: Unit, service: str, event: t.Mapping[str, t.Any]) -> int:
    """Keep an event until it is acknowledged; returns its number."""
    return unit.insert("INSERT INTO guard_events (service, at, open, body) VALUES (?, ?, 1, ?)", (service, unit.now, dump(event)))


def pending(unit: Unit, salt: str, after: str | None = None, limit: int = MOST) -> tuple[list[Event], str]:
    """(events that were not acknowledged, oldest first; the batch that acknowledges them, empty where there are none).

    :arg after: a batch that is about to be acknowledged; what it holds is left out
    :return: events with ``number``, ``ledger``, ``service`` and ``time`` besides what was given
    """
    name = ledger(salt)
    rows = unit.all(
        "SELECT id, service, at, body FROM guard_events WHERE open = 1 AND id > ? ORDER BY id LIMIT ?", (_number(after, name), limit)
    )
    events = [dict(load(body, {}), number=number, ledger=name, service=service, time=rfc3339(at)) for number, service, at, body in rows]
    return events, f"{name}:{rows[-1][0]}" if rows else ""


def acknowledge(unit: Unit, salt: str, batch: str | None) -> int:
    """The batch and all before it were received; returns how many events that were."""
    number = _number(batch, ledger(salt))
    return unit.execute("UPDATE guard_events SET open = 0 WHERE open = 1 AND id <= ?", (number,)) if number else 0


def _number(batch: str | None, name: str) -> int:
    """The number in a batch of the store of this name; 0 for any other."""
    owner, _colon, number = str(batch or "").partition(":")
    return int(number) if owner == name and number.isdigit() else 0


def prune(unit: Unit, before: float, portion: int = PORTION) -> int:
    """Delete up to ``portion`` events older than ``before``, and what is remembered of services that nobody guards any more."""
    deleted = unit.execute(
        "DELETE FROM guard_events WHERE id IN (SELECT id FROM guard_events WHERE at < ? ORDER BY id LIMIT ?)", (before, portion)
    )
    return deleted + unit.execute("DELETE FROM guards WHERE at < ?", (before,))
