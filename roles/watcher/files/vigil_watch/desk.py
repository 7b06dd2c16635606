# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happened becomes events, kept in the store with what they came from; the teller sends them."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import print_of_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import gone, notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.rules import Rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store, open_store
from vigil_watch.model import Config


class Desk:
    """The store and the channels of one process.

    :ivar source: of the alerts of this watcher's checks
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store: Store = open_store(config.state_url)
        notify.bind(config.channels, self.store.salt)
        self.source = gone.source_of(f"watcher:{config.name}")

    def tell(self, batch: notify.Batch) -> int:
        """Keep what is to be told; returns how many events that are. Everything carries the labels of the node."""
        rules = Rules(self.config.policy, labels=self.config.labels)
        committed = self.store.run(lambda unit: notify.commit(unit, self.config.channels, batch, rules=rules))
        return len(committed.told)

    def tell_outcome(self, outcome: t.Mapping[str, t.Any], now: float) -> int:
        """What dns_diff or service_guard returned."""
        return self.tell(notify.Batch(dns=[(self.config.name, outcome, self.config.service, now)]))

    def tell_checks(self, outcome: t.Mapping[str, t.Any], now: float) -> int:
        """What an inspection returned."""
        events = notify.events_of_host(self.config.name, outcome, self.config.service, now)
        return self.tell(notify.Batch(events=events, source=self.source))

    def forget_removed(self, run: str) -> int:
        """End the alerts of checks that are not in the configuration any more."""
        host, service = self.config.name, self.config.service
        prints = {print_of_result({"name": one.name, "labels": one.labels}, service, host) for one in self.config.checks}
        return self.tell(notify.Batch(source=self.source, listed=gone.Listed(self.source, run, {host: prints})))

    def look(self) -> int:
        """What is due though nothing was observed: escalations, alerts that are steady again, runs that did not happen."""
        return self.tell(notify.Batch(looks=True))
