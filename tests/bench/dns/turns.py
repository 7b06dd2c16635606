# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several commands that do the same, in turns (A B C A B C ...): what each says of itself, and what the kernel says of it."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import statistics
import subprocess
import threading
import time
import typing as t
from pathlib import Path


class BenchError(Exception):
    """A run that did not do its work."""


Said = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Side:
    """A command. `read` makes of its output {"names": how many, "seconds": of the work alone, "cpu": seconds, and more to print}.

    Without seconds (0) or cpu the whole process counts.
    """

    name: str
    argv: t.Sequence[str]
    read: t.Callable[[str], Said]
    rounds: int = 10_000  # a slow one takes part in the first rounds only
    before: t.Callable[[], t.Any] = lambda: None  # what is done before each run and does not count


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run. rate: names a second by its own clock; wall_rate: with start and end of the process; us: CPU a name, microseconds; rss: MB."""

    rate: float
    wall_rate: float
    us: float
    wall: float
    rss: float
    said: Said


def last_json(output: str) -> Said:
    """The JSON document on the last line that is one."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise BenchError(f"no result in the output: {output[-800:]}")


def once(side: Side, env: t.Mapping[str, str], timeout: float = 900) -> Sample:
    """Run it once. Raises BenchError with the end of its output when it fails."""
    place = Path(env["HOME"]) / "last.log"
    side.before()
    with open(place, "w+") as log:
        begin = time.monotonic()
        process = subprocess.Popen(side.argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=env["HOME"])
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    output = place.read_text(errors="replace")
    if process.returncode != 0:
        raise BenchError(f"{side.name} ended with {process.returncode}: {shlex.join(side.argv)}\n{output[-3000:]}")
    said = side.read(output)
    cpu = said.get("cpu", used.ru_utime + used.ru_stime)
    names = said["names"]
    return Sample(names / (said["seconds"] or wall), names / wall, 1e6 * cpu / names, wall, used.ru_maxrss / 1024, said)


def turns(
    title: str, sides: t.Sequence[Side], env: t.Mapping[str, str], rounds: int, aims: t.Mapping[str, float], unit: str = "names"
) -> Said:
    """Run the sides in turns and print everything; aims: {name of a side: what the rate of the first must be of its rate, at least}."""
    print(f"\n== {title}", flush=True)
    for letter, side in zip("ABCDEFGH", sides):
        print(f"{letter} {side.name}: {shlex.join(side.argv)}")
    runs: t.List[t.List[t.Optional[Sample]]] = []
    for number in range(rounds):
        row = [once(side, env) if number < side.rounds else None for side in sides]
        runs.append(row)
        print(f"round {number + 1}: " + "   ".join(f"{letter} {_short(one)}" for letter, one in zip("ABCDEFGH", row) if one), flush=True)
    found: Said = {
        "title": title,
        "sides": {side.name: _summary(side, [row[at] for row in runs]) for at, side in enumerate(sides)},
        "ratios": {},
    }
    for letter, (name, summary) in zip("ABCDEFGH", found["sides"].items()):
        print(f"{letter} {name}: " + ", ".join(f"{what} {value}" for what, value in summary.items() if what not in ("command", "runs")))
    for at, side in enumerate(sides[1:], 1):
        pairs = [(row[0], row[at]) for row in runs if row[0] and row[at]]
        ratio = statistics.median(a.rate / b.rate for a, b in pairs if a and b)
        found["ratios"][side.name] = round(ratio, 2)
        aim = f" (aim: {aims[side.name]:g} or more{'' if ratio >= aims[side.name] else ', MISSED'})" if side.name in aims else ""
        print(f"A/{'ABCDEFGH'[at]} {ratio:.2f} times the {unit} a second of {side.name}{aim}", flush=True)
    return found


def _short(one: Sample) -> str:
    return f"{one.rate:>9,.0f}/s {one.us:>6.2f} us"


def _summary(side: Side, runs: t.Sequence[t.Optional[Sample]]) -> Said:
    """Medians, and the last of what it said besides."""
    real = [one for one in runs if one]
    return {
        "names_a_second": round(statistics.median(one.rate for one in real)),
        "with_process": round(statistics.median(one.wall_rate for one in real)),
        "cpu_us_a_name": round(statistics.median(one.us for one in real), 2),
        "rss_mb": round(max(one.rss for one in real)),
        "command": shlex.join(side.argv),
        "runs": [round(one.rate) for one in real],
        **{what: value for what, value in real[-1].said.items() if what not in ("cpu", "seconds")},
    }
