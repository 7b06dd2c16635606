# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP request to a channel's receiver: absolute time, bounded answer, connection kept, proxies, no redirect followed.

Threads send while Ansible's main thread forks. Whatever could hold a lock of the C library or of OpenSSL at that moment (names,
TLS) is done in short steps under the ``gate``, which the main thread takes around a fork; waiting is done outside of it.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import typing as t
import urllib.parse
import urllib.request
import zlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Answer, Channel, Request
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _headers, _http, _net, _tls
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, closed_by_peer, ended, explain
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import alone

BODY_LIMIT = 65536
AGENT = "vigil.ops/1.0.0"
_CHUNK = 65536
_WANTS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Gate = t.ContextManager[t.Any]


class Names(t.Protocol):
    """Resolves names without holding up a fork."""

    def lookup(self, name: str, seconds: float) -> t.Sequence[t.Tuple[int, t.Any]]:
        """[(family, socket address)]; raises TimeoutError when there is no answer in time, OSError when there is no address."""


class Stream(_net.Stream):
    """A stream that never blocks inside the gate."""

    def __init__(self, sock: socket.socket, deadline: Deadline, gate: Gate) -> None:
        super().__init__(sock, deadline)
        self.gate = gate

    async def _patiently(self, phase: str, step: t.Callable[[], t.Any]) -> t.Any:
        while True:
            self.deadline.left(phase)
            try:
                with self.gate:
                    return step()
            except _WANTS as exc:
                await self.wait(exc, phase, write=phase == "send")

    async def send(self, data: bytes, phase: str = "send") -> None:
        view = memoryview(data)
        try:
            while len(view):
                view = view[await self._patiently(phase, functools.partial(self.sock.send, view[:_CHUNK])) :]
        except OSError as exc:
            raise explain(exc, phase, self.deadline) from exc

    async def receive(self, phase: str, most: int = _CHUNK) -> bytes:
        if self._buffer:
            taken, self._buffer = self._buffer[:most], self._buffer[most:]
            return taken
        try:
            return bytes(await self._patiently(phase, lambda: self.sock.recv(min(most, _CHUNK))))
        except OSError as exc:
            if ended(exc):
                return b""
            raise explain(exc, phase, self.deadline) from exc

    async def secure(self, settings: ssl.SSLContext, server_name: str) -> None:
        """The TLS handshake, in steps."""
        if self.pending:
            raise NetError("protocol", "the server sent data before the TLS handshake", "tls")
        try:
            with self.gate:
                secured = settings.wrap_socket(self.sock, server_hostname=server_name, do_handshake_on_connect=False)
        except (OSError, ValueError) as exc:
            raise NetError("tls", f"{server_name} cannot be asked for by name: {exc}", "tls") from exc
        self.sock = secured
        try:
            await self._patiently("tls", secured.do_handshake)
        except OSError as exc:
            raise explain(exc, "tls", self.deadline) from exc


class Transport:
    """The way to one channel's receiver. Not for several threads at once."""

    def __init__(
        self, channel: Channel, gate: Gate | None = None, names: Names | None = None, origin: tuple[str, str, int] | None = None
    ) -> None:
        self._channel = channel
        self._place = origin or channel.origin
        self._names = names
        self._gated = gate is not None
        self._gate: Gate = gate if gate is not None else contextlib.nullcontext()
        self._stream: Stream | None = None

    def send(self, request: Request, seconds: float) -> Answer:
        """Send and read the answer within ``seconds``.

        :raises NetError: dns, refused, reset, unreachable, timeout, tls or protocol; its sentence holds no path and no header
        """
        deadline = Deadline(seconds)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.deadline = deadline
            try:
                return self._exchange(stream, request)
            except NetError as exc:
                stream.close()
                if exc.reason != "reset" or exc.phase not in ("send", "first_byte"):
                    raise
                # the receiver had closed the connection in the meantime: once more on a new one
        stream = self._open(deadline)
        try:
            return self._exchange(stream, request)
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        """Close the connection that was kept."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _exchange(self, stream: Stream, request: Request) -> Answer:
        scheme, host, port = self._origin()
        path = request.path or self._channel.path
        headers = {"Host": _netloc(host, port, scheme), "User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        proxy = self._proxy()
        if proxy is not None and scheme == "http":
            path = f"http://{_netloc(host, port, scheme)}{path}"
            headers.update(_proxy_authorization(proxy))
        headers.update(request.headers)
        headers.update(self._channel.headers)
        alone(stream.send(_http.request(request.method, path, headers, request.body)))
        try:
            reply = alone(_http.read_reply(stream, request.method, BODY_LIMIT))
        except NetError as exc:
            if exc.reason == "protocol" and exc.phase == "first_byte":
                # its sentence shows how the answer begins, which may be how the request began
                raise NetError("protocol", "the answer is not HTTP/1", "first_byte") from None
            raise
        whole = "content-length" in reply.headers or "chunked" in reply.headers.get("transfer-encoding", "") or reply.status == 204
        if whole and not reply.truncated and not stream.pending and reply.headers.get("connection", "").lower() != "close":
            self._stream = stream
        else:
            stream.close()
        return Answer(reply.status, reply.headers, _unpacked(reply.body, reply.headers.get("content-encoding", "")))

    def _origin(self) -> tuple[str, str, int]:
        if self._place is None:
            raise NetError("protocol", "the channel has no host", "connect")
        return self._place

    def _open(self, deadline: Deadline) -> Stream:
        scheme, host, port = self._origin()
        proxy = self._proxy()
        place = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 8080)
        stream = Stream(alone(_net.connect(self._resolve(*place, deadline), deadline)), deadline, self._gate)
        try:
            if scheme == "https":
                if proxy is not None:
                    alone(self._tunnel(stream, proxy, _http_host(host, port)))
                self.secure(stream)
            return stream
        except BaseException:
            stream.close()
            raise

    def dial(self, deadline: Deadline) -> Stream:
        """A plain connection to the channel's host for a protocol of its own; no proxy."""
        return Stream(alone(_net.connect(self.addresses(deadline), deadline)), deadline, self._gate)

    def addresses(self, deadline: Deadline) -> list[_net.Address]:
        """Those of the channel's host."""
        _scheme, host, port = self._origin()
        return self._resolve(host, port, deadline)

    def secure(self, stream: Stream) -> None:
        """TLS on it, as the channel trusts and shows itself."""
        with self._gate:
            settings = _tls.context(ca=self._channel.ca, client_cert=self._channel.client_cert)
        alone(stream.secure(settings, _net.ascii_host(self._origin()[1])))

    async def _tunnel(self, stream: Stream, proxy: urllib.parse.SplitResult, place: str) -> None:
        """RFC 9110, 9.3.6; an answer to CONNECT has no body when it is good."""
        headers = {"Host": place, "User-Agent": AGENT, **_proxy_authorization(proxy)}
        await stream.send(_http.request("CONNECT", place, headers, None))
        line = await stream.line("first_byte")
        status = line.split(b" ")[1:2]
        for _number in range(200):
            header = await stream.line("headers")
            if not header:
                break
        else:
            raise closed_by_peer("headers")
        if not line.startswith(b"HTTP/1.") or not status or not status[0].startswith(b"2"):
            raise NetError("protocol", f"the proxy does not let through (it says {line[9:12].decode('ascii', 'replace')})", "connect")

    def _resolve(self, host: str, port: int, deadline: Deadline) -> list[_net.Address]:
        """A child forked while another thread is inside the resolver would wait for it for ever; see Names."""
        name = _net.ascii_host(host)
        if name.rstrip(".").lower() == "localhost":
            return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port, 0, 0))]
        if _is_address(name) or not (self._gated or self._names):
            return _net.resolve(name, port, deadline)
        try:
            found = self._look_up(name, deadline)
        except TimeoutError as exc:
            raise deadline.passed("dns") from exc
        except (OSError, UnicodeError) as exc:
            raise NetError("dns", f"{host} could not be resolved", "dns") from exc
        deadline.left("dns")
        wanted = (socket.AF_INET, socket.AF_INET6)
        return [(socket.AddressFamily(family), (address[0], port, *address[2:])) for family, address in found if family in wanted]

    def _look_up(self, name: str, deadline: Deadline) -> t.Sequence[tuple[int, t.Any]]:
        if self._names is not None:
            return self._names.lookup(name, deadline.left("dns"))
        with self._gate:
            found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
        return [(family, address) for family, _type, _proto, _canon, address in found]

    def _proxy(self) -> urllib.parse.SplitResult | None:
        scheme, host, port = self._origin()
        proxies = urllib.request.getproxies_environment()
        url = proxies.get(scheme) or proxies.get("all")
        if not url or _is_loopback(host):
            return None
        if urllib.request.proxy_bypass_environment(f"{host}:{port}", proxies):  # type: ignore[attr-defined]
            return None
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise NetError("protocol", "the proxy in the environment is not an http:// URL", "connect")
        return parts


def _unpacked(body: bytes, coding: str) -> bytes:
    """What a proxy on the way has packed though nobody asked for it; as it is where it cannot be unpacked."""
    if not body or coding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, BODY_LIMIT)
    except zlib.error:
        return body


def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name.split("%")[0])
            return True
        except OSError:
            pass
    return False


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _http_host(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _netloc(host: str, port: int, scheme: str) -> str:
    place = f"[{host}]" if ":" in host else _net.ascii_host(host)
    return place if port == (443 if scheme == "https" else 80) else f"{place}:{port}"


def _proxy_authorization(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    userinfo = (urllib.parse.unquote(proxy.username), urllib.parse.unquote(proxy.password or ""))
    return {"Proxy-Authorization": _headers.basic(userinfo)}
