# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store in one file: SQLite in WAL mode, private to its owner.

Any number of processes may use it at once. Commits are safe against a killed process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import files, migrate
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.base import Options, Store
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateDamaged, StateError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

T = t.TypeVar("T")
_INHERITED: t.List[t.Any] = []


class SqliteStore(Store):
    """An open file. One that is found damaged in between is set aside, a new one is begun, and StateDamaged says so."""

    def __init__(self, path: str, options: Options) -> None:
        super().__init__(path, options)
        self.url = "sqlite:///" + path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._is_durable = False
        self._pid = os.getpid()

    def unit(self, durable: bool = False) -> t.ContextManager[Unit]:
        return self._unit("BEGIN" if self.read_only else "BEGIN IMMEDIATE", durable)

    def view(self) -> t.ContextManager[Unit]:
        return self._unit("BEGIN")

    def run(self, work: t.Callable[[Unit], T], durable: bool = False) -> T:
        try:
            with self.unit(durable) as unit:
                return work(unit)
        except StateDamaged:
            if self.read_only:
                raise
        with self.unit(durable) as unit:
            return work(unit)

    def open(self) -> None:
        with self._guard:
            self._open_sound()

    @contextlib.contextmanager
    def _unit(self, begin: str, durable: bool = False) -> t.Iterator[Unit]:
        with self._guard:
            connection = self._ready()
            try:
                if durable != self._is_durable:
                    connection.execute("PRAGMA synchronous=" + ("FULL" if durable else "NORMAL")).close()
                    self._is_durable = durable
                connection.execute(begin)
                yield Unit(connection, self.clock())
                connection.execute("COMMIT")
            except BaseException as exc:
                self._roll_back(connection)
                if isinstance(exc, sqlite3.DatabaseError) and not isinstance(exc, (sqlite3.ProgrammingError, sqlite3.IntegrityError)):
                    raise self._failed(exc) from exc
                raise

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop()

    def _failed(self, exc: sqlite3.Error) -> StateError:
        error = files.explain(exc, self.path)
        if isinstance(error, StateDamaged):
            return self._replace(error)
        return error

    def _replace(self, error: StateDamaged) -> StateDamaged:
        """Set the damaged file aside and begin a new one; returns the sentence to tell."""
        if self.read_only:
            return StateDamaged(f"{error} It is left as it is here; the next run that writes there sets it aside and begins a new one.")
        damaged = self._file
        self._drop()
        aside = files.set_aside(self.path, damaged, self.clock())
        if aside:
            self.notices.append(f"The state file {self.path} was damaged and was set aside as {aside}; a new one was begun.")
        self._open()
        return StateDamaged(self.notices[-1] if aside else str(error))

    def _ready(self) -> sqlite3.Connection:
        """The connection; opened again when the file was moved away or removed since, or by a parent process."""
        if self._pid != os.getpid():
            # after a fork the parent's connection must not be used, nor closed, so it is only put away
            _INHERITED.append(self._connection)
            self._connection, self._pid = None, os.getpid()
        if self._connection is not None and files.identity(self.path) != self._file:
            self._drop()
        if self._connection is None:
            self._open_sound()
        if self._connection is None:
            raise StateError(f"The state file {self.path} is closed.")
        return self._connection

    def _open_sound(self) -> None:
        for attempt in (1, 2, 3):
            try:
                self._open()
                return
            except StateDamaged as exc:
                if not files.is_like_a_store(self.path):
                    raise StateError(
                        f"The file {self.path} is no SQLite database and is left as it is; give another state_url, best one that ends in .db."
                    ) from exc
                if self.read_only or attempt == 3:
                    raise
                aside = files.set_aside(self.path, self._file, self.clock())
                if aside:
                    self.notices.append(f"{str(exc).rstrip('.')}, so it was set aside as {aside}; a new one was begun.")

    def _open(self) -> None:
        """Make, check and migrate the file; StateDamaged leaves ``_file`` at what was seen."""
        if not self.read_only:
            files.prepare(self.path)
        files.check_kind(self.path)
        self._file = files.identity(self.path)
        files.check_size(self.path)
        connection = None
        try:
            connection = files.connect(self.path, self._busy, self.read_only)
            self.salt = migrate.bring_up(connection, self.path, self.read_only, self._busy)
            if not self.read_only:
                files.narrow(self.path)
        except sqlite3.Error as exc:
            _close(connection)
            raise files.explain(exc, self.path) from exc
        except StateError:
            _close(connection)
            raise
        self._connection, self._is_durable = connection, False  # as it is brought up

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if self._pid == os.getpid():
            _close(connection)


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except sqlite3.Error:
            return
