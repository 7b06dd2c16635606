# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets of this host and who holds them, from /proc (proc(5))."""

from __future__ import annotations

import ipaddress
import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee

PROC = "/proc"
# state of a TCP socket that listens, and of a UDP socket that is bound to no peer (include/net/tcp_states.h)
_TABLES = (("tcp", "tcp", b"0A"), ("tcp6", "tcp", b"0A"), ("udp", "udp", b"07"), ("udp6", "udp", b"07"))


class Socket(t.NamedTuple):
    """A socket that waits. :ivar inode: by which its owner is found; :ivar uid: of its owner."""

    protocol: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    uid: int
    inode: int


def read_sockets(proc: str = PROC) -> list[Socket]:
    """All sockets that wait for connections or packets.

    :raises CannotSee: there is no /proc/net
    """
    found, tables = [], 0
    for table, protocol, state in _TABLES:
        try:
            with open(f"{proc}/net/{table}", "rb") as source:
                tables += 1
                for line in source:
                    # Thousands of connections may stand between: what is not waiting is left before it is taken apart.
                    if state in line:
                        socket = _read_line(line.split(), protocol, state)
                        if socket is not None:
                            found.append(socket)
        except OSError:
            continue  # no IPv6 here
    if not tables:
        raise CannotSee(f"sockets cannot be seen: there is no {proc}/net, which only Linux has", "unsupported")
    return found


def _read_line(fields: list[bytes], protocol: str, state: bytes) -> Socket | None:
    if len(fields) < 10 or fields[3] != state:
        return None
    try:
        address, _colon, port = fields[1].partition(b":")
        return Socket(protocol, _address(address), int(port, 16), int(fields[7]), int(fields[9]))
    except ValueError:
        return None


def _address(text: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Each 32 bits stand in the order of the processor."""
    import sys

    data = bytes.fromhex(text.decode("ascii"))
    if sys.byteorder == "little":
        data = b"".join(data[place : place + 4][::-1] for place in range(0, len(data), 4))
    return ipaddress.ip_address(data)


def owners(inodes: set[int], proc: str = PROC, pids: t.Iterable[int] | None = None) -> dict[int, tuple[int, str]]:
    """For each socket that this user may see the lowest process id and the program's name.

    :arg pids: all processes, where they are known
    """
    found: dict[int, tuple[int, str]] = {}
    left = set(inodes)
    for pid in sorted((int(name) for name in os.listdir(proc) if name.isdigit()) if pids is None else pids):
        if not left:
            break
        held = _held(f"{proc}/{pid}/fd") & left
        if held:
            name = _name(f"{proc}/{pid}/comm")
            found.update((inode, (pid, name)) for inode in held)
            left -= held
    return found


def _held(folder: str) -> set[int]:
    inodes = set()
    try:
        for name in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(int(target[8:-1]))
    except OSError:
        pass  # of another user, or gone
    return inodes


def _name(path: str) -> str:
    try:
        with open(path, "rb") as source:
            return source.read().decode("utf-8", "replace").rstrip("\n")
    except OSError:
        return "?"


def user_name(uid: int) -> str:
    """The name in /etc/passwd alone: a directory service might hang."""
    try:
        with open("/etc/passwd", "rb") as source:
            for line in source:
                fields = line.split(b":")
                if len(fields) > 2 and fields[2] == str(uid).encode("ascii"):
                    return fields[0].decode("utf-8", "replace")
    except OSError:
        pass
    return str(uid)
