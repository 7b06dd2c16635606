# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what was seen in single looks to a status that stands: n in a row, k of n, separate counts to resolve, and flapping.

Everything is a function of the status now and of a small memory, so that a run, a schedule and a watcher judge alike.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check

# The higher, the worse; the letters are what is kept.
_LEVELS = ("ok", "warning", "unknown", "critical")
_LETTERS = "owuc"
# Flapping as Nagios sees it: the last 21 looks, of which newer changes weigh more (flapping.c of Nagios Core: 0.75 to 1.25).
WINDOW = 21
FLAPS_FROM, FLAPS_UNTIL = 30.0, 20.0
_OLDEST, _NEWEST = 0.75, 1.25

Memory = t.Dict[str, t.Any]


class Standing(t.NamedTuple):
    """What stands after a look.

    seen, needed: how often what was seen now was seen, and how often it takes; 0 where it stands already. change: percent of changes
    among the last looks, None while there are too few.
    """

    status: str
    seen: int
    needed: int
    flapping: bool
    change: float | None


def follow(check: Check, status: str, memory: Memory | None) -> tuple[Standing, Memory]:
    """What stands after one more look, and what is to be remembered.

    :arg status: what was seen: ok, warning, unknown or critical
    :arg memory: as the last look left it; {looks: letters, oldest first; stands: status; fresh: looks since it was last lowered;
        flaps: bool}
    """
    memory = memory or {}
    level = _LEVELS.index(status)
    looks = (_known(memory.get("looks")) + _LETTERS[level])[-_kept(check) :]
    stands = _LEVELS.index(memory["stands"]) if memory.get("stands") in _LEVELS else 0
    fresh = min(_whole(memory.get("fresh")) + 1, _kept(check))
    change = changes(looks)
    flaps = check.flapping and change is not None and change >= (FLAPS_UNTIL if memory.get("flaps") else FLAPS_FROM)
    after = _raised(check, looks, stands, fresh)
    if after == stands and level < stands and not flaps:
        after = _lowered(check, looks, stands)
    if flaps:
        after = max(after, 1)
    if after < stands:
        fresh = 0
    seen, needed = _progress(check, looks, after, fresh)
    standing = Standing(_LEVELS[after], seen, needed, flaps, change)
    return standing, {"looks": looks, "stands": _LEVELS[after], "fresh": fresh, "flaps": flaps}


def _kept(check: Check) -> int:
    return max(WINDOW, check.confirm.within, check.resolve_after)


def _known(looks: t.Any) -> str:
    return "".join(letter for letter in looks if letter in _LETTERS) if isinstance(looks, str) else ""


def _whole(value: t.Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _raised(check: Check, looks: str, stands: int, fresh: int) -> int:
    """The worst level that was seen often enough and is still seen; looks from before the last lowering do not count again."""
    levels = _recent(check, looks, fresh)
    for level in range(levels[-1], stands, -1):
        if sum(one >= level for one in levels) >= check.confirm.times:
            return level
    return stands


def _recent(check: Check, looks: str, fresh: int) -> list[int]:
    return [_LETTERS.index(letter) for letter in looks[-max(1, min(check.confirm.within, fresh)) :]]


def _lowered(check: Check, looks: str, stands: int) -> int:
    """The worst of the last looks when all of them are better than what stands."""
    last = [_LETTERS.index(letter) for letter in looks[-check.resolve_after :]]
    return max(last) if len(last) == check.resolve_after and max(last) < stands else stands


def _progress(check: Check, looks: str, stands: int, fresh: int) -> tuple[int, int]:
    level = _LETTERS.index(looks[-1])
    if level > stands:
        return sum(one >= level for one in _recent(check, looks, fresh)), check.confirm.times
    if level < stands:
        better = len(looks) - len(looks.rstrip(_LETTERS[:stands]))
        return min(better, check.resolve_after), check.resolve_after
    return 0, 0


def changes(looks: str) -> float | None:
    """The weighted share of changes among the last 21 looks in percent; None while there are fewer."""
    if len(looks) < WINDOW:
        return None
    last = looks[-WINDOW:]
    step = (_NEWEST - _OLDEST) / (WINDOW - 2)
    total = sum(_OLDEST + place * step for place in range(WINDOW - 1) if last[place] != last[place + 1])
    return round(100 * total / (WINDOW - 1), 1)


def settle(check: Check, result: Result, memory: Memory | None) -> Memory | None:
    """Fill in what stands after this result, say so in its summary, and return what is to be remembered (None: nothing new).

    A skipped check was not judged by what it saw, so it neither confirms nor resolves; nor does one that is still learning what is usual.
    """
    if result["status"] not in _LEVELS or result["reason"] == LEARNING:
        return None
    standing, after = follow(check, result["status"], memory)
    severity = check.severity if standing.status == "critical" else "warning"
    result["confirmed"] = dict(standing._asdict(), severity=severity)
    said = _said(check, standing)
    if said:
        result["summary"] = f"{result['summary']} ({said})"
    failed = _failed(check, result, (memory or {}).get("failed"))
    if failed:
        after["failed"] = failed
    return after


def _said(check: Check, standing: Standing) -> str:
    said = []
    if standing.needed and not (standing.flapping and standing.seen >= standing.needed):
        within = f" within {check.confirm.within} looks" if check.confirm.within > check.confirm.times else ""
        rising = standing.needed == check.confirm.times and standing.status == "ok"
        said.append(f"observed {standing.seen} of {standing.needed} times" + (within if rising else f"; {standing.status} until then"))
    if standing.flapping:
        said.append(f"flapping: {standing.change:g}% change in {WINDOW} looks, {standing.status} until it settles")
    return "; ".join(said)


def _failed(check: Check, result: Result, before: t.Any) -> dict[str, list[str]] | None:
    """The expressions that hold again only beyond the hysteresis, by the key of the check that they stand in."""
    if check.hysteresis is None:
        return None
    if result["status"] == "unknown":
        return before if isinstance(before, dict) else None
    paths = [item["path"] for item in result["failed"]]
    if not paths:
        return None
    return {"expect": paths if result["status"] == "critical" else [], "warn": paths}
