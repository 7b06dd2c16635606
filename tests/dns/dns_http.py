# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DoH servers that the test plays by hand, frame by frame or line by line, to be as wrong as one likes. HTTP/2 needs hpack, which comes with h2."""

from __future__ import annotations

import socket
import ssl
import threading
import typing as t

DATA, HEADERS, _PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8
MEDIA = "application/dns-message"


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """One frame (RFC 9113 4.1)."""
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


class Two:
    """The server's side of one HTTP/2 connection; ``sock`` takes any bytes."""

    def __init__(self, sock: t.Any) -> None:
        import hpack

        self.sock = sock
        self.encoder = hpack.Encoder()
        self._buffer = b""
        self._bodies: t.Dict[int, bytes] = {}

    def start(self, settings: bytes = b"") -> None:
        self._read(24)
        self.send(frame(SETTINGS, 0, 0, settings))

    def send(self, *parts: bytes) -> None:
        self.sock.sendall(b"".join(parts))

    def question(self) -> t.Tuple[int, bytes]:
        """The next question: stream and query. Settings and pings before it are acknowledged."""
        while True:
            head = self._read(9)
            body = self._read(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.send(frame(kind, ACK, 0, body if kind == PING else b""))
            elif kind == DATA:
                self._bodies[stream] = self._bodies.get(stream, b"") + body
                if flags & END_STREAM:
                    return stream, self._bodies.pop(stream)

    def head(self, stream: int, status: str = "200", media: str = MEDIA, flags: int = END_HEADERS, more: t.Sequence[t.Any] = ()) -> bytes:
        return frame(HEADERS, flags, stream, self.encoder.encode([(":status", status), ("content-type", media), *more]))

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


def request(sock: t.Any) -> bytes:
    """The body of the next HTTP/1.1 request."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(1)
        if not data:
            raise EOFError
        head += data
    size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    body = b""
    while len(body) < size:
        body += sock.recv(size - len(body))
    return body


class Played:
    """``behave(connection)`` in a thread for each connection, behind TLS; ``https`` is the URL. ``speaks`` is h2 or http/1.1."""

    def __init__(
        self, behave: t.Callable[[t.Any], t.Any], certificates: t.Tuple[str, str, str], speaks: str, settings: bytes = b""
    ) -> None:
        self.behave, self.speaks, self.settings = behave, speaks, settings
        self.connections = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates[1], certificates[2])
        self.context.set_alpn_protocols([speaks])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.https = f"https://127.0.0.1:{self.listener.getsockname()[1]}/dns-query"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        client.settimeout(60)
        try:
            with self.context.wrap_socket(client, server_side=True) as sock:
                if self.speaks == "h2":
                    two = Two(sock)
                    two.start(self.settings)
                    self.behave(two)
                else:
                    self.behave(sock)
        except (OSError, EOFError):
            pass  # the client has had enough
