# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast endpoints and a host are probed, verdicts included, against blackbox_exporter, the monitoring plugins and requests. On loopback.

    python3 tests/bench/health/bench_health.py [--only http,tcp,tls,dead,task,local] [--rounds 5] [--ports 1000] [--json FILE]

Needs nginx and openssl (local needs neither); blackbox_exporter with wrk, check_http and check_tcp take part when they are there. requests is installed into an
environment of the bench's own below .cache/bench. All sides of a part take turns on the same nginx, so a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dns"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "dns"))

from dns_process import DnsLabError, program
from health_servers import Blackbox, Dead, Nginx
from prober import http_checks
from turns import BenchError, Said, Side, last_json, once, turns

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = ROOT / ".cache" / "bench"
SECURE = 300
TIMEOUT = 2.0  # of dead endpoints
LONGEST_TASK = 2.0
WRK_SECONDS = 3


class Bench:
    """What the parts share: servers, rounds, environment."""

    def __init__(self, home: Path, rounds: int, count: int) -> None:
        self.home, self.rounds, self.count = home, rounds, count
        self.bin = Path(os.environ.get("VIGIL_TEST_BIN", Path(sys.executable).parent))
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
        )
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.env["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")  # ours is compiled once, as the others are
        self.stack = contextlib.ExitStack()

    @functools.cached_property
    def nginx(self) -> Nginx:
        made = Nginx(self.count, SECURE)
        self.stack.callback(made.close)
        made.start()
        return made

    @functools.cached_property
    def blackbox(self) -> t.Optional[Blackbox]:
        """Started, or None with a line that says why."""
        try:
            program("wrk")
            made = Blackbox()
            self.stack.callback(made.close)
            made.start()
            return made
        except DnsLabError as problem:
            print(f"left out: {problem}")
            return None

    def client(self, what: str, name: str, rounds: int = 5, python: t.Union[str, Path] = sys.executable, **more: t.Any) -> Side:
        options = {"first": self.nginx.port, "count": self.count, "rounds": rounds, **more}
        return Side(name, [str(python), str(HERE / "prober.py"), what, json.dumps(options)], last_json)

    def by_wrk(self, module: str, target: str) -> t.List[Side]:
        """blackbox_exporter, asked by 50 connections for one port after the other."""
        if self.blackbox is None:
            return []
        if not self.blackbox.sees(module, target.format(self.nginx.port)):
            raise BenchError(f"blackbox_exporter does not see {target.format(self.nginx.port)} with {module}")
        place = self.home / f"{module}.lua"
        path = f"/probe?module={module}&target=" + target.format('" .. port .. "')
        place.write_text(
            f"local port = {self.nginx.port - 1}\nrequest = function()\n  port = port + 1\n  if port >= {self.nginx.port + self.count} then "
            f'port = {self.nginx.port} end\n  return wrk.format("GET", "{path}")\nend\n'
        )
        argv = [program("wrk"), "-t1", "-c50", f"-d{WRK_SECONDS}s", "-s", str(place), f"http://{self.blackbox.address}"]
        used = [0.0]

        def before() -> None:
            used[0] = bench_cpu()

        def read(output: str) -> Said:
            said = _read_wrk(output)
            return {**said, "cpu": bench_cpu() - used[0]}

        bench_cpu = self.blackbox.cpu
        return [Side(BLACKBOX, argv, read, before=before)]

    def plugin(self, name: str, arguments: str) -> t.List[Side]:
        """A monitoring plugin, 50 at once; ``{}`` is the port."""
        try:
            binary = program(name)
        except DnsLabError as problem:
            print(f"left out: {problem}")
            return []
        ports = self.home / "ports"
        ports.write_text("".join(f"{self.nginx.port + number}\n" for number in range(self.count)))
        command = f"xargs -a {shlex.quote(str(ports))} -P 50 -I{{}} {shlex.quote(binary)} {arguments} >/dev/null && echo done"
        return [Side(name, ["/bin/sh", "-c", command], functools.partial(_whole, count=self.count))]

    def requests(self) -> t.List[Side]:
        """A pool with requests, in an environment of its own."""
        place = CACHE / f"requests-{platform.python_version()}"
        if not (place / "ready").exists():
            print("-- install requests into .cache/bench", flush=True)
            made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], capture_output=True, text=True, check=False)
            if made.returncode == 0:
                pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "requests"]
                made = subprocess.run(pip, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                print(f"left out: requests cannot be installed: {made.stderr.strip().splitlines()[-1:]}")
                return []
            (place / "ready").touch()
        return [self.client("requests", "50 threads of requests", 1, place / "bin" / "python")]


BLACKBOX = "blackbox_exporter by wrk -c50"


def _whole(output: str, count: int) -> Said:
    """Of a program whose whole run counts: the clock is the caller's."""
    if "done" not in output:
        raise BenchError(f"it did not say that it is done: {output[-800:]}")
    return {"names": count, "seconds": 0.0}


def _read_wrk(output: str) -> Said:
    match = re.search(r"(\d+) requests in ([\d.]+)s", output)
    if match is None or "Non-2xx" in output or "Socket errors" in output:
        raise BenchError(f"wrk said: {output[-800:]}")
    return {"names": int(match.group(1)), "seconds": float(match.group(2))}


def http(bench: Bench) -> Said:
    sides = [bench.client("http", "inspect"), *bench.by_wrk("http_2xx", "http%3A%2F%2F127.0.0.1%3A{}%2Fhealth")]
    sides += [*bench.plugin("check_http", "-I 127.0.0.1 -p {} -u /health -e 200"), *bench.requests()]
    title = f"http: {bench.count} ports, list read, phases, four expectations and verdict included"
    return turns(title, sides, bench.env, bench.rounds, {BLACKBOX: 2.5, "check_http": 8}, "probes")


def tcp(bench: Bench) -> Said:
    sides = [
        bench.client("tcp", "inspect"),
        *bench.by_wrk("tcp_connect", "127.0.0.1%3A{}"),
        *bench.plugin("check_tcp", "-H 127.0.0.1 -p {}"),
    ]
    title = f"tcp: {bench.count} ports, list read and verdict included"
    return turns(title, sides, bench.env, bench.rounds, {BLACKBOX: 4, "check_tcp": 8}, "probes")


def tls(bench: Bench) -> Said:
    where: t.Dict[str, t.Any] = {"first": bench.nginx.secure, "ca": str(bench.nginx.certificate)}
    sides = [bench.client("tls", "inspect", 3, **{**where, "count": SECURE})]
    sides.append(bench.client("contexts", "a context for each look", 1, **{**where, "count": 100}))
    return turns(f"tls: {SECURE} ports", sides, bench.env, bench.rounds, {"a context for each look": 25}, "probes")


def dead(bench: Bench) -> Said:
    """What dead endpoints cost beyond their own timeout."""
    silent = Dead()
    bench.stack.callback(silent.close)
    more: t.Dict[str, t.Any] = {"dead": [silent.hole, silent.silent], "timeout": TIMEOUT}
    pairs = [
        (once(bench.client("dead", "one in ten is dead", 1, **more), bench.env), once(bench.client("http", "all live", 1), bench.env))
        for _round in range(bench.rounds)
    ]
    beyond = statistics.median(one.said["seconds"] - TIMEOUT for one, _other in pairs)
    alive = statistics.median(other.said["seconds"] for _one, other in pairs)
    print(f"\n== dead: {bench.count} ports, one in ten dead, timeout {TIMEOUT:g} s")
    print(
        f"{beyond:.2f} s beyond the timeout; {alive:.2f} s where all live (aim: at most 1 s more{'' if beyond < alive + 1 else ', MISSED'})"
    )
    latency = [statistics.median(one.said["median_latency_ms"] for one in side) for side in zip(*pairs)]
    print(f"median latency of the living: {latency[0]:.2f} ms, {latency[1]:.2f} ms where all live")
    return {"beyond_timeout": beyond, "all_live": alive, "median_latency_ms": latency}


def task(bench: Bench) -> Said:
    """One task of ansible-playbook, start of Ansible included."""
    checks = http_checks({"first": bench.nginx.port, "count": bench.count})
    done = {"ansible.builtin.debug": {"msg": "{{ 'done' if seen.summary.ok == %d else seen.summary }}" % bench.count}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"vigil.ops.inspect": {"checks": checks}, "register": "seen"}, done]}
    place, inventory = bench.home / "play.json", bench.home / "hosts.ini"
    place.write_text(json.dumps([play]))
    inventory.write_text(f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    side = Side(
        "inspect", [str(bench.bin / "ansible-playbook"), "-i", str(inventory), str(place)], functools.partial(_whole, count=bench.count)
    )
    bare = bench.home / "bare.json"
    bare.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": "done"}}]}]))
    empty = Side("one debug", [*side.argv[:-1], str(bare)], functools.partial(_whole, count=bench.count))
    pairs = [(once(side, bench.env), once(empty, bench.env)) for _round in range(bench.rounds)]
    walls, cpus = ([statistics.median(getattr(one, what) for one in each) for each in zip(*pairs)] for what in ("wall", "us"))
    best = min(one.wall for one, _other in pairs)
    print(f"\n== task: {bench.count} HTTP endpoints in one task, start of Ansible included\n{shlex.join(side.argv)}")
    print(f"median {walls[0]:.2f} s, best {best:.2f} s (aim: at most {LONGEST_TASK:g} s{'' if walls[0] <= LONGEST_TASK else ', MISSED'})")
    seconds = [bench.count * us / 1e6 for us in cpus]
    print(f"{seconds[0]:.2f} s of CPU; a playbook of one debug: {walls[1]:.2f} s, {seconds[1]:.2f} s of CPU; load {os.getloadavg()[0]:.1f}")
    return {"wall": walls, "best": best, "cpu_seconds": seconds}


def local(bench: Bench) -> Said:
    """200 checks of this host in a process of their own."""
    side = Side("inspect", [sys.executable, str(HERE / "prober.py"), "local", json.dumps({"count": 200, "rounds": 1})], last_json)
    runs = [once(side, bench.env) for _round in range(bench.rounds)]
    used = statistics.median(one.said["cpu"] + one.said["cpu_of_lookers"] for one in runs)
    seconds = statistics.median(one.said["seconds"] for one in runs)
    print("\n== local: 200 checks of disk, inode, process, service, file, mount, port, user, memory and kernel")
    print(f"{used:.2f} s of CPU (aim: less than 1 s{'' if used < 1 else ', MISSED'}), {seconds:.2f} s by the clock")
    print("processes listed once, systemctl called once, mounts read once")
    return {"cpu_seconds": used, "seconds": seconds, "runs": [one.said for one in runs]}


PARTS: t.Dict[str, t.Callable[[Bench], Said]] = {"http": http, "tcp": tcp, "tls": tls, "dead": dead, "task": task, "local": local}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure probes against blackbox_exporter, the monitoring plugins and requests.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ports", type=int, default=1000)
    parser.add_argument("--json", type=Path, default=CACHE / "health.json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if set(wanted) - set(PARTS) or args.rounds < 1 or not 10 <= args.ports <= 5000:
        parser.error(f"--only takes {','.join(PARTS)}, --rounds 1 or more, --ports 10 to 5000")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    found: Said = {}
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home:
        bench = Bench(Path(home), args.rounds, args.ports)
        with bench.stack:
            try:
                for part in wanted:
                    found[part] = PARTS[part](bench)
            except (BenchError, DnsLabError) as exc:
                print(f"bench_health.py: {exc}", file=sys.stderr)
                return 1
    args.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg(), "time": time.time()}
    args.json.write_text(json.dumps({"about": about, "parts": found}, indent=2) + "\n")
    print(f"\nWritten: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
