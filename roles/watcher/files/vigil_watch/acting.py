# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a ledger of its own: services that are restarted, names that are compared with before, logs that are read on."""

from __future__ import annotations

import glob
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_diff as dns_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard as guard_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as log_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.files import Finder
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import receipts
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream
from vigil_watch.desk import Desk
from vigil_watch.room import Room
from vigil_watch.schedule import Job, Schedule
from vigil_watch.stirs import Stirs

if t.TYPE_CHECKING:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.spec import Source

_SOON = 0.2  # seconds from when a quiet log was written to, to the look at it
_SLOWER = 3.0


class _Acknowledging(Room):
    """A room whose flow keeps its own ledger, which forgets an event only when it was told."""

    def prepare(self) -> None:
        self._desk = Desk(self.config)

    def _last(self, view: str) -> str:
        with self._desk.store.view() as unit:
            return receipts.last(unit, self._receipt(view)) or ""

    def _receipt(self, view: str) -> str:
        return receipts.key(self.config.name, f"watcher {view}", self.config.state_url)

    def _told(self, outcome: t.Dict[str, t.Any], view: str) -> None:
        told = self._desk.tell_outcome(dict(outcome, receipt=self._receipt(view)), time.time())
        if told:
            self.say(told=told)


class GuardRoom(_Acknowledging):
    """n failures, a restart, a look whether that helped."""

    name = "guards"

    def jobs(self) -> t.List[Job]:
        return [Job(f"guard {one.guard.unit}", one.every, one.guard, "P0") for one in self.config.guards]

    def work(self, jobs: t.List[Job]) -> None:
        wanted = {job.work.unit for job in jobs}
        guards = [one.guard for one in self.config.guards if one.guard.unit in wanted]
        outcome = guard_flow.guard(guards, self._desk.store, run, False, batch=self._last("guards"))
        for one in outcome["guards"]:
            if one["restarted"]:
                self.log.warning(f"{one['unit']} was restarted: {one['message']}", unit=one["unit"], recovered=one["recovered"])
            elif one["healthy"] is False:
                self.log.info(f"{one['unit']}: {one['message']}", unit=one["unit"], status=one["status"])
        self._told(outcome, "guards")


class DnsRoom(_Acknowledging):
    """What changed of names since they were looked at last."""

    name = "dns"

    def jobs(self) -> t.List[Job]:
        return [Job(f"dns {one.name}", one.every, one) for one in self.config.dns]

    def work(self, jobs: t.List[Job]) -> None:
        for job in jobs:
            view = f"dns {job.work.name}"
            request = dns_flow.read(dict(job.work.options, batch=self._last(view)))
            outcome = dns_flow.dns_diff(request, self._desk.store)
            for change in outcome["changes"]:
                self.log.info(f"{change['name']} {change['type']} {change['kind']}", watch=job.work.name)
            self._told(outcome, view)


class LogRoom(_Acknowledging):
    """What is new in logs: every so often, and soon after something was written to one that was quiet."""

    name = "logs"

    def prepare(self) -> None:
        super().prepare()
        self._stirs = Stirs()
        self._stirred: t.Set[str] = set()
        self._pauses: t.Dict[str, float] = {}
        self._jobs = {one.name: Job(f"logs {one.name}", one.every, one) for one in self.config.logs}

    def jobs(self) -> t.List[Job]:
        return list(self._jobs.values())

    def watched(self) -> t.List[t.Any]:
        return [self._stirs] if self._stirs.fileno() >= 0 else []

    def woken(self, what: t.Any) -> None:
        for name in self._stirs.heard():
            self._stirred.add(name)
            t.cast(Schedule, self.schedule).hasten(self._jobs[name], self._pauses.get(name, _SOON))

    def work(self, jobs: t.List[Job]) -> None:
        for job in jobs:
            name, view = job.work.name, f"logs {job.work.name}"
            request = log_flow.read(dict(job.work.options, batch=self._last(view)))
            # a log that is written all the time is looked at no more often than one that is not
            self._pauses[name] = min(self._pauses.get(name, _SOON) * _SLOWER, job.every) if name in self._stirred else _SOON
            self._stirred.discard(name)
            self._stirs.arm(name, _places(request.sources))  # before it is read, so that nothing falls in between
            outcome = log_flow.log_scan(request, self._desk.store, stream)
            for failure in outcome["failures"]:
                self.log.warning(f"{name}: {failure['message']}", source=failure["source"])
            self._told(outcome, view)


def _places(sources: t.Iterable[Source]) -> t.Iterator[str]:
    """The files of sources; of the journal its directories, in which something is written to one file or another."""
    for source in sources:
        finder = Finder(source.exclude)
        for pattern in source.paths:
            yield from (place.path for place in finder.find(pattern))
        if source.journal is not None:
            yield from glob.glob("/var/log/journal/*/") + glob.glob("/run/log/journal/*/")
