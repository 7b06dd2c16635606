# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many texts at once with nothing but the standard library: they share rare bytes, and only where such a byte stands is the rest compared.

A byte that is very rare is looked for by ``find`` (memchr, which costs next to nothing), one that is less so by an expression that begins with
it (``re`` skips to a single byte much faster than to one of a set), and a long text that has no good byte by ``find`` as a whole.
"""

from __future__ import annotations

import re
import typing as t

_SAMPLE = 1 << 16
# Nanoseconds, as measured with CPython 3.8 to 3.13; only their proportions count.
_FIND, _FIND_HIT = 0.02, 300.0
_RE, _RE_HIT = 0.25, 40.0
_TEXT = 3.5  # divided by the length of the text
Search = t.Callable[[bytes], t.Iterator[int]]


class _Group(t.NamedTuple):
    """What is looked for in one pass; ``byte`` is -1 where it is a text as a whole."""

    cost: float
    byte: int
    covered: t.FrozenSet[bytes]
    is_rare: bool


def searches(texts: t.Iterable[bytes], sample: bytes) -> t.List[Search]:
    """Functions that together give a place in or before each line's texts: at least one for every text that is there.

    :arg sample: some of the log, which tells how rare bytes are
    """
    wanted = sorted(set(texts))
    chosen = _cover(wanted, sample[:_SAMPLE])
    left, found = set(wanted), []  # type: t.Set[bytes], t.List[Search]
    for group in sorted(chosen):  # the cheapest pass takes all that it can
        mine = sorted(group.covered & left)
        left -= set(mine)
        if not mine:
            continue
        if group.byte < 0:
            found.append(_by_text(mine[0]))
        else:
            pattern = _anchored(group.byte, mine)
            found.append(_by_byte(group.byte, pattern) if group.is_rare else _by_pattern(pattern))
    return found


def _cover(texts: t.Sequence[bytes], sample: bytes) -> t.List[_Group]:
    """Cheap passes that cover all texts: a greedy weighted set cover."""
    size = len(sample) or 1
    groups = [_Group(_TEXT / len(text), -1, frozenset((text,)), False) for text in texts]
    for byte in sorted({byte for text in texts for byte in text}):
        share = sample.count(byte) / size
        rare, usual = _FIND + share * _FIND_HIT, _RE + share * _RE_HIT
        covered = frozenset(text for text in texts if byte in text)
        groups.append(_Group(min(rare, usual), byte, covered, rare < usual))
    left, chosen = set(texts), []  # type: t.Set[bytes], t.List[_Group]
    while left:
        best = min(
            (group for group in groups if group.covered & left), key=lambda group: (group.cost / len(group.covered & left), group.byte)
        )
        chosen.append(best)
        left -= best.covered
    for group in sorted(chosen, key=lambda one: -one.cost):
        others = [other.covered for other in chosen if other is not group]
        if len(frozenset().union(*others)) == len(texts):
            chosen.remove(group)
    return chosen


def _anchored(byte: int, texts: t.Sequence[bytes]) -> re.Pattern[bytes]:
    """The byte, then what follows it in one of the texts, then a look back at what stands before it.

    ``re`` passes over an alternative whose first letter is another one at once, so what follows comes first.
    """
    anchor = bytes((byte,))
    branches = []
    for text in texts:
        at = text.index(anchor)
        after, before = re.escape(text[at + 1 :]), b"(?<=" + re.escape(text) + b")" if at else b""
        branches.append(after + before)
    return re.compile(re.escape(anchor) + (b"(?:" + b"|".join(branches) + b")" if any(branches) else b""))


def _by_text(text: bytes) -> Search:
    def search(data: bytes) -> t.Iterator[int]:
        find, at = data.find, data.find(text)
        while at >= 0:
            yield at
            at = find(text, at + 1)

    return search


def _by_byte(byte: int, pattern: re.Pattern[bytes]) -> Search:
    anchor, match = bytes((byte,)), pattern.match

    def search(data: bytes) -> t.Iterator[int]:
        find, at = data.find, data.find(anchor)
        while at >= 0:
            if match(data, at):
                yield at
            at = find(anchor, at + 1)

    return search


def _by_pattern(pattern: re.Pattern[bytes]) -> Search:
    def search(data: bytes) -> t.Iterator[int]:
        for hit in pattern.finditer(data):
            yield hit.start()

    return search
