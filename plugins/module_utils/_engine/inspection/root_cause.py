# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failing checks and their parents: what failed by itself, what only failed along with it, and how likely each suspect is the cause."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, SEVERITIES, Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check

BAD = ("critical", "unknown")
_WELL = ("ok", "warning")
# A failing parent takes its child along nine times of ten, before anything is known of this one (a Beta prior worth two children).
_TAKES, _KNOWN = 1.8, 2.0
# What could not be seen may well be fine.
_CERTAINTY = {"critical": 1.0, "unknown": 0.6, "unseen": 0.6}
# How often a child fails by itself.
_LEAK = 0.1
_MOST = 0.99

# Could not be seen for a reason that says nothing about what depends on it.
UNSEEN = "unseen"
_NO_ANSWER = ("timeout",)
_REASONS = ("missing_library", "permission", "unsupported", "expression", "internal", "unseen", "check_mode")
_FAILING = (*BAD, UNSEEN)

Node = t.TypeVar("Node", bound=t.Hashable)


def state_of(result: Result) -> str:
    """How a check is in the graph: its status; critical when it is skipped because another one fails; ``unseen`` where nothing is known of
    it, as what cannot be looked at is no reason for what depends on it to fail; ``skipped`` too where it still learns what is usual."""
    status, reason = result["status"], result["reason"]
    if status == "skipped" and result["caused_by"]:
        return UNSEEN if reason in _REASONS else "critical"
    if status == "unknown":
        return "skipped" if reason == LEARNING else "unknown" if reason in _NO_ANSWER else UNSEEN
    return str(status)


def explain(parents: t.Mapping[Node, t.Sequence[Node]], statuses: t.Mapping[Node, str]) -> dict[Node, Node]:
    """The failing check that explains each failing one that has such, which is itself explained by none.

    A parent that is well cuts the way up. What could not be seen explains only what could not be seen either. Checks that depend on each
    other in a circle are explained by the first of them.
    """
    order = {node: place for place, node in enumerate(statuses)}
    above = {
        node: [one for one in parents.get(node, ()) if statuses.get(one) in _FAILING] for node in statuses if statuses[node] in _FAILING
    }
    causes: dict[Node, Node] = {}
    for group in _groups(above):
        inside = set(group)
        ranked = sorted(group, key=lambda node: (_FAILING.index(statuses[node]), order[node]))
        over = [one for node in ranked for one in above[node] if one not in inside]
        for node in ranked:
            candidates = [causes.get(one, one) for one in (over if node == ranked[0] else [*over, ranked[0]])]
            found = next((one for one in candidates if statuses[one] != UNSEEN or statuses[node] != "critical"), None)
            if found is not None:
                causes[node] = found
    return causes


def _groups(above: t.Mapping[Node, t.Sequence[Node]]) -> t.Iterator[list[Node]]:
    """The circles of a graph, and all other nodes alone, each after what is above it (Tarjan's strongly connected components)."""
    number: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    waiting: set[Node] = set()
    for start in above:
        trail = [] if start in number else [(start, iter(above[start]))]
        while trail:
            node, steps = trail[-1]
            if node not in number:
                number[node] = low[node] = len(number)
                stack.append(node)
                waiting.add(node)
            following = next(steps, None)
            if following is None:
                trail.pop()
                if trail:
                    low[trail[-1][0]] = min(low[trail[-1][0]], low[node])
                if low[node] == number[node]:
                    group = [stack.pop()]
                    while group[-1] != node:
                        group.append(stack.pop())
                    waiting.difference_update(group)
                    yield group
            elif following not in number:
                trail.append((following, iter(above[following])))
            elif following in waiting:
                low[node] = min(low[node], number[following])


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


def rank(
    parents: t.Mapping[Node, t.Sequence[Node]], statuses: t.Mapping[Node, str], causes: t.Mapping[Node, Node] | None = None
) -> list[Suspect[Node]]:
    """The suspects of a graph of checks, the one that explains most first.

    A noisy-OR: a child fails when the link to a failing suspect above it passes the failure on, or by itself. How well the links of a
    suspect do that is learned from how many of its children fail. See Pearl, Probabilistic Reasoning in Intelligent Systems, 4.3.2.

    :arg parents: node -> nodes it depends on
    :arg statuses: node -> what ``state_of`` says of it
    :arg causes: what ``explain`` says of these
    """
    causes = explain(parents, statuses) if causes is None else causes
    children: dict[Node, list[Node]] = {}
    for child, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(child)
    order = {node: place for place, node in enumerate(statuses)}
    suspects = []
    for node in statuses:
        if node in children and statuses[node] in _FAILING and node not in causes:
            below = _failing_below(node, children, statuses)
            if below:
                well = sum(statuses.get(child) in ("ok", "warning") for child in children[node])
                suspects.append(Suspect(node, sorted(below, key=order.__getitem__), well))
    _weigh(suspects, statuses)
    return sorted(suspects, key=lambda one: (-one.probability * len(one.affects), order[one.node]))


def _failing_below(node: Node, children: t.Mapping[Node, t.Sequence[Node]], statuses: t.Mapping[Node, str]) -> set[Node]:
    found: set[Node] = set()
    todo = [node]
    which = _FAILING if statuses[node] != UNSEEN else ("unknown", UNSEEN)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found and child != node and statuses.get(child) in which:
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
    seen = "fails" if status == "critical" else "cannot be seen"
    because = f" ({reason})" if reason else ""
    which = "the check that depends" if every == 1 else f"{failing} of the {every} checks that depend"
    sentence = f'"{name(suspect.node)}" {seen}{because}, and so {"does" if every == 1 else "do"} {which} on it'
    if suspect.rivals:
        sentence += "; " + " and ".join(f'"{name(node)}"' for node in suspect.rivals[:3]) + " may be behind some of these, too"
    return sentence


def trace_causes(checks: list[Check], results: list[Result]) -> list[dict[str, t.Any]]:
    """Turn the failures that a failed parent explains into ``skipped`` with ``caused_by``, and list the suspects.

    :return: [{name, status, reason, summary, affects: [names], probability, severity, why}], the one that explains most first; the results are
        changed in place
    """
    if all(result["status"] in _WELL for result in results):
        return []
    parents: dict[str, list[str]] = {}
    statuses: dict[str, str] = {}
    by_name: dict[str, Result] = {}
    for check, result in zip(checks, results):
        parents.setdefault(check.name, []).extend(check.depends_on)
        state = state_of(result)
        if state in _FAILING or check.name not in statuses:
            statuses[check.name] = state
            by_name[check.name] = result
    causes = explain(parents, statuses)
    suspects = rank(parents, statuses, causes)
    for check, result in zip(checks, results):
        if result["status"] in BAD and result["reason"] != LEARNING and check.name in causes:
            skip(result, causes[check.name])
    return [
        {
            **{key: by_name[one.node][key] for key in ("name", "status", "reason", "summary")},
            "affects": one.affects,
            "probability": one.probability,
            "severity": worst(by_name[node] for node in [one.node, *one.affects]),
            "why": why(one, statuses[one.node], by_name[one.node]["reason"], str),
        }
        for one in suspects
    ]


def worst(results: t.Iterable[Result]) -> str:
    """The severity of what one notice stands for: the worst among those that fail; what could not be seen is a warning."""
    ranks = [SEVERITIES.index(result["severity"] if state_of(result) == "critical" else "warning") for result in results]
    return SEVERITIES[max(ranks, default=1)]


def skip(result: Result, cause: str) -> None:
    """Mark a result as failing along with its cause."""
    summary = result["summary"]
    if result["status"] == "skipped":
        summary = summary.partition(" fails: ")[2] or summary
    result.update(status="skipped", caused_by=cause, summary=f'fails while "{cause}" fails: {summary}')
