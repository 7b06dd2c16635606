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
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup_restic
from ansible_collections.vigil.ops.plugins.modules.backup import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _announce
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._receipts import Receipts, source

# This class is loaded in the main process before workers are forked, so this is the place for what they share with it.
_announce.prepare()

display = Display()
_OWN = ("history_url", "acknowledge", "show")
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
            engine: t.Any = backup_restic if args["engine"] == "restic" else flow
            secrets = engine.read_job({**args, "repository": "/"}, "").secrets()
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
        if args["show"] and ("stats" in outcome or outcome.get("failed")):
            host = str(self._task.delegate_to or task_vars.get("inventory_hostname", "localhost"))
            self._show(mask(line_of(outcome), secrets), host, args["name"])
        result.update(outcome, **{key: mask(outcome[key], secrets) for key in _TEXTS if key in outcome})
        return result

    def _show(self, line: str, host: str, name: str) -> None:
        title = "Backups" + (", nothing is written in check mode" if self._task.check_mode else "") + "\n"
        text = "".join(char if char.isprintable() else "?" for char in f"  {host:<20}  {name:<16}  {line}") + "\n"
        if not (_announce.leave(title) and _announce.leave(text)):
            display.display(title + text)


def line_of(outcome: t.Mapping[str, t.Any]) -> str:
    """What came of a backup, in a line."""
    if outcome.get("failed") or "stats" not in outcome:
        return "failed     " + " ".join(str(outcome.get("msg") or "").split())
    counts = [f"{outcome['stats'][key]} {key}" for key in ("added", "modified", "removed") if outcome["stats"][key]]
    parts = [", ".join(counts)] if counts else []
    parts += [f"{len(outcome['forgotten'])} snapshots forgotten"] if outcome["forgotten"] else []
    parts += [str(one["message"]) for one in outcome["events"] if one["kind"] != "changed" and one["status"] == "firing"]
    return ("changed    " if outcome["changed"] else "unchanged  ") + "; ".join(parts)
