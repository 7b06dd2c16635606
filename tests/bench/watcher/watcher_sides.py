# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same job for each of those that are measured, and what their processes cost."""

from __future__ import annotations

import dataclasses
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MARK = "VIGIL_BENCH_SIDE"
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", str(ROOT / ".cache" / "bin")])


@dataclasses.dataclass
class Job:
    """What is watched: endpoints and files by checks, logs by a rule, and files below a directory."""

    home: Path
    port: int
    checks: int
    logs: int
    files: int
    every: int = 30

    def make(self) -> None:
        """The files and logs."""
        for number in range(self.files):
            place = self.home / "data" / f"d{number // 100:04d}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"f{number % 100:02d}").write_text(f"key{number} = value\n" * 10)
        (self.home / "logs").mkdir()
        for number in range(self.logs):
            (self.home / "logs" / f"app{number}.log").write_text("2026-01-01 00:00:00 INFO hello\n" * 100)


class Web(http.server.BaseHTTPRequestHandler):
    """Answers ok; runs in the process of the bench, which counts for nobody."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *unused: t.Any) -> None:
        pass


def serve() -> int:
    """A port on loopback that answers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


@dataclasses.dataclass
class Cost:
    """CPU seconds so far, and MiB: resident of each process added up, the same with shared pages counted once (PSS), and how many processes that are."""

    cpu: float
    rss: float
    pss: float
    processes: int


class Side:
    """A program that runs; all that it starts carries a mark in its environment."""

    def __init__(self, name: str, argv: t.Sequence[t.Any], env: t.Optional[t.Mapping[str, str]] = None, note: str = "") -> None:
        self.name, self.note = name, note
        self._mark = f"{os.getpid()}-{name}".replace(" ", "-")
        own = {**os.environ, **(env or {}), MARK: self._mark}
        self._process = subprocess.Popen([str(one) for one in argv], env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pids(self) -> t.List[int]:
        mark, found = f"{MARK}={self._mark}".encode(), []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                        found.append(int(name))
                except OSError:
                    continue
        return found

    def cost(self) -> Cost:
        cpu = rss = pss = 0.0
        pids = self.pids()
        for pid in pids:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                rows = dict(line.split(":")[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
            except (OSError, ValueError):
                continue
            cpu += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            rss += int(rows["Rss"].split()[0]) / 1024
            pss += int(rows["Pss"].split()[0]) / 1024
        return Cost(cpu, rss, pss, len(pids))

    def lives(self) -> bool:
        return self._process.poll() is None

    def work(self) -> None:
        """What somebody else does for it all the time."""

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def program(name: str) -> t.Optional[str]:
    """Where a program is, if it is here."""
    return shutil.which(name, path=PLACES)


def environment(cache: Path) -> Path:
    """The Python that a node has: the packages of the role, pinned."""
    python = cache / f"watcher-{sys.version_info[0]}.{sys.version_info[1]}" / "bin" / "python"
    ready = python.parent.parent / "ready"
    wanted = ROOT / "roles" / "watcher" / "files" / "requirements.txt"
    if not ready.exists() or ready.read_text() != wanted.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(python.parent.parent)], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", str(wanted)]
        subprocess.run(pip, check=True)
        ready.write_text(wanted.read_text())
    return python


def vigil_files(job: Job) -> Path:
    """The configuration of a watcher; returns its main file."""
    place = job.home / "vigil"
    (place / "watch.d").mkdir(parents=True)
    (place / "run").mkdir()
    kinds = (
        f"tcp: {{host: 127.0.0.1, port: {job.port}}}",
        f"http: {{url: 'http://127.0.0.1:{job.port}/'}}",
        f"file: {{path: {job.home}/data/d0000/f00}}",
        "disk: {path: /}",
    )
    checks = [f"- {{name: check {number}, {kinds[number % 4]}, every: {job.every}s}}\n" for number in range(job.checks)]
    rule = "{name: errors, regex: ERROR, threshold: {count: 11, within: 60s}}"
    logs = [f"- {{name: app{number}, sources: [{job.home}/logs/app{number}.log], rules: [{rule}]}}\n" for number in range(job.logs)]
    files = f"- {{name: data, paths: [{job.home}/data], repository: {place}/repository}}\n"
    for name, lines in (("checks", checks), ("logs", logs), ("files", [files])):
        (place / "watch.d" / f"{name}.yml").write_text(f"{name}:\n" + "".join(lines))
    main = place / "vigil.yml"
    main.write_text(f"name: bench\nstate_url: sqlite:///{place}/state.db\nchannels: ['file://{place}/told']\n")
    return main


def vigil(job: Job, python: Path, tree: str) -> Side:
    """Ours."""
    main = vigil_files(job)
    paths = os.pathsep.join([str(ROOT / "roles" / "watcher" / "files"), tree])
    env = {"PYTHONPATH": paths, "RUNTIME_DIRECTORY": str(main.parent / "run"), "PYTHONDONTWRITEBYTECODE": "1"}
    return Side("vigil_watch", [python, "-m", "vigil_watch", "run", "--config", main], env, "all of it")


def monit(job: Job) -> t.Optional[Side]:
    """Checks, logs, and each file by its time stamp; every cycle looks at all."""
    binary = program("monit")
    if not binary:
        return None
    place = job.home / "monit"
    place.mkdir()
    text = [f"set daemon {job.every}\nset idfile {place}/id\nset statefile {place}/state\nset pidfile {place}/pid\nset log {place}/log\n"]
    for number in range(job.checks):
        kind = number % 4
        if kind < 2:
            protocol = " protocol http" if kind else ""
            text.append(f"check host h{number} with address 127.0.0.1\n  if failed port {job.port}{protocol} then alert\n")
        elif kind == 2:
            text.append(f"check file c{number} with path {job.home}/data/d0000/f00\n  if not exist then alert\n")
        else:
            text.append(f"check filesystem s{number} with path /\n  if space usage > 90% then alert\n")
    for number in range(job.logs):
        text.append(f'check file l{number} with path {job.home}/logs/app{number}.log\n  if match "ERROR" then alert\n')
    for number in range(job.files):
        text.append(
            f"check file f{number} with path {job.home}/data/d{number // 100:04d}/f{number % 100:02d}\n  if changed timestamp then alert\n"
        )
    conf = place / "monitrc"
    conf.write_text("".join(text))
    conf.chmod(0o600)
    return Side("monit", [binary, "-I", "-c", conf], note="all of it; no snapshots, no diff, files by their time stamps")


def fail2ban(job: Job) -> t.Optional[Side]:
    """Logs alone."""
    binary = program("fail2ban-server")
    if not binary:
        return None
    place = job.home / "fail2ban"
    for name in ("filter.d", "action.d"):
        (place / name).mkdir(parents=True)
    (place / "filter.d" / "errors.conf").write_text("[Definition]\nfailregex = ERROR <HOST>\n")
    (place / "action.d" / "none.conf").write_text("[Definition]\nactionban = true\nactionunban = true\n")
    (place / "fail2ban.conf").write_text(
        f"[Definition]\nloglevel = ERROR\nlogtarget = {place}/log\nsyslogsocket = auto\nsocket = {place}/sock\npidfile = {place}/pid\n"
        f"dbfile = {place}/db\ndbpurgeage = 1d\nallowipv6 = auto\n"
    )
    jails = "".join(
        f"[app{number}]\nenabled = true\nfilter = errors\naction = none\nlogpath = {job.home}/logs/app{number}.log\nmaxretry = 11\nfindtime = 60\n"
        for number in range(job.logs)
    )
    (place / "jail.conf").write_text(f"[DEFAULT]\nbackend = polling\nusedns = no\n{jails}")
    return Side("fail2ban", [binary, "-f", "-c", place, "-s", place / "sock", "-p", place / "pid", "start"], note="logs alone, by polling")


class Blackbox(Side):
    """TCP and HTTP checks alone; the bench asks it, as Prometheus would."""

    def __init__(self, job: Job, binary: str, port: int) -> None:
        place = job.home / "blackbox.yml"
        place.write_text("modules:\n  http: {prober: http}\n  tcp: {prober: tcp}\n")
        argv = [binary, f"--config.file={place}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        super().__init__("blackbox_exporter", argv, note="half of the checks (tcp, http), asked by the bench, which does not count")
        self._urls = [
            f"http://127.0.0.1:{port}/probe?module={kind}&target={target}127.0.0.1:{job.port}"
            for kind, target in [("tcp", ""), ("http", "http://")] * (job.checks // 4)
        ]
        self._pause = job.every / max(len(self._urls), 1)
        self._next, self._turn = time.monotonic(), 0

    def work(self) -> None:
        while self._urls and time.monotonic() >= self._next:
            self._next += self._pause
            self._turn += 1
            try:
                with urllib.request.urlopen(self._urls[self._turn % len(self._urls)], timeout=5) as answer:
                    answer.read()
            except OSError:
                continue


def blackbox(job: Job) -> t.Optional[Side]:
    """blackbox_exporter, where it is here."""
    binary = program("prometheus-blackbox-exporter")
    if not binary:
        return None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Blackbox(job, binary, port)
