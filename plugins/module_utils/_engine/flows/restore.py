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
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import entry_of, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.extras import Extra, Extras, remove
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import Place, Run, read_place
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository, check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restore import Restore, Step, Wish
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.textdiff import Differ, read_patterns
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
    remote = None if params.get("remote") is None else read_place(params.get("remote"), parse_duration)
    return Source(None if params.get("repository") is None else read_repository(str(params.get("repository"))), remote)


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
    exact: bool
    hidden: list[t.Pattern[str]]

    def secrets(self) -> set[str]:
        """What must not be shown."""
        return self.source.secrets()


def read_request(params: t.Mapping[str, t.Any]) -> Request:
    """The options of the module restore; what is not given is as it is there.

    :raises ValueError: one sentence; nothing was done
    """
    for key in ("paths", "dest"):
        for path in (params.get(key) or ()) if key == "paths" else filter(None, (params.get(key),)):
            if not path.startswith("/"):
                raise ValueError(f"{key}: {path!r} is no absolute path")
            if key == "paths" and not params.get("dest") and (path == FOLDER or path.startswith(FOLDER + "/")):
                raise ValueError(f"paths: {path} is the output of a program and has no place of its own; name a dest to have it as a file")
    return Request(
        read_source(params),
        check_name(params.get("name") or "default"),
        params.get("snapshot"),
        None if params.get("at") is None else read_moment(str(params["at"])),
        Wish(
            tuple(os.path.normpath(path) for path in params.get("paths") or ()),
            params.get("dest"),
            bool(params.get("backup")),
            bool(params.get("devices")),
            FOLDER,
        ),
        bool(params.get("exact")),
        read_patterns("mask", params.get("mask") or ()),
    )


def restore(request: Request, run: Run, check_mode: bool = False, show: bool = False) -> dict[str, t.Any]:
    """Put back what differs from a snapshot.

    :arg show: collect the differences
    :return: see the module restore
    :raises BackupError: one sentence
    """
    wish = request.wish
    with opened(request.source, run) as source:
        repository = source.repository
        record = repository.record(request.name, _chosen(repository, request))
        source.manifests([record["id"]])
        work = Restore(repository, record, wish)
        steps = work.plan()
        extras = Extras(repository, record, wish.paths, wish.dest).find() if request.exact else []
        if steps and (show or not check_mode):
            source.archives({step.archive for step in steps if step.archive})
        text = _text(repository, record, request, steps, extras) if show else ""
        if not check_mode:
            work.kept += remove([extra for extra in extras if extra.way], wish.dest, wish.keep)
            if steps:
                work.run()
            work.kept += remove([extra for extra in extras if not extra.way], wish.dest, wish.keep)
    if not wish.dest and not wish.paths:
        streams = [path for path in record.get("paths") or () if path.startswith(FOLDER + "/")]
        work.warnings += [f"{shown(path)} is the output of a program and left out; name a dest to have it as a file" for path in streams]
    return {
        "changed": bool(steps or extras),
        "snapshot": record["id"],
        "restored": [shown(_place(step.path, wish)) for step in steps[:MOST]],
        "removed": [shown(extra.place) for extra in extras[:MOST]],
        "kept": [shown(path) for path in work.kept],
        "warnings": work.warnings,
        "stats": {"restored": len(steps), "removed": len(extras)},
        "text": text,
    }


def _place(path: str, wish: Wish) -> str:
    return os.path.join(wish.dest, path.lstrip("/")) if wish.dest else path


def _text(
    repository: Repository, record: t.Mapping[str, t.Any], request: Request, steps: t.Sequence[Step], extras: t.Sequence[Extra]
) -> str:  # fmt: skip
    """The differences of files, bounded."""
    differ = Differ(repository, (), request.hidden, True)
    wanted = {step.path for step in steps[:MOST]}
    for row, _line in repository.rows(record) if wanted else ():
        if row["path"] in wanted and row["kind"] == "file":
            differ.back(entry_of(row), _place(row["path"], request.wish))
    for extra in extras[:MOST]:
        differ.gone(extra.place)
    return differ.text()


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
