# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One JSON object a line on standard error, which the journal keeps: time, level, room, message, trace_id, and what else there is to say."""

from __future__ import annotations

import json
import os
import time
import typing as t

LEVELS = ("debug", "info", "warning", "error")
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3}  # syslog(3)


class Log:
    """Writes lines; what is below the level is left out.

    :ivar room: who writes; trace: of the work under way, so that its lines can be found together
    """

    def __init__(self, level: str = "info", room: str = "main") -> None:
        self.level = level
        self.room = room
        self.trace = ""
        self._journal = bool(os.environ.get("JOURNAL_STREAM"))

    def louder(self) -> None:
        """One level more."""
        self.level = LEVELS[max(LEVELS.index(self.level) - 1, 0)]

    def quieter(self) -> None:
        """One level less."""
        self.level = LEVELS[min(LEVELS.index(self.level) + 1, len(LEVELS) - 1)]

    def begin(self) -> str:
        """A new trace id (W3C trace context: 16 bytes as hexadecimal digits)."""
        self.trace = os.urandom(16).hex()
        return self.trace

    def debug(self, message: str, **more: t.Any) -> None:
        """What only matters when something is searched for."""
        self._write("debug", message, more)

    def info(self, message: str, **more: t.Any) -> None:
        """What happened."""
        self._write("info", message, more)

    def warning(self, message: str, **more: t.Any) -> None:
        """What somebody should look at one day."""
        self._write("warning", message, more)

    def error(self, message: str, **more: t.Any) -> None:
        """What somebody should look at now."""
        self._write("error", message, more)

    def _write(self, level: str, message: str, more: t.Dict[str, t.Any]) -> None:
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        now = time.time()
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z", "level": level}
        entry.update(room=self.room, message=message, **more)
        if self.trace:
            entry["trace_id"] = self.trace
        line = json.dumps(entry, ensure_ascii=False, default=str)
        try:
            # sd-daemon(3): the journal takes the priority from the front of the line
            os.write(
                2, ((f"<{_PRIORITY[level]}>" if self._journal else "") + line + "\n").encode("utf-8", "replace")
            )  # whole, as threads share it
        except OSError:
            return  # nobody reads; that must not stop the work
