# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DNS over HTTPS (RFC 8484): POST with application/dns-message, through HTTP/1.1 of the standard library, or HTTP/2 where the library h2 is there."""

from __future__ import annotations

import http.client
import io
import socket
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.connection import StreamError, explain, left

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

_MEDIA = "application/dns-message"
_LONGEST = 65535  # the longest DNS message
_FLYING = 100
_NO_H2 = "answers in HTTP/2, which needs the Python library h2 here; install python3-h2 or h2"
Found = t.List[t.Tuple[t.Any, t.Union[bytes, StreamError]]]


def protocols() -> t.Tuple[str, ...]:
    """What is offered to servers (ALPN, RFC 7301)."""
    try:
        import h2.connection  # noqa: F401 - only whether it is there
    except ImportError:
        return ("http/1.1",)
    return ("h2", "http/1.1")


def open_channel(sock: t.Any, server: Server, build: t.Callable[[int, t.Any], bytes], end: float) -> t.Any:
    """What the server chose to speak.

    :raises StreamError: it went away
    """
    if sock.selected_alpn_protocol() == "h2":
        return _Two(sock, server, build, end)
    return _One(sock, server, build)


def _authority(server: Server) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return host if server.port == 443 else f"{host}:{server.port}"


def _path(server: Server) -> str:
    return server.path.split("{", 1)[0] or "/dns-query"


def _wrong(server: Server, status: int, media: str) -> t.Optional[StreamError]:
    """Whether head and media type are those of an answer."""
    if status != 200:
        return StreamError("http", f"{server.label} answered with the HTTP status {status}")
    if media.split(";", 1)[0].strip().lower() != _MEDIA:
        shown = "".join(char if char.isprintable() else "?" for char in media[:60])
        return StreamError("http", f"{server.label} answered with {shown or 'no media type'} instead of {_MEDIA}")
    return None


class _Reader(io.RawIOBase):
    """The bytes of a socket up to an absolute end: a server that sends one byte a second is not waited for."""

    def __init__(self, sock: t.Any, end: float) -> None:
        self._sock = sock
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        seconds = left(self._end)
        if seconds <= left(0):
            raise socket.timeout("timed out")
        self._sock.settimeout(seconds)
        return int(self._sock.recv_into(buffer))

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client asks a socket for."""
        return io.BufferedReader(self)


class _One:
    """HTTP/1.1 with keep-alive, one question at a time."""

    limit = 1

    def __init__(self, sock: t.Any, server: Server, build: t.Callable[[int, t.Any], bytes]) -> None:
        self._sock = sock
        self._server = server
        self._build = build
        self._key: t.Any = None
        self._over = False
        # it was offered HTTP/2 and does not want it, or has answered; that it chose HTTP/1.1 when nothing else was offered says nothing
        self._proven = "h2" in protocols()
        self._head = (
            f"POST {_path(server)} HTTP/1.1\r\nHost: {_authority(server)}\r\nAccept: {_MEDIA}\r\nContent-Type: {_MEDIA}\r\nContent-Length: "
        ).encode("ascii")

    def send(self, keys: t.Sequence[t.Any], end: float) -> None:
        """:raises StreamError: network or timeout"""
        if self._over:
            raise StreamError("network", f"{self._server.label} closed the connection")
        (self._key,) = keys
        body = self._build(0, self._key)
        try:
            self._sock.settimeout(left(end))
            self._sock.sendall(self._head + b"%d\r\n\r\n" % len(body) + body)
        except OSError as exc:
            raise explain(exc, self._server, "the conversation") from exc

    def receive(self, end: float) -> Found:
        """The one answer.

        :raises StreamError: network, timeout or http; the connection is of no more use
        """
        response = http.client.HTTPResponse(t.cast(t.Any, _Reader(self._sock, end)), method="POST")
        try:
            response.begin()
            self._proven = True
            body = response.read(_LONGEST + 1)
            self._over = response.will_close or not response.isclosed()
            if response.status == 200 and len(body) <= _LONGEST and response.length:
                raise ConnectionResetError  # it hung up before the length that it had named
        except http.client.BadStatusLine as exc:
            if isinstance(exc, http.client.RemoteDisconnected):
                raise self._left(StreamError("network", f"{self._server.label} closed the connection")) from exc
            line = str(exc.args[0] if exc.args else "").strip("'\"\r\n")
            binary = not self._proven and (not line.isprintable() or "\\x" in line)
            raise StreamError("http", f"{self._server.label} {_NO_H2 if binary else 'does not answer in HTTP'}") from exc
        except (http.client.HTTPException, ValueError) as exc:
            raise StreamError("http", f"{self._server.label} does not answer in proper HTTP") from exc
        except OSError as exc:
            raise self._left(explain(exc, self._server, "the conversation")) from exc
        finally:
            response.close()
        fault = _wrong(self._server, response.status, response.getheader("Content-Type") or "")
        if fault is None and len(body) > _LONGEST:
            fault = StreamError("http", f"{self._server.label} answered with more than {_LONGEST} bytes")
        return [(self._key, fault or body)]

    def _left(self, fault: StreamError) -> StreamError:
        """A server that hangs up on the first HTTP/1.1 request may know HTTP/2 alone."""
        if self._proven or fault.status != "network":
            return fault
        return StreamError("http", f"{self._server.label} does not answer HTTP/1.1; perhaps it {_NO_H2}")

    def close(self) -> None:
        """Close it at once."""
        try:
            self._sock.close()
        except OSError:
            pass


class _Two:
    """HTTP/2 (RFC 9113) by the library h2: many questions at once on one connection."""

    def __init__(self, sock: t.Any, server: Server, build: t.Callable[[int, t.Any], bytes], end: float) -> None:
        import h2.config
        import h2.connection
        import h2.exceptions

        self._sock = sock
        self._server = server
        self._build = build
        self._wrong = h2.exceptions.ProtocolError
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._flying: t.Dict[int, t.Any] = {}
        self._status: t.Dict[int, t.Optional[StreamError]] = {}
        self._bodies: t.Dict[int, bytearray] = {}
        self._last: t.Optional[int] = None  # once the server takes its leave: the last question that it answers
        self._h2.initiate_connection()
        self._flush(end)

    @property
    def limit(self) -> int:
        """How many may be in flight: what the server allows, and what fits into the window it gives."""
        return max(1, min(_FLYING, self._h2.remote_settings.max_concurrent_streams, self._h2.outbound_flow_control_window // 512))

    def send(self, keys: t.Sequence[t.Any], end: float) -> None:
        """:raises StreamError: network, timeout or http"""
        try:
            for key in keys:
                body = self._build(0, key)
                stream = self._h2.get_next_available_stream_id()
                self._h2.send_headers(stream, [
                    (":method", "POST"), (":scheme", "https"), (":authority", _authority(self._server)), (":path", _path(self._server)),
                    ("accept", _MEDIA), ("content-type", _MEDIA), ("content-length", str(len(body))),
                ])  # fmt: skip
                self._h2.send_data(stream, body, end_stream=True)
                self._flying[stream], self._bodies[stream] = key, bytearray()
        except self._wrong as exc:
            raise StreamError("network", f"{self._server.label} takes no more questions on this connection") from exc
        self._flush(end)

    def receive(self, end: float) -> Found:
        """What has come; nothing when the time is over.

        :raises StreamError: network or http, the connection is lost
        """
        if self._last is not None and not any(stream <= self._last for stream in self._flying):
            raise StreamError("network", f"{self._server.label} closed the connection")  # the others are asked again (RFC 9113 6.8)
        try:
            self._sock.settimeout(left(end))
            data = self._sock.recv(65536)
        except socket.timeout:
            return []
        except OSError as exc:
            raise explain(exc, self._server, "the conversation") from exc
        if not data:
            raise StreamError("network", f"{self._server.label} closed the connection")
        found: Found = []
        try:
            for event in self._h2.receive_data(data):
                self._take(event, found)
        except (self._wrong, UnicodeError) as exc:
            raise StreamError("http", f"{self._server.label} does not answer in proper HTTP/2") from exc
        self._flush(end)
        return found

    def close(self) -> None:
        """Close it at once."""
        try:
            self._sock.close()
        except OSError:
            pass

    def _flush(self, end: float) -> None:
        try:
            self._sock.settimeout(left(end))
            self._sock.sendall(self._h2.data_to_send())
        except OSError as exc:
            raise explain(exc, self._server, "the conversation") from exc

    def _take(self, event: t.Any, found: Found) -> None:
        kind, stream = type(event).__name__, getattr(event, "stream_id", None) or 0
        if kind == "ConnectionTerminated":
            self._last = event.last_stream_id or 0
        if kind == "DataReceived":
            self._h2.acknowledge_received_data(event.flow_controlled_length, stream)
        if stream not in self._flying:
            return
        if kind == "ResponseReceived":
            fields = dict(event.headers)
            status = fields.get(":status", "")
            self._status[stream] = _wrong(self._server, int(status) if status.isdigit() else 0, fields.get("content-type", ""))
        elif kind == "DataReceived":
            self._bodies[stream] += event.data
            if len(self._bodies[stream]) > _LONGEST:
                self._h2.reset_stream(stream)
                self._end(stream, StreamError("http", f"{self._server.label} answered with more than {_LONGEST} bytes"), found)
        elif kind == "StreamEnded":
            self._end(stream, self._status.get(stream) or bytes(self._bodies[stream]), found)
        elif kind == "StreamReset":
            self._end(
                stream, StreamError("http", f"{self._server.label} gave up the question (HTTP/2 error {int(event.error_code)})"), found
            )

    def _end(self, stream: int, what: t.Union[bytes, StreamError], found: Found) -> None:
        found.append((self._flying.pop(stream), what))
        self._bodies.pop(stream, None)
        self._status.pop(stream, None)
