# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several processes find what one finds, in the same order, whatever happens to them.

Each case runs in a process of its own, as one with threads (which other tests may have left) is not forked.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import crew, spec
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block, Cutter, Joiner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import Scanner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.watchdog import Watchdog
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

RULES = [
    {"name": "word", "keyword": ["ERROR", "refused to"]},
    {"name": "fold", "regex": r"(?i)failed (?P<what>\S+)"},
    {"name": "hungry", "regex": r"code=(?P<a>[0-9])[0-9]{2}(?P<b>x?)$", "exclude": ["never"]},
    {"name": "json", "json": {"level": "error", "code": ">= 500"}},
    {"name": "few", "keyword": "largest", "sources": ["b"]},
]
WORDS = [
    "ERROR",
    "refused to",
    "FAILED gr\u00f6\u00dfe",
    "code=404",
    "code=40x",
    '{"level": "error", "code": 503, "x": null}',
    "\udcff\udcfe",
    "\0",
    "largest",
    "INFO",
]

PIECES = (*[1, 700] * 2, *[9_000] * 9, *[40_000] * 5, 300_000, 600_000)


def log_of(dice, size):
    """Lines, some of interest, some very long, in bytes."""
    parts, written = [], 0
    while written < size:
        line = " ".join(dice.choice(WORDS) if dice.random() < 0.1 else "word%d" % dice.randrange(99) for _word in range(dice.randrange(12)))
        if dice.random() < 0.0002:
            line += "y" * dice.randrange(700_000)
        parts.append((line + "\n").encode("utf-8", "surrogateescape"))
        written += len(parts[-1])
    return b"".join(parts)


def blocks_of(dice, data, joiner):
    cutter, place = Cutter(0, "", joiner), 0
    while place < len(data):
        piece = data[place : place + dice.choice(PIECES)]
        place += len(piece)
        yield from cutter.feed(piece)
    yield from cutter.finish(True)


def team(dog, rules=None):
    rules = spec.read_rules(rules or RULES)
    return [Scanner(rules, dog, "anchored"), Scanner(rules, dog, None, [4, 0])]


def compare(seed, processes, disturb=lambda one, dice: None, rules=None):
    """Put the same blocks with one process and with several; gives the crew of several."""
    dice = random.Random(seed)
    data = log_of(dice, 1_500_000)
    if rules:
        parts = [data[place : place + 400_000].rpartition(b"\n") for place in range(0, len(data), 400_000)]
        data = b"".join(b"".join(part) + b"\nEVIL " + b"a" * 60 + b"!\n" for part in parts)
    joiner = Joiner("INFO", False) if dice.random() < 0.4 else None
    plan = [(block, dice.randrange(2)) for block in blocks_of(dice, data, joiner)]
    assert b"".join(block.data for block, _number in plan) == data
    results = []
    for number in (1, processes):
        with Watchdog(0.2, 5.0) as dog:
            scanners, found = team(dog, rules), []
            with crew.Crew(scanners, dog, True, number) as one:
                for block, which in plan:
                    one.put(block, scanners[which], lambda block, seen: found.append((block.start, seen)))
                    if number > 1:
                        disturb(one, dice)
            results.append((found, [scanner.stopped for scanner in scanners]))
    assert results[0] == results[1]
    assert bool(results[0][1][0]) == bool(rules)
    assert sum(len(seen.hits) for _start, seen in results[0][0]) > 20
    return one


def case_equal():
    for seed in range(3):
        assert compare(seed, 2 + seed % 3).helpers == 1 + seed % 3


def case_killed():
    killed = []

    def disturb(one, dice):
        if one._team and dice.random() < 0.3:
            killed.append(dice.choice(one._team).pid)
            os.kill(killed[-1], signal.SIGKILL)

    for seed in range(6, 9):
        assert compare(seed, 4, disturb).helpers == 3
    assert len(killed) > 2


def case_stopped():
    crew.PATIENCE = 0.3

    def disturb(one, _dice):
        if one._team:
            os.kill(one._team[0].pid, signal.SIGSTOP)

    assert compare(11, 3, disturb).helpers == 2


def case_no_fork():
    fork, left = os.fork, []

    def limited():
        if not left:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        left.pop()
        return fork()

    os.fork = limited
    assert compare(12, 3).helpers == 0
    left.append(1)
    assert compare(13, 3).helpers == 1
    os.fork = fork
    end = threading.Event()
    threading.Thread(target=end.wait, daemon=True).start()
    assert compare(14, 3).helpers == 0
    end.set()


def case_evil():
    """On some lines the rule would go on for ever; on all others it is quick."""
    assert compare(15, 3, rules=[*RULES, {"name": "evil", "regex": "^EVIL (a+)+$|word7 word"}]).helpers == 2


def case_parent_killed(place):
    """The parent says who helps, and goes on for ever."""
    with Watchdog(1.0, 5.0) as dog, crew.Crew(team(dog), dog, False, 3) as one:
        scanner = one._scanners[0]
        while True:
            one.put(Block(b"ERROR x\n" * 1000, 0, 8000), scanner, lambda block, found: None)
            if one._team and not os.path.exists(place):
                with open(place + ".new", "w") as file:
                    json.dump([helper.pid for helper in one._team], file)
                os.rename(place + ".new", place)


def case_log_scan(directory):
    """The whole of log_scan: everything that is returned and kept is the same."""
    log = os.path.join(directory, "app.log")
    with open(log, "wb") as file:
        file.write(log_of(random.Random(16), 2_000_000))
    found = []
    for number in (1, 3):
        crew.cores = lambda number=number: number
        rules = [
            *RULES[:4],
            {"name": "often", "keyword": "ERROR", "threshold": {"count": 50, "within": "60s"}},
            {"name": "new", "keyword": "code", "first_seen": "1s"},
        ]
        request = flow.read({"sources": [log], "rules": rules, "start": "begin", "max_matches": 50, "levels": True})
        with open_store(f"sqlite:///{directory}/{number}.db") as store:
            result = flow.log_scan(request, store, None, clock=lambda: 1_790_000_000.0)
            with store.view() as unit:
                kept = flow.state.memories(unit, "")
                positions = [{**body, "at": 0} for body in flow.state.files(unit, "").values()]
        result["stats"].pop("seconds")
        result["stats"].pop("strategy")  # each process builds what is quick when it has seen enough
        assert result["stats"].pop("processes") == number
        result.pop("batch")
        for one in [*result["matches"], *result["alarms"]]:
            one.pop("ledger")  # the name of a store
        found.append((result, kept, positions))
    assert found[0] == found[1]
    assert found[0][0]["stats"]["matches"] > 1000 and found[0][0]["alarms"]


def run(name, *arguments):
    ended = subprocess.run([sys.executable, __file__, name, *arguments], capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["equal", "killed", "stopped", "no_fork", "evil"])
def test_helpers_find_what_one_process_finds(name):
    run(name)


def test_log_scan_with_helpers_is_log_scan(tmp_path):
    run("log_scan", str(tmp_path))


def test_helpers_end_with_the_one_who_called_them(tmp_path):
    place = tmp_path / "pids"
    parent = subprocess.Popen([sys.executable, __file__, "parent_killed", str(place)])
    try:
        until = time.monotonic() + 60
        while not place.exists():
            assert time.monotonic() < until and parent.poll() is None
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
    left = json.loads(place.read_text())
    assert len(left) == 2
    while left and time.monotonic() < until:
        left = [pid for pid in left if is_running(pid)]
        time.sleep(0.02)
    assert left == []


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    crew.BACKLOG = 100_000
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
