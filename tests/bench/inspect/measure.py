# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of two commands in turns, measured by the kernel's accounts, and a server for them to ask."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import os
import shlex
import statistics
import subprocess
import threading
import time
import typing as t
from pathlib import Path

BODY = json.dumps({"status": "up"}).encode()


class _Page(http.server.BaseHTTPRequestHandler):
    """Every path answers 200 with a small JSON document."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: t.Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        pass  # a port check hangs up without a word


@contextlib.contextmanager
def server() -> t.Iterator[int]:
    """A threaded HTTP server on every loopback address; its port."""
    made = _Server(("127.0.0.1", 0), _Page)
    port = made.server_address[1]
    others = [_Server((f"127.0.0.{number}", port), _Page) for number in (2, 3, 4)]
    for one in (made, *others):
        threading.Thread(target=one.serve_forever, daemon=True).start()
    try:
        yield port
    finally:
        for one in (made, *others):
            one.shutdown()
            one.server_close()


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a command. Seconds; cpu is user and system of it and all that it waited for."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two commands, what must hold after it so that the run counts, and the exit code that is right."""

    name: str
    argv: t.Sequence[str]
    check: t.Callable[[], None] = lambda: None
    rc: int = 0


class BenchError(Exception):
    """A run that did not do its work."""


def measure(side: Side, env: t.Mapping[str, str], timeout: float = 900) -> Run:
    """Run it once. Raises BenchError with the end of its output when it fails."""
    with open(Path(env["HOME"]) / "last.log", "w+") as log:
        begin = time.monotonic()
        process = subprocess.Popen(side.argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=env["HOME"])
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        tail = "\n".join(log.read().splitlines()[-40:])
    if process.returncode != side.rc:
        raise BenchError(f"{side.name} ended with {process.returncode}: {shlex.join(side.argv)}\n{tail}")
    side.check()
    return Run(wall, used.ru_utime + used.ru_stime)


def compare(title: str, a: Side, b: Side, env: t.Mapping[str, str], rounds: int) -> dict[str, t.Any]:
    """A B A B ...: prints the command lines, every pair and the medians; the numbers as data. A ratio says how much more B takes."""
    print(f"\n== {title}\nA {a.name}: {shlex.join(a.argv)}\nB {b.name}: {shlex.join(b.argv)}", flush=True)
    pairs: list[tuple[Run, Run]] = []
    for number in range(rounds):
        pair = measure(a, env), measure(b, env)
        pairs.append(pair)
        print(
            f"round {number + 1}: A {pair[0].wall:6.2f} s wall {pair[0].cpu:6.2f} s cpu   B {pair[1].wall:6.2f} s wall {pair[1].cpu:6.2f} s cpu",
            flush=True,
        )
    found: dict[str, t.Any] = {"title": title, "a": _side(a, [p[0] for p in pairs]), "b": _side(b, [p[1] for p in pairs])}
    for what in ("wall", "cpu"):
        found[f"{what}_ratio"] = round(statistics.median(getattr(y, what) / getattr(x, what) for x, y in pairs), 2)
    print(
        f"median: A {found['a']['wall']} s wall {found['a']['cpu']} s cpu, B {found['b']['wall']} s wall {found['b']['cpu']} s cpu; "
        f"B/A {found['wall_ratio']} wall, {found['cpu_ratio']} cpu",
        flush=True,
    )
    return found


def _side(side: Side, runs: t.Sequence[Run]) -> dict[str, t.Any]:
    return {
        "name": side.name,
        "command": shlex.join(side.argv),
        "wall": round(statistics.median(run.wall for run in runs), 2),
        "cpu": round(statistics.median(run.cpu for run in runs), 2),
        "runs": [{"wall": round(run.wall, 3), "cpu": round(run.cpu, 3)} for run in runs],
    }
