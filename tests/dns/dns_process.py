# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that tests of DNS start: where they are, a free port for them, and a process that ends with its test."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

CACHE_BIN = Path(__file__).resolve().parents[2] / ".cache" / "bin"
PACKAGES = {"nsd-control": "nsd", "ldns-signzone": "ldnsutils", "ldns-keygen": "ldnsutils"}
START_SECONDS = 60.0  # a loaded machine is slow; a broken configuration ends the program at once
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class DnsLabError(Exception):
    """A server of the tests that cannot do what a test wants of it."""


def program(name: str) -> str:
    """The path of a program. Debian keeps servers in /usr/sbin, which is not on the PATH of everybody."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", str(CACHE_BIN)])
    found = shutil.which(name, path=places)
    if not found:
        package = PACKAGES.get(name, name)
        raise DnsLabError(f"the program {name} is not on this machine; Debian and Ubuntu: apt-get install {package}")
    return found


def free_port(address: str = "127.0.0.1") -> int:
    """A port free for UDP and TCP, below those that the kernel hands out: nobody takes it while a server is stopped for a moment."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _attempt in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
            try:
                udp.bind((address, port))
                tcp.bind((address, port))
                return port
            except OSError:
                continue
    raise DnsLabError(f"no free port on {address}")


def run(*argv: t.Union[str, Path], cwd: t.Optional[Path] = None) -> str:
    """Run a quiet step; returns its output, raises DnsLabError with it."""
    command = [program(str(argv[0])), *[str(part) for part in argv[1:]]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False, cwd=cwd)
    if done.returncode:
        raise DnsLabError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def _die_with_parent() -> None:
    """In the child: no server outlives a test run that was killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """A program in the foreground with a directory of its own. Subclasses write its configuration and say when it answers."""

    def __init__(self, address: str, port: int) -> None:
        self.host, self.port = address, port or free_port(address)
        self.dir = Path(tempfile.mkdtemp(prefix="vigil-dns-"))  # short: a socket's path is limited to 107 bytes
        self.process: t.Optional[subprocess.Popen[bytes]] = None

    # -- what tests use -------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """As a playbook would write it: 127.0.0.1:25300 or [::1]:25300."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self) -> None:
        """Start it on the same port as before; returns when it answers."""
        if self.process is not None:
            return
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=_die_with_parent
            )
        try:
            self.wait_for(self.answers, f"{self.command()[0]} does not start on {self.address}")
        except DnsLabError:
            self.kill()
            raise

    def wait_for(self, done: t.Callable[[], bool], complaint: str) -> None:
        """Wait until it is so. Raises DnsLabError with the program's log when the program ended or the time is over."""
        end = time.monotonic() + START_SECONDS
        while not done():
            if self.process is None or self.process.poll() is not None or time.monotonic() > end:
                raise DnsLabError(f"{complaint}: {self.log()[-1500:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with everything it started."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self) -> str:
        place = self.dir / "log"
        return place.read_text(encoding="utf-8", errors="replace") if place.exists() else ""

    # -- what subclasses give -------------------------------------------------------------------------------------

    def command(self) -> t.List[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if how == signal.SIGKILL:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # a child that lingers would still hold the port
