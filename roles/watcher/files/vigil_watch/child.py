# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A room as the supervisor knows it."""

from __future__ import annotations

import os
import time
import typing as t

FIRST_PAUSE = 1.0


class Child:
    """Moments are time.monotonic()."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.ear = self.nudge = -1
        self.rest = b""
        self.job, self.since, self.limit = "", 0.0, 0.0
        self.ready = False
        self.began = self.not_before = 0.0
        self.pulse = 0.0  # when its process was last known to go on, where rooms share it
        self.apart = False  # whether it has a process of its own
        self.pause = FIRST_PAUSE
        self.restarts = 0
        self.last_fault = ""
        self.about: t.Dict[str, t.Any] = {}

    def shown(self) -> t.Dict[str, t.Any]:
        busy = {"job": self.job, "seconds": round(time.monotonic() - self.since, 1)} if self.job else None
        return {"pid": self.pid, "ready": self.ready, "busy": busy, "restarts": self.restarts, "fault": self.last_fault, **self.about}


def signal_to(pid: int, number: int) -> None:
    """Send a signal, unless there is nobody."""
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def read_some(file: int) -> t.Optional[bytes]:
    """What is there; empty at the end, None when there is nothing yet."""
    try:
        return os.read(file, 65536)
    except BlockingIOError:
        return None
    except OSError:
        return b""
