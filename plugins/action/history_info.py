# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of history_info: nothing but to keep the password of a store out of core's debug log."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import hide


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
        return result

    def _configure_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> t.Any:
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        hide(module_args)
        return built
