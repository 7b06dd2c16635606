# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup has to tell: what a snapshot changed, once; what is not well, until it is.

The snapshots of a repository are the memory of what was to be told: the controller hands back the last one that it has, and all after it
are returned. What is not well is seen anew by every run.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.compare import differences
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import ID, Repository

_PATHS = 20  # that an event names
_MOST = 50  # snapshots that a run tells
_SIGNS = {"added": "+ ", "modified": "~ ", "removed": "- "}


def snapshots(repository: Repository, name: str, ids: t.Sequence[str], batch: str) -> list[dict[str, t.Any]]:
    """The events of snapshots, oldest first.

    :arg ids: of those that are to be told
    :arg batch: the last one that was received; without one only the newest is told
    """
    wanted = [each for each in ids if each > batch] if batch else list(ids[-1:])
    found = []
    for each in wanted[-_MOST:]:
        try:
            record = repository.record(name, each)
            counts = {key: int(record.get(key) or 0) for key in _SIGNS}
            parent = record.get("parent")
            if not parent:
                found.append(snapshot_event(each, counts, None))
                continue
            before = repository.record(name, str(parent)) if parent in ids else None
            paths = itertools.islice(differences(repository, record, before), _PATHS) if before else ()
            found.append(snapshot_event(each, counts, [f"{_SIGNS[kind]}{shown(path)}" for kind, path in paths]))
        except Damaged:
            continue  # what is damaged is said elsewhere
    return found


def snapshot_event(snapshot: str, counts: t.Mapping[str, int], paths: t.Sequence[str] | None) -> dict[str, t.Any]:
    """What a snapshot changed.

    :arg paths: each with a sign before it; None for the first snapshot, of which only the number of paths is told
    """
    at = retention.moment(snapshot) if ID.fullmatch(snapshot) else 0.0
    message = ", ".join(f"{counts[key]} {key}" for key in _SIGNS if counts[key]) or "nothing"
    if paths is None:
        message = f"first snapshot, of {counts['added']} paths"
    elif paths:
        more = sum(counts.values()) - len(paths)
        message += ":\n" + "\n".join(paths) + (f"\n... and {more} more" if more > 0 else "")
    return {"kind": "changed", "status": "firing", "severity": "info", "snapshot": snapshot, "at": at, "message": message}


def conditions(result: t.Mapping[str, t.Any], verified: bool) -> list[dict[str, t.Any]]:
    """The events of what is well or not in the result of a backup."""
    found = []
    remote = result.get("remote")
    if remote and remote["status"] in ("ok", "failed"):
        words = (
            f"{remote['pending']} files wait for {remote['path']}: {remote['message']}"
            if remote["status"] == "failed"
            else "all is uploaded"
        )
        found.append(_condition("remote", remote["status"] == "failed", "error", words))
    streams = [each for each in result["streams"] if each["status"] != "skipped"]
    torn = [f"{each['name']}: {each['message']}" for each in streams if each["status"] == "torn"]
    if streams:
        found.append(_condition("streams", bool(torn), "error", "; ".join(torn) or "all streams are whole"))
    problems = result["problems"]
    words = "; ".join(problems[:3]) + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")
    found.append(_condition("paths", bool(problems), "warning", words or "everything can be read"))
    if verified:
        damaged = result["damaged"]
        found.append(_condition("repository", bool(damaged), "critical", damaged[0]["message"] if damaged else "the repository is whole"))
    return found


def _condition(kind: str, bad: bool, severity: str, message: str) -> dict[str, t.Any]:
    return {"kind": kind, "status": "firing" if bad else "resolved", "severity": severity, "snapshot": None, "at": None, "message": message}


def warnings_of(result: t.Mapping[str, t.Any]) -> list[str]:
    """What somebody who looks at the screen must see."""
    problems = result["problems"]
    found: list[str] = list(problems[:10])
    if len(problems) > 10:
        found.append(f"{len(problems) - 10} more paths could not be read, see problems in the result")
    found += [
        f"{each['name']} is not whole, the version of before stays: {each['message']}"
        for each in result["streams"]
        if each["status"] == "torn"
    ]
    remote = result["remote"]
    if remote and remote["status"] == "failed":
        found.append(f"{remote['pending']} files wait to be uploaded to {remote['path']}: {remote['message']}")
    return found
