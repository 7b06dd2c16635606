# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A goss file as checks of ours; what has no equivalent is named.

Source: https://github.com/goss-org/goss/blob/master/docs/gossfile.md
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_regex import NoEquivalent
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_resources import MAKERS, Attributes, Made

RESOURCES = (
    "addr", "command", "dns", "file", "gossfile", "group", "http", "interface", "kernel-param", "matching", "mount", "package", "port",
    "process", "registry", "service", "user",
)  # fmt: skip
# Only what nothing else has that uses such braces, as formats of docker do.
_TEMPLATE = re.compile(r"\{\{(?:[^}]*[^\w}])?\.(?:Vars|Env)\b|\{\{-?\s*(?:(?:mkSlice|getEnv|readFile)\b|\")")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_LONGEST_NAME = 190
_COMMON = ("title", "meta", "skip")
_RETRIED = ("command", "dns", "package")
_MOST_RETRIES = 100
Load = t.Callable[[str, str], t.List[t.Tuple[str, t.Any]]]


def is_goss(content: t.Any) -> bool:
    """Whether this is the content of a goss file."""
    if not isinstance(content, dict) or "checks" in content or "vigil_checks" in content:
        return False
    return any(key in RESOURCES and (value is None or isinstance(value, dict)) for key, value in content.items())


def convert(content: t.Mapping[str, t.Any], load: Load | None = None, place: str = "") -> tuple[list[dict[str, t.Any]], list[str]]:
    """(checks, what was left out as sentences) of a goss file.

    :arg load: gives [(place, content)] of the files that an include names, seen from the file at ``place``
    """
    checks: list[dict[str, t.Any]] = []
    left: list[str] = []
    for kind, resources in content.items():
        if resources is None:
            continue
        if kind not in RESOURCES or not isinstance(resources, dict):
            left.append(f"{kind}: this is no resource of goss")
            continue
        for key, attributes in resources.items():
            given = {} if attributes is None else attributes
            more, missing = _resource(kind, str(key), given, load, place)
            checks += more
            left += missing
    return _once(checks), left


def _once(checks: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Names that stand twice (in several files, say) with different content get a number."""
    found: dict[str, dict[str, t.Any]] = {}
    for check in checks:
        name, number = check["name"], 1
        while check["name"] in found and found[check["name"]] != check:
            number += 1
            check["name"] = f"{name} ({number})"
        found[check["name"]] = check
    return list(found.values())


def _resource(kind: str, key: str, attributes: t.Any, load: Load | None, place: str) -> tuple[list[dict[str, t.Any]], list[str]]:
    label = f"{kind} {key}"
    if not isinstance(attributes, dict):
        return [], [f"{label}: its attributes are no mapping"]
    if attributes.get("skip") is True:
        return [], [f"{label}: the file says skip"]
    if kind == "gossfile":
        return _included(label, str(attributes.get("file") or key), load, place)
    if _TEMPLATE.search(json.dumps([key, attributes], default=str).replace('\\"', '"')):
        return [], [f"{label}: it has a Go template; render the file first, with goss render"]
    maker, known = MAKERS.get(kind, (None, ()))
    if maker is None:
        return [], [f"{label}: there is no such probe"]
    try:
        made = maker(key, attributes)
    except (NoEquivalent, TypeError, ValueError) as exc:
        return [], [f"{label}: {exc}"]
    tries = attributes.get("retry_count")
    is_count = isinstance(tries, int) and not isinstance(tries, bool) and 0 < tries <= _MOST_RETRIES
    retries = {"retries": tries} if kind in _RETRIED and is_count else {}
    known += (*_COMMON, "retry_count") if retries else _COMMON
    left = [f"{label}: {name}" for name, value in attributes.items() if name not in known and value not in (None, "", [], 0, False)]
    checks: list[dict[str, t.Any]] = []
    for one in [made, *made.more]:
        left += [f"{label}: {sentence}" for sentence in one.left]
        checks += [dict(check, **retries) for check in _checks(label, one, attributes)]
    return _once(checks), left


def _included(label: str, name: str, load: Load | None, place: str) -> tuple[list[dict[str, t.Any]], list[str]]:
    if load is None:
        return [], [f"{label}: other files are not read here"]
    checks: list[dict[str, t.Any]] = []
    left: list[str] = []
    for where, content in load(name, place):
        if not is_goss(content):
            left.append(f"{label}: {where} is no goss file")
            continue
        more, missing = convert(content, load, where)
        checks += more
        left += missing
    return checks, left


def _hashable(matcher: t.Any) -> t.Any:
    return tuple(matcher) if isinstance(matcher, list) else matcher


def _note(value: t.Any) -> t.Any:
    """What is no plain value, as text."""
    return value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False, default=str)


def _checks(label: str, made: Made, attributes: Attributes) -> list[dict[str, t.Any]]:
    """The checks of a resource: one, or several where a key must fulfil more than one matcher."""
    name = _CONTROL.sub(" ", label)[:_LONGEST_NAME].strip()
    meta = attributes.get("meta")
    every = {"title": attributes.get("title"), **(meta if isinstance(meta, dict) else {})}
    notes = {str(key): _note(value) for key, value in every.items() if value not in (None, "", [], {})}
    rounds: list[dict[str, t.Any]] = []
    for path, matcher in dict.fromkeys((path, _hashable(matcher)) for path, matcher in made.expect):
        free = next((one for one in rounds if path not in one), None)
        if free is None:
            free = {}
            rounds.append(free)
        free[path] = list(matcher) if isinstance(matcher, tuple) else matcher
    checks = []
    for expect in rounds or [{}]:
        check: dict[str, t.Any] = {"name": name, made.probe: dict(made.options)}
        check.update({"expect": expect} if expect else {}, **({"annotations": notes} if notes else {}))
        checks.append(check)
    return checks
