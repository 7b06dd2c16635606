# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matchers of goss as expectations of ours.

Source: https://github.com/goss-org/goss/blob/master/docs/gossfile.md#matchers
"""

from __future__ import annotations

import json
import re
import typing as t

Expectation = t.Tuple[str, t.Any]
_COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_OPPOSITES = {"gt": "<=", "ge": "<", "lt": ">=", "le": ">"}
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*|[0-9]+")
_FLAGS = re.compile(r"\(\?([ims]+)\)")


class NoEquivalent(Exception):
    """The text says what cannot be said in our language."""


def quoted(value: t.Any) -> str:
    """A value behind an operator, so that it is taken as it is."""
    return json.dumps(value, ensure_ascii=False)


def value_of(path: str, wanted: t.Any, order: bool = False) -> list[Expectation]:
    """What an attribute with one value or a list of values must be.

    :arg path: our observed key
    :arg order: whether our list is sorted already
    :raises NoEquivalent: with the matcher that cannot be said
    """
    if isinstance(wanted, list):
        return [one for item in wanted for one in _element(path, item)]
    if not isinstance(wanted, dict):
        return [(path, _equal(wanted))]
    found: list[Expectation] = []
    for name, operand in wanted.items():
        found += _one(path, str(name), operand, order)
    return _joined(found)


def _equal(value: t.Any) -> t.Any:
    return f"== {quoted(value)}" if isinstance(value, str) else value


def _one(path: str, name: str, operand: t.Any, order: bool) -> list[Expectation]:
    if name == "equal":
        return [(path, operand if isinstance(operand, list) else _equal(operand))]
    if name in _COMPARISONS:
        return [(path, f"{_COMPARISONS[name]} {_number(name, operand)}")]
    if name in ("have-prefix", "have-suffix", "match-regexp", "contain-substring"):
        return [(path, _text(name, operand))]
    if name == "have-len":
        return [(f"length({path})", operand)]
    if name == "contain-element":
        return _element(path, operand)
    if name == "contain-elements":
        return value_of(path, operand)
    if name == "consist-of":
        return _consists(path, operand, order)
    if name == "and":
        parts = operand if isinstance(operand, list) else [{key: item} for key, item in operand.items()]
        return _joined([one for part in parts for one in value_of(path, part, order)])
    if name == "or":
        return [(path, "in [" + ", ".join(quoted(_plain(name, item)) for item in operand) + "]")]
    if name == "not":
        return _not(path, operand)
    raise NoEquivalent(name)


def _plain(name: str, value: t.Any) -> t.Any:
    if isinstance(value, (dict, list)):
        raise NoEquivalent(f"{name} with a matcher in it")
    return value


def _number(name: str, value: t.Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoEquivalent(f"{name} with {value!r}")
    return f"{value!r}"


def _text(name: str, operand: t.Any) -> str:
    text = str(_plain(name, operand))
    if name == "contain-substring":
        return f"contains {quoted(text)}"
    if name == "match-regexp":
        return "~ " + regex(text)
    return rf"~ \A{re.escape(text)}" if name == "have-prefix" else rf"~ {re.escape(text)}\Z"


def _element(path: str, wanted: t.Any) -> list[Expectation]:
    """An element of a list; a matcher is held against the list as JSON, in which every text stands in quotes."""
    if not isinstance(wanted, dict):
        return [(path, f"contains {quoted(wanted)}")]
    if len(wanted) != 1:
        raise NoEquivalent("several matchers for one element")
    ((name, operand),) = wanted.items()
    if name == "equal":
        return _element(path, _plain(name, operand))
    if name == "not":
        return [(path, "!~ " + _within(operand))]
    return [(path, "~ " + _within({name: operand}))]


def _within(wanted: t.Any) -> str:
    """A regular expression for an element in a list as JSON."""
    if not isinstance(wanted, dict):
        return re.escape(quoted(wanted)) if isinstance(wanted, str) else rf"\b{re.escape(str(wanted))}\b"
    ((name, operand),) = wanted.items() if len(wanted) == 1 else ((None, None),)
    inner = re.escape(quoted(str(operand))[1:-1])
    if name in ("have-prefix", "have-suffix", "contain-substring"):
        return {"have-prefix": f'"{inner}', "have-suffix": f'{inner}"', "contain-substring": inner}[name]
    if name == "match-regexp" and not re.search(r"[\^$]|\\[AZzb]", str(operand)):
        return regex(str(operand))
    raise NoEquivalent(f"{name} of an element")


def _consists(path: str, operand: t.Any, order: bool) -> list[Expectation]:
    if not isinstance(operand, list) or any(isinstance(item, (dict, list)) for item in operand):
        raise NoEquivalent("consist-of with a matcher in it")
    return [(path if order else f"sort({path})", sorted(operand, key=str))]


def _not(path: str, operand: t.Any) -> list[Expectation]:
    if isinstance(operand, list):
        raise NoEquivalent("not with a list")
    if not isinstance(operand, dict):
        return [(path, f"!= {quoted(operand)}")]
    if len(operand) != 1:
        raise NoEquivalent("not with several matchers")
    ((name, inner),) = operand.items()
    if name == "equal":
        return _not(path, inner)
    if name in _OPPOSITES:
        return [(path, f"{_OPPOSITES[name]} {_number(name, inner)}")]
    if name == "contain-substring":
        return [(path, f"!~ {re.escape(str(_plain(name, inner)))}")]
    if name in ("have-prefix", "have-suffix", "match-regexp"):
        return [(path, "!" + _text(name, inner))]
    if name == "contain-element":
        return [(path, "!~ " + _within(inner))]
    raise NoEquivalent(f"not {name}")


def _joined(found: list[Expectation]) -> list[Expectation]:
    """``>= a`` and ``<= b`` of one path as ``between a b``."""
    texts = {text[:2]: (path, text[3:]) for path, text in found if isinstance(text, str) and text[:3] in (">= ", "<= ")}
    if len(found) == 2 and len(texts) == 2 and texts[">="][0] == texts["<="][0]:
        return [(texts[">="][0], f"between {texts['>='][1]} {texts['<='][1]}")]
    return found


def lines_of(path: str, wanted: t.Any) -> list[Expectation]:
    """What lines of a text must hold: patterns as ``foo``, ``!foo``, ``/re/`` and ``!/re/``, or matchers.

    :raises NoEquivalent: with the matcher that cannot be said
    """
    if isinstance(wanted, dict):
        found: list[Expectation] = []
        for name, operand in wanted.items():
            found += _lines(path, str(name), operand)
        return found
    return [(path, _pattern(item)) for item in (wanted if isinstance(wanted, list) else [wanted])]


def _lines(path: str, name: str, operand: t.Any) -> list[Expectation]:
    if name == "and":
        return [one for part in operand for one in lines_of(path, part)]
    if name in ("contain-element", "contain-elements"):
        return [(path, _line(item, "")) for item in (operand if isinstance(operand, list) else [operand])]
    if name == "not" and isinstance(operand, dict) and list(operand) == ["contain-element"]:
        return [(path, _line(operand["contain-element"], "!"))]
    if name == "gjson" and path in ("body", "stdout") and isinstance(operand, dict):
        return [one for inner, item in operand.items() for one in value_of(_json(str(inner)), item)]
    if name in ("contain-element", "have-len", "consist-of"):
        raise NoEquivalent(f"{name} of lines")
    return value_of(path, {name: operand})


def _pattern(item: t.Any) -> str:
    if isinstance(item, dict):
        return _line(item, "")
    text = str(item)
    sign = ""
    if text.startswith("!"):
        sign, text = "!", text[1:]
    elif text.startswith("\\!"):
        text = text[1:]
    if len(text) > 1 and text[0] == text[-1] == "/":
        return f"{sign}~ " + regex(text[1:-1], lines=True)
    return f"!~ {re.escape(text)}" if sign else f"contains {quoted(text)}"


def _line(item: t.Any, sign: str) -> str:
    """A line that holds the text, as the documents of goss have it, or fits the matcher."""
    if not isinstance(item, dict):
        return f"!~ {re.escape(str(item))}" if sign else f"contains {quoted(str(item))}"
    ((name, operand),) = item.items() if len(item) == 1 else ((None, None),)
    text = re.escape(str(operand))
    if name in ("have-prefix", "have-suffix", "contain-substring"):
        return f"{sign}~ (?m)" + {"have-prefix": f"^{text}", "have-suffix": f"{text}\\r?$", "contain-substring": text}[name]
    if name == "match-regexp":
        return f"{sign}~ " + regex(str(operand), lines=True)
    raise NoEquivalent(f"{name} of a line")


def regex(text: str, lines: bool = False) -> str:
    """A regular expression of Go as one of Python.

    :raises NoEquivalent: it cannot be read here
    """
    flags = "m" if lines else ""
    match = _FLAGS.match(text)
    if match:
        flags, text = "".join(sorted(set(flags + match.group(1)))), text[match.end() :]
    found = (f"(?{flags})" if flags else "") + text.replace("\\z", "\\Z")
    try:
        re.compile(found)
    except (re.error, OverflowError, RecursionError) as exc:
        raise NoEquivalent(f"the regular expression {text!r} ({exc})") from exc
    return found


def _json(path: str) -> str:
    """A plain path of gjson behind ``json``."""
    steps = path.split(".")
    if not all(_STEP.fullmatch(step) for step in steps):
        raise NoEquivalent(f"gjson {path!r}")
    return "json" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)
