# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One side of the bench: scans a file once and says how long the work took.

python3 scan_side.py {log_scan|naive} FILE STORE [STRATEGY [CORES]]
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
import typing as t

from make_log import RULES


def used() -> float:
    """CPU seconds of this process and of those that it started."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def scan(path: str, store: str, strategy: str) -> t.Dict[str, t.Any]:
    """The engine of log_scan with its store, all rules, context and windows included."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as flow
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

    rules = [{"name": name, "regex": regex} for name, regex in RULES]
    request = flow.read({"sources": [path], "rules": rules, "start": "begin", "strategy": strategy})
    with open_store("sqlite:///" + store) as opened:
        begin, cpu = time.monotonic(), used()
        found = flow.log_scan(request, opened, None)
        seconds, cpu = time.monotonic() - begin, used() - cpu
    stats = found["stats"]
    return {
        "bytes": stats["bytes"],
        "hits": stats["matches"],
        "seconds": seconds,
        "cpu": cpu,
        "strategy": stats["strategy"],
        "files": stats["files"],
        "processes": stats["processes"],
    }


def naive(path: str) -> t.Dict[str, t.Any]:
    """What one writes first: each line, each rule."""
    rules = [re.compile(regex) for _name, regex in RULES]
    begin, cpu, size, hits = time.monotonic(), used(), 0, 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            size += len(line)
            hits += sum(1 for rule in rules if rule.search(line))
    return {"bytes": size, "hits": hits, "seconds": time.monotonic() - begin, "cpu": used() - cpu}


def main() -> None:
    kind, path, *rest = sys.argv[1:]
    if rest[2:3] == ["1"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    said = naive(path) if kind == "naive" else scan(path, rest[0], (rest[1:2] or ["auto"])[0])
    said["names"] = max(said["bytes"], 1) / 1e6
    own, largest = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    said["peak"] = own + largest * (said.get("processes", 1) - 1)  # at most: what they share is counted for each
    print(json.dumps(said))


if __name__ == "__main__":
    main()
