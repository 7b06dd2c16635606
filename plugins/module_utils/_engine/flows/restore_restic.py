# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use cases behind the modules restore and backup_info with engine restic."""

from __future__ import annotations

import calendar
import os
import re
import shutil
import stat
import tempfile
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.content import xattrs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import KINDS, Entry, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restic import Node, Restic, Run, Snapshot, Stream, Vault, read_vault
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.target import Parents, Replaced, Target
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Found, seen
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup import MOST
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.moments import read_moment

_TYPES = {"dir": "directory", "dev": "block_device", "chardev": "character_device"}
_INCLUDES = 100  # paths that restic is told one by one
_PIECE = 1 << 20
# bits of Go's FileMode
_SETUID, _SETGID, _STICKY = 1 << 23, 1 << 22, 1 << 20


class Request(t.NamedTuple):
    """What a restore is asked to do, read and checked."""

    vault: Vault
    name: str
    snapshot: str | None
    at: float | None
    paths: tuple[str, ...]
    dest: str | None
    keep: bool
    devices: bool

    def secrets(self) -> set[str]:
        """What must not be shown."""
        return self.vault.secrets()


def read_request(params: t.Mapping[str, t.Any]) -> Request:
    """The options of the module restore.

    :raises ValueError: one sentence; nothing was done
    """
    vault = read_source(params)
    if params["exact"]:
        raise ValueError("exact needs engine archive, as restic does not say what was left out of a snapshot")
    for key in ("paths", "dest"):
        for path in (params[key] or ()) if key == "paths" else filter(None, (params[key],)):
            if not path.startswith("/"):
                raise ValueError(f"{key}: {path!r} is no absolute path")
    at = None if params["at"] is None else read_moment(params["at"])
    paths = tuple(os.path.normpath(path) for path in params["paths"] or ())
    return Request(vault, check_name(params["name"]), params["snapshot"], at, paths, params["dest"], params["backup"], params["devices"])


def read_source(params: t.Mapping[str, t.Any]) -> Vault:
    """The repository of the module backup_info.

    :raises ValueError: one sentence without secrets
    """
    if params["remote"] is not None or params["repository"] is None:
        raise ValueError("restic has remotes of its own; name one as repository, such as rclone:s3store:bucket/host")
    return read_vault(params["repository"], params["restic"])


def info(vault: Vault, name: str | None, check: str, run: Run, stream: Stream) -> dict[str, t.Any]:
    """As :func:`restore.info`."""
    restic = Restic(vault, run, stream)
    if not restic.exists():
        raise BackupError("there is no repository of restic")
    snapshots = [_described(each) for each in restic.snapshots(name)]
    problems = [] if check == "none" else restic.check(check == "full")
    return {"snapshots": snapshots, "problems": [{"message": each, "snapshots": [], "paths": []} for each in problems]}


def _described(snapshot: Snapshot) -> dict[str, t.Any]:
    """As restic keeps no counts, those are null."""
    found: dict[str, t.Any] = dict.fromkeys(("parent", "added", "modified", "removed", "stats"))
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(snapshot.at))
    found.update(id=snapshot.id, name=snapshot.name, time=moment, host=snapshot.host, torn=[])
    return found


def restore(request: Request, run: Run, check_mode: bool, show: bool, stream: Stream) -> dict[str, t.Any]:
    """As :func:`restore.restore`, but that a file whose size and times are those of the snapshot counts as the same.

    restic before 0.17 writes all of a snapshot in place, through whatever links are there. So what differs is restored aside, and each file
    then takes its place as with the other engine.

    :raises BackupError: one sentence
    """
    restic = Restic(request.vault, run, stream)
    if not restic.exists():
        raise BackupError("there is no repository of restic")
    chosen = _chosen(restic.snapshots(request.name), request)
    work = _Work(request, chosen)
    steps = work.plan(restic.nodes(chosen.id))
    if steps and not check_mode:
        work.run(restic, steps)
    restored = [shown(work.place(path)) for path in steps]
    return {
        "changed": bool(steps),
        "snapshot": chosen.id,
        "restored": restored[:MOST],
        "removed": [],
        "kept": [shown(path) for path in work.kept],
        "warnings": work.warnings,
        "stats": {"restored": len(steps), "removed": 0},
        "text": "".join(f"~ {path}\n" for path in restored[:MOST]) if show else "",
    }


def _chosen(snapshots: t.Sequence[Snapshot], request: Request) -> Snapshot:
    if not snapshots:
        raise BackupError(f"the repository has no snapshot of {request.name!r}")
    if request.snapshot is not None:
        found = [each for each in snapshots if len(request.snapshot) >= 8 and each.id.startswith(request.snapshot)]
        if not found:
            raise BackupError(f"there is no snapshot {request.snapshot!r} of {request.name}; the newest is {snapshots[-1].id[:8]}")
        return found[0]
    before = [each for each in snapshots if request.at is None or each.at <= request.at]
    if not before:
        raise BackupError(f"the oldest snapshot of {request.name}, {snapshots[0].id[:8]}, is younger than that")
    return before[-1]


class _Work:
    """One snapshot on its way back."""

    def __init__(self, request: Request, snapshot: Snapshot) -> None:
        self._request, self._snapshot = request, snapshot
        self._roots = [root.rstrip("/") or "/" for root in snapshot.paths]
        self.kept: list[str] = []
        self.warnings: list[str] = []

    def place(self, path: str) -> str:
        """Where a path is put."""
        return os.path.join(self._request.dest, path.lstrip("/")) if self._request.dest else path

    def plan(self, nodes: t.Mapping[str, Node]) -> list[str]:
        """The paths that are not there as they should be, directories first."""
        wanted = [
            path for path in nodes if _is_below(path, self._roots) and (not self._request.paths or _is_below(path, self._request.paths))
        ]
        for wish in self._request.paths:
            if wish not in nodes:
                raise BackupError(f"the snapshot {self._snapshot.id[:8]} holds no {wish}")
        steps = []
        for path in sorted(wanted):
            kind = _TYPES.get(str(nodes[path].get("type")), str(nodes[path].get("type")))
            if path != os.path.normpath(path) or kind == "socket":
                continue
            if kind.endswith("_device") and not self._request.devices:
                self.warnings.append(f"{shown(path)} is a device and left out; ask for devices to have it back")
            elif not _is_there(self.place(path), nodes[path], kind):
                steps.append(path)
        return sorted(steps, key=lambda path: (nodes[path].get("type") != "dir", path))

    def run(self, restic: Restic, steps: t.Sequence[str]) -> None:
        """Put them back.

        :raises BackupError: restic cannot read them, or they cannot be written
        """
        dest = self._request.dest
        if dest:
            os.makedirs(dest, 0o700, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix=".vigil-", dir=dest or ("/var/tmp" if os.access("/var/tmp", os.W_OK) else None))
        try:
            many = len(steps) > _INCLUDES
            restic.restore(self._snapshot.id, scratch, (self._request.paths or self._roots) if many else steps)
            self._put_all(Target(dest or "/"), scratch, steps)
        except OSError as exc:
            raise refusal(exc, str(exc.filename or dest or "/"), "restored") from exc
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _put_all(self, target: Target, scratch: str, steps: t.Sequence[str]) -> None:
        replaced: list[Replaced] = []
        folders: list[Entry] = []
        try:
            with Parents(target) as parents:
                for path in steps:
                    source = os.path.join(scratch, path.lstrip("/"))
                    entry = _entry(source, path)
                    parent = parents.of(path.lstrip("/"), self._loose(path))
                    if entry.kind == "directory":
                        folders.append(entry)
                    elif self._request.keep:
                        self._set_aside(path, parent[0])
                    target.put(entry, path.lstrip("/"), parent, replaced, _pieces(source) if entry.kind == "file" else ())
            target.replace(replaced)
            with Parents(target) as parents:
                for entry in reversed(folders):
                    target.finish(entry, entry.path.lstrip("/"), parents.of(entry.path.lstrip("/"), self._loose(entry.path)))
            target.sync()
        finally:
            target.discard(replaced)
        self.warnings += target.warnings

    def _set_aside(self, path: str, handle: int) -> None:
        name = os.path.basename(path)
        other = f"{name}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
        try:
            os.rename(name, other, src_dir_fd=handle, dst_dir_fd=handle)
        except FileNotFoundError:
            return
        self.kept.append(os.path.join(os.path.dirname(self.place(path)), other))

    def _loose(self, path: str) -> int:
        """How many parts of a path may be symlinks: those above what was backed up, in their own places."""
        roots = [root for root in self._roots if _is_below(path, [root])]
        return 0 if self._request.dest or not roots else min(roots, key=len).lstrip("/").count("/")


def _is_below(path: str, roots: t.Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _is_there(place: str, node: Node, kind: str) -> bool:
    try:
        status = os.lstat(place)
        if KINDS.get(stat.S_IFMT(status.st_mode)) != kind or (
            os.geteuid() == 0 and (status.st_uid, status.st_gid) != (node["uid"], node["gid"])
        ):
            return False
        if kind == "symlink":
            return "linktarget" not in node or os.readlink(place) == node["linktarget"]
        mode = int(node["mode"])
        bits = (mode & 0o777) | (0o4000 if mode & _SETUID else 0) | (0o2000 if mode & _SETGID else 0) | (0o1000 if mode & _STICKY else 0)
        if stat.S_IMODE(status.st_mode) != bits:
            return False
        return kind != "file" or (status.st_size == node.get("size", 0) and status.st_mtime_ns == _nanoseconds(str(node["mtime"])))
    except (OSError, KeyError, ValueError):
        return False


def _nanoseconds(text: str) -> int:
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return -1
    zone = match.group(3)
    offset = 0 if zone == "Z" else (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * (-1 if zone[0] == "-" else 1)
    whole = calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")) - offset
    return whole * 10**9 + int((match.group(2) or "0").ljust(9, "0"))


def _entry(source: str, path: str) -> Entry:
    status = os.lstat(source)
    entry = seen(Found(source, KINDS[stat.S_IFMT(status.st_mode)], status))
    entry.path, entry.xattrs, entry.hardlink = path, xattrs(source), None
    return entry


def _pieces(source: str) -> t.Iterator[bytes]:
    with open(source, "rb") as file:
        while True:
            piece = file.read(_PIECE)
            if not piece:
                return
            yield piece
