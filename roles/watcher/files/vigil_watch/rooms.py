# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rooms there are, and which of them have something to do."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from vigil_watch.model import Config


def wanted(config: Config) -> t.List[str]:
    """The rooms that have something to do."""
    rooms = [
        name
        for name, watches in (
            ("logs", config.logs),  # first, so that it has the main thread, where a slow expression can be stopped (see crew.py)
            ("health", config.checks),
            ("guards", config.guards),
            ("dns", config.dns),
            ("files", config.files),
        )
        if watches
    ]
    if config.source:
        rooms.append("source")
    if config.hub_listen:
        rooms.append("hub")
    if config.channels:
        rooms.append("teller")
    if config.listen or config.textfile or config.heartbeat_url:
        rooms.append("outside")
    return rooms


def room_class(name: str) -> t.Any:
    """The class of a room; what it needs is loaded where it works."""
    if name == "health":
        from vigil_watch.health import HealthRoom as room
    elif name == "guards":
        from vigil_watch.acting import GuardRoom as room  # type: ignore[assignment]
    elif name == "dns":
        from vigil_watch.acting import DnsRoom as room  # type: ignore[assignment]
    elif name == "logs":
        from vigil_watch.acting import LogRoom as room  # type: ignore[assignment]
    elif name == "source":
        from vigil_watch.source import SourceRoom as room  # type: ignore[assignment]
    elif name == "hub":
        from vigil_watch.hub import HubRoom as room  # type: ignore[assignment]
    elif name == "files":
        from vigil_watch.files import FileRoom as room  # type: ignore[assignment]
    elif name == "teller":
        from vigil_watch.teller import TellerRoom as room  # type: ignore[assignment]
    else:
        from vigil_watch.outside import OutsideRoom as room  # type: ignore[assignment]
    return room


def summary(config: Config) -> str:
    """What is watched, in a few words."""
    kinds = (
        ("check", config.checks),
        ("guard", config.guards),
        ("DNS watch", config.dns),
        ("file watch", config.files),
        ("log watch", config.logs),
        ("channel", config.channels),
    )
    return (
        ", ".join(f"{len(items)} {kind}{'' if len(items) == 1 else 'es' if kind.endswith('h') else 's'}" for kind, items in kinds if items)
        or "nothing"
    )
