# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What log_scan returned, as events: lines are told once, what lasts (a threshold, silence, a rate, a log that cannot be read) until it is over."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, alert_id, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.told import Told
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, receipts
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339, rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Routes
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

_SPACE = "log_told"
_LASTING = ("threshold", "absent", "rate")
FAILS = " cannot be read"
MANY, MANY_FAIL = 20, "logs"
Outcome = t.Mapping[str, t.Any]
Given = t.Tuple[str, Outcome, str, float]


def is_outcome(outcome: t.Any) -> bool:
    """Whether this is what log_scan returned."""
    return isinstance(outcome, t.Mapping) and all(key in outcome for key in ("matches", "counts", "alarms", "failures", "levels"))


def source_of(host: str, outcome: Outcome) -> str:
    """Who observes these alerts."""
    return "logs:" + ":".join((host, str(outcome.get("view") or ""), str(outcome.get("scope") or "")))


def event_of(host: str, one: Outcome, service: str) -> Event:
    """One alarm. Its label ``service``, where its rule has one, is the event's service and no label any more."""
    labels = {str(key): str(value) for key, value in (one.get("labels") or {}).items()}
    service = labels.pop("service", "") or service
    if one.get("key") and one.get("kind") != "new":
        labels["key"] = str(one["key"])
    at = one["since"] if one["status"] == "firing" and one["kind"] in _LASTING else one.get("time") or one["since"]
    return new_event(
        service,
        host,
        f"log {one['rule']}",
        parse_rfc3339(str(at)),
        status=str(one["status"]),
        severity=str(one["severity"]),
        message=str(one["message"]),
        labels=labels,
        annotations=one.get("annotations"),
        trace_id=one.get("trace_id"),
        metrics={"count": one.get("count", 0)},
        observed={key: one.get(key) for key in ("kind", "source", "fields", "context", "since", "until")},
    )


def every(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    """All events of a result, for a store that does not exist yet."""
    alarms = [event_of(host, one, service) for one in outcome["alarms"] if one["status"] == "firing"]
    return alarms + _failures(host, outcome, service, now)


def commit(unit: Unit, given: Given, routes: Routes, hide: t.Callable[[Event], Event], dry: bool) -> t.List[lifecycle.Step]:
    """Keep what a result is to tell; that it was received is kept in the same unit of work, so that no alarm is lost in between.

    :arg given: host, outcome, service, now
    :arg hide: takes secrets out of an event
    """
    host, outcome, service, now = given
    telling = _Telling(unit, given, routes, hide, dry)
    steps = [telling.tell(one) for one in outcome["alarms"]]
    source = source_of(host, outcome)
    firing = _failures(host, outcome, service, now)
    still = {event["fingerprint"] for event in firing}
    moment = parse_rfc3339(str(rfc3339(now)))
    for episode in episodes.open_from(unit, source):
        name = str(episode.event.get("check"))
        if episode.fingerprint not in still and (name.endswith(FAILS) or name == MANY_FAIL) and episode.last_at < moment:
            firing.append(dict(episode.event, status="resolved", message="it is read again", timestamp=rfc3339(now)))
    steps += [lifecycle.step(unit, hide(event), routes, source, dry=dry) for event in firing]
    if outcome.get("batch") and outcome.get("receipt") and not dry:
        receipts.receive(unit, str(outcome["receipt"]), str(outcome["batch"]))
    return steps


def _failures(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    found = outcome["failures"]
    if len(found) > MANY:
        message = f"{len(found)} logs and rules cannot be used, the first: {found[0]['message']}"
        return [new_event(service, host, MANY_FAIL, now, severity="error", message=message, observed={"first": found[:MANY]})]
    return [
        new_event(
            service, host, f"log {one['source']}{FAILS}", now, severity="error", message=one["message"], observed={"reason": one["reason"]}
        )
        for one in found
    ]


class _Telling:
    """Tells the alarms of one host and view; some come again, see ``told``."""

    def __init__(self, unit: Unit, given: Given, routes: Routes, hide: t.Callable[[Event], Event], dry: bool) -> None:
        self._unit, self._routes, self._hide, self._dry = unit, routes, hide, dry
        self._host, outcome, self._service, _now = given
        self._view, self._source = str(outcome.get("view") or ""), source_of(given[0], outcome)
        self._told = Told(unit, _SPACE, routes, dry)

    def tell(self, one: Outcome) -> lifecycle.Step:
        """Tell what was not told yet."""
        event = self._hide(event_of(self._host, one, self._service))
        if one["kind"] not in _LASTING:
            return self._note(event, str(one["id"]))
        number, ledger = int(one.get("number") or 0), f"{self._host}:{one.get('ledger')}:{self._view}"
        is_new, is_untold = self._told.look(ledger, number)
        if not number or is_new:
            return lifecycle.step(self._unit, event, self._routes, self._source, dry=self._dry)
        return self._again(event, f"{ledger}:{number}") if is_untold else lifecycle.NOTHING

    def _note(self, event: Event, name: str) -> lifecycle.Step:
        if self._dry:
            return lifecycle.Step(event, lifecycle.takers(self._unit, event, self._routes))
        step = lifecycle.note(self._unit, event, self._routes, name)
        return step if step.rows or not step.channels else lifecycle.NOTHING  # it was told already

    def _again(self, event: Event, name: str) -> lifecycle.Step:
        """To channels that were not told yet: as part of the alert while it is open, else as it was."""
        episode = episodes.get(self._unit, event["fingerprint"])
        if event["status"] == "firing" and episode is not None and episode.open:
            return lifecycle.step(self._unit, event, self._routes, self._source, dry=self._dry)
        event.update(alert_id=alert_id(parse_rfc3339(event["timestamp"]), event["fingerprint"]))
        return self._note(event, name)


def text_of(outcome: Outcome, host: str) -> str:
    """What was found as lines of a table for a terminal."""
    lines = [f"{one['severity']:<9} {one['status']:<9} {one['message']}" for one in outcome["alarms"]]
    lines += [f"{'unread':<9} {one['reason']:<9} {one['message']}" for one in outcome["failures"]]
    stats = outcome["stats"]
    lines.append(f"{stats['matches']} matches in {stats['lines']} new lines ({stats['bytes']} bytes) of {stats['files']} files")
    shown = ("".join(char if char.isprintable() else "?" for char in line)[:500] for line in lines)
    return "".join(f"  {host:<20}  {line}".rstrip() + "\n" for line in shown)
