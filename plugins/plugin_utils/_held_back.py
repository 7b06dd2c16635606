# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Failures that a check on another host may explain: they wait until all hosts were looked at."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES, check_key
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import BAD

Outcome = t.Mapping[str, t.Any]


class HeldBack:
    """What was seen of every host in this run, and which failures wait for it."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, t.Any]] = {}
        self._waiting: dict[tuple[str, str], str] = {}
        self._told: dict[tuple[str, str], str] = {}

    def unreachable(self, host: str) -> None:
        """A host that could not be looked at."""
        self._seen.setdefault(host, {"unreachable": True})

    def sift(self, host: str, outcomes: t.Sequence[Outcome], source: str) -> list[Outcome]:
        """The outcomes of a host without the failures that wait; these are of the source of alerts that is named."""
        names = {result.get("name") for outcome in outcomes for result in _results(outcome)}
        kept: list[Outcome] = []
        for outcome in outcomes:
            now = []
            for result in _results(outcome):
                if result.get("status") in BAD and any(parent not in names for parent in result.get("depends_on") or ()):
                    self._waiting[host, _key(result)] = source
                else:
                    self._waiting.pop((host, _key(result)), None)
                    self._told[host, _key(result)] = source
                    now.append(result)
            kept.append(dict(outcome, results=now) if isinstance(outcome.get("results"), list) else outcome)
            self._remember(host, outcome)
        return kept

    def _remember(self, host: str, outcome: Outcome) -> None:
        before = self._seen.get(host, {}).get("results", [])
        if not isinstance(outcome.get("results"), list):
            self._seen.setdefault(host, dict(outcome))
            return
        merged = {_key(result): result for result in [*before, *_results(outcome)]}
        self._seen[host] = {"results": list(merged.values())}

    def release(self) -> dict[str, dict[str, dict[str, t.Any]]]:
        """What waited and is explained by nothing, and what explains the others once more, with how severe it is together with them.

        Nothing waits any more.

        :return: source of alerts -> host -> {results, root_causes}
        """
        found: dict[str, dict[str, dict[str, t.Any]]] = {}
        if self._waiting:
            for host, outcome in fleet.trace(self._seen).outcomes.items():
                causes = {str(cause["name"]): cause for cause in outcome.get("root_causes") or ()}
                for result in _results(outcome):
                    source = self._waiting.get((host, _key(result))) or self._risen(host, result, causes)
                    if source is not None and result["status"] != "skipped":
                        late = found.setdefault(source, {}).setdefault(host, {"results": [], "root_causes": list(causes.values())})
                        late["results"].append(result)
        self._waiting = {}
        return found

    def _risen(self, host: str, result: Outcome, causes: t.Mapping[str, Outcome]) -> str | None:
        """The source of a result that was told, and less severely than what fails along with it would have been."""
        cause = causes.get(str(result["name"]))
        if cause is None or result["status"] not in BAD:
            return None
        told = result.get("severity") if result["status"] == "critical" else "warning"
        return self._told.get((host, _key(result))) if _rank(cause.get("severity")) > _rank(told) else None


def _rank(severity: t.Any) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def _results(outcome: Outcome) -> list[dict[str, t.Any]]:
    results = outcome.get("results")
    return [result for result in results if isinstance(result, dict) and result.get("name")] if isinstance(results, list) else []


def _key(result: Outcome) -> str:
    return check_key(str(result["name"]), result.get("labels"))
