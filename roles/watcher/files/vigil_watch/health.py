# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks, as often as each of them says; those that are due together are one inspection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from vigil_watch.desk import Desk
from vigil_watch.model import EVERY
from vigil_watch.room import Room
from vigil_watch.schedule import Job

_LIMITS = ("<", "<=", ">", ">=")
_NEAR = 0.1


class HealthRoom(Room):
    """Looks, judges, keeps and tells."""

    name = "health"

    def prepare(self) -> None:
        self._desk = Desk(self.config)
        self._statuses: t.Dict[str, str] = {}  # of each check when it was looked at last
        self._by_name: t.Dict[str, t.List[Check]] = {}
        for check in self.config.checks:
            self._by_name.setdefault(check.name, []).append(check)
        gone = self._desk.forget_removed(str(time.time()))
        if gone:
            self.say(told=gone)

    def jobs(self) -> t.List[Job]:
        return [Job(f"check {one.key}", one.every or EVERY, one, one.priority, adapts=True) for one in self.config.checks]

    def work(self, jobs: t.List[Job]) -> None:
        checks = self._with_parents([job.work for job in jobs])
        store, name = self._desk.store, self.config.name
        baselines = flow.learned_baselines(store, name, checks)
        held = flow.broken_limits(store, name, checks)
        before = {id(check): (check.expect, check.warn) for check in checks}
        last = flow.last_look(store, name, checks)
        outcome = flow.inspect(checks, run, timeout=self.config.limits["health"] / 2, baselines=baselines, held=held, last_look=last)
        for check in checks:  # a hysteresis holds for this look alone
            check.hold_to(*before[id(check)])
        now = time.time()
        outcome["results"] = flow.keep(store, name, outcome, now, checks)
        told = self._desk.tell_checks(outcome, now)
        results = dict(zip((id(check) for check in checks), outcome["results"]))
        for job in jobs:
            result = results[id(job.work)]
            changed = result.get("since") is not None and result.get("was") not in (None, result["status"])
            job.saw(result["status"], changed, is_near(job.work, result["observed"]))
        self.log.debug(f"{len(checks)} checks: {outcome['status']}", summary=outcome["summary"])
        self._statuses.update((check.key, result["status"]) for check, result in zip(checks, outcome["results"]))
        seen = list(self._statuses.values())
        self.say(told=told, summary={status: seen.count(status) for status in outcome["summary"]}, score=outcome["score"])

    def _with_parents(self, checks: t.List[Check]) -> t.List[Check]:
        """What they depend on is looked at along with them, so that a child is not blamed for its parent. In the order of the list."""
        wanted: t.Dict[int, Check] = {}
        queue = list(checks)
        while queue:
            check = queue.pop()
            if id(check) not in wanted:
                wanted[id(check)] = check
                for parent in check.depends_on:
                    queue += self._by_name.get(parent, [])
        return [check for check in self.config.checks if id(check) in wanted]


def is_near(check: Check, observed: t.Any) -> bool:
    """Whether a number is within a tenth of the limit that it must keep."""
    for path, matcher in check.expect + check.warn:
        if matcher.kind not in _LIMITS or isinstance(matcher.operand, (bool, str)) or not matcher.operand:
            continue
        try:
            value = path.get(observed)
        except CannotSee:
            continue
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value - matcher.operand) <= _NEAR * abs(matcher.operand):
            return True
    return False
