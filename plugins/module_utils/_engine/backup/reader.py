# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading contents out of an archive, and all of its tar."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import SUFFIXES, Blocks
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import Places, Stored
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.tarhead import BLOCK, Head, read_head

_FILE = b"0"
_PIECE = 1 << 20


class Reader:
    """Reads contents out of one archive; cheapest in the order in which they lie there.

    :arg path: of the file, whose name says how it is pressed; :arg archive: its id
    """

    def __init__(self, path: str, archive: str) -> None:
        self._archive = archive
        suffix = next((each for each in SUFFIXES.values() if path.endswith(each)), ".tar.gz")
        try:
            self._file: t.BinaryIO = open(path, "rb")  # noqa: SIM115 - it lives as long as this object
        except OSError as exc:
            raise Damaged(f"the archive {archive} cannot be opened: {os.strerror(exc.errno or 0).lower()}") from exc
        self.blocks = Blocks(self._file, suffix, archive)
        self._at = -1
        self._taken = 0
        self._source: t.Iterator[bytes] = iter(())
        self._rest: memoryview | bytes = b""

    def read(self, place: Stored) -> t.Iterator[bytes]:
        """A content, piece by piece; read it to its end before the next one.

        :raises Damaged: the archive cannot be read there
        """
        if place.at != self._at or place.skip < self._taken:
            self.seek(place.at)
        self._skip(place.skip - self._taken)
        left = place.size
        while left > 0:
            piece = self._next(left)
            left -= len(piece)
            yield bytes(piece)

    def seek(self, at: int) -> None:
        """Go to the begin of a block."""
        self._at, self._taken, self._rest = at, 0, b""
        self._source = self.blocks.read(at)

    def take(self, count: int) -> bytes:
        """So many bytes from here.

        :raises Damaged: there are not so many
        """
        pieces = []
        while count > 0:
            piece = self._next(min(count, _PIECE))
            count -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def here(self) -> tuple[int, int]:
        """(offset of the block, bytes of its tar before) of what comes next."""
        if not self._rest:
            self._fill()
        return self._at, self._taken

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(self._next(count))

    def _fill(self) -> None:
        piece = next(self._source, b"")
        if not piece:
            raise Damaged(f"the archive {self._archive} ends too early")
        self._rest = memoryview(piece)
        if self.blocks.at != self._at:
            self._at, self._taken = self.blocks.at, 0

    def _next(self, most: int) -> memoryview | bytes:
        if not self._rest:
            self._fill()
        piece, self._rest = self._rest[:most], self._rest[most:]
        self._taken += len(piece)
        return piece


class Item(t.NamedTuple):
    """A path in a tar.

    :ivar at, skip: where its content begins; :ivar pieces: its content, to be read to its end before the next one
    """

    head: Head
    at: int
    skip: int
    pieces: t.Iterator[bytes]


def items(reader: Reader) -> t.Iterator[Item]:
    """All of a tar, from its begin to its end.

    :raises Damaged: it cannot be read to its end
    """
    reader.seek(0)
    while True:
        try:
            head = read_head(reader.take)
        except ValueError as exc:
            raise Damaged(f"the tar of {reader._archive} is damaged: {exc}") from exc
        if head is None:
            return
        size = head.size if head.kind == _FILE else 0
        at, skip = reader.here()
        pieces = _content(reader, size)
        yield Item(head, at, skip, pieces)
        for _piece in pieces:  # what the caller left
            pass


def _content(reader: Reader, size: int) -> t.Iterator[bytes]:
    left = size
    while left > 0:
        piece = reader.take(min(left, _PIECE))
        left -= len(piece)
        yield piece
    reader.take(-size % BLOCK)


def places_of(reader: Reader, archive: str) -> Places:
    """The index of an archive, of the archive alone.

    :raises Damaged: it cannot be read to its end
    """
    found = Places(archive)
    for item in items(reader):
        if item.head.kind != _FILE:
            continue
        digest = hashlib.sha256()
        for piece in item.pieces:
            digest.update(piece)
        found.put(digest.digest(), item.at, item.skip, item.head.size)
    return found
