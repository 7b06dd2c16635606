# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many messages a robot takes, whichever processes on one store send them, and how long it asked all of them to wait."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

_SLACK = 0.25  # seconds by which one message may be quicker on its way than the one before


def take(unit: Unit, key: str, rates: t.Sequence[tuple[int, float]]) -> float:
    """Take one message of the budget: 0.0 when it may be sent, else how many seconds to wait.

    :arg rates: (messages, seconds); no stretch of so many seconds sees more
    """
    pause = wait(unit, key, rates)
    if not pause:
        marks.put(unit, "budget", key, [*_used(unit, key, [(allowed, seconds + _SLACK) for allowed, seconds in rates]), unit.now])
    return pause


def wait(unit: Unit, key: str, rates: t.Sequence[tuple[int, float]]) -> float:
    """Seconds until the robot takes another message; 0.0 when it does now."""
    asked = left(unit, key)
    if asked:
        return asked
    rates = [(allowed, seconds + _SLACK) for allowed, seconds in rates]
    used, pause = _used(unit, key, rates), 0.0
    for allowed, seconds in rates:
        recent = [at for at in used if at > unit.now - seconds]
        if len(recent) >= allowed:
            pause = max(pause, recent[-allowed] + seconds - unit.now, 0.05)
    return pause


def left(unit: Unit, key: str) -> float:
    """Seconds for which the robot asked everybody to wait."""
    rest = marks.get(unit, "rest", key, 0.0)
    return float(rest - unit.now) if isinstance(rest, (int, float)) and unit.now < rest < unit.now + 7200 else 0.0


def free(unit: Unit, key: str, rates: t.Sequence[tuple[int, float]], within: float) -> int:
    """How many messages could be sent within so many seconds, if nobody else sent any."""
    found = 1000
    for allowed, seconds in rates:
        recent = len(_used(unit, key, [(allowed, seconds)]))
        found = min(found, int(allowed * within / seconds) if seconds <= within else max(allowed - recent, 0))
    return found


def _used(unit: Unit, key: str, rates: t.Sequence[tuple[int, float]]) -> list[float]:
    longest = max(seconds for _allowed, seconds in rates)
    return [at for at in marks.get(unit, "budget", key, []) if unit.now - longest < at <= unit.now]


def rest(unit: Unit, key: str, seconds: float) -> None:
    """The robot asked to wait: nobody on this store tells it anything for so long."""
    marks.put(unit, "rest", key, unit.now + seconds)
