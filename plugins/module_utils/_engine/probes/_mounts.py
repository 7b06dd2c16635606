# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of mounts."""

from __future__ import annotations

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context

_MOUNTS = "/proc/self/mountinfo"


def mount_table(ctx: Context) -> str:
    """The table of mounts (proc(5)), read once for all probes of a run; empty where there is none."""
    known = ctx.shared.get(_MOUNTS)
    if known is None:
        try:
            with open(_MOUNTS, "rb") as source:
                known = source.read().decode("utf-8", "surrogateescape")
        except OSError:
            known = ""
        ctx.shared[_MOUNTS] = known
    return str(known)
