# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was meant by what is nearly a matcher: it is refused with the right form, and not taken for a text that is never equal."""

from __future__ import annotations

import difflib
import math
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import as_number

RANGE_LIKE = re.compile(r"@[-+~.0-9:]\S*|(?:~|[-+]?[0-9.]+[%a-zA-Z]*)?:[-+0-9.]*[%a-zA-Z]*")
# What only somebody has written who meant a matcher: another language's operators, a list or a number behind a word in another case.
_NEARLY = re.compile(
    r"=|[≤≥≠＜＞＝]|&[lg]t;|!(?=[<>=])|(?:not\s+)?in\s*[\[({]|between\s*[\[(]|between\s*[-+]?[0-9]|not\s+(?:in|contains|between)\s"
    r"|(?:less|greater|more)\s+than\s+[-+]?[0-9]|at\s+(?:least|most)\s+[-+]?[0-9]",
    re.IGNORECASE,
)
_RANGE_MEANT = re.compile(r"(@?)\s*([-+]?[0-9][0-9.]*?)\s*(?:\.{2,3}|:|-|to|and)\s*([-+]?[0-9][0-9.]*)")
# What other tools call their operators.
_FOREIGN = {
    "lt": "<", "le": "<=", "lte": "<=", "gt": ">", "ge": ">=", "gte": ">=", "eq": "==", "ne": "!=", "equal": "==", "not": "!=", "max": "<=",
    "min": ">=", "match-regexp": "~", "contain-substring": "contains", "contain-element": "contains", "contains": "contains", "in": "in",
}  # fmt: skip
_POSTFIX = re.compile(r"[-+]?[0-9.]+\s*[%a-zA-Z]*\s*(?:[<>]=?|[=!]=)")  # 90% >
# Observed as numbers whatever the host, so that a text can never be equal to them.
NUMBERS_ALONE = (
    "latency_ms", "used_percent", "free_bytes", "free", "days_left", "tls.days_left", "body_bytes", "count", "rss_bytes", "cpu_percent",
    "oldest_seconds", "memory_bytes", "restarts", "per_core1", "per_core5", "per_core15", "size", "age_seconds", "rc", "offset_ms",
    "phases.dns", "phases.connect", "phases.tls", "phases.first_byte",
)  # fmt: skip
FORMS = "<, <=, >, >=, ==, !=, ~ regex, !~ regex, in [a, b], contains x, between a b, exists, absent, @10:20 or nagios 10:20, or a literal value"
RANGES = "10, 10:, ~:10, 10:20 or @10:20"


def mistaken(text: str, path: str) -> str | None:
    """What to write in place of a text that was clearly meant as a matcher; None for a literal."""
    if text in ("in", "contains", "between", "nagios") or _NEARLY.match(text) or _POSTFIX.fullmatch(text):
        return f"write one of {FORMS}"
    negated = re.fullmatch(r"(not|is|!)\s*(exists?|absent)", text, re.IGNORECASE)
    if negated:
        holds = (negated.group(2).lower() != "absent") == (negated.group(1).lower() == "is")
        return f"did you mean {'exists' if holds else 'absent'!r}?"
    near = difflib.get_close_matches(text.lower(), ("exists", "absent"), 1, 0.85)
    if near:
        return f"did you mean {near[0]!r}?"
    if text and as_number(text) is None and path in NUMBERS_ALONE:
        return f"{path} is a number, so write for example '< 90'"
    return None


def mistaken_value(value: t.Any, path: str) -> str | None:
    """What to write in place of a value that was clearly meant as a matcher, or that nothing can be equal to; None for a literal."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nothing is ever equal to it"
    if isinstance(value, dict) and len(value) == 1 and not path.startswith("json"):
        ((name, operand),) = value.items()
        if str(name) in _FOREIGN and not isinstance(operand, (dict, list)):
            return f"did you mean {f'{_FOREIGN[str(name)]} {operand}'!r}?"
    if isinstance(value, (dict, list, bool)) and path in NUMBERS_ALONE:
        return f"{path} is a number, so write for example '< 90'"
    return None


def check_range(text: str) -> None:
    """Refuse what is nearly a range, with the one that was meant.

    :raises ValueError: with a sentence
    """
    match = _RANGE_MEANT.fullmatch(text)
    if RANGE_LIKE.fullmatch(text) and not (match and ":" not in text):
        return
    if match and as_number(match.group(2)) is not None and as_number(match.group(3)) is not None:
        low, high = sorted((match.group(2), match.group(3)), key=float)
        raise ValueError(f"{text!r} is not a range; did you mean {f'{match.group(1)}{low}:{high}'!r}?")
    if text.startswith("@") or re.fullmatch(r"[-+~.0-9]+:\S*", text):
        raise ValueError(f"{text!r} is not a range; write one of {RANGES}")


def quoted(text: str) -> str:
    """The matcher that compares with a text whatever it looks like."""
    return "== " + (f"'{text}'" if '"' in text else f'"{text}"')
