# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind notify and the callback: what happened becomes events, committed first, then told.

One unit of work keeps the alert's episode, the event and a row for each channel. Only then is anything sent.
"""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, from_result, new_event, with_children
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import looks_secret
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import gone, outcomes
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, marks, outbox, owner
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
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Gate

UNREACHABLE = fleet.REACHABLE
FAILED = fleet.FAILED
WAITING = 7 * 86400.0
_DAY = 86400.0


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


def routes_of(channels: t.Iterable[Channel]) -> list[Route]:
    """The channels as the lifecycle knows them."""
    return [Route(channel.key, channel.min_severity) for channel in channels]


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
    """

    events: t.Sequence[Event] = ()
    messages: t.Sequence[Event] = ()
    source: str = "notify"
    dns: t.Sequence[tuple[str, t.Mapping[str, t.Any], str, float]] = ()
    listed: gone.Listed | None = None


class Committed(t.NamedTuple):
    """What was kept: the outbox rows, and the events that are told with the keys of their channels."""

    rows: list[int]
    told: list[tuple[Event, tuple[str, ...]]]


def commit(unit: Unit, channels: t.Sequence[Channel], batch: Batch, dry: bool = False) -> Committed:
    """Take everything through the lifecycle in the caller's unit of work; ``dry`` writes nothing."""
    routes, secrets = routes_of(channels), secrets_of(channels)
    over = gone.events(unit, batch.listed, dry) if batch.listed else []
    steps = [lifecycle.step(unit, hidden(event, secrets), routes, _source(event, batch), dry=dry) for event in [*batch.events, *over]]
    for event in (hidden(message, secrets) for message in batch.messages):
        if dry:
            takers = tuple(route.channel for route in routes if lifecycle.takes(route, event["severity"]))
            steps.append(lifecycle.Step(event, takers))
        else:
            steps.append(lifecycle.message(unit, event, routes, uuid.uuid4().hex))
    for one in batch.dns:
        steps += outcomes.commit(unit, one, routes, lambda event: hidden(event, secrets), dry)
    rows = [row for step in steps for row in step.rows]
    return Committed(rows, [(step.event, step.channels) for step in steps if step.event is not None])


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


def tell(store: Store, channels: t.Sequence[Channel], batch: Batch, seconds: float = 10.0, gate: Gate | None = None) -> dict[str, t.Any]:
    """Keep what is to be told, then send it and what was queued before, for at most ``seconds``.

    :return: ``{delivered, queued, dropped, channels: [{channel, status, attempts, code, message}], events, notices}``;
        the counts are of events times channels, ``events`` are those told now, ``notices`` sentences for the user
    :raises StateError: the store cannot be used; nothing was told then
    """
    # TLS and HTTP are needed here alone: a callback of a run that has nothing to tell does without
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import deliver

    bind(channels, store.salt)
    committed = store.run(lambda unit: commit(unit, channels, batch))
    reports = deliver(store, channels, seconds, gate)
    with store.view() as unit:
        pending = outbox.pending(unit)
    return {
        "delivered": sum(report.sent for report in reports),
        "queued": sum(pending.get(channel.key, 0) for channel in channels),
        "dropped": sum(report.dead for report in reports),
        "channels": [_shown(report, pending.get(report.channel.key, 0)) for report in reports],
        "events": [event for event, _channels in committed.told],
        "notices": store.notices + left_over(store, channels, {report.channel.key: report for report in reports}),
    }


def _shown(report: Report, queued: int) -> dict[str, t.Any]:
    status = "queued" if queued else "dropped" if report.dead else "delivered" if report.sent else "nothing"
    name = _name(report.channel)
    shown = {"channel": name, "status": status, "attempts": report.attempts, "code": report.code, "message": report.message}
    return dict(shown, delivered=report.sent, queued=queued, dropped=report.dead)


def _orphaned(key: str, number: int) -> str:
    return f'{_messages(number)} for the channel "{key}" stay{"s" if number == 1 else ""} queued: it is not among the channels given here.'


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _name(channel: Channel) -> str:
    return channel.masked if not channel.name else f"{channel.name} ({channel.masked})"


def left_over(store: Store, channels: t.Sequence[Channel], reports: t.Mapping[str, Report]) -> list[str]:
    """Sentences on what is not told after sending: for these channels, and what waits for channels that are not among them.

    The latter is said once a day; what waited for WAITING seconds while nobody served its channel is given up.

    :arg reports: by the key of the channel, of those that something was sent for
    :raises StateError: the store cannot be used
    """
    with store.view() as unit:
        pending, others = outbox.pending(unit), outbox.elsewhere(unit, owner.this_process())
    left = {key: number - others.get(key, 0) for key, number in pending.items()}
    sentences = [line for channel in channels for line in _unsent(channel, left.get(channel.key, 0), reports.get(channel.key), store.path)]
    strange = {key: number for key, number in left.items() if number > 0 and key not in {channel.key for channel in channels}}
    return sentences + (store.run(lambda unit: _strange(unit, strange)) if strange else [])


def _unsent(channel: Channel, queued: int, report: Report | None, path: str) -> list[str]:
    why = f": {report.message}" if report is not None and report.message else ""
    sentences = []
    if queued:
        they = "It stays" if queued == 1 else "They stay"
        go = "goes" if queued == 1 else "go"
        sentences.append(
            f"{_messages(queued)} for {_name(channel)} could not be sent yet{why}."
            f" {they} in {path} and {go} out with the next run, or with vigil.ops.notify and flush."
        )
    if report is not None and report.dead:
        was = "was" if report.dead == 1 else "were"
        sentences.append(f"{_messages(report.dead)} for {_name(channel)} {was} refused{why}. See vigil.ops.history_info with kind dead.")
    return sentences


def _strange(unit: Unit, pending: t.Mapping[str, int]) -> list[str]:
    """What is to be said of channels that messages wait for and that are not served here."""
    sentences = []
    for key, number in sorted(pending.items()):
        given_up = outbox.expire(unit, key, unit.now - WAITING)
        if given_up:
            sentences.append(
                f'{_messages(given_up)} for the channel "{key}" waited for a week in which nobody served it, and will not be sent any more.'
                " See vigil.ops.history_info with kind dead."
            )
        server = outbox.server(unit, key)
        if server and not server.startswith(owner.this_process()) and owner.is_alive(server):
            continue  # another process has the channel, such as the callback of this very run
        said = marks.get(unit, "orphans", key)
        if number > given_up and not (isinstance(said, (int, float)) and abs(unit.now - said) < _DAY):
            marks.put(unit, "orphans", key, unit.now)
            sentences.append(_orphaned(key, number - given_up))
    return sentences


def preview(url: str, channels: t.Sequence[Channel], batch: Batch, clock: t.Callable[[], float]) -> dict[str, t.Any]:
    """What ``tell`` would tell; nothing is stored, sent or made.

    :raises StateError: the store cannot be read, or not be written when it comes to it
    """
    check_writable(url)
    notices: list[str] = []
    try:
        with open_store(url, clock, read_only=True) as store, store.view() as unit:
            bind(channels, store.salt)
            committed = commit(unit, channels, batch, dry=True)
            pending = outbox.pending(unit)
    except (StateMissing, StateDamaged) as exc:
        if isinstance(exc, StateDamaged):
            notices.append(f"{str(exc).partition(' It is left')[0]} The next run that writes there sets it aside and begins a new one.")
        bind(channels, "")
        secrets = secrets_of(channels)
        dns = [event for one in batch.dns for event in outcomes.every(*one)]
        fresh = [(hidden(event, secrets), tuple(route.channel for route in routes_of(channels) if lifecycle.takes(route, event["severity"])))
                 for event in [*batch.events, *batch.messages, *dns] if event["status"] == "firing" or event in batch.messages]  # fmt: skip
        committed, pending = Committed([], fresh), {}
    wanted = {channel.key: sum(channel.key in keys for _event, keys in committed.told) for channel in channels}
    return {
        "delivered": 0,
        "queued": 0,
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
        "notices": notices,
    }
