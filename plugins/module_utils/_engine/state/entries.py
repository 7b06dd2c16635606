# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""History as it is asked for: one list of entries, whatever the kind."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import (
    dns,
    outbox,
    results,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, clean

KINDS = ("results", "changes", "events", "outbox", "dead")


def entries(unit: Unit, kind: str, name: str | None = None, since: float = 0.0, limit: int = 100) -> list[dict[str, t.Any]]:
    """The newest ``limit`` entries of a kind, newest first.

    ``name``: a host (instance) or check name, ``*`` and ``?`` stand for any characters; ``since``: seconds since the epoch.
    """
    pattern = like(name) if name else None
    if kind == "events":
        return outbox.events(unit, pattern, since, limit)
    if kind in ("outbox", "dead"):
        return outbox.listing(unit, "queued" if kind == "outbox" else "dead", pattern, since, limit)
    if kind == "results":
        return results.listing(unit, pattern, since, limit, changed=False)
    if kind == "changes":
        found = results.listing(unit, pattern, since, limit, changed=True) + dns.listing(unit, pattern, since, limit)
        return sorted(found, key=lambda entry: str(entry["time"]), reverse=True)[:limit]
    raise ValueError("There is no kind '{}'; choose one of {}.".format(kind, ", ".join(KINDS)))


def like(name: str) -> str:
    """A name with ``*`` and ``?`` as SQL's LIKE has it."""
    name = clean(name)
    for char in "\\%_":
        name = name.replace(char, "\\" + char)
    return name.replace("*", "%").replace("?", "_")
