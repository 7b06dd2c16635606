# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which alerts a rule is about: ``{severity: ">= error", service: shop, instance: "web*", labels.team: db, group: web}``; all must hold."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, rank
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import parse_matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES

KEYS = ("severity", "service", "instance", "check", "group", "alert_id", "fingerprint")
_LABEL = re.compile(r"labels\.(.+)\Z", re.DOTALL)
_ORDER = re.compile(r"(<=|>=|==|!=|<|>)\s*(\S+)\Z")
_COMPARE: t.Mapping[str, t.Callable[[int, int], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    ">=": lambda one, other: one >= other,
    ">": lambda one, other: one > other,
}
Groups = t.Callable[[str], t.Collection[str]]
_Test = t.Callable[[str], bool]


class MatchError(ValueError):
    """What was given is no matcher; one sentence."""


def value_of(event: Event, key: str) -> str:
    """What an event has under the key of a matcher; empty where it has nothing."""
    found = _LABEL.match(key)
    value = event["labels"].get(found.group(1), "") if found else event.get(key)
    return "" if value is None else str(value)


class Match:
    """Rules that must all hold for an event.

    :ivar data: as it was given
    """

    def __init__(self, data: t.Mapping[str, t.Any], tests: t.Sequence[tuple[str, _Test]]) -> None:
        self.data = dict(data)
        self._tests = tests

    def holds(self, event: Event, groups: Groups | None = None) -> bool:
        """Whether the event is meant.

        :arg groups: the groups of a host, see ``group``
        """
        for key, test in self._tests:
            if key == "group":
                names = groups(str(event["instance"])) if groups is not None else ()
                if not any(test(name) for name in names):
                    return False
            elif not test(value_of(event, key)):
                return False
        return True


def read_match(where: str, given: t.Any, needed: bool = False) -> Match:
    """A mapping of keys and what they must be.

    :arg needed: it must say something
    :raises MatchError: one sentence that names the key and what would be right
    """
    given = {} if given is None else given
    if not isinstance(given, t.Mapping):
        raise MatchError(f'{where} must be a mapping such as {{service: shop, severity: ">= error"}}, not {type_name(given)}.')
    tests = []
    flat: dict[str, t.Any] = {}
    for key, value in given.items():
        if key == "labels" and isinstance(value, t.Mapping):
            flat.update({f"labels.{name}": item for name, item in value.items()})
        else:
            flat[str(key)] = value
    for key, value in flat.items():
        if key not in KEYS and not _LABEL.match(key):
            hint = nearest(key, (*KEYS, "labels.NAME"))
            raise MatchError(f'{where} has no key "{key}"{hint}; a label is written labels.{key}.'.replace("?;", "? Else"))
        tests.append((key, _test(f"{where}.{key}", key, value)))
    if needed and not tests:
        raise MatchError(f"{where} is empty and would mean every alert; name at least one of {', '.join(KEYS[:5])} or labels.NAME.")
    return Match(flat, tests)


def _test(where: str, key: str, value: t.Any) -> _Test:
    if isinstance(value, (list, tuple)):
        tests = [_test(f"{where}[{number}]", key, item) for number, item in enumerate(value)]
        if not tests:
            raise MatchError(f"{where} is an empty list, which nothing can be in.")
        return lambda seen: any(test(seen) for test in tests)
    if value is None or isinstance(value, t.Mapping):
        raise MatchError(f"{where} must be text, a matcher such as '~ ^web', or a list of them, not {type_name(value)}.")
    text = str(value).strip()
    if key == "severity":
        return _severity(where, text)
    if ("*" in text or "?" in text) and not text.startswith(("~", "!~", "==", "!=", "in ", "contains ")):
        pattern = re.compile(fnmatch.translate(text))
        return lambda seen: pattern.match(seen) is not None
    try:
        matcher = parse_matcher(text)
    except ValueError as exc:
        raise MatchError(f"{where}: {exc}.".replace("?.", "?")) from exc
    if matcher.kind == "exists":
        return bool
    if matcher.kind == "absent":
        return lambda seen: not seen
    if matcher.kind == "literal":
        return lambda seen: seen == text
    return matcher.test


def _severity(where: str, text: str) -> _Test:
    """``critical``, or ``>= error`` in the order info, warning, error, critical."""
    found = _ORDER.match(text)
    sign, word = found.groups() if found else ("==", text)
    if word not in SEVERITIES:
        raise MatchError(f'{where} is "{text}"{nearest(word, SEVERITIES)}.'.replace("?.", "?"))
    compare, bound = _COMPARE[sign], rank(word)
    return lambda seen: compare(rank(seen), bound)
