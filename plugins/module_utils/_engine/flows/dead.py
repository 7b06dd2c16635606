# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind the option ``dead`` of notify: what receivers refused is listed, sent again or thrown away."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.history import read_since
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import dead
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.entries import like
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, clean

ACTIONS = ("list", "replay", "purge")
KEYS = ("channel", "name", "before")
_SHOWN = 100


class Wanted(t.NamedTuple):
    """What is to be done with which; ``before`` in seconds since the epoch."""

    action: str
    channel: str | None = None
    name: str | None = None
    before: float = float("inf")


def read_wanted(action: str, only: t.Mapping[str, t.Any] | None, now: float) -> Wanted:
    """Options as they were given.

    :raises ValueError: one sentence
    """
    for key in only or ():
        if key not in KEYS:
            raise ValueError(f'dead_only has no key "{key}"{nearest(key, KEYS)}.'.replace("?.", "?"))
    given = {key: str(value) for key, value in (only or {}).items() if value is not None}
    try:
        before = read_since(given["before"], now) if given.get("before") else float("inf")
    except ValueError as exc:
        raise ValueError(f"dead_only.before: {exc}".replace("since is", "it is")) from exc
    return Wanted(action, given.get("channel"), given.get("name"), before)


def act(unit: Unit, wanted: Wanted, dry: bool = False) -> dict[str, t.Any]:
    """Do it, and say what it was about: ``{action, number, over, letters}``; those in ``over`` are of alerts that have ended, and stay."""
    before = min(wanted.before, 1e12)
    found = dead.find(unit, None if wanted.channel is None else clean(wanted.channel), like(wanted.name) if wanted.name else None, before)
    over = [letter for letter in found if dead.is_over(unit, letter)] if wanted.action == "replay" else []
    chosen = [letter for letter in found if letter not in over]
    if not dry and wanted.action == "replay":
        dead.replay(unit, chosen)
    elif not dry and wanted.action == "purge":
        dead.purge(unit, chosen)
    return {"action": wanted.action, "number": len(chosen), "over": len(over), "letters": [letter.shown() for letter in chosen[:_SHOWN]]}
