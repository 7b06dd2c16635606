# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into one message: all that is due, all of one host, or one event; and several messages where it has no room in one."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import budget, portions, registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, Dialect
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, rows
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event


def robot_of(store: Store, channel: Channel) -> str:
    """Under which a robot's budget is shared by all that send to it."""
    return channel.fingerprint(store.salt)[:32]


def vendor_of(channel: Channel) -> str:
    """Under which all robots of a vendor wait where it asks the whole address to."""
    return f"{channel.scheme} {channel.origin}"


class Packer:
    """Packs for one channel.

    :ivar apart: rows of a text that was refused: each is tried by itself
    :ivar rooms: rows of a text that was too long, and how much of the limit it may take
    """

    def __init__(self, store: Store, channel: Channel, dialect: Dialect) -> None:
        self._store = store
        self.channel = channel
        self._dialect = dialect
        self._robot = robot_of(store, channel)
        self.apart: set[int] = set()
        self.rooms: dict[int, float] = {}

    def _dressed(self, message: outbox.Message, called: tuple[str, ...] | None) -> outbox.Message:
        """The message as a chat is told it: in the user's words, and with whom its route calls. A program gets the event as it is."""
        event = message.event
        if not self._dialect.digest:
            return message
        try:
            if self.channel.words is not None:
                event = self.channel.words([event], self.channel.language)[0]
        except Exception:  # noqa: BLE001 - whatever the words of a user do, the alert is told
            event = message.event
        return message._replace(event=event if called is None else dict(event, _mention=called))

    def portions(self, messages: t.Sequence[outbox.Message], called: t.Mapping[int, tuple[str, ...]]) -> t.Iterator[list[outbox.Message]]:
        """What goes as one message each; what has no room in one is several, as far as the robot takes them.

        :arg called: row -> whom its route calls
        """
        for group in self._grouped([self._dressed(message, called.get(message.id)) for message in messages]):
            try:
                parts = self._parts(group)
            except Exception:  # noqa: BLE001 - what cannot be put into words is found when it is sent, and kept as dead
                parts = []
            if len(parts) < 2:
                yield group
            for number, alerts in enumerate(parts if len(parts) > 1 else ()):
                mark = {"_part": f"{number + 1}/{len(parts)}"}
                yield [one._replace(event=dict(one.event, **mark)) for one in group if one.event["alert_id"] in set(alerts)]

    def _parts(self, group: t.Sequence[outbox.Message]) -> list[list[str]]:
        events = [message.event for message in group]
        page = self._dialect.page(self.channel, events) if self._dialect.page is not None and len(group) > 1 else None
        return portions.of_list(events, self.channel.language, page, self._most()) if page is not None else []

    def _most(self) -> int:
        """How many messages one list or text may make now, so that others find the robot free as well."""
        with self._store.unit() as unit:
            free = budget.free(unit, self._robot, self._dialect.rates, portions.WITHIN)
        return min(portions.MOST, free // 2)

    def _grouped(self, messages: t.Sequence[outbox.Message]) -> list[list[outbox.Message]]:
        """What goes as one message each, in the order of what is oldest in it."""
        found: dict[t.Any, list[outbox.Message]] = {}
        for message in messages:
            by_itself = not registry.groups(self.channel) or message.id in self.apart
            key = message.id if by_itself else str(message.event.get("instance")) if self.channel.group == "host" else ""
            found.setdefault(key, []).append(message)
        return list(found.values())

    def slices(self, group: t.Sequence[outbox.Message]) -> tuple[list[list[Event]], int, int]:
        """(the events of each message, how many of them were taken before, how many there may be); one message but for one long text."""
        events = [message.event for message in group]
        if self._dialect.page is None or len(group) > 1 or group[0].id in self.rooms:
            return [events], 0, 1
        try:
            page = self._dialect.page(self.channel, events)
            if page is None or len(portions.of_text(events[0], self.channel.language, page, portions.MOST)) < 2:
                return [events], 0, 1
            with self._store.unit() as unit:
                before = rows.parts(unit, group[0])
            most = before.most if before is not None else self._most()
            slices = portions.of_text(events[0], self.channel.language, page, most)
        except Exception:  # noqa: BLE001 - as above
            return [events], 0, 1
        known = before is not None and before.taken < len(slices) and before.text == portions.print_of(slices)
        return [[one] for one in slices], before.taken if before is not None and known else 0, most
