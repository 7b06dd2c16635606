# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts that go back and forth: they stay one episode until they are steady, so that nobody is told each time.

What is remembered of an alert: ``{"begins": [times], "since": time or null, "last": time of the last change, "status": what was seen}``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Flapping
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration

State = t.Dict[str, t.Any]


def began(flaps: State | None, at: float, rule: Flapping | None) -> State | None:
    """The alert begins; ``since`` is set where it has begun too often lately."""
    if rule is None:
        return None
    begins = [one for one in (flaps or {}).get("begins", []) if at - rule.within < one <= at][-rule.times + 1 :] + [at]
    return {"begins": begins, "since": at if len(begins) >= rule.times else None, "last": at, "status": "firing"}


def is_flapping(flaps: State | None) -> bool:
    """Whether it goes back and forth now."""
    return bool(flaps and flaps.get("since") is not None)


def goes_on(flaps: State, status: str, at: float, rule: Flapping) -> bool:
    """Take what is seen of a flapping alert into its state; False when it is steady again."""
    if status != flaps.get("status"):
        flaps.update(status=status, last=at)
        return True
    if abs(at - float(flaps["last"])) < rest(rule):
        return True
    flaps["since"] = None
    return False


def rest(rule: Flapping) -> float:
    """How long it must stay as it is to be steady, in seconds."""
    return rule.within / 2


def is_settled(flaps: State | None, now: float, rule: Flapping) -> bool:
    """Whether a flapping alert was well when it was last seen, and long enough."""
    return is_flapping(flaps) and flaps is not None and flaps["status"] == "resolved" and abs(now - float(flaps["last"])) >= rest(rule)


def note(rule: Flapping) -> str:
    """What people read."""
    return f"began {rule.times} times within {format_duration(rule.within)}; told again when it is steady for {format_duration(rest(rule))}"
