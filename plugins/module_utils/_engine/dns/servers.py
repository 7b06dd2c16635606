# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name servers as people write them."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import socket
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names

PORTS = {"udp": 53, "tcp": 53, "tls": 853, "https": 443}  # RFC 1035 4.2, RFC 7858 3.1, RFC 8484 4.1
DOH_PATH = "/dns-query"
RESOLV_CONF = "/etc/resolv.conf"

_FORMS = "write for example 192.0.2.1, [2001:db8::1]:5353, tls://192.0.2.1#dns.example.com or https://dns.example.com/dns-query"
# loopback, private use, link-local (RFC 1918, 6890, 4193); is_private has documentation and other ranges too, and changes between Pythons
_LOCAL = [
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
]
_HOST_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::(?P<port6>[^:]*))?|(?P<host>[^:\[\]]*)(?::(?P<port>[^:]*))?")
_TEXT_OF_PATH = re.compile(r"/[!-~]*")


@dataclasses.dataclass(frozen=True)
class Server:
    """One name server and the way to it."""

    transport: str  # udp, tcp, tls, https
    host: str  # as written: an address or a name; what an HTTPS request names as its host
    port: int
    address: str  # numeric; what sockets connect to
    server_name: str  # tls and https: the name that the certificate must be for; an address where no name is known
    path: str  # https only
    label: str  # canonical text, for results and the keys of limits
    local: bool  # on this machine or its private network, so no polite rate by default

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return int(socket.AF_INET6 if ":" in self.address else socket.AF_INET)


def parse(text: str, transport: str = "udp", lookup: t.Optional[t.Callable[[str], str]] = None) -> Server:
    """A server from ``host``, ``host:port``, ``[v6]:port``, a bare IPv6 address, ``udp://``, ``tcp://``, ``tls://host:port#name``,
    ``https://host:port/path``.

    A host that is a name is looked up once, here, in the way of the system.

    :param transport: for texts that name none
    :param lookup: gives the address of a host that is a name, instead of the system
    :raises ValueError: what is wrong with it, in one sentence
    """
    transport, host, port, name, path = _parts(text, transport)
    try:
        address = _numeric(host)
    except ValueError:
        address = lookup(host) if lookup else _address(host, text)
    return _server(transport, host, port, address, name or host, path)


def check(text: str, transport: str = "udp") -> None:
    """See that a server can be parsed, without looking its host up.

    :raises ValueError: what is wrong with it, in one sentence
    """
    _parts(text, transport)


def _parts(text: str, transport: str) -> t.Tuple[str, str, int, str, str]:
    """Transport, host, port, name of the certificate, path."""
    written = text.strip() if isinstance(text, str) else ""
    scheme, mark, rest = written.partition("://")
    if mark:
        transport, written = scheme.lower(), rest
    if transport not in PORTS:
        raise ValueError(f'"{text}" is not a name server: {transport}:// is not known; {_FORMS}')
    path = name = ""
    if transport == "https":
        written, slash, path = written.partition("/")
        path = slash + path if path else DOH_PATH
        if not _TEXT_OF_PATH.fullmatch(path) or "#" in path:
            raise ValueError(f'"{text}" is not a name server: the path of the URL has a character that must be written %XX')
    elif "#" in written:
        written, _mark, name = written.partition("#")
        if transport != "tls" or not name:
            raise ValueError(
                f'"{text}" is not a name server: after # stands the name of its certificate, as in tls://192.0.2.1#dns.example.com'
            )
    if any(char in written for char in "/?@#"):
        raise ValueError(f'"{text}" is not a name server; {_FORMS}')
    host, port = _host_port(written, PORTS[transport], text)
    return transport, host, port, _name(name, text) if name else "", path


def system(path: str = RESOLV_CONF, transport: str = "udp") -> t.List[Server]:
    """The resolvers of this machine, in the order of ``/etc/resolv.conf``.

    :param transport: how they are asked, on its usual port
    :raises ValueError: there is none, in one sentence
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError as exc:
        raise ValueError(
            f"{path} names the resolvers of this machine and cannot be read ({(exc.strerror or str(exc)).lower()}); give nameservers"
        ) from exc
    found: t.List[Server] = []
    for line in lines:
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            host = _numeric(words[1])
            server = _server(transport, host, PORTS[transport], host, host, DOH_PATH if transport == "https" else "")
        except ValueError:
            continue  # the system's own resolver skips such a line too
        if server not in found:
            found.append(server)
    if not found:
        raise ValueError(f"{path} names no name server; give nameservers")
    return found


def _server(transport: str, host: str, port: int, address: str, name: str, path: str) -> Server:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    label = place if transport == "udp" else f"{transport}://{place}{path}"
    if transport == "tls" and name != host:
        label += f"#{name}"
    return Server(transport, host, port, address, name, path, label, _is_local(address))


def _host_port(written: str, usual: int, text: str) -> t.Tuple[str, int]:
    """Host in canonical form, and port."""
    port: t.Optional[str] = None
    if written.count(":") > 1 and "[" not in written:
        host = written
    else:
        match = _HOST_PORT.fullmatch(written)
        if match is None:
            raise ValueError(f'"{text}" is not a name server; {_FORMS}')
        host = match.group("host") if match.group("six") is None else match.group("six")
        port = match.group("port") if match.group("six") is None else match.group("port6")
        if match.group("six") is not None and ":" not in host:
            raise ValueError(f'"{text}" is not a name server: only an IPv6 address stands in brackets')
    if not host:
        raise ValueError(f'"{text}" is not a name server; {_FORMS}')
    number = usual
    if port is not None:
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
        if not 1 <= number <= 65535:
            raise ValueError(f'"{text}" is not a name server: a port is a number from 1 to 65535')
    try:
        return _numeric(host), number
    except ValueError:
        if ":" in host or re.fullmatch(r"[0-9.]+", host):
            raise ValueError(f'"{text}" is not a name server: "{host}" is not an IP address') from None
        return _name(host, text), number


def _name(host: str, text: str) -> str:
    try:
        return names.both(host)[0]
    except ValueError as exc:
        raise ValueError(f'"{text}" is not a name server: {exc}') from exc


def _numeric(host: str) -> str:
    """An address in its shortest form; a scope such as ``%eth0`` stays.

    :raises ValueError: it is not an address
    """
    bare, mark, scope = host.partition("%")
    address = ipaddress.ip_address(bare)
    if mark and (address.version == 4 or not scope):
        raise ValueError
    return f"{address}{mark}{scope}"


def _address(host: str, text: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ValueError(f'name server "{text}": its host cannot be looked up ({reason.lower()})') from exc
    return str(found[0][4][0])


def _is_local(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed.version == network.version and parsed in network for network in _LOCAL)
