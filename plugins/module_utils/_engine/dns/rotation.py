# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pool behind a name that answers differently each time (round robin, CDN, GeoDNS): how surprising is a value?

The probability that the next value is one never seen before is about f1/n, the share of values seen exactly once (I. J. Good, 1953, after
A. Turing). Where that is small, a new value is news; where it is large, the pool is still being learned. The same is asked of networks
(/24, /48), which are learned long before every address of a large pool has been seen.
"""

from __future__ import annotations

import ipaddress
import typing as t

MOST_VALUES = 512
ENOUGH = 20  # draws before anything is said about what is not seen yet
SURPRISING = 0.02
SELDOM = 0.05
LOOKS = 3
PREFIX4, PREFIX6 = 24, 48


def network(address: str, prefix4: int = PREFIX4, prefix6: int = PREFIX6) -> str:
    """The network of an address; of other texts the text itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{parsed}/{prefix4 if parsed.version == 4 else prefix6}", strict=False))


def is_apart(known: t.Collection[str], values: t.Collection[str]) -> bool:
    """Whether there are values, none of which lies in one of the networks."""
    return bool(values) and not any(network(value) in known for value in values)


class Counts:
    """How often each of a bounded number of values was seen; the one not seen for longest is forgotten first."""

    def __init__(self, seen: t.Optional[t.Mapping[str, int]] = None) -> None:
        self.seen: t.Dict[str, int] = dict(seen or {})

    def add(self, values: t.Iterable[str]) -> None:
        for value in values:
            self.seen[value] = self.seen.pop(value, 0) + 1
        while len(self.seen) > MOST_VALUES:
            del self.seen[next(iter(self.seen))]

    @property
    def draws(self) -> int:
        return sum(self.seen.values())

    def unseen(self) -> float:
        """The Good-Turing estimate f1/n; 1.0 as long as too little was seen."""
        draws = self.draws
        return sum(1 for count in self.seen.values() if count == 1) / draws if draws >= ENOUGH else 1.0

    def repeats(self) -> float:
        """How likely two draws are the same value."""
        draws = self.draws
        return sum(count * (count - 1) for count in self.seen.values()) / (draws * (draws - 1)) if draws > 1 else 1.0


class Pool:
    """What is known of one name. ``rotated``: it has answered differently before; else everything new is worth a second look."""

    def __init__(self, memory: t.Optional[t.Mapping[str, t.Any]] = None) -> None:
        memory = memory or {}
        self.values = Counts(dict(memory.get("values") or {}))
        self.networks = Counts(dict(memory.get("networks") or {}))
        self.rotated = bool(memory.get("rotated", False))

    def settle(self, values: t.Collection[str]) -> None:
        """A change was told: a name that never rotated has a new value, a pool one value more."""
        if not self.rotated:
            self.values, self.networks = Counts(), Counts()
        self.add(values)

    def memory(self) -> t.Dict[str, t.Any]:
        """What :class:`Pool` is made of again, as JSON can hold it. The order of the values is part of it, so it is kept as pairs."""
        return {"values": list(self.values.seen.items()), "networks": list(self.networks.seen.items()), "rotated": self.rotated}

    def add(self, values: t.Collection[str]) -> None:
        """Learn from one answer."""
        if self.values.seen and set(values) != set(self.values.seen):
            self.rotated = True
        self.values.add(values)
        self.networks.add({network(value) for value in values})

    def question(self, values: t.Collection[str]) -> str:
        """How new an answer is.

        :return: ``""`` nothing to ask; ``static`` the first answer that differs; ``network`` or ``value`` is new though all are known by now;
            ``single`` everything in it is new while the pool is not known yet, so it counts only if it stays the same
        """
        if not self.rotated:
            return "static" if set(values) != set(self.values.seen) else ""
        new = [value for value in values if value not in self.values.seen]
        if not new:
            return ""
        places = {network(value) for value in values}
        if any(place not in self.networks.seen for place in places) and self.networks.unseen() < SURPRISING:
            return "network"
        if self.values.unseen() < SURPRISING:
            return "value"
        alone = len(new) == len(values) and self.values.draws >= ENOUGH
        return "single" if alone and len(values) * self.values.repeats() < SELDOM else ""

    def is_news(self, question: str, values: t.Collection[str], looks: t.Sequence[t.Tuple[t.Collection[str], bool]]) -> bool:
        """Whether an answer that raised a question is a change.

        :arg looks: what was seen when it was asked again, and whether that look was independent of the first (another server, or one that
            has the answer itself and not from a cache)
        """
        new = {value for value in values if value not in self.values.seen}
        if question == "static":
            # whatever rotates does not show the very same answer every time, and what it shows lies where the rest of it does
            if not looks or all(set(seen) == set(values) for seen, _independent in looks):
                return bool(looks)
            return self.networks.draws > 0 and all(is_apart(self.networks.seen, seen) for seen in (values, *(seen for seen, _one in looks)))
        counted = [seen for seen, independent in looks if independent or question != "single"]
        needed = 2 if question == "single" else max(1, -(-2 * len(counted) // 3))
        return len(counted) > 0 and sum(1 for seen in counted if new & set(seen)) >= needed
