# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers in Python for tests: a UDP proxy that loses packets, a server whose answers the test makes, and DoH over HTTP/1.1."""

from __future__ import annotations

import base64
import http.server
import random
import selectors
import socket
import socketserver
import ssl
import struct
import threading
import time
import typing as t
import urllib.parse

from dns_process import free_port

Handler = t.Callable[[bytes, str], t.Union[bytes, t.Sequence[bytes], None]]


class UdpProxy:
    """Passes DNS over UDP on to a server (anything with host and port) and loses some. Attributes may be changed while it runs.

    drop: fraction lost, in each direction by turns of one seeded generator. delay: seconds before an answer is passed on.
    duplicate: fraction of answers passed on twice. dead: nothing passes. asked, dropped: counts.
    """

    def __init__(
        self, server: t.Any, drop: float = 0.0, seed: int = 1, delay: float = 0.0, duplicate: float = 0.0, dead: bool = False
    ) -> None:
        self.upstream = (server.host, server.port)
        self.drop, self.delay, self.duplicate, self.dead = drop, delay, duplicate, dead
        self.asked = self.dropped = 0
        self.random = random.Random(seed)
        self.host, self.port = "127.0.0.1", free_port()
        self._front = _udp(bind=(self.host, self.port))
        self._backs: t.Dict[t.Any, socket.socket] = {}  # by client
        self._late: t.List[t.Tuple[float, bytes, t.Any]] = []  # in the order of their time as long as the delay stays
        self._ends = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def close(self) -> None:
        self._ends = True
        self._thread.join(10)
        for one in (self._front, *self._backs.values()):
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._ends:
            wait = 0.1 if not self._late else min(0.1, max(0.0, self._late[0][0] - time.monotonic()))
            for key, _events in self._selector.select(wait):
                self._drain(t.cast(socket.socket, key.fileobj), key.data)
            while self._late and self._late[0][0] <= time.monotonic():
                _when, packet, client = self._late.pop(0)
                _send(self._front, packet, client)

    def _drain(self, ready: socket.socket, client: t.Any) -> None:
        """Pass on what is there: queries from the front, answers from the socket of a client."""
        for _number in range(256):
            try:
                packet, source = ready.recvfrom(65535)
            except BlockingIOError:
                return
            except OSError:  # the server is not there: its answer would be an ICMP message, which is lost here
                return
            self.asked += client is None
            if self.dead or (self.drop and self.random.random() < self.drop):
                self.dropped += 1
            elif client is None:
                _send(self._back(source), packet, None)
            else:
                self._answer(packet, client)

    def _answer(self, packet: bytes, client: t.Any) -> None:
        for _copy in range(2 if self.duplicate and self.random.random() < self.duplicate else 1):
            if self.delay:
                self._late.append((time.monotonic() + self.delay, packet, client))
            else:
                _send(self._front, packet, client)

    def _back(self, client: t.Any) -> socket.socket:
        """The socket that asks the server for this client."""
        if client not in self._backs:
            back = self._backs[client] = _udp()
            back.connect(self.upstream)
            self._selector.register(back, selectors.EVENT_READ, client)
        return self._backs[client]


def _udp(bind: t.Optional[t.Tuple[str, int]] = None) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    if bind:
        made.bind(bind)
    return made


def _send(sock: socket.socket, packet: bytes, client: t.Any) -> None:
    try:
        if client is None:
            sock.send(packet)
        else:
            sock.sendto(packet, client)
    except OSError:
        pass  # a full buffer or a client that is gone: it is UDP


class FakeServer:
    """UDP and TCP on one port; `handler(query, "udp" | "tcp")` gives the packet to answer with, several of them, or None for silence.

    queries: what was asked, as (transport, packet). With `certificates` the stream side speaks TLS (DoT).
    """

    def __init__(self, handler: Handler, certificates: t.Optional[t.Tuple[str, str, str]] = None) -> None:
        self.handler = handler
        self.queries: t.List[t.Tuple[str, bytes]] = []
        self.connections = 0
        self.host, self.port = "127.0.0.1", free_port()
        context = _context(certificates) if certificates else None
        owner = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                for packet in owner.answer(self.request[0], "udp"):
                    _send(self.request[1], packet, self.client_address)

        class Stream(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                owner.connections += 1
                self.request.settimeout(60)
                try:
                    sock = context.wrap_socket(self.request, server_side=True) if context else self.request
                    with sock, sock.makefile("rb") as stream:
                        while True:
                            head = stream.read(2)
                            if len(head) < 2:
                                return
                            for packet in owner.answer(stream.read(struct.unpack("!H", head)[0]), "tcp"):
                                sock.sendall(struct.pack("!H", len(packet)) + packet)
                except OSError:
                    return  # the client hung up

        self._servers = [_Udp((self.host, self.port), Datagram), _Tcp((self.host, self.port), Stream)]
        for one in self._servers:
            threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def tls(self) -> str:
        return f"tls://{self.address}#localhost"

    def answer(self, query: bytes, transport: str) -> t.Sequence[bytes]:
        self.queries.append((transport, query))
        found = self.handler(query, transport)
        return () if found is None else (found,) if isinstance(found, bytes) else found

    def close(self) -> None:
        for one in self._servers:
            one.shutdown()
            one.server_close()


class _Udp(socketserver.UDPServer):
    max_packet_size = 65535

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        super().server_bind()


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        pass  # what a client does wrong is its test's business


def _context(certificates: t.Tuple[str, str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[1], certificates[2])
    return context


class DohServer:
    """DoH over HTTP/1.1 with TLS (RFC 8484, GET and POST) in front of a server (anything with host and port, asked over TCP).

    status, content_type, delay, body may be changed: what every answer then has (body None: the true one). requests: (method, path, headers).
    """

    def __init__(self, server: t.Any, certificates: t.Tuple[str, str, str], path: str = "/dns-query") -> None:
        self.upstream, self.path = (server.host, server.port), path
        self.status, self.content_type, self.delay = 200, "application/dns-message", 0.0
        self.body: t.Optional[bytes] = None
        self.requests: t.List[t.Tuple[str, str, t.Dict[str, str]]] = []
        self.connections = 0
        self.host, self.port = "127.0.0.1", free_port()
        owner = self

        class Page(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 60

            def setup(self) -> None:
                owner.connections += 1
                super().setup()

            def do_POST(self) -> None:
                self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_GET(self) -> None:
                given = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("dns", [""])[0]
                self._reply(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))

            def _reply(self, query: bytes) -> None:
                owner.requests.append((self.command, self.path, dict(self.headers)))
                status, body = owner.reply(urllib.parse.urlsplit(self.path).path, query)
                self.send_response(status)
                self.send_header("Content-Type", owner.content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: t.Any) -> None:
                pass

        self._server = _Https((self.host, self.port), Page)
        self._server.context = _context(certificates)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def https(self) -> str:
        """As a playbook would write it; the certificate is for localhost and 127.0.0.1."""
        return f"https://{self.host}:{self.port}{self.path}"

    def reply(self, path: str, query: bytes) -> t.Tuple[int, bytes]:
        if self.delay:
            time.sleep(self.delay)
        if path != self.path:
            return 404, b"not here"
        return self.status, ask_tcp(self.upstream, query) if self.body is None else self.body

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Https(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    context: ssl.SSLContext

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        with self.context.wrap_socket(request, server_side=True) as wrapped:  # in the thread of the connection
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        pass  # a client that trusts nobody hangs up in the handshake


def ask_tcp(server: t.Tuple[str, int], query: bytes) -> bytes:
    """One query as it is over TCP; the answer as it is."""
    with socket.create_connection(server, timeout=10) as sock, sock.makefile("rb") as stream:
        sock.sendall(struct.pack("!H", len(query)) + query)
        return stream.read(struct.unpack("!H", stream.read(2))[0])
