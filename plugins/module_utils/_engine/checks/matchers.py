# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Matchers: what a value is held against, as a literal or as a short string such as ``< 90`` or ``~ ^2[0-9]{2}$``."""

from __future__ import annotations

import json
import math
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.meant import (
    NUMBERS_ALONE,
    RANGE_LIKE,
    RANGES,
    check_range,
    mistaken,
    mistaken_value,
    quoted,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import NUMBER, as_number, parse_duration, parse_size

_OPERATOR = re.compile(r"(<=|>=|==|!=|!~|<|>|~)\s*(.*)", re.DOTALL)
_WORD = re.compile(r"(in|contains|between)\s+(.*)|(exists|absent)", re.DOTALL)
_ITEM = re.compile(r"\s*(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^,]*?)\s*(?:,|$)")
# Thresholds of the Nagios plugins' guidelines: [@]start:end, start: alone, end alone, ~ for minus infinity.
_RANGE = re.compile(r"(@?)(?:(~|[^:@~\s][^:@\s]*)?:)?([^:@~\s][^:@\s]*)?")
Bounds = t.Mapping[str, t.Any]


class Matcher:
    """One expectation.

    :ivar text: as it is shown to people
    :ivar kind: the operator, or ``literal``
    :ivar dynamic: True for ``< baseline`` and its like
    """

    def __init__(self, kind: str, operand: t.Any, text: str) -> None:
        self.kind = kind
        self.operand = operand
        self.text = text
        self.dynamic = operand == "baseline" and kind in _ORDER
        self._holds = _TESTS[kind]

    def __reduce__(self) -> t.Tuple[t.Any, ...]:
        """For another process: the function of its kind cannot be handed on."""
        return type(self), (self.kind, self.operand, self.text)

    def test(self, value: t.Any, baseline: Bounds | None = None) -> bool:
        """Whether the observed value holds; ``baseline`` is {low, high, n}, and a missing one holds (it is still being learned)."""
        if not self.dynamic:
            return self._holds(value, self.operand)
        if not baseline:
            return as_number(value) is not None
        return _ORDER[self.kind](value, baseline["high" if self.kind.startswith("<") else "low"])

    def shown(self, baseline: Bounds | None = None) -> str:
        """The expectation with the number that a baseline stands for."""
        if not self.dynamic or not baseline:
            return self.text
        return f"{self.text} ({baseline['high' if self.kind.startswith('<') else 'low']:g})"


def parse_matcher(value: t.Any, path: str = "") -> Matcher:
    """Read the value of an ``expect`` or ``warn`` entry; the path tells which unit a number may carry.

    :raises ValueError: with a sentence, when a string begins like a matcher and is none
    """
    if path == "mode":
        value = _octal(value)
    if not isinstance(value, str):
        meant = mistaken_value(value, path)
        if meant is not None:
            raise ValueError(f"{_show(value)[:60]} is not a matcher; {meant}")
        return Matcher("literal", value, _show(value))
    text = value.strip()
    if path in NUMBERS_ALONE:
        check_range(text)
    threshold = _threshold(text, path)
    if threshold:
        return Matcher("range", _range(threshold, text, path), text)
    match = _OPERATOR.fullmatch(text)
    if match:
        return _operator(match.group(1), match.group(2), text, path)
    match = _WORD.fullmatch(text)
    if match:
        return _word(match, text, path)
    meant = mistaken(text, path)
    if meant is not None:
        raise ValueError(f"{value!r} is not a matcher; {meant} (to compare with this very text: {quoted(text)})")
    return Matcher("literal", value, _show(value))


def _threshold(text: str, path: str) -> str | None:
    """The range in a text that is one: ``@10:20`` and ``nagios ...`` everywhere, the other forms where a text can never be observed."""
    if text.startswith("nagios "):
        return text[len("nagios ") :].strip()
    if RANGE_LIKE.fullmatch(text) and (text[0] == "@" or path in NUMBERS_ALONE):
        return text
    return None


def _range(text: str, whole: str, path: str) -> tuple[float, float, bool]:
    """(low, high, inverted) of a range; it alerts outside of low..high, or with @ inside, both bounds included.

    Source: https://nagios-plugins.org/doc/guidelines.html#THRESHOLDFORMAT
    """
    match = _RANGE.fullmatch(text)
    if match is None or not (match.group(2) or match.group(3)):
        raise ValueError(f"{whole!r} is not a range; write one of {RANGES}")
    inverted, start, end = match.groups()
    low = -math.inf if start == "~" else _number(start, whole, path) if start else 0.0
    high = _number(end, whole, path) if end else math.inf
    if low > high:
        meant = f"{inverted}{end}:{start or 0}"
        raise ValueError(f"{whole!r} is not a range: its start is above its end; did you mean {meant!r}?")
    return low, high, bool(inverted)


def _octal(value: t.Any) -> t.Any:
    """Permissions as they are observed: YAML reads 0644 as the number 420, and people write 644."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"== '{value:04o}'"
    return f"== '{value.zfill(4)}'" if isinstance(value, str) and re.fullmatch(r"[0-7]{3,4}", value) else value


def _operator(kind: str, rest: str, text: str, path: str) -> Matcher:
    if not rest:
        raise ValueError(f"{text!r} has nothing to compare with; write for example {kind + ' 90' if kind in _ORDER else kind + ' text'!r}")
    if kind in ("~", "!~"):
        if text.startswith(("~=", "!~=")):
            raise ValueError(f"{text!r} is not a matcher; did you mean {f'{kind} {rest[1:].strip()}'!r}?")
        return Matcher(kind, _regex(rest), text)
    if kind in _ORDER:
        if rest.lower() == "baseline":
            return Matcher(kind, "baseline", f"{kind} baseline")
        if rest[0] in "<>=":
            other = {"<=": "<=", ">=": ">=", "<>": "!="}.get(kind[0] + rest[0], kind)
            raise ValueError(f"{text!r} is not a matcher; did you mean {f'{other} {rest[1:].strip()}'!r}?")
        return Matcher(kind, _number(rest, text, path), text)
    if rest == "baseline":
        order = "only '< baseline' and '> baseline' compare with what is usual here"
        raise ValueError(f'{text!r} is not a matcher; {order} (for the very word: {kind} "baseline")')
    return Matcher(kind, _scalar(rest), text)


def _word(match: re.Match[str], text: str, path: str) -> Matcher:
    word, rest, alone = match.groups()
    if alone:
        return Matcher(alone, None, text)
    if word == "contains":
        return Matcher(word, _scalar(rest), text)
    if word == "in":
        if not (rest.startswith("[") and rest.endswith("]")):
            raise ValueError(f"{text!r} is not a matcher; write the list in brackets: 'in [200, 204]'")
        return Matcher(word, _items(rest[1:-1]), text)
    parts = re.split(r"\s+and\s+|\s*,\s*|\s+", rest.strip())
    if len(parts) != 2:
        raise ValueError(f"{text!r} is not a matcher; write two numbers: 'between 10 20'")
    low, high = (_number(part, text, path) for part in parts)
    if low > high:
        raise ValueError(f"{text!r} can never hold: the first number must not be above the second")
    return Matcher(word, (low, high), text)


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}") from exc


def _items(text: str) -> list[t.Any]:
    items, place = [], 0
    while place < len(text):
        match = _ITEM.match(text, place)
        if match is None or match.end() == place:
            raise ValueError(f"'in [{text}]' is not a list; separate the values by commas and quote those that hold one")
        items.append(_scalar(match.group(1)))
        place = match.end()
    if not items:
        raise ValueError("'in []' can never hold; name at least one value: 'in [200, 204]'")
    return items


def _scalar(text: str) -> t.Any:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return _unquote(text)
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    if text in ("null", "None"):
        return None
    number = as_number(text)
    return text if number is None else number


def _unquote(text: str) -> str:
    if text[0] == "'":
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


def _number(text: str, whole: str, path: str) -> float:
    number = as_number(text[:-1] if text.endswith("%") else text)
    if number is not None:
        return number
    key = re.split(r"[.\[]", path)[-1].strip('"')
    try:
        if key.endswith(("_bytes", "size")):
            return float(parse_size(text))
        if path.startswith("phases."):
            return parse_duration(text) * 1000
        if key.endswith(("_ms", "_seconds", "days_left")):
            seconds = parse_duration(text)
            return seconds * 1000 if key.endswith("_ms") else seconds / 86400 if key.endswith("days_left") else seconds
    except ValueError as exc:
        raise ValueError(f"{whole!r} has a number that cannot be read: {exc}") from exc
    raise ValueError(f"{whole!r} needs a number after the comparison" + (f" ({path} has no unit)" if NUMBER.match(text) else ""))


def _show(value: t.Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _equal(value: t.Any, operand: t.Any) -> bool:
    """Equality that forgives what templating makes of a value: 200 and "200", true and "True"."""
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand or (_as_bool(value) is not None and _as_bool(value) == _as_bool(operand))
    if isinstance(value, (int, float)) or isinstance(operand, (int, float)):
        left, right = as_number(value), as_number(operand)
        return left is not None and left == right
    return bool(value == operand)


def _as_bool(value: t.Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower())
    return None


def _contains(value: t.Any, operand: t.Any) -> bool:
    if isinstance(value, str):
        return (operand if isinstance(operand, str) else _show(operand)) in value
    if isinstance(value, dict):
        return operand in value
    return isinstance(value, list) and any(_equal(item, operand) for item in value)


def _search(value: t.Any, operand: re.Pattern[str]) -> bool:
    return value is not None and operand.search(_show(value)) is not None


def _within(value: t.Any, operand: tuple[float, float, bool]) -> bool:
    """Whether a threshold does not alert; what is no number cannot be well."""
    number = as_number(value)
    return number is not None and (operand[0] <= number <= operand[1]) != operand[2]


def _ordered(compare: t.Callable[[float, float], bool]) -> t.Callable[[t.Any, t.Any], bool]:
    def test(value: t.Any, operand: t.Any) -> bool:
        number = as_number(value)
        return number is not None and compare(number, operand)

    return test


_ORDER: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
}
_TESTS: dict[str, t.Callable[[t.Any, t.Any], bool]] = dict(
    _ORDER,
    **{
        "literal": _equal,
        "==": _equal,
        "!=": lambda value, operand: not _equal(value, operand),
        "~": _search,
        "!~": lambda value, operand: not _search(value, operand),
        "in": lambda value, operand: any(_equal(value, item) for item in operand),
        "contains": _contains,
        "between": lambda value, operand: _ORDER[">="](value, operand[0]) and _ORDER["<="](value, operand[1]),
        "range": _within,
        "exists": lambda value, operand: value is not None,
        "absent": lambda value, operand: value is None,
    },
)
