# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A receiver that is down is left alone for a while by all processes on one store, and then asked by one of them alone.

A run that begins may ask once in between, unless somebody has asked since it began. One sender at a time has a channel's turn (state/turns), so
whoever asks is the only one, and one more failure is the next rest.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

FAILURES, REST = 3, 30.0
_SPACE = "breaker"


class State(t.NamedTuple):
    """How often in a row it failed, when it did the last time, and what was said then (without secrets)."""

    failures: int = 0
    at: float = 0.0
    code: str = ""
    message: str = ""

    def rest(self, now: float, began: float) -> float:
        """Seconds for which nobody is to ask; 0 when one may. What failed in the future is not believed: the clock went back."""
        if self.failures < FAILURES or self.at <= began or not self.at <= now < self.at + REST:
            return 0.0
        return self.at + REST - now


def read(unit: Unit, channel: str) -> State:
    """The state of a channel, by its key."""
    found = marks.get(unit, _SPACE, channel)
    if not isinstance(found, dict) or not isinstance(found.get("at"), (int, float)):
        return State()
    return State(int(found.get("failures") or 0), found["at"], str(found.get("code") or ""), str(found.get("message") or ""))


def failed(unit: Unit, channel: str, code: str, message: str, gone: bool = False) -> bool:
    """It failed once more, or is not there any more (``gone``); returns whether it rests now."""
    failures = FAILURES if gone else min(read(unit, channel).failures + 1, 1000)
    marks.put(unit, _SPACE, channel, {"failures": failures, "at": unit.now, "code": code, "message": message})
    return failures >= FAILURES


def works(unit: Unit, channel: str) -> None:
    """It answered."""
    marks.put(unit, _SPACE, channel, None)
