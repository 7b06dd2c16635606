# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file that nobody knows is a log of its own, and where reading it begins."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import files
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.packed import Log, Unreadable
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import BLOCK
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.record import NEVER, Record, begins_like, continues, head_of, tail_of

MOMENT = 1.0  # copying a log that was empty a moment ago takes no longer
SETTLED = 10.0  # a file that was not written for so long is no copy in the making


def is_copy(log: Log, records: t.Iterable[Record], now: float) -> bool:
    """Whether the file holds a known log, or its beginning while it is still being copied."""
    name, age = os.path.basename(log.path), now - log.stat.st_mtime
    for record in records:
        is_fresh = record.at == now and not record.head_size
        if record.offset == NEVER or is_fresh or (record.gone and not record.offset):
            continue
        if (not log.is_packed and log.stat.st_size < record.head_size) or not record.head_size:
            # what begins so early may be anything: it is looked at again when a copy would be complete
            patience = SETTLED if record.head_size else MOMENT
            if age < patience and files.is_rotation_of(name, os.path.basename(record.live)):
                return True
            continue
        if not begins_like(record, log):
            continue
        if not log.is_packed and log.stat.st_size < record.offset:
            if now - log.stat.st_mtime < SETTLED:
                return True
            continue
        try:
            if continues(record, log):
                return True
        except Unreadable:
            return True  # it is being packed
    return False


def skip(record: Record, log: Log, now: float) -> None:
    """What is there at the first look is not read: up to the last line end."""
    if log.is_packed:
        record.offset = NEVER
        record.saw(log.stat, now)
        return
    head = head_of(log)
    record.head_size, record.head = head.size, head.print
    at = log.stat.st_size
    while at > 0:
        begin = max(0, at - 65536)
        log.seek(begin)
        found = log.read(at - begin).rfind(b"\n")
        if found >= 0:
            at = begin + found + 1
            break
        at = begin
    wide = log.seek(0) == 0 and log.read(2) in (b"\xff\xfe", b"\xfe\xff")
    record.offset = (at + 1) // 2 * 2 if wide else at
    record.tail = tail_of(log, record.offset)


def holds_all(log: Log) -> bool:
    """Whether a packed file is complete: one that is empty is being written, and one that ends too early raises Unreadable."""
    log.seek(0)
    size = 0
    while True:
        data = log.read(BLOCK)
        if not data:
            return size > 0
        size += len(data)
