# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops a regular expression that would go on for ever, and keeps account of what each rule costs.

The ``re`` module looks for signals while it searches, so a timer of the CPU time of this process can end a search by an exception. That works
in the main thread alone; elsewhere nothing is stopped.
"""

from __future__ import annotations

import signal
import threading
import typing as t

TICK = 0.1


class TooSlow(Exception):
    """A search was ended."""


class Watchdog:
    """``with Watchdog(...) as dog``: while a search goes on ``dog.busy`` is the number of its rule, else -1.

    :arg once: CPU seconds that one search may take
    :arg total: CPU seconds that all searches of one rule may take together
    """

    def __init__(self, once: float, total: float) -> None:
        self.busy = -1
        self.spent: t.Dict[int, int] = {}
        self._once, self._total = max(1, round(once / TICK)), max(1, round(total / TICK))
        self._same = 0
        self._last: t.Any = None
        self.turn = 0  # another one for each search
        self._before: t.Any = None
        self._armed = False

    def is_spent(self, rule: int) -> bool:
        """Whether a rule has had all of its time."""
        return self.spent.get(rule, 0) >= self._total

    def rearm(self) -> None:
        """Go on in a process that was forked: timers stay behind."""
        self.busy = -1
        if self._armed:
            signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)

    def add(self, spent: t.Mapping[int, int]) -> None:
        """What searches of rules took in another process."""
        for rule, ticks in spent.items():
            self.spent[rule] = self.spent.get(rule, 0) + ticks

    def __enter__(self) -> Watchdog:
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            self._before = signal.signal(signal.SIGVTALRM, self._tick)
            signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)
            self._armed = True
        return self

    def __exit__(self, *unused: object) -> None:
        self.busy = -1
        if self._armed:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, self._before if self._before is not None else signal.SIG_DFL)
            self._armed = False

    def _tick(self, _number: int, _frame: t.Any) -> None:
        rule = self.busy
        if rule < 0:
            return
        self.spent[rule] = self.spent.get(rule, 0) + 1
        if self._last == (rule, self.turn):
            self._same += 1
        else:
            self._last, self._same = (rule, self.turn), 1
        if self._same >= self._once or self.spent[rule] >= self._total:
            self.busy = -1
            raise TooSlow
