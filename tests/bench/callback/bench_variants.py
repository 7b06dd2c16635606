# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callbacks side by side, in turns: five tasks on 200 hosts, the last of which fails on one host in ten, with

    none      no callback
    empty     a callback whose hooks do nothing
    0ms 50ms  vigil.ops.webhook, a receiver that takes so long for each request; dead: nobody listens; refusing: HTTP 400;
              silent: it never answers; wecom: a robot
    slack     community.general's callback slack, a receiver that takes 50 ms (needs the collection and prettytable)
    ara       ARA's callback, which records everything in a database (needs the package ara[server])

    python3 tests/bench/callback/bench_variants.py [--only none,0ms,...] [--rounds 3] [--hosts 200] [--failing 0.1] [--modules]
        [--foreign DIRECTORY] [--json FILE]

Ansible is the one in VIGIL_TEST_BIN, the collection the one below VIGIL_TEST_COLLECTIONS; DIRECTORY holds the other collections; --failing 1 is an outage, in
which every host fails. The tasks are `raw`, the cheapest that there are; with --modules they run a module each, as in an ordinary play. Told for each: CPU
against none (median of the rounds), that of processes which it begins included; milliseconds in its hooks for each of the results (means: by the clock, which
runs on while workers have the cores, and of the CPU; medians of CPU for one that is ok, of which nothing is kept, and for one that failed, which is told the
process that keeps it); seconds at the end of the run; and how many of the events were neither told nor kept. What is not installed is left out and said.
Aims: at most 1.02 times the CPU, 0.1 ms a result, `deadline` (10 s) at the end, nothing lost.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "inspect"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import receivers
import vendors
from bench_callback import Bench
from measure import BenchError, Run, Side, measure

HERE = Path(__file__).resolve().parent
TASKS = 5
RESULTS = ("v2_runner_on_ok", "v2_runner_on_failed")
KEY = "693a7aoc-4bc4-97a0-0ec2sifa5aaa"
DEADLINE = 10.0
VARIANTS = ("none", "empty", "0ms", "50ms", "dead", "refusing", "silent", "wecom", "slack", "ara")


class Variant(t.NamedTuple):
    """What a run has in its environment, whose hooks are measured, and what it lost: (told, kept, lost), None where that says nothing."""

    env: dict[str, str]
    module: str = ""
    lost: t.Callable[[], tuple[int, int, int] | None] = lambda: None


class Variants:
    """Makes the variants that can be run here."""

    def __init__(self, bench: Bench, foreign: str) -> None:
        self.bench, self.foreign = bench, foreign
        self.store = bench.home / "state.db"
        self.open: list[receivers.Receiver] = []
        self.missing: dict[str, str] = {}

    def make(self, name: str) -> Variant | None:
        """The variant of a name; None where a part is missing, which is kept in ``missing``."""
        if name == "none":
            return Variant({})
        if name == "empty":
            return Variant({"ANSIBLE_CALLBACK_PLUGINS": f"{HERE / 'meter'}:{HERE / 'empty'}"}, "vigil_bench_empty")
        if name == "slack":
            return self._slack()
        if name == "ara":
            return self._ara()
        return self._ours(name)

    def _ours(self, name: str) -> Variant:
        receiver = self._listen({"refusing": 400, "silent": "silent"}.get(name, 200), 0.05 if name == "50ms" else 0.0)
        url = f"http://127.0.0.1:{receivers.dead_port()}" if name == "dead" else receiver.url
        if name == "wecom":
            receiver.mode = vendors.WeCom(KEY)
            url = f"wecom://{KEY}?endpoint={receiver.url}"
        channels = self.bench.home / f"{name}.yml"
        channels.write_text(json.dumps([{"name": name, "url": url}]))
        env = {
            "ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook",
            "VIGIL_CHANNELS_FILE": str(channels),
            "VIGIL_STATE_URL": f"sqlite:///{self.store}",
        }
        return Variant({**env, "VIGIL_DEADLINE": f"{DEADLINE:g}s"}, "webhook", self._lost)

    def _lost(self) -> tuple[int, int, int]:
        """The store is removed, so that the next run has the same to tell."""
        connection = sqlite3.connect(self.store)
        rows = dict(connection.execute("SELECT state, COUNT(*) FROM outbox GROUP BY state").fetchall())
        connection.close()
        for path in self.store.parent.glob(self.store.name + "*"):
            path.unlink()
        kept = rows.get("queued", 0) + rows.get("dead", 0)
        return rows.get("sent", 0), kept, len(self.bench.failing) - rows.get("sent", 0) - kept

    def _slack(self) -> Variant | None:
        if not (Path(self.foreign) / "ansible_collections" / "community" / "general").is_dir() or not self._imports("prettytable"):
            self.missing["slack"] = "community.general (--foreign) or prettytable is not there"
            return None
        receiver = self._listen(200, 0.05)
        env = {"ANSIBLE_CALLBACKS_ENABLED": "community.general.slack", "SLACK_WEBHOOK_URL": f"{receiver.url}/services/T/B/X"}
        return Variant({**env, "ANSIBLE_COLLECTIONS_PATH": f"{self.bench.env['ANSIBLE_COLLECTIONS_PATH']}:{self.foreign}"}, "slack")

    def _ara(self) -> Variant | None:
        if not self._imports("ara.server"):
            self.missing["ara"] = "ara[server] is not installed beside Ansible"
            return None
        find = [str(self.bench.bin / "python"), "-m", "ara.setup.callback_plugins"]
        plugins = subprocess.run(find, env=self.bench.env, capture_output=True, text=True, check=True).stdout.strip()
        base = self.bench.home / "ara"
        return Variant({"ANSIBLE_CALLBACK_PLUGINS": f"{HERE / 'meter'}:{plugins}", "ARA_BASE_DIR": str(base)}, "ara_default")

    def _imports(self, name: str) -> bool:
        return subprocess.run([str(self.bench.bin / "python"), "-c", f"import {name}"], capture_output=True, check=False).returncode == 0

    def _listen(self, mode: t.Any, delay: float) -> receivers.Receiver:
        self.open.append(receivers.Receiver(mode))
        self.open[-1].delay = delay
        return self.open[-1]


class Measured(t.NamedTuple):
    """One run: its costs, milliseconds a result, seconds at the end, and (told, kept, lost)."""

    run: Run
    wall_ms: float
    cpu_ms: float
    ok_ms: float
    bad_ms: float
    end: float
    lost: tuple[int, int, int] | None


def once(bench: Bench, name: str, variant: Variant, *more: str) -> Measured:
    """Run it once; the meter is in every run, so that it costs all of them the same."""
    meter = bench.home / "meter.json"
    meter.unlink(missing_ok=True)
    settings = {"ANSIBLE_CALLBACK_PLUGINS": str(HERE / "meter"), "BENCH_METER": str(meter), "BENCH_METER_OF": variant.module, **variant.env}
    argv = [str(bench.bin / "ansible-playbook"), "-i", str(bench.inventory), "-f", "20", *more, str(HERE / bench.tasks)]
    run = measure(Side(name, argv, rc=2 if more or bench.failing else 0), {**bench.env, **settings})
    hooks = json.loads(meter.read_text())
    ours = [call for hook, calls in hooks.items() if hook in RESULTS for call in calls]
    end = sum(call[0] for call in hooks.get("v2_playbook_on_stats", []))
    wall, cpu = (1000 * sum(call[place] for call in ours) / (bench.hosts * TASKS) for place in (0, 1))
    well, bad = (1000 * statistics.median([call[1] for call in hooks.get(hook, [])] or [0.0]) for hook in RESULTS)
    return Measured(run, wall, cpu, well, bad, end, variant.lost())


def table(found: t.Mapping[str, list[Measured]]) -> list[dict[str, t.Any]]:
    """A row for each variant, medians over the rounds."""
    rows = []
    for name, runs in found.items():
        pairs = list(zip(runs, found.get("none", [])))
        ratio = statistics.median(run.run.cpu / base.run.cpu for run, base in pairs) if pairs else 0.0
        row: dict[str, t.Any] = {
            "variant": name,
            "cpu": round(statistics.median(run.run.cpu for run in runs), 2),
            "cpu_ratio": round(ratio, 3),
        }
        row["wall"] = round(statistics.median(run.run.wall for run in runs), 2)
        for key in ("wall_ms", "cpu_ms", "ok_ms", "bad_ms", "end"):
            row[key] = round(statistics.median(getattr(run, key) for run in runs), 3)
        row["end_most"] = round(max(run.end for run in runs), 2)
        counts: list[t.Sequence[t.Any]] = [one.lost for one in runs if one.lost]
        row["told"], row["kept"], row["lost"] = counts[-1] if counts else ("-", "-", "-")
        rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure callbacks side by side.")
    parser.add_argument("--only", default=",".join(VARIANTS), help=f"of {','.join(VARIANTS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--failing", type=float, default=0.1, help="the share of hosts on which the last task fails")
    parser.add_argument("--modules", action="store_true", help="tasks that run a module")
    parser.add_argument("--foreign", default="", help="a directory with ansible_collections/community/general")
    parser.add_argument("--json", type=Path, default=HERE.parents[2] / ".cache" / "bench" / "callback-variants.json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if set(wanted) - set(VARIANTS) or args.rounds < 1 or args.hosts < 1 or not 0 <= args.failing <= 1:
        parser.error(f"--only takes {','.join(VARIANTS)}, --rounds and --hosts take 1 or more, --failing takes 0 to 1")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home:
        bench = Bench(Path(home), args.rounds, args.hosts, args.failing, "modules.yml" if args.modules else "tasks.yml")
        every = Variants(bench, args.foreign)
        made = {name: every.make(name) for name in wanted}
        ready = {name: variant for name, variant in made.items() if variant is not None}
        for name, why in every.missing.items():
            print(f"{name} is left out: {why}")
        print(
            f"Python {platform.python_version()}, {os.cpu_count()} cores, {args.hosts} hosts x {TASKS} tasks, {len(bench.failing)} fail, "
            f"load {os.getloadavg()[0]:.2f}",
            flush=True,
        )
        found: dict[str, list[Measured]] = {name: [] for name in ready}
        try:
            for name, variant in ready.items():  # so that everything is compiled
                once(bench, name, variant, "-e", "bench_fails=true", "--limit", "host001")
            for number in range(args.rounds):
                order = list(ready) if number % 2 == 0 else list(reversed(ready))
                for name in order:
                    one = once(bench, name, ready[name])
                    found[name].append(one)
                    print(f"round {number + 1} {name:9} {one.run.wall:6.2f} s wall {one.run.cpu:6.2f} s cpu {one.wall_ms:7.3f} ms a result "
                          f"({one.cpu_ms:.3f} cpu) {one.end:6.2f} s at the end  {one.lost or ''}", flush=True)  # fmt: skip
        except BenchError as exc:
            print(f"bench_variants.py: {exc}", file=sys.stderr)
            return 1
        finally:
            for receiver in [*every.open, bench.receiver]:
                receiver.released.set()
                receiver.close()
    rows = table(found)
    heads = ("cpu s", "ratio", "wall s", "ms/result", "cpu ms", "ok ms", "bad ms", "end s", "most", "told", "kept", "lost")
    print(f"\n{'variant':9} " + " ".join(f"{head:>9}" for head in heads))
    for row in rows:
        values = [
            row[key]
            for key in ("cpu", "cpu_ratio", "wall", "wall_ms", "cpu_ms", "ok_ms", "bad_ms", "end", "end_most", "told", "kept", "lost")
        ]
        print(f"{row['variant']:9} " + " ".join(f"{value:>9}" for value in values))
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"time": time.time(), "load": os.getloadavg(), "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
