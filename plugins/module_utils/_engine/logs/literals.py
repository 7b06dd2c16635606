# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fixed text that every line has which a regular expression can match: the quick look before the dear one."""

from __future__ import annotations

import re
import typing as t

try:
    from re import _constants as _c  # type: ignore[attr-defined]
    from re import _parser as _p  # type: ignore[attr-defined]
except ImportError:  # Python before 3.11
    import sre_constants as _c  # type: ignore[no-redef]
    import sre_parse as _p  # type: ignore[no-redef]

SHORTEST = 2
MOST = 16  # alternatives
_REPEATS = tuple(getattr(_c, name) for name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") if hasattr(_c, name))
_ATOMIC = getattr(_c, "ATOMIC_GROUP", None)


class Literal(t.NamedTuple):
    """A text that must be there; ``fold``: in upper or lower case (ASCII letters; the text is in lower case)."""

    text: bytes
    fold: bool = False


Needs = t.List[Literal]


def required(pattern: re.Pattern[str]) -> t.Optional[Needs]:
    """Texts of which every matching line has at least one; None where nothing can be told."""
    return best_of(choices(pattern))


def choices(pattern: re.Pattern[str]) -> t.List[Needs]:
    """All that can be told: each of these would do."""
    try:
        parsed = _p.parse(pattern.pattern, pattern.flags)
    except (re.error, RecursionError, OverflowError):
        return []
    finder = _Finder()
    finder.walk(parsed, bool(pattern.flags & re.IGNORECASE))
    return finder.choices()


def of_text(text: str, fold: bool = False) -> t.Optional[Needs]:
    """The same of a text that must be there."""
    finder = _Finder()
    for char in text:
        finder.put(char, fold)
    return finder.best()


def any_of(several: t.Iterable[t.Optional[Needs]]) -> t.Optional[Needs]:
    """Of several alternatives."""
    found: Needs = []
    for one in several:
        if one is None:
            return None
        found += one
    return list(dict.fromkeys(found)) if 0 < len(found) <= MOST else None


def best_of(several: t.Iterable[t.Optional[Needs]], sample: bytes = b"") -> t.Optional[Needs]:
    """Of several conditions that must all hold: the one that promises the fewest candidates. ``sample``: some of the log, which knows best."""
    low = sample.lower()

    def key(needs: Needs) -> t.Tuple[int, int, int]:
        return (-sum((low if one.fold else sample).count(one.text) for one in needs), *_worth(needs))

    return max((one for one in several if one), key=key, default=None)


def _worth(needs: Needs) -> t.Tuple[int, int]:
    return min(len(one.text) for one in needs), -len(needs)


class _Finder:
    """Walks over a parsed expression and keeps the runs of letters that must be there."""

    def __init__(self) -> None:
        self._run: t.List[bytes] = []
        self._fold = False
        self._found: t.List[Needs] = []

    def best(self) -> t.Optional[Needs]:
        return best_of(self.choices())

    def choices(self) -> t.List[Needs]:
        self.end()
        return [one for one in self._found if all(len(literal.text) >= SHORTEST for literal in one)]

    def put(self, char: str, fold: bool) -> None:
        """One more letter of a run. A fold is one of ASCII alone, as others may change the number of bytes."""
        if char in "\r\n" or (fold and not char.isascii()):
            self.end()
            return
        if fold != self._fold and self._run and char.isalpha():
            self.end()
        if char.isalpha() or not self._run:
            self._fold = fold
        self._run.append(
            (char.lower() if fold else char).encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass")
        )

    def end(self) -> None:
        """A run ends."""
        if self._run:
            text = b"".join(self._run)
            self._found.append([Literal(text.lower() if self._fold else text, self._fold)])
        self._run, self._fold = [], False

    def walk(self, items: t.Iterable[t.Any], fold: bool) -> None:
        """Everything in a sequence must be there."""
        for op, value in items:
            if op is _c.LITERAL:
                self.put(chr(value), fold)
            elif op is _c.IN and len(value) == 1 and value[0][0] is _c.LITERAL:
                self.put(chr(value[0][1]), fold)
            elif op is _c.SUBPATTERN:
                _group, add, remove, inner = value
                self.walk(inner, (fold or bool(add & re.IGNORECASE)) and not remove & re.IGNORECASE)
            elif op is _ATOMIC and _ATOMIC is not None:
                self.walk(value, fold)
            elif op is _c.BRANCH:
                self.end()
                self._branch(value[1], fold)
            elif op in _REPEATS:
                self._repeat(value, fold)
            elif op is not _c.AT:  # a place takes no room
                self.end()

    def _repeat(self, value: t.Any, fold: bool) -> None:
        least, most, inner = value
        if least == 0:
            self.end()
            return
        self.walk(inner, fold)
        if most != 1:
            self.end()

    def _branch(self, branches: t.Iterable[t.Any], fold: bool) -> None:
        several = []
        for branch in branches:
            finder = _Finder()
            finder.walk(branch, fold)
            several.append(finder.best())
        found = any_of(several)
        if found:
            self._found.append(found)
