# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the history of a host says before it is looked at again: what is usual there, and how fast its disks fill."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.baseline import Baseline
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.forecast import loss
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks, trails
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

FORECAST = "full_in_hours"
# What is left of it, by probe.
_LEFT = {"disk": "free_bytes", "inode": "free"}
# Looks that are read where nothing is known yet.
_REPLAY, _TREND = 2000, 300
# What is remembered in another form is learned anew.
_FORM = 1

Known = t.Dict[str, t.Dict[str, t.Any]]


def learned(store: Store, host: str, checks: t.Iterable[Check]) -> Known:
    """What the module inspect takes as ``baselines``, from the looks that are kept of the host.

    :return: {check key: {expression: {low, high, n, usual, spread}}}, with {n, needs} for what is still being learned, and with
        {full_in_hours: {per_hour}} for disks
    """
    checks = list(checks)
    dynamic = [(check, path.text) for check in checks for path, matcher in check.expect + check.warn if matcher.dynamic]
    filling = [check for check in checks if check.probe in _LEFT]
    found: Known = {}
    if not dynamic and not filling:
        return found
    news: list[tuple[str, dict[str, t.Any]]] = []
    with store.view() as unit:
        for check, path in dict.fromkeys(dynamic):
            bounds, mark = _bounds(unit, host, check, path)
            found.setdefault(check.key, {})[path] = bounds
            if mark:
                news.append(mark)
        for check in filling:
            rate = loss(trails.numbers(unit, host, check.key, _LEFT[check.probe], _TREND), unit.now)
            if rate is not None:
                found.setdefault(check.key, {}).setdefault(FORECAST, {})["per_hour"] = rate
    if news and not store.read_only:
        with store.unit() as unit:
            for key, value in news:
                marks.put(unit, trails.space_of(host), key, value)
    return found


def merged(given: t.Mapping[str, t.Mapping[str, t.Any]], found: Known) -> Known:
    """Both together; what was learned goes first, what is still being learned last."""
    whole: Known = {key: dict(paths) for key, paths in given.items()}
    for key, paths in found.items():
        mine = whole.setdefault(key, {})
        for path, known in paths.items():
            if path not in mine or "needs" not in known:
                mine[path] = known
    return whole


def _bounds(unit: Unit, host: str, check: Check, path: str) -> tuple[dict[str, float], tuple[str, dict[str, t.Any]] | None]:
    """The bounds, and what is new to remember of them; what is remembered spares reading the whole history again."""
    key = f"{check.key}\n{path}"
    known = marks.get(unit, trails.space_of(host), key, {})
    try:
        last, baseline = (known["last"], Baseline(path, known["state"])) if known.get("form") == _FORM else (0, Baseline(path))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # not what this program wrote: the looks are still there
        last, baseline = 0, Baseline(path)
    looks = trails.after(unit, host, check.key, path, last, _REPLAY)
    # what broke a limit is not usual, however often it is seen
    baseline.learn((look.at, look.value, look.status != "critical") for look in looks)
    mark = (key, {"form": _FORM, "last": looks[-1].row, "state": baseline.state()}) if looks else None
    return baseline.bounds(unit.now), mark
