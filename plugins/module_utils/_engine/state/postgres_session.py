# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection to PostgreSQL, by psycopg or, where that is not there, by psycopg2: text goes out, rows come in."""

from __future__ import annotations

import importlib
import os
import sys
import typing as t
import weakref

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_errors import bare, unreachable
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_url import Server

_TIMEOUT = 5  # seconds for a connection to come about, of each address
# A server whose machine is gone must be noticed. Seconds, but the last in milliseconds and from libpq 12 on.
_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
_USER_TIMEOUT = {"tcp_user_timeout": 20000}
_OPEN: weakref.WeakSet[Session] = weakref.WeakSet()
_BYTEA = (17,)


class Driver(t.NamedTuple):
    """The library that speaks to the server."""

    module: t.Any
    libpq: int
    parse: t.Callable[[str], t.Mapping[str, t.Any]]
    is_third: bool


def load() -> Driver:
    """psycopg (3.1 or newer), else psycopg2.

    :raises StateError: there is neither
    """
    try:
        third = importlib.import_module("psycopg")
        if hasattr(third, "ClientCursor"):
            return Driver(third, int(third.pq.version()), importlib.import_module("psycopg.conninfo").conninfo_to_dict, True)
    except ImportError:
        pass  # also where it finds no libpq
    try:
        second = importlib.import_module("psycopg2")
        more = importlib.import_module("psycopg2.extensions")
        return Driver(second, int(more.libpq_version()), more.parse_dsn, False)
    except ImportError:
        raise StateError(
            f"A state_url of PostgreSQL needs the Python package psycopg (or psycopg2) for {sys.executable}; install psycopg[binary],"
            " or python3-psycopg2 of the distribution."
        ) from None


class Session:
    """An open connection without a transaction of its own making."""

    def __init__(self, place: Server) -> None:
        self.driver = load()
        self.error: type[Exception] = self.driver.module.Error
        self._connection = self._connect(place)
        self._handle: int | None = self._connection.fileno()
        _OPEN.add(self)

    def _connect(self, place: Server) -> t.Any:
        module = self.driver.module
        try:
            given = self.driver.parse(place.dsn)
        except self.error as exc:
            raise bare(exc, place) from None
        wanted: dict[str, t.Any] = {"fallback_application_name": "vigil.ops", **_ALIVE}
        wanted.update(_USER_TIMEOUT if self.driver.libpq >= 120000 else {})
        wanted.update({} if os.environ.get("PGCONNECT_TIMEOUT") else {"connect_timeout": _TIMEOUT})
        options = {name: value for name, value in wanted.items() if name not in given}
        options["client_encoding"] = "UTF8"
        try:
            if self.driver.is_third:
                # values are put into the text here: no prepared statements, which a pooler before the server would mix up
                options.update(autocommit=True, prepare_threshold=None, cursor_factory=module.ClientCursor)
                return module.connect(place.dsn, **options)
            connection = module.connect(place.dsn, **options)
            connection.autocommit = True
            module.extensions.register_type(module.extensions.new_type(_BYTEA, "VIGIL_BYTEA", _bytea), connection)
            return connection
        except self.error as exc:
            raise unreachable(exc, place) from None

    @property
    def is_lost(self) -> bool:
        """Whether it is of no use any more."""
        return bool(self._connection.closed)

    def text(self, sql: str, values: t.Sequence[t.Any]) -> str:
        """SQL with ``%s`` and its values as one text; with no values it is as it was."""
        if not values:
            return sql
        with self._connection.cursor() as cursor:
            made = cursor.mogrify(sql, values)
        return made.decode("utf-8") if isinstance(made, bytes) else str(made)

    def send(self, text: str) -> int:
        """Run one statement or several; returns the number of rows that the only one touched."""
        with self._connection.cursor() as cursor:
            cursor.execute(text)
            return int(cursor.rowcount)

    def ask(self, text: str) -> list[tuple[t.Any, ...]]:
        """All rows of one statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def close(self) -> None:
        """Say farewell."""
        self._handle = None
        try:
            self._connection.close()
        except self.error:
            return

    def leave(self) -> None:
        """In a forked child: the connection is the parent's. This end goes, so that the server notices when the parent is gone."""
        handle, self._handle = self._handle, None
        if handle is not None:
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nothing, handle, inheritable=False)
            os.close(nothing)


def _bytea(value: str | None, _cursor: t.Any) -> bytes | None:
    return None if value is None else bytes.fromhex(value[2:])


def _leave_all() -> None:
    for session in list(_OPEN):
        session.leave()


os.register_at_fork(after_in_child=_leave_all)
