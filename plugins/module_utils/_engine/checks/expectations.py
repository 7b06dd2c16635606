# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check expects: paths into an observation, each with a matcher."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import Matcher, parse_matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.paths import Path, parse_path
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeSpec

Expectation = t.Tuple[Path, Matcher]


class Judged(t.NamedTuple):
    """What is to be known of expectations before they are held against anything; all checks with the same ones share it.

    :ivar paths: what is read from an observation
    :ivar dynamic: the texts of those that are held against a baseline
    :ivar slow: whether an expression may take long
    :ivar wanted: the observed keys that are named
    """

    paths: tuple[Path, ...]
    dynamic: frozenset[str]
    slow: bool
    wanted: frozenset[str]


@functools.lru_cache(maxsize=1024)
def judged(spec: ProbeSpec, expect: tuple[Expectation, ...], warn: tuple[Expectation, ...]) -> Judged:
    """Kept, as lists of checks expect the same over and over."""
    expectations = expect + warn
    return Judged(
        tuple({path.text: path for path, _matcher in expectations}.values()),
        frozenset(path.text for path, matcher in expectations if matcher.dynamic),
        any(path.root is None or matcher.kind in ("~", "!~") for path, matcher in expectations),
        frozenset(name for path, _matcher in expectations for name in path.names if name in spec.observes),
    )


@functools.lru_cache(maxsize=None)
def default_expectations(spec: ProbeSpec) -> tuple[Expectation, ...]:
    """What a check of this probe expects that says nothing about it."""
    return read_expectations(spec, spec.expect)


def read_expectations(spec: ProbeSpec, value: t.Any) -> tuple[Expectation, ...]:
    """The value of ``expect`` or ``warn`` as a user wrote it.

    :raises ValueError: with a sentence that names the path
    """
    if not isinstance(value, dict):
        raise ValueError(f"a mapping of observed keys to matchers is needed here, not {type_name(value)}")
    found = []
    for key, wanted in value.items():
        path = _path(key) if key.__class__ is str else parse_path(key)
        if path.root is not None and path.root not in spec.observes:
            raise ValueError(f'{spec.name} does not observe "{path.root}"' + nearest(path.root, spec.observes))
        try:
            found.append((path, (_matcher if type(wanted) in (str, int) else parse_matcher)(wanted, path.text)))
        except ValueError as exc:
            raise ValueError(f"{path.text}: {exc}") from exc
    return tuple(found)


# Lists of checks say the same over and over.
_path = functools.lru_cache(maxsize=1024)(parse_path)
_matcher = functools.lru_cache(maxsize=1024)(parse_matcher)
