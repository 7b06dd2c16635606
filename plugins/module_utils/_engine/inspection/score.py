# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One number for a host."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import Result

_WORTH = {"ok": 1.0, "warning": 0.5}


def score(results: t.Iterable[Result]) -> float | None:
    """0..100 over the weights: ok counts whole, a warning half, all else nothing; skipped ones are left out.

    None when nothing has a weight.
    """
    earned = total = 0.0
    for result in results:
        if result["status"] != "skipped":
            total += result["weight"]
            earned += result["weight"] * _WORTH.get(result["status"], 0.0)
    return round(100 * earned / total, 1) if total else None
