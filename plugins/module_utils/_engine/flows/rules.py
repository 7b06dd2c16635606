# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``vigil_alerts`` and where a run comes from, for those who tell."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.desk import Desk, Groups, Memory, Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Policy

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel


def routes_of(channels: t.Iterable[Channel]) -> list[Route]:
    """The channels as the lifecycle knows them."""
    return [Route(channel.key, channel.min_severity) for channel in channels]


class Rules(t.NamedTuple):
    """``vigil_alerts`` as it was read, the hosts of each group of the inventory, and where this run can be looked at.

    :ivar notes: annotations that all events get
    :ivar trace_id: of the trace that this run is part of
    :ivar memory: of a process that commits event by event, see Desk
    :ivar labels: that all events get; they are no part of what an alert is known by
    """

    policy: Policy | None = None
    groups: Groups = {}
    notes: t.Mapping[str, str] = {}
    trace_id: str | None = None
    memory: Memory | None = None
    labels: t.Mapping[str, str] = {}

    def desk(self, channels: t.Sequence[Channel]) -> Desk:
        """Who decides within one unit of work."""
        if self.policy is not None:
            longest = self.policy.longest_repeat()
            for channel in channels:
                channel.repeat = longest
        return Desk(routes_of(channels), self.policy, self.groups, self.memory)

    def marked(self, event: Event) -> Event:
        """The event with where it comes from."""
        if not self.notes and not self.labels and not self.trace_id:
            return event
        context = dict(event["context"], trace_id=event["context"].get("trace_id") or self.trace_id)
        more = {"annotations": {**self.notes, **event["annotations"]}, "labels": {**self.labels, **event["labels"]}}
        return dict(event, context=context, **more)


NO_RULES = Rules()
