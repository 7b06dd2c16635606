# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From bytes to blocks of whole lines (or whole messages of several lines), with the place of each block.

What is behind the last line end waits for the next run. Nothing is mapped into memory: a file that is cut short under a mapping kills the
process.
"""

from __future__ import annotations

import re
import typing as t

BLOCK = 1 << 18
LONGEST = 1 << 20
BACK = 64
_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8-sig"))
_WIDE = ("utf-16-le", "utf-16-be")
_FLAGS = re.compile(r"\(\?[aiLmsux]+\)")


class Block(t.NamedTuple):
    """Whole lines.

    :ivar data: in UTF-8, or what bytes there are; ends with a line end
    :ivar start, end: its place in the log, in bytes of the log
    :ivar starts: where in the data the messages begin; None: each line is one
    :ivar scale: bytes of the log a byte of the data, 0 where that differs from letter to letter
    """

    data: bytes
    start: int
    end: int
    starts: t.Optional[t.List[int]] = None
    scale: int = 1


class Joiner:
    """Tells where messages of several lines begin.

    :arg pattern: of a line that begins a message, or (``is_more``) of one that goes on with it
    :arg most_lines, most_bytes: a message that is longer is cut in two
    :arg patience: seconds without a further line after which the last message is complete
    """

    def __init__(self, pattern: str, is_more: bool, most_lines: int = 500, most_bytes: int = BLOCK, patience: float = 5.0) -> None:
        flags = _FLAGS.match(pattern)
        front = flags.group() if flags else ""
        inner = pattern[len(front) :].encode("utf-8", "surrogateescape")
        look = b"(?!" if is_more else b"(?="
        self._line = re.compile(front.encode() + b"(?m)^" + look + b"(?:" + inner + b"))")
        self.most_lines, self.most_bytes, self.patience = most_lines, most_bytes, patience

    def starts(self, data: bytes) -> t.List[int]:
        """Where messages begin in whole lines; 0 is always one."""
        found = [match.start() for match in self._line.finditer(data)]
        if found and found[-1] == len(data):
            del found[-1]
        if not found or found[0] != 0:
            found.insert(0, 0)
        return self._bounded(data, found)

    def _bounded(self, data: bytes, found: t.List[int]) -> t.List[int]:
        every: t.List[int] = []
        for place, start in enumerate(found):
            every.append(start)
            end = found[place + 1] if place + 1 < len(found) else len(data)
            if end - start <= self.most_lines:
                continue  # not even if each letter were a line
            lines, at = 0, start
            while True:
                at = data.find(b"\n", at, end) + 1
                if not at or at >= end:
                    break
                lines += 1
                if lines >= self.most_lines or at - every[-1] >= self.most_bytes:
                    every.append(at)
                    lines = 0
        return every


class Cutter:
    """Cuts a stream of bytes into blocks of whole lines.

    :arg start: place of the first byte
    :arg encoding: of the bytes; empty for UTF-8 and everything that is like it
    :arg joiner: joins lines; None: each line is a message
    :arg back: the bytes just before the first one
    :ivar back: those before what waits, at least BACK of them where there are so many
    """

    def __init__(
        self, start: int, encoding: str = "", joiner: t.Optional[Joiner] = None, longest: int = LONGEST, back: bytes = b""
    ) -> None:
        self.encoding = encoding
        self.long_lines = 0
        self.back = back
        self._joiner, self._longest = joiner, longest
        self._place = start  # of the first byte in _rest
        self._rest = b""
        self._beyond = 0
        self._skipped = 0  # bytes of a line that is too long, behind those in _rest
        self._skipped_end = b""
        self._newline = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}.get(encoding, b"\n")

    @property
    def waiting(self) -> int:
        """How many bytes wait for their line end or for the end of their message."""
        return len(self._rest) + self._skipped

    def feed(self, data: bytes) -> t.Iterator[Block]:
        """The blocks that are complete with these bytes."""
        if self._skipped:
            data = self._skip(data)
            if self._skipped:
                return
            yield from self._finished(True)
        if self.encoding in _WIDE:  # a line end may lie across the border
            data, self._rest = self._rest + data, b""
        end = self._last_line_end(data)
        if end == 0:
            self._rest += data
            if len(self._rest) > self._longest:
                self._begin_skip()
            return
        lines = b"".join((self._rest, memoryview(data)[:end])) if self._rest else data[:end]  # copied once
        self._rest = data[end:]
        yield from self._cut(lines, False)
        if len(self._rest) > self._longest and self._last_line_end(self._rest) == 0:
            self._begin_skip()

    def _begin_skip(self) -> None:
        """The line is too long: its beginning is kept, the rest only counted. A hole in front of it (NULs, which a writer leaves that goes
        on at its old place in a log that was truncated) may be much longer than that, and is no part of it."""
        hole = len(self._rest) - len(self._rest.lstrip(b"\0"))
        hole -= hole % len(self._newline)
        if hole:
            self._place += hole
            self.back = (self.back + self._rest[max(0, hole - BACK) : hole])[-BACK:]
            self._rest = self._rest[hole:]
        if len(self._rest) <= self._longest:
            return
        self._skipped, self._skipped_end = len(self._rest) - self._longest, self._rest[self._longest :][-BACK:]
        self._rest = self._rest[: self._longest]

    def finish(self, is_last: bool) -> t.Iterator[Block]:
        """What waits, as there will be no more of it. ``is_last``: the line without an end, too; else only lines of a last message."""
        if is_last and self._skipped:
            yield from self._finished(False)
        elif is_last and self._rest:
            rest, self._rest = self._rest, b""
            yield from self._cut(rest, True)
        elif self._joiner and not self._skipped:
            end = self._last_line_end(self._rest)
            lines, self._rest = self._rest[:end], self._rest[end:]
            if lines:
                yield from self._cut(lines, True)

    def _skip(self, data: bytes) -> bytes:
        end = self._first_line_end(data)
        if end == 0:
            self._skipped += len(data)
            self._skipped_end = (self._skipped_end + data)[-BACK:]
            return b""
        self._beyond, self._skipped = self._skipped + end, 0
        self._skipped_end = (self._skipped_end + data[:end])[-BACK:]
        return data[end:]

    def _finished(self, has_end: bool) -> t.Iterator[Block]:
        """A line that was too long, as far as it is kept."""
        beyond = self._beyond if has_end else self._skipped
        line, self._rest, self._skipped = self._rest, b"", 0
        self.long_lines += 1
        block = self._block(line + self._newline, len(line) + beyond)
        self.back = (line[-BACK:] + self._skipped_end)[-BACK:]
        self._skipped_end = b""
        yield block

    def _last_line_end(self, data: bytes) -> int:
        if self.encoding not in _WIDE:
            return data.rfind(b"\n") + 1
        end = len(data) // 2 * 2
        while True:
            end = data.rfind(self._newline, 0, end)
            if end < 0 or end % 2 == 0:
                return end + 2 if end >= 0 else 0
            end += 1

    def _first_line_end(self, data: bytes) -> int:
        if self.encoding not in _WIDE:
            return data.find(b"\n") + 1
        at = (self._skipped + len(self._rest)) % 2
        while True:
            found = data.find(self._newline, at)
            if found < 0 or (found - (self._skipped + len(self._rest))) % 2 == 0:
                return found + 2 if found >= 0 else 0
            at = found + 1

    def _cut(self, lines: bytes, is_end: bool) -> t.Iterator[Block]:
        """Whole lines as a block; with a joiner the last message goes back to what waits, unless this is the end."""
        if self._joiner is None:
            yield self._block(lines, len(lines))
            return
        text = self._decoded(lines)
        if self.encoding == "utf-8-sig":
            text = lines
        if is_end:
            yield self._block(lines, len(lines))
            return
        starts = self._joiner.starts(text)
        last = starts[-1]
        if last == 0 and len(text) < self._joiner.most_bytes:
            self._rest = lines + self._rest
            return
        if last == 0:
            yield self._block(lines, len(lines))
            return
        raw = last if not self.encoding or self.encoding == "utf-8-sig" else self._behind(lines, text.count(b"\n", 0, last))
        self._rest = lines[raw:] + self._rest
        yield self._block(lines[:raw], raw)

    def _block(self, lines: bytes, size: int) -> Block:
        start = self._place
        self._place += size
        self.back = lines[-BACK:] if len(lines) >= BACK else (self.back + lines)[-BACK:]
        data = self._decoded(lines, start == 0)
        if not data.endswith(b"\n"):
            data += b"\n"
        starts = self._joiner.starts(data) if self._joiner else None
        return Block(data, start, self._place, starts, 1 if not self.encoding or self.encoding == "utf-8-sig" else 0)

    def _decoded(self, data: bytes, is_begin: bool = False) -> bytes:
        if not self.encoding:
            return data
        if self.encoding == "utf-8-sig":
            return data[3:] if is_begin and data.startswith(b"\xef\xbb\xbf") else data
        text = data.decode(self.encoding, "replace")
        return (text[1:] if is_begin and text.startswith("\ufeff") else text).encode("utf-8", "surrogatepass")

    def _behind(self, lines: bytes, number: int) -> int:
        """Where the line after so many begins."""
        at, size = 0, len(self._newline)
        while number:
            found = lines.find(self._newline, at)
            if found % size == 0:
                at, number = found + size, number - 1
            else:
                at = found + 1
        return at


def encoding_of(begin: bytes) -> str:
    """The encoding that the first bytes of a log say; empty where they say nothing."""
    for bom, name in _BOMS:
        if begin.startswith(bom):
            return name
    return ""
