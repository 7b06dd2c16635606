# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Reading what Ansible hands to a callback, whatever its version."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.plugin_utils import _contact
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain


def task_of(result: t.Any) -> t.Any:
    """The task: `task` from ansible-core 2.19, `_task` before."""
    try:
        return result.task
    except AttributeError:
        return result._task


def action_of(task: t.Any) -> str:
    """The action's full name where Ansible knows it."""
    return str(task.resolved_action or task.action)


def host_of(result: t.Any) -> str:
    """The host's name in the inventory."""
    try:
        host = result.host
    except AttributeError:
        host = result._host
    return str(plain(host.get_name()))


def data_of(result: t.Any) -> t.Mapping[str, t.Any]:
    """What the task returned."""
    try:
        data = result.result
    except AttributeError:
        data = result._result
    return data if isinstance(data, t.Mapping) else {}


def is_stats(task: t.Any) -> bool:
    """Whether the task leaves something for the end of the run."""
    return _contact.short(action_of(task)) == "set_stats"


def is_rescued(task: t.Any) -> bool:
    """Whether a failure of the task is handled by the rescue part of a block around it.

    What is imported stands in a block in place of the import, which is nevertheless what is above it.
    """
    below, parent = {getattr(task, "_uuid", None)}, getattr(task, "_parent", None)
    while parent is not None:
        if getattr(parent, "rescue", None) and any(getattr(part, "_uuid", 0) in below for part in parent.block):
            return True
        below.add(getattr(parent, "_uuid", None))
        parent = getattr(parent, "_parent", None)
    return False
