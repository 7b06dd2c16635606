# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: webhook
type: notification
short_description: Tell chat robots, webhooks and files what a run finds, so that nothing is lost
version_added: 1.0.0
description:
  - Turns the results of P(vigil.ops.inspect#module), P(vigil.ops.dns_diff#module), P(vigil.ops.log_scan#module), P(vigil.ops.service_guard#module)
    and P(vigil.ops.backup#module) tasks, failed tasks and unreachable hosts into alerts, without a change to any playbook.
  - What is not ok is kept in the store on the controller as it is seen, and sent meanwhile, by a process of its own that ends with the run, so that
    no receiver holds up a task. At the end of the run what is left is sent for at most O(deadline); what could not be sent goes out with the
    next run or with M(vigil.ops.notify) and O(vigil.ops.notify#module:flush).
  - An alert is told once when it begins, again after four hours while it lasts, and once when it is resolved. The alert of a failed task is
    resolved when that task, in that play of that playbook, runs well on that host; a task of M(ansible.builtin.fail) also when its condition
    does not hold. The alert of an unreachable host is resolved when a task got an answer from it.
  - An alert of a check, task or play that is taken out or renamed is resolved by the next run of the same kind, see O(vigil.ops.notify#module:scope).
    A task or play is not known to be gone where variables make names of a play or tasks are included while it runs.
  - Errors that a task ignores and those that a block rescues are no alerts, but an inspection that could not be made is one in any case.
    A play that matches no host is one, and a host that cannot be reached also where C(ignore_unreachable) lets the play go on.
  - Nothing is told or kept with C(--check). Task options are never sent, nor results under C(no_log).
author:
  - vigil.ops contributors (@vigil-ops)
requirements:
  - enabled in the configuration, C(callbacks_enabled = vigil.ops.webhook)
options:
  channels:
    description:
      - Where to tell, as URLs separated by white space, or as a YAML list. See O(vigil.ops.notify#module:channels) for what a channel is.
      - A channel that cannot be read is a warning, and the play goes on. So is a value that another option does not know.
    type: str
    env:
      - name: VIGIL_CHANNELS
    ini:
      - section: callback_vigil_webhook
        key: channels
  channels_file:
    description:
      - A file with more channels, one a line, or a YAML list. Prefer it to the environment, which some tools write to disk.
    type: path
    env:
      - name: VIGIL_CHANNELS_FILE
    ini:
      - section: callback_vigil_webhook
        key: channels_file
  min_severity:
    description:
      - The lowest severity that is told, of channels that name none of their own; V(info), V(warning), V(error) or V(critical).
    type: str
    default: info
    env:
      - name: VIGIL_MIN_SEVERITY
    ini:
      - section: callback_vigil_webhook
        key: min_severity
  events:
    description:
      - What is told.
      - V(results) are the checks of C(vigil.ops.inspect), and what C(vigil.ops.dns_diff), C(vigil.ops.service_guard) and C(vigil.ops.backup) found
        (see C(results) of M(vigil.ops.notify)).
      - A check that fails and depends on one of another host waits until the playbook ends, when all hosts were looked at; it is told then unless
        the other one explains it.
      - V(failures) are failed tasks and plays without hosts, V(unreachable) hosts that cannot
        be reached. V(changes) tells at the end which tasks changed something, V(stats) how the run ended, with what M(ansible.builtin.set_stats)
        left for the run.
      - Every event has the page of the job in AWX, GitLab or Jenkins (or E(VIGIL_JOB_URL)) as the annotation C(run), and the trace of
        E(TRACEPARENT).
    type: list
    elements: str
    default: [results, failures, unreachable]
    env:
      - name: VIGIL_EVENTS
    ini:
      - section: callback_vigil_webhook
        key: events
  group:
    description:
      - What is one message in a chat, of channels that name no C(group) of their own.
      - With V(play) it is everything that is told of a play, sent when the play ends; the last one holds what is told at the end of the run
        as well. With V(host) it is what is told of one host in a play. V(none) sends every event by itself, as it is seen.
      - A message of several events tells how many there are of what, then all of them, or the worst when they are too many for the chat.
      - An event waits for the end of its play for at most five minutes. It is in the store from the beginning, so a run that is killed
        loses nothing, but a chat is told by the next run then.
      - Channels that programs read, C(http://), C(https://) and C(file://), get every event by itself and at once whatever is set here.
    type: str
    default: play
    env:
      - name: VIGIL_GROUP
    ini:
      - section: callback_vigil_webhook
        key: group
  alerts_file:
    description:
      - A YAML file with C(vigil_alerts), which says who is told of what, and knows silences and maintenance windows. See O(vigil.ops.notify#module:alerts).
      - One that cannot be read is a warning, and every channel is told of everything then.
    type: path
    env:
      - name: VIGIL_ALERTS_FILE
    ini:
      - section: callback_vigil_webhook
        key: alerts_file
  expect_every:
    description:
      - This playbook is expected to run again within this time, such as V(1d). When it does not, whoever looks at the store next raises an alert, see
        O(vigil.ops.notify#module:heartbeat). A run that ends counts, whatever its outcome; one that is killed does not.
    type: str
    env:
      - name: VIGIL_EXPECT_EVERY
    ini:
      - section: callback_vigil_webhook
        key: expect_every
  expect_name:
    description:
      - The name under which the run is expected. It is the file name of the playbook where this is left out, or of several the first one's.
    type: str
    env:
      - name: VIGIL_EXPECT_NAME
    ini:
      - section: callback_vigil_webhook
        key: expect_name
  language:
    description:
      - The language of texts in chats, of channels that name none of their own; V(en) or V(zh).
    type: str
    default: en
    env:
      - name: VIGIL_LANGUAGE
    ini:
      - section: callback_vigil_webhook
        key: language
  service:
    description:
      - The service of checks without the label C(service), and of hosts that cannot be reached. Failed tasks are of the playbook.
    type: str
    default: vigil
    env:
      - name: VIGIL_SERVICE
    ini:
      - section: callback_vigil_webhook
        key: service
  state_url:
    description:
      - The store on the controller, such as C(sqlite:////var/lib/vigil/state.db) or
        C(postgresql://user:password@host/database). The default is the store of the user who runs Ansible.
    type: str
    env:
      - name: VIGIL_STATE_URL
    ini:
      - section: callback_vigil_webhook
        key: state_url
  deadline:
    description:
      - The longest time that the end of a run may be held up for sending, such as V(10s).
    type: str
    default: 10s
    env:
      - name: VIGIL_DEADLINE
    ini:
      - section: callback_vigil_webhook
        key: deadline
"""

import functools
import os
import time
import typing as t

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.vigil.ops.plugins.plugin_utils import _outcomes, _pipes, _result, _scope
from ansible_collections.vigil.ops.plugins.plugin_utils._line import Gone, Line, Silent
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain
from ansible_collections.vigil.ops.plugins.plugin_utils._run_facts import Facts

_INSPECT = ("vigil.ops.inspect",)
_FOUND = ("vigil.ops.dns_diff", "vigil.ops.service_guard", "vigil.ops.log_scan", "vigil.ops.backup")
_WHOM = ("channels", "channels_file", "min_severity", "group", "alerts_file", "language", "service")
_OPTIONS = (*_WHOM, "events", "expect_every", "expect_name", "state_url", "deadline")
# Ansible makes the present directory of a blank path.
_PATHS = {"channels_file": "VIGIL_CHANNELS_FILE", "alerts_file": "VIGIL_ALERTS_FILE"}
_PATIENCE = 30.0  # seconds for the store, where a server is far or a disk hangs
_GRACE = 1.0


def _border(hook: t.Callable[..., None]) -> t.Callable[..., None]:
    """A fault in here must never touch the play: it is said once, by its kind alone, as its text may hold a secret."""

    @functools.wraps(hook)
    def guarded(self: CallbackModule, *args: t.Any, **kwargs: t.Any) -> None:
        if self.disabled:
            return
        try:
            hook(self, *args, **kwargs)
        except Gone as exc:
            self.disabled = True
            self.say(f"{exc}. Nothing more is told.")
        except Exception as exc:  # noqa: BLE001 - the border to Ansible
            self.say(f"a fault in {hook.__name__} ({type(exc).__name__}); the run goes on.")

    return guarded


def _open_office() -> t.Any:
    """What another process does; this one never loads it."""
    from ansible_collections.vigil.ops.plugins.plugin_utils._office import open_office

    return open_office()


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "vigil.ops.webhook"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.disabled = False
        self._said: set[str] = set()
        self._options: dict[str, t.Any] = {}
        self._events: t.Sequence[str] = ()
        self._deadline = 10.0
        self._line: Line | None = None
        self._facts = Facts()
        self._play = ""

    def say(self, sentence: str) -> None:
        """One warning line, each once."""
        if sentence not in self._said:
            self._said.add(sentence)
            self._display.warning(f"vigil.ops.webhook: {sentence}")

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._read_options()

    @_border
    def _read_options(self) -> None:
        self._options = {name: plain(self.get_option(name)) for name in _OPTIONS}
        self._options.update((name, "") for name, variable in _PATHS.items() if os.environ.get(variable) == "")
        if not (self._options["channels"] or self._options["channels_file"]):
            self._be_quiet()

    def _understand_options(self, line: Line) -> None:
        """Have them read by the other process."""
        held = _pipes.hold(str(self._options[name]) for name in _PATHS if self._options[name])
        try:
            settings = line.ask("read_options", self._options, held, _scope.RUN, seconds=_PATIENCE, lasts=True)
        except Silent:
            self.say(f"the options were not read within {_PATIENCE:g} s. Nothing is told.")
            self.disabled = True
            return
        self._events, self._deadline = settings.events, settings.deadline
        self._say_heard()
        if not settings.channels:
            self._be_quiet()

    def _be_quiet(self) -> None:
        self.disabled = True
        self._display.v("vigil.ops.webhook tells nobody: set VIGIL_CHANNELS, VIGIL_CHANNELS_FILE or channels in [callback_vigil_webhook].")

    @_border
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        line = self._line
        if line is None:
            line = self._line = Line(_open_office)  # before there is any thread
            self._understand_options(line)
        if self.disabled or context.CLIARGS.get("check"):
            self._stop()
            return
        begun = self._facts.begin(plain(getattr(playbook, "_file_name", "") or "playbook"), playbook)
        try:
            waiting = line.ask("begin", *begun, seconds=_PATIENCE, lasts=True)
        except Silent:
            waiting = ()  # what is told waits as well
        self._say_heard()
        if waiting is None:
            self._stop()
            return
        self._facts.remember(waiting)

    def _stop(self) -> None:
        self.disabled = True
        if self._line is not None:
            self._line.end()

    @_border
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        is_new, self._play = play._uuid != self._play, play._uuid  # the parts of a play with serial begin one by one
        if is_new and self._line is not None:
            self._line.tell("end_play")
        self._facts.begin_play(play)

    @_border
    def v2_playbook_on_no_hosts_matched(self) -> None:
        play = self._facts.no_hosts()
        if "failures" in self._events:
            self._tell("no_hosts", play, time.time())

    @_border
    def v2_runner_on_ok(self, result: t.Any) -> None:
        if not self._facts.is_dull(result):
            self._look(result)
        if "changes" in self._events and result.is_changed():
            self._facts.changed(_result.host_of(result), plain(_result.task_of(result).get_name()))

    def _look(self, result: t.Any) -> None:
        """At a good result, or only at its task."""
        task = _result.task_of(result)
        action = _result.action_of(task)
        is_stats = _result.is_stats(task)  # no_log may differ from host to host
        self._facts.good(result, is_dull=action not in _INSPECT + _FOUND and not is_stats)
        if action in _INSPECT:
            self._inspected(result)
        elif action in _FOUND and "results" in self._events:
            self._tell("compared", self._facts.place_of(result), plain(_result.data_of(result)), time.time())
        elif is_stats and task.no_log:
            self._facts.hides_stats = True

    @_border
    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._facts.skipped(result)

    @_border
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        task = _result.task_of(result)
        self._facts.contact_in_failure(result)
        if _result.action_of(task) in _INSPECT and self._inspected(result, failed=True):
            return
        if ignore_errors or _result.is_rescued(task):
            return
        place = self._facts.place_of(result)
        self._facts.failed(place)
        if "failures" in self._events:
            self._tell("failed", place, _outcomes.reason_of(_result.data_of(result)), time.time())

    @_border
    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        host, reason = _result.host_of(result), _outcomes.reason_of(_result.data_of(result))
        self._facts.unreachable(host)
        self._tell("unreachable", host, reason, time.time(), "unreachable" in self._events)

    def _inspected(self, result: t.Any, failed: bool = False) -> bool:
        """The checks of one host; False when the result holds none."""
        if "results" not in self._events:
            return False
        data = _result.data_of(result)
        outcomes = _outcomes.outcomes_of(data, failed)
        if outcomes:
            self._tell("inspected", self._facts.place_of(result), outcomes, _outcomes.is_whole(data), time.time())
        return bool(outcomes)

    @_border
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if self._line is None:
            return
        now, until = time.time(), time.monotonic() + self._deadline
        changes = self._facts.changes() if "changes" in self._events else ""
        counts = None
        if "stats" in self._events:
            counts = self._facts.counts(stats), {} if self._facts.hides_stats else _outcomes.left_of(getattr(stats, "custom", None))
        try:
            self._line.ask("finish", self._facts.ending(), changes, counts, now, until, seconds=self._deadline + _GRACE)
        except Silent:
            self.say(
                "It is not known what was told: what keeps and sends does not answer. It goes on when it can; what was kept stays queued."
            )
            self._line.end()
        self._say_heard()

    def _tell(self, name: str, *args: t.Any) -> None:
        if self._line is None:
            return
        groups = self._facts.groups()
        if groups is not None:
            self._line.tell("set_groups", groups, lasts=True)
        self._line.tell(name, *args)
        self._say_heard()

    def _say_heard(self) -> None:
        for sentence in self._line.heard() if self._line is not None else ():
            self.say(sentence)
