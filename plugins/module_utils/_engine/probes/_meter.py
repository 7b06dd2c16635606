# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only two looks can tell: one of the last run, where that is kept, or one a quarter of a second ago.

Every meter takes its first look before any check of the run begins. Where the last run left a look that is good to compare with, nothing is
waited for; all meters for which there is none share one interval.
"""

from __future__ import annotations

import math
import sys
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _procfs

SAMPLE = 0.25
# Seconds since the last run: in less, the counters' own steps are felt; what was an hour ago says little of now.
SHORTEST, LONGEST = 1.0, 3600.0
# Where counters of 32 bits begin anew every few seconds, nothing tells how often they did.
_WIDE = sys.maxsize > 1 << 32

_LOCK = threading.Lock()
_T = t.TypeVar("_T")


class Meter(t.Generic[_T]):
    """Looks of one kind for all the checks of a run.

    :arg read: takes a look
    """

    def __init__(self, read: t.Callable[[], _T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[_T, _T, float]] = {}
        self._last: tuple[_T, float] | None = None
        self.first, self._moment = read(), time.monotonic()
        self._latest = self.first

    def follow(self, last: _T, seconds: float) -> None:
        """Let a look that was so many seconds before the first one serve for the first attempt."""
        self._last = (last, seconds)

    def interval(self, attempt: int, fits: t.Callable[[_T, _T], bool]) -> tuple[_T, _T, float]:
        """Two looks for this attempt and the seconds between them.

        That is the last run's and the first of this one, where they fit, else two that are a quarter of a second apart at least; it waits
        for what is missing of that.

        :arg fits: whether the last run's look can be compared with a later one
        """
        if attempt == 1 and self._last is not None and fits(self._last[0], self.first):
            return self._last[0], self.first, self._last[1]
        with self._lock:
            if attempt not in self._seen:
                time.sleep(max(0.0, self._moment + SAMPLE - time.monotonic()))
                second, moment = self._read(), time.monotonic()
                self._seen[attempt] = (self._latest, second, moment - self._moment)
                self._latest, self._moment = second, moment
            return self._seen[attempt]


def start(
    ctx: Context, name: str, read: t.Callable[[], _T], dump: t.Callable[[_T], t.Any], load: t.Callable[[t.Any, float], _T]
) -> Meter[_T]:
    """The meter of a run by name, made when it is first asked for.

    :arg dump: a look as JSON, for the next run
    :arg load: the look of the last run, from that and the boot-time clock then; raises when it is not what was dumped
    """
    known = ctx.shared.get(name)
    if known is None:
        known = ctx.shared.setdefault(name, Meter(read))
        now = clock()
        found = last_look(ctx, name, now)
        if found is not None:
            try:
                known.follow(load(found[0], now - found[1]), found[1])
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                pass  # whatever that is: it was not left by this program, and will be replaced
        leave(ctx, name, now, dump(known.first) if ctx.left is not None else None)
    return t.cast("Meter[_T]", known)


def clock() -> float:
    """Seconds since the system was started, those in which it slept included: nobody can set this clock."""
    number = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if number is None else time.clock_gettime(number)


def last_look(ctx: Context, name: str, now: float, shortest: float = SHORTEST, longest: float = LONGEST) -> tuple[t.Any, float] | None:
    """What the last run left of a probe, and how many seconds ago; None unless that is a time to take a rate over, of this very boot."""
    age = _age(ctx, name, now)
    return None if age is None or not shortest <= age <= longest or not _WIDE else (ctx.past[name]["look"], age)


def leave(ctx: Context, name: str, now: float, look: t.Any) -> None:
    """Leave a look for the next run.

    One of less than a second ago stays in its place, so that runs in quick succession have something to compare with as well.
    """
    boot = _boot() if ctx.left is not None else ""
    if ctx.left is not None and boot:
        age = _age(ctx, name, now)
        stays = age is not None and 0 <= age < SHORTEST
        ctx.left[name] = ctx.past[name] if stays else {"boot": boot, "at": round(now, 3), "look": look}


def leave_more(ctx: Context, name: str, now: float, more: t.Mapping[str, t.Any], most: int) -> None:
    """Add to the look that a probe leaves, which is a mapping, whichever of its checks comes first.

    :arg most: how many keys it may have; a run that looks at more leaves the first ones
    """
    if ctx.left is None:
        return
    with _LOCK:
        if name not in ctx.left:
            leave(ctx, name, now, {})
        row = ctx.left.get(name)
        if row is not None and row is not ctx.past.get(name) and len(row["look"]) + len(more) <= most:
            # in its place and not into it: somebody else may be reading that
            ctx.left[name] = dict(row, look={**row["look"], **more})


def _age(ctx: Context, name: str, now: float) -> float | None:
    """Seconds since the last run left something; None where it did not, or the system was started anew since."""
    row = ctx.past.get(name)
    try:
        age = now - float(row["at"]) if isinstance(row, dict) and "look" in row and row["boot"] == _boot() != "" else math.nan
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return age if math.isfinite(age) else None


def _boot() -> str:
    """A name for the time since the last start of the system; empty where there is none."""
    try:
        with open(f"{_procfs.PROC}/sys/kernel/random/boot_id", encoding="ascii") as source:
            return source.read().strip()
    except (OSError, ValueError):
        return ""


def counters(value: t.Any, least: int = 0) -> list[int]:
    """What a look is made of.

    :raises TypeError, ValueError: it is something else
    """
    if len(value) < least or not all(
        isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 64 for number in value
    ):
        raise ValueError("no counters")
    return list(value)


def went_on(first: t.Sequence[int], second: t.Sequence[int]) -> bool:
    """Whether no counter was set back."""
    return len(first) == len(second) and all(one <= two for one, two in zip(first, second))


def growth(first: int, second: int, seconds: float) -> float | None:
    """What a counter gained a second; None where it was set back between the looks."""
    return round((second - first) / seconds, 3) if second >= first and seconds > 0 else None
