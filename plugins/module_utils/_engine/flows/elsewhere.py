# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parents on hosts that this run does not look at: their open alerts tell that they fail."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes

# An alert that nobody has looked after for so long says nothing about now.
_FRESH = 86400.0


def failing(url: str | None, outcomes: t.Mapping[str, t.Any]) -> set[fleet.Node]:
    """(host, check) of every open alert of hosts that checks here depend on and that are not in the outcomes.

    :arg url: the store of the alerts; none, or one that cannot be read, knows of none
    """
    hosts = fleet.hosts_elsewhere(outcomes)
    if not url or not hosts:
        return set()
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, open_store

    try:
        with open_store(url, read_only=True) as store, store.view() as unit:
            return episodes.open_on(unit, hosts, unit.now - _FRESH)
    except StateError:
        return set()  # whoever writes there says what is wrong with it
