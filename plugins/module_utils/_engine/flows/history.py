# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind history_info: read a store, never make or change one."""

from __future__ import annotations

import fnmatch
import json
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import silence
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import entries, episodes, silences
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateMissing, open_store
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit


def read_since(since: str | None, now: float) -> float:
    """Seconds since the epoch of ``7d`` (ago) or of an RFC 3339 time; 0 for nothing.

    :raises ValueError: one sentence
    """
    if not since:
        return 0.0
    text = str(since).strip()
    try:
        return parse_rfc3339(text) if text[:4].isdigit() and "-" in text else now - parse_duration(text)
    except ValueError:
        raise ValueError(f"since is '{text}'; write how long ago, such as 12h or 7d, or a time such as 2026-11-21T08:00:00Z.") from None


def history(url: str, kind: str, name: str | None, since: str | None, limit: int) -> tuple[list[dict[str, t.Any]], list[str]]:
    """The entries, newest first, and sentences for the user; a store that is not there has none.

    :raises ValueError: a bad ``since`` or ``limit``, one sentence
    :raises StateError: the store cannot be read
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; it must be 1 or more.")
    start = read_since(since, time.time())
    try:
        with open_store(url, read_only=True) as store, store.view() as unit:
            if kind in _KEPT:
                return _KEPT[kind](unit, name, start)[:limit], list(store.notices)
            return entries.entries(unit, kind, name, start, limit), list(store.notices)
    except StateMissing as exc:
        return [], [str(exc)]


def _alerts(unit: Unit, name: str | None, start: float) -> list[dict[str, t.Any]]:
    found = [one for one in episodes.all_open(unit) if one.last_at >= start]
    if name:
        found = [
            one for one in found if any(fnmatch.fnmatch(str(text).lower(), name.lower()) for text in (one.instance, one.event.get("check")))
        ]
    return [silence.alert(one, unit.now) for one in reversed(found)]


def _silences(unit: Unit, name: str | None, start: float) -> list[dict[str, t.Any]]:
    shown = [silence.shown(unit, one) for one in silences.listing(unit, start or unit.now, 1000)]
    return [one for one in shown if not name or fnmatch.fnmatch(json.dumps(one["matchers"]).lower(), f"*{name.lower()}*")]


_KEPT: t.Dict[str, t.Callable[[Unit, t.Optional[str], float], t.List[t.Dict[str, t.Any]]]] = {"alerts": _alerts, "silences": _silences}
