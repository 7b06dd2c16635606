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

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, dump, read_row
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged

_LEVEL = 1  # hashes cannot be pressed, and time matters more than the rest


class Row(t.NamedTuple):
    """A row as a mapping, for :func:`entries.entry_of`, and its line, which is copied where the path is as it was."""

    row: dict[str, t.Any]
    line: bytes


class ManifestWriter:
    """Writes rows in the order in which they come."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._digest = hashlib.sha256()
        self._tee = _Tee(file, self._digest)
        self._pressed = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=t.cast("t.IO[bytes]", self._tee), mtime=0)
        self._lines: list[bytes] = []
        self.rows = 0

    def add(self, row: Entry | bytes) -> None:
        """A row, or its line as it was read."""
        self._lines.append(row if isinstance(row, bytes) else dump(row))
        self.rows += 1
        if len(self._lines) >= 512:
            self._flush()

    def close(self) -> str:
        """Write the rest; the sha256 of the file."""
        self._flush()
        self._pressed.close()
        return self._digest.hexdigest()

    def _flush(self) -> None:
        self._pressed.write(b"".join(self._lines))
        self._lines = []


class _Tee:
    """What gzip writes, with its hash."""

    def __init__(self, file: t.BinaryIO, digest: t.Any) -> None:
        self._file, self._digest = file, digest

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def rows(path: str, count: int | None = None) -> t.Iterator[Row]:
    """The rows of a manifest, one after the other.

    :arg count: how many there must be, of the record
    :raises Damaged: it is missing, cut off, or not what was written
    """
    name, found = os.path.basename(path), 0
    try:
        with gzip.open(path, "rb") as source:
            for line in source:
                found += 1
                yield Row(read_row(line), line)
    except FileNotFoundError as exc:
        raise Damaged(f"the manifest {name} is missing") from exc
    except (OSError, EOFError, ValueError, TypeError, zlib.error) as exc:
        raise Damaged(f"the manifest {name} cannot be read: {exc}") from exc
    if count is not None and found != count:
        raise Damaged(f"the manifest {name} has {found} rows instead of {count}")
