# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which events of a host were told, of those that it numbers and returns again until it knows that somebody has them."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Routes
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit


class Told:
    """Two numbers for each ledger of a host, as they come in their order: of the last event that went through the life of its alert, and of the last
    one that these channels were told of (another task or the callback may tell other ones).

    :arg space: the room's space among the marks of the store
    """

    def __init__(self, unit: Unit, space: str, routes: Routes, dry: bool) -> None:
        self._unit, self._space, self._dry = unit, space, dry
        self._channels = hashlib.sha256("\n".join(sorted(route.channel for route in routes)).encode()).hexdigest()[:16]
        self._last: t.Dict[str, int] = {}

    def look(self, ledger: str, number: int) -> t.Tuple[bool, bool]:
        """Whether an event is new, and whether these channels were not told of it; from now on it is known."""
        return self._is_later(ledger, number), self._is_later(f"{ledger}:{self._channels}", number)

    def _is_later(self, key: str, number: int) -> bool:
        if key not in self._last:
            self._last[key] = int(marks.get(self._unit, self._space, key, 0) or 0)
        if number <= self._last[key]:
            return False
        self._last[key] = number
        if not self._dry:
            marks.put(self._unit, self._space, key, number)
        return True
