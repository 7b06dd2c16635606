# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What happens in a run of Ansible, as events. Results are read, never changed; task options are never looked at."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import plain

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Unit

NO_HOSTS = "hosts matched"
CONTROLLER = "controller"
_MOST_NAMES = 20
_TEXT = 1000


def task_of(result: t.Any) -> t.Any:
    """The task: `task` from ansible-core 2.19, `_task` before."""
    try:
        return result.task
    except AttributeError:
        return result._task


def host_of(result: t.Any) -> str:
    """The host's name in the inventory."""
    try:
        host = result.host
    except AttributeError:
        host = result._host
    return str(plain(host.get_name()))


def data_of(result: t.Any) -> t.Mapping[str, t.Any]:
    """What the task returned."""
    try:
        data = result.result
    except AttributeError:
        data = result._result
    return data if isinstance(data, t.Mapping) else {}


def is_rescued(task: t.Any) -> bool:
    """Whether a failure of the task is handled by the rescue part of a block around it."""
    node, parent = task, getattr(task, "_parent", None)
    while parent is not None:
        if getattr(parent, "rescue", None) and any(getattr(part, "_uuid", 0) == getattr(node, "_uuid", 1) for part in parent.block):
            return True
        node, parent = parent, getattr(parent, "_parent", None)
    return False


def is_whole(arguments: t.Mapping[str, t.Any]) -> bool:
    """Whether the command line lets the playbook run as a whole; only then a host without failure has none."""
    tags = list(arguments.get("tags") or ())
    return tags in ([], ["all"]) and not arguments.get("skip_tags") and not arguments.get("start_at_task") and not arguments.get("step")


def reason_of(data: t.Mapping[str, t.Any]) -> str:
    """Why a task failed, in a line; nothing of a result under no_log."""
    if data.get("_ansible_no_log") or "censored" in data:
        return "the output is hidden by no_log"
    for item in data.get("results") or ():
        # from ansible-core 2.21 failed items have no `failed`, but an `exception`
        if isinstance(item, t.Mapping) and (item.get("failed") or "exception" in item):
            return reason_of(item)
    for key in ("msg", "stderr", "module_stderr", "stdout", "module_stdout"):
        text = data.get(key)
        if isinstance(text, str) and text.strip():
            return _line(" ".join(plain(text).split()) + (_rest(data) if key == "msg" else ""))
    return f"rc {data['rc']}" if "rc" in data else "the task failed"


def _rest(data: t.Mapping[str, t.Any]) -> str:
    """The return code of a command and the last line of what it complained about."""
    if not data.get("rc"):
        return ""
    lines = str(data.get("stderr") or "").strip().splitlines()
    return f" (rc {data['rc']}: {plain(lines[-1]).strip()})" if lines else f" (rc {data['rc']})"


def _line(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


class Run:
    """One run of one playbook. ``service``: of checks and hosts; ``playbook``: its file's name, the service of failed tasks."""

    def __init__(self, service: str, playbook: str) -> None:
        self.service = service
        self.playbook = playbook
        self.play = ""
        self._bad: set[str] = set()
        self._unreachable: set[str] = set()
        self._no_hosts = False
        self._changes: dict[str, list[str]] = {}

    @property
    def source(self) -> str:
        """What the alerts of failed tasks are found by in later runs."""
        return f"playbook:{self.playbook}"

    def batch(self, events: t.Sequence[Event], messages: t.Sequence[Event] = ()) -> flow.Batch:
        """Events that this playbook may resolve later."""
        return flow.Batch(events, messages, self.source)

    def inspected(self, host: str, outcome: t.Mapping[str, t.Any], now: float) -> flow.Batch:
        """The checks of one host; a playbook that ends well says nothing about them, so they are of another source."""
        return flow.Batch(flow.events_of_host(host, outcome, self.service, now), (), f"checks:{self.service}")

    def failed(self, result: t.Any, now: float) -> Event:
        """A failed task."""
        host, task = host_of(result), task_of(result)
        self._bad.add(host)
        name = plain(task.get_name())
        note = {"play": self.play, "task": name}
        return new_event(self.playbook, host, f"task {name}", now, severity="error", message=reason_of(data_of(result)), annotations=note)

    def unreachable(self, result: t.Any, now: float) -> Event:
        """A host that cannot be reached."""
        host = host_of(result)
        self._bad.add(host)
        self._unreachable.add(host)
        outcome = {"unreachable": True, "msg": reason_of(data_of(result))}
        return flow.events_of_host(host, outcome, self.service, now)[0]

    def no_hosts(self, now: float) -> Event:
        """A play that matches no host does nothing and ends well; that is told, as nobody else would."""
        self._no_hosts = True
        return new_event(self.playbook, CONTROLLER, NO_HOSTS, now, severity="error", message=f"The play {self.play} matches no host.")

    def changed(self, host: str, task: str) -> None:
        """A task changed something."""
        self._changes.setdefault(host, []).append(task)

    def messages(self, stats: t.Any, wanted: t.Container[str], now: float) -> list[Event]:
        """What is told at the end of a run whatever was told before."""
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
        hosts = sorted(stats.processed)
        counts = [stats.summarize(host) for host in hosts]
        totals = {
            key: sum(count[key] for count in counts)
            for key in ("ok", "changed", "unreachable", "failures", "skipped", "rescued", "ignored")
        }
        severity = "error" if totals["failures"] or totals["unreachable"] else "info"
        text = f"{len(hosts)} hosts: " + ", ".join(f"{key} {number}" for key, number in totals.items())
        return new_event(self.playbook, CONTROLLER, "end of the run", now, severity=severity, message=text, metrics=totals)

    def resolved(self, unit: Unit, stats: t.Any, whole: bool, now: float) -> flow.Batch:
        """What this run has shown to be over."""
        well = {host for host in map(plain, stats.processed) if self._went_well(stats, host)}
        reached = {host for host in map(plain, stats.processed) if host not in self._unreachable and stats.summarize(host)["ok"]}
        events = flow.resolutions(unit, flow.UNREACHABLE, lambda instance, _check: instance in reached, "the host is reached again", now)
        if whole:
            events += flow.resolutions(
                unit, self.source, lambda instance, _check: instance in well, "the host went through the playbook well", now
            )
        if stats.processed and not self._no_hosts:
            events += flow.resolutions(unit, self.source, lambda _instance, check: check == NO_HOSTS, "the play matches hosts again", now)
        return self.batch(events)

    def _went_well(self, stats: t.Any, host: str) -> bool:
        count = stats.summarize(host)
        return host not in self._bad and count["ok"] > 0 and not count["failures"] and not count["unreachable"]


def _listed(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
