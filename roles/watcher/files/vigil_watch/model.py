# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a watcher does, as its configuration says. Durations are seconds."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Policy
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
    from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard as guard_flow

DEFAULT = "/etc/vigil/vigil.yml"
KNOWN = ".known.json"  # beside the copy of watches from elsewhere: what is known of them
EVERY, GUARD_EVERY, DNS_EVERY, LOGS_EVERY, HEARTBEAT_EVERY = 30.0, 10.0, 300.0, 5.0, 5.0


@dataclasses.dataclass
class Guarded:
    """A service that is guarded, and every how many seconds it is looked at."""

    guard: guard_flow.Guard
    every: float


@dataclasses.dataclass
class Watch:
    """Names that are compared with before, or logs that are read on; ``options`` are those of dns_diff or log_scan."""

    name: str
    every: float
    options: t.Dict[str, t.Any]


@dataclasses.dataclass
class FileWatch:
    """Paths that are kept whenever they change; ``options`` are those of backup. Durations are seconds."""

    name: str
    options: t.Dict[str, t.Any]
    quiet: float = 10.0
    max_delay: float = 60.0
    every: float = 3600.0


@dataclasses.dataclass
class Source:
    """Where watches lie besides ``watch_dir``: at a URL, or below a prefix of the KV store of Consul, whose agent the URL is then.

    :ivar key: with which they are signed; ca: a file with certificates; keep: the directory of the last good copy
    """

    url: str
    consul: bool = False
    prefix: str = ""
    token: str = ""
    key: str = ""
    ca: str = ""
    every: float = 60.0
    keep: str = "/var/lib/vigil/source"

    @property
    def shown(self) -> str:
        """Where that is, without what is secret."""
        scheme, _colons, rest = self.url.partition("://")
        place = f"{scheme}://{rest.split('?')[0].rpartition('@')[2]}"
        return f"{place.rstrip('/')}/v1/kv/{self.prefix.strip('/')}" if self.consul else place

    def digest(self, folder: str) -> str:
        """Of the copy in a directory; empty where there is none."""
        try:
            with open(os.path.join(folder, KNOWN), encoding="utf-8") as file:
                return str(json.load(file)["digest"])
        except (OSError, ValueError, TypeError, KeyError):
            return ""

    def folder(self) -> str:
        """The directory with the copy; the one before it while the two change places."""
        return self.keep if os.path.isdir(self.keep) else self.keep + ".old"


@dataclasses.dataclass
class Config:
    """Everything a watcher does. Durations are seconds."""

    path: str = DEFAULT
    name: str = ""
    service: str = "vigil"
    labels: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    state_url: str = "sqlite:////var/lib/vigil/state.db"
    channels: t.List[Channel] = dataclasses.field(default_factory=list)
    alerts: t.Any = None  # as it was given
    policy: t.Optional[Policy] = None  # the same, read: who is told of what
    load_per_core: float = 4.0
    cpu_pressure: float = 60.0
    stretch: float = 3.0
    listen: str = ""
    textfile: str = ""
    heartbeat_every: float = HEARTBEAT_EVERY
    heartbeat_url: str = ""
    heartbeat_token: str = ""
    source: t.Optional[Source] = None
    source_digest: str = ""  # of the copy that was read
    hub_listen: str = ""
    hub_token: str = ""
    hub_forget: float = 7 * 86400.0
    limits: t.Dict[str, float] = dataclasses.field(
        default_factory=lambda: {"health": 120.0, "guards": 300.0, "dns": 600.0, "files": 7200.0, "logs": 600.0}
    )
    checks: t.List[Check] = dataclasses.field(default_factory=list)
    guards: t.List[Guarded] = dataclasses.field(default_factory=list)
    dns: t.List[Watch] = dataclasses.field(default_factory=list)
    logs: t.List[Watch] = dataclasses.field(default_factory=list)
    files: t.List[FileWatch] = dataclasses.field(default_factory=list)
    sources: t.Dict[str, str] = dataclasses.field(
        default_factory=dict
    )  # "check:NAME" -> file it is from; "dns:NAME" and its like -> file and line

    def __getstate__(self) -> t.Dict[str, t.Any]:
        """For another process. A policy holds functions, so it is read again there."""
        return {**self.__dict__, "policy": None}

    def __setstate__(self, state: t.Dict[str, t.Any]) -> None:
        self.__dict__.update(state)
        if self.alerts:
            from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy

            self.policy = read_policy(self.alerts)
