# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failing checks and their parents: what failed by itself, and what only failed along with it."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check

_BAD = ("critical", "unknown")


def trace_causes(checks: list[Check], results: list[Result]) -> list[dict[str, t.Any]]:
    """Turn the failures that a failed parent explains into ``skipped`` with ``caused_by``, and list the parents.

    :return: [{name, status, reason, summary, affects: [names]}], the one that explains most first; the results are changed in place
    """
    parents: dict[str, list[str]] = {}
    statuses: dict[str, list[str]] = {}
    for check, result in zip(checks, results):
        parents.setdefault(check.name, []).extend(check.depends_on)
        statuses.setdefault(check.name, []).append(result["status"])
    cause_of: dict[str, str | None] = {}
    for check, result in zip(checks, results):
        if result["status"] not in _BAD:
            continue
        cause = _first_cause(check.depends_on, parents, statuses, cause_of)
        if cause is not None:
            result.update(status="skipped", caused_by=cause, summary=f'fails while "{cause}" fails: {result["summary"]}')
    return _explained(results)


def _first_cause(
    names: t.Sequence[str],
    parents: t.Mapping[str, t.Sequence[str]],
    statuses: t.Mapping[str, t.Sequence[str]],
    known: dict[str, str | None],
) -> str | None:
    """The topmost failing check above the named parents; a parent that is well cuts the way up."""
    for name in names:
        if not any(status in _BAD for status in statuses.get(name, ())):
            continue
        if name not in known:
            known[name] = _climb(name, parents, statuses)
        return known[name]
    return None


def _climb(name: str, parents: t.Mapping[str, t.Sequence[str]], statuses: t.Mapping[str, t.Sequence[str]]) -> str:
    while True:
        above = [parent for parent in parents.get(name, ()) if any(status in _BAD for status in statuses.get(parent, ()))]
        if not above:
            return name
        name = above[0]


def _explained(results: list[Result]) -> list[dict[str, t.Any]]:
    affected: dict[str, list[str]] = {}
    for result in results:
        if result["caused_by"]:
            affected.setdefault(result["caused_by"], []).append(result["name"])
    causes = [
        {
            "name": result["name"],
            "status": result["status"],
            "reason": result["reason"],
            "summary": result["summary"],
            "affects": affected.pop(result["name"]),
        }
        for result in results
        if result["status"] in _BAD and result["name"] in affected
    ]
    return sorted(causes, key=lambda cause: (-len(cause["affects"]), cause["name"]))
