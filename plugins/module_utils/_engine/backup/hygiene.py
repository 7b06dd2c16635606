# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Giving back the room of what no snapshot needs any more: an archive of which less than half is needed is written anew.

The new file has a number behind the id (see :mod:`shelf`), and counts when its index is there, too; then the old one goes. So manifests
are not touched, and whenever the process ends every snapshot has all of its contents.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.archive import Writer
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import SUFFIXES, Codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import Places
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reader import Item, Reader, items
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository

_SMALL = 1 << 20  # bytes of an archive that is not worth the trouble
_MOST_BYTES = 256 << 20  # that are written in one run, but for the first archive
_MOST_ARCHIVES = 4
_FILE = b"0"
_EMPTY = hashlib.sha256().digest()


class Needed:
    """What the snapshots need of one archive.

    :ivar contents: sha256; :ivar paths: of what has no content, and of other names of files
    """

    def __init__(self) -> None:
        self.contents: set[bytes] = set()
        self.paths: set[bytes] = set()


def slim(repository: Repository, how: Codec, workers: int = 2, small: int = _SMALL) -> list[str]:
    """Write archives anew of which less than half is needed; a few at most, the others are for the next time.

    :arg how: to press them
    :arg small: bytes up to which an archive is left as it is
    :return: sentences about those where that was not possible; they are as they were
    """
    shelf = repository.shelf
    try:
        records = [repository.record(name, each) for name in repository.names() for each in repository.ids(name)]
        waste = _wasteful(repository, records, small)
        needed = _needed(repository, records, waste)
    except Damaged:
        return []  # nobody knows what is needed; whoever looks for damages says so
    said, written = [], 0
    for archive in sorted(waste, key=lambda each: -os.path.getsize(shelf.path_of(each)))[:_MOST_ARCHIVES]:
        try:
            places = shelf.places(archive, keep=False)
            total = sum(place.size for place in places.values())
            live = sum(place.size for sha256, place in zip(places, places.values()) if sha256 in needed[archive].contents)
            if live * 2 >= total or (written and written + live > _MOST_BYTES):
                continue
            written += live
            _rewrite(repository, archive, places, needed[archive], how, workers)
        except (BackupError, OSError) as exc:
            why = exc if isinstance(exc, BackupError) else os.strerror(exc.errno or 0).lower()
            said.append(f"the archive {archive}, of which less than half is needed, could not be written anew: {why}")
    return said


def _wasteful(repository: Repository, records: t.Sequence[t.Mapping[str, t.Any]], small: int) -> set[str]:
    """The archives of which no snapshot alone needs half, as far as the records tell."""
    most: dict[str, int] = {}
    for record in records:
        uses = record.get("uses")
        for archive in record["archives"]:
            # a record that does not say how much: the manifests will tell
            most[archive] = max(most.get(archive, 0), int(uses.get(archive, 0)) if isinstance(uses, dict) else 0)
    found = set()
    for archive, used in most.items():
        path = repository.shelf.path_of(archive)
        if os.path.exists(path) and os.path.getsize(path) >= small:
            with contextlib.suppress(Damaged):  # it stays as it is
                if used * 2 < sum(place.size for place in repository.shelf.places(archive, keep=False).values()):
                    found.add(archive)
    return found


def _needed(repository: Repository, records: t.Sequence[t.Mapping[str, t.Any]], archives: set[str]) -> dict[str, Needed]:
    found = {archive: Needed() for archive in archives}
    for record in records:
        if not archives.intersection(record["archives"]):
            continue
        for row, _line in repository.rows(record):
            archive, sha256 = row.get("archive"), row.get("sha256")
            if sha256 and archive in found:
                found[archive].contents.add(bytes.fromhex(sha256))
            if sha256 and "hardlink" not in row:
                continue
            path = os.fsencode(row["path"]).strip(b"/") or b"."
            if not sha256 and archive:
                if archive in found:
                    found[archive].paths.add(path)
            else:  # other names of files, and rows of old, do not say in which archive they are
                for needed in found.values():
                    needed.paths.add(path)
    return found


def _rewrite(repository: Repository, archive: str, places: Places, needed: Needed, how: Codec, workers: int) -> None:
    """Write one archive anew.

    :raises BackupError, OSError: it is as it was
    """
    shelf = repository.shelf
    path = shelf.path_of(archive)
    room = os.statvfs(shelf.path)
    if room.f_bavail * room.f_frsize < os.path.getsize(path):
        raise BackupError("there is no room for its copy")
    plain = path.endswith(SUFFIXES["none"])
    known = {_key(place.at, place.skip, plain): sha256 for sha256, place in zip(places, places.values())}
    reader = Reader(path, archive)
    try:
        with Pending(repository.scratch(), shelf.fresh(archive, how.suffix)) as pending:
            writer = Writer(pending.file, workers, how)
            try:
                _copy(reader, writer, known, needed, plain)
                writer.close()
            finally:
                writer.abandon()
            pending.commit()
            place = pending.place
    finally:
        reader.close()
    with Pending(repository.scratch(), shelf.index_for(place)) as pending:
        pending.file.write(writer.index())
        pending.commit()
    shelf.changed()
    repository.sweep()


def _copy(reader: Reader, writer: Writer, known: t.Mapping[t.Any, bytes], needed: Needed, plain: bool) -> None:
    missing = needed.contents.intersection(known.values())
    for item in items(reader):
        if item.head.kind != _FILE:
            if item.head.path in needed.paths:
                writer.copy(item.head.raw, (), content=False)
            continue
        sha256 = _content_of(item, known, plain)
        if sha256 in missing:
            missing.discard(sha256)
            if writer.copy(item.head.raw, item.pieces) != sha256.hex():
                raise Damaged("a content in it is not what was backed up")
    if missing:
        raise Damaged("it lacks contents of its index")


def _content_of(item: Item, known: t.Mapping[t.Any, bytes], plain: bool) -> bytes:
    return known.get(_key(item.at, item.skip, plain), b"") if item.head.size else _EMPTY


def _key(at: int, skip: int, plain: bool) -> t.Any:
    """What tells a content in an archive. One that is not pressed has blocks only in its index."""
    return at + skip if plain else (at, skip)
