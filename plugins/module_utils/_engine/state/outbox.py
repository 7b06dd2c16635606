# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be told: one row an event and channel, written with what it came from, then sent, then marked.

States: queued -> sent | dead. Sent rows stay as the memory of what was told. A row knows its channel by key, never by URL.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import (
    rfc3339,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import (
    Unit,
    dump,
    load,
)

LEASE = 60.0
PORTION = 5000
# Of one alert a channel is told the oldest first.
_OLDER = " (SELECT 1 FROM outbox p WHERE p.alert_id = o.alert_id AND p.channel = o.channel AND p.state = 'queued' AND p.id < o.id)"
_OLDER_NOT_DUE = _OLDER[:-1] + " AND (p.next_at > ? OR p.lease > ?))"


class Message(t.NamedTuple):
    """One row that this process may send now. ``code``: what the receiver said the last time."""

    id: int
    event_id: str
    channel: str
    attempts: int
    event: dict[str, t.Any]
    code: str = ""


class Telling(t.NamedTuple):
    """What a channel was last told about an alert. ``at``: when it was queued."""

    status: str
    severity: str
    at: float


def add(
    unit: Unit, event_id: str, event: t.Mapping[str, t.Any], channels: t.Iterable[str], digests: t.Mapping[str, float] | None = None
) -> list[int]:
    """Keep the event and queue it for each channel key; what is there already stays as it is. Returns the ids of the new rows.

    :arg digests: channel -> the time until which it waits there for others, to go together with them
    """
    status, severity, alert_id = str(event["status"]), str(event["severity"]), str(event["alert_id"])
    unit.execute(
        "INSERT INTO events (id, alert_id, at, status, severity, service, instance, name, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (event_id, alert_id, unit.now, status, severity, str(event["service"]), str(event["instance"]), str(event["check"]), dump(event)),
    )
    added = []
    for channel in channels:
        if unit.one("SELECT 1 FROM outbox WHERE event = ? AND channel = ?", (event_id, channel)):
            continue
        digest = max((digests or {}).get(channel, 0.0), 0.0)
        if digest <= unit.now:
            digest = 0.0
            hurry(unit, alert_id, channel)
        added.append(
            unit.insert(
                "INSERT INTO outbox (event, alert_id, channel, status, severity, state, created, updated, next_at, throttled, digest)"
                " VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
                (event_id, alert_id, channel, status, severity, unit.now, unit.now, digest or unit.now, int(digest > 0), digest),
            )
        )
    return added


def hurry(unit: Unit, alert_id: str, channel: str) -> None:
    """What waits in a digest of the channel about this alert goes now, before what is newer."""
    unit.execute(
        "UPDATE outbox SET next_at = ?, throttled = 0, digest = 0 WHERE alert_id = ? AND channel = ? AND state = 'queued' AND digest > ?",
        (unit.now, alert_id, channel, unit.now),
    )


def digest_of(unit: Unit, alert_id: str, channel: str) -> float:
    """Until when something about the alert waits in a digest of the channel; 0 when nothing does."""
    row = unit.one(
        "SELECT MAX(digest) FROM outbox WHERE alert_id = ? AND channel = ? AND state = 'queued' AND digest > ?",
        (alert_id, channel, unit.now),
    )
    return float(row[0]) if row and row[0] else 0.0


def told(unit: Unit, alert_id: str, channel: str) -> Telling | None:
    """What the channel was last told (or will be) in this episode; what it refused it was not told."""
    row = unit.one(
        "SELECT status, severity, created FROM outbox WHERE alert_id = ? AND channel = ? AND state <> 'dead' ORDER BY id DESC LIMIT 1",
        (alert_id, channel),
    )
    return Telling(*row) if row else None


def told_channels(unit: Unit, alert_id: str) -> list[str]:
    """The channels that were told of the alert, or will be."""
    sql = "SELECT DISTINCT channel FROM outbox WHERE alert_id = ? AND state <> 'dead' ORDER BY channel"
    return [row[0] for row in unit.all(sql, (alert_id,))]


def was_told(unit: Unit, alert_id: str) -> bool:
    """Whether any channel was told of the alert, or will be."""
    return unit.one("SELECT 1 FROM outbox WHERE alert_id = ? AND state <> 'dead' LIMIT 1", (alert_id,)) is not None


def claim(unit: Unit, channel: str, owner: str, limit: int = 20, lease: float = LEASE, together: bool = False) -> list[Message]:
    """Lease the channel's due rows to ``owner``, oldest first; of one alert only its oldest, so that its order is kept.

    :arg together: the rows go in one message, so all of one alert are taken, up to one that is not due
    """
    older, values = (_OLDER_NOT_DUE, (unit.now, unit.now)) if together else (_OLDER, ())
    rows = unit.all(
        "SELECT o.id, o.event, o.attempts, e.body, o.code FROM outbox o JOIN events e ON e.id = o.event"
        " WHERE o.state = 'queued' AND o.channel = ? AND o.next_at <= ? AND o.lease <= ? AND NOT EXISTS" + older + " ORDER BY o.id LIMIT ?",
        (channel, unit.now, unit.now, *values, limit),
    )
    unit.many("UPDATE outbox SET owner = ?, lease = ? WHERE id = ?", [(owner, unit.now + lease, row[0]) for row in rows])
    return [Message(row[0], row[1], channel, row[2], load(row[3], {}), row[4] or "") for row in rows]


def next_due(unit: Unit, channel: str) -> float | None:
    """When the channel's next queued row may be sent (seconds since the epoch), None when nothing is queued."""
    row = unit.one(
        "SELECT MIN(CASE WHEN o.next_at > o.lease THEN o.next_at ELSE o.lease END) FROM outbox o"
        " WHERE o.state = 'queued' AND o.channel = ? AND NOT EXISTS" + _OLDER,
        (channel,),
    )
    return None if row is None or row[0] is None else float(row[0])


def mark_sent(unit: Unit, row: int, code: str = "", message: str = "") -> None:
    """The receiver took it."""
    unit.execute(
        "UPDATE outbox SET state = 'sent', attempts = attempts + 1, updated = ?, owner = NULL, lease = 0, code = ?, message = ?"
        " WHERE id = ?",
        (unit.now, code, message, row),
    )


def mark_failed(unit: Unit, row: int, next_at: float, code: str, message: str, throttled: bool = False) -> None:
    """It was tried in vain and may be tried again at ``next_at``; ``throttled``: the receiver itself asked to wait."""
    unit.execute(
        "UPDATE outbox SET attempts = attempts + 1, updated = ?, next_at = ?, throttled = ?, owner = NULL, lease = 0, code = ?, message = ?"
        " WHERE id = ? AND state = 'queued'",
        (unit.now, next_at, int(throttled), code, message, row),
    )


def mark_dead(unit: Unit, row: int, code: str, message: str) -> None:
    """The receiver refused it for good; it is kept with the reason until somebody looks."""
    unit.execute(
        "UPDATE outbox SET state = 'dead', attempts = attempts + 1, updated = ?, owner = NULL, lease = 0, code = ?, message = ?"
        " WHERE id = ? AND state = 'queued'",
        (unit.now, code, message, row),
    )


def supersede(unit: Unit, alert_id: str, status: str, channels: t.Iterable[str]) -> None:
    """The alert is told anew: its refused rows of the same status go, so that a refusing receiver does not fill the store."""
    unit.many(
        "DELETE FROM outbox WHERE alert_id = ? AND status = ? AND channel = ? AND state = 'dead'",
        [(alert_id, status, channel) for channel in channels],
    )


def expire(unit: Unit, channel: str, before: float) -> int:
    """Give up what is queued since before ``before`` for a channel that nobody served since; it is kept as dead. Returns how many."""
    served = marks.get(unit, "served", channel)
    if isinstance(served, (int, float)) and before <= served <= unit.now:
        return 0
    return unit.execute(
        "UPDATE outbox SET state = 'dead', updated = ?, owner = NULL, lease = 0, code = 'expired', message = ?"
        " WHERE state = 'queued' AND channel = ? AND created < ? AND lease <= ?",
        (unit.now, "nobody served the channel for a week", channel, before, unit.now),
    )


def postpone(unit: Unit, row: int, next_at: float) -> None:
    """It was not tried (the rate budget is used up): give it back for ``next_at``."""
    unit.execute("UPDATE outbox SET owner = NULL, lease = 0, next_at = ?, throttled = 1 WHERE id = ? AND state = 'queued'", (next_at, row))


def hold(unit: Unit, rows: t.Sequence[int], channels: t.Sequence[str], owner: str, until: float) -> None:
    """Keep those of these rows that are for these channels: nobody sends them before ``owner`` releases them, is dead, or ``until``."""
    unit.many(
        "UPDATE outbox SET owner = ?, lease = ? WHERE id = ? AND channel = ? AND state = 'queued'",
        [(owner, until, row, channel) for row in rows for channel in channels],
    )


def release(unit: Unit, owner: str) -> None:
    """Give back everything that ``owner`` holds and has not sent."""
    unit.execute("UPDATE outbox SET owner = NULL, lease = 0 WHERE owner = ? AND state = 'queued'", (owner,))


def server(unit: Unit, channel: str) -> str:
    """Who served the channel last, as ``wake`` was told."""
    return str(marks.get(unit, "server", channel, ""))


def wake(unit: Unit, channels: t.Iterable[str], alive: t.Callable[[str], bool], server: str = "") -> None:
    """A new run begins: free what dead processes hold and do not wait out their back-off. What a receiver asked for is kept."""
    holders = unit.all("SELECT DISTINCT owner FROM outbox WHERE state = 'queued' AND owner IS NOT NULL")
    for (owner,) in holders:
        if not alive(owner):
            release(unit, owner)
    for channel in channels:
        marks.put(unit, "served", channel, unit.now)
        marks.put(unit, "server", channel, server)
        unit.execute(
            "UPDATE outbox SET next_at = ? WHERE state = 'queued' AND channel = ? AND throttled = 0 AND next_at > ?",
            (unit.now, channel, unit.now),
        )


def pending(unit: Unit) -> dict[str, int]:
    """How many rows are queued, by channel key; those that wait for a digest are not among them."""
    sql = "SELECT channel, COUNT(*) FROM outbox WHERE state = 'queued' AND digest <= ? GROUP BY channel"
    return {row[0]: row[1] for row in unit.all(sql, (unit.now,))}


def waiting(unit: Unit) -> dict[str, int]:
    """How many rows wait for a digest, by channel key."""
    sql = "SELECT channel, COUNT(*) FROM outbox WHERE state = 'queued' AND digest > ? GROUP BY channel"
    return {row[0]: row[1] for row in unit.all(sql, (unit.now,))}


def elsewhere(unit: Unit, process: str) -> dict[str, int]:
    """How many queued rows other processes than this one are sending, by channel key."""
    sql = "SELECT channel, COUNT(*) FROM outbox WHERE state = 'queued' AND lease > ? AND owner NOT LIKE ? || '%' GROUP BY channel"
    return {row[0]: row[1] for row in unit.all(sql, (unit.now, process))}


def counts(unit: Unit, rows: t.Sequence[int]) -> dict[str, int]:
    """How many of these rows are queued, sent and dead."""
    found: dict[str, int] = {"queued": 0, "sent": 0, "dead": 0}
    for start in range(0, len(rows), 500):
        part = [int(row) for row in rows[start : start + 500]]
        places = ",".join("?" * len(part))
        for state, number in unit.all(f"SELECT state, COUNT(*) FROM outbox WHERE id IN ({places}) GROUP BY state", part):
            found[state] = found.get(state, 0) + number
    return found


def listing(unit: Unit, state: str, like: str | None, since: float, limit: int) -> list[dict[str, t.Any]]:
    """Rows in one state as entries, newest first."""
    sql = (
        "SELECT o.event, o.alert_id, o.channel, o.state, o.created, o.updated, o.next_at, o.attempts, o.code, o.message,"
        " e.status, e.severity, e.service, e.instance, e.name, e.body FROM outbox o JOIN events e ON e.id = o.event"
        " WHERE o.state = ? AND o.created >= ?"
    )
    values: list[t.Any] = [state, since]
    if like is not None:
        sql += " AND (e.instance LIKE ? ESCAPE '\\' OR e.name LIKE ? ESCAPE '\\')"
        values += [like, like]
    return [_entry(row) for row in unit.all(sql + " ORDER BY o.id DESC LIMIT ?", [*values, limit])]


def _entry(row: t.Sequence[t.Any]) -> dict[str, t.Any]:
    names = (
        "event_id",
        "alert_id",
        "channel",
        "state",
        "time",
        "updated",
        "next",
        "attempts",
        "code",
        "message",
        "status",
        "severity",
        "service",
        "instance",
        "check",
        "event",
    )
    entry = dict(zip(names, row))
    entry["event"] = load(entry["event"], {})
    entry["time"], entry["updated"] = rfc3339(entry["time"]), rfc3339(entry["updated"])
    entry["next"] = rfc3339(entry["next"]) if entry["state"] == "queued" else None
    return entry


def events(unit: Unit, like: str | None, since: float, limit: int) -> list[dict[str, t.Any]]:
    """Events as entries, newest first: the Event's own keys and its ``event_id``."""
    sql, values = "SELECT id, body FROM events WHERE at >= ?", [since]  # type: t.Tuple[str, t.List[t.Any]]
    if like is not None:
        sql += " AND (instance LIKE ? ESCAPE '\\' OR name LIKE ? ESCAPE '\\')"
        values += [like, like]
    rows = unit.all(sql + " ORDER BY at DESC, id LIMIT ?", [*values, limit])
    return [dict(load(body, {}), event_id=event_id) for event_id, body in rows]


def prune(unit: Unit, before: float, portion: int = PORTION) -> int:
    """Delete a portion of what was told before ``before``; queued and dead rows and their events stay."""
    sent = unit.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'sent' AND updated < ? ORDER BY id LIMIT ?)", (before, portion)
    )
    gone = unit.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events e WHERE at < ? AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.event = e.id)"
        " ORDER BY at LIMIT ?)",
        (before, portion),
    )
    return sent + gone
