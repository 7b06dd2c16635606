# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dns_diff returned, as events: a change is told once, a name that cannot be looked at is an alert until it answers again."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import lifecycle
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, receipts
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339, rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

MANY = 20  # so many changes of one moment, or failures, are told one by one; more are one event that names the first
MASS, MANY_FAIL = "dns mass change", "dns names"
_SHOWN = 10
Outcome = t.Mapping[str, t.Any]


class Told(t.NamedTuple):
    """``events`` go through their alert's life; ``notes`` are told once: (event, what makes it this one)."""

    source: str
    events: t.List[Event]
    notes: t.List[t.Tuple[Event, str]]


def is_outcome(outcome: t.Any) -> bool:
    """Whether this is what dns_diff returned."""
    return isinstance(outcome, t.Mapping) and all(key in outcome for key in ("changes", "failures", "stats", "against"))


def source_of(host: str, outcome: Outcome) -> str:
    """Who observes these alerts: only the same comparison may resolve them."""
    return "dns:" + ":".join((host, str(outcome.get("against")), str(outcome.get("view") or ""), str(outcome.get("scope") or "")))


def events_of(unit: t.Optional[Unit], host: str, outcome: Outcome, service: str, now: float) -> Told:
    """The events of one host's result.

    :arg unit: to find alerts of before that are over; None where there is no store
    """
    view = str(outcome.get("view") or "")
    source = source_of(host, outcome)
    make = _Maker(service, host, view)
    mass = [one for one in outcome["changes"] if one["kind"] == "mass"]
    changes = [one for one in outcome["changes"] if one["kind"] != "mass"]
    firing = [make.mass(mass[0], now)] if mass else []
    notes: t.List[t.Tuple[Event, str]] = []
    if outcome["against"] == "previous":
        notes = _notes(changes, make, now)
    else:
        firing += make.several([(one, make.difference(one, now)) for one in changes], "dns differences", "differ", now)
    firing += make.several([(one, make.failed(one, now)) for one in outcome["failures"]], MANY_FAIL, "cannot be looked at", now, outcome)
    return Told(source, firing + _over(unit, source, firing, outcome, now), notes)


def every(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    """All events of a result, for a store that does not exist yet."""
    told = events_of(None, host, outcome, service, now)
    return told.events + [event for event, _name in told.notes]


def commit(
    unit: Unit, given: t.Tuple[str, Outcome, str, float], routes: t.Sequence[Route], hide: t.Callable[[Event], Event], dry: bool
) -> t.List[lifecycle.Step]:
    """Keep what a result is to tell; that it was received is kept in the same unit of work, so that no change is lost in between.

    :arg given: host, outcome, service, now
    :arg hide: takes secrets out of an event
    """
    host, outcome, service, now = given
    told = events_of(unit, host, outcome, service, now)
    steps = [lifecycle.step(unit, hide(event), routes, told.source, dry=dry) for event in told.events]
    for event, name in told.notes:
        if dry:
            steps.append(lifecycle.Step(event, tuple(route.channel for route in routes if lifecycle.takes(route, event["severity"]))))
            continue
        step = lifecycle.message(unit, hide(event), routes, name)
        if step.rows or not step.channels:
            steps.append(step)  # else it was told already
    if outcome.get("batch") and outcome.get("receipt") and not dry:
        receipts.receive(unit, str(outcome["receipt"]), str(outcome["batch"]))
    return steps


def _over(unit: t.Optional[Unit], source: str, firing: t.Sequence[Event], outcome: Outcome, now: float) -> t.List[Event]:
    """Open alerts of this source that did not come again. Of a result that is cut short nothing can be known to be over."""
    if unit is None or outcome.get("truncated"):
        return []
    still = {event["fingerprint"] for event in firing}
    if any(event["check"] == MANY_FAIL for event in firing):
        still |= {episode.fingerprint for episode in episodes.open_from(unit, source) if episode.event.get("labels", {}).get("name")}
    return [
        dict(
            episode.event, status="resolved", message=_WELL.get(str(episode.event.get("check")), "it is well again"), timestamp=rfc3339(now)
        )
        for episode in episodes.open_from(unit, source)
        if episode.fingerprint not in still
    ]


_WELL = {MASS: "no mass of changes is held back any more", MANY_FAIL: "the names are looked at again"}


def _notes(changes: t.Sequence[Outcome], make: _Maker, now: float) -> t.List[t.Tuple[Event, str]]:
    """One event a change; of very many of one run one for all. What was seen at one time stays one group whenever it is returned again."""
    groups: t.Dict[str, t.List[Outcome]] = {}
    for one in changes:
        groups.setdefault(str(one.get("time") or rfc3339(now)), []).append(one)
    notes = []
    for time_, group in groups.items():
        at = parse_rfc3339(time_)
        if len(group) <= MANY:
            notes += [(make.changed(one, at), str(one.get("id") or "")) for one in group]
        else:
            notes.append((make.many_changed(group, at), _digest(group)))
    return notes


def _digest(group: t.Sequence[Outcome]) -> str:
    return hashlib.sha256("".join(sorted(str(one.get("id") or one["name"]) for one in group)).encode()).hexdigest()[:32]


class _Maker:
    """Makes the events of one host and view."""

    def __init__(self, service: str, host: str, view: str) -> None:
        self.service, self.host = service, host
        self.labels = {"view": view} if view else {}

    def _event(self, check: str, at: float, one: t.Optional[Outcome] = None, **more: t.Any) -> Event:
        labels = dict(self.labels)
        if one is not None and one["name"] != "*":
            labels.update(name=str(one["name"]), type=str(one["type"]))
        return new_event(self.service, self.host, check, at, labels=labels, **more)

    def changed(self, one: Outcome, at: float) -> Event:
        """A change of one name."""
        observed = {key: one.get(key) for key in ("kind", "before", "after", "status", "nameserver")}
        severity = "error" if one["kind"] == "removed" else "warning"
        return self._event(f"dns {one['name']} {one['type']}", at, one, severity=severity, message=sentence(one), observed=observed)

    def many_changed(self, group: t.Sequence[Outcome], at: float) -> Event:
        """Very many changes of one run."""
        shown = "; ".join(sentence(one) for one in group[:_SHOWN])
        message = (
            f"{len(group)} DNS records have changed: {shown}; and {len(group) - _SHOWN} more, see vigil.ops.history_info with kind changes"
        )
        return self._event("dns changes", at, severity="error", message=message, metrics={"changes": len(group)})

    def difference(self, one: Outcome, at: float) -> Event:
        """A record that is not as it should be, or not the same elsewhere."""
        message = sentence(one) + (f" ({one['message']})" if one.get("message") else "")
        return self._event(f"dns {one['name']} {one['type']} differs", at, one, severity="error", message=message)

    def failed(self, one: Outcome, at: float) -> Event:
        """A name that cannot be looked at."""
        message = one.get("message") or f"{one['name']} {one['type']}: {one['status']}"
        return self._event(
            f"dns {one['name']} {one['type']} fails", at, one, severity="error", message=message, observed={"status": one["status"]}
        )

    def mass(self, one: Outcome, at: float) -> Event:
        """A mass of changes that is held back."""
        return self._event(MASS, at, severity="critical", message=str(one.get("message") or "very many names have changed at once"))

    def several(
        self, each: t.Sequence[t.Tuple[Outcome, Event]], check: str, what: str, at: float, outcome: t.Optional[Outcome] = None
    ) -> t.List[Event]:
        """The events one by one, or one in the place of very many."""
        if len(each) <= MANY:
            return [event for _one, event in each]
        number = max(len(each), int((outcome or {}).get("stats", {}).get("failed") or 0))
        first = ", ".join(f"{one['name']} {one['type']} ({one['status']})" for one, _event in each[:_SHOWN])
        return [
            self._event(check, at, severity="critical", message=f"{number} DNS names {what}, such as {first}", metrics={"names": number})
        ]


def sentence(one: Outcome) -> str:
    """A change as a sentence."""
    name = f"{one['name']} {one['type']}"
    before, after = (", ".join(str(value) for value in one[side]) for side in ("before", "after"))
    if one["kind"] == "flapping":
        return f"{name} goes back and forth between {before} and {after}; nothing more is said of it until it rests"
    if one["kind"] == "added":
        return f"{name} is new: {after}"
    if one["kind"] == "removed":
        return f"{name} is gone, it was {before} ({one.get('status')})"
    return f"{name} has changed from {before or 'nothing'} to {after or 'nothing'}"
