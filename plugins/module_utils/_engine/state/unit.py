# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One transaction on the store: the only way in which SQL is spoken, so that another database can stand behind it."""

from __future__ import annotations

import json
import math
import sqlite3
import typing as t

Row = t.Tuple[t.Any, ...]


class Unit:
    """What ``with store.unit() as unit`` gives. Placeholders are ``?``; ``now`` is the store's clock at the beginning."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self.now = now

    def execute(self, sql: str, values: t.Sequence[t.Any] = ()) -> int:
        """Run one statement; returns the number of rows it touched."""
        cursor = self._connection.execute(sql, values)
        try:
            return cursor.rowcount
        finally:
            cursor.close()

    def insert(self, sql: str, values: t.Sequence[t.Any] = ()) -> int:
        """Run one INSERT; returns the new row's ``id``."""
        cursor = self._connection.execute(sql, values)
        try:
            return cursor.lastrowid or 0
        finally:
            cursor.close()

    def many(self, sql: str, rows: t.Iterable[t.Sequence[t.Any]]) -> None:
        """Run one statement for each row of values."""
        self._connection.executemany(sql, rows).close()

    def all(self, sql: str, values: t.Sequence[t.Any] = ()) -> list[Row]:
        """All rows of a query. They are read at once: an open cursor would keep the transaction's snapshot."""
        cursor = self._connection.execute(sql, values)
        try:
            return cursor.fetchall()
        finally:
            cursor.close()

    def one(self, sql: str, values: t.Sequence[t.Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        rows = self.all(sql, values)
        return rows[0] if rows else None


def dump(value: t.Any) -> str:
    """JSON as it is kept: short, readable, never NaN, everything unknown as text."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)


def _finite(value: t.Any) -> t.Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def load(text: str | None, default: t.Any = None) -> t.Any:
    """JSON as it was kept; ``default`` for nothing or for what is no JSON."""
    if not text:
        return default
    try:
        return json.loads(text)
    except ValueError:
        return default
