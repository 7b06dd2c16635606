# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A room does jobs of one kind, one after the other, and says what it does, so that the supervisor can stop what does not end."""

from __future__ import annotations

import json
import os
import select
import sys
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from vigil_watch.log import Log
from vigil_watch.model import Config
from vigil_watch.schedule import Job, Schedule

_ALONG = 1.0  # seconds: what is due so soon shares the work of what is due now
_SHOWN = 10  # jobs that the supervisor is told are next
_FAULTS = 5  # in a row, after which the room is begun anew


class Room:
    """What all rooms have; a kind of its own for each.

    :arg mouth: file descriptor on which the supervisor hears what is done
    :arg commands: file descriptor on which the supervisor says that something is to be told
    """

    name = ""

    def __init__(self, config: Config, log: Log, mouth: int, commands: int) -> None:
        self.config = config
        self.log = log
        self.commands = commands
        self._mouth = mouth
        self._ending = False
        self._ear, self._alarm = os.pipe()
        for end in (self._ear, self._alarm):
            os.set_blocking(end, False)
        self.schedule: t.Optional[Schedule] = None
        self._faults = 0

    # --- for each kind ---

    def jobs(self) -> t.List[Job]:
        """What is to be done."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Before the first job; opens what it needs."""

    def work(self, jobs: t.List[Job]) -> None:
        """Do these, which are due together."""
        raise NotImplementedError

    def watched(self) -> t.List[t.Any]:
        """What else wakes the room: things with a fileno()."""
        return []

    def woken(self, what: t.Any) -> None:
        """One of these can be read."""

    def wait(self) -> float:
        """Seconds until something else is to be done than the schedule says."""
        return 60.0

    def between(self) -> None:
        """Done after every waiting."""

    # --- for all ---

    def say(self, **what: t.Any) -> None:
        """Tell the supervisor."""
        try:
            os.write(self._mouth, json.dumps(what, default=str).encode("utf-8", "replace") + b"\n")
        except OSError:
            self._ending = True  # it is gone

    def run(self) -> None:
        """Until it is told to end."""
        self.prepare()
        self.schedule = Schedule(self.jobs(), self.config)
        self.say(ready=True)
        while not self._ending:
            self._wait()
            if not self._ending:
                self.between()
                self._do(self.schedule.due(_ALONG))

    def end(self) -> None:
        """To be called by whom it belongs to, also in a signal handler."""
        self._ending = True
        try:
            os.write(self._alarm, b"!")
        except OSError:
            pass  # it is full: the room wakes anyway

    def _wait(self) -> None:
        schedule = t.cast(Schedule, self.schedule)
        self.say(next=schedule.next_runs(_SHOWN), gate=schedule.held())
        wait = min(schedule.wait(), self.wait())
        watched = self.watched()
        try:
            ready = select.select([self._ear, *watched], [], [], max(wait, 0.0))[0]
        except InterruptedError:
            return
        for what in ready:
            if what == self._ear:
                _drain(self._ear)
            else:
                self.woken(what)

    def _do(self, jobs: t.List[Job]) -> None:
        if not jobs:
            return
        name = jobs[0].name if len(jobs) == 1 else f"{jobs[0].name} and {len(jobs) - 1} more"
        self.log.begin()
        self.say(begin=name, limit=self.config.limits.get(self.name, 120.0))
        began = time.monotonic()
        try:
            self.work(jobs)
            self._faults = 0
        except Exception as exc:  # noqa: BLE001 - the fault of one job must not stop the others
            self._faults += not isinstance(exc, StateError)  # where the disk is full a new process would help nobody
            self.log.error(f"{name} failed: {type(exc).__name__}: {exc}", job=name)
            self.say(fault=f"{name}: {exc}")
            if self._faults >= _FAULTS:
                self.say(apart=True)
                sys.exit(70)
        t.cast(Schedule, self.schedule).again(jobs)
        self.say(end=name, seconds=round(time.monotonic() - began, 3))


def _drain(file: int) -> None:
    try:
        os.read(file, 65536)
    except BlockingIOError:
        pass
