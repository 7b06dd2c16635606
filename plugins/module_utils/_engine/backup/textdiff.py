# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed in a file, for people: a unified diff of small texts without their secrets, sizes and hashes of all else."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import stat
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, shown
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reader import Reader
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import MASK, mask, secrets_of

LIMIT = 64 << 10  # bytes of a text that is shown
_MOST = 1 << 20  # bytes of all diffs together


def read_patterns(name: str, patterns: t.Sequence[str]) -> list[t.Pattern[str]]:
    """Regular expressions of an option.

    :raises ValueError: one of them is none
    """
    found = []
    for number, pattern in enumerate(patterns, 1):
        try:
            found.append(re.compile(pattern))
        except re.error as exc:
            raise ValueError(f"{name}, entry {number}: {pattern!r} is no regular expression: {exc}") from exc
    return found


class Differ:
    """Compares contents with those of the last snapshot.

    :arg ignore: lines in which one of these is found do not count as a change, though they are backed up like all others
    :arg hidden: what is masked in the diff: the groups of an expression, or all of the match where it has none
    """

    def __init__(self, repository: Repository, ignore: t.Sequence[t.Pattern[str]], hidden: t.Sequence[t.Pattern[str]], show: bool) -> None:
        self._repository = repository
        self._ignore = ignore
        self._hidden = hidden
        self._show = show
        self._parts: list[str] = []
        self._size = 0
        self._left_out = 0

    def alike(self, before: Entry | None, data: bytes | None) -> bool:
        """Whether the contents differ in ignored lines alone."""
        if not self._ignore or before is None or data is None:
            return False
        old, new = _text(self._old(before)), _text(data)
        return old is not None and new is not None and self._lines(old) == self._lines(new)

    def tell(self, entry: Entry, before: Entry | None, data: bytes | None) -> None:
        """Take up the difference of a file that is new or changed. What not everybody may read on the host is not shown elsewhere."""
        if not self._show:
            return
        name = shown(entry.path)
        if not (entry.mode & stat.S_IROTH and (before is None or before.mode & stat.S_IROTH)):
            self._add(f"{name}: {'added' if before is None else 'changed'}, not shown as not everybody may read it\n")
            return
        old = _text(self._old(before)) if before is not None and before.sha256 else ""
        new = _text(data)
        if old is None or new is None:
            self._add(f"{name}: {_binary(before, data)}\n")
            return
        self._add(self._unified(old, new, name, before is not None))

    def back(self, entry: Entry, place: str) -> None:
        """Take up what putting a file back changes.

        :arg place: where it is put
        """
        if not self._show:
            return
        name, mode, now = shown(place), 0o777, b""
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                mode = os.fstat(handle).st_mode
                now = file.read(LIMIT + 1) if stat.S_ISREG(mode) else b"\0"
            known = True
        except OSError as exc:
            known = exc.errno != errno.ENOENT
            now = b"\0" if known else b""
        if not entry.mode & mode & stat.S_IROTH:
            self._add(f"{name}: not shown as not everybody may read it\n")
            return
        old, new = _text(now), _text(self._old(entry) if entry.size else b"")
        if old is None or new is None:
            self._add(f"{name}: {entry.size} bytes, sha256 {(entry.sha256 or '')[:16]}\n")
            return
        self._add(self._unified(old, new, name, known))

    def gone(self, path: str) -> None:
        """Take up a file that is not there any more."""
        if self._show:
            self._add(f"--- {shown(path)}\n+++ removed\n")

    def text(self) -> str:
        """All differences, bounded."""
        more = f"... and {self._left_out} more files\n" if self._left_out else ""
        return "".join(self._parts) + more

    def _unified(self, old: str, new: str, name: str, known: bool) -> str:
        one, two = self._masked(old).splitlines(), self._masked(new).splitlines()
        lines = list(difflib.unified_diff(one, two, f"{name} (before)" if known else "added", name, lineterm=""))
        if not lines:
            return f"{name}: changed where secrets are masked\n" if old != new else ""
        return "\n".join(lines) + "\n"

    def _masked(self, text: str) -> str:
        for pattern in self._hidden:
            text = pattern.sub(_hide, text)
        return t.cast("str", mask(text, secrets_of(text)))

    def _lines(self, text: str) -> list[str]:
        return [line for line in text.splitlines() if not any(pattern.search(line) for pattern in self._ignore)]

    def _add(self, part: str) -> None:
        if self._size + len(part) > _MOST:
            self._left_out += 1
            return
        self._size += len(part)
        self._parts.append(part)

    def _old(self, before: Entry) -> bytes | None:
        if before.size > LIMIT or before.archive is None or before.sha256 is None:
            return None
        try:
            place = self._repository.contents(before.archive).get(before.sha256)
            if place is None:
                return None
            reader = Reader(self._repository.archive(before.archive), before.archive)
            try:
                data = b"".join(reader.read(place))
            finally:
                reader.close()
        except Damaged:
            return None
        return data if hashlib.sha256(data).hexdigest() == before.sha256 else None


def _text(data: bytes | None) -> str | None:
    """The text of a small file; None for a large one and for what is none."""
    if data is None or len(data) > LIMIT or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _binary(before: Entry | None, data: bytes | None) -> str:
    new = "large" if data is None else f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"
    return f"added, {new}" if before is None else f"{before.size} bytes, sha256 {(before.sha256 or '')[:16]}, is now {new}"


def _hide(match: t.Match[str]) -> str:
    if not match.re.groups:
        return MASK
    text, begin = match.group(), match.start()
    spans = sorted({match.span(number) for number in range(1, match.re.groups + 1) if match.start(number) >= 0}, reverse=True)
    for start, end in spans:
        text = text[: start - begin] + MASK + text[end - begin :]
    return text
