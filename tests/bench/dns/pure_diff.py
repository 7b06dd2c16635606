# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure comparison of two states of 1,000,000 names against two sets of "name ip" strings, in turns in one process; prints JSON.

    pure_diff.py NAMES CHANGED ROUNDS

Both sides get the same two mappings of names to addresses, whose keys and values are objects of their own. Seconds are medians; peaks are those of
tracemalloc above what was there, from a round of their own (it slows both).
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
import tracemalloc
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.diff import difference

State = t.Dict[str, str]


def state(count: int, changed: int = 0) -> State:
    """{name: address}; the first `changed`, spread evenly, have another address."""
    made = {f"h{number:07d}.bench.test": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in range(count)}
    for number in range(changed):
        made[f"h{number * (count // changed):07d}.bench.test"] = "192.0.2.1"
    return made


def ours(before: State, after: State) -> int:
    return len(difference(before, after))


def sets(before: State, after: State) -> int:
    old = {f"{name} {address}" for name, address in before.items()}
    new = {f"{name} {address}" for name, address in after.items()}
    return len(new - old) + len(old - new) >> 1


def timed(work: t.Callable[[State, State], int], before: State, after: State, changed: int) -> float:
    gc.collect()
    begin = time.perf_counter()
    found = work(before, after)
    seconds = time.perf_counter() - begin
    if found != changed:
        raise SystemExit(f"{work.__name__} found {found} of {changed}")
    return seconds


def peak(work: t.Callable[[State, State], int], before: State, after: State) -> float:
    """MB."""
    tracemalloc.start()
    work(before, after)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    count, changed, rounds = map(int, sys.argv[1:4])
    before, after = state(count), state(count, changed)
    pairs = [(timed(ours, before, after, changed), timed(sets, before, after, changed)) for _round in range(rounds)]
    found = {
        "ours_seconds": round(statistics.median(pair[0] for pair in pairs), 4),
        "sets_seconds": round(statistics.median(pair[1] for pair in pairs), 4),
        "time_ratio": round(statistics.median(pair[1] / pair[0] for pair in pairs), 1),
        "ours_peak_mb": round(peak(ours, before, after), 2),
        "sets_peak_mb": round(peak(sets, before, after), 2),
    }
    print(json.dumps({"names": count, "changed": changed, "rounds": [[round(x, 4) for x in pair] for pair in pairs], **found}))


if __name__ == "__main__":
    main()
