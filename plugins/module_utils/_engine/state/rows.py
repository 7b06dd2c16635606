# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of rows of the outbox beside them: whom they call by name, and how many parts of a long text were taken."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.outbox import Message
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, load

_CALLED, _PARTS = "mention", "parts"
_SKEW = 60.0


class Parts(t.NamedTuple):
    """``taken`` of at most ``most`` parts were taken by the receiver; ``text`` tells whether it is still the same text."""

    taken: int
    most: int
    text: str


def _key(event_id: str, channel: str) -> str:
    """Not the row's number: one that was deleted may be given to another row."""
    return f"{event_id} {channel}"


def call(unit: Unit, event_id: str, channel: str, names: t.Sequence[str]) -> None:
    """This telling calls these people there, and nobody where there are none."""
    marks.put(unit, _CALLED, _key(event_id, channel), list(names))


def called(unit: Unit, messages: t.Sequence[Message]) -> dict[int, tuple[str, ...]]:
    """Whom they call, by row, of those for which that was said."""
    found: dict[int, tuple[str, ...]] = {}
    rows = {_key(message.event_id, message.channel): message.id for message in messages}
    keys = list(rows)
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        places = ",".join("?" * len(part))
        for key, value in unit.all(f"SELECT key, value FROM marks WHERE space = ? AND key IN ({places})", [_CALLED, *part]):
            found[rows[key]] = tuple(str(name) for name in load(value, []))
    return found


def with_severity_before(unit: Unit, messages: t.Sequence[Message]) -> list[Message]:
    """The messages, their events with ``_was``: the severity that the channel was told last of the alert, where it has another now."""
    found = []
    for message in messages:
        event = message.event
        row = unit.one(
            "SELECT severity FROM outbox WHERE alert_id = ? AND channel = ? AND state = 'sent' AND id < ? ORDER BY id DESC LIMIT 1",
            (event["alert_id"], message.channel, message.id),
        )
        found.append(message._replace(event=dict(event, _was=row[0])) if row and row[0] != event["severity"] else message)
    return found


def unstick(unit: Unit, channel: str) -> int:
    """The clock went back: what waits for a time that was counted from a later now does not wait any more. Returns how many do not."""
    return unit.execute(
        "UPDATE outbox SET next_at = ?, updated = ? WHERE state = 'queued' AND channel = ? AND updated > ? AND next_at > ?",
        (unit.now, unit.now, channel, unit.now + _SKEW, unit.now),
    )


def took(unit: Unit, message: Message, parts: Parts) -> None:
    """The receiver took another part."""
    marks.put(unit, _PARTS, _key(message.event_id, message.channel), list(parts))


def parts(unit: Unit, message: Message) -> Parts | None:
    """What was taken of it already; None for nothing."""
    found = marks.get(unit, _PARTS, _key(message.event_id, message.channel))
    return Parts(int(found[0]), int(found[1]), str(found[2])) if isinstance(found, list) and len(found) == 3 else None


def drop(unit: Unit, messages: t.Iterable[Message]) -> None:
    """They have been told."""
    keys = [_key(message.event_id, message.channel) for message in messages]
    unit.many("DELETE FROM marks WHERE space = ? AND key = ?", [(space, key) for key in keys for space in (_CALLED, _PARTS)])


def prune(unit: Unit, before: float) -> int:
    """Forget what was put before a time, of messages that nobody told."""
    return unit.execute("DELETE FROM marks WHERE space IN (?, ?) AND at < ?", (_CALLED, _PARTS, before))
