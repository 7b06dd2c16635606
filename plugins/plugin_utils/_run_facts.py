# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What is seen of a run of Ansible, on the side of Ansible: as plain data, and as little as can be. Results are read, never changed.

Nothing of the engine is loaded here, nor by what comes over the line: all that goes over it is plain, or defined here. See _line for why; what becomes of
what was seen is worked out in the other process, see _run_events.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.plugin_utils import _contact, _playbook, _scope
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain
from ansible_collections.vigil.ops.plugins.plugin_utils._result import action_of, data_of, host_of, task_of

TASK = "task "
_MOST_NAMES = 20
COUNTS = ("ok", "changed", "unreachable", "failures", "skipped", "rescued", "ignored")


class Place(t.NamedTuple):
    """Where something happened.

    :ivar reached: whether a good result there came over the host's own connection
    :ivar variables: of AWX, which say what kind of run this is
    """

    host: str
    play: str
    task: str
    reached: bool = False
    variables: t.Mapping[str, t.Any] = {}


class Ending(t.NamedTuple):
    """What a playbook has shown at its end: nothing is taken for well that was not seen to be well.

    :ivar reached: hosts that answered and were never away
    :ivar well: (host, play, check) of tasks that went well everywhere
    :ivar plays: the names of all plays; None where they are not known. tasks: of a play, likewise
    :ivar begun: the plays that had hosts; is_empty: whether one had none
    """

    reached: t.Collection[str] = ()
    well: t.Collection[tuple[str, str, str]] = ()
    plays: t.Sequence[str] | None = None
    tasks: t.Mapping[str, t.Collection[str] | None] = {}
    begun: t.Collection[str] = ()
    is_empty: bool = False


class Settings(t.NamedTuple):
    """What the options of the callback mean: how many channels there are, what is told, and how long the end of the run may take."""

    channels: int
    events: tuple[str, ...]
    deadline: float


class Facts:
    """One run of ansible-playbook, which may be of several playbooks: what was bad in one of them stays bad."""

    def __init__(self) -> None:
        self.hides_stats = False
        self._source = self._play = ""
        self._open: dict[str, set[tuple[str, str]]] = {}
        self._well: set[tuple[str, str, str, str]] = set()
        self._failed: set[tuple[str, str, str, str]] = set()
        self._contacts: set[str] = set()
        self._unreachable: set[str] = set()
        self._dull: dict[str, bool] = {}
        self._begun: set[tuple[str, str]] = set()
        self._without_hosts: set[str] = set()
        self._changes: dict[str, list[str]] = {}
        self._counted: dict[str, dict[str, int]] = {}
        self._extra: t.Mapping[str, t.Any] = {}
        self._plays: list[str] | None = None
        self._tasks: dict[str, frozenset[str] | None] = {}
        self._inventory: t.Any = None
        self._groups: t.Any = None

    def begin(self, path: str, playbook: t.Any) -> tuple[str, str]:
        """A playbook begins; returns its file name, and by what its alerts are found again: files of one name are not one playbook."""
        name = os.path.basename(path) or "playbook"
        digest = hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogateescape")).hexdigest()
        self._source, self._play = f"playbook:{name}:{digest[:12]}", ""
        self._open, self._changes, self._tasks = {}, {}, {}
        self._plays = _playbook.play_names(playbook, path)
        return name, self._source

    def remember(self, waiting: t.Iterable[tuple[str, str, str]]) -> None:
        """(host, play, check) of the alerts that are open, so that a good result costs a look into a set."""
        for host, play, check in waiting:
            self._open.setdefault(host, set()).add((play, check))

    def begin_play(self, play: t.Any) -> None:
        """A play begins. Its tasks are looked at only where one of that name has an open alert."""
        self._play = str(plain(play.get_name()))
        self._begun.add((self._source, self._play))
        self._extra = getattr(play.get_variable_manager(), "extra_vars", {})
        self._inventory = getattr(play.get_variable_manager(), "_inventory", None)
        awaited = self._play not in self._tasks and any(place == self._play for waiting in self._open.values() for place, _check in waiting)
        if awaited and (self._plays or []).count(self._play) == 1:
            self._tasks[self._play] = _playbook.task_names(play)

    def groups(self) -> dict[str, t.Any] | None:
        """The hosts of each group of the inventory; None where they are as they were when this was asked last."""
        groups = self._inventory.get_groups_dict() if self._inventory is not None else {}
        if groups is self._groups:  # Ansible makes it anew when something changes
            return None
        self._groups = groups
        return t.cast("dict[str, t.Any]", plain(groups))

    def place_of(self, result: t.Any) -> Place:
        """Where a result comes from."""
        task = task_of(result)
        variables = {key: plain(self._extra[key]) for key in _scope.TEMPLATES if key in self._extra}
        return Place(host_of(result), self._play, str(plain(task.get_name())), _contact.reached(task), variables)

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
            what = (self._play, TASK + str(plain(task.get_name())))
            if what in waiting:
                self._well.add((self._source, host, *what))

    def failed(self, place: Place) -> None:
        """A failure that is an alert."""
        self._failed.add((self._source, place.host, place.play, TASK + place.task))

    def contact_in_failure(self, result: t.Any) -> None:
        """Remember the host when the failure came from it, and not from the controller."""
        if host_of(result) not in self._contacts and _contact.reached_in_failure(task_of(result), data_of(result)):
            self._contacts.add(host_of(result))

    def unreachable(self, host: str) -> None:
        """A host that cannot be reached."""
        self._unreachable.add(host)

    def no_hosts(self) -> str:
        """A play that matches no host does nothing and ends well; returns its name."""
        self._begun.discard((self._source, self._play))
        self._without_hosts.add(self._source)
        return self._play

    def changed(self, host: str, task: str) -> None:
        """A task changed something."""
        self._changes.setdefault(host, []).append(task)

    def changes(self) -> str:
        """Which tasks changed something on which hosts, in lines."""
        lines = [f"{host}: {_listed(tasks)}" for host, tasks in list(self._changes.items())[:_MOST_NAMES]]
        more = len(self._changes) - len(lines)
        return "\n".join(lines + ([f"and {more} more hosts"] if more > 0 else []))

    def counts(self, stats: t.Any) -> list[dict[str, int]]:
        """How often what happened, of each host with something. Ansible adds up over all playbooks of a run, so what was counted at the
        end of the last one is taken off."""
        before, counts = self._counted, {plain(host): dict(stats.summarize(host)) for host in sorted(stats.processed)}
        self._counted = counts
        own = [{key: count[key] - before.get(host, {}).get(key, 0) for key in COUNTS} for host, count in counts.items()]
        return [count for count in own if any(count.values())]

    def ending(self) -> Ending:
        """What this playbook has shown."""
        return Ending(
            self._contacts - self._unreachable,
            {what[1:] for what in self._well - self._failed if what[0] == self._source},
            self._plays,
            self._tasks,
            [play for source, play in self._begun if source == self._source],
            self._source in self._without_hosts,
        )


def _listed(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
