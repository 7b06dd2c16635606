# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node of the lab: its files, its processes, and how to reach it over ssh."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import signal
import subprocess
import time
import typing as t
import uuid
from pathlib import Path

NODE_SH = Path(__file__).resolve().with_name("node.sh")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOTED = ("running", "degraded")
_STARTED: list[subprocess.Popen[bytes]] = []  # by this process


class LabError(Exception):
    """Something the lab cannot do here; the text is one sentence for the user."""


def run(argv: t.Sequence[str], timeout: float = 60, **kwargs: t.Any) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it said; a failure is a LabError with its last lines."""
    done = subprocess.run(list(argv), capture_output=True, text=True, timeout=timeout, check=False, **kwargs)
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-10:])
        raise LabError(f"{shlex.join(argv)} failed with {done.returncode}: {tail}")
    return done


def systemd_host() -> bool:
    """Whether systemd runs this host on cgroup v2 (then nspawn gets a scope from it and needs no help)."""
    return Path("/run/systemd/system").is_dir() and Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat, the clock ticks at which it started; None when there is no such process (a zombie is none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] == "Z" else fields[19]


def all_pids() -> t.Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def proc_strings(pid: int, what: str) -> list[bytes]:
    """The NUL separated strings of /proc/PID/cmdline or environ; one empty string when it is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().split(b"\0")
    except OSError:
        return [b""]


@dataclasses.dataclass
class Node:
    """A node. `number` counts from 1; `dir` holds everything that is its own."""

    number: int
    name: str
    address: str
    port: int
    dir: Path
    rootfs: Path
    machine: str  # unique on this host, while `name` is not
    machine_id: str
    ssh_args: tuple[str, ...]

    # -- processes ------------------------------------------------------------------------------------------------

    @property
    def cgroup(self) -> str:
        """Its group below the cgroup v2 root, empty where systemd runs the host."""
        return "" if systemd_host() else f"vigil-lab/{self.machine}"

    def holder(self) -> int | None:
        """The process that holds the node, if it is still the one that was started."""
        try:
            pid, started, boot = (self.dir / "pid").read_text().split()
        except (OSError, ValueError):
            return None
        same_boot = boot == BOOT_ID.read_text().strip()
        return int(pid) if same_boot and _start_time(int(pid)) == started else None

    def processes(self) -> dict[str, int]:
        """Those that are alive of holder, nspawn and init (the node's PID 1): found by what only this node carries."""
        _STARTED[:] = [child for child in _STARTED if child.poll() is None]  # takes leave of those that ended
        found = {}
        holder = self.holder()
        if holder:
            found["holder"] = holder
        for pid in all_pids():
            argv = proc_strings(pid, "cmdline")
            if argv[0].endswith(b"systemd-nspawn") and self.machine.encode() in argv:
                found["nspawn"] = pid
            elif b"systemd" in argv[0] and f"container_uuid={uuid.UUID(self.machine_id)}".encode() in proc_strings(pid, "environ"):
                found["init"] = pid
        return found

    def alive(self) -> bool:
        return "nspawn" in self.processes()

    def start(self) -> None:
        """Boot it (does not wait); its overlay is as it was left."""
        if self.alive():
            return
        self.kill()  # what a crashed start left behind
        for part in ("root", "store/upper", "store/work"):
            (self.dir / part).mkdir(parents=True, exist_ok=True)
        argv = ["unshare", "--mount", "--propagation", "private", str(NODE_SH), str(self.dir), str(self.rootfs)]
        argv += [self.machine, self.name, self.machine_id, self.cgroup]
        with open(self.dir / "console.log", "ab") as console:
            _STARTED.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True))

    def stop(self, timeout: float = 20) -> None:
        """Shut it down in order; what does not end in time is killed."""
        nspawn = self.processes().get("nspawn")
        if nspawn:
            os.kill(nspawn, signal.SIGTERM)  # with -b nspawn hands this to the node's systemd as "power off"
            self._until_gone(timeout)
        self.kill()

    def kill(self) -> None:
        """End it like a power cut. The overlay stays. Harmless when nothing runs."""
        for _attempt in range(50):
            alive = self.processes()
            for pid in alive.values():  # the holder comes first, so that it starts nothing new
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            is_gone = self._kill_group()
            if not alive and is_gone:
                break
            time.sleep(0.1)
        else:
            raise LabError(f"{self.name}: processes {self.processes()} did not end, or their cgroup {self.cgroup} cannot be removed")
        (self.dir / "pid").unlink(missing_ok=True)
        shutil.rmtree(f"/run/systemd/nspawn/propagate/{self.machine}", ignore_errors=True)

    def _kill_group(self) -> bool:
        """Empty and remove the node's cgroup, wherever this host shows cgroup v2; False while something in it is still ending."""
        is_gone = True
        if not self.cgroup:
            return is_gone
        for line in Path("/proc/self/mounts").read_text().splitlines():
            mount = line.split()
            group = Path(mount[1]) / self.cgroup
            if mount[2] != "cgroup2" or not group.is_dir():
                continue
            if (group / "cgroup.kill").exists():
                (group / "cgroup.kill").write_text("1")
            for path, _dirs, _files in os.walk(group, topdown=False):
                try:
                    os.rmdir(path)
                except FileNotFoundError:
                    pass
                except OSError:
                    is_gone = False  # the next look takes it
        return is_gone

    def _until_gone(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while self.processes() and time.monotonic() < end:
            time.sleep(0.1)

    # -- reaching it ----------------------------------------------------------------------------------------------

    def ssh_argv(self, *options: str) -> list[str]:
        return ["ssh", *self.ssh_args, *options, "-p", str(self.port), f"root@{self.address}"]

    def ssh(
        self, command: str | t.Sequence[str], *, check: bool = True, timeout: float = 60, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line (or an argv) on the node. check: a failure is a LabError. Text in and out."""
        line = command if isinstance(command, str) else shlex.join(command)
        argv = [*self.ssh_argv("-o", "BatchMode=yes", "-o", "ConnectTimeout=5"), "--", line]
        given: dict[str, t.Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        if check:
            return run(argv, timeout=timeout, **given)
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **given)

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Put a text file on the node, folders included."""
        where = shlex.quote(path)
        self.ssh(f"mkdir -p $(dirname {where}) && cat > {where} && chmod {mode} {where}", stdin=text)

    def read(self, path: str) -> str:
        return self.ssh(["cat", path]).stdout

    def state(self, timeout: float = 5) -> str:
        """What `systemctl is-system-running` says, `down` when it does not run, `unreachable` when ssh does not answer."""
        if not self.alive():
            return "down"
        try:
            return self.ssh("systemctl is-system-running", check=False, timeout=timeout).stdout.strip() or "unreachable"
        except subprocess.TimeoutExpired:
            return "unreachable"

    def wait(self, timeout: float = 90) -> float:
        """Wait until it is booted and answers over ssh; the seconds it took, LabError with the console's end if it does not."""
        begin = time.monotonic()
        state = "down"
        while time.monotonic() - begin < timeout:
            state = self.state()
            if state in BOOTED:
                return time.monotonic() - begin
            time.sleep(0.2)
            if time.monotonic() - begin > 3 and not self.processes():
                break  # ended before it was up
        log = self.dir / "console.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
        raise LabError(f"{self.name} is {state} after {time.monotonic() - begin:.0f} s; the end of {log}:\n{tail}")
