# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PostgreSQL says, as one sentence with place and remedy, and whether it may pass."""

from __future__ import annotations

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateAway, StateError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_url import Server

_LONGEST = 200
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOCKED = ("55P03", "57014")
_IN_THE_WAY = ("40001", "40P01")
_GONE = ("42P01", "3F000", "42703")
_STOPPED = ("57P01", "57P02", "57P03", "57P05", "25P03", "25P04")
# What a server that is up says of itself while it cannot be used for a moment: words of the English text, and of no other state.
_PASSING = ("starting up", "shutting down", "recovery", "not yet accepting")
_CROWDED = ("too many clients", "connection slots", "too many connections", "no more connections allowed")


class Undone(StateAway):
    """The connection was lost, or another process was in the way."""

    undone = True


class Crowded(StateAway):
    """The server takes no more connections now."""


class Unknown(StateAway):
    """The connection was lost while the unit was committed, and nobody could be asked since whether it was."""


def code_of(exc: BaseException) -> str:
    """The SQLSTATE; empty where the server said nothing."""
    return str(getattr(exc, "sqlstate", None) or getattr(exc, "pgcode", None) or "")


def detail(exc: BaseException, place: Server) -> str:
    """The first line of what was said, without secrets."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    text = str(mask(lines[0] if lines else type(exc).__name__, place.secrets))
    return text[:_LONGEST].rstrip(".")


def unreachable(exc: BaseException, place: Server) -> StateError:
    """Of an attempt to connect, which has no SQLSTATE."""
    said = detail(exc, place)
    if any(word in str(exc) for word in _CROWDED):
        return Crowded(f"The state store {place.shown} takes no more connections ({said}); allow more there, or run with fewer forks.")
    if "FATAL" in str(exc) and not any(word in str(exc) for word in _PASSING):
        return StateError(f"The state store {place.shown} cannot be opened ({said}); correct state_url, or the rights of its user.")
    return StateAway(f"The state store {place.shown} cannot be reached ({said}); look at the server, or give another state_url.")


def explain(exc: BaseException, place: Server, lost: bool) -> StateError:
    """Of anything later.

    :arg lost: the connection is of no use any more
    """
    code, said, name = code_of(exc), detail(exc, place), f"The state store {place.shown}"
    if code in _LOCKED:
        return StateAway(f"{name} is locked by another process for too long; end that process or try again later.")
    if code in _IN_THE_WAY:
        return Undone(f"{name} was used by another process at the same time ({said}); try again.")
    if code in _GONE:
        return Undone(f"{name} has lost its tables ({said}); the next run makes them again.")
    if code.startswith("53"):
        return StateAway(f"{name} cannot be written ({said}); see that its server has space and connections left.")
    if code == "25006" or (code == "0A000" and "recovery" in said):
        return StateError(f"{name} cannot be written: it is read-only; name the primary server in state_url.")
    if code == "42501":
        more = (
            f"let its user create schemas there, or make the schema {place.schema} for it (CREATE SCHEMA {place.schema} AUTHORIZATION ...)"
        )
        return StateError(f"{name} refuses this ({said}); {more}.")
    if lost or code.startswith("08") or code in _STOPPED:
        return Undone(f"{name} was lost ({said}); look at the server, or give another state_url.")
    return StateError(f"{name} cannot be used ({said}); give another state_url.")


def unknown(place: Server) -> StateError:
    """See :class:`Unknown`."""
    return Unknown(
        f"The state store {place.shown} was lost in the middle of a write, and it is not known whether that was kept; look at the server."
    )


def bare(exc: BaseException, place: Server) -> StateError:
    """Of a URL that libpq cannot read."""
    return StateError(
        f"state_url cannot be read ({detail(exc, place)}); write for example postgresql://user:password@host/database?keep=30d."
    )
