# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that behave badly, for tests. Copied to a node and run there: bad_servers.py ADDRESS KIND:PORT[:ARGUMENT] ...

silent        accepts, reads, and never answers
deaf          listens and never accepts; its queue is full, so no further connection is made
mute_udp      reads packets and never answers, as a name server that is gone
headers       HTTP, one byte of the headers in a tenth of a second, without an end
body          HTTP, whole headers, then a body in the same way
drip          says a banner in the same way, without an end of the line
ntp           NTP (RFC 5905), a clock that is ahead by so many seconds
tls           TLS with the certificate and key in the PEM file; answers each request with 200 over HTTP
late_dns      DNS, one A record for each question, after so many seconds
"""

from __future__ import annotations

import http.server
import itertools
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import typing as t

SINCE_1900 = 2208988800
PAUSE = 0.1
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def tcp(address: str, port: int, talk: t.Callable[[socket.socket], None]) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                talk(self.request)
            except OSError:
                pass  # the client has had enough

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer((address, port), Handler).serve_forever()


def silent(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass


def slowly(sock: socket.socket, at_once: bytes, then: bytes) -> None:
    """Send `then` over and over, one byte at a time."""
    sock.sendall(at_once)
    for number in itertools.cycle(then):
        sock.sendall(bytes([number]))
        time.sleep(PAUSE)


def deaf(address: str, port: int) -> None:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(0)
    waiting = []
    for _number in range(3):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((address, port))
        waiting.append(sock)
    threading.Event().wait()


def udp(address: str, port: int, answer: t.Callable[[bytes], bytes]) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    while True:
        data, peer = sock.recvfrom(4096)
        reply = answer(data)
        if reply:
            sock.sendto(reply, peer)


def ntp_answer(request: bytes, ahead: float) -> bytes:
    """A stratum 1 server's answer; `ahead` in seconds."""

    def stamp() -> bytes:
        now = time.time() + ahead + SINCE_1900
        return struct.pack("!II", int(now), int(now % 1 * 2**32))

    head = struct.pack("!BBBb", (request[0] & 0x38) | 4, 1, request[2], -20) + bytes(8) + b"TEST"
    received = stamp()
    return head + received + request[40:48] + received + stamp() if len(request) >= 48 else b""


def dns_answer(question: bytes, seconds: float) -> bytes:
    """127.0.0.1 for each name, nothing for other types than A."""
    time.sleep(seconds)
    end = 12
    while question[end]:
        end += question[end] + 1
    kind = question[end + 1 : end + 3]
    record = b"\xc0\x0c\x00\x01\x00\x01" + struct.pack("!IH", 60, 4) + bytes([127, 0, 0, 1]) if kind == b"\x00\x01" else b""
    return question[:2] + b"\x81\x80\x00\x01" + struct.pack("!H", bool(record)) + bytes(4) + question[12 : end + 5] + record


class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused: object) -> None:
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *unused: object) -> None:
        pass  # clients that refuse the certificate


def tls(address: str, port: int, pem: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = QuietServer((address, port), Ok)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


def serve(address: str, kind: str, port: int, argument: str) -> None:
    if kind in ("silent", "headers", "body", "drip"):
        talks: dict[str, t.Callable[[socket.socket], None]] = {
            "silent": silent,
            "headers": lambda sock: slowly(sock, HEADERS, b"X-Slow: loris\r\n"),
            "body": lambda sock: slowly(sock, HEADERS + b"Content-Length: 1000000\r\n\r\n", b"loris "),
            "drip": lambda sock: slowly(sock, b"", b"loris "),
        }
        tcp(address, port, talks[kind])
    elif kind == "deaf":
        deaf(address, port)
    elif kind == "tls":
        tls(address, port, argument)
    else:
        number = float(argument or 0)
        answers: dict[str, t.Callable[[bytes], bytes]] = {
            "mute_udp": lambda data: b"",
            "ntp": lambda data: ntp_answer(data, number),
            "late_dns": lambda data: dns_answer(data, number),
        }
        udp(address, port, answers[kind])


def main() -> None:
    address = sys.argv[1]
    for word in sys.argv[2:]:
        kind, port, *argument = word.split(":", 2)
        threading.Thread(target=serve, args=(address, kind, int(port), "".join(argument)), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
