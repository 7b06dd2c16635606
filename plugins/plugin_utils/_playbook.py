# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What a playbook holds now, as far as it can be known: the alert of a task or play that was taken out or renamed ends with that."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.plugin_utils import _contact
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

_IMPORT_BY_VARIABLE = re.compile(rb"import_playbook[\"']?\s*:[^\n]*\{\{")
_INCLUDES = frozenset({"include", "include_role", "include_tasks"})
# Made by Ansible itself.
_OWN = ("Gathering Facts",)


def play_names(playbook: t.Any, path: str) -> list[str] | None:
    """The names of all plays; None where variables make some of them."""
    try:
        with open(path, "rb") as handle:
            if _IMPORT_BY_VARIABLE.search(handle.read(1_000_000)):
                return None
    except OSError:
        return None
    names = [str(plain(play.get_name())) for play in playbook.get_plays()]
    return None if any("{{" in name for name in names) else names


def task_names(play: t.Any) -> frozenset[str] | None:
    """The names of all tasks and handlers of a play; None where variables make some, or tasks are included while it runs."""
    names = set(_OWN)
    waiting = [*play.compile(), *play.compile_roles_handlers(), *play.handlers]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "block"):
            waiting += [*node.block, *node.rescue, *node.always]
            continue
        name = str(plain(node.get_name()))
        if "{{" in name or _contact.short(str(node.resolved_action or node.action)) in _INCLUDES:
            return None
        names.add(name)
    return frozenset(names)
