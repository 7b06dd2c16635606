# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What service_guard returned, as events: a service is one alert, from the first failure that was acted on until it is well again."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, marks, receipts

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

_SPACE = "guard_told"
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
    unit: Unit, given: t.Tuple[str, Outcome, str, float], routes: t.Sequence[Route], hide: t.Callable[[Event], Event], dry: bool
) -> t.List[lifecycle.Step]:
    """Keep what a result is to tell; that it was received is kept in the same unit of work, so that no event is lost in between.

    :arg given: host, outcome, service, now
    :arg hide: takes secrets out of an event
    """
    host, outcome, service, now = given
    steps = []
    for one in _not_told(unit, host, outcome, routes, dry):
        steps.append(_step(unit, host, one, service, routes, hide, dry))
    # An alert whose end its host has forgotten (its store is gone) is over when the service is seen well.
    for found in outcome["guards"]:
        if found.get("healthy") is True:
            words = {"status": "resolved", "severity": "info", "message": "it is well"}
            event = event_of(host, {"service": found["unit"], "at": now, **words}, service)
            steps.append(lifecycle.step(unit, hide(event), routes, source_of(host), dry=dry))
    if outcome.get("batch") and outcome.get("receipt") and not dry:
        receipts.receive(unit, str(outcome["receipt"]), str(outcome["batch"]))
    return steps


def _step(
    unit: Unit, host: str, one: Outcome, service: str, routes: t.Sequence[Route], hide: t.Callable[[Event], Event], dry: bool
) -> lifecycle.Step:
    event = event_of(host, one, service)
    episode = episodes.get(unit, event["fingerprint"])
    if event["status"] == "firing" and (episode is None or not episode.open):
        event = event_of(host, dict(one, at=one.get("since") or one["at"]), service)
    return lifecycle.step(unit, hide(event), routes, source_of(host), dry=dry)


def _not_told(unit: Unit, host: str, outcome: Outcome, routes: t.Sequence[Route], dry: bool) -> t.List[Outcome]:
    """The events that these channels were not told of yet: a host returns an event until it knows that somebody has it.

    They are numbered, and told in their order, so the last number of each store of a host says it all.
    """
    fresh = []
    channels = hashlib.sha256("\n".join(sorted(route.channel for route in routes)).encode()).hexdigest()[:16]
    for one in outcome["events"]:
        key = f"{host}:{one.get('ledger')}:{channels}"
        number = int(one.get("number") or 0)
        if number and number <= int(marks.get(unit, _SPACE, key, 0) or 0):
            continue
        if number and not dry:
            marks.put(unit, _SPACE, key, number)
        fresh.append(one)
    return fresh


def text_of(outcome: Outcome, host: str, columns: int = 120) -> str:
    """The services of a host as lines of a table for a terminal."""
    lines = []
    for one in outcome["guards"]:
        word = "healed" if one["recovered"] and one["restarted"] else "recovered" if one["recovered"] else str(one["status"])
        line = f"  {host:<20}  {one['service']:<20}  {word:<10}  {one['message']}"
        lines.append("".join(char if char.isprintable() else "?" for char in line)[:columns].rstrip())
    return "".join(line + "\n" for line in lines)
