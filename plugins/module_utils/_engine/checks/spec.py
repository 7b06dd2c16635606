# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check language: from the list that a user wrote to checks that can be run, or one sentence that says what is wrong."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.expectations import (
    Expectation,
    Judged,
    default_expectations,
    judged,
    read_expectations,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, read_options, read_value, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES, check_key
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration

PRIORITIES = ("P0", "P1", "P2")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_RETRIES = 100
_MOST_LOOKS = 100


class Confirm(t.NamedTuple):
    """How often a failure must be seen before it stands: ``times`` of the last ``within`` looks."""

    times: int = 1
    within: int = 1


class SpecError(ValueError):
    """A check list that cannot be run; the text is one sentence that names the check, the key and what would be right."""


class Check:
    """One check, ready to run.

    :ivar options: the probe's options, complete
    :ivar expect: what must hold, else critical; :ivar warn: what should hold, else warning
    :ivar every: seconds between two looks of a watcher, or None; priority is the watcher's too
    :ivar resolve_after: good looks in a row before a failure that stands is over
    :ivar hysteresis: (margin, whether it is percent of the limit) by which a broken limit must be kept again, or None
    :ivar flapping: whether a status that changes too often stands until it settles
    """

    severity = "error"
    retries = 0
    weight: float = 1
    every: float | None = None
    priority = "P1"
    confirm = Confirm()
    resolve_after = 1
    hysteresis: tuple[float, bool] | None = None
    flapping = True

    def __init__(self, name: str, probe: ProbeSpec, options: dict[str, t.Any]) -> None:
        self.name = name
        self.probe = probe.name
        self.spec = probe
        self.options = options
        self.hold_to((), ())
        self.depends_on: list[str] = []
        self.labels: dict[str, str] = {}
        self.annotations: dict[str, str] = {}

    @property
    def key(self) -> str:
        return check_key(self.name, self.labels)

    def hold_to(self, expect: t.Iterable[Expectation], warn: t.Iterable[Expectation]) -> None:
        """Set what it is held to."""
        self.expect, self.warn = tuple(expect), tuple(warn)
        self.judged: Judged = judged(self.spec, self.expect, self.warn)

    @property
    def wanted(self) -> frozenset[str]:
        """The observed keys that the expectations name."""
        return self.judged.wanted


def parse_checks(raw: t.Any, spec_of: t.Callable[[str], ProbeSpec], probes: t.Collection[str]) -> list[Check]:
    """Read a list of checks.

    A check that stands twice, word for word, counts once, so that several groups may bring the same one.

    :arg spec_of: gives the declaration of a probe by name
    :arg probes: the names of all probes
    :raises SpecError: one sentence
    """
    if not isinstance(raw, list):
        raise SpecError(f"checks must be a list, not {type_name(raw)}; write each check as '- name: ...' with one probe")
    known = frozenset(probes)
    checks: dict[str, Check] = {}
    sources: dict[str, t.Any] = {}
    for index, item in enumerate(raw):
        check = _parse_check(index, item, spec_of, known)
        if check.key in checks:
            if sources[check.key] == item:
                continue
            raise SpecError(f'check "{check.name}" is there twice with different content; give one of them another name or other labels')
        checks[check.key] = check
        sources[check.key] = item
    order = list(checks.values())
    _check_parents(order)
    return order


def _parse_check(index: int, item: t.Any, spec_of: t.Callable[[str], ProbeSpec], probes: t.Collection[str]) -> Check:
    if not isinstance(item, dict):
        raise SpecError(f"check number {index + 1} must be a mapping with a name and a probe, not {type_name(item)}")
    name = item.get("name")
    if not isinstance(name, str) or not name.strip() or _CONTROL.search(name) or len(name) > 200:
        raise SpecError(f"check number {index + 1} needs a name: a line of text of up to 200 characters, not {_short(name)}")
    try:
        return _fill(Check(name, *_probe_of(item, spec_of, probes)), item)
    except SpecError:
        raise
    except ValueError as exc:
        raise SpecError(f'check "{name}": {exc}') from exc


def _probe_of(
    item: dict[str, t.Any], spec_of: t.Callable[[str], ProbeSpec], probes: t.Collection[str]
) -> tuple[ProbeSpec, dict[str, t.Any]]:
    for key in item:
        if key not in _FIELDS and key not in probes:
            raise ValueError(f'"{key}" is neither a probe nor a key of a check' + nearest(key, list(_FIELDS) + list(probes)))
    found = [key for key in item if key in probes]
    if not found:
        raise ValueError("it has no probe; add exactly one of " + ", ".join(sorted(probes)))
    if len(found) > 1:
        raise ValueError(f"it has {len(found)} probes ({', '.join(found)}); write one check for each")
    spec = spec_of(found[0])
    return spec, read_options(spec, item[found[0]])


def _fill(check: Check, item: dict[str, t.Any]) -> Check:
    for key, value in item.items():
        read = _FIELDS.get(key)
        if value is None or read is None:
            continue
        try:
            setattr(check, key, read(check, value))
        except ValueError as exc:
            raise ValueError(f"{key}: {exc}") from exc
    defaults = default_expectations(check.spec)
    check.hold_to(defaults if item.get("expect") is None else check.expect + _hard_limits(check.expect, defaults), check.warn)
    return check


def _hard_limits(expect: tuple[Expectation, ...], defaults: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
    """The probe's own limits on what is held against a baseline: what has always been bad is usual, and still bad."""
    dynamic = {path.text for path, matcher in expect if matcher.dynamic}
    return tuple(item for item in defaults if item[0].text in dynamic) if dynamic else ()


def _one_of(choices: t.Sequence[str]) -> t.Callable[[Check, t.Any], str]:
    def read(check: Check, value: t.Any) -> str:
        if value not in choices:
            raise ValueError(f'"{value}" is not known here' + nearest(value, choices))
        return str(value)

    return read


def _whole(low: int, high: int) -> t.Callable[[Check, t.Any], int]:
    def read(check: Check, value: t.Any) -> int:
        number = read_value("int", value)
        if not low <= number <= high:
            raise ValueError(f"{value!r} is not a number from {low} to {high}")
        return int(number)

    return read


def _parents(check: Check, value: t.Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("a list of names of checks is needed here")
    return list(dict.fromkeys(names))


def _texts(check: Check, value: t.Any) -> dict[str, str]:
    if not isinstance(value, dict) or any(isinstance(item, (dict, list)) for item in value.values()):
        raise ValueError("a mapping of names to plain values is needed here")
    return {str(key): "" if item is None else str(item) for key, item in value.items()}


def _weight(check: Check, value: t.Any) -> float:
    weight: float = read_value("number", value)
    if weight < 0:
        raise ValueError(f"{value!r} is negative; a weight is 0 or more")
    return weight


def _interval(check: Check, value: t.Any) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{value!r} is no time; write for example 30s")
    return seconds


def _confirm(check: Check, value: t.Any) -> Confirm:
    """``3`` (in a row) or ``3/5`` (of the last five)."""
    match = re.fullmatch(r"\s*([0-9]{1,3})\s*/\s*([0-9]{1,3})\s*", value) if isinstance(value, str) else None
    times, within = (int(match.group(1)), int(match.group(2))) if match else (_whole(1, _MOST_LOOKS)(check, value),) * 2
    if not 1 <= times <= within <= _MOST_LOOKS:
        raise ValueError(
            f"{value!r} can never be met; write for example 3 (in a row) or 3/5 (of the last five looks, at most {_MOST_LOOKS})"
        )
    return Confirm(times, within)


def _hysteresis(check: Check, value: t.Any) -> tuple[float, bool]:
    """A margin in the unit of what is observed, or ``5%`` of the limit."""
    is_share = isinstance(value, str) and value.strip().endswith("%")
    margin: float = read_value("number", value.strip()[:-1] if is_share else value)
    if margin < 0 or (is_share and margin >= 100):
        raise ValueError(f"{value!r} is no margin; write a number of 0 or more, or a share of the limit such as 5%")
    return margin, is_share


_FIELDS: dict[str, t.Callable[[Check, t.Any], t.Any] | None] = {
    "name": None,
    "expect": lambda check, value: read_expectations(check.spec, value),
    "warn": lambda check, value: read_expectations(check.spec, value),
    "severity": _one_of(SEVERITIES),
    "retries": _whole(0, _MOST_RETRIES),
    "depends_on": _parents,
    "labels": _texts,
    "annotations": _texts,
    "weight": _weight,
    "every": _interval,
    "priority": _one_of(PRIORITIES),
    "confirm": _confirm,
    "resolve_after": _whole(1, _MOST_LOOKS),
    "hysteresis": _hysteresis,
    "flapping": lambda check, value: bool(read_value("bool", value)),
}


def _check_parents(checks: list[Check]) -> None:
    names = {check.name for check in checks}
    graph: dict[str, list[str]] = {}
    for check in checks:
        if not check.depends_on:
            continue
        for parent in check.depends_on:
            if parent not in names and not is_abroad(parent):
                raise SpecError(f'check "{check.name}": depends_on names "{parent}", which is not there' + nearest(parent, names))
        graph.setdefault(check.name, []).extend(check.depends_on)
    circle = find_circle(graph)
    if circle:
        raise SpecError("depends_on goes in a circle: " + " -> ".join(f'"{name}"' for name in circle) + "; take one of these out")


def is_abroad(parent: str) -> bool:
    """Whether a parent that is not among the checks of the list can be one on another host: ``host:check``."""
    host, _colon, name = parent.partition(":")
    return bool(host.strip() and name.strip())


def parents_abroad(checks: t.Iterable[Check]) -> list[tuple[Check, str]]:
    """The parents that are on other hosts, with the checks that name them."""
    known = list(checks)
    names = {check.name for check in known}
    return [(check, parent) for check in known for parent in check.depends_on if parent not in names]


def find_circle(graph: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """The names along a circle of the graph, the first again at the end; empty where there is none."""
    done: set[str] = set()
    for start in graph:
        trail: dict[str, t.Iterator[str]] = {} if start in done else {start: iter(graph[start])}
        while trail:
            here = next(reversed(list(trail)))
            step = next(trail[here], None)
            if step is None:
                done.add(here)
                del trail[here]
            elif step in trail:
                names = list(trail)
                return names[names.index(step) :] + [step]
            elif step not in done:
                trail[step] = iter(graph.get(step, ()))
    return []


def _short(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
