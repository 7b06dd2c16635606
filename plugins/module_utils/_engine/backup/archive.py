# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing an archive: an ordinary tar of what is new in a snapshot, pressed in blocks by all cores.

What looks pressed already is gathered in blocks of its own, which take no time; so the tar is not in the order of the paths, but a directory
comes before what is in it, and a file before its other names.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import Codec, codec, dense
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import PlacesWriter
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.tarhead import BLOCK, header

_BLOCK = 1 << 20
_LARGE = 4 << 20  # a file that is larger goes on over block after block


class _Gathered:
    """Data of a block to come.

    :ivar number: of the block, when it was given to a thread
    :ivar contents: (sha256, bytes of the block before it, size)
    """

    def __init__(self, dense: bool | None) -> None:
        self.dense = dense
        self.data: list[bytes] = []
        self.size = 0
        self.number = -1
        self.contents: list[tuple[bytes, int, int]] = []

    def add(self, data: bytes) -> None:
        self.data.append(data)
        self.size += len(data)


class Writer:
    """Writes one archive.

    :arg file: open for writing, at its begin
    :arg workers: threads that press
    :ivar bytes: written so far
    """

    def __init__(self, file: t.BinaryIO, workers: int = 2, how: Codec | None = None) -> None:
        self._file = file
        self._codec = how or codec("gzip")
        from concurrent.futures import ThreadPoolExecutor  # most runs find nothing new, and need none of it

        self._pool = ThreadPoolExecutor(max(1, workers))
        self._most = max(1, workers) + 2  # blocks that wait, which bounds the memory
        self._jobs: list[t.Any] = []  # futures
        self._plain, self._dense = _Gathered(None), _Gathered(True)
        self._begun = 0
        self._digest = hashlib.sha256()
        self._places = PlacesWriter()
        self.bytes = 0

    def add(self, entry: Entry, pieces: t.Iterable[bytes] = ()) -> str:
        """Append a path, of a file with exactly ``entry.size`` bytes; returns the sha256 of the content that was written."""
        if entry.hardlink is not None and self._dense.size:
            self._press_both()  # the file of which this is another name comes first
        return self.copy(header(entry), pieces, entry.kind == "file" and entry.hardlink is None)

    def small(self, entry: Entry, data: bytes, sha256: bytes) -> None:
        """Append a file that was read already, with its sha256."""
        to = self._dense if dense(data) else self._plain
        to.add(header(entry))
        to.contents.append((sha256, to.size, len(data)))
        to.add(data)
        to.add(bytes(-len(data) % BLOCK))
        self._press_full()

    def copy(self, head: bytes, pieces: t.Iterable[bytes] = (), content: bool = True) -> str:
        """Append a head and what follows it.

        :arg content: whether it is a file, of which the index tells
        """
        digest, size = hashlib.sha256(), 0
        self._plain.add(head)
        first, at = self._plain, self._plain.size
        for piece in pieces:
            digest.update(piece)
            self._plain.add(piece)
            size += len(piece)
            if self._plain.size >= _LARGE:
                self._plain = self._press(self._plain)
        self._plain.add(bytes(-size % BLOCK))
        if content and first.number < 0:
            first.contents.append((digest.digest(), at, size))
        elif content:
            self._places.add(digest.digest(), first.number, at, size)
        self._press_full()
        return digest.hexdigest()

    def close(self) -> None:
        """Write what is left and the end of the tar."""
        self._press_both()
        self._plain.add(bytes(BLOCK * 2))
        self._press(self._plain)
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
        """What lies where, when it is closed."""
        return self._places.close()

    def _press_full(self) -> None:
        if self._plain.size >= _BLOCK:
            self._plain = self._press(self._plain)
        elif self._dense.size >= _BLOCK:
            self._press_both()  # directories come first

    def _press_both(self) -> None:
        self._plain, self._dense = self._press(self._plain), self._press(self._dense)

    def _press(self, block: _Gathered) -> _Gathered:
        """Give a block to a thread; the next one of its kind."""
        if not block.size:
            return block
        block.number = self._begun
        self._begun += 1
        for sha256, skip, size in block.contents:
            self._places.add(sha256, block.number, skip, size)
        self._jobs.append(self._pool.submit(_pressed, self._codec, block.data, block.dense))
        while len(self._jobs) > self._most or (self._jobs and self._jobs[0].done()):
            self._take()
        return _Gathered(block.dense)

    def _take(self) -> None:
        pressed: bytes = self._jobs.pop(0).result()
        self._places.begins(self.bytes)
        self._file.write(pressed)
        self._digest.update(pressed)
        self.bytes += len(pressed)


def _pressed(how: Codec, pieces: list[bytes], is_dense: bool | None) -> bytes:
    data = b"".join(pieces)
    pieces.clear()
    return how.press(data, not (dense(data) if is_dense is None and len(data) >= _LARGE else is_dense))
