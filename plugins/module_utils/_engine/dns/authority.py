# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zone that a name is in, and the name servers that speak for it, found through resolvers."""

from __future__ import annotations

import dataclasses
import socket
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, servers, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import ANSWERED
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.resolver import ask

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import Answer
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.sweep import Limits

_A, _NS, _SOA, _AAAA = 1, 2, 6, 28
_MOST_STEPS = 130  # more labels no name has


@dataclasses.dataclass
class Found:
    """The servers of one name's zone, or why there are none: ``status`` (of the closed list) and ``message``."""

    zone: str = ""
    servers: t.Tuple[Server, ...] = ()
    status: str = ""
    message: str = ""


def servers_of(name: str, resolvers: t.Sequence[Server], limits: Limits, port: int = 53, ca: t.Optional[str] = None) -> t.List[Server]:
    """The authoritative servers of the zone that the name is in; see :func:`find`.

    :raises ValueError: they cannot be found, one sentence
    """
    found = find([name], resolvers, limits, port, ca)[name]
    if not found.servers:
        raise ValueError(found.message)
    return list(found.servers)


def find(
    wanted: t.Sequence[str],
    resolvers: t.Sequence[Server],
    limits: Limits,
    port: int = 53,
    ca: t.Optional[str] = None,
    transport: str = "udp",
) -> t.Dict[str, Found]:
    """The authoritative servers for each name (canonical text).

    A server's label is ``address:port#name of the server``. Addresses of a family that this machine has no way to are left out as long as
    others are left.

    :arg port: where these servers listen; 53 but for tests and private set-ups
    :arg transport: udp or tcp, how they will be asked
    """
    zones = _zones(wanted, resolvers, limits, ca)
    roots = sorted({found.zone for found in zones.values() if found.zone})
    hosts = _hosts(roots, resolvers, limits, ca)
    every = sorted({host for listed in hosts.values() if not isinstance(listed, Found) for host in listed})
    addresses = _addresses(every, resolvers, limits, ca)
    for found in zones.values():
        if found.zone:
            _complete(found, hosts[found.zone], addresses, port, transport)
    return zones


def _ask(
    wanted: t.Sequence[t.Tuple[str, int]], resolvers: t.Sequence[Server], limits: Limits, ca: t.Optional[str]
) -> t.Dict[t.Tuple[str, int], Answer]:
    questions = [wire.question(name, kind) for name, kind in wanted]
    outcome = ask(questions, resolvers, limits, ca=ca)
    return {pair: outcome.answers[index] for index, pair in enumerate(wanted)}


def _zones(wanted: t.Sequence[str], resolvers: t.Sequence[Server], limits: Limits, ca: t.Optional[str]) -> t.Dict[str, Found]:
    """Asks for the SOA of each name: it stands in the answer, or in the authority section of a negative one (RFC 2308 section 3)."""
    found: t.Dict[str, Found] = {}
    look = {name: name for name in wanted}
    for _step in range(_MOST_STEPS):
        if not look:
            break
        replies = _ask(sorted({(at, _SOA) for at in look.values()}), resolvers, limits, ca)
        further = {}
        for name, at in look.items():
            reply = replies[at, _SOA]
            if reply.status == "noerror" and not reply.chain:
                found[name] = Found(at)
            elif reply.soa is not None and not reply.chain and _is_below(at, reply.soa):
                found[name] = Found(reply.soa)
            elif reply.status in ("noerror", "nodata", "nxdomain") and at != ".":
                further[name] = parent(at)  # a CNAME, or a negative answer without SOA: the zone begins above
            else:
                found[name] = _unfound("", reply, f"the zone of {name} was not found")
        look = further
    return found


def parent(name: str) -> str:
    """The name without its first label; that of the root is the root."""
    raw = names.to_wire(name)
    return names.to_text(raw[1 + raw[0] :] or raw)


def _is_below(name: str, zone: str) -> bool:
    """Whether the name is in the zone or is the zone; a resolver could name any."""
    raw, top = names.to_wire(name), names.to_wire(zone)
    while len(raw) > len(top):
        raw = raw[1 + raw[0] :]
    return raw == top


def _hosts(
    zones: t.Sequence[str], resolvers: t.Sequence[Server], limits: Limits, ca: t.Optional[str]
) -> t.Dict[str, t.Union[t.List[str], Found]]:
    """The names of each zone's servers, or what went wrong."""
    found: t.Dict[str, t.Union[t.List[str], Found]] = {}
    for (zone, _kind), reply in _ask([(zone, _NS) for zone in zones], resolvers, limits, ca).items() if zones else ():
        if reply.status == "noerror":
            found[zone] = [names.to_text(names.to_wire(text)) for text in reply.rdata]
        else:
            found[zone] = _unfound(zone, reply, f"the name servers of {zone} were not found")
    return found


def _unfound(zone: str, reply: Answer, what: str) -> Found:
    """What is said of a name whose servers are not known. That they are not there is never an answer about the name itself."""
    if reply.status not in ANSWERED:
        return Found(zone, (), reply.status, f"{what}: {reply.message}")
    return Found(zone, (), "malformed", f"{what}: the answers of {reply.nameserver} name none")


def _addresses(hosts: t.Sequence[str], resolvers: t.Sequence[Server], limits: Limits, ca: t.Optional[str]) -> t.Dict[str, t.List[str]]:
    if not hosts:
        return {}
    replies = _ask([(host, kind) for host in hosts for kind in (_A, _AAAA)], resolvers, limits, ca)
    return {host: [address for kind in (_A, _AAAA) for address in replies[host, kind].rdata] for host in hosts}


def _complete(
    found: Found, hosts: t.Union[t.List[str], Found], addresses: t.Mapping[str, t.Sequence[str]], port: int, transport: str
) -> None:
    if isinstance(hosts, Found):
        found.status, found.message = hosts.status, hosts.message
        return
    every = {address: host for host in sorted(hosts) for address in addresses[host]}
    reached = {address: host for address, host in every.items() if _has_way(address)} or every
    made = []
    for address, host in reached.items():
        server = servers.parse(f"[{address}]:{port}" if ":" in address else f"{address}:{port}", transport)
        made.append(dataclasses.replace(server, host=host, label=f"{server.label}#{host}"))
    found.servers = tuple(made)
    if not made:
        found.status, found.message = "network", f"no name server of {found.zone} has an address ({', '.join(sorted(hosts))})"


def _has_way(address: str) -> bool:
    """Whether this machine has a route to the address; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
    except OSError:
        return False
    return True
