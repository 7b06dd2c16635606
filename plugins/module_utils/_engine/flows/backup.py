# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use cases behind the modules backup, backup_info and restore."""

from __future__ import annotations

import calendar
import contextlib
import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Options, Outcome
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository, check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restore import Restore, Wish
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.snapshot import Snapshot
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.textdiff import Differ, read_patterns
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Selection
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration, parse_size

_MOST = 1000  # paths of a kind that a result names


class Job(t.NamedTuple):
    """What a backup is asked to do, read and checked."""

    repository: Repository
    selection: Selection
    options: Options
    policy: dict[str, float]
    ignore: list[t.Pattern[str]]
    hidden: list[t.Pattern[str]]
    patience: float
    verify: bool


def read_job(params: t.Mapping[str, t.Any], host: str) -> Job:
    """The options of the module backup.

    :raises ValueError: one sentence; nothing was done
    """
    if not params["paths"]:
        raise ValueError("paths is empty; name what is to be kept")
    size = params["max_size"]
    selection = Selection(
        params["paths"],
        params["exclude"] or (),
        params["include"] or (),
        None if size is None else parse_size(size),
        params["one_file_system"],
    )
    return Job(
        Repository(read_repository(params["repository"])),
        selection,
        Options(check_name(params["name"]), params["paranoid"], os.cpu_count() or 1, host),
        retention.read_policy(params["retention"], parse_duration),
        read_patterns("ignore_lines", params["ignore_lines"] or ()),
        read_patterns("mask", params["mask"] or ()),
        parse_duration(params["wait"]),
        params["verify"],
    )


def read_repository(path: str) -> str:
    """The path of a repository.

    :raises ValueError: it is not absolute
    """
    if not path.startswith("/"):
        raise ValueError(f"repository {path!r} is no absolute path")
    return os.path.normpath(path)


def backup(job: Job, now: float, check_mode: bool = False, show: bool = False) -> dict[str, t.Any]:
    """Take a snapshot if something is new, then let go of those that the policy does not keep.

    :arg show: collect the differences
    :return: see the module backup
    :raises BackupError: one sentence
    """
    repository, name = job.repository, job.options.name
    there = repository.exists()
    differ = Differ(repository, job.ignore, job.hidden, show)
    if not check_mode:
        repository.create()
    with _locked(repository, job.patience, not check_mode):
        outcome = Snapshot(repository, job.selection, job.options, check_mode, differ).take(now)
        for path in outcome.removed:
            differ.gone(path)
        ids = repository.ids(name) if there or not check_mode else []
        # in check mode the snapshot that would be taken counts as well
        after = [*ids, repository.new_id(now)] if check_mode and outcome.changed else ids
        stay = retention.kept(after, job.policy, now)
        forgotten = [each for each in ids if each not in stay]
        if not check_mode:
            for each in forgotten:
                repository.forget(name, each)
            if forgotten:
                repository.sweep()
        problems = [_problem(each) for each in verify(repository, [name])] if job.verify and not check_mode else []
    return {
        **_outcome(outcome),
        "forgotten": forgotten,
        "damaged": problems,
        "changed": outcome.changed or bool(forgotten),
        "text": differ.text(),
    }


def info(repository: Repository, name: str | None, check: str) -> dict[str, t.Any]:
    """The snapshots of a repository, and what is wrong with it.

    :arg check: none, quick or full
    :raises BackupError: there is none
    """
    if not repository.exists():
        raise BackupError(f"there is no repository at {repository.path}")
    names = [name] if name is not None else repository.names()
    snapshots, problems = [], []
    for each in names:
        for record_id in repository.ids(each):
            try:
                snapshots.append(_described(repository.record(each, record_id)))
            except Damaged as exc:
                if check == "none":
                    problems.append({"message": str(exc), "snapshots": [record_id], "paths": []})
    if check != "none":
        problems += [_problem(each) for each in verify(repository, names, check == "full")]
    return {"snapshots": snapshots, "problems": problems}


class Request(t.NamedTuple):
    """What a restore is asked to do, read and checked."""

    repository: Repository
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
        Repository(read_repository(params["repository"])),
        check_name(params["name"]),
        params["snapshot"],
        None if params["at"] is None else read_moment(params["at"]),
        Wish(tuple(os.path.normpath(path) for path in params["paths"] or ()), params["dest"], params["backup"], params["devices"]),
    )


def read_moment(text: str) -> float:
    """Seconds since 1970 of ``2026-11-20 12:00``, ``2026-11-20T12:00:00Z`` or ``2026-11-20``; local time without a zone, a date means its end.

    :raises ValueError: it is none of these
    """
    plain = text.strip().replace("T", " ")
    zone = plain.endswith("Z")
    for form, rest in (("%Y-%m-%d %H:%M:%S", 0), ("%Y-%m-%d %H:%M", 59), ("%Y-%m-%d", 86399)):
        try:
            found = time.strptime(plain.rstrip("Z"), form)
        except ValueError:
            continue
        return float(calendar.timegm(found) if zone else time.mktime(found)) + rest
    raise ValueError(f"at: {text!r} is no moment; write one such as 2026-11-20 12:00")


def restore(request: Request, check_mode: bool = False) -> dict[str, t.Any]:
    """Put back what differs from a snapshot.

    :return: see the module restore
    :raises BackupError: one sentence
    """
    repository = request.repository
    if not repository.exists():
        raise BackupError(f"there is no repository at {repository.path}")
    record = repository.record(request.name, _chosen(request))
    work = Restore(repository, record, request.wish)
    steps = work.plan()
    if steps and not check_mode:
        work.run()
    paths = [shown(os.path.join(request.wish.dest, entry.path.lstrip("/")) if request.wish.dest else entry.path) for entry in steps]
    return {
        "changed": bool(steps),
        "snapshot": record["id"],
        "restored": paths[:_MOST],
        "kept": [shown(path) for path in work.kept],
        "warnings": work.warnings,
        "stats": {"restored": len(paths)},
    }


def _chosen(request: Request) -> str:
    ids = request.repository.ids(request.name)
    if not ids:
        names = ", ".join(request.repository.names()) or "none"
        raise BackupError(f"{request.repository.path} has no snapshot of {request.name!r}; there are: {names}")
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


def _outcome(outcome: Outcome) -> dict[str, t.Any]:
    counts = {"added": len(outcome.added), "modified": len(outcome.modified), "removed": len(outcome.removed)}
    lists = {key: [shown(path) for path in getattr(outcome, key)[:_MOST]] for key in ("added", "modified", "removed", "torn", "left_out")}
    return {"snapshot": outcome.snapshot, **lists, "problems": outcome.problems[:_MOST], "stats": {**outcome.stats, **counts}}


def _problem(problem: t.Any) -> dict[str, t.Any]:
    return {"message": problem.what, "snapshots": list(problem.snapshots), "paths": [shown(path) for path in problem.paths]}


@contextlib.contextmanager
def _locked(repository: Repository, patience: float, wanted: bool) -> t.Iterator[None]:
    if wanted:
        repository.lock(patience)
    try:
        yield
    finally:
        repository.unlock()
