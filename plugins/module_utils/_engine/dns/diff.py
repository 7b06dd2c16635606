# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differences: between two large mappings, and between what was known of a name and what is seen now."""

from __future__ import annotations

import itertools
import operator
import typing as t

V = t.TypeVar("V")
Change = t.Dict[str, t.Any]

KINDS = ("changed", "added", "removed", "mass", "flapping")
LEAST_FOR_MASS = 10
MOST_LETTERS = 4096  # of the records on one side of a change, as it is returned


class Difference(t.NamedTuple):
    """One name whose value differs; None where a side does not have it."""

    name: str
    before: t.Any
    after: t.Any


def difference(before: t.Mapping[str, V], after: t.Mapping[str, V]) -> t.List[Difference]:
    """What differs between two mappings of names to values (addresses, texts, digests; never None), names of ``before`` first.

    Nothing is built for what is alike, and everything is walked by the interpreter's own loops: a million names take about as long as looking
    each of them up.
    """
    if before == after:
        return []
    get = after.get
    differs = map(operator.ne, map(get, before), before.values())
    found = [Difference(name, value, get(name)) for name, value in itertools.compress(before.items(), differs)]
    gone = sum(1 for one in found if one.after is None)
    if len(after) > len(before) - gone:
        known = before.__contains__
        found += [Difference(name, None, value) for name, value in itertools.filterfalse(lambda item: known(item[0]), after.items())]
    return found


def kind_of(before: t.Sequence[str], after: t.Sequence[str]) -> str:
    """changed, added (from none) or removed (to none)."""
    if before and after:
        return "changed"
    return "added" if after else "removed"


def change(name: str, type_: str, before: t.Sequence[str], after: t.Sequence[str], **more: t.Any) -> Change:
    """A change as it is returned.

    :arg more: kind (worked out where it is absent), status, time, nameserver, message
    """
    return {
        "name": name,
        "type": type_,
        "kind": more.get("kind") or kind_of(before, after),
        "before": sorted(before),
        "after": sorted(after),
        "added": sorted(set(after) - set(before)),
        "removed": sorted(set(before) - set(after)),
        "status": more.get("status", "noerror"),
        "time": more.get("time"),
        "nameserver": more.get("nameserver"),
        "message": more.get("message", ""),
    }


def bounded(one: Change) -> Change:
    """The change with no more of its records than a result, an event and a chat can hold; the history has all of them."""
    sides = ("before", "after", "added", "removed")
    if all(sum(map(len, one[side])) <= MOST_LETTERS for side in sides):
        return one
    return dict(one, **{side: _first(one[side]) for side in sides})


def _first(values: t.Sequence[str]) -> t.List[str]:
    left = MOST_LETTERS
    kept: t.List[str] = []
    for value in values:
        if left <= 0:
            return [*kept, f"(and {len(values) - len(kept)} more)"]
        kept.append(value if len(value) <= left else value[:left] + "...")
        left -= len(value)
    return kept


def is_mass(changed: int, compared: int, percent: float) -> bool:
    """Whether so many changes at once are rather a fault of the resolver or the network, or something to be looked at as a whole."""
    return compared >= LEAST_FOR_MASS and changed * 100.0 > percent * compared


def texts(changes: t.Iterable[Change]) -> t.Dict[str, str]:
    """``before`` and ``after`` as Ansible shows them with --diff: one line a record, sorted."""
    sides: t.Dict[str, t.List[str]] = {"before": [], "after": []}
    for one in changes:
        for side, lines in sides.items():
            lines += [f"{one['name']} {one['type']} {value}\n" for value in one[side]]
    return {side: "".join(sorted(lines)) for side, lines in sides.items()}
