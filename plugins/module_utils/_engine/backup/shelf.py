# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archives of a repository and their indexes.

An archive ID is ``ID.tar.gz`` (or ``.tar.zst``, ``.tar``) with ``ID.jsonl.gz``. When most of what it holds is not needed any more it is written
anew as ``ID.1.tar.gz`` with ``ID.1.jsonl.gz``, then ``ID.2``, so that no file ever changes under its name. The highest number that has both
counts; a process that dies between the two leaves the old pair, which counts until then. Manifests name the ID and need not be touched.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import Places, PlacesWriter, read_hashes, read_index
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reader import Reader, places_of

_FILE = re.compile(r"(?P<id>[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})(?:\.(?P<number>[0-9]+))?(?P<kind>\.tar\.gz|\.tar\.zst|\.tar|\.jsonl\.gz)")
_INDEX = ".jsonl.gz"


class Shelf:
    """The directory ``archives``.

    :arg scratch: directory for unfinished files
    :ivar mended: sentences about indexes that had to be made anew of their archives, on the disk or for this run
    """

    def __init__(self, path: str, scratch: str) -> None:
        self.path, self._scratch = path, scratch
        self._found: dict[str, dict[int, dict[str, str]]] | None = None
        self._places: dict[str, Places] = {}
        self._writable = False
        self.mended: list[str] = []

    def forget(self, writable: bool = False) -> None:
        """Look at the disk again.

        :arg writable: nobody else writes, so what is broken can be mended
        """
        self._found, self._places, self._writable = None, {}, writable

    def changed(self) -> None:
        """There is another file."""
        self._found = None

    def ids(self) -> list[str]:
        """Of all archives, oldest first."""
        return sorted(each for each, numbers in self._all().items() if any(_tar(kinds) for kinds in numbers.values()))

    def path_of(self, archive: str) -> str:
        """The file of an archive; where there is none, the one that is missed."""
        path = os.path.join(self.path, _tar(self._best(archive)) or f"{archive}.tar.gz")
        if os.path.exists(path):
            return path
        self.changed()  # another process wrote it, or wrote it anew
        return os.path.join(self.path, _tar(self._best(archive)) or f"{archive}.tar.gz")

    def index_of(self, archive: str) -> str:
        """The file of its index."""
        return self.index_for(self.path_of(archive))

    def index_for(self, path: str) -> str:
        """The index that belongs to the file of an archive."""
        return re.sub(r"\.tar(\.\w+)?$", _INDEX, path)

    def mend(self) -> None:
        """Make the indexes anew that are not there."""
        for archive in [each for each in self.ids() if _INDEX not in self._best(each)]:
            with contextlib.suppress(Damaged):  # whoever needs it says so
                self.places(archive, keep=False)

    def fresh(self, archive: str, suffix: str) -> str:
        """The file that an archive is written to next: the first, or one with a number."""
        numbers = self._all().get(archive)
        return os.path.join(self.path, f"{archive}.{max(numbers) + 1}{suffix}" if numbers else f"{archive}{suffix}")

    def places(self, archive: str, keep: bool = True) -> Places:
        """Where each content lies in an archive. An index that is lost or damaged is made anew of its archive.

        :arg keep: remember it for the next time
        :raises Damaged: neither can be read
        """
        found = self._places.get(archive)
        if found is None:
            try:
                found = read_index(self._bytes(archive), archive)
            except Damaged as exc:
                found = self._mend(archive, exc)
            if keep:
                self._places[archive] = found
        return found

    def hashes(self, archive: str) -> set[bytes]:
        """The sha256 of all contents of an archive.

        :raises Damaged: as :meth:`places`
        """
        try:
            return read_hashes(self._bytes(archive), archive)
        except Damaged:
            return set(self.places(archive, keep=False))

    def sweep(self, used: t.Container[str]) -> None:
        """Remove archives that are not used, and of one that was written anew all files but those that count, if these are whole."""
        for archive, numbers in self._all().items():
            best = self._best(archive)
            for kinds in numbers.values():
                for name in kinds.values():
                    if archive not in used or (kinds is not best and len(best) > 1):
                        os.unlink(os.path.join(self.path, name))
        self._found = None

    def _bytes(self, archive: str) -> bytes:
        try:
            with open(self.index_of(archive), "rb") as source:
                return source.read()
        except OSError as exc:
            raise Damaged(f"the index of the archive {archive} cannot be read: {os.strerror(exc.errno or 0).lower()}") from exc

    def _mend(self, archive: str, why: Damaged) -> Places:
        reader = Reader(self.path_of(archive), archive)
        try:
            found = places_of(reader, archive)
        finally:
            reader.close()
        if self._writable:
            index = PlacesWriter()
            for number, (sha256, place) in enumerate(zip(found, found.values())):
                index.begins(place.at)
                index.add(sha256, number, place.skip, place.size)
            with Pending(self._scratch, self.index_of(archive)) as pending:
                pending.file.write(index.close())
                pending.commit()
            self.changed()
        self.mended.append(
            f"{why}; it was made anew of the archive" + ("" if self._writable else " for now, and will be by the next backup")
        )
        return found

    def _all(self) -> dict[str, dict[int, dict[str, str]]]:
        """id -> number -> kind -> name."""
        if self._found is None:
            found: dict[str, dict[int, dict[str, str]]] = {}
            try:
                names = os.listdir(self.path)
            except FileNotFoundError:
                names = []
            except OSError as exc:
                raise refusal(exc, self.path, "read") from exc
            for name in names:
                match = _FILE.fullmatch(name)
                if match:
                    found.setdefault(match["id"], {}).setdefault(int(match["number"] or 0), {})[match["kind"]] = name
            self._found = found
        return self._found

    def _best(self, archive: str) -> dict[str, str]:
        numbers = self._all().get(archive, {})
        whole = [number for number, kinds in numbers.items() if _INDEX in kinds and len(kinds) > 1]
        some = [number for number, kinds in numbers.items() if _tar(kinds)]
        return numbers[max(whole or some)] if whole or some else {}


def _tar(kinds: dict[str, str]) -> str | None:
    return next((name for kind, name in kinds.items() if kind != _INDEX), None)
