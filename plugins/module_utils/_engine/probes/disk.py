# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How full a file system is."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import guarded, hours_left, start_guard

SPEC = ProbeSpec(
    "disk",
    {
        "path": Option("path", default="/", help="any path on the file system"),
        "timeout": Option("duration", default=5.0, help="how long a mount may take to answer"),
    },
    {
        "used_percent": "used space in percent of what users without privileges can have, as df shows it",
        "free_bytes": "what users without privileges can still write",
        "total_bytes": "size of the file system",
        "used_bytes": "what is taken",
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
    used = found["total"] - found["free"]
    usable = used + found["available"]
    return {
        "used_percent": round(100.0 * used / usable, 2) if usable else 0.0,
        "free_bytes": found["available"],
        "total_bytes": found["total"],
        "used_bytes": used,
        "read_only": found["read_only"],
    }


def foresee(seen: dict[str, t.Any], known: t.Mapping[str, t.Any]) -> None:
    """Fill in what the history adds, before it is judged; ``known`` is {expression: what is known}."""
    seen["full_in_hours"] = hours_left(seen.get("free_bytes"), known)
