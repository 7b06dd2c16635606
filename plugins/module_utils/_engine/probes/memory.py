# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory is taken."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import read_memory

SPEC = ProbeSpec(
    "memory",
    {},
    {
        "used_percent": "memory that programs cannot have any more, in percent of all",
        "total_bytes": "memory of the node",
        "available_bytes": "what programs can still have without swapping; caches that can be given up included",
    },
    {"used_percent": "< 95"},
    help="Memory as the kernel's MemAvailable sees it.",
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc and no psutil
    """
    found = read_memory()
    total, available = found["total"], min(found["available"], found["total"])
    return {
        "used_percent": round(100.0 * (total - available) / total, 2) if total else 0.0,
        "total_bytes": total,
        "available_bytes": available,
    }
