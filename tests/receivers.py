# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Receivers on loopback for tests of channels: real sockets, good and bad behaviour. A plugin of pytest, see tests/conftest.py."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver.connections.add(self.client_address)
        if receiver.delay:
            time.sleep(receiver.delay)
        if receiver.mode == "silent":
            receiver.released.wait(60)
            self.close_connection = True
            return
        status, headers, answer = receiver.answer(self.path, body, dict(self.headers))
        with receiver.lock:
            receiver.requests.append((self.path, dict(self.headers), body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if receiver.mode == "drip":
            for number in range(len(answer)):
                self.wfile.write(answer[number : number + 1])
                if receiver.released.wait(0.2):
                    break
            self.close_connection = True
            return
        self.wfile.write(answer)
        if receiver.hangs_up:
            self.close_connection = True

    do_GET = do_POST

    def log_message(self, *unused: t.Any) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, *unused: t.Any) -> None:
        pass


class Receiver:
    """`mode`: an HTTP status, "silent", "drip", a function (path, body) -> (status, headers, body), or one of the vendors."""

    def __init__(self, mode: t.Any = 200, tls: tuple[str, str] | None = None, port: int = 0) -> None:
        self.mode = mode
        self.delay = 0.0
        self.hangs_up = False  # closes after each answer without saying so
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[t.Any] = set()
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[0], tls[1])
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[t.Any]:
        with self.lock:
            return [json.loads(body) for _path, _headers, body in self.requests]

    def answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if hasattr(self.mode, "serve"):
            return self.mode.serve(path, headers, body)
        if callable(self.mode):
            return self.mode(path, body)
        if self.mode == "drip":
            return 200, {}, b"x" * 1000
        return self.mode, {"Location": "http://127.0.0.1:9/else"} if 300 <= self.mode < 400 else {}, b"{}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class Robot:
    """A WeCom robot as the documents describe it: the key, the sizes and the rate are checked, the verdict is in the body."""

    def __init__(self, key: str, limit: int = 20, seconds: float = 60.0) -> None:
        self.key = key
        self.limit = limit
        self.seconds = seconds
        self.taken: list[float] = []
        self.contents: list[str] = []
        self.force: int | None = None

    def __call__(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        code = self._judge(path, body)
        return 200, {"Content-Type": "application/json"}, json.dumps({"errcode": code, "errmsg": "ok" if not code else "no"}).encode()

    def _judge(self, path: str, body: bytes) -> int:
        if self.force is not None:
            return self.force
        if path != f"/cgi-bin/webhook/send?key={self.key}":
            return 93000
        message = json.loads(body)
        if message.get("msgtype") != "markdown":
            return 40008
        content = message["markdown"]["content"]
        if len(content.encode()) > 4096 or not content:
            return 40058
        now = time.monotonic()
        if len([at for at in self.taken if at > now - self.seconds]) >= self.limit:
            return 45009
        self.taken.append(now)
        self.contents.append(content)
        return 0


def dead_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def make_certificates(place: Path | str) -> tuple[str, str, str]:
    """(ca, certificate, key): a CA of its own and a certificate for 127.0.0.1, made with openssl."""
    place = Path(place)
    ca, ca_key, certificate, key, request, more = (
        place / name for name in ("ca.pem", "ca.key", "cert.pem", "cert.key", "cert.csr", "ext.txt")
    )
    more.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n")
    new: list[t.Any] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        [
            "req",
            "-x509",
            *new,
            "-keyout",
            ca_key,
            "-out",
            ca,
            "-days",
            "2",
            "-subj",
            "/CN=test ca",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ],
        ["req", *new, "-keyout", key, "-out", request, "-subj", "/CN=localhost"],
        [
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            ca,
            "-CAkey",
            ca_key,
            "-CAcreateserial",
            "-out",
            certificate,
            "-days",
            "2",
            "-extfile",
            more,
        ],
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True, timeout=30)
    return str(ca), str(certificate), str(key)


@pytest.fixture
def receivers() -> t.Any:
    """This module."""
    return sys.modules[__name__]


@pytest.fixture
def listen() -> t.Iterator[t.Callable[..., Receiver]]:
    """`listen(mode, tls)` starts a Receiver that is closed after the test."""
    started: list[Receiver] = []

    def start(*args: t.Any, **options: t.Any) -> Receiver:
        started.append(Receiver(*args, **options))
        return started[-1]

    yield start
    for receiver in started:
        receiver.close()
