# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are kept whenever they change: events are merged until it is quiet, then a snapshot is taken and what changed is told.

The watchdog library sees the events (inotify). What it cannot see, because a queue ran over or the watcher did not run, is found by looking at everything
at the start and every ``every`` seconds, and soon again where the kernel gives no watches.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import receipts
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream
from vigil_watch.desk import Desk
from vigil_watch.model import FileWatch
from vigil_watch.room import Room
from vigil_watch.schedule import Job

_POLL = 10.0  # seconds between two looks where events cannot be had
_MOST_TEXT = 2000


class _Changes:
    """What a watch has seen since its last snapshot."""

    def __init__(self, watch: FileWatch) -> None:
        self.watch = watch
        self.first = self.last = 0.0

    def add(self, now: float) -> None:
        self.first = self.first or now
        self.last = now

    def due(self) -> float:
        """time.monotonic() at which the snapshot is to be taken; infinity where nothing was seen."""
        return min(self.last + self.watch.quiet, self.first + self.watch.max_delay) if self.first else float("inf")

    def taken(self) -> None:
        self.first = self.last = 0.0


class FileRoom(Room):
    """Watches, merges, keeps and tells."""

    name = "files"

    def prepare(self) -> None:
        self._desk = Desk(self.config)
        self._lock = threading.Lock()
        self._changes = {watch.name: _Changes(watch) for watch in self.config.files}
        self._wake_ear, self._wake_mouth = os.pipe()
        for end in (self._wake_ear, self._wake_mouth):
            os.set_blocking(end, False)
        self._polled = [watch for watch in self.config.files if not self._watch(watch)]

    def jobs(self) -> t.List[Job]:
        polled = {watch.name for watch in self._polled}
        return [Job(f"files {one.name}", min(one.every, _POLL) if one.name in polled else one.every, one) for one in self.config.files]

    def watched(self) -> t.List[t.Any]:
        return [self._wake_ear]

    def woken(self, what: t.Any) -> None:
        os.read(self._wake_ear, 65536)

    def wait(self) -> float:
        with self._lock:
            return max(min((one.due() for one in self._changes.values()), default=float("inf")) - time.monotonic(), 0.0)

    def between(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [one.watch for one in self._changes.values() if one.due() <= now]
        for watch in due:
            self._do_one(watch)

    def work(self, jobs: t.List[Job]) -> None:
        for job in jobs:
            self._snapshot(job.work)

    def _do_one(self, watch: FileWatch) -> None:
        self.log.begin()
        self.say(begin=f"files {watch.name}", limit=self.config.limits["files"])
        try:
            self._snapshot(watch)
        except Exception as exc:  # noqa: BLE001 - the next look, at the latest after ``every``, tries again
            self.log.error(f"files {watch.name} failed: {type(exc).__name__}: {exc}")
            self.say(fault=f"files {watch.name}: {exc}")
        self.say(end=f"files {watch.name}")

    def _snapshot(self, watch: FileWatch) -> None:
        with self._lock:
            self._changes[watch.name].taken()  # before it looks, so that what changes meanwhile is seen by the next one
        now = time.time()
        receipt = receipts.key(self.config.name, f"watcher files {watch.name}", self.config.state_url)
        with self._desk.store.view() as unit:
            batch = receipts.last(unit, receipt)
        options = {**watch.options, "batch": batch}
        job = flow.read_job(options, self.config.name)
        is_first = not job.repository.exists() or not job.repository.ids(job.options.name)
        outcome = flow.backup(job, flow.Tools(run, stream, time.sleep), now, show=True)
        for problem in outcome["problems"]:
            self.log.warning(f"{watch.name}: {problem}")
        for one in outcome["events"]:
            if one["snapshot"] and one["snapshot"] == outcome["snapshot"] and outcome["text"]:
                one["message"] += "\n" + outcome["text"][:_MOST_TEXT]
        if is_first:  # what was there before is no change
            outcome["events"] = [one for one in outcome["events"] if one["kind"] != "changed"]
        if outcome["snapshot"]:
            stats = outcome["stats"]
            words = ", ".join(f"{stats[key]} {key}" for key in ("added", "modified", "removed") if stats[key])
            self.log.info(f"{watch.name}: {words}", snapshot=outcome["snapshot"])
        told = self._desk.tell_outcome(dict(outcome, receipt=receipt), now)
        if told:
            self.say(told=told)

    # --- events ---

    def _seen(self, name: str) -> None:
        with self._lock:
            self._changes[name].add(time.monotonic())
        try:
            os.write(self._wake_mouth, b"!")
        except BlockingIOError:
            pass

    def _watch(self, watch: FileWatch) -> bool:
        """Whether events are seen; else it is looked at often."""
        try:
            from watchdog.events import FileSystemEventHandler
            from watchdog.observers import Observer
        except ImportError:
            self.log.warning(f"{watch.name}: the Python library watchdog is not installed, so it is looked at every {_POLL:g} s")
            return False
        seen, name, repository = self._seen, watch.name, os.path.normpath(str(watch.options["repository"]))

        class Handler(FileSystemEventHandler):  # type: ignore[misc]
            def on_any_event(self, event: t.Any) -> None:
                if event.event_type in ("opened", "closed_no_write"):
                    return
                places = [os.fsdecode(place) for place in (event.src_path, getattr(event, "dest_path", "")) if place]
                if not all(place.startswith(repository + "/") for place in places):
                    seen(name)

        observer = Observer()
        observer.daemon = True
        try:
            for path in watch.options["paths"]:
                place = path if os.path.isdir(path) else os.path.dirname(path) or "/"
                observer.schedule(Handler(), place, recursive=os.path.isdir(path))
            observer.start()
        except OSError as exc:
            self.log.warning(
                f"{watch.name}: {exc.strerror or exc}, so it is looked at every {_POLL:g} s", limit="fs.inotify.max_user_watches"
            )
            return False
        return True
