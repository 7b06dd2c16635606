# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One side of a comparison, as a process of its own: probes, and prints what it took, as JSON.

prober.py http|tcp|tls|dead|local|requests|contexts OPTIONS, with OPTIONS as JSON: first (port), count, rounds, and more for some.
"""

from __future__ import annotations

import concurrent.futures
import json
import resource
import socket
import ssl
import statistics
import sys
import threading
import time
import typing as t

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


def inspected(raw: t.List[Options], rounds: int, wanted: t.Optional[int] = None, timeout: float = 60) -> None:
    """What the module inspect does with a list on its host: read the checks, look, judge, score. So many of them must be ok."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow

    def work() -> Options:
        latencies: t.List[float] = []
        for _round in range(rounds):
            done = flow.inspect(flow.read_checks(raw), timeout=timeout)
            if done["summary"]["ok"] != (len(raw) if wanted is None else wanted):
                bad = [result["summary"] for result in done["results"] if result["status"] != "ok"]
                raise SystemExit(f"{done['summary']}: {bad[:3]}")
            latencies += [result["metrics"].get("latency_ms", 0) for result in done["results"] if result["status"] == "ok"]
        return {"median_latency_ms": round(statistics.median(latencies), 2)}

    timed(work, len(raw) * rounds)


def http(options: Options) -> None:
    inspected(http_checks(options), options["rounds"])


def http_checks(options: Options) -> t.List[Options]:
    ports = range(options["first"], options["first"] + options["count"])
    wanted = {"status": 200, "json.status": "up", "phases.connect": "< 5000", "latency_ms": "< 5000"}
    return [{"name": f"web {port}", "http": {"url": f"http://127.0.0.1:{port}/health"}, "expect": wanted} for port in ports]


def tcp(options: Options) -> None:
    ports = range(options["first"], options["first"] + options["count"])
    inspected([{"name": f"port {port}", "tcp": {"port": port}} for port in ports], options["rounds"])


def tls(options: Options) -> None:
    ports = range(options["first"], options["first"] + options["count"])
    checks = [{"name": f"tls {port}", "tls": {"host": "127.0.0.1", "port": port, "ca": options["ca"]}} for port in ports]
    inspected(checks, options["rounds"])


def dead(options: Options) -> None:
    """Every tenth is dead: half of these never answer a connection, half take it and say nothing."""
    checks = http_checks(options)
    for place in range(0, len(checks), 10):
        port = options["dead"][place // 10 % 2]
        checks[place]["http"] = {"url": f"http://127.0.0.1:{port}/", "timeout": options["timeout"]}
    inspected(checks, 1, wanted=len(checks) - len(checks[::10]))


def local(options: Options) -> None:
    """Checks of this host, 50 each of four kinds."""
    checks: t.List[Options] = []
    for number in range(options["count"] // 4):
        checks.append({"name": f"disk {number}", "disk": {"path": "/"}, "expect": {"total_bytes": "> 0"}})
        checks.append({"name": f"process {number}", "process": {"pattern": f"python.*{number % 5}|python"}, "expect": {"count": ">= 1"}})
        checks.append({"name": f"file {number}", "file": {"path": "/etc/passwd"}, "expect": {"type": "file"}})
        checks.append({"name": f"user {number}", "user": {"name": "root"}, "expect": {"uid": 0}})
    inspected(checks, options["rounds"])


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
