# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What service_guard returned, as events: a service is one alert, from the first failure that was acted on until it is well again."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, alert_id, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.told import Told
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, receipts
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Routes
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

_SPACE = "guard_told"
_SAME = 2.0  # seconds: times of events are whole ones
Outcome = t.Mapping[str, t.Any]


def is_outcome(outcome: t.Any) -> bool:
    """Whether this is what service_guard returned."""
    return isinstance(outcome, t.Mapping) and all(key in outcome for key in ("guards", "events", "batch", "restarted"))


def source_of(host: str) -> str:
    """Who observes these alerts."""
    return f"guard:{host}"


def event_of(host: str, one: Outcome, service: str) -> Event:
    """One event of a guard. What opens an alert has the time of the first failing look, so that the alert lasts as long as the outage."""
    return new_event(
        service,
        host,
        check_of(str(one["service"])),
        float(one["at"]),
        status=str(one["status"]),
        severity=str(one["severity"]),
        message=str(one["message"]),
        caused_by=one.get("caused_by"),
        metrics={"restarts": one.get("attempts", 0), "downtime_seconds": one.get("downtime", 0.0)},
        observed={"kind": one.get("kind"), "reason": one.get("reason"), "unit": one["service"]},
    )


def check_of(unit: str) -> str:
    """The name under which a service is told."""
    return f"service {unit[:-8] if unit.endswith('.service') else unit}"


def every(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    """All events of a result, for a store that does not exist yet."""
    return [event_of(host, one, service) for one in outcome["events"]]


def commit(
    unit: Unit, given: t.Tuple[str, Outcome, str, float], routes: Routes, hide: t.Callable[[Event], Event], dry: bool
) -> t.List[lifecycle.Step]:
    """Keep what a result is to tell; that it was received is kept in the same unit of work, so that no event is lost in between.

    :arg given: host, outcome, service, now
    :arg hide: takes secrets out of an event
    """
    host, outcome, service, now = given
    telling = _Telling(unit, host, service, routes, hide, dry)
    steps = [telling.tell(one) for one in outcome["events"]]
    # An alert whose end its host has forgotten (its store is gone) is over when the service is seen well.
    for found in outcome["guards"]:
        if found.get("healthy") is True:
            words = {"status": "resolved", "severity": "info", "message": "it is well"}
            event = event_of(host, {"service": found["unit"], "at": now, **words}, service)
            steps.append(lifecycle.step(unit, hide(event), routes, source_of(host), dry=dry))
    if outcome.get("batch") and outcome.get("receipt") and not dry:
        receipts.receive(unit, str(outcome["receipt"]), str(outcome["batch"]))
    return steps


class _Telling:
    """Tells the events of one host; some come again, see ``told``."""

    def __init__(self, unit: Unit, host: str, service: str, routes: Routes, hide: t.Callable[[Event], Event], dry: bool) -> None:
        self._unit, self._host, self._service, self._routes, self._hide, self._dry = unit, host, service, routes, hide, dry
        self._told = Told(unit, _SPACE, routes, dry)

    def tell(self, one: Outcome) -> lifecycle.Step:
        """Tell what was not told yet."""
        number = int(one.get("number") or 0)
        if not number:
            return self._live(one)
        ledger = f"{self._host}:{one.get('ledger')}"
        is_new, is_untold = self._told.look(ledger, number)
        if is_new:
            return self._live(one)
        return self._again(one, f"{ledger}:{number}") if is_untold else lifecycle.NOTHING

    def _live(self, one: Outcome) -> lifecycle.Step:
        event = event_of(self._host, one, self._service)
        episode = episodes.get(self._unit, event["fingerprint"])
        if event["status"] == "firing" and (episode is None or not episode.open):
            event = event_of(self._host, dict(one, at=one.get("since") or one["at"]), self._service)
        return lifecycle.step(self._unit, self._hide(event), self._routes, source_of(self._host), dry=self._dry)

    def _again(self, one: Outcome, name: str) -> lifecycle.Step:
        """To channels that were not told yet: as part of the alert while it is this one that is open, else as it was."""
        event = self._hide(event_of(self._host, one, self._service))
        episode = episodes.get(self._unit, event["fingerprint"])
        since = float(one.get("since") or one["at"])
        if event["status"] == "firing" and episode is not None and episode.open and abs(episode.starts_at - since) < _SAME:
            return lifecycle.step(self._unit, event, self._routes, source_of(self._host), dry=self._dry)
        event.update(alert_id=alert_id(since, event["fingerprint"]), starts_at=rfc3339(since))
        if event["status"] == "resolved":
            event.update(ends_at=rfc3339(float(one["at"])), duration_seconds=one.get("downtime"))
        if self._dry:
            return lifecycle.Step(event, lifecycle.takers(self._unit, event, self._routes))
        return lifecycle.note(self._unit, event, self._routes, name)


def text_of(guards: t.Iterable[Outcome], host: str) -> str:
    """The services of a host as lines of a table for a terminal; they are not cut, as their end says what helps."""
    lines = []
    for one in guards:
        word = "healed" if one["recovered"] and one["restarted"] else "recovered" if one["recovered"] else str(one["status"])
        line = f"  {host:<20}  {one['service']:<20}  {word:<10}  {one['message']}"
        lines.append("".join(char if char.isprintable() else "?" for char in line).rstrip())
    return "".join(line + "\n" for line in lines)
