# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What happens in a run of Ansible, as events. Results are read, never changed; task options are never looked at."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, from_result, new_event, with_children
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import gone, outcomes
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.plugin_utils import _contact, _outcomes, _playbook, _scope
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import plain
from ansible_collections.vigil.ops.plugins.plugin_utils._held_back import HeldBack
from ansible_collections.vigil.ops.plugins.plugin_utils._result import action_of, data_of, host_of, task_of

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Run as ExpectedRun
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

NO_HOSTS = "hosts matched"
CONTROLLER = "controller"
_MOST_NAMES = 20
_TASK = "task "
_COUNTS = ("ok", "changed", "unreachable", "failures", "skipped", "rescued", "ignored")


class Run:
    """One run of ansible-playbook, which may be of several playbooks: what was bad in one of them stays bad.

    ``service``: of checks and hosts. ``playbook``: the present playbook's file name, the service of failed tasks.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.playbook = "playbook"
        self.source = "playbook"
        self.play = ""
        self._open: dict[str, set[tuple[str, str]]] = {}
        self._well: set[tuple[str, str, str, str]] = set()
        self._failed: set[tuple[str, str, str, str]] = set()
        self._contacts: set[str] = set()
        self._dull: dict[str, bool] = {}
        self._unreachable: set[str] = set()
        self._begun: set[tuple[str, str]] = set()
        self._without_hosts: set[str] = set()
        self._changes: dict[str, list[str]] = {}
        self._counted: dict[str, dict[str, int]] = {}
        self._extra: t.Mapping[str, t.Any] = {}
        self._sources: dict[tuple[str, str, str], str] = {}
        self._plays: list[str] | None = None
        self._tasks: dict[str, frozenset[str] | None] = {}
        self._held = HeldBack()
        self._inventory: t.Any = None
        self._expected: ExpectedRun | None = None
        self._is_named = False
        self.hides_stats = False

    def groups(self) -> t.Mapping[str, t.Collection[str]]:
        """The hosts of each group; asked for only where somebody wants to know."""
        return plain(self._inventory.get_groups_dict()) if self._inventory is not None else {}

    def expect(self, every: str, name: str) -> None:
        """The next run is due within ``every``; nothing is expected where that is empty.

        :raises PolicyError: one sentence
        """
        if every:
            from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_run

            self._expected = read_run("expect_every", {"name": name or "playbook", "every": every})
        self._is_named = bool(name)

    def last(self, messages: t.Sequence[Event]) -> flow.Batch:
        """What is told at the end of a playbook: its messages, that it has run, and what is due though nobody has observed anything."""
        runs = [self._expected] if self._expected is not None else []
        return flow.Batch((), messages, self.source, runs=runs, looks=True)

    def begin(self, path: str, playbook: t.Any = None) -> None:
        """A playbook begins. Its alerts are found again by its real path: files of one name are not one playbook."""
        self.playbook = os.path.basename(path) or "playbook"
        if self._expected is not None and not self._is_named:
            self._expected, self._is_named = self._expected._replace(name=self.playbook), True
        digest = hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogateescape")).hexdigest()
        self.source = f"playbook:{self.playbook}:{digest[:12]}"
        self.play = ""
        self._open = {}
        self._changes = {}
        self._plays = _playbook.play_names(playbook, path) if playbook is not None else None
        self._tasks = {}

    def remember(self, unit: Unit) -> None:
        """Read once which tasks have open alerts, so that a good result costs a look into a set."""
        for episode in episodes.open_from(unit, self.source):
            self._open.setdefault(episode.instance, set()).add(_what(episode.event))

    def batch(self, events: t.Sequence[Event], messages: t.Sequence[Event] = ()) -> flow.Batch:
        """Events that this playbook may resolve later."""
        return flow.Batch(events, messages, self.source)

    def begin_play(self, play: t.Any) -> None:
        """A play begins. Its tasks are looked at only where one of that name has an open alert."""
        self.play = str(plain(play.get_name()))
        self._begun.add((self.source, self.play))
        self._extra = getattr(play.get_variable_manager(), "extra_vars", {})
        self._inventory = getattr(play.get_variable_manager(), "_inventory", None)
        awaited = self.play not in self._tasks and any(place == self.play for waiting in self._open.values() for place, _check in waiting)
        if awaited and (self._plays or []).count(self.play) == 1:
            self._tasks[self.play] = _playbook.task_names(play)

    def is_dull(self, result: t.Any) -> bool:
        """Whether a good result says nothing new. Most do, and each page of memory that is touched for one is copied, as it is shared with
        the workers that were forked: this looks at as little as can be."""
        shows_contact = None if self._open else self._dull.get(task_of(result)._uuid)
        return shows_contact is False or (shows_contact is True and host_of(result) in self._contacts)

    def good(self, result: t.Any, is_dull: bool = False) -> None:
        """A task ran well on a host. It looks at the task alone.

        :arg is_dull: nobody asks for what the task returns
        """
        task, host = task_of(result), host_of(result)
        if host not in self._contacts and _contact.reached(task):
            self._contacts.add(host)
        if is_dull:
            self._dull[task._uuid] = _contact.connects(action_of(task))
        self._heal(host, task)

    def skipped(self, result: t.Any) -> None:
        """The condition of a ``fail`` task does not hold: there is no other way for it to be well."""
        task = task_of(result)
        if self._open and _contact.short(action_of(task)) == "fail":
            self._heal(host_of(result), task)

    def _heal(self, host: str, task: t.Any) -> None:
        waiting = self._open.get(host)
        if waiting:
            what = (self.play, _TASK + str(plain(task.get_name())))
            if what in waiting:
                self._well.add((self.source, host, *what))

    def inspected(self, result: t.Any, outcomes: t.Sequence[t.Mapping[str, t.Any]], now: float) -> flow.Batch:
        """The checks of one host, from one outcome or from several of a loop; they are of another source than failed tasks."""
        host, reached = host_of(result), _contact.reached(task_of(result))
        source = self._source_of_checks(plain(task_of(result).get_name()))
        shown_now = self._held.sift(host, outcomes, source)
        events = [event for outcome in shown_now for event in flow.events_of_host(host, outcome, self.service, now)]
        firing = {event["check"] for event in events if event["status"] == "firing"}
        kept, seen = [], set()
        for event in events:
            own = event["check"] in (flow.UNREACHABLE, flow.FAILED)
            if own and event["status"] == "resolved":
                if event["check"] in firing or event["check"] in seen or (event["check"] == flow.UNREACHABLE and not reached):
                    continue
                seen.add(event["check"])
            kept.append(event)
        prints: set[str] | None = set()
        for outcome in outcomes if _outcomes.is_whole(data_of(result)) else [{}]:
            shown = flow.prints_of_results({host: outcome}, self.service).get(host)
            prints = None if prints is None or shown is None else prints | shown
        listed = None if prints is None else gone.Listed(source, _scope.RUN, {host: prints})
        return flow.Batch(kept, (), source, (), listed)

    def late(self, now: float) -> list[flow.Batch]:
        """Failures that waited for what is seen on other hosts, and that nothing there explains."""
        batches = []
        for source, hosts in self._held.release().items():
            events: list[Event] = []
            for host, outcome in hosts.items():
                found = [from_result(result, self.service, host, now) for result in outcome["results"]]
                events += with_children([event for event in found if event is not None], fleet.along(outcome))
            batches.append(flow.Batch(events, (), source))
        return batches

    def _source_of_checks(self, task: str) -> str:
        key = (self.source, self.play, task)
        if key not in self._sources:
            self._sources[key] = gone.source_of(_scope.of_run(self._extra, *key))
        return self._sources[key]

    def compared(self, result: t.Any, now: float) -> flow.Batch:
        """What dns_diff or service_guard found on one host, in one result or in those of a loop."""
        outcome = plain(data_of(result))
        items = [outcome, *(outcome["results"] if isinstance(outcome.get("results"), list) else [])]
        return flow.Batch(dns=[(host_of(result), item, self.service, now) for item in items if outcomes.is_outcome(item)])

    def failed(self, result: t.Any, now: float) -> Event:
        """A failed task."""
        host, task = host_of(result), task_of(result)
        name = plain(task.get_name())
        self._failed.add((self.source, host, self.play, _TASK + name))
        note = {"play": self.play, "task": name}
        return new_event(
            self.playbook, host, _TASK + name, now, severity="error", message=_outcomes.reason_of(data_of(result)), annotations=note
        )

    def contact_in_failure(self, result: t.Any) -> None:
        """Remember the host when the failure came from it, and not from the controller."""
        if host_of(result) not in self._contacts and _contact.reached_in_failure(task_of(result), data_of(result)):
            self._contacts.add(host_of(result))

    def unreachable(self, result: t.Any, now: float) -> Event:
        """A host that cannot be reached."""
        host = host_of(result)
        self._unreachable.add(host)
        self._held.unreachable(host)
        outcome = {"unreachable": True, "msg": _outcomes.reason_of(data_of(result))}
        return flow.events_of_host(host, outcome, self.service, now)[0]

    def no_hosts(self, now: float) -> Event:
        """A play that matches no host does nothing and ends well; that is told, as nobody else would."""
        self._begun.discard((self.source, self.play))
        self._without_hosts.add(self.source)
        message = f"The play {self.play} matches no host."
        return new_event(self.playbook, CONTROLLER, NO_HOSTS, now, severity="error", message=message, annotations={"play": self.play})

    def changed(self, host: str, task: str) -> None:
        """A task changed something."""
        self._changes.setdefault(host, []).append(task)

    def messages(self, stats: t.Any, wanted: t.Container[str], now: float) -> list[Event]:
        """What is told at the end of a playbook whatever was told before."""
        messages = []
        if "changes" in wanted and self._changes:
            lines = [f"{host}: {_listed(tasks)}" for host, tasks in list(self._changes.items())[:_MOST_NAMES]]
            more = len(self._changes) - len(lines)
            lines += [f"and {more} more hosts"] if more > 0 else []
            messages.append(new_event(self.playbook, CONTROLLER, "changes", now, severity="info", message="\n".join(lines)))
        if "stats" in wanted:
            messages.append(self._stats(stats, now))
        return messages

    def _stats(self, stats: t.Any, now: float) -> Event:
        """Ansible adds up over all playbooks of a run, so what was counted at the end of the last one is taken off."""
        before, counts = self._counted, {plain(host): dict(stats.summarize(host)) for host in sorted(stats.processed)}
        self._counted = counts
        own = [{key: count[key] - before.get(host, {}).get(key, 0) for key in _COUNTS} for host, count in counts.items()]
        own = [count for count in own if any(count.values())]
        totals = {key: sum(count[key] for count in own) for key in _COUNTS}
        severity = "error" if totals["failures"] or totals["unreachable"] else "info"
        text = f"{len(own)} hosts: " + ", ".join(f"{key} {number}" for key, number in totals.items())
        left = {} if self.hides_stats else _outcomes.left_of(getattr(stats, "custom", None))
        return new_event(self.playbook, CONTROLLER, "end of the run", now, severity=severity, message=text, metrics=totals, observed=left)

    def resolved(self, unit: Unit, now: float) -> flow.Batch:
        """What this run has shown to be over: nothing is taken for well that was not seen to be well."""
        reached = self._contacts - self._unreachable
        events = flow.resolutions(unit, flow.UNREACHABLE, lambda instance, _check: instance in reached, "the host is reached again", now)
        for episode in episodes.open_from(unit, self.source):
            play, check = _what(episode.event)
            if self._plays is not None and play not in self._plays:
                over, message = True, "the play is gone from the playbook"
            elif self._is_gone(play, check):
                over, message = True, "the task is gone from its play"
            elif check == NO_HOSTS:
                over, message = self._has_hosts(play), "the play matches hosts again"
            else:
                key = (self.source, episode.instance, play, check)
                over, message = key in self._well and key not in self._failed, "the task went well"
            if over:
                events.append(dict(episode.event, status="resolved", message=message, timestamp=rfc3339(now)))
        return self.batch(events)

    def _is_gone(self, play: str, check: str) -> bool:
        tasks = self._tasks.get(play)
        return tasks is not None and check.startswith(_TASK) and check[len(_TASK) :] not in tasks

    def _has_hosts(self, play: str) -> bool:
        return self.source not in self._without_hosts and (self.source, play) in self._begun


def _what(event: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """(play, check) of an alert of a playbook."""
    annotations = event.get("annotations")
    return str((annotations if isinstance(annotations, t.Mapping) else {}).get("play", "")), str(event.get("check", ""))


def _listed(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
