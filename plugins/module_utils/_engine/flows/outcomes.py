# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results whose events depend on what is known in the store: those of dns_diff, log_scan, service_guard and backup, told by their shape."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup_events, dns_events, guard_events, log_events

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Routes, Step
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

Outcome = t.Mapping[str, t.Any]
Given = t.Tuple[str, Outcome, str, float]


def is_outcome(outcome: t.Any) -> bool:
    """Whether this is such a result."""
    return any(room.is_outcome(outcome) for room in (dns_events, guard_events, backup_events, log_events))


def unfolded(given: t.Any) -> t.List[t.Any]:
    """What one host returned, one by one: a result, a list of them, or what a task in a loop has registered."""
    found: t.List[t.Any] = []
    for one in given if isinstance(given, list) else [given]:
        items = one.get("results") if isinstance(one, t.Mapping) and not is_outcome(one) else None
        several = [item for item in items if is_outcome(item)] if isinstance(items, list) else []
        found += several or [one]
    return found


def commit(unit: Unit, given: Given, routes: Routes, hide: t.Callable[[Event], Event], dry: bool) -> t.List[Step]:
    """Keep what a result (host, outcome, service, now) is to tell, and that it was received."""
    return _room(given[1]).commit(unit, given, routes, hide, dry)


def every(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    """All events of a result, for a store that does not exist yet."""
    return _room(outcome).every(host, outcome, service, now)


def count(outcome: Outcome) -> int:
    """How many events are lost with it."""
    key = "changes" if dns_events.is_outcome(outcome) else "alarms" if log_events.is_outcome(outcome) else "events"
    return len(outcome[key])


def _room(outcome: Outcome) -> t.Any:
    """Who knows what such a result is."""
    return next(room for room in (dns_events, guard_events, backup_events, log_events) if room.is_outcome(outcome))
