# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What log_scan is asked to do, read and checked before anything is read."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import spec
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.prefilter import STRATEGIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.rules import Rule
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.spec import Source

MOST_MATCHES = 1_000_000
Params = t.Mapping[str, t.Any]


class Refusal(Exception):
    """The options cannot be used; the text is one sentence."""


@dataclasses.dataclass
class Request:
    """One scan. ``picked``: for each source the numbers of the rules that are looked for in it."""

    sources: t.List[Source]
    rules: t.List[Rule]
    picked: t.List[t.List[int]]
    levels: bool = False
    max_matches: int = 100
    context: int = 3
    mask: t.List[re.Pattern[str]] = dataclasses.field(default_factory=list)
    view: str = ""
    batch: str = ""
    strategy: t.Optional[str] = None


def read(params: Params) -> Request:
    """The request in a module's options.

    :raises Refusal: one sentence that names the option
    """
    try:
        rules = spec.read_rules(params.get("rules"))
        multiline = params.get("multiline")
        sources = spec.read_sources(params.get("sources"), str(params.get("start") or "end"), multiline)
        masks = [re.compile(str(one)) for one in params.get("mask") or ()]
    except (ValueError, re.error) as exc:
        raise Refusal(str(exc)) from exc
    request = Request(sources, rules, [_picked(source, rules) for source in sources], bool(params.get("levels")), mask=masks)
    request.max_matches = _number(params, "max_matches", 100, MOST_MATCHES)
    request.context = _number(params, "context", 3, 50)
    request.view, request.batch = str(params.get("view") or ""), str(params.get("batch") or "")
    strategy = params.get("strategy")
    if strategy not in (None, "", "auto"):
        if strategy not in STRATEGIES:
            raise Refusal(f'strategy is "{strategy}"' + nearest(strategy, ("auto", *STRATEGIES)))
        request.strategy = str(strategy)
    return request


def _number(params: Params, key: str, usual: int, most: int) -> int:
    value = params.get(key)
    number = usual if value is None else int(value)
    if not 0 <= number <= most:
        raise Refusal(f"{key} is {number}; it must be from 0 to {most}")
    return number


def _picked(source: Source, rules: t.Sequence[Rule]) -> t.List[int]:
    """The rules of a source: those that it names, and those that name it or name none."""
    for name in source.rules:
        if name not in {rule.name for rule in rules}:
            raise Refusal(f'source {source.name}: there is no rule "{name}"' + nearest(name, [rule.name for rule in rules]))
    return [
        number
        for number, rule in enumerate(rules)
        if (not source.rules or rule.name in source.rules)
        and (not rule.sources or any(fnmatch.fnmatch(text, one) for one in rule.sources for text in (source.name, *source.paths)))
    ]
