# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolves a name."""

from __future__ import annotations

import errno
import ipaddress
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, rrtypes, servers
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import milliseconds
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import resolve


def _complete(options: dict[str, t.Any]) -> None:
    option = "name"
    try:
        names.both(options["name"])
        option = "type"
        options["type"] = rrtypes.text(rrtypes.number(options["type"]))
        option = "nameservers"
        for server in options["nameservers"] or ():
            servers.check(server)
    except ValueError as exc:
        raise ValueError(f"dns.{option}: {exc}") from exc


SPEC = ProbeSpec(
    "dns",
    {
        "name": Option("str", required=True, help="the name to resolve; for PTR also an address"),
        "type": Option("str", default="A", help="record type, by name or by number as in TYPE65280"),
        "nameservers": Option(
            "list",
            elements="str",
            help="whom to ask, in this order: 192.0.2.1, [2001:db8::1]:53, tcp://192.0.2.1, tls://192.0.2.1#dns.example.com, "
            "https://dns.example.com/dns-query; the node's own resolver if left out",
        ),
        "ca": Option("path", help="certificates to trust for tls:// and https://, instead of the system's"),
        "timeout": Option("duration", default=5.0, help="for everything together"),
    },
    {
        "status": "noerror, nodata, nxdomain, servfail, refused, formerr, notimp, timeout, network, tls, http, malformed, truncated or lame",
        "rdata": "the answers as text, sorted",
        "chain": "the names that aliases (CNAME) led to; empty for the node's own resolver",
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
    return ProbeFailure(status, sentence, {"status": status, "rdata": [], "chain": [], "nameserver": nameserver})


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
    return {"status": "noerror", "rdata": rdata, "chain": [], "nameserver": None, "ttl": None}


def _system_status(exc: NetError) -> str:
    import socket

    if exc.code == errno.ETIMEDOUT:
        return "timeout"
    code = exc.__cause__.args[0] if isinstance(exc.__cause__, socket.gaierror) and exc.__cause__.args else None
    if code == socket.EAI_AGAIN:
        return "servfail"
    if code == getattr(socket, "EAI_NODATA", socket.EAI_NONAME) and code != socket.EAI_NONAME:
        return "nodata"
    return "nxdomain" if code == socket.EAI_NONAME else "malformed"


def _by_library(options: dict[str, t.Any], deadline: Deadline) -> dict[str, t.Any]:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer, resolver, wire
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits

    name, kind = options["name"], options["type"]
    try:
        answer.require()
    except answer.LibraryMissing as exc:
        what = "to ask given name servers" if options["nameservers"] else f"for {kind} records"
        raise CannotSee(f"{exc} ({what})", "missing_library") from exc
    try:
        question = wire.question(_reverse(name) if kind == "PTR" else name, rrtypes.number(kind))
    except ValueError as exc:
        raise _failed("malformed", str(exc)) from exc
    among = _servers(options["nameservers"], deadline)
    # each server gets its share of the time; there is no polite rate, as this is one question
    limits = Limits(deadline.seconds / len(among), len(among), until=deadline.end, rate=0.0)
    try:
        found = resolver.ask([question], among, limits, first={0: 0}, ca=options["ca"]).answers[0]
    except ValueError as exc:
        raise CannotSee(str(exc), "unsupported") from exc
    if found.status != "noerror":
        raise _failed(found.status, found.message, found.nameserver)
    return {"status": "noerror", "rdata": list(found.rdata), "chain": list(found.chain), "nameserver": found.nameserver, "ttl": found.ttl}


def _servers(written: t.Sequence[str] | None, deadline: Deadline) -> list[servers.Server]:
    if not written:
        try:
            return servers.system()
        except ValueError as exc:
            raise CannotSee(f"the name servers of this node are not known: {exc}", "unsupported") from exc
    found, fault = [], None
    for text in written:
        try:
            found.append(servers.parse(text, lookup=lambda host: str(resolve(host, 0, deadline)[0][1][0])))
        except NetError as exc:
            fault = exc
    if not found and fault is not None:
        raise _failed(
            "timeout" if fault.code == errno.ETIMEDOUT else "network", f"no name server can be looked up: {fault.sentence}"
        ) from fault
    return found


def _reverse(name: str) -> str:
    """The name that an address has for PTR; other names as they are."""
    try:
        return ipaddress.ip_address(name.partition("%")[0]).reverse_pointer
    except ValueError:
        return name
