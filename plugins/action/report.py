# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a fleet, made on the controller; with `show` the last lines of the run say what is in it and where it is."""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import report as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.urls import default_url
from ansible_collections.vigil.ops.plugins.modules.report import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _announce
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._joined import joined

# This class is loaded in the main process before workers are forked, so this is the place for what they share with it.
_announce.prepare()

display = Display()


class ActionModule(ActionBase):
    """Everything is done here, no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars or {})
        del tmp
        try:
            args = validated(self._task.args, ARGUMENT_SPEC, ["results"])
        except Refused as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        if not args["dest"].strip():
            result.update(failed=True, changed=False, msg="dest is empty; name a directory for the report")
            return result
        results = args["results"]
        if isinstance(results, dict):
            results = {host: joined(outcome) for host, outcome in results.items()}
        request = flow.Request(
            dest=os.path.abspath(os.path.expanduser(os.path.expandvars(args["dest"]))),
            formats=args["formats"],
            title=args["title"],
            language=args["language"],
            history_url=_history_url(args["history_url"]),
            check_mode=bool(self._task.check_mode),
            columns=shutil.get_terminal_size((120, 24)).columns,
        )
        try:
            if results is None:
                result.update(changed=False, files=flow.check(request), msg=f"The report can be written to {request.dest}")
            else:
                result.update(self._make(request, results, args["show"]))
        except flow.ReportError as error:
            result.update(failed=True, changed=False, msg=str(error))
        return result

    def _make(self, request: flow.Request, results: t.Any, show: bool) -> dict[str, t.Any]:
        made = flow.make(request, results)
        diff = made.pop("diff")
        for sentence in made.pop("lost"):
            display.warning(sentence)
        if self._task.diff:
            made["diff"] = diff
        path = next(iter(made["files"].values())) if "html" not in made["files"] else made["files"]["html"]
        made["msg"] = ("The report would be written to %s" if request.check_mode else "The report was written to %s") % path
        if show:
            remark = "Nothing is written in check mode.\n\n" if request.check_mode else ""
            text = f"{made['table']}\n\n{remark}Report: {path}\n"
            if not _announce.leave(text):
                display.display(text)
        return made


def _history_url(given: str | None) -> str | None:
    """The store with the history: as given, else the one the controller is set to; an empty string is none."""
    url = os.environ.get("VIGIL_STATE_URL") if given is None else given
    return default_url() if url == "default" else (url or None)
