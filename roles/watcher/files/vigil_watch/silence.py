# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``vigil silence``: what is not told for a time."""

from __future__ import annotations

import argparse
import getpass
import json
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import silence as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import silences
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store
from vigil_watch.config import load
from vigil_watch.reading import Refusal
from vigil_watch.table import table


def silence_command(arguments: argparse.Namespace) -> int:
    """Mute, acknowledge, end or list; the exit code."""
    config = load(arguments.config)
    with open_store(config.state_url) as store:
        if not arguments.matchers and not arguments.alert and not arguments.end:
            with store.view() as unit:
                lasting = [flow.shown(unit, one) for one in silences.lasting(unit)]
            return _show(lasting, arguments.json)
        wanted = _wanted(arguments)
        try:
            outcome = store.run(lambda unit: flow.apply(unit, wanted))
        except ValueError as exc:
            raise Refusal(str(exc)) from exc
    return _show([outcome.silence], arguments.json)


def _wanted(arguments: argparse.Namespace) -> flow.Wanted:
    matchers: t.Dict[str, str] = {}
    for word in arguments.matchers:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise Refusal(f"{word!r} is no matcher; write for example check='root disk'")
        matchers[key] = value
    now = time.time()
    try:
        end = flow.read_end(None, arguments.duration, now)
    except ValueError as exc:
        raise Refusal(str(exc)) from exc
    return flow.Wanted(
        matchers or None, arguments.end or "", arguments.alert or "", None, end, arguments.comment, getpass.getuser(), not arguments.end
    )


def _show(found: t.List[t.Dict[str, t.Any]], as_json: bool) -> int:
    if as_json:
        print(json.dumps(found, default=str))
        return 0
    rows = [
        (str(one.get("id") or one.get("alert_id") or ""), str(one.get("state", "")), str(one.get("ends_at") or ""),
         ", ".join(f"{key}={value}" for key, value in (one.get("matchers") or {}).items()), str(one.get("comment") or ""))
        for one in found
    ]  # fmt: skip
    print(table(("ID", "STATE", "UNTIL", "WHAT", "COMMENT"), rows, None) if rows else "nothing is muted")
    return 0
