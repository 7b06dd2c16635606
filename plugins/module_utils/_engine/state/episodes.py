# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alert episodes: one row a fingerprint, from its first firing to its resolution."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import (
    Unit,
    dump,
    load,
)

_NAMES = (
    "fingerprint",
    "alert_id",
    "open",
    "source",
    "instance",
    "severity",
    "starts_at",
    "ends_at",
    "last_at",
    "count",
    "tellings",
    "event",
    "acked",
    "flaps",
)
_COLUMNS = ", ".join(_NAMES)
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])


class Episode:
    """The present (or last) episode of one alert. Times are seconds since the epoch; ``event`` is the Event last seen.

    :ivar acked: who takes care of it (at, by, comment, until), None for nobody
    :ivar flaps: when the alert began lately, see alerts.flapping; it outlives the episode
    """

    def __init__(
        self, fingerprint: str, alert_id: str, source: str, instance: str, severity: str, starts_at: float, event: dict[str, t.Any]
    ) -> None:
        self.fingerprint = fingerprint
        self.alert_id = alert_id
        self.open = True
        self.source = source
        self.instance = instance
        self.severity = severity
        self.starts_at = starts_at
        self.ends_at: float | None = None
        self.last_at = starts_at
        self.count = 1
        self.tellings = 0
        self.event = event
        self.acked: dict[str, t.Any] | None = None
        self.flaps: dict[str, t.Any] | None = None


def _from_row(row: t.Sequence[t.Any]) -> Episode:
    episode = Episode(row[0], row[1], row[3], row[4], row[5], row[6], load(row[11], {}))
    episode.open, episode.ends_at, episode.last_at = bool(row[2]), row[7], row[8]
    episode.count, episode.tellings = row[9], row[10]
    episode.acked, episode.flaps = load(row[12]), load(row[13])
    return episode


def get(unit: Unit, fingerprint: str) -> Episode | None:
    """The alert's last episode, open or not."""
    row = unit.one(f"SELECT {_COLUMNS} FROM episodes WHERE fingerprint = ?", (fingerprint,))
    return _from_row(row) if row else None


def save(unit: Unit, episode: Episode) -> None:
    """Write the episode in the place of the alert's last one."""
    values = [getattr(episode, name) for name in _NAMES[:-3]]
    more = [None if value is None else dump(value) for value in (episode.acked, episode.flaps)]
    unit.execute(
        f"INSERT INTO episodes ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (fingerprint) DO UPDATE SET {_UPDATES}",
        (*values[:2], int(episode.open), *values[3:], dump(episode.event), *more),
    )


def open_from(unit: Unit, source: str) -> list[Episode]:
    """All open episodes that one source (a playbook, a watch) began."""
    return [_from_row(row) for row in unit.all(f"SELECT {_COLUMNS} FROM episodes WHERE open = 1 AND source = ?", (source,))]


def all_open(unit: Unit) -> list[Episode]:
    """All open episodes, the oldest first."""
    return [_from_row(row) for row in unit.all(f"SELECT {_COLUMNS} FROM episodes WHERE open = 1 ORDER BY starts_at, fingerprint")]


def by_alert(unit: Unit, alert_id: str) -> Episode | None:
    """The episode with this name, open or the last one of its alert."""
    row = unit.one(f"SELECT {_COLUMNS} FROM episodes WHERE alert_id = ?", (alert_id,))
    return _from_row(row) if row else None


def open_on(unit: Unit, instances: t.Container[str], since: float) -> set[tuple[str, str]]:
    """(instance, check) of the open episodes of some instances that were observed since a time."""
    rows = unit.all("SELECT instance, event FROM episodes WHERE open = 1 AND last_at >= ?", (since,))
    return {(instance, str(load(event, {}).get("check", ""))) for instance, event in rows if instance in instances}


def prune(unit: Unit, before: float) -> int:
    """Forget closed episodes not seen since ``before``."""
    return unit.execute("DELETE FROM episodes WHERE open = 0 AND last_at < ?", (before,))
