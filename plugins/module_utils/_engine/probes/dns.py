# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolves a name."""

from __future__ import annotations

import ipaddress
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import milliseconds
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import resolve

_TYPES = ("A", "AAAA", "CAA", "CNAME", "DS", "DNSKEY", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT")


def _complete(options: dict[str, t.Any]) -> None:
    options["type"] = str(options["type"]).upper()
    for server in options["nameservers"] or ():
        _server(server)


def _server(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353`` as address and port."""
    host, _colon, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "53")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ipaddress.ip_address(host)
        if not 1 <= int(port) <= 65535:
            raise ValueError
    except ValueError as exc:
        raise ValueError(f'"{text}" is not a name server; write an address, with a port as in 192.0.2.1:53 or [2001:db8::1]:53') from exc
    return host, int(port)


SPEC = ProbeSpec(
    "dns",
    {
        "name": Option("str", required=True, help="the name to resolve"),
        "type": Option("str", default="A", choices=_TYPES + tuple(name.lower() for name in _TYPES), help="record type"),
        "nameservers": Option("list", elements="str", help="addresses to ask, in this order; the node's own resolver if left out"),
        "timeout": Option("duration", default=5.0, help="for everything together"),
    },
    {
        "status": "noerror, nodata, nxdomain, servfail, refused, formerr, notimp, timeout, network, malformed, truncated or lame",
        "rdata": "the answers as text, sorted",
        "nameserver": "who answered; null for the node's own resolver",
        "ttl": "seconds the answer may be kept; null for the node's own resolver",
    },
    {"status": "noerror"},
    help="A and AAAA without nameservers are asked as programs on the node do it (hosts file included); all else needs dnspython.",
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: the reason is the status; ``status`` and ``rdata`` are observed
    :raises CannotSee: dnspython is needed and missing
    """
    begin = time.monotonic()
    deadline = Deadline(options["timeout"])
    if options["type"] in ("A", "AAAA") and not options["nameservers"]:
        seen = _by_system(options["name"], options["type"], deadline)
    else:
        seen = _by_library(options, deadline)
    seen["latency_ms"] = milliseconds(begin)
    return seen


def _failed(status: str, sentence: str, nameserver: str | None = None) -> ProbeFailure:
    return ProbeFailure(status, sentence, {"status": status, "rdata": [], "nameserver": nameserver})


def _by_system(name: str, kind: str, deadline: Deadline) -> dict[str, t.Any]:
    try:
        found = resolve(name, 0, deadline)
    except NetError as exc:
        raise _failed(_system_status(exc), exc.sentence) from exc
    version = 4 if kind == "A" else 6
    rdata = sorted({address[0].split("%", 1)[0] for _family, address in found})
    rdata = [address for address in rdata if ipaddress.ip_address(address).version == version]
    if not rdata:
        raise _failed("nodata", f"{name} has no {kind} record")
    return {"status": "noerror", "rdata": rdata, "nameserver": None, "ttl": None}


def _system_status(exc: NetError) -> str:
    import socket

    if exc.reason == "timeout":
        return "timeout"
    code = exc.__cause__.args[0] if isinstance(exc.__cause__, socket.gaierror) and exc.__cause__.args else None
    if code == socket.EAI_AGAIN:
        return "servfail"
    if code == getattr(socket, "EAI_NODATA", socket.EAI_NONAME) and code != socket.EAI_NONAME:
        return "nodata"
    return "nxdomain" if code == socket.EAI_NONAME else "malformed"


def _by_library(options: dict[str, t.Any], deadline: Deadline) -> dict[str, t.Any]:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer, resolver, rrtypes, servers, wire
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits

    name, kind = options["name"], options["type"]
    try:
        answer.require()
    except answer.LibraryMissing as exc:
        what = "to ask given name servers" if options["nameservers"] else f"for {kind} records"
        raise CannotSee(f"{exc} ({what})", "missing_library") from exc
    try:
        question = wire.question(name, rrtypes.number(kind))
    except ValueError as exc:
        raise _failed("malformed", str(exc)) from exc
    try:
        among = [servers.parse(_place(text)) for text in options["nameservers"]] if options["nameservers"] else servers.system()
    except ValueError as exc:
        raise CannotSee(f"the name servers of this node are not known: {exc}", "unsupported") from exc
    # each server gets its share of the time; there is no polite rate, as this is one question
    limits = Limits(deadline.seconds / len(among), len(among), until=deadline.end, rate=0.0)
    found = resolver.ask([question], among, limits, first={0: 0}).answers[0]
    if found.status != "noerror":
        raise _failed(found.status, found.message, found.nameserver)
    return {"status": "noerror", "rdata": list(found.rdata), "nameserver": found.nameserver, "ttl": found.ttl}


def _place(text: str) -> str:
    """An address, and perhaps a port, as the resolver writes it."""
    host, port = _server(text)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
