# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to a name server: TCP with length-framed messages (RFC 7766), the same inside TLS (RFC 7858), and what failed in words.

Every operation has an absolute end (time.monotonic()), so a server that trickles holds nobody.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
import time
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; ssl.VERIFY_X509_PARTIAL_CHAIN is there from Python 3.10
_STRICT = 0x20  # X509_V_FLAG_X509_STRICT; Python 3.13 alone would refuse many private CAs by it
_LEAST, _MOST = 0.001, 86400.0
_FLYING = 100  # queries without an answer yet on one connection
_LENGTH = struct.Struct("!H")
_OPT = struct.Struct("!BHHLH")
# OpenSSL's X509_V_ERR codes (openssl/x509_vfy.h)
_VERIFY = {
    9: "expired: its certificate, or one above it, is not valid yet",
    10: "expired: its certificate, or one above it, has expired",
    18: "chain: its certificate is self-signed",
    19: "chain: a self-signed certificate that is not trusted stands above its certificate",
    20: "chain: the issuer of its certificate is not known here",
    21: "chain: the issuer of its certificate is not known here",
    62: "name: its certificate is for another host name",
    64: "name: its certificate is for another address",
}


class StreamError(Exception):
    """What a connection could not do.

    :ivar status: network, timeout, tls, http or malformed
    """

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def query(ident: int, tail: bytes, recursion: bool = True, dnssec: bool = False, edns: bool = True) -> bytes:
    """A query packet; with ``dnssec`` the signatures too, and unchecked (DO and CD, RFC 4035 3.2), as it is checked here."""
    flags = (0x0100 if recursion else 0) | (0x0010 if dnssec else 0)
    head = struct.pack("!HHHHHH", ident, flags, 1, 0, 0, 1 if edns else 0)
    return head + tail + (_OPT.pack(0, 41, 1232, 0x8000 if dnssec else 0, 0) if edns else b"")


_CONTEXTS: t.Dict[t.Tuple[t.Any, ...], ssl.SSLContext] = {}
_LOCK = threading.Lock()


def _new_lock() -> None:
    """A forked child must not wait for a thread that it does not have."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def tls_context(ca: t.Optional[str] = None, protocols: t.Tuple[str, ...] = ()) -> ssl.SSLContext:
    """The one context for a CA and a list of application protocols; to build one takes 20 ms.

    :arg ca: a PEM file or a directory as OpenSSL hashes it, to trust instead of the system's store
    :raises ValueError: the CA cannot be used
    """
    try:
        status = os.stat(ca) if ca else None
        key = (ca, status and status.st_mtime_ns, protocols)
        with _LOCK:
            if key not in _CONTEXTS:
                _CONTEXTS[key] = _build(ca, protocols)
            return _CONTEXTS[key]
    except (OSError, ValueError) as exc:
        why = (getattr(exc, "reason", None) or "no certificate in PEM form in it") if isinstance(exc, ssl.SSLError) else exc
        raise ValueError(f"ca: {ca} cannot be used: {str(getattr(why, 'strerror', None) or why).replace('_', ' ').lower()}") from exc


def _build(ca: t.Optional[str], protocols: t.Tuple[str, ...]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags = ssl.VerifyFlags((int(made.verify_flags) | _PARTIAL_CHAIN | int(ssl.VERIFY_X509_TRUSTED_FIRST)) & ~_STRICT)
    if protocols:
        made.set_alpn_protocols(list(protocols))
    if ca is None:
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    elif os.path.isdir(ca):
        made.load_verify_locations(capath=ca)
    else:
        made.load_verify_locations(cafile=ca)
    return made


def left(end: float) -> float:
    """Seconds until then, for settimeout: never 0, which would mean not to wait at all, and not more than a platform's clock can hold."""
    return min(_MOST, max(_LEAST, end - time.monotonic()))


def connect(server: Server, end: float, context: t.Optional[ssl.SSLContext]) -> t.Any:
    """A connection to the server's address, through TLS where there is a context.

    :raises StreamError: network, timeout or tls
    """
    sock = None
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in server.address else socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(left(end))
        sock.connect(_place(server))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return sock
        sock.settimeout(left(end))
        plain, sock = sock, context.wrap_socket(sock, server_hostname=_certified(server), do_handshake_on_connect=False)
        del plain
        sock.do_handshake()
        return sock
    except (OSError, ValueError) as exc:
        if sock is not None:
            sock.close()
        raise explain(exc, server, "the TLS handshake" if isinstance(sock, ssl.SSLSocket) else "a connection") from exc
    except BaseException:
        if sock is not None:
            sock.close()
        raise


def _place(server: Server) -> t.Any:
    if ":" not in server.address:
        return (server.address, server.port)
    return socket.getaddrinfo(server.address, server.port, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)[0][4]


def _certified(server: Server) -> str:
    """The name or address that the certificate must be for."""
    return (server.server_name or server.host).rstrip(".").split("%", 1)[0]


def explain(exc: Exception, server: Server, what: str) -> StreamError:
    """A socket's error as status and sentence."""
    place = server.label
    if isinstance(exc, socket.timeout):
        return StreamError("timeout", f"{what} with {place} did not end in time")
    code = int(getattr(exc, "verify_code", 0) or 0)
    if code:
        return StreamError("tls", f"{place} is not trusted: {_VERIFY.get(code) or 'chain: ' + str(getattr(exc, 'verify_message', ''))}")
    reason = str(getattr(exc, "reason", "") or "")
    if "NO_APPLICATION_PROTOCOL" in reason:
        return StreamError("http", f"{place} does not speak HTTP/1.1, and HTTP/2 needs the Python library h2; install python3-h2 or h2")
    if isinstance(exc, ConnectionRefusedError):
        return StreamError("network", f"{place} refused the connection")
    if isinstance(exc, ConnectionError) or type(exc).__name__ in ("SSLEOFError", "SSLZeroReturnError"):
        return StreamError("network", f"{place} broke off {what}")
    if isinstance(exc, ssl.SSLError):
        return StreamError("tls", f"{what} with {place} failed: {reason.replace('_', ' ').lower() or 'not TLS'}")
    said = (getattr(exc, "strerror", None) or str(exc)).lower()
    return StreamError("network" if isinstance(exc, OSError) else "tls", f"{place} cannot be reached: {said}")


class Framed:
    """DNS messages on a stream, each after its length; many in flight, answered in any order.

    Keys are what the caller knows a question by.
    """

    limit = _FLYING

    def __init__(self, sock: t.Any, server: Server, build: t.Callable[[int, t.Any], bytes]) -> None:
        self._sock = sock
        self._server = server
        self._build = build
        self._buffer = b""
        self._next = int.from_bytes(os.urandom(2), "big")
        self._flying: t.Dict[int, t.Any] = {}

    def send(self, keys: t.Sequence[t.Any], end: float) -> None:
        """:raises StreamError: network or timeout"""
        parts = []
        for key in keys:
            while self._next in self._flying:
                self._next = self._next + 1 & 0xFFFF
            packet = self._build(self._next, key)
            self._flying[self._next] = key
            self._next = self._next + 1 & 0xFFFF
            parts.append(_LENGTH.pack(len(packet)) + packet)
        try:
            self._sock.settimeout(left(end))
            self._sock.sendall(b"".join(parts))
        except OSError as exc:
            raise explain(exc, self._server, "the conversation") from exc

    def receive(self, end: float) -> t.List[t.Tuple[t.Any, t.Union[bytes, StreamError]]]:
        """What has come, as key and packet, as soon as there is something; nothing when the time is over.

        :raises StreamError: network, the connection is lost
        """
        try:
            self._sock.settimeout(left(end))
            data = self._sock.recv(65536)
        except socket.timeout:
            return []
        except OSError as exc:
            raise explain(exc, self._server, "the conversation") from exc
        if not data:
            raise StreamError("network", f"{self._server.label} closed the connection")
        self._buffer += data
        found: t.List[t.Tuple[t.Any, t.Union[bytes, StreamError]]] = []
        while len(self._buffer) >= 2:
            size = _LENGTH.unpack_from(self._buffer)[0] + 2
            if len(self._buffer) < size:
                break
            packet, self._buffer = self._buffer[2:size], self._buffer[size:]
            if len(packet) >= 2:
                ident = packet[0] << 8 | packet[1]
                if ident in self._flying:
                    found.append((self._flying.pop(ident), packet))
        return found

    def close(self) -> None:
        """Close it at once."""
        try:
            self._sock.close()
        except OSError:
            pass
