# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a remote: kept in the repository, ``remotes/*.json``.

Only what was uploaded from here, and what this repository has forgotten, is ever removed from a remote: a repository that was lost and begun
anew, or a part of it that is missing, takes nothing away there.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import ID, Repository

_FOLDER = "remotes"
_FORGOTTEN = "forgotten.json"


class State:
    """One remote of one repository.

    :ivar files: name -> [size, mtime in ns] of what was found there after it was uploaded
    :ivar needs: name of a record -> names of the files that it needs
    :ivar listed: when it was looked at last; :ivar since: since when something could not be done, None when all is well
    """

    def __init__(self, repository: Repository, path: str) -> None:
        self._repository = repository
        self._place = os.path.join(repository.path, _FOLDER, f"{hashlib.sha256(path.encode()).hexdigest()[:16]}.json")
        self.path = path
        found = _read(self._place)
        self.files: dict[str, list[int]] = found.get("files") or {}
        self.needs: dict[str, list[str]] = found.get("needs") or {}
        self.listed: float = found.get("listed") or 0.0
        self.since: float | None = found.get("since")

    def save(self) -> None:
        """Keep it.

        :raises BackupError: the disk is full, or the like
        """
        found = {"remote": self.path, "listed": self.listed, "since": self.since, "files": self.files, "needs": self.needs}
        try:
            os.makedirs(os.path.dirname(self._place), 0o700, exist_ok=True)
            _write(self._repository, self._place, found)
        except OSError as exc:
            raise refusal(exc, self._place, "written") from exc

    def forgotten(self) -> set[str]:
        """Records that retention has removed here and that are still there."""
        return {name for name in _read(_place(self._repository)).get("records") or () if name in self.files}


def note_forgotten(repository: Repository, name: str, ids: t.Sequence[str]) -> None:
    """Remember that snapshots are removed for good, before they are; what no remote has is dropped from the list."""
    folder = os.path.join(repository.path, _FOLDER)
    if not ids or not os.path.isdir(folder):
        return
    there: set[str] = set()
    for place in os.listdir(folder):
        there.update(_read(os.path.join(folder, place)).get("files") or ())
    records = {*(_read(_place(repository)).get("records") or ()), *(f"snapshots/{name}/{each}.json" for each in ids)}
    _write(repository, _place(repository), {"records": sorted(records & there)})


def local_files(repository: Repository) -> dict[str, list[int]]:
    """What a copy of a repository is made of: name -> [size, mtime in ns]."""
    found: dict[str, list[int]] = {}
    folders = ["archives", "manifests", *(f"snapshots/{name}" for name in repository.names())]
    for folder in folders:
        for item in os.scandir(os.path.join(repository.path, folder)):
            if ID.fullmatch(item.name.split(".")[0]) and item.is_file(follow_symlinks=False):
                status = item.stat(follow_symlinks=False)
                found[f"{folder}/{item.name}"] = [status.st_size, status.st_mtime_ns]
    status = os.stat(os.path.join(repository.path, "FORMAT"))
    found["FORMAT"] = [status.st_size, status.st_mtime_ns]
    return found


def needs_of(repository: Repository, files: t.Collection[str]) -> tuple[dict[str, list[str]], bool]:
    """(record -> files that it needs, whether every record could be read)."""
    found: dict[str, list[str]] = {}
    whole = True
    by_id: dict[str, list[str]] = {}
    for name in files:
        folder, _slash, last = name.rpartition("/")
        if folder in ("archives", "manifests"):
            by_id.setdefault(f"{folder}/{last.split('.')[0]}", []).append(name)
    for name in repository.names():
        for record_id in repository.ids(name):
            try:
                wanted = [f"archives/{each}" for each in repository.record(name, record_id)["archives"]] + [f"manifests/{record_id}"]
            except (Damaged, KeyError, TypeError):
                whole = False
                continue
            # what is missing here stands with a name that is nowhere, so that the record is not uploaded
            lacking = [each for each in wanted if each.startswith("archives/") and not any(".tar" in file for file in by_id.get(each, ()))]
            found[f"snapshots/{name}/{record_id}.json"] = [file for each in wanted for file in by_id.get(each, [each])] + lacking
    return found, whole


def _place(repository: Repository) -> str:
    return os.path.join(repository.path, _FOLDER, _FORGOTTEN)


def _read(path: str) -> dict[str, t.Any]:
    """What cannot be read is as if nothing were known: all is compared anew, and nothing is removed."""
    try:
        with open(path, encoding="utf-8") as source:
            found = json.load(source)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(repository: Repository, place: str, found: t.Mapping[str, t.Any]) -> None:
    with Pending(repository.scratch(), place) as pending:
        pending.file.write(json.dumps(found).encode("ascii"))
        pending.commit()
