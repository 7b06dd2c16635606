# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What backup returned, as events: each snapshot is told once, and what is not well is an alert until it is."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import receipts

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Routes
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

Outcome = t.Mapping[str, t.Any]


def is_outcome(outcome: t.Any) -> bool:
    """Whether this is what backup returned."""
    return isinstance(outcome, t.Mapping) and all(key in outcome for key in ("events", "batch", "snapshot", "job"))


def source_of(host: str) -> str:
    """Who observes these alerts."""
    return f"backup:{host}"


def event_of(host: str, outcome: Outcome, one: Outcome, service: str, now: float) -> Event:
    """One event of a backup."""
    kind = str(one["kind"])
    return new_event(
        service,
        host,
        f"backup {outcome['job']}" + ("" if kind == "changed" else f" {kind}"),
        float(one["at"] or now),
        status=str(one["status"]),
        severity=str(one["severity"]),
        message=str(one["message"]),
        observed={"kind": kind, "snapshot": one.get("snapshot")},
    )


def every(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    """All events of a result, for a store that does not exist yet."""
    return [event_of(host, outcome, one, service, now) for one in outcome["events"]]


def commit(
    unit: Unit, given: t.Tuple[str, Outcome, str, float], routes: Routes, hide: t.Callable[[Event], Event], dry: bool
) -> t.List[lifecycle.Step]:
    """Keep what a result is to tell; that it was received is kept in the same unit of work, so that no snapshot is lost in between.

    :arg given: host, outcome, service, now
    :arg hide: takes secrets out of an event
    """
    host, outcome, service, now = given
    steps = []
    for one in outcome["events"]:
        event = hide(event_of(host, outcome, one, service, now))
        if one["kind"] != "changed":
            steps.append(lifecycle.step(unit, event, routes, source_of(host), dry=dry))
        elif dry:
            steps.append(lifecycle.Step(event, lifecycle.takers(unit, event, routes)))
        else:
            steps.append(lifecycle.note(unit, event, routes, f"backup/{one['snapshot']}"))
    if outcome.get("batch") and outcome.get("receipt") and not dry:
        receipts.receive(unit, str(outcome["receipt"]), str(outcome["batch"]))
    return steps
