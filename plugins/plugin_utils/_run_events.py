# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What happens in a run of Ansible, as events. It is seen on the side of Ansible, see _run_facts, and comes here as plain data."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, from_result, new_event, with_children
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import gone, outcomes
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.plugin_utils import _scope
from ansible_collections.vigil.ops.plugins.plugin_utils._held_back import HeldBack
from ansible_collections.vigil.ops.plugins.plugin_utils._run_facts import COUNTS, TASK, Ending, Place

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Run as ExpectedRun
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

NO_HOSTS = "hosts matched"
CONTROLLER = "controller"


class Run:
    """One run of ansible-playbook, which may be of several playbooks.

    :ivar service: of checks and hosts
    :ivar playbook: the present playbook's file name, the service of failed tasks
    :ivar source: by what the alerts of the present playbook are found again
    :ivar groups: the hosts of each group of the inventory
    :arg name: of this run, which no other one has
    """

    def __init__(self, service: str, name: str) -> None:
        self.service = service
        self.playbook = self.source = "playbook"
        self.groups: t.Mapping[str, t.Collection[str]] = {}
        self._name = name
        self._sources: dict[tuple[str, str, str], str] = {}
        self._held = HeldBack()
        self._expected: ExpectedRun | None = None
        self._is_named = False

    def expect(self, every: str, name: str) -> None:
        """The next run is due within ``every``; nothing is expected where that is empty.

        :raises PolicyError: one sentence
        """
        if every:
            from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_run

            self._expected = read_run("expect_every", {"name": name or "playbook", "every": every})
        self._is_named = bool(name)

    def begin(self, playbook: str, source: str) -> None:
        """A playbook begins."""
        self.playbook, self.source = playbook, source
        if self._expected is not None and not self._is_named:
            self._expected, self._is_named = self._expected._replace(name=self.playbook), True

    def waiting(self, unit: Unit) -> list[tuple[str, str, str]]:
        """(host, play, check) of the open alerts of this playbook."""
        return [(episode.instance, *_what(episode.event)) for episode in episodes.open_from(unit, self.source)]

    def batch(self, events: t.Sequence[Event], messages: t.Sequence[Event] = ()) -> flow.Batch:
        """Events that this playbook may resolve later."""
        return flow.Batch(events, messages, self.source)

    def inspected(self, place: Place, outcomes: t.Sequence[t.Mapping[str, t.Any]], is_whole: bool, now: float) -> flow.Batch:
        """The checks of one host, from one outcome or from several of a loop; they are of another source than failed tasks."""
        source = self._source_of_checks(place)
        shown_now = self._held.sift(place.host, outcomes, source)
        events = [event for outcome in shown_now for event in flow.events_of_host(place.host, outcome, self.service, now)]
        firing = {event["check"] for event in events if event["status"] == "firing"}
        kept, seen = [], set()
        for event in events:
            own = event["check"] in (flow.UNREACHABLE, flow.FAILED)
            if own and event["status"] == "resolved":
                if event["check"] in firing or event["check"] in seen or (event["check"] == flow.UNREACHABLE and not place.reached):
                    continue
                seen.add(event["check"])
            kept.append(event)
        prints: set[str] | None = set()
        for outcome in outcomes if is_whole else [{}]:
            shown = flow.prints_of_results({place.host: outcome}, self.service).get(place.host)
            prints = None if prints is None or shown is None else prints | shown
        listed = None if prints is None else gone.Listed(source, self._name, {place.host: prints})
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

    def _source_of_checks(self, place: Place) -> str:
        key = (self.source, place.play, place.task)
        if key not in self._sources:
            self._sources[key] = gone.source_of(_scope.of_run(place.variables, *key))
        return self._sources[key]

    def compared(self, place: Place, outcome: t.Mapping[str, t.Any], now: float) -> flow.Batch:
        """What dns_diff, service_guard, log_scan or backup found on one host, in one result or in those of a loop."""
        items = [outcome, *(outcome["results"] if isinstance(outcome.get("results"), list) else [])]
        return flow.Batch(dns=[(place.host, item, self.service, now) for item in items if outcomes.is_outcome(item)])

    def failed(self, place: Place, reason: str, now: float) -> Event:
        """A failed task."""
        note = {"play": place.play, "task": place.task}
        return new_event(self.playbook, place.host, TASK + place.task, now, severity="error", message=reason, annotations=note)

    def away(self, host: str) -> None:
        """A host cannot be reached, whether that is told or not."""
        self._held.unreachable(host)

    def unreachable(self, host: str, reason: str, now: float) -> Event:
        """A host that cannot be reached."""
        return flow.events_of_host(host, {"unreachable": True, "msg": reason}, self.service, now)[0]

    def no_hosts(self, play: str, now: float) -> Event:
        """A play that matches no host does nothing and ends well; that is told, as nobody else would."""
        message = f"The play {play} matches no host."
        return new_event(self.playbook, CONTROLLER, NO_HOSTS, now, severity="error", message=message, annotations={"play": play})

    def changes(self, lines: str, now: float) -> Event:
        """Which tasks changed something."""
        return new_event(self.playbook, CONTROLLER, "changes", now, severity="info", message=lines)

    def stats(self, counts: t.Sequence[t.Mapping[str, int]], left: t.Mapping[str, t.Any], now: float) -> Event:
        """How the playbook ended.

        :arg left: what ``set_stats`` left for the run
        """
        totals = {key: sum(count[key] for count in counts) for key in COUNTS}
        severity = "error" if totals["failures"] or totals["unreachable"] else "info"
        text = f"{len(counts)} hosts: " + ", ".join(f"{key} {number}" for key, number in totals.items())
        return new_event(self.playbook, CONTROLLER, "end of the run", now, severity=severity, message=text, metrics=totals, observed=left)

    def last(self, messages: t.Sequence[Event]) -> flow.Batch:
        """What is told at the end of a playbook: its messages, that it has run, and what is due though nobody has observed anything."""
        runs = [self._expected] if self._expected is not None else []
        return flow.Batch((), messages, self.source, runs=runs, looks=True)

    def resolved(self, unit: Unit, ending: Ending, now: float) -> flow.Batch:
        """What this playbook has shown to be over."""
        events = flow.resolutions(
            unit, flow.UNREACHABLE, lambda instance, _check: instance in ending.reached, "the host is reached again", now
        )
        for episode in episodes.open_from(unit, self.source):
            message = _is_over(episode.instance, *_what(episode.event), ending)
            if message:
                events.append(dict(episode.event, status="resolved", message=message, timestamp=rfc3339(now)))
        return self.batch(events)


def _is_over(host: str, play: str, check: str, ending: Ending) -> str:
    """Why an alert of a playbook is over; empty where it is not."""
    if ending.plays is not None and play not in ending.plays:
        return "the play is gone from the playbook"
    tasks = ending.tasks.get(play)
    if tasks is not None and check.startswith(TASK) and check[len(TASK) :] not in tasks:
        return "the task is gone from its play"
    if check == NO_HOSTS:
        return "" if ending.is_empty or play not in ending.begun else "the play matches hosts again"
    return "the task went well" if (host, play, check) in ending.well else ""


def _what(event: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """(play, check) of an alert of a playbook."""
    annotations = event.get("annotations")
    return str((annotations if isinstance(annotations, t.Mapping) else {}).get("play", "")), str(event.get("check", ""))
