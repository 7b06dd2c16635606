# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network interface of this host."""

from __future__ import annotations

import os
import socket
import struct
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec

ROOT = "/sys/class/net"
_UP = 0x1  # IFF_UP
_COUNTERS = ("bytes", "packets", "errors", "dropped")
_LONGEST_NAME = 15
# rtnetlink(7): RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE, IFA_ADDRESS, IFA_LOCAL
_GET_ADDRESSES, _DUMP, _ERROR, _DONE, _IFA_ADDRESS, _IFA_LOCAL = 22, 0x301, 2, 3, 1, 2
_PATIENCE = 2.0


def _complete(options: dict[str, t.Any]) -> None:
    name = options["name"]
    if not name or len(name) > _LONGEST_NAME or "/" in name or name in (".", "..") or any(char.isspace() for char in name):
        raise ValueError(f"interface.name: {name!r} is not the name of an interface; write one such as eth0")


SPEC = ProbeSpec(
    "interface",
    {"name": Option("str", required=True, help="name of the interface, such as eth0 or bond0")},
    {
        "exists": "whether there is such an interface",
        "up": "whether it is switched on and works, as far as the kernel can tell",
        "state": "as the kernel calls it, such as up, down, dormant or unknown (as for lo)",
        "carrier": "whether it has a link; null where it is switched off",
        "mtu": "bytes of the longest packet",
        "speed": "megabits a second; null where there is none, as of most virtual ones",
        "mac": "hardware address; null where there is none",
        "addresses": "IP addresses with their prefix length, such as 192.0.2.7/24",
        "rx_bytes": "received since it was made; all counters begin there",
        "tx_bytes": "sent",
        "rx_packets": "packets received",
        "tx_packets": "packets sent",
        "rx_errors": "packets that arrived broken",
        "tx_errors": "packets that could not be sent",
        "rx_dropped": "packets that were received and given up, for want of memory above all",
        "tx_dropped": "packets that were given up before they were sent",
    },
    {"up": True},
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found, with ``exists: false``
    :raises CannotSee: this is no Linux
    """
    name = options["name"]
    if not os.path.isdir(ROOT):
        raise CannotSee(f"interfaces cannot be seen: there is no {ROOT}, which only Linux has", "unsupported")
    folder = f"{ROOT}/{name}"
    if not os.path.isdir(folder):
        there = ", ".join(sorted(entry for entry in os.listdir(ROOT) if os.path.isdir(f"{ROOT}/{entry}"))[:20])
        raise ProbeFailure("not_found", f"there is no interface {name}, only {there or 'none'}", {"exists": False, "up": False})
    flags, state = _read(folder, "flags"), _read(folder, "operstate") or "unknown"
    carrier, mac, speed = _read(folder, "carrier"), _read(folder, "address"), _number(_read(folder, "speed"))
    up = bool(int(flags or "0", 16) & _UP)
    seen: dict[str, t.Any] = {
        "exists": True,
        "up": up and state in ("up", "unknown"),
        "state": state,
        "carrier": carrier == "1" if carrier else None,
        "mtu": _number(_read(folder, "mtu")),
        "speed": speed if speed and speed > 0 else None,
        "mac": mac if mac and mac.strip("0:") else None,
        "addresses": _addresses(_number(_read(folder, "ifindex"))),
    }
    for counter in _COUNTERS:
        for way in ("rx", "tx"):
            seen[f"{way}_{counter}"] = _number(_read(f"{folder}/statistics", f"{way}_{counter}"))
    return seen


def _read(folder: str, name: str) -> str | None:
    """None where the driver does not tell: many values have no meaning while an interface is down."""
    try:
        with open(f"{folder}/{name}", "rb") as source:
            return source.read(4096).decode("ascii", "replace").strip() or None
    except OSError:
        return None


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _addresses(index: int | None) -> list[str] | None:
    """All addresses of an interface, IPv4 before IPv6; None where the kernel does not tell."""
    found: list[str] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
            link.settimeout(_PATIENCE)
            link.bind((0, 0))
            # struct nlmsghdr, then struct ifaddrmsg of zeros: every family, every interface
            link.sendall(struct.pack("=IHHII", 24, _GET_ADDRESSES, _DUMP, 1, 0) + bytes(8))
            while True:
                data = link.recv(1 << 17)
                while len(data) >= 16:
                    length, kind = struct.unpack_from("=IH", data)
                    if kind in (_DONE, _ERROR) or length < 16:
                        return sorted(found, key=lambda address: ":" in address) if kind == _DONE else None
                    found += _address(data[16:length], index)
                    data = data[(length + 3) & ~3 :]
    except (OSError, AttributeError, struct.error):
        return None


def _address(message: bytes, index: int | None) -> list[str]:
    """The address in one message of rtnetlink, if it is of this interface."""
    family, prefix, _flags, _scope, owner = struct.unpack_from("=BBBBI", message)
    found: dict[int, bytes] = {}
    place = 8
    while place + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, place)
        if length < 4:
            break
        found[kind] = message[place + 4 : place + length]
        place += (length + 3) & ~3
    # of a point-to-point link IFA_ADDRESS is the other side
    data = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS, b""))
    if owner != index or family not in (socket.AF_INET, socket.AF_INET6) or len(data) != (4 if family == socket.AF_INET else 16):
        return []
    return [f"{socket.inet_ntop(family, data)}/{prefix}"]
