# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a repository is what was written into it."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import Stored
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reader import Reader
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository

_PIECE = 1 << 20
_MOST_PATHS = 1000


class Problem(t.NamedTuple):
    """Something that is not as it was written.

    :ivar what: one sentence; :ivar snapshots: ids of those that it touches; :ivar paths: whose content is lost, at most 1000
    """

    what: str
    snapshots: tuple[str, ...]
    paths: tuple[str, ...]


def verify(repository: Repository, names: t.Sequence[str], full: bool = True) -> list[Problem]:
    """Look at records, manifests, and archives.

    :arg full: read every content back and compare its sha256; else sizes and the hashes of records and manifests alone
    """
    problems: list[Problem] = []
    wanted: dict[str, dict[str, list[tuple[str, str]]]] = {}  # archive -> sha256 -> (snapshot, path)
    for name in names:
        for record_id in repository.ids(name):
            try:
                _look_at(repository, name, record_id, wanted)
            except Damaged as exc:
                problems.append(Problem(str(exc), (record_id,), ()))
    for archive in sorted(wanted):
        problems += _archive(repository, archive, wanted[archive], full)
    problems += [Problem(each, (), ()) for each in repository.shelf.mended]
    repository.shelf.mended.clear()
    return problems


def _look_at(repository: Repository, name: str, record_id: str, wanted: dict[str, dict[str, list[tuple[str, str]]]]) -> None:
    record = repository.record(name, record_id)
    place = repository.manifest(record_id)
    if not os.path.exists(place):
        raise Damaged(f"the manifest of the snapshot {record_id} is missing")
    if _hash(place) != record.get("manifest", {}).get("sha256"):
        raise Damaged(f"the manifest of the snapshot {record_id} is not what was written")
    for row in repository.rows(record):
        archive, sha256 = row.row.get("archive"), row.row.get("sha256")
        if archive and sha256:
            wanted.setdefault(archive, {}).setdefault(sha256, []).append((record_id, row.row["path"]))


def _archive(repository: Repository, archive: str, contents: dict[str, list[tuple[str, str]]], full: bool) -> list[Problem]:
    try:
        places = repository.contents(archive)
        size = os.path.getsize(repository.archive(archive))
    except (Damaged, OSError) as exc:
        what = str(exc) if isinstance(exc, Damaged) else f"the archive {archive} is missing"
        return [_problem(what, [user for users in contents.values() for user in users])]
    problems = []
    found = {sha256: places.get(sha256) for sha256 in contents}
    lost = [sha256 for sha256, place in found.items() if place is None or place.at >= size]
    if lost:
        problems.append(_problem(f"the archive {archive} lacks contents", [user for sha256 in lost for user in contents[sha256]]))
    if full:
        bad = _read_all(repository, archive, {sha256: place for sha256, place in found.items() if place is not None})
        problems += [_problem(f"a content in the archive {archive} is not what was backed up", contents[sha256]) for sha256 in bad]
    return problems


def _read_all(repository: Repository, archive: str, places: dict[str, Stored]) -> list[str]:
    """The sha256 of the contents that do not come back as they went."""
    bad = []
    reader = Reader(repository.archive(archive), archive)
    try:
        for sha256, place in sorted(places.items(), key=lambda pair: pair[1]):
            digest = hashlib.sha256()
            try:
                for piece in reader.read(place):
                    digest.update(piece)
            except Damaged:
                digest = hashlib.sha256(b"damaged")
                reader.close()
                reader = Reader(repository.archive(archive), archive)
            if digest.hexdigest() != sha256:
                bad.append(sha256)
    finally:
        reader.close()
    return bad


def _problem(what: str, users: t.Sequence[tuple[str, str]]) -> Problem:
    paths = sorted({path for _snapshot, path in users})
    sentence = f"{what}; it touches {', '.join(shown(path) for path in paths[:3])}" + (
        f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    )
    return Problem(sentence, tuple(sorted({snapshot for snapshot, _path in users})), tuple(paths[:_MOST_PATHS]))


def _hash(place: str) -> str:
    digest = hashlib.sha256()
    with open(place, "rb") as source:
        while True:
            piece = source.read(_PIECE)
            if not piece:
                return digest.hexdigest()
            digest.update(piece)
