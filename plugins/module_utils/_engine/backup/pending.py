# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that exist whole or not at all."""

from __future__ import annotations

import itertools
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import refusal

_NUMBERS = itertools.count()


class Pending:
    """A file that is written in the directory for unfinished things and comes to its place when it is whole and on the disk.

    Use it as a context: without :meth:`commit` it is removed.

    :raises BackupError: it cannot be made
    """

    def __init__(self, scratch: str, place: str) -> None:
        self.place = place
        self._path = os.path.join(scratch, f"{os.path.basename(place)}.{os.getpid()}.{next(_NUMBERS)}")
        try:
            self.file: t.BinaryIO = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        except OSError as exc:
            raise refusal(exc, self._path, "written") from exc
        self._open = True

    def __enter__(self) -> Pending:
        return self

    def commit(self, sure: bool = True, alone: bool = True) -> None:
        """Put it in its place, for good.

        :arg sure: bring it to the disk; not for what can be made anew of other files
        :arg alone: bring its name to the disk, too; not where another file of the same directory follows at once
        :raises OSError: it cannot be written
        """
        self.file.flush()
        if sure:
            os.fsync(self.file.fileno())
        self.file.close()
        os.rename(self._path, self.place)
        self._open = False
        if alone:
            sync_directory(os.path.dirname(self.place))

    def __exit__(self, *unused: t.Any) -> None:
        if self._open:
            self._open = False
            try:
                os.unlink(self._path)
                self.file.close()
            except OSError:
                pass


def sync_directory(path: str) -> None:
    """Have the names in a directory on the disk, too."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
