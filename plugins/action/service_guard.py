# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of service_guard: read the options before a host is touched, and remember which events were received."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_events import text_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry
from ansible_collections.vigil.ops.plugins.modules.service_guard import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _announce, _brake, _piped
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, hide, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._receipts import Receipts, source

# This class is loaded in the main process before workers are forked, so this is the place for what they share with it.
_announce.prepare()
_brake.prepare()
registry.specs()

display = Display()

_OWN = ("history_url", "acknowledge", "show", "stop_when_worse", "only_validate")
_VIEW = "guard events"
_TEXTS = ("msg", "module_stdout", "module_stderr", "exception", "invocation", "warnings")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        try:
            args = validated(self._task.args, ARGUMENT_SPEC, aside=["checks", "guards", "depends_on"])
            guards = flow.read(args)
        except (Refused, flow.Refusal) as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        if args["only_validate"]:
            result.update(changed=False)
            return result
        host = str(self._task.delegate_to or task_vars.get("inventory_hostname", "localhost"))
        receipts = Receipts(args["history_url"], source(self._task, task_vars, _VIEW, args["state_url"]), "events", display.warning)
        args["batch"] = args["batch"] or receipts.last()
        outcome = self._look(args, task_vars, host)
        if "guards" in outcome:
            outcome.update(receipt=receipts.key)
            if args["show"]:
                self._show(outcome, host, args)
            if outcome.get("batch") and args["acknowledge"] == "received" and not self._task.check_mode:
                receipts.receive(str(outcome["batch"]))
        secrets = flow.secrets_of(guards)
        result.update(outcome, **{key: mask(outcome[key], secrets) for key in _TEXTS if key in outcome})
        return result

    def _configure_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> t.Any:
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        hide(module_args)
        return built

    def _look(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], host: str) -> dict[str, t.Any]:
        """Run the module; with ``stop_when_worse`` only to look, once the brake is pulled."""
        stopped = _brake.pulled() if args["stop_when_worse"] else ""
        given = {name: value for name, value in args.items() if name not in _OWN and value is not None}
        given["restart"] = args["restart"] and not stopped
        heals = given["restart"] and not self._task.check_mode
        try:
            outcome: dict[str, t.Any] = _piped.execute(self, "vigil.ops.service_guard", given, task_vars)
        except AnsibleConnectionFailure:
            if heals:
                _brake.pull(f"{host} cannot be reached any more")
            raise
        for one in outcome.get("guards", ()):
            if one["status"] == "worse":
                _brake.pull(f"{host}: the restart of {one['unit']} made it worse: {one['message']}")
        if "guards" in outcome:
            outcome["stopped"] = (_brake.pulled() if args["stop_when_worse"] else "") or None
        return outcome

    def _show(self, outcome: dict[str, t.Any], host: str, args: dict[str, t.Any]) -> None:
        """A line for each service. Of a look that is followed by a ``recheck``, those are left out that the latter shows, and the other way round."""
        title = "Services" + (", nothing is restarted in check mode" if self._task.check_mode else "") + "\n"
        guards = outcome["guards"]
        if not args["restart"] and any(one["status"] == "due" for one in guards):
            guards = [one for one in guards if one["status"] not in ("due", "dependency")]
        elif args["recheck"]:
            shown = ("healthy", "due", "dependency", "restarted", "worse")
            guards = [one for one in guards if one["recovered"] or one["status"] in shown]
        text = text_of(guards, host)
        if outcome["stopped"]:
            text += f"  nothing more is restarted: {outcome['stopped']}\n"
        if not all(_announce.leave(line + "\n") for line in (title + text).splitlines()):
            display.display(title + text)
