# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What receivers refused for good: found, sent again, thrown away. Nothing else deletes it."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit


class Letter(t.NamedTuple):
    """One refused message."""

    row: int
    channel: str
    alert_id: str
    status: str
    at: float
    code: str
    message: str
    instance: str
    check: str

    def shown(self) -> dict[str, t.Any]:
        """As people and programs read it."""
        return {key: value for key, value in dict(self._asdict(), at=rfc3339(self.at)).items() if key != "row"}


def find(unit: Unit, channel: str | None, like: str | None, before: float) -> list[Letter]:
    """The refused messages that were told before a time, the oldest first.

    :arg channel: the key of one channel
    :arg like: of the instance or the check, as SQL has it
    """
    sql = (
        "SELECT o.id, o.channel, o.alert_id, o.status, o.updated, COALESCE(o.code, ''), COALESCE(o.message, ''), e.instance, e.name"
        " FROM outbox o JOIN events e ON e.id = o.event WHERE o.state = 'dead' AND o.updated <= ?"
    )
    values: list[t.Any] = [before]
    if channel is not None:
        sql, values = sql + " AND o.channel = ?", [*values, channel]
    if like is not None:
        sql, values = sql + " AND (e.instance LIKE ? ESCAPE '\\' OR e.name LIKE ? ESCAPE '\\')", [*values, like, like]
    return [Letter(*row) for row in unit.all(sql + " ORDER BY o.id", values)]


def is_over(unit: Unit, letter: Letter) -> bool:
    """Whether it tells of an alert that has ended since: nobody would be told of its end."""
    if letter.status == "resolved":
        return False
    episode = episodes.by_alert(unit, letter.alert_id)
    if episode is None:  # a message of a person, or an alert that has begun anew since
        return unit.one("SELECT 1 FROM events WHERE alert_id = ? AND status = 'resolved'", (letter.alert_id,)) is not None
    return not episode.open


def replay(unit: Unit, letters: t.Iterable[Letter]) -> None:
    """Queue them again."""
    unit.many(
        "UPDATE outbox SET state = 'queued', attempts = 0, throttled = 0, digest = 0, next_at = ?, updated = ?, owner = NULL, lease = 0,"
        " code = NULL, message = NULL WHERE id = ? AND state = 'dead'",
        [(unit.now, unit.now, letter.row) for letter in letters],
    )


def purge(unit: Unit, letters: t.Iterable[Letter]) -> None:
    """Throw them away; their events stay as history."""
    unit.many("DELETE FROM outbox WHERE id = ? AND state = 'dead'", [(letter.row,) for letter in letters])
