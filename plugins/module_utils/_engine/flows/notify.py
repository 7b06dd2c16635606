# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind notify and the callback: what happened becomes events, committed first, then told.

One unit of work keeps the alert's episode, the event and a row for each channel. Only then is anything sent.
"""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle, rounds
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, from_result, new_event, with_children
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Run
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import looks_secret
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import gone, outcomes
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.left_over import left_over, name_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.rules import NO_RULES, Rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import (
    StateDamaged,
    StateMissing,
    Store,
    Unit,
    check_writable,
    open_store,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import Report

UNREACHABLE = fleet.REACHABLE
FAILED = fleet.FAILED


def events_of_results(results: t.Mapping[str, t.Any], service: str, now: float, elsewhere: t.Collection[fleet.Node] = ()) -> list[Event]:
    """The events in what ``vigil.ops.inspect`` returned, host by host.

    A host that was unreachable is an event of the check ``reachable``, one whose task failed of the check ``inspection``; both are
    resolved by the next good result. What fails because of a check on another host (``elsewhere``: of one that is not among these) says
    nothing. Hosts without a result (null, skipped) say nothing.
    """
    events: list[Event] = []
    for host, outcome in fleet.trace(results, elsewhere).outcomes.items():
        if isinstance(outcome, t.Mapping):
            events += events_of_host(str(host), outcome, service, now)
    return events


def events_of_host(host: str, outcome: t.Mapping[str, t.Any], service: str, now: float) -> list[Event]:
    """The events of one host's outcome."""
    message = " ".join(str(outcome.get("msg") or "").split())
    if outcome.get("unreachable"):
        message = message or "the host cannot be reached"
        return with_children([_of_host(host, service, UNREACHABLE, now, "firing", "critical", message)], fleet.along(outcome))
    results = outcome.get("results")
    if not isinstance(results, (list, tuple)):
        if not outcome.get("failed"):
            return []
        known = [
            _of_host(host, service, UNREACHABLE, now, "resolved", "critical", "the host is reached again"),
            _of_host(host, service, FAILED, now, "firing", "error", message or "the inspection failed"),
        ]
        return with_children(known, fleet.along(outcome))
    events = [
        _of_host(host, service, UNREACHABLE, now, "resolved", "critical", "the host is reached again"),
        _of_host(host, service, FAILED, now, "resolved", "error", "the inspection works again"),
    ]
    for result in results:
        event = from_result(result, service, host, now) if isinstance(result, t.Mapping) and result.get("name") else None
        if event is not None:
            events.append(event)
    return with_children(events, fleet.along(outcome))


def prints_of_results(results: t.Mapping[str, t.Any], service: str) -> dict[str, set[str]]:
    """The alerts that the outcomes could raise, by host, of those hosts whose outcome shows all of their checks."""
    found = {host: gone.prints_of(host, outcome, service, (UNREACHABLE, FAILED)) for host, outcome in results.items()}
    return {host: prints for host, prints in found.items() if prints is not None}


def _of_host(host: str, service: str, check: str, now: float, status: str, severity: str, message: str) -> Event:
    return new_event(service, host, check, now, status=status, severity=severity, message=message)


def bind(channels: t.Iterable[Channel], salt: str) -> None:
    """Give each channel its key in the store with this salt; before anything is kept for them."""
    for channel in channels:
        channel.bind(salt)


def secrets_of(channels: t.Iterable[Channel]) -> set[str]:
    """Everything secret in the channels."""
    return set().union(*(channel.secrets for channel in channels)) - {""}


def hidden(event: Event, secrets: t.Collection[str]) -> Event:
    """The event without secrets in its free texts; keys, times, counts, status and severity stay what they are whatever a secret is.

    What the event is about (service, instance, check) loses only what looks like a token, as short secrets may be ordinary words.
    """
    tokens = {secret for secret in secrets if looks_secret(secret)}
    names = {key: mask(event[key], tokens) for key in ("service", "instance", "check")}
    context = dict(event["context"])
    context["observed"] = _hide(context.get("observed"), secrets)
    context["failed"] = [
        {key: item if key == "path" else _hide(item, secrets) for key, item in entry.items()} if isinstance(entry, dict) else entry
        for entry in context.get("failed") or ()
    ]
    context.update({key: mask(context[key], tokens) for key in ("caused_by", "trace_id") if isinstance(context.get(key), str)})
    texts = {key: _hide(event[key], secrets) for key in ("message", "labels", "annotations")}
    return dict(event, context=context, **names, **texts)


def _hide(value: t.Any, secrets: t.Collection[str]) -> t.Any:
    """The value without secrets in its texts; its keys stay."""
    if isinstance(value, str):
        return mask(value, secrets)
    if isinstance(value, dict):
        return {key: _hide(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(item, secrets) for item in value]
    return value


class Batch(t.NamedTuple):
    """What is to be told: ``events`` go through their alert's life, ``messages`` are told whatever was told before.

    ``dns``: results of dns_diff and service_guard as (host, outcome, service, time), whose events depend on what is known in the store.
    ``listed``: the checks of hosts whose lists are known whole; alerts of others there are over.
    ``runs``: expected runs that have ended well now. ``looks``: what is due though nobody observed anything is told as well.
    """

    events: t.Sequence[Event] = ()
    messages: t.Sequence[Event] = ()
    source: str = "notify"
    dns: t.Sequence[tuple[str, t.Mapping[str, t.Any], str, float]] = ()
    listed: gone.Listed | None = None
    runs: t.Sequence[Run] = ()
    looks: bool = False


class Committed(t.NamedTuple):
    """What was kept: the outbox rows, the events that are told with the keys of their channels, and why others are not."""

    rows: list[int]
    told: list[tuple[Event, tuple[str, ...]]]
    muted: list[tuple[Event, str]]


def commit(unit: Unit, channels: t.Sequence[Channel], batch: Batch, dry: bool = False, rules: Rules = NO_RULES) -> Committed:
    """Take everything through the lifecycle in the caller's unit of work; ``dry`` writes nothing."""
    desk, secrets = rules.desk(channels), secrets_of(channels)
    over = gone.events(unit, batch.listed, dry) if batch.listed else []

    def made(event: Event) -> Event:
        return hidden(rules.marked(event), secrets)

    events = [made(event) for event in [*batch.events, *over]]
    events.sort(key=lambda event: not desk.is_cause(event))  # so that what it mutes is not told before
    steps = [lifecycle.step(unit, event, desk, _source(event, batch), dry) for event in events]
    for event in map(made, batch.messages):
        if dry:
            steps.append(lifecycle.Step(event, lifecycle.takers(unit, event, desk)))
        else:
            steps.append(lifecycle.message(unit, event, desk, uuid.uuid4().hex))
    for one in batch.dns:
        steps += outcomes.commit(unit, one, desk, made, dry)
    for run in batch.runs if not dry else ():
        rounds.seen(unit, run)
    if batch.looks or batch.runs:
        steps += rounds.round_(unit, desk, dry)
    rows = [row for step in steps for row in step.rows]
    told = [(step.event, step.channels) for step in steps if step.event is not None]
    return Committed(rows, told, [(step.event, step.muted) for step in steps if step.event is not None and step.muted])


def _source(event: Event, batch: Batch) -> str:
    """Whether a host is reached is known to everybody who asks it anything, so anybody may resolve that."""
    return UNREACHABLE if event["check"] == UNREACHABLE else batch.source


def resolutions(unit: Unit, source: str, is_over: t.Callable[[str, str], bool], message: str, now: float) -> list[Event]:
    """Resolved events for the open alerts of a source.

    :arg is_over: (instance, check) -> whether it is known to be over
    """
    return [
        dict(episode.event, status="resolved", message=message, timestamp=rfc3339(now))
        for episode in episodes.open_from(unit, source)
        if is_over(episode.instance, str(episode.event.get("check", "")))
    ]


def tell(store: Store, channels: t.Sequence[Channel], batch: Batch, seconds: float = 10.0, rules: Rules = NO_RULES) -> dict[str, t.Any]:
    """Keep what is to be told, then send it and what was queued before, for at most ``seconds``.

    :return: ``{delivered, queued, dropped, channels: [{channel, status, attempts, code, message}], events, muted, notices}``;
        the counts are of events times channels, ``events`` are those told now, ``muted`` those of them that nobody is told of and why,
        ``notices`` sentences for the user
    :raises StateError: the store cannot be used; nothing was told then
    """
    # TLS and HTTP are needed here alone: a callback of a run that has nothing to tell does without
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import deliver

    bind(channels, store.salt)
    committed = store.run(lambda unit: commit(unit, channels, batch, rules=rules))
    reports = deliver(store, channels, seconds)
    with store.view() as unit:
        pending, waiting = outbox.pending(unit), outbox.waiting(unit)
    return {
        "delivered": sum(report.sent for report in reports),
        "queued": sum(pending.get(channel.key, 0) for channel in channels),
        "collected": sum(waiting.get(channel.key, 0) for channel in channels),
        "dropped": sum(report.dead for report in reports),
        "channels": [_shown(report, pending.get(report.channel.key, 0)) for report in reports],
        "events": [event for event, _channels in committed.told],
        "muted": _muted(committed),
        "notices": store.notices + left_over(store, channels, {report.channel.key: report for report in reports}),
    }


def _muted(committed: Committed) -> list[dict[str, str]]:
    return [{"instance": event["instance"], "check": event["check"], "reason": why} for event, why in committed.muted]


def _shown(report: Report, queued: int) -> dict[str, t.Any]:
    status = "queued" if queued else "dropped" if report.dead else "delivered" if report.sent else "nothing"
    name = name_of(report.channel)
    shown = {"channel": name, "status": status, "attempts": report.attempts, "code": report.code, "message": report.message}
    return dict(shown, delivered=report.sent, queued=queued, dropped=report.dead)


def preview(
    url: str, channels: t.Sequence[Channel], batch: Batch, clock: t.Callable[[], float], rules: Rules = NO_RULES
) -> dict[str, t.Any]:
    """What ``tell`` would tell; nothing is stored, sent or made.

    :raises StateError: the store cannot be read, or not be written when it comes to it
    """
    check_writable(url)
    notices: list[str] = []
    try:
        with open_store(url, clock, read_only=True) as store, store.view() as unit:
            bind(channels, store.salt)
            committed = commit(unit, channels, batch, dry=True, rules=rules)
            pending = outbox.pending(unit)
    except (StateMissing, StateDamaged) as exc:
        if isinstance(exc, StateDamaged):
            notices.append(f"{str(exc).partition(' It is left')[0]} The next run that writes there sets it aside and begins a new one.")
        bind(channels, "")
        committed, pending = _fresh(channels, batch, rules, clock()), {}
    wanted = {channel.key: sum(channel.key in keys for _event, keys in committed.told) for channel in channels}
    return {
        "delivered": 0,
        "queued": 0,
        "collected": 0,
        "dropped": 0,
        "channels": [
            {
                "channel": channel.masked,
                "status": "would tell" if wanted[channel.key] or pending.get(channel.key) else "nothing",
                "attempts": 0,
                "code": "",
                "message": f"{wanted[channel.key]} new and {pending.get(channel.key, 0)} queued messages would be sent",
            }
            for channel in channels
        ],
        "events": [event for event, _keys in committed.told],
        "muted": _muted(committed),
        "notices": notices,
    }


class _Moment(t.NamedTuple):
    """Stands in for a unit of work where there is no store yet."""

    now: float


def _fresh(channels: t.Sequence[Channel], batch: Batch, rules: Rules, now: float) -> Committed:
    """What would be told if there were a store with nothing in it."""
    secrets, desk, moment = secrets_of(channels), rules.desk(channels), t.cast("Unit", _Moment(now))
    firing = [event for event in batch.events if event["status"] == "firing"]
    firing += [event for one in batch.dns for event in outcomes.every(*one) if event["status"] == "firing"]
    told: list[tuple[Event, tuple[str, ...]]] = []
    muted: list[tuple[Event, str]] = []
    for event in (hidden(event, secrets) for event in firing):
        why = desk.window(now, event)
        told.append((event, () if why else lifecycle.takers(moment, event, desk)))
        muted += [(event, why)] if why else []
    messages = [hidden(event, secrets) for event in batch.messages]
    return Committed([], told + [(event, lifecycle.takers(moment, event, desk)) for event in messages], muted)
