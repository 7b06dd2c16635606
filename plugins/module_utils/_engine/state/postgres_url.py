# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a store in PostgreSQL lies: the URL as libpq reads it, with ``keep`` and ``schema`` for this collection."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.urls import read_keep

SCHEMA = "vigil"
_EXAMPLE = "postgresql://user:password@host/database?keep=30d"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::[0-9]{1,5})?\Z")
_SECRET = ("password", "sslpassword")


class Server(t.NamedTuple):
    """A store in a database. ``dsn`` is for libpq alone; ``shown`` is for people; ``secrets`` must be in nothing that is said."""

    dsn: str
    shown: str
    schema: str = SCHEMA
    keep_days: t.Optional[float] = None
    secrets: t.FrozenSet[str] = frozenset()


def read_postgres(url: str) -> Server:
    """What ``postgresql://user:password@host:5432/database?keep=30d&schema=vigil&sslmode=verify-full`` says.

    Every other parameter is libpq's, and so are variables such as PGPASSWORD.

    :raises StateError: one sentence, without anything that may be a part of a password
    """
    rest = str(url).strip().partition("://")[2]
    before, _mark, query = rest.partition("?")
    authority, _slash, database = before.partition("/")
    if rest.count("@") > authority.count("@") or authority.count("@") > 1 or re.search(r"[\s\0]", rest):
        raise StateError(
            f"state_url has an @ or a space where none may be; in names and passwords write %40 for @, %2F for / and %3F for ?: {_EXAMPLE}."
        )
    user, _at, hosts = authority.rpartition("@")
    if not all(_HOST.match(host) for host in hosts.split(",")):
        raise StateError(f"state_url has no host and port that can be read; write for example {_EXAMPLE}.")
    schema, keep_days, others = SCHEMA, None, []
    secrets = {user.partition(":")[2]}
    for piece in filter(None, query.split("&")):
        name, _equals, value = piece.partition("=")
        name = urllib.parse.unquote(name)
        if name == "keep":
            keep_days = read_keep(urllib.parse.unquote(value))
        elif name == "schema":
            schema = _read_schema(urllib.parse.unquote(value))
        else:
            others.append(piece)
            secrets.update([value] if name in _SECRET else [])
    secrets |= {urllib.parse.unquote(secret) for secret in secrets}
    shown = f"postgresql://{hosts}/{database}" + ("" if schema == SCHEMA else f"?schema={schema}")
    dsn = f"postgresql://{before}" + ("?" + "&".join(others) if others else "")
    return Server(dsn, shown, schema, keep_days, frozenset(secrets - {""}))


def _read_schema(name: str) -> str:
    if not _SCHEMA.match(name) or name.startswith("pg_") or name == "information_schema":
        raise StateError("schema in state_url must be a name of small letters, digits and _, such as vigil.")
    return name
