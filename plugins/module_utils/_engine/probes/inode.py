# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many inodes of a file system are taken."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import guarded, hours_left, start_guard

SPEC = ProbeSpec(
    "inode",
    {
        "path": Option("path", default="/", help="any path on the file system"),
        "timeout": Option("duration", default=5.0, help="how long a mount may take to answer"),
    },
    {
        "used_percent": "taken inodes in percent; 0 on file systems that do not count them, such as btrfs",
        "free": "inodes that users without privileges can still have; null where they are not counted",
        "total": "inodes in all; null where they are not counted",
        "read_only": "whether it is mounted read-only",
        "full_in_hours": "when it is full if it fills on as in its history, 8760 (a year) at most; null while too few looks are kept",
    },
    {"used_percent": "< 90"},
    help="A mount that does not answer makes an unknown result and never a hang.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    start_guard()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found
    :raises CannotSee: timeout, permission
    """
    found = guarded("filesystem", options["path"], options["timeout"])
    total = found["inodes"]
    used = total - found["inodes_free"]
    usable = used + found["inodes_available"]
    return {
        "used_percent": round(100.0 * used / usable, 2) if total and usable else 0.0,
        "free": found["inodes_available"] if total else None,
        "total": total or None,
        "read_only": found["read_only"],
    }


def foresee(seen: dict[str, t.Any], known: t.Mapping[str, t.Any]) -> None:
    """Fill in what the history adds, before it is judged; ``known`` is {expression: what is known}."""
    seen["full_in_hours"] = hours_left(seen.get("free"), known)
