# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of backup: remember which snapshots were received, so that each is told."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow
from ansible_collections.vigil.ops.plugins.modules.backup import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._receipts import Receipts, source

display = Display()
_OWN = ("history_url", "acknowledge")
_TEXTS = ("msg", "module_stdout", "module_stderr", "exception", "warnings")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        try:
            args = validated(self._task.args, ARGUMENT_SPEC)
            secrets = flow.read_job({**args, "repository": "/"}, "").secrets()
        except Refused as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        except ValueError as exc:
            result.update(failed=True, changed=False, msg=f"The options cannot be used: {exc}.")
            return result
        # a repository is the store of its host: its snapshots are what was not told yet
        key = source(self._task, task_vars, f"backup {args['name']}", args["repository"])
        receipts = Receipts(args["history_url"], key, "changes", display.warning)
        args["batch"] = args["batch"] or receipts.last()
        given = {name: value for name, value in args.items() if name not in _OWN and value is not None}
        # paths are those of the host, and so is their home directory
        given.update({name: self._task.args[name] for name in ("paths", "repository") if name in self._task.args})
        outcome = self._execute_module(
            module_name="vigil.ops.backup", module_args=given, task_vars=task_vars, wrap_async=bool(self._task.async_val)
        )
        if "batch" in outcome:
            outcome.update(receipt=receipts.key)
            if outcome["batch"] and args["acknowledge"] == "received" and not self._task.check_mode:
                receipts.receive(str(outcome["batch"]))
        result.update(outcome, **{key: mask(outcome[key], secrets) for key in _TEXTS if key in outcome})
        return result
