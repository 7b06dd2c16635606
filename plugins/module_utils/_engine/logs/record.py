# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far one log was read, and how its file is known again: by device and inode, by its first bytes, and by those before the position.

A path says nothing: it is another file after a rotation. An inode alone says little: it is given to the next file once the old one is
deleted, and it stays the same when a file is copied and truncated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import typing as t

HEAD = 1024
TAIL = 64
NEVER = -1  # the offset of a file that is not to be read


class Head(t.NamedTuple):
    """The first bytes of a file: their number and what they are."""

    size: int
    print: str


@dataclasses.dataclass
class Record:
    """How far one log was read.

    :ivar path: where it was last seen; its name while it is written to is ``live``
    :ivar offset: everything before it was read, in bytes of the file (of a packed one: when unpacked)
    :ivar tail: a print of the bytes just before the offset
    :ivar size, mtime: of the file when it was last looked at, in bytes and nanoseconds: nothing is new while they stay
    :ivar at: when it was last seen, seconds since the epoch
    :ivar kind: empty for UTF-8 and what is like it, else the encoding that its first bytes say
    :ivar gone: since when it is not found any more, 0 while it is
    :ivar between: while it is young: (when the log before it was looked at, in nanoseconds; until when logs between them are looked for)
    :ivar packed: the packed file that it was found in at last, as (inode, size, mtime)
    """

    path: str
    dev: int = 0
    ino: int = 0
    head: str = ""
    head_size: int = 0
    tail: str = ""
    offset: int = 0
    size: int = -1
    mtime: int = 0
    live: str = ""
    source: str = ""
    at: float = 0.0
    kind: str = ""
    lines: int = 0
    packed: t.List[int] = dataclasses.field(default_factory=list)
    gone: float = 0.0
    between: t.List[float] = dataclasses.field(default_factory=list)

    def dump(self) -> t.Dict[str, t.Any]:
        """As it is kept."""
        return {name: getattr(self, name) for name in _NAMES}

    def is_at(self, stat: os.stat_result) -> bool:
        """Whether it is this file, as far as device and inode can say."""
        return (self.dev, self.ino) == (stat.st_dev, stat.st_ino)

    def is_quiet(self, stat: os.stat_result) -> bool:
        """Whether nothing has happened to the file since it was looked at."""
        return self.size == stat.st_size and self.mtime == stat.st_mtime_ns and self.is_at(stat)

    def saw(self, stat: os.stat_result, now: float) -> None:
        """The file was looked at."""
        self.dev, self.ino, self.size, self.mtime, self.at = stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, now


_NAMES = tuple(field.name for field in dataclasses.fields(Record))


def restore(found: t.Mapping[str, t.Any]) -> t.Optional[Record]:
    """A record as it was kept; None where it cannot be read."""
    try:
        return Record(**{name: found[name] for name in _NAMES if name in found})
    except TypeError:
        return None


def digest(data: bytes) -> str:
    """A print of some bytes."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()


class Bytes(t.Protocol):
    """A file, or what a packed one holds."""

    def seek(self, offset: int) -> int:
        """Go to a place."""

    def read(self, size: int) -> bytes:
        """Read on."""


def head_of(file: Bytes, most: int = HEAD) -> Head:
    """The first bytes of a file, at most ``most`` of them."""
    file.seek(0)
    data = exactly(file, most)
    return Head(len(data), digest(data))


def tail_of(file: Bytes, offset: int) -> str:
    """A print of the bytes just before a place; empty at the beginning."""
    size = min(TAIL, offset)
    if not size:
        return ""
    file.seek(offset - size)
    data = exactly(file, size)
    return digest(data) if len(data) == size else "short"


def exactly(file: Bytes, size: int) -> bytes:
    """So many bytes, fewer only at the end."""
    parts = []
    while size > 0:
        data = file.read(size)
        if not data:
            break
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def begins_like(record: Record, file: Bytes) -> bool:
    """Whether a file begins as the log did when it was last looked at. A log of which nothing is known is like any other."""
    if not record.head_size:
        return True
    return head_of(file, record.head_size) == Head(record.head_size, record.head)


def continues(record: Record, file: Bytes) -> bool:
    """Whether a file holds all that was read of the log, as far as its beginning and its last bytes can say."""
    return begins_like(record, file) and tail_of(file, record.offset) == record.tail
