# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load average."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeSpec

SPEC = ProbeSpec(
    "load",
    {},
    {
        "load1": "load average over one minute",
        "load5": "load average over five minutes",
        "load15": "load average over fifteen minutes",
        "per_core1": "load1 divided by the number of cores",
        "per_core5": "load5 divided by the number of cores",
        "per_core15": "load15 divided by the number of cores",
        "cores": "number of cores",
    },
    {"per_core5": "< 2"},
    help="Processes that run or want to, on average.",
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: the system does not tell
    """
    try:
        loads = os.getloadavg()
    except OSError as exc:
        raise CannotSee("this system does not tell its load average", "unsupported") from exc
    cores = os.cpu_count() or 1
    seen: dict[str, t.Any] = {"cores": cores}
    for minutes, value in zip((1, 5, 15), loads):
        seen[f"load{minutes}"] = round(value, 2)
        seen[f"per_core{minutes}"] = round(value / cores, 3)
    return seen
