# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Whether a task's result shows that its host can be reached."""

from __future__ import annotations

import functools
import typing as t

from ansible.plugins.loader import action_loader

# These run on the controller, whatever they say about themselves.
_BUILTIN = """
    add_host assert debug fail group_by import_playbook import_role import_tasks include include_role include_tasks include_vars meta pause
    set_fact set_stats validate_argument_spec
"""
_ALONE = frozenset(_BUILTIN.split())
_OWN = ("ansible.builtin.", "ansible.legacy.")
# What only a module that ran, or a command, leaves in a result.
_TRACES = ("invocation", "rc", "module_stdout", "module_stderr", "ansible_facts")


def short(action: str) -> str:
    """The name of an action without ``ansible.builtin.``."""
    for prefix in _OWN:
        if action.startswith(prefix):
            return action[len(prefix) :]
    return action


@functools.cache
def connects(action: str) -> bool:
    """Whether an action talks to its host. Ansible has loaded the class already when a task of this action has run."""
    if short(action) in _ALONE:
        return False
    found = action_loader.get(action, class_only=True)
    return bool(getattr(found, "_requires_connection", True))


def reached(task: t.Any) -> bool:
    """Whether a good result of the task came over the host's own connection."""
    return not task.delegate_to and task.connection != "local" and connects(task.resolved_action or task.action)


def reached_in_failure(task: t.Any, data: t.Mapping[str, t.Any]) -> bool:
    """Whether a failed result came over the host's own connection: a task may also fail before it talks to its host."""
    return any(key in data for key in _TRACES) and reached(task)
