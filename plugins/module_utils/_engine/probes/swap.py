# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much swap space is taken."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import read_memory

SPEC = ProbeSpec(
    "swap",
    {},
    {
        "used_percent": "taken swap space in percent; 0 where there is none",
        "total_bytes": "swap space of the node",
        "used_bytes": "what is taken",
    },
    {"used_percent": "< 80"},
    help="Swap space.",
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no /proc and no psutil
    """
    found = read_memory()
    total, used = found["swap_total"], max(0, found["swap_total"] - found["swap_free"])
    return {"used_percent": round(100.0 * used / total, 2) if total else 0.0, "total_bytes": total, "used_bytes": used}
