# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told of what: routes, silences, maintenance windows and inhibition, decided for one event at a time."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, rank
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import (
    REPEAT_INTERVAL,
    Escalation,
    Inhibition,
    Mention,
    Policy,
    Rule,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, silences
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.episodes import Episode
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, clean

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import Match

Hosts = t.Mapping[str, t.Collection[str]]
Groups = t.Union[Hosts, t.Callable[[], Hosts]]
Memory = t.Dict[str, t.Tuple[float, t.Dict[str, Event]]]
_FRESH = 5.0  # seconds


class Route(t.NamedTuple):
    """A channel as the lifecycle knows it: its key, and the lowest severity it is told.

    :ivar repeat: seconds after which it is told again of what lasts
    :ivar digest: the time until which what it is told waits for more; 0 for at once
    :ivar escalated: it is told because nobody has taken care
    :ivar mention: who is called by name; None leaves that to the channel
    """

    channel: str
    min_severity: str = "info"
    repeat: float = REPEAT_INTERVAL
    digest: float = 0.0
    escalated: bool = False
    mention: t.Optional[t.Tuple[str, ...]] = None

    def takes(self, severity: str) -> bool:
        """Whether the channel wants to be told of this severity."""
        return rank(severity) >= rank(self.min_severity)


class Decision(t.NamedTuple):
    """Who is told, and why nobody is; ``muted`` is empty where somebody may be told."""

    routes: tuple[Route, ...]
    muted: str = ""


class Desk:
    """Decides within one unit of work, and reads what it needs from the store once.

    :arg routes: all channels
    :arg policy: ``vigil_alerts``; without it everybody is told of everything
    :arg groups: the hosts of each group of the inventory, or what returns them when they are first asked for
    :arg memory: what is open, for desks that follow each other closely in one process: reading it for each event of a large run takes long
    """

    def __init__(
        self, routes: t.Iterable[Route], policy: Policy | None = None, groups: Groups | None = None, memory: Memory | None = None
    ) -> None:
        self.routes = tuple(routes)
        self.policy = policy or Policy()
        self._groups = groups or {}
        self._memory: Memory = {} if memory is None else memory
        self._of_host: dict[str, list[str]] | None = None
        self._silences: list[tuple[silences.Silence, Match]] | None = None
        self._open: dict[str, Event] | None = None

    def __iter__(self) -> t.Iterator[Route]:
        return iter(self.routes)

    def decide(self, unit: Unit, event: Event, episode: Episode | None = None) -> Decision:
        """Who is told of a firing event now."""
        muted = self._muted(unit, event)
        return Decision(() if muted else self.chosen(unit, event, episode), muted)

    def takers(self, unit: Unit, event: Event) -> list[Route]:
        """Who is told of a message that belongs to no episode."""
        return [route for route in self.chosen(unit, event) if route.takes(event["severity"])]

    def chosen(self, unit: Unit, event: Event, episode: Episode | None = None) -> tuple[Route, ...]:
        """Who the routes name. Each channel is taken as the first route that names it says; an event without a route goes to all."""
        found: dict[str, Route] = {}
        rules = [rule for rule in self.policy.routes if self._applies(unit, rule, event)]
        last = next((number for number, rule in enumerate(rules) if not rule.goes_on), len(rules) - 1)
        for rule in rules[: last + 1]:
            repeat = self.policy.repeat if rule.repeat is None else rule.repeat
            digest = self._digest(rule, unit.now)
            for route in self._named(rule.to):
                called = _called(rule.mention, route.channel)
                found.setdefault(route.channel, route._replace(repeat=repeat, digest=digest, mention=called))
            for escalation in self._escalated(unit, rule, episode):
                for route in self._named(escalation.to):
                    called = _called(escalation.mention, route.channel)
                    found.setdefault(route.channel, route._replace(repeat=repeat, escalated=True, mention=called))
        if not rules:
            return tuple(route._replace(repeat=self.policy.repeat) for route in self.routes)
        return tuple(found.values())

    def saw(self, episode: Episode) -> None:
        """An episode has begun, gone on or ended in this unit of work."""
        known = self._open if self._open is not None else self._memory.get("open", (0.0, {}))[1]
        causes = self._memory.get("causes", (0.0, {}))[1]
        if episode.open:
            known[episode.fingerprint] = episode.event
            if self.is_cause(episode.event):
                causes[episode.fingerprint] = episode.event
        else:
            known.pop(episode.fingerprint, None)
            causes.pop(episode.fingerprint, None)

    def is_cause(self, event: Event) -> bool:
        """Whether the alert may mute others, so that it is to be kept before them."""
        return any(rule.when.holds(event, self.groups_of) for rule in self.policy.inhibit)

    def groups_of(self, host: str) -> t.Sequence[str]:
        """The groups of a host."""
        if self._of_host is None:
            self._of_host = {}
            groups = self._groups() if callable(self._groups) else self._groups
            for group, hosts in groups.items():
                for one in hosts:
                    self._of_host.setdefault(str(one), []).append(str(group))
        return self._of_host.get(host, ())

    def _applies(self, unit: Unit, rule: Rule, event: Event) -> bool:
        return rule.match.holds(event, self.groups_of) and (not rule.hours or self._during(rule.hours, unit.now))

    def _during(self, hours: t.Sequence[t.Any], now: float) -> bool:
        """Whether it is one of these hours now."""
        # where nobody has such rules, nothing of this is loaded: every worker of a run with the callback pays for it
        from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import hours as week

        return week.within(hours, now, self.policy.zone)

    def _named(self, names: t.Collection[str] | None) -> list[Route]:
        keys = None if names is None else {clean(name) for name in names}
        return [route for route in self.routes if keys is None or route.channel in keys]

    def _digest(self, rule: Rule, now: float) -> float:
        if rule.digest is None:
            return 0.0
        if isinstance(rule.digest, tuple):
            from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import hours as week

            return week.next_clock(rule.digest, now, self.policy.zone)
        return (math.floor(now / rule.digest) + 1) * rule.digest

    def _escalated(self, unit: Unit, rule: Rule, episode: Episode | None) -> list[Escalation]:
        if episode is None or not episode.open or is_acknowledged(episode, unit.now):
            return []
        age = unit.now - episode.starts_at
        return [escalation for escalation in rule.escalate if age >= escalation.after]

    def _muted(self, unit: Unit, event: Event) -> str:
        for silence, match in self._lasting(unit):
            if silence.starts_at <= unit.now and match.holds(event, self.groups_of):
                return f"silence {silence.id}"
        return self.window(unit.now, event) or self._inhibited(unit, event) or self._caused(unit, event)

    def window(self, now: float, event: Event) -> str:
        """The window of ``vigil_alerts`` in which the event is not told; empty for none."""
        for window in self.policy.windows:
            during = window.begin <= now < window.end and (not window.hours or self._during(window.hours, now))
            if during and window.match.holds(event, self.groups_of):
                return f"maintenance {window.comment}".strip()
        return ""

    def _lasting(self, unit: Unit) -> list[tuple[silences.Silence, Match]]:
        if self._silences is None:
            self._silences = []
            lasting = silences.lasting(unit)
            if lasting:
                from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import MatchError, read_match
            for silence in lasting:
                try:
                    self._silences.append((silence, read_match("matchers", silence.matchers, True)))
                except MatchError:
                    continue  # kept by a version that knows more
        return self._silences

    def _causes(self, unit: Unit) -> dict[str, Event]:
        if self._open is None:
            at, self._open = self._memory.get("open", (0.0, {}))
            if not 0 <= unit.now - at < _FRESH:
                self._open = {episode.fingerprint: episode.event for episode in episodes.all_open(unit)}
                causes = {fingerprint: event for fingerprint, event in self._open.items() if self.is_cause(event)}
                self._memory.update(open=(unit.now, self._open), causes=(unit.now, causes))
        return self._open

    def _inhibited(self, unit: Unit, event: Event) -> str:
        for rule in self.policy.inhibit:
            if rule.mute.holds(event, self.groups_of):
                self._causes(unit)
                for fingerprint, cause in self._memory["causes"][1].items():
                    if fingerprint != event["fingerprint"] and self._mutes(rule, cause, event):
                        return f"inhibited by {shown(cause)}"
        return ""

    def _mutes(self, rule: Inhibition, cause: Event, event: Event) -> bool:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import value_of

        if not rule.when.holds(cause, self.groups_of) or any(value_of(cause, key) != value_of(event, key) for key in rule.same):
            return False
        # two alerts that are both causes and effects do not mute each other
        return not (rule.when.holds(event, self.groups_of) and rule.mute.holds(cause, self.groups_of))

    def _caused(self, unit: Unit, event: Event) -> str:
        """An alert that names its cause (``check``, ``host:check`` or an alert_id) is not told while that is an open alert."""
        name = event["context"].get("caused_by")
        if not name:
            return ""
        for fingerprint, cause in self._causes(unit).items():
            own = cause["instance"] == event["instance"] and cause["check"] == name
            named = own or f"{cause['instance']}:{cause['check']}" == name or cause["alert_id"] == name
            if named and fingerprint != event["fingerprint"] and not cause["context"].get("caused_by"):
                return f"caused by {shown(cause)}"
        return ""


def _called(mention: Mention | None, channel: str) -> tuple[str, ...] | None:
    """Whom a route calls in a channel; what it says of the channel by name counts before what it says of all."""
    if mention is None:
        return None
    named = {clean(name): names for name, names in mention.items()}
    return named.get(channel, named.get(""))


def shown(event: Event) -> str:
    """An alert in a few words."""
    return f"{event['instance']}: {event['check']}" if event["instance"] else str(event["check"] or event["service"])


def is_acknowledged(episode: Episode, now: float) -> bool:
    """Whether somebody takes care of it."""
    until = (episode.acked or {}).get("until")
    return episode.acked is not None and (until is None or now < float(until))
