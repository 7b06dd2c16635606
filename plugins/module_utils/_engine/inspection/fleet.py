# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dependencies between hosts: what was looked at on each of them, seen together on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, SEVERITIES, Result, count, overall
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import BAD, explain, rank, skip, state_of, why, worst
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.score import coverage, score

# The checks that stand for a host itself, as its alerts are named, too.
REACHABLE = "reachable"
FAILED = "inspection"
_MOST_NAMES = 5
Node = t.Tuple[str, str]


class Fleet(t.NamedTuple):
    """outcomes: as given, with what fails on one host because of another marked so. changed: names of the hosts this happened on.
    lost: (host, check, parent) of parents whose host was looked at without such a check."""

    outcomes: dict[str, t.Any]
    changed: set[str]
    lost: list[tuple[str, str, str]]


def split(parent: str, hosts: t.Container[str]) -> Node | None:
    """(host, check) of a parent on another host, which is written ``host:check``; None where no known host stands in front."""
    place = parent.find(":")
    while place > 0:
        if parent[:place] in hosts and parent[place + 1 :].strip():
            return parent[:place], parent[place + 1 :].strip()
        place = parent.find(":", place + 1)
    return None


def along(outcome: t.Mapping[str, t.Any]) -> dict[str, tuple[str, str]]:
    """suspect of a host -> (what to add to the message about it, how severe it is at least), as the checks that fail along with it are not told."""
    causes = outcome.get("root_causes")
    found = {}
    for cause in causes if isinstance(causes, (list, tuple)) else ():
        names = cause.get("affects") if isinstance(cause, t.Mapping) else None
        if names and isinstance(names, (list, tuple)):
            shown = ", ".join(str(name) for name in names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
            said = f"; {len(names)} check{'s fail' if len(names) > 1 else ' fails'} along with it ({shown})"
            severity = cause.get("severity")
            found[str(cause.get("name"))] = said, severity if severity in SEVERITIES else SEVERITIES[0]
    return found


def hosts_elsewhere(outcomes: t.Mapping[str, t.Any]) -> set[str]:
    """What could be the names of hosts in front of parents that are not in the outcomes."""
    found: set[str] = set()
    for results, names in _results_of(outcomes).values():
        for parent in {parent for result in results for parent in result.get("depends_on") or () if parent not in names}:
            if split(parent, outcomes) is None:
                found.update(parent[:place] for place, char in enumerate(parent) if char == ":" and place)
    return found


def trace(outcomes: t.Mapping[str, t.Any], elsewhere: t.Collection[Node] = ()) -> Fleet:
    """Turn what fails along with a check on another host into ``skipped``, and name the suspects of each host.

    :arg outcomes: host -> what ``vigil.ops.inspect`` returned there; a host that was not reached fails in all of its checks
    :arg elsewhere: (host, check) of what is known to fail on hosts that are not among these
    """
    found = _results_of(outcomes)
    if not any(_is_abroad(result, names) for results, names in found.values() for result in results):
        return Fleet(dict(outcomes), set(), [])
    graph = _Graph(outcomes, found, elsewhere)
    traced, changed = dict(outcomes), set()
    for host, (results, _names) in found.items():
        after = [graph.judged(host, result) for result in results]
        if after != results:
            changed.add(host)
            summary = count(after)
            traced[host] = dict(
                outcomes[host], results=after, summary=summary, status=overall(summary), score=score(after), coverage=coverage(after)
            )
    causes = graph.suspects()
    for host in {*causes, *changed} & set(traced):
        traced[host] = dict(traced[host], root_causes=causes.get(host, []))
    return Fleet(traced, changed, graph.lost)


Found = t.Dict[str, t.Tuple[t.List[Result], t.Set[str]]]


def _results_of(outcomes: t.Mapping[str, t.Any]) -> Found:
    """host -> its sound results and their names."""
    found: Found = {}
    for host, outcome in outcomes.items():
        results = outcome.get("results") if isinstance(outcome, t.Mapping) and not outcome.get("unreachable") else None
        if isinstance(results, (list, tuple)) and all(_is_result(result) for result in results):
            found[host] = (list(results), {result["name"] for result in results})
    return found


def _is_result(result: t.Any) -> bool:
    known = isinstance(result, dict) and all(key in result for key in ("status", "severity", "summary", "weight", "caused_by", "reason"))
    return known and isinstance(result.get("name"), str) and isinstance(result.get("depends_on", []), list)


def _is_abroad(result: Result, names: t.Container[str]) -> bool:
    return any(parent not in names for parent in result.get("depends_on") or ())


class _Graph:
    """All checks of all hosts as (host, name) with what they depend on and how they are."""

    def __init__(self, outcomes: t.Mapping[str, t.Any], found: Found, elsewhere: t.Collection[Node]) -> None:
        self.statuses: dict[Node, str] = {}
        self.parents: dict[Node, list[Node]] = {}
        self.lost: list[tuple[str, str, str]] = []
        self._outcomes = outcomes
        self._found = found
        self._elsewhere = set(elsewhere)
        self._hosts = {*outcomes, *(host for host, _check in elsewhere)}
        self._results: dict[Node, Result] = {}
        for host, (results, _names) in found.items():
            for result in results:
                self._add((host, result["name"]), result)
        for host, (results, names) in found.items():
            for result in results:
                self._link(host, result, names)
        self._causes = explain(self.parents, self.statuses)

    def _add(self, node: Node, result: Result) -> None:
        status = state_of(result)
        if status not in ("ok", "warning", "skipped") or node not in self.statuses:
            self.statuses[node] = status
            self._results[node] = result

    def _link(self, host: str, result: Result, names: t.Container[str]) -> None:
        node = (host, result["name"])
        for parent in result.get("depends_on") or ():
            above = (host, parent) if parent in names else self._abroad(host, result, str(parent))
            if above is not None and above != node:
                self.parents.setdefault(node, []).append(above)

    def _abroad(self, host: str, result: Result, parent: str) -> Node | None:
        """The node of a parent on another host; that host's own one when it could not be looked at."""
        node = split(parent, self._hosts)
        if node is None:
            return None
        if node[0] not in self._outcomes:
            return self._known_elsewhere(node)
        outcome = self._outcomes[node[0]]
        if node[0] in self._found:
            if node not in self.statuses and node[1] not in (REACHABLE, FAILED):
                self.lost.append((host, result["name"], parent))
            return node
        if not isinstance(outcome, t.Mapping) or not (outcome.get("unreachable") or outcome.get("failed")):
            return None
        own = (node[0], REACHABLE if outcome.get("unreachable") else FAILED)
        self.statuses[own] = "critical"
        return own

    def _known_elsewhere(self, node: Node) -> Node | None:
        for known in (node, (node[0], REACHABLE), (node[0], FAILED)):
            if known in self._elsewhere:
                self.statuses[known] = "critical"
                return known
        return None

    def judged(self, host: str, result: Result) -> Result:
        """The result, as a skipped one where a check on another host explains it."""
        node = (host, result["name"])
        if (result["status"] not in BAD or result["reason"] == LEARNING) and not (result["status"] == "skipped" and result["caused_by"]):
            return result
        cause = self._causes.get(node)
        if cause is None or self._said(cause, host) == result["caused_by"]:
            return result
        marked = dict(result)
        skip(marked, self._said(cause, host))
        return marked

    def _said(self, node: Node, host: str) -> str:
        return node[1] if node[0] == host else f"{node[0]}:{node[1]}"

    def suspects(self) -> dict[str, list[dict[str, t.Any]]]:
        """The suspects by the host they are on."""
        found: dict[str, list[dict[str, t.Any]]] = {}
        for one in rank(self.parents, self.statuses, self._causes):
            host, name = one.node
            known = self._results.get(one.node) or {"reason": "unreachable" if name == REACHABLE else "failed", "summary": ""}
            status = self.statuses[one.node]
            found.setdefault(host, []).append(
                {
                    "name": name,
                    "status": status,
                    "reason": known["reason"],
                    "summary": known["summary"],
                    "affects": [self._said(node, host) for node in one.affects],
                    "probability": one.probability,
                    "severity": worst(self._results[node] for node in [one.node, *one.affects] if node in self._results),
                    "why": why(one, status, known["reason"], lambda node, host=host: self._said(node, host)),  # type: ignore[misc]
                }
            )
        return found
