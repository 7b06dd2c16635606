# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are kept whenever they change: events are merged until it is quiet, then a snapshot is taken and what changed is told.

Events come from inotify (see ears.py). What they cannot say, because a queue ran over or the watcher did not run, is found by a comparison of everything at
the start, every ``every`` seconds, and soon after a queue ran over. Where the kernel gives no watches it is looked for changes every ten seconds.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
import typing as t

from vigil_watch.ears import Ears, fingerprint
from vigil_watch.model import FileWatch
from vigil_watch.room import Room
from vigil_watch.schedule import Job

_POLL = 10.0  # seconds between two looks where events cannot be had
_LISTEN_AGAIN = 300.0  # seconds after which events are tried again


class _Changes:
    """What a watch has seen since its last snapshot, and how it sees."""

    def __init__(self, watch: FileWatch, wake: t.Callable[[], None]) -> None:
        self.watch = watch
        self.hidden = os.path.normpath(str(watch.options["repository"]))
        self.ears = Ears(watch.options["paths"], self.hidden, self._heard, self._overflow)
        self.why = ""  # there are no events
        self.print = b""
        self.ran_over = False
        self._wake = wake
        self._lock = threading.Lock()
        self._first = self._last = self._tried = 0.0
        self._is_stale = True  # directories changed, so the watches do not fit

    def _heard(self, directories: bool) -> None:
        self.add(directories)
        self._wake()

    def _overflow(self) -> None:
        self.ran_over = True
        self._heard(True)

    def add(self, directories: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            self._first = self._first or now
            self._last = now
            self._is_stale = self._is_stale or directories

    def due(self) -> float:
        """time.monotonic() at which the snapshot is to be taken; infinity where nothing was seen."""
        with self._lock:
            return min(self._last + self.watch.quiet, self._first + self.watch.max_delay) if self._first else float("inf")

    def taken(self) -> None:
        """To be called before it is compared, so that what changes meanwhile is seen by the next comparison."""
        with self._lock:
            self._first = self._last = 0.0

    def listen(self) -> bool:
        """Make the watches anew where they do not fit; whether it became another way of seeing."""
        with self._lock:
            is_stale, self._is_stale = self._is_stale, False
        now = time.monotonic()
        if self.why and now - self._tried < _LISTEN_AGAIN:
            return False
        if not is_stale and not self.why and self.ears.alive():
            return False
        before, self._tried = self.why, now
        self.why = self.ears.open()
        return self.why != before


class FileRoom(Room):
    """Watches, merges, has kept and told."""

    name = "files"

    def prepare(self) -> None:
        self._wake_ear, self._wake_mouth = os.pipe()
        for end in (self._wake_ear, self._wake_mouth):
            os.set_blocking(end, False)
        self._changes = [_Changes(watch, self._wake) for watch in self.config.files]
        for one in self._changes:
            self._listen(one)

    def jobs(self) -> t.List[Job]:
        looks = [Job(f"files {one.watch.name}", one.watch.every, one) for one in self._changes]
        return looks + [Job("look for changes", _POLL, None)]

    def watched(self) -> t.List[t.Any]:
        return [self._wake_ear]

    def woken(self, what: t.Any) -> None:
        os.read(self._wake_ear, 65536)

    def wait(self) -> float:
        return max(min((one.due() for one in self._changes), default=float("inf")) - time.monotonic(), 0.0)

    def between(self) -> None:
        now = time.monotonic()
        for one in self._changes:
            if one.due() <= now:
                self.log.begin()
                self._snapshot(one)

    def work(self, jobs: t.List[Job]) -> None:
        for job in jobs:
            if job.work is not None:
                self._snapshot(job.work)
                continue
            for one in self._changes:
                if one.why:
                    self._look(one)
                elif not one.ears.alive():  # a path is gone, or there again
                    one.add(True)

    def _look(self, one: _Changes) -> None:
        """Without events: is anything another than at the look before?"""
        now = fingerprint(one.watch.options["paths"], one.hidden)
        if now != one.print:
            one.print = now
            one.add()

    def _listen(self, one: _Changes) -> None:
        if not one.listen():
            return
        if one.why:
            self.log.warning(
                f"{one.watch.name}: {one.why}, so it is looked at every {_POLL:g} s",
                limit="fs.inotify.max_user_watches" if "inotify" in one.why or "space" in one.why else None,
            )
            one.print = fingerprint(one.watch.options["paths"], one.hidden)
        else:
            self.log.info(f"{one.watch.name}: its changes are heard again")

    def _wake(self) -> None:
        try:
            os.write(self._wake_mouth, b"!")
        except BlockingIOError:
            pass

    def _snapshot(self, one: _Changes) -> None:
        if one.ran_over:
            one.ran_over = False
            self.log.warning(f"{one.watch.name}: more changed than the kernel keeps for us (IN_Q_OVERFLOW), so everything is compared")
        one.taken()
        self._listen(one)
        watch, limit = one.watch, self.config.limits["files"]
        self.say(begin=f"files {watch.name}", limit=limit + 60)
        fault = ""
        try:
            said = self._keep(watch, limit)
            fault = str(said.get("fault", ""))
            if said.get("told"):
                self.say(told=said["told"])
        except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
            stopped = isinstance(exc, subprocess.TimeoutExpired)
            fault = f"did not end within {limit:g} s and was stopped" if stopped else f"{type(exc).__name__}: {exc}"
        if fault:  # the next look, at the latest after ``every``, tries again
            self.log.error(f"files {watch.name} failed: {fault}")
            self.say(fault=f"files {watch.name}: {fault}")
        self.say(end=f"files {watch.name}")

    def _keep(self, watch: FileWatch, limit: float) -> t.Dict[str, t.Any]:
        """In a process of its own (see keeping.py), which is stopped with this one."""
        order = pickle.dumps((self.config, watch.name, self.log.level, self.log.trace))
        with subprocess.Popen([sys.executable, "-m", "vigil_watch.keeping"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            stdin, stdout = t.cast(t.BinaryIO, process.stdin), t.cast(t.BinaryIO, process.stdout)
            timer = threading.Timer(limit, process.kill)
            timer.daemon = True
            timer.start()
            try:
                stdin.write(order)
                stdin.flush()
                data = stdout.read(1 << 20)
                if not data:
                    gone = not timer.is_alive()
                    raise subprocess.TimeoutExpired("", limit) if gone else OSError(f"its process ended with {process.wait()}")
                return dict(json.loads(data))
            finally:
                timer.cancel()
                process.kill()
