# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of watcher_program: pack the program, and send it where the host has not got it."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.vigil.ops.plugins.plugin_utils._program import packed


class ActionModule(ActionBase):
    TRANSFERS_FILES = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        args = dict(self._task.args)
        for own in ("version", "archive"):
            if own in args:
                result.update(failed=True, changed=False, msg=f"{own} is not an option; the program is the one of this collection.")
                return result
        program = packed()
        args["version"] = program.version
        outcome = self._module(args, task_vars)
        if outcome.get("needed") and not self._task.check_mode:
            outcome = self._send(args, program.data, task_vars)
        outcome.pop("needed", None)
        result.update(outcome)
        return result

    def _module(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        outcome: dict[str, t.Any] = self._execute_module(module_name="vigil.ops.watcher_program", module_args=args, task_vars=task_vars)
        return outcome

    def _send(self, args: dict[str, t.Any], data: bytes, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        handle, local = tempfile.mkstemp(prefix="vigil-program-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
            self._make_tmp_path()
            remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "program.tar.gz")
            self._transfer_file(local, remote)
            self._fixup_perms2((self._connection._shell.tmpdir, remote))
            return self._module(dict(args, archive=remote), task_vars)
        finally:
            os.unlink(local)
            self._remove_tmp_path(self._connection._shell.tmpdir)
