# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a watcher costs while nothing happens, next to monit, fail2ban and blackbox_exporter with the same job as far as each can do it.

    python3 tests/bench/watcher/bench_watcher.py [--seconds 180] [--checks 200] [--logs 50] [--files 20000] [--only vigil,monit,...] [--json FILE]

All run at the same time on the same files and the same server, so a busy machine slows all of them. CPU is the share of one core over the whole time, of
all processes. RSS is the sum over the processes, in which pages that several share count several times; PSS counts them once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from watcher_sides import ROOT, Cost, Job, Side, blackbox, environment, fail2ban, monit, serve, vigil  # noqa: E402 - beside this file

SETTLE = 60.0  # seconds: the first look, and the first snapshot


def tree() -> str:
    """The directory that holds ansible_collections/vigil/ops."""
    return os.environ.get("VIGIL_TEST_COLLECTIONS", os.environ.get("PYTHONPATH", str(ROOT.parent.parent.parent)).split(os.pathsep)[0])


def pass_time(sides: t.Sequence[Side], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for side in sides:
            side.work()
            if not side.lives():
                raise SystemExit(f"{side.name} has ended")
        time.sleep(0.05)


def measure(sides: t.Sequence[Side], seconds: float) -> t.Dict[str, t.Dict[str, t.Any]]:
    """The share of a core in percent, and MiB at the beginning and the end."""
    before: t.Dict[str, Cost] = {side.name: side.cost() for side in sides}
    began = time.monotonic()
    pass_time(sides, seconds)
    took = time.monotonic() - began
    found = {}
    for side in sides:
        first, last = before[side.name], side.cost()
        found[side.name] = {
            "cpu_percent": round((last.cpu - first.cpu) / took * 100, 3),
            "rss_mb": round(last.rss, 1),
            "pss_mb": round(last.pss, 1),
            "growth_mb": round(last.pss - first.pss, 1),
            "processes": last.processes,
            "job": side.note,
        }
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--checks", type=int, default=200)
    parser.add_argument("--logs", type=int, default=50)
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    wanted = [word for word in args.only.split(",") if word]
    python = environment(ROOT / ".cache" / "bench")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as directory:
        job = Job(Path(directory), serve(), args.checks, args.logs, args.files)
        job.make()
        makers: t.Dict[str, t.Callable[[], t.Optional[Side]]] = {
            "vigil_watch": lambda: vigil(job, python, tree()),
            "monit": lambda: monit(job),
            "fail2ban": lambda: fail2ban(job),
            "blackbox_exporter": lambda: blackbox(job),
        }
        sides: t.List[Side] = []
        try:
            for name, make in makers.items():
                if wanted and not any(word in name for word in wanted):
                    continue
                side = make()
                if side is None:
                    print(f"left out, as it is not on this machine: {name}")
                else:
                    sides.append(side)
            pass_time(sides, SETTLE)
            result = measure(sides, args.seconds)
        finally:
            for side in sides:
                side.end()
    print(f"{args.checks} checks every 30 s, {args.logs} logs, {args.files} files, {args.seconds:g} s in which nothing happens")
    print(f"  {'':<18} {'CPU %':>8} {'RSS MB':>8} {'PSS MB':>8} {'growth':>8} {'processes':>10}  job")
    for name, one in result.items():
        numbers = f"{one['cpu_percent']:8.2f} {one['rss_mb']:8.1f} {one['pss_mb']:8.1f} {one['growth_mb']:8.1f} {one['processes']:10d}"
        print(f"  {name:<18} {numbers}  {one['job']}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
