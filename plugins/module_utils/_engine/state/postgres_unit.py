# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A unit of work on PostgreSQL: the rooms speak the SQL that SQLite knows, here it is put into PostgreSQL's words."""

from __future__ import annotations

import functools
import itertools
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_session import Session
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Row, Unit, clean

_LIKE = re.compile(r"\bLIKE\b")
_MOST = 500  # statements that are sent together


@functools.lru_cache(maxsize=1024)
def in_its_words(sql: str, with_values: bool) -> str:
    """``?`` becomes ``%s``; LIKE tells no capital from a small letter of ASCII in SQLite, and so does ILIKE where texts are of collation C."""
    parts = sql.replace("%", "%%").split("'") if with_values else sql.split("'")
    parts[::2] = [_LIKE.sub("ILIKE", part).replace("?", "%s") if with_values else _LIKE.sub("ILIKE", part) for part in parts[::2]]
    return "'".join(parts)


def bound(values: t.Sequence[t.Any]) -> tuple[t.Any, ...]:
    """Values as columns take them: no bytes that are not UTF-8, no NUL, which PostgreSQL refuses, no bool, which is none of its numbers."""
    return tuple(_bound(value) for value in values)


def _bound(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return clean(value).replace("\0", "\\x00")
    return int(value) if isinstance(value, bool) else value


class PostgresUnit(Unit):
    """One transaction.

    :ivar wrote: whether anything was to be written in it
    """

    def __init__(self, session: Session, now: float) -> None:
        self._session = session
        self.now = now
        self.wrote = False

    def _text(self, sql: str, values: t.Sequence[t.Any]) -> str:
        values = bound(values)
        return self._session.text(in_its_words(sql, bool(values)), values)

    def execute(self, sql: str, values: t.Sequence[t.Any] = ()) -> int:
        self.wrote = True
        return self._session.send(self._text(sql, values))

    def insert(self, sql: str, values: t.Sequence[t.Any] = ()) -> int:
        self.wrote = True
        return int(self._session.ask(self._text(sql + " RETURNING id", values))[0][0])

    def many(self, sql: str, rows: t.Iterable[t.Sequence[t.Any]]) -> None:
        left = iter(rows)
        for part in iter(lambda: list(itertools.islice(left, _MOST)), []):
            self.wrote = True
            self._session.send(";".join(self._text(sql, row) for row in part))

    def bulk(self, sql: str, rows: t.Iterable[t.Sequence[t.Any]]) -> None:
        self.many(sql, rows)

    def pairs(self, sql: str, values: t.Sequence[t.Any] = ()) -> dict[t.Any, t.Any]:
        return dict(t.cast("t.List[t.Tuple[t.Any, t.Any]]", self.all(sql, values)))

    def all(self, sql: str, values: t.Sequence[t.Any] = ()) -> list[Row]:
        return self._session.ask(self._text(sql, values))
