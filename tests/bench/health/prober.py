# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One side of a comparison, as a process of its own: probes, and prints what it took, as JSON.

prober.py http|tcp|tls|dead|local|requests|contexts OPTIONS, with OPTIONS as JSON: first (port), count, rounds, and more for some.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import json
import os
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

THREADS = 50
Options = t.Dict[str, t.Any]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    more = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + more.ru_utime + more.ru_stime


def timed(work: t.Callable[[], t.Optional[Options]], count: int) -> None:
    """Do it and print; what it returns is printed along."""
    used, begin = cpu(), time.perf_counter()
    more = work()
    seconds, used = time.perf_counter() - begin, cpu() - used
    print(json.dumps({"names": count, "seconds": round(seconds, 4), "cpu": round(used, 4), **(more or {})}))


def inspected(
    raw: t.List[Options],
    rounds: int,
    wanted: t.Optional[int] = None,
    timeout: float = 60,
    run: t.Any = None,
    more: t.Optional[t.Callable[[], Options]] = None,
) -> None:
    """What the module inspect does with a list on its host: read the checks, look, judge, score. So many of them must be ok."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow

    def work() -> Options:
        latencies: t.List[float] = []
        for _round in range(rounds):
            done = flow.inspect(flow.read_checks(raw), run, timeout=timeout)
            if done["summary"]["ok"] != (len(raw) if wanted is None else wanted):
                bad = [result["summary"] for result in done["results"] if result["status"] != "ok"]
                raise SystemExit(f"{done['summary']}: {bad[:3]}")
            latencies += [result["metrics"].get("latency_ms", 0) for result in done["results"] if result["status"] == "ok"]
        return {"median_latency_ms": round(statistics.median(latencies), 2), **(more() if more else {})}

    timed(work, len(raw) * rounds)


def warm(raw: t.List[Options], rounds: int) -> None:
    """The same once everything is loaded, as the programs beside it have run for a while; the time of the whole process is told, too."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow

    flow.inspect(flow.read_checks(raw[:1]))
    inspected(raw, rounds)


def http(options: Options) -> None:
    warm(http_checks(options), options["rounds"])


def http_checks(options: Options) -> t.List[Options]:
    ports = range(options["first"], options["first"] + options["count"])
    wanted = {"status": 200, "json.status": "up", "phases.connect": "< 5000", "latency_ms": "< 5000"}
    return [{"name": f"web {port}", "http": {"url": f"http://127.0.0.1:{port}/health"}, "expect": wanted} for port in ports]


def tcp(options: Options) -> None:
    ports = range(options["first"], options["first"] + options["count"])
    warm([{"name": f"port {port}", "tcp": {"port": port}} for port in ports], options["rounds"])


def tls(options: Options) -> None:
    ports = range(options["first"], options["first"] + options["count"])
    checks = [{"name": f"tls {port}", "tls": {"host": "127.0.0.1", "port": port, "ca": options["ca"]}} for port in ports]
    warm(checks, options["rounds"])


def dead(options: Options) -> None:
    """Every tenth is dead: half of these never answer a connection, half take it and say nothing."""
    checks = http_checks(options)
    for place in range(0, len(checks), 10):
        port = options["dead"][place // 10 % 2]
        checks[place]["http"] = {"url": f"http://127.0.0.1:{port}/", "timeout": options["timeout"]}
    inspected(checks, 1, wanted=len(checks) - len(checks[::10]))


SLEEPER = "import sys, time; print(1, flush=True); time.sleep(600)"
PROCESSES = 5


def local(options: Options) -> None:
    """Checks of this host, as many of each of ten kinds. Processes and units that it looks for are its own."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what leaves its parent comes here, see of_lookers
    with contextlib.ExitStack() as stack:
        words = [f"vigil-bench-{os.getpid()}-{number}" for number in range(PROCESSES)]
        for word in words:
            made = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", SLEEPER, word], stdout=subprocess.PIPE, start_new_session=True)
            )
            stack.callback(made.kill)
            made.stdout.readline()  # type: ignore[union-attr]
        here = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        systemctl = Systemctl(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vigil-bench-"))))
        checks = local_checks(options["count"], words, here.getsockname()[1])
        counts = counted(checks, systemctl)
        before = of_lookers()
        inspected(checks, options["rounds"], run=systemctl, more=lambda: {**counts, "cpu_of_lookers": round(of_lookers() - before, 2)})


def local_checks(count: int, words: t.List[str], port: int) -> t.List[Options]:
    kinds: t.List[Options] = [
        {"disk": {"path": "/"}, "expect": {"total_bytes": "> 0"}},
        {"inode": {"path": "/"}, "expect": {"used_percent": ">= 0"}},
        {"process": {"pattern": "{word}$"}, "expect": {"count": 1}},
        {"service": {"name": "vigil-bench-{number}"}},
        {"file": {"path": "/etc/passwd"}, "expect": {"type": "file"}},
        {"mount": {"path": "/proc"}},
        {"port": {"port": port}, "expect": {"pid": os.getpid()}},
        {"user": {"name": "root"}, "expect": {"uid": 0}},
        {"memory": {}, "expect": {"total_bytes": "> 0"}},
        {"kernel": {"name": "kernel.pid_max"}, "expect": {"value": "> 1"}},
    ]
    checks = []
    for number in range(count):
        text = json.dumps(kinds[number % len(kinds)])
        text = text.replace("{word}", words[number // len(kinds) % len(words)]).replace("{number}", str(number))
        checks.append({"name": f"check {number}", **json.loads(text)})
    return checks


class Systemctl:
    """Runs programs; there is a systemctl that knows every unit, so that it does not matter what runs this machine. Counts its calls."""

    def __init__(self, home: Path) -> None:
        self.calls = 0
        self.program = home / "systemctl"
        self.program.write_text(
            '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\nfor unit; do\n'
            "printf 'Id=%s\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\nUnitFileState=enabled\\n\\n' \"$unit\"\ndone\n"
        )
        self.program.chmod(0o755)

    def __call__(self, argv: t.List[str], timeout: float) -> t.Tuple[int, str, str]:
        self.calls += 1
        done = subprocess.run([str(self.program), *argv[1:]], capture_output=True, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout, done.stderr


def of_lookers() -> float:
    """Processor time of the living processes below this one: those that look at files are in no sum of children, as nobody waits for them."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = place.read_text(errors="replace").rpartition(")")[2].split()
            found[int(place.parent.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    below = {os.getpid()}
    for _level in range(4):
        below |= {pid for pid, (parent, _ticks) in found.items() if parent in below}
    return sum(found[pid][1] for pid in below - {os.getpid()}) / os.sysconf("SC_CLK_TCK")


def counted(checks: t.List[Options], systemctl: Systemctl) -> Options:
    """How often what all checks share is looked at in one run, by what Python says of itself."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow

    seen: t.Dict[str, int] = {"/proc": 0, "/proc/self/mountinfo": 0}
    listening = [True]

    def hear(event: str, args: t.Tuple[t.Any, ...]) -> None:
        if listening and event in ("open", "os.listdir") and args[0] in seen:
            seen[args[0]] += 1

    sys.addaudithook(hear)
    systemctl.calls = 0
    flow.inspect(flow.read_checks(checks), systemctl)
    listening.clear()
    counts = {"processes_listed": seen["/proc"], "systemctl_calls": systemctl.calls, "mounts_read": seen["/proc/self/mountinfo"]}
    if set(counts.values()) != {1}:
        raise SystemExit(f"not once: {counts}")
    return counts


def requests(options: Options) -> None:
    """A pool of threads with a requests.Session each, as a script would have it."""
    import requests as library  # type: ignore[import-untyped]

    here = threading.local()

    def look(port: int) -> bool:
        session = getattr(here, "session", None)
        if session is None:
            session = here.session = library.Session()
            session.trust_env = False
        answer = session.get(f"http://127.0.0.1:{port}/health", timeout=5)
        return bool(answer.status_code == 200 and answer.json()["status"] == "up")

    pooled(look, options)


def contexts(options: Options) -> None:
    """A TLS context of its own for each look, as open_url and many scripts have it."""

    def look(port: int) -> bool:
        context = ssl.create_default_context()
        context.load_verify_locations(options["ca"])
        with socket.create_connection(("127.0.0.1", port), 60) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            return bool(secured.getpeercert())

    pooled(look, options)


def pooled(look: t.Callable[[int], bool], options: Options) -> None:
    ports = [options["first"] + number for number in range(options["count"])] * options["rounds"]

    def work() -> None:
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            if not all(pool.map(look, ports)):
                raise SystemExit("not all are well")

    timed(work, len(ports))


if __name__ == "__main__":
    {"http": http, "tcp": tcp, "tls": tls, "dead": dead, "local": local, "requests": requests, "contexts": contexts}[sys.argv[1]](
        json.loads(sys.argv[2])
    )
