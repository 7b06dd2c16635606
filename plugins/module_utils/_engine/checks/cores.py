# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much may be done at one time."""

from __future__ import annotations

import os


def cores() -> int:
    """How many cores there are for this process, as far as its affinity and its control group say."""
    try:
        found = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        found = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return found if quota == "max" else max(1, min(found, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return found
