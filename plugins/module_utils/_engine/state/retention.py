# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept for how long. Queued and refused messages, open alerts and DNS changes nobody received stay whatever their age.

What is queued for channels that nobody serves is given up by the flow that tells, see ``outbox.expire``.
"""

from __future__ import annotations

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import (
    dns,
    episodes,
    guard,
    logs,
    outbox,
    results,
    rows,
    silences,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

DAYS = 90.0
_DAY = 86400.0


def is_due(unit: Unit) -> bool:
    """Whether the last complete tidying is a day ago (a clock that went back counts as that, too)."""
    row = unit.one("SELECT value FROM meta WHERE key = 'tidied'")
    return row is None or abs(unit.now - float(row[0])) >= _DAY


def step(unit: Unit, days: float = DAYS) -> bool:
    """Delete one portion of what is too old; returns True when nothing is left to delete."""
    before = unit.now - days * _DAY
    rooms = (results, outbox, episodes, dns, guard, logs, silences, rows)
    deleted = sum(room.prune(unit, before) for room in rooms)
    if deleted:
        return False
    unit.execute(
        "INSERT INTO meta (key, value) VALUES ('tidied', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (repr(unit.now),)
    )
    return True
