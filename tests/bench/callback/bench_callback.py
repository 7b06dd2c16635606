# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback `vigil.ops.webhook` costs a run: five tasks on 200 hosts without it (A) and with it (B), in turns, on loopback.

    python3 tests/bench/callback/bench_callback.py [--only good,bad] [--rounds 3] [--hosts 200] [--json FILE]

B tells a receiver over TLS that takes 50 ms for every request. In the part `good` no task fails; in `bad` the last one fails on every
host, so that 200 events are kept and sent. A run of B counts only when every event has arrived or waits in the store, and none was refused.
The aim is at most 1.02 times the CPU. The receiver's CPU is not counted: it is in this process, and the runs are others.
Ansible is the one in VIGIL_TEST_BIN (default: beside this Python), the collection the one below VIGIL_TEST_COLLECTIONS or
ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "inspect"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import receivers
from measure import BenchError, Side, compare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FORKS = "20"
DELAY = 0.05  # seconds that the receiver takes for a request
AIM = 1.02
PARTS = ("good", "bad")


class Bench:
    """What the parts share: an environment, an inventory, a receiver."""

    def __init__(self, home: Path, rounds: int, hosts: int, failing: float = 0.0, tasks: str = "tasks.yml") -> None:
        self.tasks = tasks
        self.home, self.rounds, self.hosts = home, rounds, hosts
        self.bin = Path(os.environ.get("VIGIL_TEST_BIN", Path(sys.executable).parent))
        ca, certificate, key = receivers.make_certificates(home)
        self.receiver = receivers.Receiver(tls=(certificate, key))
        self.receiver.delay = DELAY
        self.channels = home / "channels.yml"
        self.channels.write_text(json.dumps([{"name": "slow", "url": self.receiver.url, "ca": ca}]))
        self.inventory = home / "hosts.ini"
        names = [f"host{number:03d}" for number in range(1, hosts + 1)]
        self.failing = {name for number, name in enumerate(names) if int((number + 1) * failing) > int(number * failing)}
        lines = [f"{name} bench_fails={str(name in self.failing).lower()}" for name in names]
        self.inventory.write_text("\n".join([*lines, "", "[all:vars]", "ansible_connection=local", ""]))
        collections = os.environ.get("VIGIL_TEST_COLLECTIONS", os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT.parent.parent.parent)))
        foreign = ("ANSIBLE_", "VIGIL_", "XDG_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.env["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")  # ours is compiled once, as Ansible is
        self.env.update(
            PATH=f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            HOME=str(home),
            LC_ALL="C.UTF-8",
            ANSIBLE_COLLECTIONS_PATH=collections,
            ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"),
            ANSIBLE_HOME=str(home / ".ansible"),
            ANSIBLE_NOCOLOR="1",
        )

    def side(self, name: str, fails: bool, settings: t.Mapping[str, str], check: t.Callable[[], None]) -> Side:
        """One command; what differs between the two is written before it, so that the line can be repeated."""
        words = [f"{key}={value}" for key, value in settings.items()]
        argv = [str(self.bin / "ansible-playbook"), "-i", str(self.inventory), "-f", FORKS, "-e", f"bench_fails={str(fails).lower()}"]
        return Side(name, ["env", *words, *argv, str(HERE / "tasks.yml")], check, rc=2 if fails else 0)

    def compare(self, part: str) -> dict[str, t.Any]:
        fails = part == "bad"
        store = self.home / "state.db"
        settings = {
            "ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook",
            "VIGIL_CHANNELS_FILE": str(self.channels),
            "VIGIL_STATE_URL": f"sqlite:///{store}",
        }
        a = self.side("callback off", fails, {}, lambda: None)
        b = self.side("callback on", fails, settings, functools.partial(self.none_lost, store, self.hosts if fails else 0))
        title = (
            f"{part}: {self.hosts} hosts x 5 tasks, {self.hosts if fails else 0} events, receiver over TLS that takes {DELAY * 1000:g} ms"
        )
        found = compare(title, a, b, self.env, self.rounds)
        print(f"aim: B/A <= {AIM} cpu; {'met' if found['cpu_ratio'] <= AIM else 'missed'}")
        return found

    def none_lost(self, store: Path, events: int) -> None:
        """A run that lost an event must not count. The store is removed, so that the next run has the same to tell."""
        connection = sqlite3.connect(store)
        rows = dict(connection.execute("SELECT state, COUNT(*) FROM outbox GROUP BY state").fetchall())
        queued = {row[0] for row in connection.execute("SELECT event FROM outbox WHERE state = 'queued'").fetchall()}
        connection.close()
        for path in store.parent.glob(store.name + "*"):
            path.unlink()
        arrived = {body["event_id"] for body in self.receiver.bodies}
        with self.receiver.lock:
            self.receiver.requests.clear()
        print(f"    told {len(arrived)}, kept for the next run {len(queued - arrived)}", flush=True)
        if len(arrived | queued) != events or sum(rows.values()) != events or rows.get("dead"):
            raise BenchError(f"{len(arrived)} of {events} events arrived, and the store holds {rows}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the callback vigil.ops.webhook costs.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--json", type=Path, default=ROOT / ".cache" / "bench" / "callback.json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if set(wanted) - set(PARTS) or args.rounds < 1 or args.hosts < 1:
        parser.error(f"--only takes {','.join(PARTS)}, --rounds and --hosts take 1 or more")
    found: dict[str, t.Any] = {}
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as home:
        bench = Bench(Path(home), args.rounds, args.hosts)
        versions = subprocess.run([bench.bin / "ansible", "--version"], env=bench.env, capture_output=True, text=True, check=True).stdout
        print(f"{versions.splitlines()[0]}, Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
        try:
            for part in wanted:
                found[part] = bench.compare(part)
        except BenchError as exc:
            print(f"bench.py: {exc}", file=sys.stderr)
            return 1
        finally:
            bench.receiver.close()
    args.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"ansible": versions.splitlines()[0], "cores": os.cpu_count(), "load": os.getloadavg(), "time": time.time()}
    args.json.write_text(json.dumps({"about": about, "parts": found}, indent=2) + "\n")
    print(f"\nload {os.getloadavg()[0]:.2f}\nWritten: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
