# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One rule: what a line must have, what takes it out again, and what is read from it."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import Matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.paths import Path
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import literals

_PLAIN = re.compile(r"[A-Za-z0-9_ .:-]+")
_DECODER = json.JSONDecoder()
Fields = t.Dict[str, t.Any]


@dataclasses.dataclass
class Threshold:
    """``count`` matches ``within`` so many seconds, for each value of the field ``by`` where there is one."""

    count: int
    within: float
    by: str = ""


@dataclasses.dataclass
class Rate:
    """More than ``factor`` times what is usual in ``per`` seconds, and at least ``least``."""

    per: float
    factor: float = 3.0
    least: int = 10


@dataclasses.dataclass
class Rule:
    """What is looked for. Keywords, the regular expression and the JSON conditions must all hold where they are given.

    :ivar keywords: at least one of them must be in the line
    :ivar regex: its named groups become fields
    :ivar json: conditions on the JSON object in the line
    :ivar exclude: none of them may match
    :ivar absent: seconds without any match after which there is an alarm
    :ivar first_seen: each new kind of line is an alarm; so many seconds are for learning what there is
    :ivar cooldown: seconds after an alarm in which matches are only counted
    """

    name: str
    keywords: t.List[str] = dataclasses.field(default_factory=list)
    ignore_case: bool = False
    regex: t.Optional[re.Pattern[str]] = None
    json: t.List[t.Tuple[Path, Matcher]] = dataclasses.field(default_factory=list)
    exclude: t.List[re.Pattern[str]] = dataclasses.field(default_factory=list)
    severity: str = "error"
    labels: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    annotations: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    threshold: t.Optional[Threshold] = None
    rate: t.Optional[Rate] = None
    absent: float = 0.0
    first_seen: float = -1.0
    cooldown: float = 0.0
    alarm: bool = True
    mask: t.List[re.Pattern[str]] = dataclasses.field(default_factory=list)
    sources: t.List[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self._word: t.Optional[re.Pattern[str]] = None
        if self.ignore_case and self.keywords:
            self._word = re.compile("|".join(map(re.escape, self.keywords)), re.IGNORECASE)

    def needs(self, sample: bytes = b"") -> t.Optional[literals.Needs]:
        """Texts of which every matching line has one; None: every line is to be looked at. ``sample``: some of the log, to choose by."""
        words = literals.any_of(literals.of_text(word, self.ignore_case) for word in self.keywords) if self.keywords else None
        regex = literals.choices(self.regex) if self.regex else []
        return literals.best_of([words, *regex, *map(_json_needs, self.json)], sample)

    def match(self, text: str) -> t.Optional[Fields]:
        """What is read from a line, None where it is not one of these.

        :raises CannotSee: a library for the JSON conditions is missing
        """
        if self._word is not None:
            if self._word.search(text) is None:
                return None
        elif self.keywords and not any(word in text for word in self.keywords):
            return None
        fields: Fields = {}
        if self.regex is not None:
            found = self.regex.search(text)
            if found is None:
                return None
            fields = {name: value for name, value in found.groupdict().items() if value is not None}
        if self.json:
            value = json_of(text)
            if value is None or not self._holds(value):
                return None
            fields.update(
                {str(key): item for key, item in value.items() if isinstance(item, (str, int, float, bool)) and key not in fields}
            )
        if self.exclude and any(one.search(text) is not None for one in self.exclude):
            return None
        return fields

    def _holds(self, value: Fields) -> bool:
        return all(matcher.test(path.get(value)) for path, matcher in self.json)


def json_of(text: str) -> t.Optional[Fields]:
    """The JSON object in a line, from its first brace on."""
    begin = text.find("{")
    if begin < 0:
        return None
    try:
        found, _end = _DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_needs(condition: t.Tuple[Path, Matcher]) -> t.Optional[literals.Needs]:
    """The word that a value must be equal to stands in the line as it is."""
    matcher = condition[1]
    values = matcher.operand if matcher.kind == "in" else [matcher.operand] if matcher.kind in ("literal", "==") else []
    if not values or not all(isinstance(value, str) and _PLAIN.fullmatch(value) and not _is_loose(value) for value in values):
        return None
    return literals.any_of(literals.of_text(value) for value in values)


def _is_loose(value: str) -> bool:
    """Whether the text may be equal to something that is written in another way: "200" and 200.0, "yes" and true."""
    return bool(re.fullmatch(r"[-+0-9.eE ]+|true|false|yes|no", value.strip(), re.IGNORECASE))


__all__ = ["CannotSee", "Fields", "Rate", "Rule", "Threshold", "json_of"]
