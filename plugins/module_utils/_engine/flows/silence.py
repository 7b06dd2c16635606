# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind silence: alerts are not told for a time, or somebody takes care of one."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.desk import Desk, Groups, Route, is_acknowledged
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import read_match
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import PolicyError, read_time
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, outbox, silences
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.episodes import Episode
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.silences import Silence
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

_SHOWN = 20
_SAME = 1.0


class Wanted(t.NamedTuple):
    """What is asked for: one of ``matchers``, ``name`` (of a silence) and ``alert_id``. Times are seconds since the epoch.

    :ivar end: when it ends; None where that is not said
    """

    matchers: t.Mapping[str, t.Any] | None = None
    name: str = ""
    alert_id: str = ""
    begin: float | None = None
    end: float | None = None
    comment: str = ""
    author: str = ""
    present: bool = True


class Outcome(t.NamedTuple):
    """What came of it: whether anything changed, and the silence as it is shown."""

    changed: bool
    silence: dict[str, t.Any]


def read_end(until: str | None, duration: t.Any, begin: float) -> float | None:
    """When a silence ends, of a time or a length from its beginning on.

    :raises PolicyError: one sentence
    """
    if until:
        end = read_time("until", until, None)
    elif duration:
        try:
            end = begin + parse_duration(duration)
        except ValueError as exc:
            raise PolicyError(f"duration: {exc}.") from exc
    else:
        return None
    if end <= begin:
        raise PolicyError(
            f"The silence would end at {rfc3339(end)}, which is over or before it begins; give a later until, or a duration such as 2h."
        )
    return end


def apply(unit: Unit, wanted: Wanted, groups: Groups | None = None, dry: bool = False) -> Outcome:
    """Make it so.

    :arg groups: the hosts of each group of the inventory, to show which open alerts are meant
    :raises ValueError: one sentence
    """
    if wanted.alert_id:
        return _acknowledge(unit, wanted, dry)
    if wanted.matchers is not None:
        read_match("matchers", wanted.matchers, True)
    known = _known(unit, wanted)
    if not wanted.present:
        return _end(unit, known, wanted, groups, dry)
    if wanted.end is None:
        raise PolicyError("A silence needs an end: give duration, such as 2h, or until, such as 2026-11-21T20:00:00Z.")
    begin = wanted.begin if wanted.begin is not None else known.starts_at if known is not None else unit.now
    matchers = wanted.matchers if wanted.matchers is not None else known.matchers if known is not None else {}
    name = known.id if known is not None else silences.name_of(matchers, begin)
    silence = Silence(name, dict(matchers), begin, wanted.end, wanted.comment, wanted.author, unit.now)
    changed = known is None or not _is_same(known, silence)
    if changed and not dry:
        silences.save(unit, silence)
    return Outcome(changed, shown(unit, silence if changed or known is None else known, groups))


def _is_same(one: Silence, other: Silence) -> bool:
    close = abs(one.ends_at - other.ends_at) < _SAME and abs(one.starts_at - other.starts_at) < _SAME
    return close and one.comment == other.comment and one.matchers == other.matchers


def _known(unit: Unit, wanted: Wanted) -> Silence | None:
    lasting = silences.lasting(unit)
    if wanted.name:
        found = next((one for one in lasting if one.id == wanted.name), None) or silences.get(unit, wanted.name)
        if found is None:
            names = [one.id for one in lasting]
            hint = nearest(wanted.name, names) if names else "; none lasts"
            raise ValueError(f'There is no silence "{wanted.name}"{hint}.'.replace("?.", "?"))
        return found
    return next((one for one in lasting if one.matchers == dict(wanted.matchers or {})), None)


def _end(unit: Unit, known: Silence | None, wanted: Wanted, groups: Groups | None, dry: bool) -> Outcome:
    if known is None:
        return Outcome(False, {"id": None, "matchers": dict(wanted.matchers or {}), "state": "absent"})
    changed = known.ends_at > unit.now
    ended = known._replace(ends_at=unit.now, at=unit.now) if changed else known
    if changed and not dry:
        silences.save(unit, ended)
    return Outcome(changed, shown(unit, ended, groups))


def shown(unit: Unit, silence: Silence, groups: Groups | None = None) -> dict[str, t.Any]:
    """A silence as people and programs read it, with the open alerts that it is about."""
    desk = Desk((), groups=groups)
    match = read_match("matchers", silence.matchers)
    every = [episode for episode in episodes.all_open(unit) if match.holds(episode.event, desk.groups_of)]
    state = "expired" if silence.ends_at <= unit.now else "pending" if silence.starts_at > unit.now else "active"
    return {
        "id": silence.id,
        "matchers": silence.matchers,
        "starts_at": rfc3339(silence.starts_at),
        "ends_at": rfc3339(silence.ends_at),
        "comment": silence.comment,
        "author": silence.author,
        "state": state,
        "matched": len(every),
        "alerts": [alert(episode, unit.now) for episode in every[:_SHOWN]],
    }


def alert(episode: Episode, now: float) -> dict[str, t.Any]:
    """An alert in short."""
    event = episode.event
    return {
        "alert_id": episode.alert_id,
        "service": event.get("service"),
        "instance": episode.instance,
        "check": event.get("check"),
        "severity": episode.severity,
        "message": event.get("message"),
        "since": rfc3339(episode.starts_at),
        "seen": rfc3339(episode.last_at),
        "count": episode.count,
        "acknowledged": episode.acked if is_acknowledged(episode, now) else None,
    }


def _acknowledge(unit: Unit, wanted: Wanted, dry: bool) -> Outcome:
    episode = episodes.by_alert(unit, wanted.alert_id)
    if episode is None:
        names = [one.alert_id for one in episodes.all_open(unit)]
        hint = (
            nearest(wanted.alert_id, names) if 0 < len(names) <= _SHOWN else "; vigil.ops.history_info with kind alerts lists the open ones"
        )
        raise ValueError(f'There is no alert "{wanted.alert_id}" (or a newer one has taken its place){hint}.'.replace("?.", "?"))
    base = {"id": None, "alert_id": episode.alert_id, "comment": wanted.comment, "author": wanted.author}
    if not episode.open:
        return Outcome(False, dict(base, state="resolved", alerts=[alert(episode, unit.now)]))
    acked = None
    if wanted.present:
        acked = {"at": rfc3339(unit.now), "by": wanted.author, "comment": wanted.comment, "until": wanted.end}
    before = episode.acked if is_acknowledged(episode, unit.now) else None
    changed = _essence(before) != _essence(acked)
    if changed:
        routes = [Route(key) for key in outbox.told_channels(unit, episode.alert_id)]
        lifecycle.acknowledge(unit, episode, Desk(routes), acked, dry)
    state = "acknowledged" if wanted.present else "absent"
    ends = rfc3339(wanted.end) if wanted.present else None
    return Outcome(changed, dict(base, state=state, ends_at=ends, alerts=[alert(episode, unit.now)]))


def _essence(acked: t.Mapping[str, t.Any] | None) -> tuple[t.Any, ...] | None:
    """What makes one acknowledgement another one; one that ends sooner or later by minutes is the same."""
    if acked is None:
        return None
    until = acked.get("until")
    return acked.get("by"), acked.get("comment"), None if until is None else round(float(until) / 60)
