# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds a lease: a name of this process that no later process can have, and whether such a process still lives."""

from __future__ import annotations

import os
import socket
from typing import Tuple

_ENDED = ("Z", "X")  # as proc(5) says: where nobody asks how its orphans ended, as in many containers, they stay like this


def _node() -> str:
    """This machine since its boot and this process space (containers have their own); a name that is the same for all processes here."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
            boot = handle.read().strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def _seen(pid: int) -> Tuple[str, str]:
    """The process's state (``Z``: it has ended, and nobody asked yet how) and its start in clock ticks after boot; empty where /proc does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            fields = handle.read().rpartition(b")")[2].decode("ascii").split()
            return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""


def this_process() -> str:
    """``node/pid/birth`` of this process."""
    return f"{_node()}/{os.getpid()}/{_seen(os.getpid())[1]}"


def is_alive(owner: str) -> bool:
    """Whether the process lives; of other machines' processes nothing is known, they count as alive until their lease ends."""
    node, _sep, rest = owner.partition("/")
    pid, _sep, born = rest.partition("/")
    if node != _node():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    state, began = _seen(int(pid))
    return state not in _ENDED and (began == born.partition("#")[0] if born else True)
