# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matchers of goss as expectations of ours.

Where goss' documents and goss itself differ, it is as goss does it: https://github.com/goss-org/goss/blob/master/resource/gomega.go
Source: https://github.com/goss-org/goss/blob/master/docs/gossfile.md#matchers
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_regex import NoEquivalent, expression, group

Expectation = t.Tuple[str, t.Any]
_COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_OPPOSITES = {"gt": "<=", "ge": "<", "lt": ">=", "le": ">"}
_TEXTUAL = ("have-prefix", "have-suffix", "match-regexp", "contain-substring")
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*|[0-9]+")
_PATTERN = re.compile(r"(!?)[/](.*)/([ims]*)", re.DOTALL)
# Observed as lists; those that the probes sort.
LISTS = ("addresses", "groups", "members", "options", "rdata", "versions")
_SORTED = ("groups", "members", "rdata")


def quoted(value: t.Any) -> str:
    """A value behind an operator, so that it is taken as it is."""
    return json.dumps(value, ensure_ascii=False)


def found_by(body: str, sign: str = "") -> str:
    """A matcher that finds a regular expression; blanks at its ends are part of it."""
    return f"{sign}~ {'' if body[:1].strip() else '(?:)'}{body}{'(?:)' if body[-1:].isspace() else ''}"


def value_of(path: str, wanted: t.Any) -> list[Expectation]:
    """What an attribute with one value or a list of values must be.

    :arg path: our observed key
    :raises NoEquivalent: with the matcher that cannot be said
    """
    if isinstance(wanted, list):
        return [one for item in wanted for one in _element(path, item)]
    if not isinstance(wanted, dict):
        return [(path, _equal(path, wanted))]
    found: list[Expectation] = []
    for name, operand in wanted.items():
        found += _one(path, str(name), operand)
    return _joined(found)


def _equal(path: str, value: t.Any) -> t.Any:
    """One value; a list is held against it as text, its items on lines of their own."""
    if path in LISTS:
        return [str(value)]
    return f"== {quoted(value)}" if isinstance(value, str) else value


def _one(path: str, name: str, operand: t.Any) -> list[Expectation]:
    if name == "equal":
        if path in LISTS and not isinstance(operand, list):
            raise NoEquivalent("equal of a list with a single value")
        return [(path, sorted(operand, key=str) if path in _SORTED else operand if isinstance(operand, list) else _equal(path, operand))]
    if name in _COMPARISONS and path not in LISTS:
        return [(path, f"{_COMPARISONS[name]} {_number(name, operand)}")]
    if name in _TEXTUAL:
        return [(path, _text(path, name, operand))]
    if name == "have-len":
        return [(f"length({path})", operand)]
    if name == "contain-element":
        return _element(path, operand) if _is_list(path) else [(path, found_by(_line(operand)))]
    if name == "contain-elements" and not _is_list(path):
        return [(path, found_by(text_expression({name: operand})))]
    if name == "contain-elements" and isinstance(operand, list):
        return value_of(path, operand)
    if name == "consist-of":
        return _consists(path, operand)
    if name == "and":
        parts = operand if isinstance(operand, list) else [{key: item} for key, item in operand.items()]
        return _joined([one for part in parts for one in value_of(path, part)])
    if name == "or":
        return [(path, _any_of(path, operand))]
    if name == "not":
        return _not(path, operand)
    raise NoEquivalent(name)


def _any_of(path: str, operand: t.Any) -> str:
    if not isinstance(operand, list) or not operand:
        raise NoEquivalent("or without a list")
    if path in LISTS:
        raise NoEquivalent("or of a list")
    if not any(isinstance(item, (dict, list)) for item in operand):
        return "in [" + ", ".join(quoted(item) for item in operand) + "]"
    return found_by(text_expression({"or": operand}))


def _plain(name: str, value: t.Any) -> t.Any:
    if isinstance(value, (dict, list)) or value is None:
        raise NoEquivalent(f"{name} with a matcher in it")
    return value


def _number(name: str, value: t.Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoEquivalent(f"{name} with {value!r}")
    return f"{value!r}"


def _text(path: str, name: str, operand: t.Any) -> str:
    text = str(_plain(name, operand))
    if _is_list(path):
        return found_by(_within({name: text}, ends=True) if path in LISTS else text_expression({name: text}))
    if name == "contain-substring":
        return f"contains {quoted(text)}"
    if name == "match-regexp":
        return found_by(expression(text))
    return found_by(text_expression({name: text}))


def _element(path: str, wanted: t.Any) -> list[Expectation]:
    """An element of a list; a matcher is held against the list as JSON, in which every text stands in quotes."""
    if not isinstance(wanted, dict):
        return [(path, f"contains {quoted(_plain('contain-element', wanted))}")]
    if len(wanted) != 1:
        raise NoEquivalent("several matchers for one element")
    if not _is_list(path):
        return [(path, found_by(_line(wanted)))]
    ((name, operand),) = wanted.items()
    if name == "equal":
        return _element(path, _plain(name, operand))
    return [(path, found_by(_within({name: operand})))]


def _is_list(path: str) -> bool:
    """Whether a list is observed, or may be."""
    return path in LISTS or path.startswith("json")


def _within(wanted: t.Any, ends: bool = False) -> str:
    """A regular expression for an element in a list as JSON.

    :arg ends: all elements together are meant, one a line, so that a begin is that of the first
    """
    if not isinstance(wanted, dict):
        return re.escape(quoted(wanted)) if isinstance(wanted, str) else rf'(?<![\w."]){re.escape(str(wanted))}(?![\w."])'
    ((name, operand),) = wanted.items() if len(wanted) == 1 else ((None, None),)
    inner = re.escape(quoted(str(operand))[1:-1])
    if name in ("have-prefix", "have-suffix", "contain-substring"):
        begin, end = (r"\A\[", r"\]\Z") if ends else ("", "")
        return {"have-prefix": f'{begin}"{inner}', "have-suffix": f'{inner}"{end}', "contain-substring": inner}[name]
    if name == "match-regexp" and not re.search(r'[\^$"\n]|\\[AZznB]|\[\^|\.\*|\.\+', str(operand)):
        return expression(str(operand))
    raise NoEquivalent(f"{name} of an element")


def _consists(path: str, operand: t.Any) -> list[Expectation]:
    if not isinstance(operand, list) or any(isinstance(item, (dict, list)) for item in operand):
        raise NoEquivalent("consist-of with a matcher in it")
    return [(path if path in _SORTED else f"sort({path})", sorted(operand, key=str))]


def _not(path: str, operand: t.Any) -> list[Expectation]:
    if isinstance(operand, list):
        raise NoEquivalent("not with a list")
    if not isinstance(operand, dict):
        if path in LISTS:
            raise NoEquivalent("not of a list")
        return [(path, f"!= {quoted(operand)}")]
    if len(operand) != 1:
        raise NoEquivalent("not with several matchers")
    ((name, inner),) = operand.items()
    if name == "equal":
        return _not(path, inner)
    if name in _OPPOSITES and path not in LISTS:
        return [(path, f"{_OPPOSITES[name]} {_number(name, inner)}")]
    if name == "contain-substring" and path not in LISTS:
        return [(path, found_by(re.escape(str(_plain(name, inner))), "!"))]
    if name in _TEXTUAL:
        return [(path, "!" + _text(path, name, inner))]
    if name == "contain-element" and _is_list(path):
        return [(path, found_by(_within(inner), "!"))]
    if _is_list(path):
        raise NoEquivalent(f"not {name}")
    return [(path, found_by(text_expression({"not": operand})))]


def _joined(found: list[Expectation]) -> list[Expectation]:
    """``>= a`` and ``<= b`` of one path as ``between a b``."""
    texts = {text[:2]: (path, text[3:]) for path, text in found if isinstance(text, str) and text[:3] in (">= ", "<= ")}
    if len(found) == 2 and len(texts) == 2 and texts[">="][0] == texts["<="][0] and float(texts[">="][1]) <= float(texts["<="][1]):
        return [(texts[">="][0], f"between {texts['>='][1]} {texts['<='][1]}")]
    return found


def text_expression(wanted: t.Any) -> str:
    """A regular expression that is found in a text if and only if it fulfils the matcher, whatever stands in that.

    :raises NoEquivalent: with the matcher that cannot be said
    """
    if isinstance(wanted, str):
        return rf"\A{re.escape(wanted)}\Z"
    if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        return rf"\A\s*\+?0*{re.escape(f'{wanted:g}' if isinstance(wanted, float) else str(wanted))}(?:\.0*)?\s*\Z"
    if not isinstance(wanted, dict) or len(wanted) != 1:
        raise NoEquivalent(f"{json.dumps(wanted, default=str)[:60]} among other matchers")
    ((name, operand),) = wanted.items()
    if name == "equal":
        return text_expression(_plain(name, operand))
    if name in _TEXTUAL:
        text = str(_plain(name, operand))
        inner = re.escape(text)
        return {"have-prefix": rf"\A{inner}", "have-suffix": rf"{inner}\Z"}.get(name, inner) if name != "match-regexp" else group(text)
    if name == "have-len" and isinstance(operand, int) and 0 <= operand < 65536:
        return rf"\A[\s\S]{{{operand}}}\Z"
    if name == "contain-element":
        return _line(operand)
    if name in ("and", "contain-elements") and isinstance(operand, list) and operand:
        parts = [text_expression(item) if name == "and" else _line(item) for item in operand]
        return r"\A" + "".join(rf"(?=[\s\S]*?(?:{part}))" for part in parts)
    if name == "or" and isinstance(operand, list) and operand:
        return "|".join(f"(?:{text_expression(item)})" for item in operand)
    if name == "not":
        return rf"\A(?![\s\S]*?(?:{text_expression(operand)}))"
    raise NoEquivalent(str(name))


def _line(item: t.Any) -> str:
    """A regular expression for a whole line of a text."""
    if not isinstance(item, dict):
        return rf"(?m:^{re.escape(str(_plain('contain-element', item)))}$)"
    ((name, operand),) = item.items() if len(item) == 1 else ((None, None),)
    inner = re.escape(str(operand))
    if name == "equal":
        return _line(_plain(name, operand))
    if name in ("have-prefix", "have-suffix", "contain-substring") and not isinstance(operand, (dict, list)):
        return {"have-prefix": f"(?m:^{inner})", "have-suffix": f"(?m:{inner}$)", "contain-substring": inner}[name]
    if name == "match-regexp" and isinstance(operand, str):
        return group(operand, lines=True)
    raise NoEquivalent(f"{name} of a line")


def lines_of(path: str, wanted: t.Any) -> list[Expectation]:
    """What a text must be: a list of patterns for its lines (``foo``, ``!foo``, ``/re/``, ``!/re/``), all of it, or matchers.

    :raises NoEquivalent: with the matcher that cannot be said
    """
    if isinstance(wanted, dict):
        found: list[Expectation] = []
        for name, operand in wanted.items():
            found += _lines(path, str(name), operand)
        return found
    if isinstance(wanted, list):
        return [(path, _pattern(item)) for item in wanted]
    if isinstance(wanted, bool):
        raise NoEquivalent("a text is never true or false")
    return [(path, _equal(path, wanted))]


def _lines(path: str, name: str, operand: t.Any) -> list[Expectation]:
    if name == "and" and isinstance(operand, list):
        return [one for part in operand for one in lines_of(path, part)]
    if name == "have-patterns" and isinstance(operand, list):
        return lines_of(path, operand)
    if name == "contain-elements" and isinstance(operand, list):
        return [(path, found_by(_line(item))) for item in operand]
    if name == "contain-element":
        return [(path, found_by(_line(operand)))]
    if name == "not" and isinstance(operand, dict) and list(operand) == ["contain-element"]:
        return [(path, found_by(_line(operand["contain-element"]), "!"))]
    if name == "gjson" and path in ("body", "stdout") and isinstance(operand, dict):
        return [one for inner, item in operand.items() for one in _inner(_json(str(inner)), item)]
    if name == "consist-of":
        raise NoEquivalent(f"{name} of lines")
    if name == "have-len" or (name == "or" and isinstance(operand, list)):
        return [(path, found_by(text_expression({name: operand})))]
    return value_of(path, {name: operand})


def _inner(path: str, wanted: t.Any) -> list[Expectation]:
    """A value in a JSON document; one that is not there fulfils nothing, not even a ``not``."""
    found = value_of(path, wanted)
    return [(path, "exists"), *found] if any(isinstance(text, str) and text.startswith("!") for _path, text in found) else found


def _pattern(item: t.Any) -> str:
    if isinstance(item, dict):
        return found_by(_line(item))
    text = str(item)
    match = _PATTERN.fullmatch(text)
    if match:
        sign, inner, flags = match.groups()
        return found_by(expression((f"(?{flags})" if flags else "") + inner, lines=True), sign)
    sign, text = "!" if text.startswith("!") else "", text.lstrip("\\/!")
    return found_by(re.escape(text), sign) if sign else f"contains {quoted(text)}"


def _json(path: str) -> str:
    """A plain path of gjson behind ``json``."""
    steps = path.split(".")
    if not all(_STEP.fullmatch(step) for step in steps):
        raise NoEquivalent(f"gjson {path!r}")
    return "json" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)
