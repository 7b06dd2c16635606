# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the watcher says of itself: to systemd, and in a file for the command ``vigil``."""

from __future__ import annotations

import json
import os
import socket
import time
import typing as t

_STALE = 60.0


def status_path() -> str:
    """Where the state of the process lies."""
    return os.path.join(os.environ.get("RUNTIME_DIRECTORY", "/run/vigil").split(":")[0], "status.json")


def write_status(status: t.Mapping[str, t.Any]) -> None:
    """For ``vigil status``; it is no matter if it cannot be written."""
    path = status_path()
    try:
        with open(path + ".new", "w", encoding="utf-8") as out:
            json.dump(status, out)
        os.replace(path + ".new", path)
    except OSError:
        return


def identity() -> t.Dict[str, t.Any]:
    """Which program this process is, and which Python it was given (see the role); ``version`` is that of the file."""
    program = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        with open(os.path.join(program, ".python"), encoding="utf-8") as source:
            python = source.read().strip()
    except OSError:
        python = ""
    return {"version": 1, "pid": os.getpid(), "time": time.time(), "program": program, "python": python}


def reading() -> None:
    """Say that what was written is no longer what is true: somebody who asked for a reload may look at once."""
    status = read_status()
    if status:
        write_status({**status, "reading": True})


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), where it is there."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect("\0" + place[1:] if place.startswith("@") else place)
            sock.sendall(state.encode("utf-8", "replace"))
    except OSError:
        return


def read_status() -> t.Optional[t.Dict[str, t.Any]]:
    """What the supervisor wrote last."""
    try:
        with open(status_path(), encoding="utf-8") as source:
            found = json.load(source)
        return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        return None


def healthy(status: t.Mapping[str, t.Any]) -> str:
    """Empty when all is well, else one sentence."""
    if not status or time.time() - float(status.get("time", 0)) > _STALE:
        return "the watcher does not run"
    if status.get("reading"):
        return "it reads its configuration again"
    down = [name for name, one in status["rooms"].items() if not one["pid"] or not one["ready"]]
    return f"not at work: {', '.join(down)}" if down else ""
