# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""The callback's other process: what is seen of a run becomes events here, which are kept and sent. See _line for why it is another one."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import GROUPS, LANGUAGES, Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.rules import NO_RULES, Rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError
from ansible_collections.vigil.ops.plugins.plugin_utils import _channels, _origin
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import store_url
from ansible_collections.vigil.ops.plugins.plugin_utils._line import Answer
from ansible_collections.vigil.ops.plugins.plugin_utils._pipes import Held
from ansible_collections.vigil.ops.plugins.plugin_utils._run_events import Run
from ansible_collections.vigil.ops.plugins.plugin_utils._run_facts import Ending, Place, Settings
from ansible_collections.vigil.ops.plugins.plugin_utils._teller import Teller

_EVENTS = ("results", "failures", "unreachable", "changes", "stats")
_DEADLINE = 10.0
_LAST_TRY = 10.0

Outcome = t.Mapping[str, t.Any]


class Office:
    """Does what it is told by the side of Ansible, one after the other; used by the main thread of its process alone."""

    def __init__(self) -> None:
        self._channels: list[Channel] = []
        self._rules: Rules = NO_RULES
        self._url = ""
        self._run = Run("vigil", "")
        self._teller: Teller | None = None
        self._is_open = False  # whether a playbook has begun and not ended
        self._sentences: list[str] = []

    def do(self, name: str, args: tuple[t.Any, ...]) -> Answer:
        """Call a method by its name; what people should know comes along with what it returns."""
        self._sentences = []
        value = getattr(self, name)(*args)
        notices = self._teller.notices if self._teller is not None else ()
        return Answer(value, [*self._sentences, *notices])

    # --- what it is told ---

    def read_options(self, options: t.Mapping[str, t.Any], held: Held, run: str) -> Settings:
        """The options of the callback as they were given. A wrong one is said, and its default used.

        :arg held: what the files among them hold where they are pipes
        :arg run: the name of this run
        """
        common = {
            "min_severity": self._choice(options, "min_severity", SEVERITIES, "info"),
            "language": self._choice(options, "language", LANGUAGES, "en"),
            "group": self._choice(options, "group", GROUPS, "play"),
        }
        text, path = str(options["channels"] or ""), str(options["channels_file"] or "")
        here = "VIGIL_CHANNELS" if os.environ.get("VIGIL_CHANNELS") else "channels of [callback_vigil_webhook]"
        places = [(here, lambda: _channels.split(text))]
        if path:
            places.append((f"the channels file {path}", lambda: _channels.read_file(path, held)))
        self._channels, sentences = _channels.gather(places, common)
        events, unknown = _channels.choices("events", options["events"] or [], _EVENTS, _EVENTS[:3])
        self._sentences += sentences + unknown
        deadline = _DEADLINE
        try:
            deadline = max(parse_duration(options["deadline"] or "10s"), 0.0)
        except ValueError as exc:
            self._sentences.append(f"deadline: {exc}; 10s are used.")
        self._url = store_url(options["state_url"])
        self._run = Run(str(options["service"] or "") or "vigil", run)
        self._read_rules(str(options["alerts_file"] or ""), held, str(options["expect_every"] or ""), str(options["expect_name"] or ""))
        return Settings(len(self._channels), tuple(events), deadline)

    def begin(self, playbook: str, source: str) -> list[tuple[str, str, str]] | None:
        """A playbook begins; returns (host, play, check) of its open alerts, None where nothing can be told in this run."""
        self._run.begin(playbook, source)
        self._is_open = True
        try:
            if self._teller is None:
                self._teller = Teller(self._url, self._channels, self._rules)
            return self._teller.read(self._run.waiting) or []
        except StateError as exc:
            self._sentences.append(f"{exc} Nothing is told.")
            return None

    def set_groups(self, groups: t.Mapping[str, t.Collection[str]]) -> None:
        """The hosts of each group of the inventory, where that has changed."""
        self._run.groups = groups

    def end_play(self) -> None:
        """What is told of a play is complete."""
        if self._teller is not None:
            self._teller.end_play()

    def failed(self, place: Place, reason: str, now: float) -> None:
        """A task failed."""
        self._keep(self._run.batch([self._run.failed(place, reason, now)]))

    def unreachable(self, host: str, reason: str, now: float, is_told: bool) -> None:
        """A host cannot be reached."""
        self._run.away(host)
        if is_told:
            self._keep(self._run.batch([self._run.unreachable(host, reason, now)]))

    def no_hosts(self, play: str, now: float) -> None:
        """A play matches no host."""
        self._keep(self._run.batch([self._run.no_hosts(play, now)]))

    def inspected(self, place: Place, outcomes: t.Sequence[Outcome], is_whole: bool, now: float) -> None:
        """A host was inspected."""
        self._keep(self._run.inspected(place, outcomes, is_whole, now))

    def compared(self, place: Place, outcome: Outcome, now: float) -> None:
        """What another module found."""
        self._keep(self._run.compared(place, outcome, now))

    def finish(self, ending: Ending, changes: str, stats: tuple[t.Any, t.Any] | None, now: float, until: float) -> None:
        """A playbook ends: what it has shown to be over is resolved, and everything is sent until then (time.monotonic()).

        :arg changes: in lines, empty where nobody asks
        :arg stats: (counts, what set_stats left); None where nobody asks
        """
        self._is_open = False
        if self._teller is None:
            return
        for batch in self._run.late(now):
            self._keep(batch)
        messages = [self._run.changes(changes, now)] if changes else []
        if stats is not None:
            messages.append(self._run.stats(*stats, now))
        left = max(until - time.monotonic(), 0.0)
        self._teller.tell(self._run.last(messages), lambda unit: self._run.resolved(unit, ending, now), left)
        self._sentences += self._teller.finish(until)

    def close(self) -> None:
        """The main process has ended. Where it was ended in the middle, nobody waits any more, and there is time to keep what could not be."""
        if self._teller is not None:
            if self._is_open:
                self._teller.tell(flow.Batch(), seconds=_LAST_TRY, last=False)
            self._teller.close()

    # --- how ---

    def _keep(self, batch: flow.Batch) -> None:
        if self._teller is not None and (batch.events or batch.dns):
            why = self._teller.tell(batch, last=False)
            if why:
                self._sentences.append(f"{why} It is tried again.")

    def _read_rules(self, path: str, held: Held, every: str, name: str) -> None:
        """Who is told of what, and whether this run is expected."""
        policy = None
        if path:
            from ansible_collections.vigil.ops.plugins.plugin_utils import _policy

            try:
                policy = _policy.read(None, self._channels, path, held)
            except ValueError as exc:
                self._sentences.append(f"{exc} Every channel is told of everything.")
        self._rules = Rules(policy, lambda: self._run.groups, _origin.notes(), _origin.trace_id())
        try:
            self._run.expect(every, name)
        except ValueError as exc:
            self._sentences.append(f"{exc} The run is not expected.")

    def _choice(self, options: t.Mapping[str, t.Any], option: str, known: t.Sequence[str], default: str) -> str:
        """An option with known values. Ansible itself would leave the whole callback out for a wrong one."""
        value, sentence = _channels.choice(option, options[option], known, default)
        if sentence:
            self._sentences.append(sentence)
        return value


def open_office() -> t.Callable[[str, tuple[t.Any, ...]], Answer]:
    """To be called in the process."""
    return Office().do
