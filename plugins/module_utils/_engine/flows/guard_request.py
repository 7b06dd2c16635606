# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What service_guard is asked to do, read and checked before anything is looked at."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check, SpecError, find_circle
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.guard import Limits

# The options that each guard may give for itself.
KEYS = (
    "service",
    "checks",
    "failures",
    "interval",
    "verify_timeout",
    "max_restarts",
    "within",
    "backoff",
    "grace",
    "depends_on",
    "restart_command",
    "paths",
)
PATHS = ("/", "/var", "/tmp")
_KINDS = ("service", "socket", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")
_TIMES = {"interval": 0.0, "verify_timeout": 1.0, "within": 1.0, "backoff": 0.0, "grace": 0.0}
_COUNTS = {"failures": (1, 1000), "max_restarts": (0, 1000)}
_LONGEST = 7 * 86400.0
Params = t.Mapping[str, t.Any]


class Refusal(Exception):
    """The options cannot be used; the text is one sentence."""


@dataclasses.dataclass
class Guard:
    """One service to be guarded; times in seconds.

    :ivar unit: the name by which systemd and the store know it
    :ivar checks: empty: the unit itself must be active
    :ivar parents: units of other guards of this list that it needs; needs: checks of everything else that it needs
    :ivar paths: where it must be able to write
    """

    service: str
    unit: str
    checks: t.List[Check]
    limits: Limits
    interval: float = 0.0
    verify_timeout: float = 60.0
    parents: t.List[str] = dataclasses.field(default_factory=list)
    needs: t.List[Check] = dataclasses.field(default_factory=list)
    restart_command: t.Tuple[str, ...] = ()
    paths: t.Tuple[str, ...] = PATHS


def read(params: Params) -> t.List[Guard]:
    """The guards in a module's options, those first that others need.

    :raises Refusal: one sentence that names the guard and the option
    """
    items = _items(params)
    names = {unit_of(str(item["service"])): str(item["service"]) for item in items}
    if len(names) < len(items):
        raise Refusal("guards names the same service twice; put all of its checks into one guard")
    guards = {}
    for item in items:
        one = _read_one(item, names, f'guard "{item["service"]}": ' if params.get("guards") else "")
        guards[one.unit] = one
    circle = find_circle({unit: guard.parents for unit, guard in guards.items()})
    if circle:
        raise Refusal("depends_on goes in a circle: " + " -> ".join(circle) + "; take one of these out")
    return _in_order(guards)


def unit_of(service: str) -> str:
    """``nginx`` is ``nginx.service``; a unit of another kind keeps its name."""
    return service if service.rpartition(".")[2] in _KINDS and "." in service else service + ".service"


def _items(params: Params) -> t.List[t.Dict[str, t.Any]]:
    common = {key: params.get(key) for key in KEYS if params.get(key) is not None}
    given = params.get("guards")
    if given is None:
        if not params.get("service"):
            raise Refusal("there is nothing to guard: give service, or guards")
        return [common]
    if params.get("service"):
        raise Refusal("give service or guards, not both")
    if not isinstance(given, list):
        raise Refusal(f"guards must be a list of mappings with a service each, not {type_name(given)}")
    items = []
    for number, item in enumerate(given, 1):
        if isinstance(item, str):
            item = {"service": item}
        if not isinstance(item, dict) or not item.get("service") or isinstance(item["service"], bool):  # YAML reads on and off as such
            raise Refusal(f"guard number {number} must be a mapping with a service, or the name of a service")
        for key in item:
            if key not in KEYS:
                raise Refusal(f'guard "{item["service"]}" has no option "{key}"' + nearest(str(key), KEYS))
        items.append({**common, **{key: value for key, value in item.items() if value is not None}})
    return items


def _read_one(item: Params, names: t.Mapping[str, str], where: str) -> Guard:
    service = str(item["service"])
    try:
        if not _UNIT.fullmatch(service):
            raise Refusal(f"service: {service!r} is not the name of a unit; write one such as nginx or backup.timer")
        guard = Guard(service, unit_of(service), read_checks(item.get("checks") or []), _limits(item))
        guard.interval = _time(item, "interval", guard.interval)
        guard.verify_timeout = _time(item, "verify_timeout", guard.verify_timeout)
        guard.restart_command = _argv(item.get("restart_command"))
        guard.paths = _paths(item.get("paths"))
        _read_needs(guard, item.get("depends_on"), names)
    except SpecError as exc:
        raise Refusal(f"{where}checks: {exc}") from exc
    except Refusal as exc:
        raise Refusal(f"{where}{exc}") from exc
    return guard


def _limits(item: Params) -> Limits:
    usual = Limits()
    values: t.Dict[str, t.Any] = {key: _time(item, key, getattr(usual, key)) for key in ("within", "backoff", "grace")}
    for key, (least, most) in _COUNTS.items():
        number = item.get(key, getattr(usual, key))
        try:
            number = int(str(number))
        except ValueError:
            raise Refusal(f"{key} is {number!r}; it must be a whole number") from None
        if not least <= number <= most:
            raise Refusal(f"{key} is {number}; it must be from {least} to {most}")
        values[key] = number
    return Limits(**values)


def _time(item: Params, key: str, usual: float) -> float:
    if item.get(key) is None:
        return usual
    try:
        seconds = parse_duration(item[key])
    except ValueError as exc:
        raise Refusal(f"{key}: {exc}") from exc
    if not _TIMES[key] <= seconds <= _LONGEST:
        raise Refusal(f"{key} is {item[key]}; it must be from {_TIMES[key]:g}s to 7d")
    return seconds


def _argv(given: t.Any) -> t.Tuple[str, ...]:
    if given is None or given == []:
        return ()
    if not isinstance(given, list) or any(isinstance(word, (dict, list)) or word is None for word in given) or not str(given[0]):
        raise Refusal("restart_command must be a list of a program and its arguments, such as [/etc/init.d/app, restart]")
    return tuple(str(word) for word in given)


def _paths(given: t.Any) -> t.Tuple[str, ...]:
    if given is None:
        return PATHS
    if not isinstance(given, list) or not all(isinstance(path, str) and path.startswith("/") for path in given):
        raise Refusal("paths must be a list of absolute paths, such as [/, /var/lib/app]")
    return tuple(dict.fromkeys(given))


def _read_needs(guard: Guard, given: t.Any, names: t.Mapping[str, str]) -> None:
    """Names of other guards become parents; names of units and checks become checks."""
    if given is None:
        return
    checks: t.List[t.Any] = []
    for need in given if isinstance(given, list) else [given]:
        if isinstance(need, str) and unit_of(need) in names:
            guard.parents.append(unit_of(need))
        elif isinstance(need, str):
            checks.append({"name": need, "service": {"name": need}})
        elif isinstance(need, dict):
            checks.append(need)
        else:
            raise Refusal(f"depends_on takes names of services and checks, not {type_name(need)}")
    try:
        guard.needs = read_checks(checks)
    except SpecError as exc:
        raise Refusal(f"depends_on: {exc}") from exc


def _in_order(guards: t.Mapping[str, Guard]) -> t.List[Guard]:
    """What others need comes before them; else the order in which they were written."""
    done: t.Dict[str, Guard] = {}

    def take(unit: str) -> None:
        if unit not in done:
            for parent in guards[unit].parents:
                take(parent)
            done[unit] = guards[unit]

    for unit in guards:
        take(unit)
    return list(done.values())
