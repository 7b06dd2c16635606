# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of log_scan: read the options before a host is touched, and remember which findings were received."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_events import text_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_request import Refusal, read
from ansible_collections.vigil.ops.plugins.modules.log_scan import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _announce
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, hide, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain
from ansible_collections.vigil.ops.plugins.plugin_utils._receipts import Receipts, source

# This class is loaded in the main process before workers are forked, so this is the place for what they share with it.
_announce.prepare()

display = Display()
_OWN = ("history_url", "acknowledge", "show", "only_validate")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        try:
            args = validated(self._task.args, ARGUMENT_SPEC, aside=["rules", "multiline"])
            read(args)
        except (Refused, Refusal) as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        if args["only_validate"]:
            result.update(changed=False)
            return result
        key = source(self._task, task_vars, f"logs {args['view']}", args["state_url"])
        receipts = Receipts(args["history_url"], key, "alarms", display.warning)
        args["batch"] = args["batch"] or receipts.last()
        given = {name: value for name, value in args.items() if name not in _OWN and value is not None}
        outcome = self._execute_module(module_name="vigil.ops.log_scan", module_args=given, task_vars=task_vars)
        if "alarms" in outcome:
            outcome.update(receipt=receipts.key, scope=self._scope(args, task_vars))
            if args["show"]:
                self._show(outcome, str(self._task.delegate_to or task_vars.get("inventory_hostname", "localhost")))
            if outcome.get("batch") and args["acknowledge"] == "received" and not self._task.check_mode:
                receipts.receive(str(outcome["batch"]))
        result.update(outcome)
        return result

    def _configure_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> t.Any:
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        hide(module_args)
        return built

    def _show(self, outcome: dict[str, t.Any], host: str) -> None:
        title = "Logs" + (", nothing is stored in check mode" if self._task.check_mode else "") + "\n"
        text = text_of(outcome, host)
        if not all(_announce.leave(line + "\n") for line in (title + text).splitlines()):
            display.display(title + text)

    def _scope(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> str:
        """What tells this task from others with the same view, and stays when its rules change."""
        item = plain(task_vars.get(str(task_vars.get("ansible_loop_var", "item"))))
        parts = [plain(self._task.get_name()), args["sources"], item]
        return hashlib.sha256(json.dumps(parts, default=str).encode("utf-8", "surrogatepass")).hexdigest()[:12]
