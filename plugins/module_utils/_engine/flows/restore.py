# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use cases behind the modules restore and backup_info."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.distant import Distant
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import Place, Run, read_place
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository, check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restore import Restore, Wish
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup import MOST, problem_of, read_repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup_programs import FOLDER
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.moments import read_moment


class Source(t.NamedTuple):
    """Where snapshots are: in a directory of this host, or at a remote."""

    path: str | None
    remote: Place | None

    def secrets(self) -> set[str]:
        """What must not be shown."""
        return self.remote.secrets() if self.remote else set()


def read_source(params: t.Mapping[str, t.Any]) -> Source:
    """The options ``repository`` and ``remote``, of which there is one.

    :raises ValueError: one sentence
    """
    remote = None if params["remote"] is None else read_place(params["remote"], parse_duration)
    return Source(None if params["repository"] is None else read_repository(params["repository"]), remote)


class Opened(t.NamedTuple):
    """A repository to read; ``distant`` brings what is not here yet."""

    repository: Repository
    distant: Distant | None

    def manifests(self, ids: t.Collection[str]) -> None:
        if self.distant:
            self.distant.manifests(ids)

    def archives(self, ids: t.Collection[str]) -> None:
        if self.distant:
            self.distant.archives(ids)


@contextlib.contextmanager
def opened(source: Source, run: Run) -> t.Iterator[Opened]:
    """A repository, while it is needed.

    :raises BackupError: there is none
    """
    if source.path is not None:
        repository = Repository(source.path)
        if not repository.exists():
            raise BackupError(f"there is no repository at {repository.path}")
        yield Opened(repository, None)
        return
    # larger than what fits into /tmp, which is memory on some hosts
    scratch = tempfile.mkdtemp(prefix="vigil-", dir="/var/tmp" if os.access("/var/tmp", os.W_OK) else None)
    try:
        distant = Distant(t.cast("Place", source.remote), run, scratch)
        yield Opened(distant.repository, distant)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def info(source: Source, name: str | None, check: str, run: Run) -> dict[str, t.Any]:
    """The snapshots of a repository, and what is wrong with it.

    :arg check: none, quick or full
    :raises BackupError: there is none
    """
    with opened(source, run) as (repository, distant):
        names = [name] if name is not None else repository.names()
        snapshots, problems, ids = [], [], []
        archives: set[str] = set()
        for each in names:
            for record_id in repository.ids(each):
                ids.append(record_id)
                try:
                    record = repository.record(each, record_id)
                    snapshots.append(_described(record))
                    archives.update(record.get("archives") or ())
                except Damaged as exc:
                    if check == "none":
                        problems.append({"message": str(exc), "snapshots": [record_id], "paths": []})
        if check != "none":
            if distant:
                distant.manifests(ids)
                (distant.archives if check == "full" else distant.indexes)(archives)
                distant.stand_ins()
            problems += [problem_of(each) for each in verify(repository, names, check == "full")]
    return {"snapshots": snapshots, "problems": problems}


class Request(t.NamedTuple):
    """What a restore is asked to do, read and checked."""

    source: Source
    name: str
    snapshot: str | None
    at: float | None
    wish: Wish


def read_request(params: t.Mapping[str, t.Any]) -> Request:
    """The options of the module restore.

    :raises ValueError: one sentence; nothing was done
    """
    for key in ("paths", "dest"):
        for path in (params[key] or ()) if key == "paths" else filter(None, (params[key],)):
            if not path.startswith("/"):
                raise ValueError(f"{key}: {path!r} is no absolute path")
    return Request(
        read_source(params),
        check_name(params["name"]),
        params["snapshot"],
        None if params["at"] is None else read_moment(params["at"]),
        Wish(tuple(os.path.normpath(path) for path in params["paths"] or ()), params["dest"], params["backup"], params["devices"], FOLDER),
    )


def restore(request: Request, run: Run, check_mode: bool = False) -> dict[str, t.Any]:
    """Put back what differs from a snapshot.

    :return: see the module restore
    :raises BackupError: one sentence
    """
    with opened(request.source, run) as source:
        repository = source.repository
        record = repository.record(request.name, _chosen(repository, request))
        source.manifests([record["id"]])
        work = Restore(repository, record, request.wish)
        steps = work.plan()
        if steps and not check_mode:
            source.archives({entry.archive for entry in steps if entry.archive})
            work.run()
    paths = [shown(os.path.join(request.wish.dest, entry.path.lstrip("/")) if request.wish.dest else entry.path) for entry in steps]
    return {
        "changed": bool(steps),
        "snapshot": record["id"],
        "restored": paths[:MOST],
        "kept": [shown(path) for path in work.kept],
        "warnings": work.warnings,
        "stats": {"restored": len(paths)},
    }


def _chosen(repository: Repository, request: Request) -> str:
    ids = repository.ids(request.name)
    if not ids:
        names = ", ".join(repository.names()) or "none"
        where = request.source.remote.path if request.source.remote else repository.path
        raise BackupError(f"{where} has no snapshot of {request.name!r}; there are: {names}")
    if request.snapshot is not None:
        found = [each for each in ids if each == request.snapshot]
        if not found:
            raise BackupError(f"there is no snapshot {request.snapshot!r} of {request.name}; the newest is {ids[-1]}")
        return found[0]
    if request.at is None:
        return ids[-1]
    before = [each for each in ids if retention.moment(each) <= request.at]
    if not before:
        raise BackupError(f"the oldest snapshot of {request.name}, {ids[0]}, is younger than that")
    return before[-1]


def _described(record: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    keys = ("id", "name", "time", "host", "parent", "added", "modified", "removed", "stats")
    return {**{key: record.get(key) for key in keys}, "torn": [shown(path) for path in record.get("torn") or []]}
