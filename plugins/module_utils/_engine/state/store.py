# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store: one file for what was seen, told, and is still to be told; every write is a unit of work.

SQLite in WAL mode, private to its owner. Any number of processes may use it at once. Commits are safe against a killed process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import (
    files,
    migrate,
    retention,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import (
    StateDamaged,
    StateError,
    StateMissing,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.urls import (
    default_url,
    read_url,
)

__all__ = ["StateDamaged", "StateError", "StateMissing", "Store", "Unit", "check_writable", "default_url", "open_store"]

T = t.TypeVar("T")
BUSY = 15.0
_INHERITED: t.List[t.Any] = []


class Store:
    """An open store. ``notices`` holds sentences that the user should be told (a damaged file was set aside)."""

    def __init__(
        self, path: str, clock: t.Callable[[], float], read_only: bool, busy: float, guard: t.ContextManager[t.Any] | None
    ) -> None:
        self.path = path
        self.url = "sqlite:///" + path
        self.read_only = read_only
        self.notices: list[str] = []
        self.salt = ""
        self.keep_days = retention.DAYS
        self.clock = clock
        self._busy = busy
        self._guard: t.ContextManager[t.Any] = threading.Lock() if guard is None else guard
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._pid = os.getpid()

    def unit(self, durable: bool = False) -> t.ContextManager[Unit]:
        """``with store.unit() as unit``: one transaction, committed at the end, rolled back on any exception.

        ``durable``: on the disk when it returns, so that it outlives a power failure too; without that it outlives every killed process.
        A file found damaged in between is set aside, a new one is begun, and StateDamaged says so.
        """
        return self._unit("BEGIN" if self.read_only else "BEGIN IMMEDIATE", durable)

    def view(self) -> t.ContextManager[Unit]:
        """Like ``unit``, for reading alone: it waits for no writer and stops none."""
        return self._unit("BEGIN")

    def run(self, work: t.Callable[[Unit], T], durable: bool = False) -> T:
        """``work(unit)`` in one unit (``durable`` as there); once more on the new file when the old one turned out damaged."""
        try:
            with self.unit(durable) as unit:
                return work(unit)
        except StateDamaged:
            if self.read_only:
                raise
        with self.unit(durable) as unit:
            return work(unit)

    @contextlib.contextmanager
    def _unit(self, begin: str, durable: bool = False) -> t.Iterator[Unit]:
        with self._guard:
            connection = self._ready()
            try:
                connection.execute("PRAGMA synchronous=" + ("FULL" if durable else "NORMAL")).close()
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
        self._connection = connection

    def tidy(self) -> None:
        """Forget what is older than ``keep_days``; at most once a day, a little at a time, never in somebody's way."""
        if self.read_only:
            return
        try:
            with self.view() as unit:
                if not retention.is_due(unit):
                    return
            give_up = time.monotonic() + 2.0
            while time.monotonic() < give_up:
                with self.unit() as unit:
                    if not retention.is_due(unit) or retention.step(unit, self.keep_days):
                        return
        except StateDamaged:
            return  # said in notices
        except StateError:
            return  # tidying waits for a better day

    def close(self) -> None:
        """Close the file; the store opens it again when it is used again."""
        with self._guard:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if self._pid == os.getpid():
            _close(connection)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except sqlite3.Error:
            return


def check_writable(url: str) -> None:
    """Say at once what would keep a store from being written or made; makes nothing. Raises StateError with one sentence."""
    files.check_writable(read_url(url).path)


def open_store(
    url: str,
    clock: t.Callable[[], float] = time.time,
    read_only: bool = False,
    busy: float = BUSY,
    guard: t.ContextManager[t.Any] | None = None,
) -> Store:
    """Open (and make) the store at ``sqlite:////abs/path.db?keep=90d``; raises StateError with one sentence.

    ``read_only`` makes nothing and raises StateMissing when there is no file. ``busy``: seconds to wait for other processes' writes.
    ``guard``: a lock to take around every use (default: one of its own), for programs that fork while threads use the store.
    """
    place = read_url(url)
    store = Store(place.path, clock, read_only, busy, guard)
    if place.keep_days is not None:
        store.keep_days = place.keep_days
    with store._guard:
        store._open_sound()
    store.tidy()
    return store
