# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends what was kept: at once when something was, and again when the time of a queued message has come. A thread for each channel."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import Courier
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError
from vigil_watch.desk import Desk
from vigil_watch.log import Log
from vigil_watch.room import Room
from vigil_watch.schedule import Job

_ROUND = 60.0  # seconds that one round of sending may last
_IDLE = 60.0
_REST = 5.0
_LOOK = 60.0


class _Sender(threading.Thread):
    def __init__(self, courier: Courier, log: Log) -> None:
        super().__init__(name="vigil-courier", daemon=True)
        self.courier = courier
        self.nudged = threading.Event()
        self._log = log
        self._said = (0, 0, "")

    def run(self) -> None:
        woken = False
        while True:
            self.nudged.clear()
            try:
                if not woken:
                    self.courier.wake()
                    woken = True
                wait = self.courier.round(time.monotonic() + _ROUND)
            except StateError as exc:
                self._log.error(str(exc))
                wait = _REST
            self._report()
            if wait != 0.0:
                self.nudged.wait(_IDLE if wait is None else min(max(wait, 0.05), _IDLE))

    def _report(self) -> None:
        report, channel = self.courier.report, self.courier.channel.masked
        now = (report.sent, report.dead, report.message)
        if now == self._said:
            return
        if report.dead > self._said[1]:
            self._log.warning(f"{report.dead - self._said[1]} messages were refused by {channel}: {report.message}", code=report.code)
        elif report.sent > self._said[0]:
            self._log.debug(f"{report.sent - self._said[0]} messages told to {channel}")
        elif report.message:
            self._log.warning(f"{channel}: {report.message}; what is queued is tried again", code=report.code)
        self._said = now


class TellerRoom(Room):
    """The only one that talks to receivers. The supervisor writes a byte when something is to be told."""

    name = "teller"

    def prepare(self) -> None:
        self._desk = Desk(self.config)
        self._senders = [_Sender(Courier(self._desk.store, channel), self.log) for channel in self.config.channels]
        for sender in self._senders:
            sender.start()

    def jobs(self) -> t.List[Job]:
        return [Job("tidy the store", 3600.0, self._tidy), Job("look for what is due", _LOOK, self._look)]

    def watched(self) -> t.List[t.Any]:
        return [self.commands]

    def woken(self, what: t.Any) -> None:
        if not os.read(self.commands, 65536):
            self._ending = True
        for sender in self._senders:
            sender.nudged.set()

    def work(self, jobs: t.List[Job]) -> None:
        for job in jobs:
            job.work()

    def _tidy(self) -> None:
        self._desk.store.tidy()

    def _look(self) -> None:
        try:
            if self._desk.look():
                for sender in self._senders:
                    sender.nudged.set()
        except StateError as exc:
            self.log.error(str(exc))
