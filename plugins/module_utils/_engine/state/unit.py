# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One transaction on the store: the only way in which SQL is spoken, so that another database can stand behind it."""

from __future__ import annotations

import json
import math
import re
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    import sqlite3

_SURROGATE = re.compile("[\ud800-\udfff]")
Row = t.Tuple[t.Any, ...]
EVERY = (1 << 63) - 1  # as a LIMIT: all rows


class Unit:
    """What ``with store.unit() as unit`` gives. Placeholders are ``?``; ``now`` is the store's clock at the beginning."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self.now = now

    def execute(self, sql: str, values: t.Sequence[t.Any] = ()) -> int:
        """Run one statement; returns the number of rows it touched."""
        cursor = self._connection.execute(sql, _bound(values))
        try:
            return cursor.rowcount
        finally:
            cursor.close()

    def insert(self, sql: str, values: t.Sequence[t.Any] = ()) -> int:
        """Run one INSERT; returns the new row's ``id``."""
        cursor = self._connection.execute(sql, _bound(values))
        try:
            return cursor.lastrowid or 0
        finally:
            cursor.close()

    def many(self, sql: str, rows: t.Iterable[t.Sequence[t.Any]]) -> None:
        """Run one statement for each row of values."""
        self._connection.executemany(sql, map(_bound, rows)).close()

    def bulk(self, sql: str, rows: t.Iterable[t.Sequence[t.Any]]) -> None:
        """Like ``many``, for great numbers of rows whose texts are known to be UTF-8."""
        self._connection.executemany(sql, rows).close()

    def pairs(self, sql: str, values: t.Sequence[t.Any] = ()) -> dict[t.Any, t.Any]:
        """A query of two columns as a mapping; great numbers of rows take no more memory than that."""
        cursor = self._connection.execute(sql, _bound(values))
        try:
            return dict(cursor)
        finally:
            cursor.close()

    def all(self, sql: str, values: t.Sequence[t.Any] = ()) -> list[Row]:
        """All rows of a query. They are read at once: an open cursor would keep the transaction's snapshot."""
        cursor = self._connection.execute(sql, _bound(values))
        try:
            return cursor.fetchall()
        finally:
            cursor.close()

    def one(self, sql: str, values: t.Sequence[t.Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        rows = self.all(sql, values)
        return rows[0] if rows else None


def clean(text: str) -> str:
    """The text as UTF-8 can hold it; other bytes (lone surrogates) are written ``\\xNN``."""
    return text if text.isascii() else _SURROGATE.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    number = ord(found.group())
    raw = bytes([number - 0xDC00]) if 0xDC80 <= number <= 0xDCFF else found.group().encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def _bound(values: t.Sequence[t.Any]) -> list[t.Any]:
    return [clean(value) if isinstance(value, str) else value for value in values]


def _deep_clean(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key) if isinstance(key, str) else key: _deep_clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_deep_clean(item) for item in value]
    return value


def dump(value: t.Any) -> str:
    """JSON as it is kept: short, readable, never NaN, everything unknown as text, as UTF-8 can hold it."""
    text = _dump(value)
    return text if clean(text) == text else _dump(_deep_clean(value))


def _dump(value: t.Any) -> str:
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
