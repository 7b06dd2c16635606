# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast DNS is swept and compared, against dnsperf and what people use from Python and Ansible. Everything on loopback.

    python3 tests/bench/dns/bench_dns.py [--only sweep,flow,task,diff,loss] [--rounds 5] [--names 100000] [--json FILE]

Needs nsd; dnsperf, pycares and the lookup community.general.dig take part when they are there. The latter two are installed into an environment of
the bench's own below .cache/bench. All sides of a part take turns on the same server, so a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "dns"))

from dns_process import DnsLabError, program
from dns_servers import Nsd
from dns_zones import many
from kernel_loss import NoLoss, lose
from turns import BenchError, Said, Side, last_json, once, turns

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = ROOT / ".cache" / "bench"
PARTS = ("sweep", "flow", "task", "diff", "loss")
SLOW_NAMES = {"pool": 20_000, "dig": 2_000}
SLOW_ROUNDS = 3
DIFF_NAMES = 1_000_000


class Bench:
    """What the parts share: servers, files of names, environment."""

    def __init__(self, home: Path, rounds: int, count: int) -> None:
        self.home, self.rounds, self.count = home, rounds, count
        self.bin = Path(os.environ.get("VIGIL_TEST_BIN", Path(sys.executable).parent))
        self.zone, self.names = many(count)
        foreign = ("ANSIBLE_", "VIGIL_", "XDG_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        collections = os.environ.get("VIGIL_TEST_COLLECTIONS", os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT.parent.parent.parent)))
        self.env.update(
            PATH=f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            HOME=str(home),
            LC_ALL="C.UTF-8",
            PYTHONPATH=os.environ.get("PYTHONPATH", collections),
            ANSIBLE_COLLECTIONS_PATH=collections,
            ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"),
            ANSIBLE_HOME=str(home / ".ansible"),
            ANSIBLE_NOCOLOR="1",
            VIGIL_STATE_URL=f"sqlite:///{home}/state.db",
        )
        self.stack = contextlib.ExitStack()

    def server(self) -> Nsd:
        """A new nsd with all names."""
        made = Nsd({"bench.test": self.zone})
        self.stack.callback(made.close)
        made.start()
        return made

    def file(self, count: int, line: str = "{}\n") -> Path:
        place = self.home / f"names-{count}-{len(line)}"
        place.write_text("".join(line.format(name) for name in self.names[:count]))
        return place

    def client(self, what: str, servers: t.Sequence[Nsd], python: t.Union[str, Path] = sys.executable, name: str = "") -> Side:
        count = min(self.count, SLOW_NAMES.get(what, self.count))
        places = ",".join(server.address for server in servers)
        argv = [str(python), str(HERE / "client.py"), what, places, str(self.file(count))]
        return Side(name or what, argv, last_json, SLOW_ROUNDS if what in SLOW_NAMES else 10_000)

    def dnsperf(self, server: Nsd) -> t.List[Side]:
        """The side of dnsperf, or a line that says why there is none."""
        try:
            binary = program("dnsperf")
        except DnsLabError as problem:
            print(f"left out: {problem}")
            return []
        file = self.file(self.count, "{} A\n")
        argv = [binary, "-s", server.host, "-p", str(server.port), "-d", str(file), "-n", "1", "-c", "4", "-T", "1", "-q", "1000"]
        return [Side("dnsperf", argv, _read_dnsperf)]

    def peers(self) -> t.Optional[Path]:
        """The Python of an environment with pycares and ansible, or None."""
        place = CACHE / f"peers-{platform.python_version()}"
        if not (place / "ready").exists():
            print("-- install pycares and ansible (for community.general.dig) into .cache/bench", flush=True)
            made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], capture_output=True, text=True, check=False)
            if made.returncode == 0:
                pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "pycares", "ansible", "dnspython"]
                made = subprocess.run(pip, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                print(f"left out: pycares and community.general.dig cannot be installed: {made.stderr.strip().splitlines()[-1:]}")
                return None
            (place / "ready").touch()
        return place / "bin" / "python"


def _read_dnsperf(output: str) -> Said:
    found = {what: re.search(pattern, output) for what, pattern in _DNSPERF.items()}
    if not all(found.values()):
        raise BenchError(f"dnsperf said something unknown: {output[-800:]}")
    said = {what: float(match.group(1)) for what, match in found.items() if match}
    return {"names": int(said["names"]), "seconds": said["seconds"], "lost": int(said["lost"])}


_DNSPERF = {"names": r"Queries completed:\s+(\d+)", "seconds": r"Run time \(s\):\s+([\d.]+)", "lost": r"Queries lost:\s+(\d+)"}


def sweep(bench: Bench) -> Said:
    """The sweep alone, everything known, everything unchanged."""
    server = bench.server()
    sides = [bench.client("sweep", [server]), *bench.dnsperf(server), bench.client("pool", [server], name="50 threads of dnspython")]
    peers = bench.peers()
    if peers:
        sides += [bench.client("pycares", [server], peers), bench.client("dig", [server], peers, "community.general.dig")]
    aims = {"dnsperf": 0.8, "50 threads of dnspython": 40, "community.general.dig": 50}
    found = turns(f"sweep: {bench.count} names, none changed (aim: at most 6 us CPU a name)", sides, bench.env, bench.rounds, aims)
    return found


def flow(bench: Bench) -> Said:
    """dns_diff as the engine runs it, in a fresh process: state loaded, compared, and what changed saved with history and fsync."""
    server = bench.server()
    ours = bench.client("flow", [server], name="dns_diff, engine")
    first = once(ours, bench.env)  # learns
    print(f"\nfirst run, which stores {bench.count} names: {first.rate:.0f} names a second, {first.wall:.2f} s, {first.rss:.0f} MB")
    title = f"flow: dns_diff end to end over {bench.count} names as the module's process runs it"
    found = {"none": _end_to_end(bench, server, _expect(ours, 0), f"{title}, none changed", AIMS)}
    generation = itertools.count(1)

    def change() -> None:
        """One name in a thousand, never the same again, so that none flaps."""
        step = next(generation)
        lines = bench.zone.splitlines()
        for at in range(step, bench.count, 1000):
            lines[at] = f"{lines[at].split()[0]} A 192.0.2.{step}"
        bench.zone = "\n".join(lines) + "\n"
        server.set_zone("bench.test", bench.zone)

    changing = dataclasses.replace(_expect(ours, len(range(1, bench.count, 1000))), before=change)
    dnsperf = bench.dnsperf(server)
    found["some"] = turns(
        f"{title}, 0.1 % changed before each run, saved with fsync", [changing, *dnsperf], bench.env, bench.rounds, {"dnsperf": 0.5}
    )
    return found


def _expect(ours: Side, changes: int) -> Side:
    """A run that saw other changes does not count."""

    def read(output: str) -> Said:
        said = last_json(output)
        if said["changes"] != changes or said["failed"]:
            raise BenchError(f"{said['changes']} changes and {said['failed']} failures instead of {changes} and 0: {said}")
        return said

    return dataclasses.replace(ours, read=read)


def task(bench: Bench) -> Said:
    """The same as a task of ansible-playbook, start of Ansible included."""
    server = bench.server()
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"vigil.ops.dns_diff": {"names_file": str(bench.file(bench.count)), "nameservers": [server.address]}, "register": "done"},
            {"ansible.builtin.debug": {"msg": "checked {{ done.stats | to_json }}"}},
        ],
    }
    place = bench.home / "play.json"
    place.write_text(json.dumps([play]))
    inventory = bench.home / "hosts.ini"
    inventory.write_text(f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    ours = Side(
        "dns_diff, task",
        [str(bench.bin / "ansible-playbook"), "-i", str(inventory), str(place)],
        lambda output: _whole(output, bench.count),
    )
    first = once(ours, bench.env)
    print(f"\nfirst run, which stores {bench.count} names: {first.wall:.2f} s")
    title = f"task: dns_diff over {bench.count} unchanged names as a task of ansible-playbook, whole run (Ansible starts within it)"
    return _end_to_end(bench, server, ours, title, aims={})


def _whole(output: str, count: int) -> Said:
    """Of a program whose whole run counts: the clock is the caller's."""
    if "checked" not in output:
        raise BenchError(f"the task did not tell what it checked: {output[-800:]}")
    return {"names": count, "seconds": 0.0, "summary": output.split("checked", 1)[1].split("\n")[0][:400]}


AIMS = {"dnsperf": 0.5, "50 threads of dnspython": 40, "community.general.dig": 50}


def _end_to_end(bench: Bench, server: Nsd, ours: Side, title: str, aims: t.Mapping[str, float]) -> Said:
    sides = [ours, *bench.dnsperf(server), bench.client("pool", [server], name="50 threads of dnspython")]
    peers = bench.peers()
    if peers:
        sides.append(bench.client("dig", [server], peers, "community.general.dig"))
    return turns(title, sides, bench.env, bench.rounds, aims)


def diff(bench: Bench) -> Said:
    found: Said = {"title": "diff"}
    for changed in (DIFF_NAMES // 1000, 0):
        argv = [sys.executable, str(HERE / "pure_diff.py"), str(DIFF_NAMES), str(changed), str(bench.rounds)]
        print(
            f"\n== diff: {DIFF_NAMES} names, {changed} changed, against building and subtracting two sets of strings\n{' '.join(argv)}",
            flush=True,
        )
        done = subprocess.run(argv, env=bench.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"pure_diff.py failed: {done.stderr[-2000:]}")
        one = found[str(changed)] = last_json(done.stdout)
        print(
            f"A ours {one['ours_seconds']} s, peak {one['ours_peak_mb']} MB; B sets {one['sets_seconds']} s, peak {one['sets_peak_mb']} MB"
        )
        missed = "" if one["time_ratio"] > 1 and one["ours_peak_mb"] < one["sets_peak_mb"] / 2 else ", MISSED"
        print(f"B/A {one['time_ratio']} in time (aim: above 1, and A's peak below half of B's{missed})", flush=True)
    return found


def loss(bench: Bench) -> Said:
    """Three servers; the kernel drops packets in front of them."""
    found: Said = {"title": "loss"}
    try:
        for title, fractions, aim in (
            ("1 % lost", (0.01, 0.01, 0.01), {"no loss": 0.5}),
            ("5 % lost", (0.05, 0.05, 0.05), {}),  # to see it; many names lose two tries in a row
            ("one of three dead", (0.0, 0.0, 1.0), {"no loss": 0.5}),
            ("1 % lost, one of three dead", (0.01, 0.01, 1.0), {"no loss": 0.5}),
        ):
            well, ill = [bench.server() for _server in fractions], [bench.server() for _server in fractions]
            for server, fraction in zip(ill, fractions):
                if fraction:
                    lose(server, fraction)
            sides = [bench.client("sweep", ill, name=title), bench.client("sweep", well, name="no loss")]
            found[title] = turns(f"loss: three servers, {title}; every name has a verdict", sides, bench.env, bench.rounds, aim)
            for server in (*well, *ill):
                server.close()
    except NoLoss as problem:
        print(f"left out: {problem}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure DNS against dnsperf, dnspython, pycares and community.general.dig.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--json", type=Path, default=CACHE / "dns.json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if set(wanted) - set(PARTS) or args.rounds < 1 or args.names < 1:
        parser.error(f"--only takes {','.join(PARTS)}, --rounds and --names take 1 or more")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    found: Said = {}
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home:
        bench = Bench(Path(home), args.rounds, args.names)
        with bench.stack:
            try:
                for part in wanted:
                    found[part] = {"sweep": sweep, "flow": flow, "task": task, "diff": diff, "loss": loss}[part](bench)
            except (BenchError, DnsLabError) as exc:
                print(f"bench_dns.py: {exc}", file=sys.stderr)
                return 1
    args.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg(), "time": time.time()}
    args.json.write_text(json.dumps({"about": about, "parts": found}, indent=2) + "\n")
    print(f"\nWritten: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
