# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A watcher as tests run it: its configuration, the process, and what systemd would hear."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "roles" / "watcher" / "files"


def write(place: Path, main: str = "", **files: str) -> str:
    """A configuration below a directory; returns the path of its main file."""
    (place / "watch.d").mkdir(exist_ok=True)
    (place / "vigil.yml").write_text(f"state_url: sqlite:///{place}/state.db\n{main}")
    for name, text in files.items():
        (place / "watch.d" / f"{name}.yml").write_text(text)
    return str(place / "vigil.yml")


def environment(place: Path) -> t.Dict[str, str]:
    """The watcher's environment in a directory."""
    paths = [path for path in sys.path if (Path(path) / "ansible_collections").is_dir()]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM), *paths]), "RUNTIME_DIRECTORY": str(place / "run")}


def command(place: Path, name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """`vigil NAME ARGS` with the configuration of a directory."""
    argv = [sys.executable, "-m", "vigil_watch", name, "--config", str(place / "vigil.yml"), *args]
    return subprocess.run(argv, env=environment(place), capture_output=True, text=True, check=False)


class Watcher:
    """A running watcher, its log, and what systemd would hear."""

    def __init__(self, place: Path, *args: str, watchdog: str = "") -> None:
        (place / "run").mkdir(exist_ok=True)
        self.place = place
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(place / "notify"))
        self.heard.settimeout(60)
        env = {**environment(place), "NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": watchdog}
        self.log = place / "log"
        with open(self.log, "wb") as out:
            argv = [sys.executable, "-m", "vigil_watch"]
            self.process = subprocess.Popen([*argv, "run", "--config", str(place / "vigil.yml"), *args], stderr=out, env=env)

    def hear(self, wanted: str) -> t.List[str]:
        """What is told to systemd, up to a word."""
        heard: t.List[str] = []
        while not any(wanted in word for word in heard):
            heard.append(self.heard.recv(4096).decode())
        return heard

    def said(self, wanted: str, seconds: float = 40.0) -> t.Dict[str, t.Any]:
        """The first line of the log with this text."""
        until = time.monotonic() + seconds
        while True:
            for line in self.log.read_text().splitlines():
                if wanted in line:
                    return json.loads(line)
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        return command(self.place, *args)

    def children(self) -> t.List[int]:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.heard.close()
