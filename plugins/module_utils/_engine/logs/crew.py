# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at blocks with several processes once there are very many of them, and hands out what was found in the order of the blocks.

This process reads, cuts and keeps account; which rule matches where depends on nothing but the block, so that helpers that were forked can
find it out. Blocks are handed to them in memory that is shared (not in the file, which may change meanwhile). A block stays here until its
answer has come, so a helper that dies costs nothing but time: its blocks are looked at here.
"""

from __future__ import annotations

import array
import collections
import gc
import marshal
import mmap
import os
import select
import signal
import struct
import threading
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.cores import cores
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import Found, Hit, Scanner, text_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.watchdog import Watchdog

BACKLOG = 1 << 25  # bytes after which helpers are called
MOST = 4  # processes; with more of them the reading would be what takes longest, and memory would grow
QUEUE = 6  # blocks that wait at a helper, so that it has work while this process is busy
SLOT = 1 << 19
PATIENCE = 60  # seconds without any answer after which helpers are given up; a rule is stopped much earlier
_COMMAND = struct.Struct("=IIiI")  # slot, bytes, number of starts or -1, scanner
_SIZE = struct.Struct("=I")
Done = t.Callable[[Block, Found], None]


class _Task:
    """A block, whoever looks at it. ``is_ready`` without ``found``: it is to be looked at here, in its turn."""

    def __init__(self, block: Block, scanner: Scanner, done: Done) -> None:
        self.block, self.scanner, self.done = block, scanner, done
        self.is_ready = False
        self.found: t.Optional[Found] = None


class _Helper:
    """A process that was forked. ``tasks``: what it was given, with the slots, oldest first."""

    def __init__(self, pid: int, commands: int, results: int, slots: t.List[int]) -> None:
        self.pid, self.commands, self.results, self.free = pid, commands, results, slots
        self.tasks: t.Deque[t.Tuple[int, _Task]] = collections.deque()
        self.buffer = b""


class Crew:
    """``with Crew(...) as crew: crew.put(...)``; at the end everything was handed out.

    :arg scanners: all that blocks are put with
    :arg levels: whether levels are counted
    :arg processes: how many may be at work; None: as many as there are cores for this process
    :ivar helpers: how many were called
    """

    def __init__(self, scanners: t.Sequence[Scanner], dog: Watchdog, levels: bool = False, processes: t.Optional[int] = None) -> None:
        self._scanners, self._dog, self._levels = list(scanners), dog, levels
        self._processes = processes
        self._waiting: t.Deque[_Task] = collections.deque()
        self._team: t.List[_Helper] = []
        self._ring: t.Optional[mmap.mmap] = None
        self._seen = 0
        self._is_alone = False
        self.helpers = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: t.Any, *unused: object) -> None:
        try:
            while kind is None and self._waiting:
                self._collect(True)
                self._hand_out()
        finally:
            self._dismiss()

    def put(self, block: Block, scanner: Scanner, done: Done) -> None:
        """One more block; ``done`` is called with what is in it, after those of all blocks before."""
        self._seen += len(block.data)
        if not self._team and not self._is_alone and self._seen >= BACKLOG:
            self._call()
        if not self._team and not self._waiting:
            done(block, scanner.look(block, self._levels))
            return
        task = _Task(block, scanner, done)
        self._waiting.append(task)
        self._collect(False)
        if not self._give(task):
            task.found, task.is_ready = scanner.try_out(block, self._levels), True
        self._hand_out()
        while len(self._waiting) > 2 * QUEUE * (len(self._team) + 1):
            self._collect(True)
            self._hand_out()

    def _call(self) -> None:
        """Fork helpers, if there are cores for them; where that fails, this process goes on alone."""
        self._is_alone = True
        wanted = min(MOST, self._processes or cores()) - 1
        if wanted < 1 or not hasattr(os, "fork") or threading.active_count() > 1:
            return  # a process with threads is not to be forked: locks would be held for ever
        try:
            self._ring = mmap.mmap(-1, wanted * QUEUE * SLOT)
            for number in range(wanted):
                self._team.append(self._fork(list(range(number * QUEUE, (number + 1) * QUEUE))))
        except OSError:
            pass
        self.helpers = len(self._team)

    def _fork(self, slots: t.List[int]) -> _Helper:
        commands, to_helper = os.pipe()
        try:
            from_helper, results = os.pipe()
        except OSError:
            os.close(commands)
            os.close(to_helper)
            raise
        try:
            pid = os.fork()
        except OSError:
            for one in (commands, to_helper, from_helper, results):
                os.close(one)
            raise
        if pid == 0:
            try:
                for one in (to_helper, from_helper, *(end for other in self._team for end in (other.commands, other.results))):
                    os.close(one)
                self._help(commands, results)
            finally:
                os._exit(1)
        os.close(commands)
        os.close(results)
        return _Helper(pid, to_helper, from_helper, slots)

    def _help(self, commands: int, results: int) -> t.NoReturn:
        """The life of a helper; it ends when nobody writes to it any more."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        gc.freeze()  # what is shared is not to be copied for the sake of counting
        self._dog.rearm()
        while True:
            command = os.read(commands, _COMMAND.size)
            while 0 < len(command) < _COMMAND.size:
                command += os.read(commands, _COMMAND.size - len(command)) or b"\0" * _COMMAND.size
            if not command:
                os._exit(0)
            slot, size, number_of_starts, number = _COMMAND.unpack(command)
            ring, begin, starts = t.cast(mmap.mmap, self._ring), slot * SLOT, None
            if number_of_starts >= 0:
                starts = array.array("I")
                starts.frombytes(ring[begin + size : begin + size + number_of_starts * starts.itemsize])
            answer = self._answer(Block(ring[begin : begin + size], 0, size, None if starts is None else starts.tolist()), number)
            view = memoryview(_SIZE.pack(len(answer)) + answer)
            while view:
                view = view[os.write(results, view) :]

    def _answer(self, block: Block, number: int) -> bytes:
        before = dict(self._dog.spent)
        found = self._scanners[number].try_out(block, self._levels)
        spent = {rule: ticks - before.get(rule, 0) for rule, ticks in self._dog.spent.items() if ticks != before.get(rule, 0)}
        if found is None:
            return marshal.dumps((None, 0, {}, spent))
        return marshal.dumps(([(hit.start, hit.end, hit.rule, hit.fields) for hit in found.hits], found.lines, found.levels, spent))

    def _give(self, task: _Task) -> bool:
        """Give it to the helper that has least to do; False where all have enough."""
        starts = b"" if task.block.starts is None else array.array("I", task.block.starts).tobytes()
        size = len(task.block.data)
        if size + len(starts) > SLOT or not self._team:
            return False
        helper = max(self._team, key=lambda one: len(one.free))
        if not helper.free:
            return False
        slot = helper.free.pop()
        ring, begin = t.cast(mmap.mmap, self._ring), slot * SLOT
        ring[begin : begin + size] = task.block.data
        ring[begin + size : begin + size + len(starts)] = starts
        helper.tasks.append((slot, task))
        count = -1 if task.block.starts is None else len(task.block.starts)
        try:  # the pipe has room for it, as so few commands wait
            os.write(helper.commands, _COMMAND.pack(slot, size, count, self._scanners.index(task.scanner)))
        except OSError:
            self._lose(helper)
        return True

    def _collect(self, wait: bool) -> None:
        """Take the answers that are there; ``wait``: for those of the oldest block, unless it is ready."""
        if not self._team or (wait and self._waiting[0].is_ready):
            return
        ends = {helper.results: helper for helper in self._team}
        poll = select.poll()  # there may be more open files than select can do
        for end in ends:
            poll.register(end, select.POLLIN)
        events = poll.poll(PATIENCE * 1000 if wait else 0)
        for end, _event in events:
            self._take(ends[end])
        if wait and not events:
            for helper in list(self._team):
                self._lose(helper)

    def _take(self, helper: _Helper) -> None:
        piece = os.read(helper.results, 1 << 20)
        if not piece:
            self._lose(helper)
            return
        helper.buffer += piece
        while len(helper.buffer) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(helper.buffer)[0]
            if len(helper.buffer) < end:
                return
            hits, lines, levels, spent = marshal.loads(helper.buffer[_SIZE.size : end])
            helper.buffer = helper.buffer[end:]
            slot, task = helper.tasks.popleft()
            helper.free.append(slot)
            self._dog.add(spent)
            if hits is not None:
                data = task.block.data
                task.found = Found(
                    [Hit(begin, last, rule, text_of(data[begin:last]), fields) for begin, last, rule, fields in hits], lines, levels
                )
            task.is_ready = True

    def _hand_out(self) -> None:
        while self._waiting and self._waiting[0].is_ready:
            task = self._waiting.popleft()
            found, scanner = task.found, task.scanner
            if found is None:
                found = scanner.look(task.block, self._levels)
                if scanner.slow or scanner.stopped:
                    self._dismiss()  # what comes now depends on what came before
            elif scanner.stopped:
                found = found._replace(hits=[hit for hit in found.hits if hit.rule not in scanner.stopped])
            task.done(task.block, found)

    def _lose(self, helper: _Helper) -> None:
        """A helper is gone: what it was given is done here."""
        self._team.remove(helper)
        for _slot, task in helper.tasks:
            task.is_ready = True
        for end in (helper.commands, helper.results):
            os.close(end)
        try:
            os.kill(helper.pid, signal.SIGKILL)
            os.waitpid(helper.pid, 0)
        except OSError:
            pass  # children are not waited for in this process

    def _dismiss(self) -> None:
        """No more helpers."""
        self._is_alone = True
        for helper in list(self._team):
            self._lose(helper)
        if self._ring is not None:
            self._ring.close()
            self._ring = None
