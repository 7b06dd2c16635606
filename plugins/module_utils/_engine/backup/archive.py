# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives: an ordinary tar.gz of what is new in a snapshot, and a list of what lies where in it.

An archive is a row of gzip members of about a MiB each (RFC 1952, section 2.2: several members are one stream), so that all cores can press
them and one file can be read without the rest. The tar is in the pax format (POSIX.1-2001). ``tar xzf`` needs to know nothing of this.
"""

from __future__ import annotations

import concurrent.futures
import gzip
import hashlib
import json
import os
import tarfile
import typing as t
import zlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged

_BLOCK = 1 << 20
_LEVEL = 4  # twice as fast as 6 for 3 % more bytes on configuration files
_PIECE = 1 << 20
_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "fifo": tarfile.FIFOTYPE,
    "character_device": tarfile.CHRTYPE,
    "block_device": tarfile.BLKTYPE,
}


class Stored(t.NamedTuple):
    """Where a content lies.

    :ivar archive: id of the archive; :ivar at: offset of the gzip member in which it begins
    :ivar skip: bytes of that member's tar data before it; :ivar size: bytes
    """

    archive: str
    at: int
    skip: int
    size: int


class Writer:
    """Writes one archive.

    :arg file: open for writing, at its begin
    :arg workers: threads that press
    """

    def __init__(self, file: t.BinaryIO, workers: int = 2, level: int = _LEVEL) -> None:
        self._file = file
        self._level = level
        self._pool = concurrent.futures.ThreadPoolExecutor(max(1, workers))
        self._most = max(1, workers) * 2
        self._jobs: list[concurrent.futures.Future[bytes]] = []
        self._buffer: list[bytes] = []
        self._held = 0
        self._blocks: list[int] = []  # where each gzip member begins
        self._begun = 0
        self._digest = hashlib.sha256()
        self.bytes = 0  # written so far
        self._contents: list[tuple[str, int, int, int]] = []

    def add(self, entry: Entry, pieces: t.Iterable[bytes] = ()) -> str:
        """Append a path, of a file with exactly ``entry.size`` bytes; returns the sha256 of the content that was written."""
        digest = hashlib.sha256()
        self._write(header(entry))
        if entry.kind == "file" and entry.hardlink is None:
            place = (self._begun, self._held)
            size = 0
            for piece in pieces:
                digest.update(piece)
                self._write(piece, whole=True)
                size += len(piece)
            self._write(bytes(-size % tarfile.BLOCKSIZE), whole=True)
            self._contents.append((digest.hexdigest(), *place, size))
        if self._held >= _BLOCK:
            self._press()
        return digest.hexdigest()

    def close(self) -> None:
        """Write what is left and the end of the tar."""
        self._write(bytes(tarfile.BLOCKSIZE * 2))
        self._press()
        while self._jobs:
            self._take()
        self._pool.shutdown()

    def abandon(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=True)

    @property
    def sha256(self) -> str:
        """Of the file, when it is closed."""
        return self._digest.hexdigest()

    def index(self) -> bytes:
        """What lies where, one JSON line a content, when it is closed."""
        lines = []
        for sha256, block, skip, size in self._contents:
            lines.append(json.dumps({"sha256": sha256, "at": self._blocks[block], "skip": skip, "size": size}))
        return gzip.compress("".join(line + "\n" for line in lines).encode("ascii"), 6, mtime=0)

    def _write(self, data: bytes, whole: bool = False) -> None:
        """:arg whole: a large file goes on over block after block"""
        self._buffer.append(data)
        self._held += len(data)
        if whole and self._held >= 4 * _BLOCK:
            self._press()

    def _press(self) -> None:
        if not self._held:
            return
        data = b"".join(self._buffer)
        self._buffer, self._held = [], 0
        self._begun += 1
        self._jobs.append(self._pool.submit(_member, data, self._level))
        while len(self._jobs) > self._most or (self._jobs and self._jobs[0].done()):
            self._take()

    def _take(self) -> None:
        pressed = self._jobs.pop(0).result()
        self._blocks.append(self.bytes)
        self._file.write(pressed)
        self._digest.update(pressed)
        self.bytes += len(pressed)


def _member(data: bytes, level: int) -> bytes:
    maker = zlib.compressobj(level, zlib.DEFLATED, 31)
    return maker.compress(data) + maker.flush()


def header(entry: Entry) -> bytes:
    """What stands before a path in a tar: its pax records and its block."""
    info = tarfile.TarInfo(entry.path.lstrip("/") or ".")
    info.mode, info.uid, info.gid, info.uname, info.gname = entry.mode, entry.uid, entry.gid, entry.user, entry.group
    info.mtime = entry.mtime // 10**9
    info.type = _TYPES[entry.kind]
    if entry.hardlink is not None:
        info.type, info.linkname = tarfile.LNKTYPE, entry.hardlink.lstrip("/")
    elif entry.kind == "file":
        info.size = entry.size
    elif entry.kind == "symlink":
        info.linkname = entry.target or ""
    elif entry.device:
        info.devmajor, info.devminor = (int(number) for number in entry.device.split(":"))
    headers: dict[str, str] = {}
    if entry.mtime % 10**9:
        headers["mtime"] = f"{entry.mtime // 10**9}.{entry.mtime % 10**9:09d}"
    for name, value in sorted(entry.xattrs.items()):
        headers[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    info.pax_headers = headers
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def read_index(data: bytes, archive: str) -> dict[str, Stored]:
    """sha256 -> where it lies, of the index of an archive.

    :raises Damaged: it cannot be read
    """
    found = {}
    try:
        if not data:
            raise ValueError("it is empty")
        for line in gzip.decompress(data).splitlines():
            row = json.loads(line)
            found[str(row["sha256"])] = Stored(archive, int(row["at"]), int(row["skip"]), int(row["size"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as exc:
        raise Damaged(f"the index of the archive {archive} cannot be read: {exc}") from exc
    return found


class Reader:
    """Reads contents out of one archive; cheapest in the order in which they lie there."""

    def __init__(self, path: str, archive: str) -> None:
        self._archive = archive
        try:
            self._file: t.BinaryIO = open(path, "rb")  # noqa: SIM115 - it lives as long as this object
        except OSError as exc:
            raise Damaged(f"the archive {archive} cannot be opened: {os.strerror(exc.errno or 0).lower()}") from exc
        self._at = -1
        self._taken = 0
        self._source: t.Iterator[bytes] = iter(())
        self._rest = b""

    def read(self, place: Stored) -> t.Iterator[bytes]:
        """A content, piece by piece; read it to its end before the next one.

        :raises Damaged: the archive cannot be read there
        """
        if place.at != self._at or place.skip < self._taken:
            self._at, self._taken, self._rest = place.at, 0, b""
            self._source = self._unpress(place.at)
        self._skip(place.skip - self._taken)
        left = place.size
        while left > 0:
            piece = self._next(left)
            left -= len(piece)
            yield piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(self._next(count))

    def _next(self, most: int) -> bytes:
        if not self._rest:
            self._rest = next(self._source, b"")
            if not self._rest:
                raise Damaged(f"the archive {self._archive} ends too early")
        piece, self._rest = self._rest[:most], self._rest[most:]
        self._taken += len(piece)
        return piece

    def _unpress(self, at: int) -> t.Iterator[bytes]:
        """The tar from a gzip member on."""
        self._file.seek(at)
        maker, data = zlib.decompressobj(31), b""
        try:
            while True:
                data = data or self._file.read(_PIECE)
                if not data:
                    return
                piece = maker.decompress(data, _PIECE)
                data = maker.unconsumed_tail
                if piece:
                    yield piece
                if maker.eof:
                    data = maker.unused_data
                    maker = zlib.decompressobj(31)
        except zlib.error as exc:
            raise Damaged(f"the archive {self._archive} is damaged: {exc}") from exc
