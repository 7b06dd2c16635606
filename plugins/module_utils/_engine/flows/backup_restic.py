# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind the module backup with engine restic: the same options and results, as far as restic has them."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restic import Restic, Vault, read_vault
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration, parse_size
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup_news, backup_programs
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup import MOST, Tools

_REFUSED = {
    "include": "restic cannot choose files by include; name paths, or exclude the others",
    "ignore_lines": "restic stores every change of a file, so ignore_lines needs engine archive",
    "mask": "restic shows no contents, so there is nothing to mask",
    "stdin_from": "stdin_from needs engine archive; with restic let a program of before write the dump to a file below paths",
    "remote": "restic has remotes of its own; name one as repository, such as rclone:s3store:bucket/host",
}
_KEEP = {"last": "--keep-last", **{rule: f"--keep-{rule}" for rule in ("hourly", "daily", "weekly", "monthly", "yearly")}}


class Job(t.NamedTuple):
    """What a backup is asked to do, read and checked; ``argv`` is what restic is told of what to take."""

    vault: Vault
    name: str
    host: str
    paths: tuple[str, ...]
    argv: tuple[str, ...]
    policy: dict[str, float]
    patience: float
    verify: bool
    programs: backup_programs.Programs

    def secrets(self) -> set[str]:
        """What must not be shown."""
        return self.vault.secrets() | self.programs.secrets()


def read_job(params: t.Mapping[str, t.Any], host: str) -> Job:
    """The options of the module backup.

    :raises ValueError: one sentence; nothing was done
    """
    for key, sentence in _REFUSED.items():
        if params.get(key):
            raise ValueError(sentence)
    paths = tuple(path.rstrip("/") or "/" for path in params["paths"])
    if not paths:
        raise ValueError("paths is empty; name what is to be kept")
    for path in paths:
        if not path.startswith("/"):
            raise ValueError(f"the path {path!r} is not absolute")
    name = check_name(params["name"])
    argv = ["--tag", name, "--host", host]
    for pattern in params["exclude"] or ():
        if pattern.endswith("/"):
            raise ValueError(f"exclude: restic cannot leave out directories alone; write {pattern.rstrip('/')!r} instead of {pattern!r}")
        argv += ["--exclude", pattern]
    if params["max_size"] is not None:
        argv += ["--exclude-larger-than", str(parse_size(params["max_size"]))]
    argv += ["--one-file-system"] if params["one_file_system"] else []
    argv += ["--force"] if params["paranoid"] else []
    return Job(
        read_vault(params["repository"], params["restic"]),
        name,
        host,
        paths,
        (*argv, "--", *paths),
        retention.read_policy(params["retention"], parse_duration),
        parse_duration(params["wait"]),
        params["verify"],
        backup_programs.read_programs(params),
    )


def backup(job: Job, tools: Tools, now: float, check_mode: bool = False, show: bool = False) -> dict[str, t.Any]:
    """As :func:`backup.backup`, of which this returns the same.

    restic before 0.17 takes a snapshot whatever it finds. So it is asked first what it would find, and a snapshot that holds the same as the
    one before is removed at once.

    :raises BackupError: one sentence; there is no snapshot
    """
    del now
    restic = Restic(job.vault, tools.run, tools.stream, job.patience, tools.pause)
    there = restic.exists()
    if not there and not check_mode:
        restic.create()
    before = restic.snapshots(job.name) if there else []
    complaints: list[str] = []
    if check_mode:
        summary, problems = restic.backup(job.argv, dry=True) if there else ({}, [])
        snapshot, lists = None, _would(job, restic, before[-1].id if before else "") if there else ([], [], [])
    else:
        summary, problems, snapshot, lists, complaints = _look(job, tools, restic, before[-1].id if before else "")
    changed = bool(snapshot or any(lists)) or (check_mode and not there)
    forgotten = _forget(job, restic, check_mode) if there or not check_mode else []
    damaged = [{"message": each, "snapshots": [], "paths": []} for each in restic.check(True)] if job.verify and not check_mode else []
    added, modified, removed = lists
    counts = {"added": len(added), "modified": len(modified), "removed": len(removed)}
    result = {
        "job": job.name,
        "snapshot": snapshot,
        **{key: paths[:MOST] for key, paths in zip(counts, lists)},
        "torn": [],
        "left_out": [],
        "problems": problems[:MOST],
        "streams": [],
        "remote": None,
        "stats": {**_stats(summary), **counts},
        "forgotten": forgotten,
        "damaged": damaged,
        "changed": changed or bool(forgotten),
        "text": "".join(f"{sign} {path}\n" for sign, paths in zip("+~-", lists) for path in paths[:MOST]) if show else "",
        "batch": "",
    }
    result["events"] = [] if check_mode else _events(result, job.verify, not before)
    if complaints or damaged:
        said = [*complaints, *(f"the repository is damaged: {each['message']}" for each in damaged[:1])]
        result.update(failed=True, msg=f"{'The snapshot was taken' if snapshot else 'Nothing had changed'}, but {'; '.join(said)}.")
    return result


Lists = t.Tuple[t.List[str], t.List[str], t.List[str]]


def _look(
    job: Job, tools: Tools, restic: Restic, before: str
) -> tuple[dict[str, t.Any], list[str], str | None, Lists, list[str]]:  # fmt: skip
    """The snapshot between its hooks: (restic's summary, problems, its id, what is new, what went wrong after it)."""
    problem: BackupError | None = None
    try:
        backup_programs.run_before(job.programs.before, tools.run)
        found = _take(job, restic, before)
    except BackupError as exc:
        problem = exc
    finally:
        complaints = backup_programs.run_after(job.programs.after, tools.run)
    if problem is not None:
        raise BackupError("; ".join([str(problem), *complaints])) from problem
    return (*found, complaints)


def _take(job: Job, restic: Restic, before: str) -> tuple[dict[str, t.Any], list[str], str | None, Lists]:
    nothing: Lists = ([], [], [])
    if before:
        summary, problems = restic.backup(job.argv, dry=True)
        if not any(summary.get(key) for key in ("files_new", "files_changed", "dirs_new", "dirs_changed")):
            return summary, problems, None, nothing
    summary, problems = restic.backup(job.argv)
    snapshot = next((each.id for each in restic.snapshots(job.name) if each.id.startswith(str(summary["snapshot_id"]))), None)
    if snapshot is None:
        raise BackupError("the snapshot that restic has taken is not among its snapshots")
    lists = _changes(job, restic, before, snapshot) if before else (_below(restic.nodes(snapshot), job), [], [])
    if before and not any(lists):
        restic.forget([snapshot])
        return summary, problems, None, nothing
    return summary, problems, snapshot, lists


def _changes(job: Job, restic: Restic, before: str, after: str) -> Lists:
    """What is new between two snapshots. Times alone are no change, and directories above the paths belong to nobody."""
    found = restic.changes(before, after)
    paths = _below(found, job)
    modified = [path for path in paths if found[path] in ("M", "T")]
    touched = [path for path in paths if found[path] == "U"]
    if touched:
        old, new = restic.nodes(before), restic.nodes(after)
        modified += [path for path in touched if _meaning(old.get(path)) != _meaning(new.get(path))]
    return [path for path in paths if found[path] == "+"], sorted(modified), [path for path in paths if found[path] == "-"]


def _would(job: Job, restic: Restic, before: str) -> Lists:
    """What would be new, without taking a snapshot: restic says which files it would read, not whether their contents differ."""
    items = restic.items(job.argv)
    old = restic.nodes(before) if before else {}
    seen = set(_below(items, job))
    new = sorted(path for path in seen if path not in old)
    return new, sorted(path for path in seen if path in old and items[path] == "modified" and old[path].get("type") != "dir"), (
        sorted(path for path in _below(old, job) if path not in seen and old[path].get("type") == "file")
    )  # fmt: skip


def _meaning(node: dict[str, t.Any] | None) -> tuple[t.Any, ...]:
    return () if node is None else tuple(node.get(key) for key in ("type", "mode", "uid", "gid", "linktarget", "device"))


def _below(paths: t.Iterable[str], job: Job) -> list[str]:
    return sorted(path for path in paths if any(path == root or path.startswith(root.rstrip("/") + "/") for root in job.paths))


def _forget(job: Job, restic: Restic, check_mode: bool) -> list[str]:
    if not job.policy:
        return []
    argv = ["--tag", job.name, "--host", job.host, "--group-by", ""]
    for rule, flag in _KEEP.items():
        if job.policy.get(rule):
            argv += [flag, str(int(job.policy[rule]))]
    if job.policy.get("within"):
        argv += ["--keep-within", f"{max(1, int(job.policy['within'] // 3600))}h"]
    # without --prune what they alone hold would stay
    return restic.forget([*argv, *([] if check_mode else ["--prune"])], check_mode)


def _stats(summary: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    added = int(summary.get("data_added") or 0)
    paths, size = int(summary.get("total_files_processed") or 0), int(summary.get("total_bytes_processed") or 0)
    return {"paths": paths, "bytes": size, "read_bytes": None, "new_bytes": added, "stored_bytes": None}


def _events(result: t.Mapping[str, t.Any], verified: bool, first: bool) -> list[dict[str, t.Any]]:
    events = backup_news.conditions(result, verified)
    if not result["snapshot"]:
        return events
    counts = {key: result["stats"][key] for key in ("added", "modified", "removed")}
    paths = [f"{sign} {path}" for sign, key in zip("+~-", counts) for path in result[key]][:20]
    event = backup_news.snapshot_event(result["snapshot"], counts, None if first else paths)
    return [{**event, "at": time.time()}, *events]
