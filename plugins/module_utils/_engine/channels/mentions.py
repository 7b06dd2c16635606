# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is called by name: once an alert of a severity that is worth it begins, never when it is over."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

EVERYBODY = ("all", "@all", "everyone", "@everyone")
_PHONE = re.compile(r"\+?\d[\d-]{6,}\Z")


def of(channel: Channel, events: t.Sequence[Event]) -> tuple[str, ...]:
    """Those that are called when the channel is told of these events: whom the route of an event names (``_mention``), else the channel's."""
    least, found = SEVERITIES.index(channel.mention_from), {}
    over = {event["alert_id"] for event in events if event["status"] == "resolved"}
    for event in events:
        if event["status"] == "firing" and event["alert_id"] not in over:
            usual = channel.mention if SEVERITIES.index(event["severity"]) >= least else ()
            found.update(dict.fromkeys(event.get("_mention", usual)))
    return tuple(found)


def anybody(name: str) -> bool:
    """Where no name can be told to be wrong."""
    return bool(name)


def is_all(name: str) -> bool:
    """Whether this is everybody."""
    return name.lower() in EVERYBODY


def is_phone(name: str) -> bool:
    """Whether this is a number of a mobile phone."""
    return bool(_PHONE.match(name))
