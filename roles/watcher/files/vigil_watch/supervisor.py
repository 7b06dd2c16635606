# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resident process: it starts a process for the rooms, hears what they do, stops what does not end, and begins anew what died.

It does no work of its own and loads nothing of the engine, so it is small and always there for systemd's watchdog, signals and a reload. A reload ends the
rooms and begins new ones with the new configuration: all they know is in the store. Rooms share a process until one has to be stopped (see crew.py).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
import typing as t

from vigil_watch.child import FIRST_PAUSE, Child, read_some, signal_to
from vigil_watch.crew import PULSE, Place, work
from vigil_watch.loading import Loaded, Unusable, loaded
from vigil_watch.log import Log
from vigil_watch.status import identity, notify, reading, write_status

_LONGEST_PAUSE = 60.0
_FARE_WELL = 20.0  # seconds that a room has to end what it does
_CALM = 300.0  # seconds after which a room that died is as good as new
_TICK = 5.0
_PATIENCE = 20.0  # seconds after which systemd is told that it runs, though something it needs, such as its store, is not there yet
_NO_PULSE = 5 * PULSE
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_STATUS = 2.0  # seconds between two descriptions of itself


class Supervisor:
    """Runs until it is told to end."""

    def __init__(self, path: str, log: Log) -> None:
        self._path = path
        self._config: Loaded
        self._log = log
        self._children: t.Dict[str, Child] = {}
        self._ending = self._reload = False
        self._ear, self._alarm = os.pipe()
        for end in (self._ear, self._alarm):
            os.set_blocking(end, False)
        self._told = 0
        self._started = time.time()
        self._said_ready = False
        self._refused = ""  # why what is on the disk is not in use
        self._patient_until = time.monotonic() + _PATIENCE
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        self._ping = int(microseconds) / 2e6 if microseconds.isdigit() else 0.0
        self._next_ping = self._next_status = 0.0
        self._was_ready = False

    def run(self) -> int:
        """The exit code."""
        try:
            self._config = loaded(self._path)
        except Unusable as exc:
            sys.stderr.write(f"vigil: {exc}\n")
            return 1
        signal.set_wakeup_fd(self._alarm)
        for number, handler in (
            (signal.SIGTERM, self._end),
            (signal.SIGINT, self._end),
            (signal.SIGHUP, self._again),
            (signal.SIGUSR1, self._level),
            (signal.SIGUSR2, self._level),
            (signal.SIGCHLD, lambda _number, _frame: None),
        ):
            signal.signal(number, handler)
        self._begin()
        while not self._ending:
            self._listen(self._patience())
            self._bury()
            self._check_limits()
            if self._reload:
                self._reloaded()
            self._revive()
            self._report()
        notify("STOPPING=1")
        self._stop()
        return 0

    # --- signals ---

    def _end(self, _number: int, _frame: t.Any) -> None:
        self._ending = True

    def _again(self, _number: int, _frame: t.Any) -> None:
        self._reload = True

    def _level(self, number: int, _frame: t.Any) -> None:
        (self._log.louder if number == signal.SIGUSR1 else self._log.quieter)()
        self._signal(number)

    def _signal(self, number: int) -> None:
        for pid in {child.pid for child in self._children.values()}:
            signal_to(pid, number)

    # --- rooms ---

    def _begin(self) -> None:
        self._children = {name: Child(name) for name in self._config.rooms}
        self._log.info(f"watching: {self._config.summary}", rooms=list(self._children))
        self._revive()

    def _revive(self) -> None:
        due = [one for one in self._children.values() if not one.pid and time.monotonic() >= one.not_before and not self._ending]
        for crew in [[one for one in due if not one.apart], *([one] for one in due if one.apart)]:
            if crew:
                self._fork(crew)

    def _fork(self, crew: t.Sequence[Child]) -> None:
        pipes = [(*os.pipe(), *os.pipe()) for _child in crew]
        # a signal that came before the child has handlers of its own would be lost in those of the supervisor
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            theirs = [file for ear, _mouth, _commands, nudge in pipes for file in (ear, nudge)]
            self._become([Place(child.name, pipe[1], pipe[2]) for child, pipe in zip(crew, pipes)], theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for child, (ear, mouth, commands, nudge) in zip(crew, pipes):
            os.close(mouth)
            os.close(commands)
            os.set_blocking(ear, False)
            os.set_blocking(nudge, False)
            child.pid, child.ear, child.nudge, child.rest, child.job, child.ready = pid, ear, nudge, b"", "", False
            child.began = child.since = time.monotonic()
            child.pulse = 0.0
            child.about = {}

    def _become(self, places: t.Sequence[Place], theirs: t.Sequence[int]) -> t.NoReturn:
        """The child's side; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL if number in _SIGNALS[:2] else signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            known = [file for one in self._children.values() for file in (one.ear, one.nudge)]
            for file in [*theirs, self._ear, self._alarm, *known]:
                if file >= 0:
                    os.close(file)
            os.environ.pop("WATCHDOG_USEC", None)
            os.environ.pop("NOTIFY_SOCKET", None)
            code = work(places, self._log.level, self._config.packed)
        except Exception as exc:  # noqa: BLE001 - the supervisor begins it anew
            Log(self._log.level, places[0].name).error(f"{type(exc).__name__}: {exc}", where=traceback.format_exc(limit=-3))
        finally:
            os._exit(code)

    def _listen(self, seconds: float) -> None:
        ears = {child.ear: child for child in self._children.values() if child.ear >= 0}
        try:
            ready = select.select([self._ear, *ears], [], [], seconds)[0]
        except InterruptedError:
            return
        for file in ready:
            if file == self._ear:
                read_some(self._ear)
                continue
            self._hear_all(ears[file])

    def _hear_all(self, child: Child) -> None:
        data = read_some(child.ear)
        if data is None:
            return
        if not data:
            os.close(child.ear)
            child.ear = -1
            return
        *lines, child.rest = (child.rest + data).split(b"\n")
        for line in lines:
            self._hear(child, line)

    def _hear(self, child: Child, line: bytes) -> None:
        try:
            word = json.loads(line)
        except ValueError:
            return
        if "begin" in word:
            child.job, child.since, child.limit = str(word["begin"]), time.monotonic(), float(word["limit"])
        if "end" in word:
            child.job = ""
        if word.get("ready"):
            child.ready = True
        self._reload = self._reload or bool(word.get("reload"))
        if word.get("pulse"):
            child.pulse = time.monotonic()
        child.apart = child.apart or bool(word.get("apart"))
        if "fault" in word:
            child.last_fault = str(word["fault"])[:300]
        for key in ("next", "gate", "summary", "score"):
            if key in word:
                child.about[key] = word[key]
        if word.get("told"):
            self._told += int(word["told"])
            self._nudge()

    def _nudge(self) -> None:
        teller = self._children.get("teller")
        if teller is not None and teller.nudge >= 0:
            try:
                os.write(teller.nudge, b"!")
            except OSError:
                pass  # it will look by itself when it is there again

    def _bury(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in [one for one in self._children.values() if one.pid == pid]:
                self._died(child, status)

    def _died(self, child: Child, status: int) -> None:
        if child.ear >= 0:
            self._hear_all(child)
        for file in (child.ear, child.nudge):
            if file >= 0:
                os.close(file)
        child.pid, child.ear, child.nudge = 0, -1, -1
        if time.monotonic() - child.began > _CALM:
            child.pause = FIRST_PAUSE
        child.not_before = time.monotonic() + child.pause
        child.pause = min(child.pause * 2, _LONGEST_PAUSE)
        child.restarts += 1
        how = f"was ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"ended with {os.WEXITSTATUS(status)}"
        what = f" in the middle of {child.job}" if child.job else ""
        child.last_fault = f"{how}{what}"
        child.job = ""
        if not self._ending:
            self._log.error(f"the room {child.name} {how}{what}; it begins anew", room_name=child.name)

    def _check_limits(self) -> None:
        for child in self._children.values():
            if child.pid and child.job and time.monotonic() - child.since > child.limit:
                self._log.error(f"{child.job} did not end within {child.limit:g} s and was stopped", room_name=child.name)
                child.limit = float("inf")
                child.apart = True
                signal_to(child.pid, signal.SIGKILL)
            if child.pid and child.pulse and time.monotonic() - child.pulse > _NO_PULSE:
                crew = [one for one in self._children.values() if one.pid == child.pid]
                self._log.error(f"one of {', '.join(one.name for one in crew)} holds up the others; each gets a process of its own")
                for one in crew:
                    one.apart, one.pulse = True, 0.0
                signal_to(child.pid, signal.SIGKILL)

    def _reloaded(self) -> None:
        self._reload = False
        reading()
        self._next_status = 0.0
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            config = loaded(self._path)
        except Unusable as exc:
            self._refused = f"the new configuration is not used: {exc}"
            self._log.error(self._refused)
            notify(f"READY=1\nSTATUS={self._refused}")
            return
        self._refused = ""
        self._stop()
        self._config = config
        self._begin()
        notify("READY=1")

    def _stop(self) -> None:
        """End all rooms; what they were in the middle of they may finish."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + _FARE_WELL
        ending, self._ending = self._ending, True
        while any(child.pid for child in self._children.values()) and time.monotonic() < until:
            self._listen(0.1)
            self._bury()
            self._watchdog()
        self._signal(signal.SIGKILL)
        while any(child.pid for child in self._children.values()):
            self._bury()
            time.sleep(0.01)
        self._ending = ending

    # --- what others see ---

    def _patience(self) -> float:
        times = [_TICK] + [self._next_ping - time.monotonic()] * bool(self._ping)
        for child in self._children.values():
            if not child.pid:
                times.append(child.not_before - time.monotonic())
            elif child.job:
                times.append(child.since + child.limit - time.monotonic())
        return max(min(times), 0.0)

    def _report(self) -> None:
        ready = all(child.ready for child in self._children.values())
        if not self._said_ready and (ready or time.monotonic() > self._patient_until):
            self._said_ready = True
            notify(f"READY=1\nSTATUS=watching {self._config.summary}")
        self._watchdog()
        now = time.monotonic()
        if now < self._next_status and ready == self._was_ready:
            return
        self._next_status, self._was_ready = now + _STATUS, ready
        rooms = {name: child.shown() for name, child in self._children.items()}
        about = {"since": self._started, "ready": ready, "told": self._told, "refused": self._refused, "rooms": rooms}
        write_status({**identity(), **self._config.shown(), **about})

    def _watchdog(self) -> None:
        """Only while every room does something, or is being begun anew: a room that died again and again is no progress."""
        now = time.monotonic()
        stuck = [child for child in self._children.values() if child.pid and child.job and now - child.since > child.limit + _FARE_WELL]
        if self._ping and now >= self._next_ping and not stuck:
            self._next_ping = now + self._ping
            notify("WATCHDOG=1")
