# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sockets of this host take connections or packets, and whose they are."""

from __future__ import annotations

import ipaddress
import threading
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._sockets import Socket, owners, read_sockets, user_name

_MOST = 20
_OWNER = ("process", "pid")


def _complete(options: dict[str, t.Any]) -> None:
    if options["address"] is not None:
        try:
            ipaddress.ip_address(options["address"].strip("[]"))
        except ValueError as exc:
            raise ValueError(f"port.address: {options['address']!r} is not an address; write one such as 127.0.0.1 or ::1") from exc


SPEC = ProbeSpec(
    "port",
    {
        "port": Option("port", required=True, help="port number"),
        "protocol": Option("str", default="tcp", choices=("tcp", "udp"), help="tcp: sockets that listen; udp: sockets that are bound"),
        "address": Option("str", help="an address that must be served; a socket on 0.0.0.0 or :: serves all, one on :: those of IPv4, too"),
    },
    {
        "listening": "whether there is such a socket",
        "addresses": "the addresses it is bound to, such as 127.0.0.1 or ::, without repetition",
        "count": "how many sockets there are",
        "user": "whose the first socket is; the number where it has no name",
        "process": "name of the program that holds the first socket; null where this user may not see it, or nothing asks for it",
        "pid": "its process id; null like process",
    },
    {"listening": True},
    help="A socket of this host, whoever can reach it from elsewhere. The process is looked for when an expectation names process or pid.",
    complete=_complete,
)


class _Scan:
    """One reading of the sockets, and of their owners where somebody asks, shared by the checks of a run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sockets: list[Socket] | None = None
        self.owners: dict[int, tuple[int, str]] | None = None

    def all(self, owned: bool, processes: t.Any = None) -> tuple[list[Socket], dict[int, tuple[int, str]]]:
        with self.lock:
            if self.sockets is None:
                self.sockets = read_sockets()
            if owned and self.owners is None:
                inodes = {socket.inode for socket in self.sockets}
                self.owners = owners(inodes) if processes is None else owners(inodes, pids=_pids(processes))
            return self.sockets, self.owners or {}


def _pids(processes: t.Any) -> list[int] | None:
    """The processes that the probe process has read, or will read for both; None where they hide."""
    try:
        return [process.pid for process in processes.reading(True).every]
    except CannotSee:
        return None


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Make room for the reading, which is done by the first who needs it."""
    ctx.shared[SPEC.name] = _Scan()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found, with ``listening: false``
    :raises CannotSee: there is no /proc, or the owner matters and may not be seen
    """
    scan = ctx.shared.get(SPEC.name) if ctx.attempt == 1 else None
    wanted = [key for key in _OWNER if key in ctx.wanted]
    sockets, owned = (scan or _Scan()).all(bool(wanted), ctx.shared.get("process") if scan else None)
    there = [socket for socket in sockets if socket.protocol == options["protocol"] and socket.port == options["port"]]
    found = [socket for socket in there if _serves(socket.address, options["address"])]
    if not found:
        nothing = {"listening": False, "addresses": [], "count": 0, "user": None, "process": None, "pid": None}
        raise ProbeFailure("not_found", _absent(options, there), nothing)
    pid, process = next((owned[socket.inode] for socket in found if socket.inode in owned), (None, None))
    if wanted and pid is None:
        sentence = f"whose {options['protocol']} port {options['port']} is cannot be seen by this user; run with become"
        raise CannotSee(sentence, "permission")
    return {
        "listening": True,
        "addresses": list(dict.fromkeys(str(socket.address) for socket in found))[:_MOST],
        "count": len(found),
        "user": user_name(found[0].uid),
        "process": process,
        "pid": pid,
    }


def _serves(bound: t.Any, asked: str | None) -> bool:
    if asked is None:
        return True
    address = ipaddress.ip_address(asked.strip("[]"))
    if bound == address or getattr(bound, "ipv4_mapped", None) == address:
        return True
    return bool(bound.is_unspecified and (bound.version == 6 or address.version == 4) and not address.is_unspecified)


def _absent(options: dict[str, t.Any], there: list[Socket]) -> str:
    port = f"{options['protocol']} port {options['port']}"
    if not there:
        return f"nothing listens on {port}"
    places = ", ".join(dict.fromkeys(str(socket.address) for socket in there[:_MOST]))
    return f"nothing listens on {port} of {options['address']}, only on {places}"
