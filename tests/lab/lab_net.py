# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which loopback addresses, so that several labs can be up on one host."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import typing as t
from pathlib import Path

from lab_node import LabError

# For each lab: a lock, the folder of ssh control sockets, and a claim: a file named like the range that holds the lab's directory.
RUN = Path("/run/vigil-lab")
PORTS = (22, 2222, 22022)  # the second and third for a host whose own sshd listens everywhere


@contextlib.contextmanager
def locked(name: str) -> t.Iterator[None]:
    """One process at a time for this name; the kernel lets go when the process dies."""
    RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = RUN / f"{name}.lock"
    while True:
        with open(path, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                continue  # the one before removed this file
            try:
                yield
            finally:
                path.unlink()
            return


def free_range(count: int, owner: Path) -> tuple[str, int]:
    """("127.0.1", 22): a range whose first `count` addresses are free at this port and that no other lab claims."""
    for port in PORTS:
        for net in (f"127.0.{number}" for number in range(1, 251)):
            if not claimed(net, owner) and all(_free(f"{net}.{number}", port) for number in range(1, count + 1)):
                return net, port
    raise LabError(f"no loopback range 127.0.1-250.x with port {' or '.join(map(str, PORTS))} free")


def claimed(net: str, by_other_than: Path) -> bool:
    """Whether another lab that still exists holds this range."""
    try:
        owner = Path((RUN / net).read_text())
        return bool(owner != by_other_than and json.loads((owner / "lab.json").read_text()).get("net") == net)
    except (OSError, ValueError):
        return False


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
