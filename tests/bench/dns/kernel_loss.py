# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets lost by the kernel, in front of a server's own UDP sockets: no proxy that would be the bottleneck, and both sides lose alike.

A socket filter with a random number (classic BPF, SKF_AD_RANDOM) is put on the sockets of the server's processes, which are children of this
one; the sockets are reached through pidfd_getfd(2), Linux 5.6. Queries are dropped, not answers; to the asking side that is the same.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import typing as t
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PIDFD_GETFD = 438
_SO_ATTACH_FILTER = 26
_LOAD_WORD, _JUMP_GREATER_OR_EQUAL, _RETURN = 0x20, 0x35, 0x06
_RANDOM = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM


class NoLoss(Exception):
    """The kernel does not let us."""


def lose(server: t.Any, fraction: float) -> None:
    """Drop this fraction of the packets to a started dns_process.Daemon, at random; 1.0 makes it silent. Lasts until it is started again.

    Raises NoLoss with the reason when no socket could be reached.
    """
    least = min(0xFFFFFFFF, int(fraction * 2**32))
    steps = [(_LOAD_WORD, 0, 0, _RANDOM), (_JUMP_GREATER_OR_EQUAL, 1, 0, least), (_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFFFFFF)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    wanted = _inodes(server.port)
    done = set()
    for pid in _group(server.process.pid):
        for place in Path(f"/proc/{pid}/fd").iterdir():
            inode = _inode(place)
            if inode in wanted and inode not in done:
                with _borrowed(pid, int(place.name)) as sock:
                    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(steps), ctypes.addressof(code)))
                done.add(inode)
    if not done:
        raise NoLoss(f"no UDP socket of {server.address} was found")


def _borrowed(pid: int, number: int) -> socket.socket:
    handle = os.pidfd_open(pid)
    try:
        got = _LIBC.syscall(_PIDFD_GETFD, handle, number, 0)
    finally:
        os.close(handle)
    if got < 0:
        raise NoLoss(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return socket.socket(fileno=got)


def _inodes(port: int) -> t.Set[str]:
    """Of the UDP sockets on this port."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {line.split()[9] for line in lines if int(line.split()[1].split(":")[1], 16) == port}


def _inode(place: Path) -> str:
    try:
        return os.readlink(place)[len("socket:[") : -1]
    except OSError:
        return ""


def _group(leader: int) -> t.Iterator[int]:
    """The processes of a process group."""
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                if os.getpgid(int(place.name)) == leader:
                    yield int(place.name)
            except ProcessLookupError:
                continue
