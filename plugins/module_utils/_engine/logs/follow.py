# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads on in a log from where it was left, and moves its position behind what was handed out."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.packed import Log, Unreadable
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import BLOCK, Block, Cutter, Joiner, encoding_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.record import HEAD, TAIL, digest, exactly

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.tracker import Job

_NEAR = 2048  # bytes in which a line end is looked for


class Options(t.NamedTuple):
    """How a source is read; ``encoding``: empty finds out by the first bytes, and is UTF-8 where these say nothing."""

    encoding: str = ""
    joiner: t.Optional[Joiner] = None


class Follower:
    """``for block in follower.blocks(): ...``; the record is behind a block once the next one is asked for.

    :ivar read: how many bytes were read
    :ivar long_lines: how many lines were too long to be kept whole
    """

    def __init__(self, job: Job, options: Options, now: float) -> None:
        self._job, self._record, self._options, self._now = job, job.record, options, now
        self.read = 0
        self.long_lines = 0

    def blocks(self) -> t.Iterator[Block]:
        """What is new.

        :raises OSError: the file cannot be read
        :raises Unreadable: a packed file is damaged; what was read before that counts
        """
        record = self._record
        with Log(self._job.path) as log:
            if not record.is_at(log.stat) or (not log.is_packed and log.stat.st_size < record.offset):
                return  # just rotated: the next look finds where it went
            prepared = self._prepare(log)
            if prepared is not None:
                yield from self._read(log, *prepared)

    def _prepare(self, log: Log) -> t.Optional[t.Tuple[Cutter, bytes, bytes]]:
        """Where to begin, the bytes just before that, and the first ones of the log; None where this is not the log any more."""
        record = self._record
        log.seek(0)
        begin = exactly(log, HEAD)
        size = min(TAIL, record.offset)
        log.seek(record.offset - size)
        back = exactly(log, size)
        is_same = len(back) == size and (digest(back) if back else "") == record.tail
        if not is_same or (record.head_size and digest(begin[: record.head_size]) != record.head):
            return None
        if record.offset and record.head_size < HEAD:
            record.head_size, record.head = len(begin), digest(begin)
        if not record.kind:
            record.kind = self._options.encoding or encoding_of(begin)
        return Cutter(record.offset, record.kind, self._options.joiner, back=back), back, begin[: record.offset]

    def _read(self, log: Log, cutter: Cutter, trail: bytes, begin: bytes) -> t.Iterator[Block]:
        record, place, is_whole = self._record, self._record.offset, True
        if not log.is_packed:
            record.saw(log.stat, self._now)
        while True:
            try:
                data = log.read(self._size(log, place))
            except Unreadable as exc:
                if not exc.is_partial:
                    raise
                is_whole = False
                break
            if not data:
                break
            if not log.is_packed and not _is_still(log, place, trail):
                record.size = -1
                is_whole = False
                break  # truncated and written anew while it was read: this is not what followed
            if place == len(begin) < HEAD:
                begin = (begin + data)[:HEAD]
                record.head_size, record.head = len(begin), digest(begin)
            place += len(data)
            trail = (trail + data)[-TAIL:] if len(data) < TAIL else data[-TAIL:]
            self.read += len(data)
            for block in cutter.feed(data):
                yield block
                self._behind(block, cutter)
        patience = self._options.joiner.patience if self._options.joiner else 0.0
        if is_whole and cutter.waiting and (self._job.is_final or (patience and self._now - log.stat.st_mtime > patience)):
            for block in cutter.finish(self._job.is_final):
                yield block
                self._behind(block, cutter)
        elif cutter.waiting and self._options.joiner:
            record.size = -1  # it is to be looked at again, as time alone completes a message
        if log.is_packed and is_whole:
            record.saw(log.stat, self._now)
            record.packed = [log.stat.st_ino, log.stat.st_size, log.stat.st_mtime_ns]
        self.long_lines = cutter.long_lines

    def _size(self, log: Log, place: int) -> int:
        """How much to read: up to a line end where one is near, so that nothing of the block is left over and copied once more."""
        if log.is_packed or self._record.kind:
            return BLOCK
        end = log.peek(place + BLOCK - _NEAR, _NEAR).rfind(b"\n")
        return BLOCK - _NEAR + end + 1 if end >= 0 else BLOCK

    def _behind(self, block: Block, cutter: Cutter) -> None:
        record = self._record
        record.offset = block.end
        record.tail = digest(cutter.back[-min(TAIL, block.end) :])


def _is_still(log: Log, place: int, trail: bytes) -> bool:
    """Whether the bytes before a place are still those that were read."""
    return not trail or log.peek(place - len(trail), len(trail)) == trail
