# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is observed to what is told: an episode opens, is counted, told again in good time, and resolved once.

Everything is written in the caller's unit of work: the episode, the event, and one outbox row a channel.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import flapping
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.desk import Decision, Desk, Route, is_acknowledged
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, alert_id, event_id, rank
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import rows as rowbook
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.episodes import Episode
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339, rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

__all__ = [
    "NOTHING",
    "SHARED",
    "Desk",
    "Route",
    "Step",
    "acknowledge",
    "desk_of",
    "escalate",
    "message",
    "note",
    "settle",
    "step",
    "takers",
    "takes",
]

# Alerts of a source that begins so are of whoever observed them last, as several runs may have the same checks.
SHARED = "checks:"
_CLOCK_SKEW = 300.0

Routes = t.Union[Desk, t.Sequence[Route]]


class Step(t.NamedTuple):
    """What one observation led to: the Event as it is told (None: nothing happens), to which channels, as which outbox rows.

    ``muted``: why nobody is told.
    """

    event: Event | None
    channels: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    muted: str = ""


NOTHING = Step(None)


def desk_of(routes: Routes) -> Desk:
    """Channels alone are a desk without rules."""
    return routes if isinstance(routes, Desk) else Desk(routes)


def step(unit: Unit, event: Event, routes: Routes, source: str = "", dry: bool = False) -> Step:
    """Take one observed event through its alert's life.

    Firing opens an episode or is counted in the open one; a channel is told at once when it was not told of this episode, when the
    severity has risen, when it refused what it was told, and again after the route's ``repeat``. Resolved is told to those who were told, if
    an episode is open. An alert that begins too often stays one episode until it is steady, see flapping.

    :arg source: what observed it, to find its open episodes by
    :arg dry: say what would happen and write nothing
    """
    desk = desk_of(routes)
    episode = episodes.get(unit, event["fingerprint"])
    if event["status"] != "resolved":
        return _fire(unit, event, episode, desk, source, dry)
    if episode is None or not episode.open:
        return NOTHING
    if _goes_back_and_forth(episode, event, desk):
        if not dry:
            episodes.save(unit, episode)
        return NOTHING
    return _resolve(unit, event, episode, desk, dry)


def message(unit: Unit, event: Event, routes: Routes, name: str, waits: bool = False) -> Step:
    """Tell an event that belongs to no episode (a message of a person) to every channel that takes it.

    :arg name: what makes this telling different from every other one
    :arg waits: it may wait for a digest; what a person says is told at once
    """
    told = dict(event, event_id=event_id(event["alert_id"], f"message/{name}", 0))
    takers = desk_of(routes).takers(unit, told)
    rows = _add(unit, told, takers if waits else [route._replace(digest=0.0) for route in takers])
    return Step(told, tuple(route.channel for route in takers), tuple(rows))


def note(unit: Unit, event: Event, routes: Routes, name: str) -> Step:
    """Like a message, but something that was observed, so that silences and maintenance windows count."""
    desk = desk_of(routes)
    muted = desk.decide(unit, event).muted
    return message(unit, event, Desk(()) if muted else desk, name, True)._replace(muted=muted)


def takes(route: Route, severity: str) -> bool:
    """Whether the channel wants to be told of this severity."""
    return route.takes(severity)


def takers(unit: Unit, event: Event, routes: Routes) -> tuple[str, ...]:
    """Which channels would be told of a message."""
    return tuple(route.channel for route in desk_of(routes).takers(unit, event))


def _fire(unit: Unit, event: Event, episode: Episode | None, desk: Desk, source: str, dry: bool) -> Step:
    at = parse_rfc3339(event["timestamp"])
    is_new = episode is None or not episode.open
    if episode is None or not episode.open:
        episode = _begin(event, episode, desk, source, at)
    else:
        if at != episode.last_at:  # the same observation reported twice is counted once
            episode.count += 1
            episode.last_at = max(at, episode.last_at)
        if source.startswith(SHARED):
            episode.source = source
        _goes_back_and_forth(episode, event, desk)
    episode.severity, episode.event = event["severity"], dict(event, alert_id=episode.alert_id)
    decision = desk.decide(unit, event, episode)
    due = [route for route in decision.routes if route.takes(event["severity"]) and _is_due(unit, episode, route)]
    told = None
    if is_new or due:
        episode.tellings += 1
        told = _filled(_noted(event, episode, desk, due, unit.now), episode)
    desk.saw(episode)
    if not dry:
        episodes.save(unit, episode)
    return _queued(unit, told, due, decision.muted, dry)


def _begin(event: Event, last: Episode | None, desk: Desk, source: str, at: float) -> Episode:
    start = at if last is None or alert_id(at, event["fingerprint"]) != last.alert_id else at + 1
    name = alert_id(start, event["fingerprint"])
    episode = Episode(event["fingerprint"], name, source, event["instance"], event["severity"], start, event)
    episode.flaps = flapping.began(last.flaps if last is not None else None, at, desk.policy.flapping)
    return episode


def _goes_back_and_forth(episode: Episode, event: Event, desk: Desk) -> bool:
    """Whether what is seen of a flapping alert changes nothing."""
    rule = desk.policy.flapping
    if rule is None or episode.flaps is None or not flapping.is_flapping(episode.flaps):
        return False
    return flapping.goes_on(episode.flaps, event["status"], parse_rfc3339(event["timestamp"]), rule)


def _noted(event: Event, episode: Episode, desk: Desk, due: t.Sequence[Route], now: float) -> Event:
    """The event with what people should know about its being told."""
    notes = {}
    if desk.policy.flapping is not None and flapping.is_flapping(episode.flaps):
        notes["flapping"] = flapping.note(desk.policy.flapping)
    if due and all(route.escalated for route in due):
        notes["escalation"] = f"nobody has acknowledged it for {format_duration(max(now - episode.starts_at, 1))}"
    return dict(event, annotations={**event["annotations"], **notes}) if notes else event


def _is_due(unit: Unit, episode: Episode, route: Route) -> bool:
    told = outbox.told(unit, episode.alert_id, route.channel)
    if is_acknowledged(episode, unit.now):
        return told is not None and rank(told.severity) < rank(episode.severity)
    if told is None or rank(told.severity) < rank(episode.severity):
        return True
    return not -_CLOCK_SKEW <= unit.now - told.at < route.repeat


def _resolve(unit: Unit, event: Event, episode: Episode, desk: Desk, dry: bool) -> Step:
    at = max(parse_rfc3339(event["timestamp"]), episode.starts_at)
    episode.open, episode.ends_at, episode.last_at = False, at, at
    episode.tellings += 1
    told = _filled(dict(event, severity=episode.severity), episode)
    due = _told(unit, episode, desk)
    desk.saw(episode)
    if not dry:
        episode.event = told
        episodes.save(unit, episode)
    return _queued(unit, told, due, "", dry)


def _told(unit: Unit, episode: Episode, desk: Desk) -> list[Route]:
    """The channels that were told of the episode; where that still waits in a digest, what follows goes with it."""
    return [
        route._replace(digest=outbox.digest_of(unit, episode.alert_id, route.channel))
        for route in desk.routes
        if outbox.told(unit, episode.alert_id, route.channel)
    ]


def acknowledge(unit: Unit, episode: Episode, routes: Routes, acked: t.Mapping[str, t.Any] | None, dry: bool = False) -> Step:
    """Somebody takes care of an open alert (``{at, by, comment, until}``), or does not any more (None); those who were told are told."""
    desk = desk_of(routes)
    episode.acked = dict(acked) if acked is not None else None
    told, due = None, []
    if acked is not None:
        episode.tellings += 1
        words = {key: str(acked[key]) for key in ("by", "comment") if acked.get(key)}
        names = {"by": "acknowledged by", "comment": "acknowledged with"}
        notes = {names[key]: text for key, text in words.items()}
        event = dict(episode.event, status="acknowledged", timestamp=rfc3339(unit.now))
        told = _filled(dict(event, annotations={**event["annotations"], **notes}), episode)
        due = _told(unit, episode, desk)
    if not dry:
        episodes.save(unit, episode)
    return _queued(unit, told, due, "", dry)


def escalate(unit: Unit, episode: Episode, routes: Routes, dry: bool = False) -> Step:
    """Tell of an open alert those who are to be told as nobody has taken care of it; of what nobody was told nothing is escalated."""
    desk = desk_of(routes)
    decision: Decision = desk.decide(unit, episode.event, episode)
    due = [
        route
        for route in decision.routes
        if route.escalated and route.takes(episode.severity) and outbox.told(unit, episode.alert_id, route.channel) is None
    ]
    if not due or not outbox.was_told(unit, episode.alert_id):
        return NOTHING
    episode.tellings += 1
    told = _filled(_noted(dict(episode.event, status="firing"), episode, desk, due, unit.now), episode)
    if not dry:
        episodes.save(unit, episode)
    return _queued(unit, told, due, "", dry)


def settle(unit: Unit, episode: Episode, routes: Routes, dry: bool = False) -> Step:
    """Resolve an alert that went back and forth and has been well for long, though nobody looks at it any more."""
    desk = desk_of(routes)
    rule = desk.policy.flapping
    if rule is None or episode.flaps is None or not flapping.is_settled(episode.flaps, unit.now, rule):
        return NOTHING
    at = float(episode.flaps["last"])
    episode.flaps = dict(episode.flaps, since=None)
    event = dict(episode.event, status="resolved", timestamp=rfc3339(at), message="it is steady again")
    return _resolve(unit, event, episode, desk, dry)


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


def _queued(unit: Unit, event: Event | None, due: t.Sequence[Route], muted: str, dry: bool) -> Step:
    channels = tuple(route.channel for route in due)
    if event is None or dry:
        return Step(event, channels, (), muted)
    outbox.supersede(unit, event["alert_id"], event["status"], channels)
    return Step(event, channels, tuple(_add(unit, event, due)), muted)


def _add(unit: Unit, event: Event, due: t.Sequence[Route]) -> list[int]:
    """Queue the event for each route, with those whom it calls."""
    plain = [route for route in due if route.mention is None]
    rows = outbox.add(unit, event["event_id"], event, [route.channel for route in plain], {route.channel: route.digest for route in plain})
    for route in due:
        if route.mention is not None:
            added = outbox.add(unit, event["event_id"], event, [route.channel], {route.channel: route.digest})
            if added:
                rowbook.call(unit, event["event_id"], route.channel, route.mention)
            rows += added
    return rows
