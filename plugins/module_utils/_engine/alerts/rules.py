# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``vigil_alerts`` says, once it is read: routes, windows, inhibitions and the like."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import hours as week
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import Match

REPEAT_INTERVAL = 4 * 3600.0


class PolicyError(ValueError):
    """What was given cannot be used; one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence.replace("?.", "?"))


# Who is called by name: channel -> names as its vendor has them; "" is every channel of the route.
Mention = t.Mapping[str, t.Tuple[str, ...]]


class Escalation(t.NamedTuple):
    """Who is told of an alert that nobody has taken care of for so many seconds."""

    after: float
    to: tuple[str, ...]
    mention: Mention | None = None


class Rule(t.NamedTuple):
    """One route. ``to`` None: every channel. ``digest``: seconds, or minutes of the day; None for at once.

    :ivar mention: None leaves it to the channels
    """

    match: Match
    to: tuple[str, ...] | None = None
    hours: tuple[week.Hours, ...] = ()
    repeat: float | None = None
    digest: float | tuple[int, ...] | None = None
    escalate: tuple[Escalation, ...] = ()
    goes_on: bool = False
    mention: Mention | None = None


class Window(t.NamedTuple):
    """When matching alerts are not told: in a span of time, in hours of the week, or both."""

    match: Match
    begin: float = 0.0
    end: float = float("inf")
    hours: tuple[week.Hours, ...] = ()
    comment: str = ""


class Inhibition(t.NamedTuple):
    """While an alert that matches ``when`` lasts, those that match ``mute`` are not told where they have the ``same`` values."""

    when: Match
    mute: Match
    same: tuple[str, ...] = ("instance",)


class Flapping(t.NamedTuple):
    """An alert that begins so many times within so many seconds goes back and forth."""

    times: int = 4
    within: float = 3600.0


class Run(t.NamedTuple):
    """A run that is expected again and again; times in seconds."""

    name: str
    every: float
    grace: float
    severity: str = "error"
    service: str = "vigil"


class Policy:
    """All of it; what was not given has its default."""

    def __init__(self) -> None:
        self.zone: week.Zone = None
        self.repeat = REPEAT_INTERVAL
        self.routes: tuple[Rule, ...] = ()
        self.windows: tuple[Window, ...] = ()
        self.inhibit: tuple[Inhibition, ...] = ()
        self.flapping: Flapping | None = Flapping()
        self.expected: tuple[Run, ...] = ()
        self.templates: dict[str, dict[str, str]] = {}
        self.read_more = ""

    def channels(self) -> list[tuple[str, str]]:
        """(where it stands, the channel's name) of every channel that is named."""
        found = []
        for number, rule in enumerate(self.routes):
            found += [(f"routes[{number}].to", name) for name in rule.to or ()]
            found += [(f"routes[{number}].escalate", name) for escalation in rule.escalate for name in escalation.to]
            for where, given in [("mention", rule.mention), *(("escalate.mention", one.mention) for one in rule.escalate)]:
                found += [(f"routes[{number}].{where}", name) for name in given or () if name]
        return found

    def longest_repeat(self) -> float:
        """Seconds after which anybody is told again of what lasts."""
        return max(self.repeat, *(rule.repeat or 0.0 for rule in self.routes), 0.0)

    def mentions(self) -> bool:
        """Whether a route calls anybody."""
        return any(rule.mention or any(one.mention for one in rule.escalate) for rule in self.routes)


def check_channels(policy: Policy, names: t.Collection[str]) -> None:
    """Refuse a channel that is not there, as nobody would be told.

    :raises PolicyError: one sentence
    """
    for where, name in policy.channels():
        if name not in names:
            from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest

            known = nearest(name, names) if names else "; no channel has a name, write one behind its URL as in wecom://KEY#ops"
            raise PolicyError(f'{where} names the channel "{name}", which is not among the channels{known}.')
