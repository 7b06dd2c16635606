# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind check_suggest: candidates from a live node, of which those are returned that hold there now."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import suggest as node
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import BAD

_NEARLY_FULL = ("disk", "inode")


def suggest(
    run: node.Run, areas: t.Collection[str] = node.AREAS, certificates: t.Sequence[str] = (), timeout: float = 60.0
) -> dict[str, t.Any]:
    """Look at the node and try what was found.

    :return: {checks, left_out: [{name, status, summary}], notes}; every one of the checks is ok on this node now
    """
    found = node.look(run, areas, certificates)
    results = {result["name"]: result for result in inspect(read_checks(found.checks), run, timeout=timeout)["results"]}
    fitting = [fitted(check, results[check["name"]]) for check in found.checks]
    again = {result["name"]: result for result in inspect(read_checks(fitting), run, timeout=timeout)["results"]}
    good = [check for check in fitting if again[check["name"]]["status"] == "ok"]
    names = {check["name"] for check in good}
    left_out = [
        {key: again[check["name"]][key] for key in ("name", "status", "summary")} for check in fitting if check["name"] not in names
    ]
    return {"checks": [_without_lost_parents(check, names) for check in good], "left_out": left_out, "notes": found.notes}


def fitted(check: dict[str, t.Any], result: Result) -> dict[str, t.Any]:
    """The check with limits that a node which is fuller than usual keeps today; a warning is no reason to be silent for good."""
    used = result["metrics"].get("used_percent")
    probe = next((key for key in check if key in _NEARLY_FULL), None)
    if probe is None or used is None or result["status"] not in (*BAD, "warning") or used >= 99:
        return check
    limit = max(90, min(99, int(used + (100 - used) / 2 + 0.5)))
    warn = max(80, min(limit - 1, int(used + (limit - used) / 2 + 0.5)))
    fresh = dict(check, expect=dict(check["expect"], used_percent=f"< {limit}"))
    return dict(fresh, warn={"used_percent": f"< {warn}"}) if used < warn else {key: fresh[key] for key in fresh if key != "warn"}


def _without_lost_parents(check: dict[str, t.Any], names: t.Container[str]) -> dict[str, t.Any]:
    parents = [name for name in check.get("depends_on", ()) if name in names]
    kept = {key: value for key, value in check.items() if key != "depends_on"}
    return dict(kept, depends_on=parents) if parents else kept
