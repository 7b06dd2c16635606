# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests: everything that a snapshot holds, one row a path, sorted."""

from __future__ import annotations

import gzip
import hashlib
import os
import typing as t
import zlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, dump, read_rows
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged

_ROWS = 2048  # in a gzip member
_PIECE = 1 << 18


class Row(t.NamedTuple):
    """A row as a mapping, for :func:`entries.entry_of`, and its line, which is copied where the path is as it was."""

    row: dict[str, t.Any]
    line: bytes


class ManifestWriter:
    """Writes rows in the order in which they come; another thread presses them."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._press = codec("gzip").press
        from concurrent.futures import ThreadPoolExecutor  # most runs find nothing new, and need none of it

        self._pool = ThreadPoolExecutor(1)
        self._jobs: list[t.Any] = []  # futures
        self._lines: list[bytes] = []
        self.rows = 0

    def add(self, row: Entry | bytes) -> None:
        """A row, or its line as it was read."""
        self._lines.append(row if isinstance(row, bytes) else dump(row))
        self.rows += 1
        if len(self._lines) >= _ROWS:
            self._flush()

    def close(self) -> str:
        """Write the rest; the sha256 of the file."""
        if self._lines or not self.rows:
            self._flush()
        while self._jobs:
            self._take()
        self._pool.shutdown()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Let go of the thread."""
        self._pool.shutdown(wait=True)

    def _flush(self) -> None:
        self._jobs.append(self._pool.submit(self._press, b"".join(self._lines), True))
        self._lines = []
        while len(self._jobs) > 2:
            self._take()

    def _take(self) -> None:
        pressed: bytes = self._jobs.pop(0).result()
        self._digest.update(pressed)
        self._file.write(pressed)


def rows(path: str, count: int | None = None) -> t.Iterator[Row]:
    """The rows of a manifest, one after the other.

    :arg count: how many there must be, of the record
    :raises Damaged: it is missing, cut off, or not what was written
    """
    name, found = os.path.basename(path), 0
    try:
        with gzip.open(path, "rb") as source:
            rest = b""
            while True:
                piece = source.read(_PIECE)
                lines = (rest + piece).splitlines(keepends=True)
                rest = b"" if not piece or not lines or lines[-1].endswith(b"\n") else lines.pop()
                found += len(lines)
                yield from map(Row, read_rows(lines), lines)
                if not piece:
                    break
    except FileNotFoundError as exc:
        raise Damaged(f"the manifest {name} is missing") from exc
    except (OSError, EOFError, ValueError, TypeError, zlib.error) as exc:
        raise Damaged(f"the manifest {name} cannot be read: {exc}") from exc
    if count is not None and found != count:
        raise Damaged(f"the manifest {name} has {found} rows instead of {count}")
