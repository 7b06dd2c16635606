# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is observed to what is told: an episode opens, is counted, told again in good time, and resolved once.

Everything is written in the caller's unit of work: the episode, the event, and one outbox row a channel.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, alert_id, event_id, rank
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.episodes import Episode
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339, rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

REPEAT_INTERVAL = 4 * 3600.0
# Alerts of a source that begins so are of whoever observed them last, as several runs may have the same checks.
SHARED = "checks:"
_CLOCK_SKEW = 300.0


class Route(t.NamedTuple):
    """A channel as the lifecycle knows it: its key, and the lowest severity it is told."""

    channel: str
    min_severity: str = "info"


class Step(t.NamedTuple):
    """What one observation led to: the Event as it is told (None: nothing happens), to which channels, as which outbox rows."""

    event: Event | None
    channels: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()


NOTHING = Step(None)


def step(unit: Unit, event: Event, routes: t.Sequence[Route], source: str = "", repeat: float = REPEAT_INTERVAL, dry: bool = False) -> Step:
    """Take one observed event through its alert's life.

    Firing opens an episode or is counted in the open one; a channel is told at once when it was not told of this episode, when the
    severity has risen, when it refused what it was told, and again after ``repeat`` seconds. Resolved is told to those who were told, if an episode is open.

    :arg source: what observed it, to find its open episodes by
    :arg dry: say what would happen and write nothing
    """
    episode = episodes.get(unit, event["fingerprint"])
    if event["status"] == "resolved":
        if episode is None or not episode.open:
            return NOTHING
        return _resolve(unit, event, episode, routes, dry)
    return _fire(unit, event, episode, routes, source, repeat, dry)


def message(unit: Unit, event: Event, routes: t.Sequence[Route], name: str) -> Step:
    """Tell an event that belongs to no episode (a message of a person) to every channel that takes its severity.

    :arg name: what makes this telling different from every other one
    """
    told = dict(event, event_id=event_id(event["alert_id"], f"message/{name}", 0))
    channels = tuple(route.channel for route in routes if takes(route, event["severity"]))
    return Step(told, channels, tuple(outbox.add(unit, told["event_id"], told, channels)))


def takes(route: Route, severity: str) -> bool:
    """Whether the channel wants to be told of this severity."""
    return rank(severity) >= rank(route.min_severity)


def _fire(
    unit: Unit, event: Event, episode: Episode | None, routes: t.Sequence[Route], source: str, repeat: float, dry: bool
) -> Step:  # fmt: skip
    at = parse_rfc3339(event["timestamp"])
    is_new = episode is None or not episode.open
    if episode is None or not episode.open:
        start = at if episode is None or alert_id(at, event["fingerprint"]) != episode.alert_id else at + 1
        episode = Episode(
            event["fingerprint"], alert_id(start, event["fingerprint"]), source, event["instance"], event["severity"], start, event
        )
    else:
        if at != episode.last_at:  # the same observation reported twice is counted once
            episode.count += 1
            episode.last_at = max(at, episode.last_at)
        if source.startswith(SHARED):
            episode.source = source
    episode.severity, episode.event = event["severity"], event
    channels = tuple(route.channel for route in routes if takes(route, event["severity"]) and _is_due(unit, episode, route, repeat))
    told = None
    if is_new or channels:
        episode.tellings += 1
        told = _filled(event, episode)
    if dry:
        return Step(told, channels)
    episodes.save(unit, episode)
    return Step(told, channels, _queue(unit, told, channels))


def _is_due(unit: Unit, episode: Episode, route: Route, repeat: float) -> bool:
    told = outbox.told(unit, episode.alert_id, route.channel)
    if told is None or rank(told.severity) < rank(episode.severity):
        return True
    return not -_CLOCK_SKEW <= unit.now - told.at < repeat


def _resolve(unit: Unit, event: Event, episode: Episode, routes: t.Sequence[Route], dry: bool) -> Step:
    at = max(parse_rfc3339(event["timestamp"]), episode.starts_at)
    episode.open, episode.ends_at, episode.last_at = False, at, at
    episode.tellings += 1
    told = _filled(dict(event, severity=episode.severity), episode)
    channels = tuple(route.channel for route in routes if outbox.told(unit, episode.alert_id, route.channel))
    if dry:
        return Step(told, channels)
    episode.event = told
    episodes.save(unit, episode)
    return Step(told, channels, _queue(unit, told, channels))


def _filled(event: Event, episode: Episode) -> Event:
    """The event with what is known of its episode."""
    ends = episode.ends_at
    return dict(
        event,
        event_id=event_id(episode.alert_id, event["status"], episode.tellings),
        alert_id=episode.alert_id,
        starts_at=rfc3339(episode.starts_at),
        ends_at=rfc3339(ends),
        duration_seconds=None if ends is None else round(ends - episode.starts_at, 3),
        count=episode.count,
    )


def _queue(unit: Unit, event: Event | None, channels: t.Sequence[str]) -> tuple[int, ...]:
    if event is None:
        return ()
    outbox.supersede(unit, event["alert_id"], event["status"], channels)
    return tuple(outbox.add(unit, event["event_id"], event, channels))
