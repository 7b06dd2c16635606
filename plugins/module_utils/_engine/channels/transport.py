# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP request to a channel's receiver: absolute time, bounded answer, connection kept, proxies, no redirect followed."""

from __future__ import annotations

import urllib.parse
import urllib.request
import zlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Answer, Channel, Request
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _headers, _http, _net, _tls
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, closed_by_peer
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import alone

BODY_LIMIT = 65536
AGENT = "vigil.ops/1.0.0"


class Transport:
    """The way to one channel's receiver. Not for several threads at once."""

    def __init__(self, channel: Channel, origin: tuple[str, str, int] | None = None) -> None:
        self._channel = channel
        self._place = origin or channel.origin
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
        stream = alone(_net.dial(*place, deadline))
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
        return alone(_net.dial(*self._origin()[1:], deadline))

    def addresses(self, deadline: Deadline) -> list[_net.Address]:
        """Those of the channel's host."""
        return _net.resolve(*self._origin()[1:], deadline)

    def secure(self, stream: Stream) -> None:
        """TLS on it, as the channel trusts and shows itself."""
        settings = _tls.context(ca=self._channel.ca, client_cert=self._channel.client_cert)
        alone(_tls.handshake(stream, settings, self._origin()[1]))

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
