# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that logs numbered lines at full speed and rotates its log, and one that scans it and is killed at any moment: no number is missing,
none comes twice.

What is cut off or deleted before anybody has read it is gone, so the writer of the styles ``truncated`` and ``deleted`` waits until all numbers were
received. Then the log begins anew at once, often longer than it was, and with the inode that it had.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

STYLES = ("dated", "chain", "copytruncate", "packed", "packed at once", "truncated", "deleted")
QUICK = ("dated", "chain", "copytruncate", "truncated", "deleted")  # what is packed is looked at again after ten seconds

WRITER = r"""
import gzip, os, random, shutil, sys, time
place, style, rotations, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
log = open(place, "ab", 0)
number = rotated = 0
is_fast = True
last = 0
dice = random.Random(style)
def said(place):  # how many scans there were, and how many numbers were received
    try:
        return int(open(runs).read().split()[place])
    except (OSError, ValueError, IndexError):
        return 0
def scans():
    return said(0)
def pack(name):
    with open(name, "rb") as plain, gzip.open(name + ".gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    shutil.copystat(name, name + ".gz")
    os.unlink(name)
def shift(end=""):
    for old in range(300, 0, -1):  # what is copied just now is looked at ten seconds later
        for mark in ("", ".gz"):
            if os.path.exists("%s.%d%s" % (place, old, mark)):
                os.rename("%s.%d%s" % (place, old, mark), "%s.%d%s" % (place, old + 1, mark))
def write(lines):
    global number
    for _line in range(lines):
        number += 1
        text = b"n=%d %s\n" % (number, b"x" * (number % 97))
        half = len(text) // 2
        if number % 7 == 0:
            log.write(text[:half]); log.write(text[half:])
        else:
            log.write(text)
while style in ("truncated", "deleted") and rotated < rotations:
    write(dice.choice((1, 2, 20, 60)))
    while said(1) < number:
        time.sleep(0.001)
    rotated += 1
    if style == "truncated":
        os.ftruncate(log.fileno(), 0)
    else:
        os.unlink(place)
        log.close()
        log = open(place, "ab", 0)
while rotated < rotations:
    write(60 if is_fast else 3)
    now = scans()
    is_fast = now > last or rotated % 3 != 0
    if not is_fast:
        time.sleep(0.001)
        continue  # at most three rotations between two scans, else a chain has pushed out what nobody could have read
    last = now
    rotated += 1
    if style == "dated":
        os.rename(place, "%s-%08d" % (place, rotated))
    elif style == "copytruncate":
        shift()
        shutil.copyfile(place, place + ".1")
        os.ftruncate(log.fileno(), 0)
        continue
    else:
        shift()
        os.rename(place, place + ".1")
        if style == "packed" and os.path.exists(place + ".2"):
            pack(place + ".2")
        elif style == "packed at once":
            pack(place + ".1")
    log.close()
    log = open(place, "ab", 0)
print(number)
"""

SCANNER = r"""
import json, sys
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store
store = open_store("sqlite:///" + sys.argv[2])
for line in sys.stdin:
    given = {"sources": [sys.argv[1]], "rules": [{"name": "n", "regex": r"^n=(?P<n>[0-9]+) x*$"}, {"name": "torn", "regex": "^(?!n=[0-9]+ x*$)"}],
             "start": "begin", "max_matches": 1000000, "context": 0, "batch": line.strip()}
    found = flow.log_scan(flow.read(given), store, None)
    shown = [[one["id"], one["rule"], one["fields"].get("n"), one["line"]] for one in found["matches"]]
    print(json.dumps({"batch": found["batch"], "matches": shown, "failures": found["failures"]}), flush=True)
"""


class Scans:
    """Runs scans, kills some, and keeps what was received."""

    def __init__(self, log, store, runs, dice):
        self.log, self.store, self.runs, self.dice = log, store, runs, dice
        self.process, self.batch, self.received, self.torn = None, "", {}, []
        self.killed = self.done = 0

    def once(self, may_die=True):
        if self.process is None:
            argv = [sys.executable, "-c", SCANNER, str(self.log), str(self.store)]
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        dies = may_die and self.dice.random() < 0.15
        self.process.stdin.write(self.batch + "\n")
        self.process.stdin.flush()
        if dies:
            time.sleep(self.dice.random() * 0.02)
            self.process.send_signal(signal.SIGKILL)
        line = self.process.stdout.readline()
        if dies:
            self.killed += 1
            self.close()
            return 0  # whatever it has said: the controller died as well
        found = json.loads(line)
        assert found["failures"] == [] or not may_die, found["failures"]
        self.batch = found["batch"] or self.batch
        for name, rule, number, text in found["matches"]:
            if rule == "torn":
                self.torn.append(text)
            else:
                self.received.setdefault(int(number), set()).add(name)
        self.done += 1
        self._say()
        return len(found["matches"])

    def _say(self):
        new = self.runs.with_suffix(".new")
        new.write_text(f"{self.done} {len(self.received)}")
        os.replace(new, self.runs)

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


def race(tmp_path, style, rotations, seed):
    log, runs = tmp_path / "app.log", tmp_path / "runs"
    scans = Scans(log, tmp_path / "state.db", runs, random.Random(seed))
    writer = None
    try:
        log.touch()
        scans.once(may_die=False)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(log), style, str(rotations), str(runs)], stdout=subprocess.PIPE, text=True
        )
        while writer.poll() is None:
            scans.once()
        written = int(writer.stdout.read())
        # a copy or a packed file that is younger than ten seconds may still be in the making
        for place in tmp_path.glob("app.log*"):
            stamp = place.stat().st_mtime
            os.utime(place, (stamp, stamp))
        until = time.monotonic() + 25
        while len(scans.received) < written and time.monotonic() < until:
            scans.once(may_die=False)
            time.sleep(0.2)
    finally:
        scans.close()
        if writer is not None:
            writer.kill()
            writer.wait()
            writer.stdout.close()
    missing = [number for number in range(1, written + 1) if number not in scans.received]
    twice = [number for number, names in scans.received.items() if len(names) > 1]
    assert (len(missing), len(twice), scans.torn) == (0, 0, []), (written, missing[:20], twice[:20], scans.torn[:5])
    assert set(scans.received) == set(range(1, written + 1))
    return scans


@pytest.mark.parametrize("style", QUICK)
def test_no_line_is_lost_or_read_twice(tmp_path, style):
    race(tmp_path, style, 15, f"{style} short")


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("style", STYLES)
def test_a_thousand_rotations(tmp_path, style):
    scans = race(tmp_path, style, 1000, f"{style} long")
    assert scans.killed > 20
