# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening a store: one file (SQLite), or a schema in a PostgreSQL database, for what was seen, told, and is still to be told.

Every write is a unit of work. Nothing of PostgreSQL is loaded before a URL asks for it.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import files
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.base import BUSY, Options, Store
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import (
    StateAway,
    StateDamaged,
    StateError,
    StateMissing,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.sqlite import SqliteStore
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.urls import (
    default_url,
    is_postgres,
    read_url,
)

__all__ = ["StateAway", "StateDamaged", "StateError", "StateMissing", "Store", "Unit", "check_writable", "default_url", "open_store"]


def check_writable(url: str) -> None:
    """Say at once what would keep a store from being written or made; makes nothing. Raises StateError with one sentence."""
    if is_postgres(url):
        from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres import check_writable as check

        check(url)
        return
    files.check_writable(read_url(url).path)


def open_store(
    url: str,
    clock: t.Callable[[], float] = time.time,
    read_only: bool = False,
    busy: float = BUSY,
) -> Store:
    """Open (and make) the store at ``sqlite:////abs/path.db?keep=90d`` or ``postgresql://...``; raises StateError with one sentence.

    ``read_only`` makes nothing and raises StateMissing when there is none. ``busy``: seconds to wait for other processes' writes.
    """
    options = Options(clock, read_only, busy)
    store, keep_days = _postgres(url, options) if is_postgres(url) else _sqlite(url, options)
    if keep_days is not None:
        store.keep_days = keep_days
    store.open()
    store.tidy()
    return store


def _sqlite(url: str, options: Options) -> tuple[Store, float | None]:
    place = read_url(url)
    return SqliteStore(place.path, options), place.keep_days


def _postgres(url: str, options: Options) -> tuple[Store, float | None]:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres import PostgresStore
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_url import read_postgres

    place = read_postgres(url)
    return PostgresStore(url, place, options), place.keep_days
