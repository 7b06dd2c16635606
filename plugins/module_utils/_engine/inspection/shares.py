# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long list of checks that talk over the network, shared out between processes, as one Python process uses one processor.

Everything else stays in this process. What a child that was killed should have looked at is looked at here.
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import signal
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.cores import cores
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.judge import Baselines
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.runner import Load, Runner

LEAST = 150  # checks that are worth a process: a fork costs about as much processor time as 50
MOST = 4  # processes
_BLOCKS = 128  # in which what is shared is taken; a byte says which
_GRACE = 1.0  # seconds beyond the deadline for what was seen to come over
_PIECE = 1 << 20

Results = t.Dict[int, Result]


def run(checks: list[Check], load: Load, context: Context, concurrency: int, baselines: t.Mapping[str, Baselines]) -> list[Result]:
    """The verdicts, in the order of the checks; see ``Runner`` for the arguments."""

    def runner(width: int) -> Runner:
        return Runner(checks, load, context, width, baselines)

    talk = {name for name in {check.probe for check in checks} if hasattr(load(name).observe, "talk")}
    shared = [place for place, check in enumerate(checks) if check.probe in talk]
    processes = _processes(len(shared))
    if processes == 1:
        return runner(concurrency).run()
    width = max(1, concurrency // processes)
    heap = _Heap(shared)
    children: list[_Child] = []
    try:
        for _number in range(1, processes):
            children.append(_Child(lambda: runner(width).look((), shared, heap.take), context.deadline))
        apart = set(shared)
        found = runner(width).look([place for place in range(len(checks)) if place not in apart], shared, heap.take)
        for child in children:
            found.update(child.results())
    finally:
        heap.close()
        for child in children:
            child.end()
    lost = [place for place in range(len(checks)) if place not in found]  # a child has died, or the time was over
    if lost:
        found.update(runner(concurrency).look(lost))
    return [found[place] for place in range(len(checks))]


def _processes(talks: int) -> int:
    """How many are worth it for so many checks that talk."""
    if talks < 2 * LEAST or threading.active_count() > 1 or not hasattr(os, "fork"):
        return 1  # with other threads a fork is not safe
    return min(cores(), MOST, talks // LEAST)


class _Heap:
    """What several processes take from, block by block, so that each does as much as it can: a pipe with the numbers of the blocks."""

    def __init__(self, places: t.Sequence[int]) -> None:
        size = -(-len(places) // _BLOCKS)
        self._blocks = [places[first : first + size] for first in range(0, len(places), size)]
        self._reader, writer = os.pipe()
        os.write(writer, bytes(range(len(self._blocks))))
        os.close(writer)

    def take(self) -> t.Sequence[int]:
        """The next block; nothing when all are taken."""
        number = os.read(self._reader, 1)
        return self._blocks[number[0]] if number else ()

    def close(self) -> None:
        """In this process."""
        os.close(self._reader)


class _Child:
    """A process that looks at a share of the checks and hands over what it saw."""

    def __init__(self, look: t.Callable[[], Results], deadline: float) -> None:
        self._until = deadline + _GRACE
        self._pid: int | None = None
        self._reader, writer = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            pass  # a host that is out of processes: this one does it all
        if self._pid == 0:
            _serve(writer, look, self._until)
        os.close(writer)

    def results(self) -> Results:
        """What it saw; nothing where it could not be started, died, or does not come to its end."""
        try:
            data = self._read()
        finally:
            os.close(self._reader)
        try:
            return t.cast(Results, marshal.loads(data))
        except (ValueError, EOFError, TypeError):
            return {}

    def _read(self) -> bytes:
        poll, data = select.poll(), bytearray()
        poll.register(self._reader, select.POLLIN | select.POLLHUP)
        while poll.poll(max(0.0, self._until - time.monotonic()) * 1000):
            piece = os.read(self._reader, _PIECE)
            if not piece:
                break
            data += piece
        return bytes(data)

    def end(self) -> None:
        """Whether it has ended or not."""
        if self._pid is None:
            return
        try:
            os.kill(self._pid, signal.SIGKILL)  # it has handed over everything, or comes too late
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def _serve(writer: int, look: t.Callable[[], Results], until: float) -> None:
    """In the child; never returns. The streams of the parent are let go, as whoever reads them would wait for this one, too."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, max(0.1, until - time.monotonic()))
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        gc.freeze()  # what is shared with the parent stays shared
        data = memoryview(marshal.dumps(look()))
        while data:
            data = data[os.write(writer, data) :]
        os.close(writer)  # or the other end waits until all memory has been given back
    finally:
        os._exit(0)
