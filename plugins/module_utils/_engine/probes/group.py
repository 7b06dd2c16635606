# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A group of this host."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import account, start_guard

SPEC = ProbeSpec(
    "group",
    {
        "name": Option("str", required=True, help="name of the group"),
        "timeout": Option("duration", default=5.0, help="how long a directory service may take to answer"),
    },
    {
        "exists": "whether there is such a group",
        "gid": "number of the group",
        "members": "names of the users that the group lists, sorted; those whose primary group it is are not listed there",
    },
    {"exists": True},
    help="Asks as programs on the host do, directory services included.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    start_guard()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found, with ``exists: false``
    :raises CannotSee: the directory service does not answer
    """
    found = account("group", options["name"], options["timeout"])
    if not found:
        raise ProbeFailure("not_found", f"there is no group {options['name']}", {"exists": False})
    return dict(found, exists=True)
