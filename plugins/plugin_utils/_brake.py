# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""One worker pulls the brake, and all that come after it in the same run of Ansible see that.

As in ``_announce``, the memory is made in the main process before workers are forked, which share it.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import typing as t

SIZE = 4096

_memory: t.Any = None


def prepare() -> None:
    """Make the memory, once, and only in a process that forks workers."""
    global _memory
    if _memory is None and multiprocessing.parent_process() is None:
        with contextlib.suppress(OSError, ValueError):
            _memory = mmap.mmap(-1, SIZE)


def pull(why: str) -> None:
    """Pull it. The first reason stays; of two at the same moment one is kept whole, as the last byte that is written is the first."""
    if _memory is None or _memory[0]:
        return
    text = why.encode("utf-8", "replace")[: SIZE - 2]
    _memory[1 : 1 + len(text) + 1] = text + b"\0"
    _memory[0] = 1


def pulled() -> str:
    """Why it was pulled; empty when it was not."""
    if _memory is None or not _memory[0]:
        return ""
    return bytes(_memory[1:]).partition(b"\0")[0].decode("utf-8", "replace")
