# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring an open SQLite file to the schema that this version knows."""

from __future__ import annotations

import os
import sqlite3
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import schema
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import (
    StateDamaged,
    StateError,
    StateMissing,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.files import (
    is_busy,
)

T = t.TypeVar("T")


def patient(work: t.Callable[[], T], seconds: float) -> T:
    """Repeat ``work`` while the file is locked: switching to WAL and recovery do not always wait by themselves."""
    give_up = time.monotonic() + seconds
    pause = 0.005
    while True:
        try:
            return work()
        except sqlite3.OperationalError as exc:
            if not is_busy(exc) or time.monotonic() >= give_up:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def bring_up(connection: sqlite3.Connection, path: str, read_only: bool, busy: float) -> str:
    """Check the file cheaply, migrate it when it may be written; returns the store's salt.

    Raises sqlite3.Error, StateDamaged (our rows are not where they must be) or StateError (written by a newer version).
    """
    version = patient(lambda: _version(connection), busy)
    if version > schema.VERSION:
        raise StateError(
            f"The state file {path} was written by a newer version of vigil.ops (schema {version}, this one knows {schema.VERSION});"
            " upgrade the collection or give another state_url."
        )
    if read_only:
        if version == 0:
            raise StateMissing(f"The state file {path} is empty; the first run that keeps history fills it.")
        if version < schema.VERSION:
            # As if nothing were kept: whoever only tries what a run would do comes before the run that brings it up to date.
            raise StateMissing(
                f"The state file {path} is of an older version of vigil.ops; the next run that writes there brings it up to date."
            )
        return patient(lambda: _salt(connection, path), busy)
    if version == 0:
        patient(lambda: _check_empty(connection, path), busy)
    if version == 0 or patient(lambda: _pragma(connection, "journal_mode"), busy) != "wal":
        patient(lambda: _pragma(connection, "journal_mode=WAL"), busy)
    connection.execute("PRAGMA synchronous=NORMAL").close()
    connection.execute("PRAGMA temp_store=MEMORY").close()
    if version < schema.VERSION:
        if version:
            patient(lambda: _salt(connection, path), busy)  # another program's database must not get tables of ours
        patient(lambda: _migrate(connection), busy)
    return patient(lambda: _salt(connection, path), busy)


def _pragma(connection: sqlite3.Connection, name: str) -> t.Any:
    cursor = connection.execute("PRAGMA " + name)
    try:
        row = cursor.fetchone()
    finally:
        cursor.close()
    return row[0] if row else None


def _version(connection: sqlite3.Connection) -> int:
    _pragma(connection, "schema_version")
    return int(_pragma(connection, "user_version"))


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(_pragma(connection, "user_version"))
        for number in range(version, schema.VERSION):
            for statement in schema.STEPS[number]:
                connection.execute(statement)
        connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('salt', ?)", (os.urandom(16).hex(),))
        if version < schema.VERSION:
            connection.execute(f"PRAGMA user_version={schema.VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_empty(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a database that has no version of ours (which is written together with the tables), but tables: most programs set none."""
    cursor = connection.execute("SELECT (SELECT COUNT(*) FROM sqlite_master), user_version FROM pragma_user_version")
    tables, version = cursor.fetchone()
    cursor.close()
    if tables and not version:
        raise _strange(path)


def _strange(path: str) -> StateError:
    return StateError(f"The file {path} is a database of another program; give another state_url.")


def _salt(connection: sqlite3.Connection, path: str) -> str:
    try:
        cursor = connection.execute("SELECT value FROM meta WHERE key = 'salt'")
        row = cursor.fetchone()
        cursor.close()
    except sqlite3.OperationalError as exc:
        if "no such table" in str(exc):
            raise _strange(path) from exc
        raise
    if not row:
        raise StateDamaged(f"The state file {path} has lost its first row.")
    return str(row[0])
