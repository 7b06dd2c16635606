# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping a copy of a repository at a remote.

A snapshot is there whole or not at all: its record is uploaded when all that it needs was found there. What cannot be done stays to be done
by the next run. What retention has removed here is removed there, records first.
"""

from __future__ import annotations

import fcntl
import os
import random
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import Place, Rclone, RemoteError, Run
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.remote_state import State, local_files, needs_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository

_LONGEST_PAUSE = 60.0


class Copy:
    """The copy of one repository at one place.

    :arg run: see :class:`rclone.Rclone`
    :arg pause: waits for so many seconds
    """

    def __init__(self, repository: Repository, place: Place, run: Run, pause: t.Callable[[float], None]) -> None:
        self._repository = repository
        self._place = place
        self._rclone = Rclone(place, run)
        self._pause = pause
        self._state = State(repository, place.path)
        self._uploaded = 0
        self._bytes = 0
        self._removed = 0
        self._message = ""

    def waiting(self) -> int:
        """How many files are not known to be there as they are here; asks nobody."""
        return len(self._todo(local_files(self._repository)))

    def update(self, now: float, thorough: bool = False) -> dict[str, t.Any]:
        """Make the copy what the repository is.

        :arg thorough: compare all that is there, even if nothing is new
        :return: ``{status, uploaded, bytes, removed, pending, since, message}``: status ``ok``, ``busy`` (another process is at it) or ``failed``
        :raises BackupError: what is known of the remote cannot be kept
        """
        handle = os.open(os.path.join(self._repository.path, "remote.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return self._result("busy", "another process uploads from this repository")
            self._state = State(self._repository, self._place.path)  # of whoever had the lock
            return self._update(now, thorough)
        finally:
            os.close(handle)

    def _update(self, now: float, thorough: bool) -> dict[str, t.Any]:
        local, state = local_files(self._repository), self._state
        due = thorough or not 0 <= now - state.listed < self._place.recheck
        if not self._todo(local) and not self._gone(local) and not due and state.since is None:
            return self._result("ok")
        done = False
        for attempt in range(self._place.attempts):
            if attempt:
                self._pause(min(2.0**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.0))
            try:
                done = self._try(now, thorough)
            except RemoteError as exc:
                self._message = str(exc)
                if exc.useless:
                    break
            if done:
                break
        state.since = None if done else state.since or now
        state.save()
        return self._result("ok" if done else "failed", "" if done else self._message)

    def _try(self, now: float, thorough: bool) -> bool:
        """One go; whether nothing is left to do.

        :raises RemoteError: the remote cannot be looked at
        """
        there, local, state = self._rclone.sizes(), local_files(self._repository), self._state
        gone = self._gone(local)
        state.files = {name: known for name, known in state.files.items() if there.get(name) == known[0]}
        alike = [name for name in (local if thorough else self._todo(local)) if there.get(name) == local[name][0]]
        if alike:
            self._confirm(alike, local)
        needs, whole = needs_of(self._repository, local)
        self._bring([name for name in self._todo(local) if not name.startswith("snapshots/")], local)
        ready = [name for name in self._todo(local) if name in needs and all(file in state.files for file in needs[name])]
        self._bring(ready, local)
        state.needs = {name: files for name, files in {**state.needs, **needs}.items() if name in state.files}
        if whole:
            self._clean(gone, local, needs)
        state.listed = now
        lacking = [name for name in self._todo(local) if name in needs and name not in ready]
        if lacking and not self._message:
            self._message = f"{lacking[0]} is not uploaded as something that it needs is missing or damaged in the repository"
        return not self._todo(local)

    def _bring(self, names: t.Sequence[str], local: t.Mapping[str, list[int]]) -> None:
        if not names:
            return
        why = self._rclone.upload(self._repository.path, names)
        before = set(self._state.files)
        self._confirm(names, local)
        brought = set(self._state.files) - before
        self._uploaded += len(brought)
        self._bytes += sum(local[name][0] for name in brought)
        self._state.save()
        if len(brought) < len(names):
            self._message = why or f"{sorted(set(names) - brought)[0]} is not there as it was uploaded"

    def _confirm(self, names: t.Sequence[str], local: t.Mapping[str, list[int]]) -> None:
        """Note which of the files are there as they are here."""
        for name in names:
            self._state.files.pop(name, None)
        for name in self._rclone.same(self._repository.path, names):
            self._state.files[name] = local[name]

    def _clean(self, gone: set[str], local: t.Mapping[str, list[int]], needs: t.Mapping[str, list[str]]) -> None:
        """Remove the records of forgotten snapshots, then what no record needs any more."""
        state = self._state
        records = gone & set(state.files)
        if records:
            self._rclone.remove(records)
            self._drop(records)
        kept = {file for name in state.needs for file in state.needs[name]} | {file for files in needs.values() for file in files}
        rest = {name for name in state.files if name not in local and name not in kept and not name.startswith("snapshots/")}
        if rest:
            self._rclone.remove(rest)
            self._drop(rest)

    def _drop(self, names: set[str]) -> None:
        self._removed += len(names)
        for name in names:
            self._state.files.pop(name, None)
            self._state.needs.pop(name, None)

    def _todo(self, local: t.Mapping[str, list[int]]) -> list[str]:
        return sorted(name for name, facts in local.items() if self._state.files.get(name) != facts)

    def _gone(self, local: t.Mapping[str, list[int]]) -> set[str]:
        """What is to be removed there, as far as it is known without looking."""
        return {name for name in self._state.forgotten() if name not in local}

    def _result(self, status: str, message: str = "") -> dict[str, t.Any]:
        return {
            "status": status,
            "uploaded": self._uploaded,
            "bytes": self._bytes,
            "removed": self._removed,
            "pending": self.waiting(),
            "since": self._state.since,
            "message": message,
        }
