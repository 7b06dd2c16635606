# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources and rules as users write them, read and checked; every error names what is wrong and what would be right."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import parse_matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, read_value, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.paths import parse_path
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import presets
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import BLOCK, Joiner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.rules import Rate, Rule, Threshold

RULE_KEYS = (
    "name", "keyword", "ignore_case", "regex", "json", "exclude", "severity", "labels", "annotations", "threshold", "rate", "absent",
    "first_seen", "cooldown", "alarm", "mask", "sources",
)  # fmt: skip
SOURCE_KEYS = ("name", "path", "exclude", "rotated", "start", "encoding", "multiline", "journal", "command", "timeout", "rules")
_JOURNAL_KEYS = ("unit", "identifier", "priority")
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_MOST_RULES = 1000
_LONGEST = 3660 * 86400.0


class SpecError(ValueError):
    """What was written cannot be used; the text is one sentence."""


@dataclasses.dataclass
class Source:
    """Where lines come from: files (``paths``), the journal, or a program.

    :ivar name: what it is called in results; the key under which its positions are kept
    :ivar rules: names of the rules that are looked for in it; all where it is empty
    """

    name: str
    paths: t.List[str] = dataclasses.field(default_factory=list)
    exclude: t.List[str] = dataclasses.field(default_factory=list)
    rotated: t.List[str] = dataclasses.field(default_factory=list)
    start: str = "end"
    encoding: str = ""
    multiline: t.Optional[Joiner] = None
    journal: t.Optional[t.Dict[str, t.List[str]]] = None
    command: t.List[str] = dataclasses.field(default_factory=list)
    timeout: float = 300.0
    rules: t.List[str] = dataclasses.field(default_factory=list)


def read_rules(given: t.Any) -> t.List[Rule]:
    """The rules of an option: mappings, and names of ready-made sets.

    :raises SpecError: one sentence that names the rule and the key
    """
    if not isinstance(given, list) or not given:
        raise SpecError(
            "rules must be a list with at least one rule, such as [{name: errors, keyword: ERROR}], or the name of a ready-made set"
        )
    found: t.List[Rule] = []
    for number, item in enumerate(given, 1):
        if isinstance(item, str):
            if item not in presets.RULES:
                raise SpecError(f'there is no ready-made set of rules "{item}"' + nearest(item, presets.RULES))
            found += [_rule(one, f'rule "{one["name"]}"') for one in presets.RULES[item]]
        elif isinstance(item, dict):
            if not item.get("name"):
                raise SpecError(f"rule number {number} needs a name")
            found.append(_rule(item, f'rule "{item["name"]}"'))
        else:
            raise SpecError(f"rule number {number} must be a mapping with a name, or the name of a ready-made set, not {type_name(item)}")
    names = [rule.name for rule in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SpecError(f'two rules are called "{twice}"; their alarms could not be told apart')
    if len(found) > _MOST_RULES:
        raise SpecError(f"there are {len(found)} rules; at most {_MOST_RULES} are possible")
    return found


def _rule(item: t.Mapping[str, t.Any], where: str) -> Rule:
    for key in item:
        if key not in RULE_KEYS:
            raise SpecError(f'{where} has no option "{key}"' + nearest(str(key), RULE_KEYS))
    given = {key: value for key, value in item.items() if value is not None}
    try:
        rule = Rule(
            str(given["name"]),
            keywords=_texts(given.get("keyword"), "keyword"),
            ignore_case=read_value("bool", given.get("ignore_case", False)),
        )
        if "regex" in given:
            rule.regex = _regex(given["regex"], re.IGNORECASE if rule.ignore_case else 0)
        rule.json = _conditions(given.get("json"))
        rule.exclude = [_regex(one) for one in _texts(given.get("exclude"), "exclude")]
        rule.mask = [_regex(one) for one in _texts(given.get("mask"), "mask")]
        rule.severity = _choice(given.get("severity", "error"), SEVERITIES, "severity")
        rule.labels, rule.annotations = _names(given.get("labels"), "labels"), _names(given.get("annotations"), "annotations")
        rule.sources = _texts(given.get("sources"), "sources")
        rule.alarm = read_value("bool", given.get("alarm", True))
        _read_windows(rule, given)
    except ValueError as exc:
        raise SpecError(f"{where}: {exc}") from exc
    if not (rule.keywords or rule.regex or rule.json):
        raise SpecError(f"{where} looks for nothing; give it a keyword, a regex or json")
    rule.__post_init__()
    return rule


def _read_windows(rule: Rule, given: t.Mapping[str, t.Any]) -> None:
    rule.cooldown = _seconds(given, "cooldown", 0.0)
    rule.absent = _seconds(given, "absent", 0.0)
    if "first_seen" in given and given["first_seen"] is not False:
        rule.first_seen = 86400.0 if given["first_seen"] is True else _seconds(given, "first_seen", 86400.0)
    if "threshold" in given:
        window = _mapping(given["threshold"], "threshold", ("count", "within", "by"))
        count = read_value("int", window.get("count", 0))
        if not 1 <= count <= 10_000:
            raise ValueError(f"threshold.count is {count}; it must be from 1 to 10000")
        within = _seconds(window, "within", 60.0)
        by = str(window.get("by") or "")
        if by and rule.regex is not None and not rule.json and by not in rule.regex.groupindex:
            raise ValueError(
                f'threshold.by is "{by}", which is no group of the regex' + nearest(by, rule.regex.groupindex or ["(there are no groups)"])
            )
        rule.threshold = Threshold(count, within, by)
    if "rate" in given:
        rate = _mapping(given["rate"], "rate", ("per", "factor", "least"))
        rule.rate = Rate(
            _seconds(rate, "per", 300.0), read_value("number", rate.get("factor", 3)), read_value("int", rate.get("least", 10))
        )
        if rule.rate.per < 1 or rule.rate.factor <= 1 or rule.rate.least < 1:
            raise ValueError("rate needs per of a second or more, a factor above 1, and least of 1 or more")
    ways = [
        name
        for name, there in (
            ("threshold", rule.threshold),
            ("rate", rule.rate),
            ("absent", rule.absent),
            ("first_seen", rule.first_seen >= 0),
        )
        if there
    ]
    if len(ways) > 1:
        raise ValueError(f"{ways[0]} and {ways[1]} cannot both be given; write two rules")


def read_sources(given: t.Any, start: str = "end", multiline: t.Any = None) -> t.List[Source]:
    """The sources of an option: paths, patterns, ``journal:unit=nginx``, and mappings with more.

    :arg start, multiline: of those that say nothing themselves
    :raises SpecError: one sentence that names the source
    """
    if not isinstance(given, list) or not given:
        raise SpecError("sources must be a list with at least one source, such as [/var/log/nginx/*.log, journal:unit=nginx]")
    found = []
    for number, item in enumerate(given, 1):
        where = f"source number {number}"
        if isinstance(item, str):
            item = _short(item)
        if not isinstance(item, dict):
            raise SpecError(f"{where} must be a path, a pattern, journal:unit=..., or a mapping, not {type_name(item)}")
        try:
            found.append(_source({key: value for key, value in item.items() if value is not None}, start, multiline))
        except ValueError as exc:
            raise SpecError(f"{where}: {exc}") from exc
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SpecError(f"two sources are called {twice}; give one of them another name")
    return found


def _short(text: str) -> t.Dict[str, t.Any]:
    if not text.startswith("journal:"):
        return {"path": text}
    filters: t.Dict[str, t.Any] = {}
    for part in filter(None, text[len("journal:") :].split(",")):
        key, equals, value = part.partition("=")
        filters.setdefault(key if equals else "unit", []).append(value if equals else key)
    return {"name": text, "journal": filters}


def _source(item: t.Mapping[str, t.Any], start: str, multiline: t.Any) -> Source:
    for key in item:
        if key not in SOURCE_KEYS:
            raise ValueError(f'there is no option "{key}"' + nearest(str(key), SOURCE_KEYS))
    kinds = [key for key in ("path", "journal", "command") if key in item]
    if len(kinds) != 1:
        raise ValueError("give one of path, journal and command" + (f", not {' and '.join(kinds)}" if kinds else ""))
    paths = _texts(item.get("path"), "path")
    for path in paths:
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is not an absolute path; begin it with /")
    command = item.get("command", [])
    if not isinstance(command, list) or any(isinstance(word, (dict, list)) for word in command) or ("command" in item and not command):
        raise ValueError("command must be a list of a program and its arguments, such as [docker, logs, --since, '{since}', shop]")
    source = Source(str(item.get("name") or ", ".join(paths) or " ".join(map(str, command)) or "journal:"), paths)
    source.command = [str(word) for word in command]
    source.journal = _journal(item["journal"]) if "journal" in item else None
    source.exclude, source.rotated = _texts(item.get("exclude"), "exclude"), _texts(item.get("rotated"), "rotated")
    source.start = _choice(item.get("start", start), ("begin", "end"), "start")
    source.encoding = _encoding(item.get("encoding"))
    source.multiline = read_multiline(item.get("multiline", multiline))
    source.timeout = _seconds(item, "timeout", 300.0)
    source.rules = _texts(item.get("rules"), "rules")
    return source


def _journal(given: t.Any) -> t.Dict[str, t.List[str]]:
    found = {key: _texts(value, f"journal.{key}") for key, value in _mapping(given or {}, "journal", _JOURNAL_KEYS).items()}
    for word in found.get("priority", ()):
        _choice(word, _PRIORITIES, "journal.priority")
    return found


def read_multiline(given: t.Any) -> t.Optional[Joiner]:
    """How lines are joined: the name of a ready-made way, or a mapping.

    :raises ValueError: with a sentence
    """
    if given is None or given is False or given == "":
        return None
    if isinstance(given, str):
        if given not in presets.MULTILINE:
            raise ValueError(f'multiline is "{given}"' + nearest(given, presets.MULTILINE))
        given = presets.MULTILINE[given]
    options = _mapping(given, "multiline", ("start", "continue", "max_lines", "timeout"))
    ways = [key for key in ("start", "continue") if options.get(key)]
    if len(ways) != 1:
        raise ValueError("multiline needs either start (a regex for the first line of a message) or continue (for all others)")
    pattern = str(options[ways[0]])
    _regex(pattern)
    lines = read_value("int", options.get("max_lines", 500))
    if not 2 <= lines <= 100_000:
        raise ValueError(f"multiline.max_lines is {lines}; it must be from 2 to 100000")
    try:
        return Joiner(pattern, ways[0] == "continue", lines, BLOCK, _seconds(options, "timeout", 5.0))
    except re.error as exc:
        raise ValueError(f"multiline.{ways[0]}: {pattern!r} is not a regular expression for bytes: {exc}") from exc


def _encoding(given: t.Any) -> str:
    if not given or str(given).lower().replace("_", "-") in ("utf-8", "utf8", "ascii", "us-ascii"):
        return ""
    import codecs

    try:
        name = codecs.lookup(str(given)).name
        if " \n".encode(name) != b" \n" and name not in ("utf-16-le", "utf-16-be"):
            raise ValueError(f'encoding "{given}" cannot be read line by line; use utf-8, utf-16-le, utf-16-be or one that contains ASCII')
    except LookupError:
        raise ValueError(f'there is no encoding "{given}"; write for example utf-8, latin-1, gbk or utf-16-le') from None
    return name


def _texts(given: t.Any, key: str) -> t.List[str]:
    """A text or a list of them."""
    items = [] if given is None else given if isinstance(given, list) else [given]
    for item in items:
        if isinstance(item, (dict, list)) or item is None or str(item) == "":
            raise ValueError(f"{key} must be a text or a list of texts")
    return [str(item) for item in items]


def _mapping(given: t.Any, key: str, known: t.Sequence[str]) -> t.Mapping[str, t.Any]:
    if not isinstance(given, dict):
        raise ValueError(f"{key} must be a mapping with {', '.join(known)}, not {type_name(given)}")
    for name in given:
        if name not in known:
            raise ValueError(f'{key} has no option "{name}"' + nearest(str(name), known))
    return {name: value for name, value in given.items() if value is not None}


def _names(given: t.Any, key: str) -> t.Dict[str, str]:
    if given is not None and not isinstance(given, dict):
        raise ValueError(f"{key} must be a mapping of names and texts, not {type_name(given)}")
    return {str(name): str(value) for name, value in (given or {}).items()}


def _regex(given: t.Any, flags: int = 0) -> re.Pattern[str]:
    try:
        return re.compile(read_value("str", given), flags)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{given!r} is not a regular expression: {exc}") from exc


def _conditions(given: t.Any) -> t.List[t.Any]:
    if given is None:
        return []
    if not isinstance(given, dict) or not given:
        raise ValueError("json must be a mapping of expressions and what they must be, such as {level: error}")
    return [(parse_path(str(path)), parse_matcher(value, "")) for path, value in given.items()]


def _choice(given: t.Any, known: t.Sequence[str], key: str) -> str:
    if str(given) not in known:
        raise ValueError(f'{key} is "{given}"' + nearest(str(given), known))
    return str(given)


def _seconds(given: t.Mapping[str, t.Any], key: str, usual: float) -> float:
    if given.get(key) is None:
        return usual
    seconds = parse_duration(given[key])
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{key} is {given[key]}; it must be more than 0 and at most ten years")
    return seconds
