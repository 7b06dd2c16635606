# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind the module backup."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Options, Outcome
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository, check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.snapshot import Snapshot
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.textdiff import Differ, read_patterns
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Selection
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.cores import cores
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration, parse_size
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup_news, backup_programs
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup_programs import FOLDER, Programs

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import Place

MOST = 1000  # paths of a kind that a result names


class Tools(t.NamedTuple):
    """What the engine has no hands for.

    :ivar run: run(argv, timeout, env) -> (code, output, error output); :ivar stream: stream(argv, file, timeout, env) -> (code, error output)
    :ivar pause: waits for so many seconds
    """

    run: backup_programs.Run
    stream: backup_programs.Stream
    pause: t.Callable[[float], None]


class Job(t.NamedTuple):
    """What a backup is asked to do, read and checked.

    :ivar batch: the last snapshot that the controller has received
    """

    repository: Repository
    selection: Selection
    options: Options
    policy: dict[str, float]
    ignore: list[t.Pattern[str]]
    hidden: list[t.Pattern[str]]
    patience: float
    verify: bool
    programs: Programs
    remote: Place | None
    batch: str

    def secrets(self) -> set[str]:
        """What must not be shown."""
        return self.programs.secrets() | (self.remote.secrets() if self.remote else set())


def read_job(params: t.Mapping[str, t.Any], host: str) -> Job:
    """The options of the module backup; what is not given is as it is there.

    :raises ValueError: one sentence; nothing was done
    """
    programs = backup_programs.read_programs(params)
    if not params.get("paths") and not programs.streams:
        raise ValueError("paths is empty; name what is to be kept")
    size = params.get("max_size")
    selection = Selection(
        params.get("paths") or (),
        params.get("exclude") or (),
        params.get("include") or (),
        None if size is None else parse_size(size),
        bool(params.get("one_file_system")),
    )
    if programs.streams and any(path == FOLDER or path.startswith(FOLDER + "/") for path in selection.paths):
        raise ValueError(f"paths: {FOLDER} is where the streams of a snapshot lie")
    return Job(
        Repository(read_repository(str(params.get("repository") or ""))),
        selection,
        Options(
            check_name(params.get("name") or "default"),
            bool(params.get("paranoid")),
            cores(),
            host,
            params.get("compression") or "gzip",
        ),
        retention.read_policy(params.get("retention"), parse_duration),
        read_patterns("ignore_lines", params.get("ignore_lines") or ()),
        read_patterns("mask", params.get("mask") or ()),
        parse_duration(params.get("wait") or "1m"),
        bool(params.get("verify")),
        programs,
        _remote(params.get("remote")),
        params.get("batch") or "",
    )


def _remote(given: t.Any) -> Place | None:
    if given is None:
        return None
    # what only some backups need is loaded when it is: most runs find nothing new, and loading is a good part of them
    from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import read_place

    return read_place(given, parse_duration)


def read_repository(path: str) -> str:
    """The path of a repository.

    :raises ValueError: it is not absolute
    """
    if not path.startswith("/"):
        raise ValueError(f"repository {path!r} is no absolute path")
    return os.path.normpath(path)


def backup(job: Job, tools: Tools, now: float, check_mode: bool = False, show: bool = False) -> dict[str, t.Any]:
    """Take a snapshot if something is new, let go of those that the policy does not keep, and bring the copy at the remote up to date.

    :arg show: collect the differences
    :return: see the module backup; with ``failed`` and ``msg`` where it was not all done
    :raises BackupError: one sentence; there is no snapshot
    """
    repository, name = job.repository, job.options.name
    there = repository.exists()
    differ = Differ(repository, job.ignore, job.hidden, show)
    if not check_mode:
        repository.create()
    with _locked(repository, job.patience, not check_mode):
        outcome, streams, complaints = _look(job, tools, differ, now, check_mode)
        for path in outcome.removed:
            differ.gone(path)
        ids = repository.ids(name) if there or not check_mode else []
        events = [] if check_mode else backup_news.snapshots(repository, name, ids if job.batch or outcome.snapshot else [], job.batch)
        forgotten = _forget(job, ids, outcome.changed, now, check_mode)
        if forgotten and not check_mode:
            from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import hygiene

            outcome.problems += hygiene.slim(repository, codec(job.options.compression), job.options.workers)
        problems = [problem_of(each) for each in verify(repository, [name])] if job.verify and not check_mode else []
    result = {
        "job": name,
        **_outcome(outcome),
        "streams": streams,
        "forgotten": forgotten,
        "damaged": problems,
        "remote": _uploaded(job, tools, now, check_mode) if job.remote else None,
        "changed": outcome.changed or bool(forgotten),
        "text": differ.text(),
    }
    result["torn"] += [each["path"] for each in streams if each["status"] == "torn"]
    result.update(events=events + ([] if check_mode else backup_news.conditions(result, job.verify)), batch=ids[-1] if ids else "")
    if complaints or problems:
        said = [*complaints, *(f"the repository is damaged: {each['message']}" for each in problems[:1])]
        taken = f"The snapshot {outcome.snapshot} was taken, but " if outcome.snapshot else "Nothing had changed, but "
        result.update(failed=True, msg=f"{taken}{'; '.join(said)}.")
    return result


def _look(
    job: Job, tools: Tools, differ: Differ, now: float, check_mode: bool
) -> tuple[Outcome, list[dict[str, t.Any]], list[str]]:  # fmt: skip
    """The snapshot between its hooks: (what came of it, its streams, what went wrong after it)."""
    programs, selection = job.programs, job.selection
    if check_mode:
        selection.streams, streams = backup_programs.skipped(programs.streams)
        return Snapshot(job.repository, selection, job.options, True, differ).take(now), streams, []
    problem, complaints = None, []
    try:
        backup_programs.run_before(programs.before, tools.run)
        selection.streams, streams = backup_programs.spool(programs.streams, job.repository.scratch(), tools.stream)
        outcome = Snapshot(job.repository, selection, job.options, False, differ).take(now)
    except BackupError as exc:
        problem = exc
    finally:
        complaints = backup_programs.run_after(programs.after, tools.run)
        for place in selection.streams.values():
            if place is not None:
                os.unlink(place)
    if problem is not None:
        raise BackupError("; ".join([str(problem), *complaints])) from problem
    return outcome, streams, complaints


def _forget(job: Job, ids: list[str], changed: bool, now: float, check_mode: bool) -> list[str]:
    """Remove the snapshots that the policy does not keep; in check mode the one that would be taken counts as well."""
    repository, name = job.repository, job.options.name
    stay = retention.kept([*ids, repository.new_id(now)] if check_mode and changed else ids, job.policy, now, _times(job, ids))
    forgotten = [each for each in ids if each not in stay]
    if forgotten and not check_mode:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.remote_state import note_forgotten

        note_forgotten(repository, name, forgotten)
        for each in forgotten:
            repository.forget(name, each)
        repository.sweep()
    return forgotten


def _times(job: Job, ids: list[str]) -> dict[str, float]:
    """When the snapshots were taken, of their records; one that cannot be read was taken when its id says."""
    found = {}
    for each in ids if job.policy else ():
        with contextlib.suppress(Damaged):
            found[each] = retention.moment_of(job.repository.record(job.options.name, each))
    return found


def _uploaded(job: Job, tools: Tools, now: float, check_mode: bool) -> dict[str, t.Any]:
    """The copy at the remote, after the repository is free for others again. What goes wrong with it is told, and harms nothing here."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.remote import Copy

    place = t.cast("Place", job.remote)
    nothing = {"status": "skipped", "uploaded": 0, "bytes": 0, "removed": 0, "pending": 0, "since": None, "message": ""}
    if check_mode and not job.repository.exists():
        return {"path": place.path, **nothing}
    copy = Copy(job.repository, place, tools.run, tools.pause)
    if check_mode:
        return {"path": place.path, **nothing, "pending": copy.waiting()}
    try:
        return {"path": place.path, **copy.update(now, job.verify)}
    except BackupError as exc:
        return {"path": place.path, **nothing, "status": "failed", "message": str(exc)}


def problem_of(problem: t.Any) -> dict[str, t.Any]:
    """Something that is damaged, for results."""
    return {"message": problem.what, "snapshots": list(problem.snapshots), "paths": [shown(path) for path in problem.paths]}


def _outcome(outcome: Outcome) -> dict[str, t.Any]:
    counts = {"added": len(outcome.added), "modified": len(outcome.modified), "removed": len(outcome.removed)}
    lists = {key: [shown(path) for path in getattr(outcome, key)[:MOST]] for key in ("added", "modified", "removed", "torn", "left_out")}
    return {"snapshot": outcome.snapshot, **lists, "problems": outcome.problems[:MOST], "stats": {**outcome.stats, **counts}}


@contextlib.contextmanager
def _locked(repository: Repository, patience: float, wanted: bool) -> t.Iterator[None]:
    if wanted:
        repository.lock(patience)
    try:
        yield
    finally:
        repository.unlock()
