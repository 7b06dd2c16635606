# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which batches of a host the controller has received: kept in the controller's store, handed back with the next run."""

from __future__ import annotations

import hashlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, clean, dump

_SPACE = "receipts"


def key(host: str, view: str, state_url: str) -> str:
    """Where the batches of a view in a store on a host are kept."""
    digest = hashlib.sha256(dump([host, view, state_url]).encode()).hexdigest()
    return f"{clean(host)}:{digest[:16]}"


def last(unit: Unit, receipt: str) -> str | None:
    """The last batch that was received."""
    found = marks.get(unit, _SPACE, receipt)
    return str(found) if found else None


def receive(unit: Unit, receipt: str, batch: str) -> None:
    """A batch was received, and with it all before."""
    marks.put(unit, _SPACE, receipt, batch)
