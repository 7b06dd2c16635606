# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long `vigil.ops.inspect` takes against a playbook that sees the same with the builtin modules. Everything on loopback.

    python3 tests/bench/inspect/bench.py [--only one,ten,fleet,lab,endpoints,payload,all] [--rounds 3] [--hosts 50] [--json FILE]

Ansible is the one in VIGIL_TEST_BIN (default: beside this Python), the collection the one below VIGIL_TEST_COLLECTIONS or
ANSIBLE_COLLECTIONS_PATH. Facts are off, pipelining is on and forks is 25 on both sides. The two sides take turns.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from lab import Lab
from lab_node import LabError
from lab_rootfs import cache_dir
from measure import BenchError, Side, compare, server

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FORKS = "25"
PARTS = ("one", "ten", "fleet", "lab", "endpoints", "payload")
SLOW = ("all",)  # minutes a round: only when asked for
CHECKS = 20


class Bench:
    """What the parts share: environment, port, rounds."""

    def __init__(self, home: Path, port: int, rounds: int, hosts: int) -> None:
        self.home, self.port, self.rounds, self.hosts = home, port, rounds, hosts
        self.bin = Path(os.environ.get("VIGIL_TEST_BIN", Path(sys.executable).parent))
        foreign = ("ANSIBLE_", "VIGIL_", "XDG_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        collections = os.environ.get("VIGIL_TEST_COLLECTIONS", os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT.parent.parent.parent)))
        self.env.update(
            PATH=f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            HOME=str(home),
            LC_ALL="C.UTF-8",
            ANSIBLE_COLLECTIONS_PATH=collections,
            ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"),
            ANSIBLE_HOME=str(home / ".ansible"),
            ANSIBLE_NOCOLOR="1",
            VIGIL_STATE_URL=f"sqlite:///{home}/state.db",
        )

    def playbook(self, inventory: Path, playbook: str | Path, *args: str) -> list[str]:
        binary = str(self.bin / "ansible-playbook")
        return [binary, "-i", str(inventory), "-f", FORKS, "-e", f"bench_port={self.port}", *args, str(playbook)]

    def local(self, count: int) -> Path:
        """An inventory of `count` names for this host."""
        place = self.home / f"local{count}.ini"
        names = [f"host{number:03d}" for number in range(1, count + 1)]
        settings = ["ansible_connection=local", f"ansible_python_interpreter={sys.executable}"]
        place.write_text("\n".join([*names, "", "[all:vars]", *settings]) + "\n")
        return place

    def inspect(self, inventory: Path, extra: str, hosts: int) -> Side:
        """The playbook as users run it: report in three formats and history included."""
        report = self.home / "report"
        args = ["-e", f"@{HERE / 'checks.yml'}", "-e", f"@{HERE / extra}", "-e", f"vigil_report_dir={report}"]
        argv = self.playbook(inventory, "vigil.ops.inspect", *args)
        return Side("vigil.ops.inspect", argv, functools.partial(_all_seen, report / "inspection.json", hosts))

    def builtin(self, inventory: Path, tag: str) -> Side:
        return Side("builtin modules", self.playbook(inventory, HERE / "builtin.yml", "--tags", tag))


def _all_seen(report: Path, hosts: int) -> None:
    """A run that did not see everything must not count as fast."""
    found = json.loads(report.read_text())
    report.unlink()
    seen = [result for host in found["hosts"] for result in host["results"]]
    bad = [f"{result['name']}: {result['summary']}" for result in seen if result["status"] != "ok"]
    if len(seen) != hosts * CHECKS or bad:
        raise BenchError(f"vigil.ops.inspect saw {len(seen)} of {hosts * CHECKS} checks, not ok: {bad[:5]}")


def one(bench: Bench) -> dict[str, t.Any]:
    inventory = bench.local(1)
    a, b = bench.inspect(inventory, "extra_local.yml", 1), bench.builtin(inventory, "local")
    return compare("one: 20 checks on this host", a, b, bench.env, bench.rounds)


def ten(bench: Bench) -> dict[str, t.Any]:
    inventory = bench.local(10)
    a, b = bench.inspect(inventory, "extra_local.yml", 10), bench.builtin(inventory, "local")
    return compare("ten: 20 checks on 10 local hosts (aim: B/A >= 15 wall)", a, b, bench.env, bench.rounds)


def every(bench: Bench) -> dict[str, t.Any]:
    inventory = bench.local(bench.hosts)
    a, b = bench.inspect(inventory, "extra_local.yml", bench.hosts), bench.builtin(inventory, "local")
    return compare(f"all: 20 checks on {bench.hosts} local hosts (aim: B/A >= 15 wall)", a, b, bench.env, bench.rounds)


def fleet(bench: Bench) -> dict[str, t.Any]:
    inventory = bench.local(bench.hosts)
    b = Side("one empty task a host", bench.playbook(inventory, HERE / "ping.yml"))
    title = f"fleet: 20 checks on {bench.hosts} local hosts, against the least that Ansible can do (aim: A <= 12 s for 50 hosts)"
    return compare(title, bench.inspect(inventory, "extra_local.yml", bench.hosts), b, bench.env, bench.rounds)


def lab(bench: Bench) -> dict[str, t.Any]:
    title = "lab: 20 checks on 3 systemd nodes over SSH"
    if os.geteuid() != 0:
        print(f"\n== {title}\nleft out: the lab needs root")
        return {"title": title, "left_out": "the lab needs root"}
    with Lab(cache_dir() / f"bench-{os.getpid()}") as nodes:
        nodes.up(3)
        a, b = bench.inspect(nodes.inventory, "extra_systemd.yml", 3), bench.builtin(nodes.inventory, "systemd")
        return compare(title, a, b, bench.env, bench.rounds)


def endpoints(bench: Bench) -> dict[str, t.Any]:
    inventory = bench.local(1)
    a = Side("one inspect", bench.playbook(inventory, HERE / "endpoints.yml"))
    b = Side("uri in a loop", bench.playbook(inventory, HERE / "uri_loop.yml"))
    return compare("endpoints: 50 URLs", a, b, bench.env, bench.rounds)


def payload(bench: Bench) -> dict[str, t.Any]:
    """Bytes that Ansible sends for each module, as it keeps them on a target when told so."""
    sizes = {}
    env = {**bench.env, "ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0", "ANSIBLE_REMOTE_TMP": str(bench.home / "kept")}
    kinds: dict[str, dict[str, t.Any]] = {kind: {} for kind in ("cpu", "memory", "swap", "load", "disk", "inode", "time_sync")}
    kinds.update(http={"url": f"http://127.0.0.1:{bench.port}/"}, tcp={"host": "127.0.0.1", "port": bench.port})
    kinds.update(process={"name": "sshd"}, service={"name": "ssh"}, file={"path": "/etc/passwd"}, command={"argv": ["true"]})
    several = [{"name": kind, kind: options} for kind, options in kinds.items()]
    modules = (
        ("vigil.ops.inspect", "1 kind of check", json.dumps({"checks": several[:1]})),
        ("vigil.ops.inspect", f"{len(kinds)} kinds of checks", json.dumps({"checks": several})),
        ("ansible.builtin.uri", "", f"url=http://127.0.0.1:{bench.port}/"),
        ("ansible.builtin.service_facts", "", ""),
    )
    for name, what, args in modules:
        argv = [str(bench.bin / "ansible"), "-i", str(bench.local(1)), "all", "-m", name, "-a", args]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
        kept = list((bench.home / "kept").rglob(f"AnsiballZ_{name.rsplit('.', 1)[1]}.py"))
        if len(kept) != 1:
            raise BenchError(f"{name} left {len(kept)} payloads: {done.stdout}{done.stderr}")
        sizes[f"{name} {what}".rstrip()] = kept[0].stat().st_size
        kept[0].unlink()
    print("\n== payload: bytes of the module as it is sent")
    for name, size in sizes.items():
        print(f"{name:42} {size:>8} bytes, {size / 1024:.0f} KiB")
    return {"title": "payload", "bytes": sizes}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure vigil.ops.inspect against the builtin modules.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS + SLOW)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--json", type=Path, default=ROOT / ".cache" / "bench" / "inspect.json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    unknown = sorted(set(wanted) - set(PARTS + SLOW))
    if unknown or args.rounds < 1 or args.hosts < 1:
        parser.error(
            f"--only takes {','.join(PARTS + SLOW)}, --rounds and --hosts take 1 or more"
            + (f"; not {','.join(unknown)}" if unknown else "")
        )
    found: dict[str, t.Any] = {}
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home, server() as port:
        bench = Bench(Path(home), port, args.rounds, args.hosts)
        versions = subprocess.run([bench.bin / "ansible", "--version"], env=bench.env, capture_output=True, text=True, check=True).stdout
        print(f"{versions.splitlines()[0]}, Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
        parts = {"one": one, "ten": ten, "fleet": fleet, "lab": lab, "endpoints": endpoints, "payload": payload, "all": every}
        try:
            for part in wanted:
                found[part] = parts[part](bench)
        except (BenchError, LabError) as exc:
            print(f"bench.py: {exc}", file=sys.stderr)
            return 1
    args.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"ansible": versions.splitlines()[0], "cores": os.cpu_count(), "load": os.getloadavg(), "time": time.time()}
    args.json.write_text(json.dumps({"about": about, "parts": found}, indent=2) + "\n")
    print(f"\nWritten: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
