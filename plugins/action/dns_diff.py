# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of dns_diff: read a file of expected records, and remember which changes were received."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import typing as t

import yaml  # type: ignore[import-untyped]
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_table import table
from ansible_collections.vigil.ops.plugins.modules.dns_diff import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _announce
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, hide, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain
from ansible_collections.vigil.ops.plugins.plugin_utils._receipts import Receipts, source

# This class is loaded in the main process before workers are forked, so this is the place for what they share with it.
_announce.prepare()

display = Display()
_FILES = ("names_file", "zone_file", "ca")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        try:
            _check_key(plain(self._task.args.get("tsig")))
            args = validated(self._task.args, ARGUMENT_SPEC, aside=["names"])
            _check_names(args["names"])
            args["expected"] = self._expected(args["expected"])
        except Refused as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        keeps = args["against"] == "previous"
        key = source(self._task, task_vars, args["view"], args["state_url"])
        receipts = Receipts(args["history_url"], key, "changes", display.warning)
        if keeps and not args["batch"]:
            args["batch"] = receipts.last()
        given = {name: value for name, value in args.items() if name not in ("history_url", "acknowledge", "show") and value is not None}
        given.update(self._paths())
        outcome = self._execute_module(module_name="vigil.ops.dns_diff", module_args=given, task_vars=task_vars)
        if "changes" in outcome:
            outcome.update(receipt=receipts.key, scope=self._scope(args, task_vars))
            if args["show"]:
                self._show(outcome, args)
            if outcome.get("batch") and args["acknowledge"] == "received" and not self._task.check_mode:
                receipts.receive(str(outcome["batch"]))
        result.update(outcome)
        return result

    def _configure_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> t.Any:
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        hide(module_args)
        return built

    def _show(self, outcome: dict[str, t.Any], args: dict[str, t.Any]) -> None:
        what = {"previous": "DNS changes", "expected": "DNS as expected", "nameservers": "DNS name servers", "zone": "DNS zone"}[
            args["against"]
        ]
        title = " ".join(part for part in (what, args["zone"] or "", f"(view {args['view']})" if args["view"] else "") if part)
        if self._task.check_mode:
            title += ", nothing is stored in check mode"
        text = table(outcome, title, shutil.get_terminal_size((120, 24)).columns) + "\n"
        if not _announce.leave(text):
            display.display(text)

    def _scope(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> str:
        """What tells this watch from others with the same view, and stays when its names change: alerts are resolved by the same watch alone."""
        item = plain(task_vars.get(str(task_vars.get("ansible_loop_var", "item"))))
        parts = [plain(self._task.get_name()), args["names_file"], args["zone"], args["zone_file"], args["types"], item]
        return hashlib.sha256(json.dumps(parts, default=str).encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def _paths(self) -> dict[str, str]:
        """Files on the host, as they were written: ``~`` is that of the host. On this machine a relative one may be in the directory in which
        Ansible was started, for a playbook of a collection stands where nobody keeps files."""
        found = {name: str(plain(self._task.args[name])) for name in _FILES if self._task.args.get(name)}
        if self._connection.transport == "local":
            for name, path in found.items():
                here = os.path.abspath(path)
                if not path.startswith(("/", "~", "$")) and os.path.exists(here):
                    beside = os.path.join(self._loader.get_basedir(), path)
                    found[name] = beside if os.path.exists(beside) else here
        return found

    def _expected(self, given: t.Any) -> t.Any:
        """A path becomes what is in the file; text that is no path is YAML, as the command line and surveys give it."""
        given = plain(given)
        if not isinstance(given, str):
            return given
        if "\n" not in given and not given.lstrip().startswith(("[", "{")):
            place = self._place(given)
            try:
                return plain(self._loader.load_from_file(place))
            except AnsibleError as exc:
                why = " ".join(str(exc.__cause__ or exc).split())[:300]
                raise Refused(f"expected: {given} cannot be read: {why}") from exc
        try:
            return yaml.safe_load(given)
        except yaml.YAMLError as exc:
            raise Refused(f"expected is text that is not YAML: {' '.join(str(exc).split())[:200]}") from exc

    def _place(self, given: str) -> str:
        """A file where Ansible looks for it, beside the playbook, or where Ansible was started."""
        try:
            return str(self._find_needle("files", given))
        except AnsibleError as exc:
            here = os.path.abspath(os.path.expanduser(given))
            if os.path.isfile(here):
                return here
            raise Refused(f"expected: {given} cannot be read: there is no such file beside the playbook or in {os.getcwd()}") from exc


def _check_key(tsig: t.Any) -> None:
    """Ansible would name the secret in its message where that is all that there is."""
    if isinstance(tsig, str) and not tsig.lstrip().startswith("{") and not ("name=" in tsig and "secret=" in tsig):
        raise Refused("tsig must be a mapping with name and secret, and algorithm unless it is hmac-sha256")


def _check_names(names: t.Any) -> None:
    """Ansible would turn what is no text into the names ``None`` and ``True``."""
    for number, name in enumerate(names if isinstance(names, list) else (), 1):
        if not isinstance(name, (str, int, float)) or isinstance(name, bool):
            raise Refused(f"names, item {number}: {name!r} is not a name; put quotes around a name that is a word of YAML")
