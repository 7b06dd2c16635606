# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where each content begins in an archive: its index, one line of JSON a content."""

from __future__ import annotations

import array
import gzip
import io
import json
import re
import struct
import typing as t
import zlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged

_PACKED = struct.Struct("=32sIQQ")
_PIECE = 1 << 18
_LINE = re.compile(rb'\{"sha256": "([0-9a-f]{64})", "at": (\d+), "skip": (\d+), "size": (\d+)\}\n')


class Stored(t.NamedTuple):
    """Where a content lies.

    :ivar archive: id of the archive; :ivar at: offset in its file of the block in which it begins
    :ivar skip: bytes of the tar in that block before it; :ivar size: bytes
    """

    archive: str
    at: int
    skip: int
    size: int


class Places:
    """sha256 -> where it lies, of one archive, in 200 bytes each."""

    def __init__(self, archive: str) -> None:
        self.archive = archive
        self._numbers: dict[bytes, int] = {}
        self._values = array.array("Q")

    def put(self, sha256: bytes, at: int, skip: int, size: int) -> None:
        self._numbers[sha256] = len(self._values)
        self._values.extend((at, skip, size))

    def get(self, sha256: str) -> Stored | None:
        number = self._numbers.get(bytes.fromhex(sha256))
        return None if number is None else self._stored(number)

    def __contains__(self, sha256: str) -> bool:
        return bytes.fromhex(sha256) in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> t.Iterator[bytes]:
        """The hashes, as bytes."""
        return iter(self._numbers)

    def values(self) -> t.Iterator[Stored]:
        return (self._stored(number) for number in self._numbers.values())

    def _stored(self, number: int) -> Stored:
        return Stored(self.archive, *self._values[number : number + 3])


class PlacesWriter:
    """Gathers what an index says while the archive is written: the place of a block is known later than its contents."""

    def __init__(self) -> None:
        self._packed = bytearray()
        self._begins = array.array("Q")

    def add(self, sha256: bytes, block: int, skip: int, size: int) -> None:
        self._packed += _PACKED.pack(sha256, block, skip, size)

    def begins(self, at: int) -> None:
        """Where the next block begins."""
        self._begins.append(at)

    def close(self) -> bytes:
        """The file."""
        maker = zlib.compressobj(1, zlib.DEFLATED, 31)
        pieces, lines = [], []
        for sha256, block, skip, size in _PACKED.iter_unpack(self._packed):
            lines.append(b'{"sha256": "%s", "at": %d, "skip": %d, "size": %d}\n' % (sha256.hex().encode(), self._begins[block], skip, size))
            if len(lines) >= 4096:
                pieces.append(maker.compress(b"".join(lines)))
                lines = []
        pieces.append(maker.compress(b"".join(lines)))
        return b"".join(pieces) + maker.flush()


def read_hashes(data: bytes, archive: str) -> set[bytes]:
    """The hashes alone: which contents an archive holds.

    :raises Damaged: it cannot be read
    """
    found: set[bytes] = set()
    for rows in _rows(data, archive):
        found.update(bytes.fromhex(row[0].decode("ascii")) for row in rows)
    return found


def read_index(data: bytes, archive: str) -> Places:
    """The index of an archive.

    :raises Damaged: it cannot be read
    """
    found = Places(archive)
    for rows in _rows(data, archive):
        for sha256, at, skip, size in rows:
            found.put(bytes.fromhex(sha256.decode("ascii")), int(at), int(skip), int(size))
    return found


def _rows(data: bytes, archive: str) -> t.Iterator[list[tuple[bytes, bytes, bytes, bytes]]]:
    """(sha256, at, skip, size) as text, a few thousand at a time.

    :raises Damaged: it cannot be read
    """
    try:
        if not data:
            raise ValueError("it is empty")
        with gzip.open(io.BytesIO(data)) as source:
            rest = b""
            while True:
                piece = source.read(_PIECE)
                text, _end, rest = (rest + piece).rpartition(b"\n") if piece else (rest, b"", b"")
                rows = _LINE.findall(text + b"\n") if text else []
                if len(rows) != text.count(b"\n") + bool(text):
                    rows = [_row(json.loads(line)) for line in text.splitlines()]  # another hand wrote it
                yield rows
                if not piece:
                    return
    except (OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, zlib.error) as exc:
        raise Damaged(f"the index of the archive {archive} cannot be read: {exc}") from exc


def _row(row: t.Mapping[str, t.Any]) -> tuple[bytes, bytes, bytes, bytes]:
    values = [b"%d" % int(row[key]) for key in ("at", "skip", "size")]
    return bytes.fromhex(row["sha256"]).hex().encode("ascii"), values[0], values[1], values[2]
