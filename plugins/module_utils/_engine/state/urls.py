# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the store lies: the URL given by the user, and the place used when none is given."""

from __future__ import annotations

import os
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import (
    StateError,
)


def default_url() -> str:
    """The store used when no URL is given: below /var/lib for root, else in the user's XDG state directory."""
    if os.geteuid() == 0:
        return "sqlite:////var/lib/vigil/state.db"
    home = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return "sqlite:///" + urllib.parse.quote(os.path.join(home, "vigil", "state.db"))


def _shown(url: str) -> str:
    scheme, found, _rest = url.partition("://")
    return url if "@" not in url else f"{scheme}://…" if found else "…"


def is_postgres(url: str) -> bool:
    """Whether the URL names a PostgreSQL database."""
    return str(url).strip().partition("://")[0].lower() in ("postgres", "postgresql")


class Place(t.NamedTuple):
    """Where a store lies, and for how many days it keeps what is over (None: the usual time)."""

    path: str
    keep_days: float | None


def read_url(url: str) -> Place:
    """What ``sqlite:////absolute/path.db?keep=30d`` says; raises StateError for everything else."""
    path = sqlite_path(url)
    url = str(url).strip()
    query = "" if url.startswith("/") else url.partition("?")[2]
    keep_days = None
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if name != "keep":
            raise StateError(
                f"state_url has the unknown parameter '{name}'; it takes keep alone, such as sqlite:////path/state.db?keep=30d."
            )
        keep_days = read_keep(value)
    if query and keep_days is None:
        raise StateError("state_url has a query that says nothing; write sqlite:////path/state.db?keep=30d, or %3F for a ? in the path.")
    return Place(path, keep_days)


def read_keep(value: str) -> float:
    """The days of the parameter ``keep``; raises StateError."""
    try:
        days = parse_duration(value) / 86400.0
    except ValueError as exc:
        raise StateError(f"keep in state_url: {exc}.") from exc
    if days < 1:
        raise StateError(f"keep in state_url is {value}; it must be a day (1d) or more.")
    return days


def sqlite_path(url: str) -> str:
    """The absolute path of the SQLite file that ``url`` names; raises StateError for everything else."""
    url = str(url).strip()
    if url.startswith("/"):
        return os.path.normpath(url)
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found or not scheme:
        raise StateError(f"state_url '{_shown(url)}' is not a URL; write sqlite:////absolute/path/state.db.")
    if scheme != "sqlite":
        raise StateError(
            f"state_url has the unknown scheme '{scheme}'; write sqlite:////absolute/path/state.db or postgresql://user@host/database."
        )
    path = urllib.parse.unquote(rest.partition("?")[0])
    if not path.startswith("//"):
        raise StateError(f"state_url '{_shown(url)}' has no absolute path; write sqlite:////absolute/path/state.db with four slashes.")
    if "\0" in path:
        raise StateError("state_url holds a NUL character; write sqlite:////absolute/path/state.db.")
    return os.path.normpath("/" + path.lstrip("/"))
