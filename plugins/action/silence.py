# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of silence, which is all of it: the store of what is told is there."""

from __future__ import annotations

import getpass
import json
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_time
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import silence as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, StateMissing, open_store
from ansible_collections.vigil.ops.plugins.modules.silence import ARGUMENT_SPEC, MUTUALLY_EXCLUSIVE, REQUIRED_ONE_OF
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, store_url, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

display = Display()
_LAUNCHED_BY = ("awx_user_name", "tower_user_name")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        try:
            args = validated(self._task.args, ARGUMENT_SPEC, mutually_exclusive=MUTUALLY_EXCLUSIVE, required_one_of=REQUIRED_ONE_OF)
            outcome = self._apply(store_url(args["state_url"]), _wanted(args, task_vars), _groups(task_vars))
        except (Refused, ValueError) as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        except StateError as exc:
            result.update(failed=True, changed=False, msg=f"state_url: {exc}")
            return result
        result.update(changed=outcome.changed, silence=outcome.silence)
        if self._task.diff and outcome.changed:
            result["diff"] = {"before": "", "after": json.dumps(outcome.silence, indent=2, sort_keys=True, default=str) + "\n"}
        return result

    def _apply(self, url: str, wanted: flow.Wanted, groups: t.Mapping[str, t.Any]) -> flow.Outcome:
        if not self._task.check_mode:
            with open_store(url) as store:
                outcome = store.run(lambda unit: flow.apply(unit, wanted, groups))
                for notice in store.notices:
                    display.warning(notice)
                return outcome
        try:
            with open_store(url, read_only=True) as store, store.view() as unit:
                return flow.apply(unit, wanted, groups, dry=True)
        except StateMissing:
            if wanted.alert_id or wanted.name:
                raise
            return flow.Outcome(
                wanted.present, {"id": None, "matchers": wanted.matchers, "state": "active" if wanted.present else "absent"}
            )


def _wanted(args: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> flow.Wanted:
    begin = read_time("starts", args["starts"], None) if args["starts"] else None
    end = flow.read_end(args["until"], args["duration"], begin if begin is not None else time.time())
    if args["state"] == "absent" and (end is not None or begin is not None):
        raise Refused("With state absent a silence ends now; leave out until, duration and starts.")
    return flow.Wanted(
        args["matchers"],
        args["id"] or "",
        args["alert_id"] or "",
        begin,
        end,
        args["comment"].strip(),
        args["author"] or _user(variables),
        args["state"] == "present",
    )


def _user(variables: t.Mapping[str, t.Any]) -> str:
    for name in _LAUNCHED_BY:
        if variables.get(name):
            return str(plain(variables[name]))
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in a container
        return "unknown"


def _groups(variables: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    groups = variables.get("groups")
    return groups if isinstance(groups, t.Mapping) else {}
