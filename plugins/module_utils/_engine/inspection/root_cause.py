# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failing checks and their parents: what failed by itself, what only failed along with it, and how likely each suspect is the cause."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check

BAD = ("critical", "unknown")
# A failing parent takes its child along nine times of ten, before anything is known of this one (a Beta prior worth two children).
_TAKES, _KNOWN = 1.8, 2.0
# What could not be seen may well be fine.
_CERTAINTY = {"critical": 1.0, "unknown": 0.6}
# How often a child fails by itself.
_LEAK = 0.1
_MOST = 0.99

Node = t.TypeVar("Node", bound=t.Hashable)


class Suspect(t.Generic[Node]):
    """A failing check that nothing above it explains.

    :ivar affects: the failing checks below it, in the order of the nodes
    :ivar probability: that it is behind one of these, on average, given all suspects
    :ivar well: how many checks that depend on it directly are well
    :ivar rivals: other suspects for some of the same checks
    """

    def __init__(self, node: Node, affects: list[Node], well: int) -> None:
        self.node = node
        self.affects = affects
        self.well = well
        self.probability = 0.0
        self.rivals: list[Node] = []


def rank(parents: t.Mapping[Node, t.Sequence[Node]], statuses: t.Mapping[Node, str]) -> list[Suspect[Node]]:
    """The suspects of a graph of checks, the one that explains most first.

    A noisy-OR: a child fails when the link to a failing suspect above it passes the failure on, or by itself. How well the links of a
    suspect do that is learned from how many of its children fail. See Pearl, Probabilistic Reasoning in Intelligent Systems, 4.3.2.

    :arg parents: node -> nodes it depends on
    :arg statuses: node -> ok, warning, critical (also one that is skipped as it fails along with another) or unknown
    """
    children: dict[Node, list[Node]] = {}
    for child, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(child)
    order = {node: place for place, node in enumerate(statuses)}
    suspects = []
    for node in statuses:
        if node in children and statuses[node] in BAD and not any(statuses.get(parent) in BAD for parent in parents.get(node, ())):
            below = _failing_below(node, children, statuses)
            if below:
                well = sum(statuses.get(child) in ("ok", "warning") for child in children[node])
                suspects.append(Suspect(node, sorted(below, key=order.__getitem__), well))
    _weigh(suspects, statuses)
    return sorted(suspects, key=lambda one: (-one.probability * len(one.affects), order[one.node]))


def _failing_below(node: Node, children: t.Mapping[Node, t.Sequence[Node]], statuses: t.Mapping[Node, str]) -> set[Node]:
    found: set[Node] = set()
    todo = [node]
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found and child != node and statuses.get(child) in BAD:
                found.add(child)
                todo.append(child)
    return found


def _weigh(suspects: list[Suspect[Node]], statuses: t.Mapping[Node, str]) -> None:
    over: dict[Node, list[int]] = {}
    strength = []
    for place, one in enumerate(suspects):
        failing = len(one.affects)
        strength.append(_CERTAINTY[statuses[one.node]] * (_TAKES + failing) / (_KNOWN + failing + one.well))
        for child in one.affects:
            over.setdefault(child, []).append(place)
    for place, one in enumerate(suspects):
        shares = []
        for child in one.affects:
            spared = 1 - _LEAK
            for other in over[child]:
                spared *= 1 - strength[other]
            shares.append(strength[place] / (1 - spared))
        one.probability = round(min(sum(shares) / len(shares), _MOST), 2)
        rivals = {other for child in one.affects for other in over[child]} - {place}
        one.rivals = [suspects[other].node for other in sorted(rivals)]


def why(suspect: Suspect[t.Any], status: str, reason: str | None, name: t.Callable[[t.Any], str]) -> str:
    """One sentence on a suspect; ``name`` gives the words for a node."""
    failing, every = len(suspect.affects), len(suspect.affects) + suspect.well
    seen = "cannot be seen" if status == "unknown" else "fails"
    because = f" ({reason})" if reason else ""
    which = "the check that depends" if every == 1 else f"{failing} of the {every} checks that depend"
    sentence = f'"{name(suspect.node)}" {seen}{because}, and so {"does" if every == 1 else "do"} {which} on it'
    if suspect.rivals:
        sentence += "; " + " and ".join(f'"{name(node)}"' for node in suspect.rivals[:3]) + " may be behind some of these, too"
    return sentence


def trace_causes(checks: list[Check], results: list[Result]) -> list[dict[str, t.Any]]:
    """Turn the failures that a failed parent explains into ``skipped`` with ``caused_by``, and list the suspects.

    :return: [{name, status, reason, summary, affects: [names], probability, why}], the one that explains most first; the results are
        changed in place
    """
    parents: dict[str, list[str]] = {}
    statuses: dict[str, str] = {}
    by_name: dict[str, Result] = {}
    for check, result in zip(checks, results):
        parents.setdefault(check.name, []).extend(check.depends_on)
        if result["status"] in BAD or check.name not in statuses:
            statuses[check.name] = result["status"]
            by_name[check.name] = result
    suspects = rank(parents, statuses)
    for check, result in zip(checks, results):
        if result["status"] in BAD:
            cause = topmost(check.depends_on, parents, statuses)
            if cause is not None:
                skip(result, cause)
    return [
        {
            **{key: by_name[one.node][key] for key in ("name", "status", "reason", "summary")},
            "affects": one.affects,
            "probability": one.probability,
            "why": why(one, statuses[one.node], by_name[one.node]["reason"], str),
        }
        for one in suspects
    ]


def skip(result: Result, cause: str) -> None:
    """Mark a result as failing along with its cause."""
    summary = result["summary"]
    if result["status"] == "skipped":
        summary = summary.partition(" fails: ")[2] or summary
    result.update(status="skipped", caused_by=cause, summary=f'fails while "{cause}" fails: {summary}')


def topmost(names: t.Sequence[Node], parents: t.Mapping[Node, t.Sequence[Node]], statuses: t.Mapping[Node, str]) -> Node | None:
    """The topmost failing check above the named parents; a parent that is well cuts the way up, and a circle has no top."""
    seen: set[Node] = set()
    found: Node | None = None
    while True:
        above = [name for name in names if statuses.get(name) in BAD]
        if not above:
            return found
        found = above[0]
        if found in seen:
            return None
        seen.add(found)
        names = parents.get(found, ())
