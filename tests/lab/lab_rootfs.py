# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian root file system that all nodes share read-only, and the programs that the lab needs on this host."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

from lab_node import LabError, run

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "ca-certificates", "procps", "chrony")
# program -> Debian package
PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "mount": "mount",
}
Say = t.Callable[[str], None]


def need_programs(say: Say) -> None:
    """Install what is missing by apt-get where that is possible, else name it (LabError)."""
    if os.geteuid() != 0:
        raise LabError("the lab boots containers: run it as root")
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"install these programs first: {', '.join(p for p in PROGRAMS if not shutil.which(p))}")
    say(f"installing {' '.join(missing)} ...")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], timeout=600, env=env)
    run(["apt-get", "install", "-y", "--no-install-recommends", *missing], timeout=1200, env=env)


def cache_dir() -> Path:
    """`VIGIL_LAB_CACHE`, else .cache/lab in this checkout."""
    given = os.environ.get("VIGIL_LAB_CACHE")
    return Path(given).resolve() if given else Path(__file__).resolve().parents[2] / ".cache" / "lab"


def rootfs(extra: t.Sequence[str], say: Say) -> Path:
    """The root file system with PACKAGES and `extra`, built on first use (20 to 60 s) and kept."""
    packages = [*PACKAGES, *sorted(set(extra) - set(PACKAGES))]
    key = hashlib.sha256(" ".join([SUITE, *packages]).encode()).hexdigest()[:12]
    place = cache_dir() / "rootfs"
    place.mkdir(parents=True, exist_ok=True)
    made = place / key
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two labs at once build it once
        if not made.is_dir():
            _build(made, packages, say)
    return made


def _build(made: Path, packages: t.Sequence[str], say: Say) -> None:
    for stale in made.parent.glob("*.part"):
        remove_tree(stale)
    part = made.with_suffix(".part")
    say(f"building the node image ({SUITE}, {len(packages)} packages) in {made} ...")
    begin = time.monotonic()
    # A mount and PID namespace of its own: when this process dies, what mmdebstrap started and mounted is gone as well.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    argv += ["--mount-proc", "mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(part)]
    try:
        run(argv, timeout=900)
    except subprocess.TimeoutExpired as exc:
        raise LabError("mmdebstrap did not finish in 15 minutes: is the Debian mirror reachable?") from exc
    part.rename(made)
    say(f"built in {time.monotonic() - begin:.0f} s, kept for the next time")


def remove_tree(path: Path) -> None:
    """Remove a folder and never what is mounted inside it."""
    if path.exists():
        run(["rm", "-rf", "--one-file-system", str(path)], timeout=300)
