# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store in a PostgreSQL database: for controllers that keep no disk, and for several of them at once.

Writing units come one after the other, under an advisory lock of the schema, so that everything is as with SQLite's single writer.
Reading ones see one moment and wait for nobody. Every setting is the transaction's own: a pooler may stand before the server.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
import uuid

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.base import Options, Store
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateAway, StateError, StateMissing
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_errors import (
    Crowded,
    Undone,
    Unknown,
    explain,
    unknown,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_schema import bring_up, lock_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_session import Session
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_unit import PostgresUnit
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_url import Server, read_postgres
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

T = t.TypeVar("T")
_IDLE = 30  # seconds: a machine that vanishes in the middle of a unit must not hold the lock for ever
_PATIENCE = 5.0  # seconds in which a server that went away may come back
_PAUSE = 0.1
_SLOW = 1.0  # a failure to connect that took longer is not tried again for some times as long
_REST, _LONGEST_REST = 4.0, 30.0
_DAY = 86400.0
_INHERITED: t.List[t.Any] = []


class PostgresStore(Store):
    """An open schema. The connection is made again when it was lost, and by every process of its own."""

    def __init__(self, url: str, place: Server, options: Options) -> None:
        super().__init__(place.shown, options)
        self.url = url
        self._place = place
        self._session: Session | None = None
        self._pid = os.getpid()
        self._client = uuid.uuid4().hex
        self._rest: tuple[float, str] = (0.0, "")

    def unit(self, durable: bool = False) -> t.ContextManager[Unit]:
        return self._unit(not self.read_only, durable)

    def view(self) -> t.ContextManager[Unit]:
        return self._unit(False)

    def run(self, work: t.Callable[[Unit], T], durable: bool = False) -> T:
        """Once more where the connection was lost; a server that went away is waited for a little."""
        tries, give_up = 0, time.monotonic() + min(self._busy, _PATIENCE)
        while True:
            try:
                with self.unit(durable) as unit:
                    return work(unit)
            except StateAway as exc:
                tries += 1
                again = (exc.undone and tries == 1) or time.monotonic() < give_up
                if isinstance(exc, Unknown) or not again:
                    raise
            time.sleep(_PAUSE)

    def open(self) -> None:
        with self._guard:
            self._ready()

    def rest(self) -> None:
        self.close()

    @contextlib.contextmanager
    def _unit(self, writing: bool, durable: bool = False) -> t.Iterator[Unit]:
        with self._guard:
            session = self._begin(writing, durable)
            unit = PostgresUnit(session, self.clock())
            try:
                yield unit
            except BaseException as exc:
                if isinstance(exc, session.error):
                    raise self._failed(exc, session) from exc
                self._roll_back(session)
                raise
            self._commit(session, unit)

    def _begin(self, writing: bool, durable: bool = False) -> Session:
        """A session in a transaction. A connection that was lost since it was used last is made anew: nothing was done in it yet."""
        was_used = self._session is not None and self._pid == os.getpid()
        session = self._ready()
        try:
            session.send(self._opening(writing, durable))
        except session.error as exc:
            error = self._failed(exc, session)
            if not was_used or not isinstance(error, Undone):
                raise error from exc
            return self._begin(writing, durable)
        return session

    def _opening(self, writing: bool, durable: bool) -> str:
        kind = "READ COMMITTED READ WRITE" if writing else "REPEATABLE READ READ ONLY"
        words = [
            f"BEGIN ISOLATION LEVEL {kind}",
            f'SET LOCAL search_path TO "{self._place.schema}"',
            f"SET LOCAL lock_timeout TO {max(int(self._busy * 1000), 1)}",
            f"SET LOCAL idle_in_transaction_session_timeout TO '{_IDLE}s'",
        ]
        if writing:
            words += ["SET LOCAL synchronous_commit TO on"] if durable else []
            words.append(f"SELECT pg_advisory_xact_lock({lock_of(self._place.schema)})")
        return ";".join(words)

    def _commit(self, session: Session, unit: PostgresUnit) -> None:
        """With what was written goes the name of the unit, by which it is found should the answer be lost."""
        token, text = uuid.uuid4().hex, "COMMIT"
        if unit.wrote and not self.read_only:
            note = (
                "INSERT INTO commits (client, token, at) VALUES (%s, %s, %s)"
                " ON CONFLICT (client) DO UPDATE SET token = excluded.token, at = excluded.at"
            )
            text = session.text(note, (self._client, token, unit.now)) + ";COMMIT"
        try:
            session.send(text)
        except session.error as exc:
            was_lost = session.is_lost
            error = self._failed(exc, session)
            if not was_lost or not unit.wrote or not self._is_kept(token):
                raise error from exc

    def _is_kept(self, token: str) -> bool:
        """Whether the unit was committed. The lock is waited for: until its old connection is over that is not decided."""
        give_up = time.monotonic() + min(max(self._busy, 1.0), _PATIENCE)
        while True:
            try:
                session = self._begin(True)
                try:
                    return session.ask(session.text("SELECT token FROM commits WHERE client = %s", (self._client,))) == [(token,)]
                except session.error as exc:
                    raise self._failed(exc, session) from exc
                finally:
                    self._roll_back(session)
            except StateError as exc:
                if time.monotonic() > give_up:
                    raise unknown(self._place) from exc
            time.sleep(_PAUSE)

    def _roll_back(self, session: Session) -> None:
        try:
            if not session.is_lost:
                session.send("ROLLBACK")
        except session.error:
            self._drop()

    def _failed(self, exc: BaseException, session: Session) -> StateError:
        error = explain(exc, self._place, session.is_lost)
        self._roll_back(session)
        if session.is_lost or isinstance(error, Undone):
            self._drop()  # where tables are missing they are made again as it is opened
        return error

    def _ready(self) -> Session:
        """The connection; made again when it was lost, or was a parent process's."""
        if self._pid != os.getpid():
            # after a fork the parent's connection must not be used, nor closed, so it is only put away
            _INHERITED.append(self._session)
            self._session, self._pid, self._client = None, os.getpid(), uuid.uuid4().hex
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _connect(self) -> Session:
        until, why = self._rest
        if time.monotonic() < until:
            raise StateAway(why)
        begun = time.monotonic()
        try:
            session = self._enter(begun + self._busy)
        except StateAway as exc:
            took = time.monotonic() - begun
            if took > _SLOW:  # nobody waits for such a server again and again
                self._rest = (time.monotonic() + min(took * _REST, _LONGEST_REST), str(exc))
            raise
        try:
            self.salt = bring_up(session, self._place, self.read_only, self._busy)
        except session.error as exc:
            error = explain(exc, self._place, session.is_lost)
            session.close()
            raise error from exc
        except BaseException:
            session.close()
            raise
        return session

    def _enter(self, give_up: float) -> Session:
        """A server that has no room for another connection is waited for, as a lock is."""
        while True:
            try:
                return Session(self._place)
            except Crowded:
                if time.monotonic() > give_up:
                    raise
            time.sleep(_PAUSE)

    def _sweep(self, unit: Unit) -> None:
        unit.execute("DELETE FROM commits WHERE at < ?", (unit.now - _DAY,))

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None and self._pid == os.getpid():
            session.close()


def check_writable(url: str) -> None:
    """Say at once what would keep a store from being written or made; makes nothing. Raises StateError with one sentence."""
    place = read_postgres(url)
    session = Session(place)
    try:
        may = (
            "COALESCE((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %s),"
            " has_database_privilege(current_database(), 'CREATE'))"
        )
        with contextlib.suppress(StateMissing):
            bring_up(session, place, True, 1.0)
            may = "has_table_privilege(%s || '.outbox', 'INSERT')"
        shut, free = session.ask(
            session.text(f"SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on', {may}", (place.schema,))
        )[0]
    except session.error as exc:
        raise explain(exc, place, session.is_lost) from exc
    finally:
        session.close()
    if shut:
        raise StateError(f"The state store {place.shown} cannot be written: it is read-only; name the primary server in state_url.")
    if not free:
        raise StateError(
            f"The state store {place.shown} cannot be written: its user may not make or fill tables in the schema {place.schema}."
        )
