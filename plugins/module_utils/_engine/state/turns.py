# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sender at a time for each channel: a turn that a process which was killed cannot keep."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

_SPACE = "turn"


def wait(unit: Unit, channel: str, owner: str, longest: float, alive: t.Callable[[str], bool]) -> float:
    """How long somebody else has the turn at most, in seconds; 0 when it is free.

    A turn of a dead process is free, and so is one that ends later than any can: the clock went back.
    """
    found = marks.get(unit, _SPACE, channel)
    if not isinstance(found, dict) or found.get("owner") == owner:
        return 0.0
    left = float(found.get("until") or 0) - unit.now
    return left if 0 < left <= longest and alive(str(found.get("owner"))) else 0.0


def take(unit: Unit, channel: str, owner: str, seconds: float) -> None:
    """Have the turn for at most so many seconds."""
    marks.put(unit, _SPACE, channel, {"owner": owner, "until": unit.now + seconds})


def give_back(unit: Unit, channel: str, owner: str) -> None:
    """The next one may send."""
    found = marks.get(unit, _SPACE, channel)
    if isinstance(found, dict) and found.get("owner") == owner:
        marks.put(unit, _SPACE, channel, {"owner": "", "until": 0})
