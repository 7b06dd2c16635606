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
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Routes
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

MANY = 20  # so many changes of one moment, or failures, are told one by one; more are one event that names the first
MASS, MANY_FAIL, MANY_DIFFER = "dns mass change", "dns names", "dns differences"
FAILS = " fails"
_SHOWN = 10
_LONGEST = 250  # so many letters of one change in the message for many
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
        notes = _notes(changes, make, now, _count(outcome, "changed") + _count(outcome, "returned_again"))
    else:
        differences = [(group[0], make.difference(group, now)) for group in _by_name(changes)]
        firing += make.several(differences, MANY_DIFFER, "differ", now, _count(outcome, "changed"))
    failed = [(group[0], make.failed(group, now)) for group in _by_name(outcome["failures"])]
    firing += make.several(failed, MANY_FAIL, "cannot be looked at", now, _count(outcome, "failed"))
    return Told(source, firing + _over(unit, source, firing, outcome, now), notes)


def _count(outcome: Outcome, key: str) -> int:
    """How many there were, which is more than are in a result that is cut short."""
    stats = outcome.get("stats")
    return int(stats.get(key) or 0) if isinstance(stats, t.Mapping) and outcome.get("truncated") else 0


def _by_name(found: t.Iterable[Outcome]) -> t.List[t.List[Outcome]]:
    """One alert a name and type, whatever number of servers and expectations it is about."""
    groups: t.Dict[t.Tuple[t.Any, t.Any], t.List[Outcome]] = {}
    for one in found:
        groups.setdefault((one["name"], one["type"]), []).append(one)
    return list(groups.values())


def every(host: str, outcome: Outcome, service: str, now: float) -> t.List[Event]:
    """All events of a result, for a store that does not exist yet."""
    told = events_of(None, host, outcome, service, now)
    return told.events + [event for event, _name in told.notes]


def commit(
    unit: Unit, given: t.Tuple[str, Outcome, str, float], routes: Routes, hide: t.Callable[[Event], Event], dry: bool
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
            steps.append(lifecycle.Step(event, lifecycle.takers(unit, event, routes)))
            continue
        step = lifecycle.note(unit, hide(event), routes, name)
        if step.rows or not step.channels:
            steps.append(step)  # else it was told already
    if outcome.get("batch") and outcome.get("receipt") and not dry:
        receipts.receive(unit, str(outcome["receipt"]), str(outcome["batch"]))
    return steps


def _over(unit: t.Optional[Unit], source: str, firing: t.Sequence[Event], outcome: Outcome, now: float) -> t.List[Event]:
    """Open alerts of this source that did not come again, where it was looked. Of a result that is cut short nothing can be known to be over."""
    if unit is None or outcome.get("truncated"):
        return []
    still = {event["fingerprint"] for event in firing}
    unseen = {(str(one["name"]), str(one["type"])) for one in outcome["failures"]}
    checks = {event["check"] for event in firing}
    moment = parse_rfc3339(str(rfc3339(now)))
    return [
        dict(
            episode.event, status="resolved", message=_WELL.get(str(episode.event.get("check")), "it is well again"), timestamp=rfc3339(now)
        )
        for episode in episodes.open_from(unit, source)
        # another watch may have seen the same just now, in a result that is told together with this one
        if episode.fingerprint not in still and episode.last_at < moment and not _is_open(episode.event, checks, unseen, outcome)
    ]


def _is_open(event: Event, checks: t.Container[str], unseen: t.Collection[t.Tuple[str, str]], outcome: Outcome) -> bool:
    """Whether an alert that did not come again is not known to be over: it is in one for many now, or was not looked at.

    :arg checks: of the alerts that came
    :arg unseen: names and types of the failures
    """
    check, labels = str(event.get("check")), event.get("labels") or {}
    if "name" in labels:
        is_failure = check.endswith(FAILS)
        if (MANY_FAIL if is_failure else MANY_DIFFER) in checks or MANY_FAIL in checks:
            return True
        return not is_failure and (str(labels["name"]), str(labels.get("type"))) in unseen
    if check == MANY_FAIL:
        return False
    seen = sum(int(outcome["stats"].get(key) or 0) for key in _SEEN)
    return len(unseen) > seen


_SEEN = ("unchanged", "changed", "unconfirmed", "held", "flapping", "rotating")
_WELL = {MASS: "no mass of changes is held back any more", MANY_FAIL: "the names are looked at again"}


def _notes(changes: t.Sequence[Outcome], make: _Maker, now: float, number: int) -> t.List[t.Tuple[Event, str]]:
    """One event a change; of very many of one run one for all. What was seen at one time stays one group whenever it is returned again.

    :arg number: how many there were, of which these are the first
    """
    groups: t.Dict[str, t.List[Outcome]] = {}
    for one in changes:
        groups.setdefault(str(one.get("time") or rfc3339(now)), []).append(one)
    notes = []
    for time_, group in groups.items():
        at = parse_rfc3339(time_)
        if len(group) <= MANY:
            notes += [(make.changed(one, at), str(one.get("id") or "")) for one in group]
        else:
            notes.append((make.many_changed(group, at, number if len(groups) == 1 else 0), _digest(group)))
            number = 0 if len(groups) == 1 else number
    rest = number - sum(one["kind"] != "flapping" for one in changes)
    if rest > 0:
        seen = max([parse_rfc3339(time_) for time_ in groups] or [now])  # not now, so that it is the same event whoever tells it
        notes.append((make.more_changed(rest, seen), f"rest/{_digest(changes)}/{number}"))
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

    def many_changed(self, group: t.Sequence[Outcome], at: float, number: int) -> Event:
        """Very many changes of one run."""
        number = max(number, len(group))
        shown = "; ".join(_brief(sentence(one)) for one in group[:_SHOWN])
        message = f"{number} DNS records have changed: {shown}; and {number - _SHOWN} more, see vigil.ops.history_info with kind changes"
        return self._event("dns changes", at, severity="error", message=message, metrics={"changes": number})

    def more_changed(self, rest: int, at: float) -> Event:
        """Changes that are not in a result, as it was cut short."""
        message = f"{rest} more DNS records have changed, see vigil.ops.history_info with kind changes"
        return self._event("dns changes", at, severity="error", message=message, metrics={"changes": rest})

    def difference(self, group: t.Sequence[Outcome], at: float) -> Event:
        """A record that is not as it should be, or not the same elsewhere, perhaps at several servers."""
        one = group[0]
        message = "; ".join(differs(each) for each in group)
        return self._event(f"dns {one['name']} {one['type']} differs", at, one, severity="error", message=message)

    def failed(self, group: t.Sequence[Outcome], at: float) -> Event:
        """A name that cannot be looked at, perhaps at several servers."""
        one = group[0]
        message = "; ".join(dict.fromkeys(each.get("message") or f"{each['name']} {each['type']}: {each['status']}" for each in group))
        return self._event(
            f"dns {one['name']} {one['type']}{FAILS}", at, one, severity="error", message=message, observed={"status": one["status"]}
        )

    def mass(self, one: Outcome, at: float) -> Event:
        """A mass of changes that is held back."""
        return self._event(MASS, at, severity="critical", message=str(one.get("message") or "very many names have changed at once"))

    def several(self, each: t.Sequence[t.Tuple[Outcome, Event]], check: str, what: str, at: float, number: int) -> t.List[Event]:
        """The events one by one, or one in the place of very many."""
        if len(each) <= MANY:
            return [event for _one, event in each]
        number = max(len(each), number)
        first = ", ".join(f"{one['name']} {one['type']} ({one['status']})" for one, _event in each[:_SHOWN])
        return [
            self._event(check, at, severity="critical", message=f"{number} DNS names {what}, such as {first}", metrics={"names": number})
        ]


def _brief(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def differs(one: Outcome) -> str:
    """A difference as a sentence: what should be there, and what is."""
    before, after = (", ".join(str(value) for value in one[side]) or "no record" for side in ("before", "after"))
    more = f" ({one['message']})" if one.get("message") else ""
    return f"{one['name']} {one['type']} should be {before} and is {after}{more}"


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
