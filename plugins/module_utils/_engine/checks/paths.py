# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths into an observation: plain dotted ones by ourselves, all other JMESPath expressions by the jmespath library.

Grammar of the rest: https://jmespath.org/specification.html
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee

_STEP = re.compile(r'\.?(?:([A-Za-z_][A-Za-z0-9_-]*)|"((?:[^"\\]|\\.)+)")|\[(-?[0-9]{1,9})\]')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(")
_QUOTED = re.compile(r"'[^']*'|`[^`]*`|\"[^\"]*\"")
_FUNCTIONS = (
    "abs",
    "avg",
    "ceil",
    "contains",
    "ends_with",
    "floor",
    "join",
    "keys",
    "length",
    "map",
    "max",
    "max_by",
    "merge",
    "min",
    "min_by",
    "not_null",
    "reverse",
    "sort",
    "sort_by",
    "starts_with",
    "sum",
    "to_array",
    "to_number",
    "to_string",
    "type",
    "values",
)


class Path:
    """One expression over an observation.

    :ivar text: as the user wrote it
    :ivar root: the observed key it starts from; None where that cannot be told
    :ivar names: the names in it, among them all observed keys that it reads
    """

    def __init__(self, text: str, steps: list[str | int] | None) -> None:
        self.text = text
        self._steps = steps
        self.root = steps[0] if steps and isinstance(steps[0], str) else None
        self.names = {self.root} if self.root else set(_NAME.findall(text))
        self._is_key = self.root is not None and steps is not None and len(steps) == 1

    def get(self, observation: t.Any) -> t.Any:
        """The value at the path, or None.

        :raises CannotSee: the expression needs jmespath and the library is missing or refuses the values
        """
        if self._is_key and observation.__class__ is dict:  # what most of them are
            return observation.get(self.root)
        if self._steps is None:
            return _search(self.text, observation)
        value = observation
        for step in self._steps:
            value = _take(value, step)
        return value


def _take(value: t.Any, step: str | int) -> t.Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if isinstance(value, list) and -len(value) <= step < len(value):
        return value[step]
    return None


def parse_path(text: t.Any) -> Path:
    """Read an expression.

    :raises ValueError: with a sentence, when it is not a path; where jmespath is not installed a path beyond the plain form is
        only tried when it is used
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{text!r} is not an expression; write a path such as status or json.items[0].name")
    text = text.strip()
    steps = _plain_steps(text)
    if steps is None:
        _check_functions(text)
        _compile(text)
    elif steps[0] == "headers" and len(steps) > 1 and isinstance(steps[1], str):
        steps[1] = steps[1].lower()  # header names know no case (RFC 9110, 5.1)
    return Path(text, steps)


def _check_functions(text: str) -> None:
    for name in _CALL.findall(_QUOTED.sub("''", text)):
        if name not in _FUNCTIONS:
            close = [known for known in _FUNCTIONS if known.startswith(name) or name.startswith(known)]
            raise ValueError(f"{text!r} calls {name}(), which JMESPath does not have" + (f"; did you mean {close[0]}()?" if close else ""))


def _plain_steps(text: str) -> list[str | int] | None:
    steps: list[str | int] = []
    place = 0
    while place < len(text):
        match = _STEP.match(text, place)
        if match is None or (match.group(0)[0] == ".") != (bool(steps) and match.group(3) is None):
            return None
        name, quoted, index = match.groups()
        steps.append(int(index) if index is not None else name or re.sub(r"\\(.)", r"\1", quoted))
        place = match.end()
    return steps


def _compile(text: str) -> t.Any:
    try:
        import jmespath
    except ImportError:
        return None
    try:
        return jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as exc:
        detail = " ".join(str(exc).split())[:200]
        raise ValueError(f"{text!r} is not an expression that JMESPath can read ({detail})") from exc


def _search(text: str, observation: t.Any) -> t.Any:
    expression = _compile(text)
    if expression is None:
        raise CannotSee(
            f"the expression {text!r} needs the Python library jmespath on the host; install python3-jmespath", "missing_library"
        )
    import jmespath

    try:
        return expression.search(observation)
    except jmespath.exceptions.JMESPathError as exc:
        raise CannotSee(f"the expression {text!r} could not be applied: {' '.join(str(exc).split())[:200]}", "expression") from exc
