# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often rotating names (round robin, CDN, GeoDNS) raise a false alarm, and how soon a hijack is seen: a simulation with a fixed seed.

One sweep every five minutes for three days, pools of 4 to 256 addresses of which 1 to 8 are answered, in one network or in several. A hijack
begins on the third day, with one address of a foreign network. Each sweep that raises a question is followed by three looks.
"""

from __future__ import annotations

import argparse
import random
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.rotation import LOOKS, Pool

SWEEPS_A_DAY = 288
DAYS = 3
FOREIGN = ["203.0.113.66"]
SHAPES = [(size, count) for size in (4, 8, 16, 32, 64, 256) for count in (1, 2, 4, 8) if count < size]


class Name:
    """A name that answers `count` of a pool of addresses, which are spread over `spread` networks."""

    def __init__(self, chance: random.Random, size: int, count: int, spread: int) -> None:
        self.chance = chance
        self.count = count
        self.pool = [f"10.{number % spread}.0.{number // spread + 1}" for number in range(size)]
        self.hijacked = False

    def ask(self) -> t.List[str]:
        return list(FOREIGN) if self.hijacked else self.chance.sample(self.pool, self.count)


class Watch:
    """Three ways to compare: exact set, any new value, and the pool of the engine."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self.pool = Pool()
        self.before: t.Set[str] = set()
        self.known: t.Set[str] = set()
        for _look in range(1 + LOOKS):  # what is learned is looked at again, too
            self.learn(name.ask())

    def learn(self, seen: t.List[str]) -> None:
        self.pool.add(seen)
        self.known.update(seen)
        self.before = set(seen)

    def sweep(self) -> t.Set[str]:
        """The ways that raise an alarm."""
        seen, alarms = self.name.ask(), set()
        if set(seen) != self.before:
            alarms.add("set")
        if not self.known.issuperset(seen):
            alarms.add("new")
        question = self.pool.question(seen)
        looks = [(self.name.ask(), True) for _look in range(LOOKS)] if question else []
        if question and self.pool.is_news(question, seen, looks):
            alarms.add("pool")
            self.pool.settle(seen)
        else:
            for one in [seen, *(values for values, _independent in looks)]:
                self.pool.add(one)
        self.known.update(seen)
        self.before = set(seen)
        return alarms


def simulate(names: int, seed: int = 7) -> t.Dict[str, t.Any]:
    """{"alarms": {way: false alarms per name and day}, "worst": (alarms of the pool per name and day, shape), "static": alarms of names
    that never rotate, "hijacks", "missed", "delay": mean sweeps until one was seen}; `names` per shape and spread."""
    chance = random.Random(seed)
    total: t.Dict[str, int] = {"set": 0, "new": 0, "pool": 0}
    worst: t.Tuple[float, str] = (0.0, "")
    hijacks = missed = delay = days = 0
    for size, count in [*SHAPES, (1, 1)]:
        for spread in sorted({1, min(4, size), size}):
            own = 0
            for _name in range(names):
                watch = Watch(Name(chance, size, count, spread))
                for _sweep in range(SWEEPS_A_DAY * DAYS - SWEEPS_A_DAY // 2):
                    raised = watch.sweep()
                    own += "pool" in raised
                    for way in raised:
                        total[way] += 1
                watch.name.hijacked = True
                hijacks += 1
                waited = next((number for number in range(16) if "pool" in watch.sweep()), None)
                missed += waited is None
                delay += waited or 0
            days += names
            worst = max(worst, (own / names / (DAYS - 0.5), f"{count} of {size} in {spread} networks"))
    alarms = {way: number / days / (DAYS - 0.5) for way, number in total.items()}
    return {"alarms": alarms, "worst": worst, "hijacks": hijacks, "missed": missed, "delay": delay / max(1, hijacks - missed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=10, help="of each shape of pool")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    found = simulate(args.names, args.seed)
    print("false alarms per rotating name and day: " + ", ".join(f"{way} {number:.3f}" for way, number in found["alarms"].items()))
    print("worst pool: {:.3f} ({})".format(*found["worst"]))
    print(f"hijacks: {found['hijacks']}, missed {found['missed']}, mean delay {found['delay']:.2f} sweeps")


if __name__ == "__main__":
    main()
