# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only two looks can tell. Every meter takes its first look before any check of the run begins, so all of them share one interval."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context

SAMPLE = 0.25

_T = t.TypeVar("_T")


class Meter(t.Generic[_T]):
    """Looks of one kind for all the checks of a run.

    :arg read: takes a look
    """

    def __init__(self, read: t.Callable[[], _T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[_T, _T, float]] = {}
        self._first, self._moment = read(), time.monotonic()

    def interval(self, attempt: int) -> tuple[_T, _T, float]:
        """The two looks for this attempt and the seconds between them, a quarter of one at least; it waits for what is missing of that."""
        with self._lock:
            if attempt not in self._seen:
                time.sleep(max(0.0, self._moment + SAMPLE - time.monotonic()))
                second, moment = self._read(), time.monotonic()
                self._seen[attempt] = (self._first, second, moment - self._moment)
                self._first, self._moment = second, moment
            return self._seen[attempt]


def start(ctx: Context, name: str, read: t.Callable[[], _T]) -> Meter[_T]:
    """The meter of a run by name, made when it is first asked for."""
    return t.cast("Meter[_T]", ctx.shared.get(name) or ctx.shared.setdefault(name, Meter(read)))


def growth(first: int, second: int, seconds: float) -> float | None:
    """What a counter gained a second; None where it was set back between the looks."""
    return round((second - first) / seconds, 3) if second >= first and seconds > 0 else None
