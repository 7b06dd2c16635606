# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is due though nobody has observed anything now: escalations, alerts that are steady again, runs that did not happen."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import flapping, lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.desk import Desk
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Run
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, expected
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.expected import Expected
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

SOURCE = "expected"


def round_(unit: Unit, desk: Desk, dry: bool = False) -> list[lifecycle.Step]:
    """Whoever looks at the store does this: nothing else would notice."""
    steps = [lifecycle.step(unit, event, desk, SOURCE, dry) for event in _runs(unit, desk, dry)]
    escalates = any(rule.escalate for rule in desk.policy.routes)
    for episode in episodes.all_open(unit):
        if flapping.is_flapping(episode.flaps):
            steps.append(lifecycle.settle(unit, episode, desk, dry))
        if episode.open and escalates:
            steps.append(lifecycle.escalate(unit, episode, desk, dry))
    return [one for one in steps if one.event is not None]


def seen(unit: Unit, run: Run) -> None:
    """A run that is expected has ended; the next one is due within ``every``."""
    body = {"severity": run.severity, "service": run.service}
    expected.put(unit, Expected(run.name, run.every, run.grace, unit.now, body))


def _runs(unit: Unit, desk: Desk, dry: bool) -> list[Event]:
    """An event for each run that is overdue, and for each that is not and was."""
    known = {one.name: one for one in expected.every(unit)}
    for run in desk.policy.expected:
        one = known.get(run.name)
        last = one.last_at if one is not None else unit.now
        body = {"severity": run.severity, "service": run.service}
        known[run.name] = Expected(run.name, run.every, run.grace, last, body)
        if known[run.name] != one and not dry:
            expected.put(unit, known[run.name])
    waiting = {episode.fingerprint for episode in episodes.open_from(unit, SOURCE)} if known else set()
    found = []
    for one in known.values():
        if one.last_at > unit.now and not dry:  # the clock went back
            one = one._replace(last_at=unit.now)
            expected.put(unit, one)
        event = _event(one, unit.now)
        if event["status"] == "firing" or event["fingerprint"] in waiting:
            found.append(event)
    found += _forgotten(unit, known)
    return found


def _event(one: Expected, now: float) -> Event:
    ago = max(now - one.last_at, 0.0)
    is_late = ago > one.every + one.grace
    often = format_duration(one.every)
    message = f"did not run for {format_duration(max(ago, 1.0))}, and is expected every {often}; it ended last at {rfc3339(one.last_at)}"
    return new_event(
        str(one.body.get("service") or "vigil"),
        "",
        f"run of {one.name}",
        now,
        status="firing" if is_late else "resolved",
        severity=str(one.body.get("severity") or "error"),
        message=message if is_late else "it has run again",
        metrics={"seconds_since": round(ago, 1)},
    )


def _forgotten(unit: Unit, known: t.Mapping[str, Expected]) -> list[Event]:
    """The alarms of runs that are not expected any more are over."""
    return [
        dict(episode.event, status="resolved", timestamp=rfc3339(unit.now), message="it is not expected any more")
        for episode in episodes.open_from(unit, SOURCE)
        if str(episode.event.get("check", ""))[len("run of ") :] not in known
    ]
