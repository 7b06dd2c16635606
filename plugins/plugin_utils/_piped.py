# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Running a module on a host where Ansible cannot write: its disk is full or read-only, which is what somebody wants to be told of."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.utils.display import Display

display = Display()
_NO_ROOM = ("No space left on device", "Read-only file system", "Disk quota exceeded", "Failed to create temporary directory")


def execute(action: t.Any, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    """What ``ActionBase._execute_module`` returns; where no file can be written it tries once more with pipelining, which needs none.

    Where the user, the connection or become keep pipelining off, the first failure stands.
    """
    given = {"module_name": module_name, "task_vars": task_vars}
    try:
        return _explained(action._execute_module(module_args=dict(module_args), **given))
    except AnsibleError as exc:
        why = _cause(str(exc))
        if not why or not _turned_on(action):
            raise
        try:
            outcome = action._execute_module(module_args=module_args, **given)
        except AnsibleError:
            raise exc from None
        host = task_vars.get("inventory_hostname", "the host")
        display.warning(f"Ansible cannot write on {host} ({why}); it was looked at with pipelining, which copies nothing there.")
        return _explained(outcome)


def _cause(text: str) -> str:
    return next((words for words in _NO_ROOM if words in text), "")


def _explained(outcome: dict[str, t.Any]) -> dict[str, t.Any]:
    """With a message that says so where the module itself found no room to unpack; Ansible only says that no JSON came."""
    why = _cause(str(outcome.get("module_stderr", ""))) if outcome.get("failed") else ""
    return dict(outcome, msg=f"the module finds no room in the temporary directory of the host: {why.lower()}") if why else outcome


def _turned_on(action: t.Any) -> bool:
    """Turn pipelining on for this task, where it was off and can be on."""
    if action._is_pipelining_enabled("new"):
        return False
    try:
        action._connection.set_option("pipelining", True)
    except (AttributeError, KeyError, ValueError):
        return False
    return bool(action._is_pipelining_enabled("new"))
