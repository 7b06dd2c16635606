# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening logs, packed or not, for reading from any place of what they hold."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.files import is_packed


class Unreadable(Exception):
    """A packed file cannot be read; the text is one sentence. ``is_partial``: it ends too early, as one does that is being written."""

    def __init__(self, sentence: str, is_partial: bool = False) -> None:
        super().__init__(sentence)
        self.is_partial = is_partial


class Log:
    """An open log. ``stat`` is of the file itself; places are those of what it holds.

    :raises OSError: it cannot be opened
    :raises Unreadable: what unpacks it is missing
    """

    def __init__(self, path: str) -> None:
        self.path = path
        # what is no file must not hold us up (a pipe nobody writes to)
        self._file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)), "rb", buffering=0)
        self.stat = os.fstat(self._file.fileno())
        self.is_packed = is_packed(path)
        self._inner: t.Any = _unpacker(path, self._file) if self.is_packed else self._file

    def seek(self, offset: int) -> int:
        """Go to a place."""
        return int(self._guarded(lambda: self._inner.seek(offset)))

    def read(self, size: int) -> bytes:
        """Read on; empty at the end.

        :raises Unreadable: it is damaged or not complete
        """
        return self._guarded(lambda: self._inner.read(size) or b"")

    def peek(self, offset: int, size: int) -> bytes:
        """The bytes at a place of a file that is not packed; what is read next stays what it was."""
        return os.pread(self._file.fileno(), size, offset)

    def _guarded(self, work: t.Callable[[], t.Any]) -> t.Any:
        if not self.is_packed:
            return work()
        import zlib

        try:
            return work()
        except EOFError as exc:
            raise Unreadable(f"{self.path} ends too early", True) from exc
        except (OSError, zlib.error, ValueError) as exc:
            raise Unreadable(f"{self.path} cannot be unpacked: {exc}") from exc
        except Exception as exc:  # lzma.LZMAError, where that is there
            if type(exc).__name__ != "LZMAError":
                raise
            raise Unreadable(f"{self.path} cannot be unpacked: {exc}") from exc

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def _unpacker(path: str, file: t.Any) -> t.Any:
    try:
        if path.endswith(".gz"):
            import gzip

            return gzip.GzipFile(fileobj=file)
        if path.endswith(".bz2"):
            import bz2

            return bz2.BZ2File(file)
        import lzma

        return lzma.LZMAFile(file)
    except ImportError as exc:
        file.close()
        raise Unreadable(f"{path} cannot be unpacked: this Python has no {exc.name}") from exc
