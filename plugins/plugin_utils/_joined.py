# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What a task in a loop has registered, as if it was no loop."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import count, overall
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.score import score
from ansible_collections.vigil.ops.plugins.plugin_utils._outcomes import is_looped, reason_of
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain


def joined(outcome: t.Any) -> t.Any:
    """What a task in a loop has registered as one outcome; anything else as it is."""
    items = outcome.get("results") if isinstance(outcome, t.Mapping) else None
    if not isinstance(items, list) or not is_looped(items):
        return outcome
    shown = [item for item in items if isinstance(item, t.Mapping) and "score" in item]
    if not shown:
        missed = any(isinstance(item, t.Mapping) and (item.get("failed") or "exception" in item) for item in items)
        return {"failed": True, "msg": reason_of(outcome)} if missed else {"skipped": True}
    results = [result for item in shown for result in plain(item.get("results")) or ()]
    summary = count(results)
    found = {"results": results, "summary": summary, "status": overall(summary), "score": score(results)}
    return found if len(shown) == len(items) else dict(found, partial=True)
