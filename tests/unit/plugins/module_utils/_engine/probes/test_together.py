# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of checks whose probes talk all at once in one thread, with probes among them that have threads of their own."""

from __future__ import annotations

import os
import socket
import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"up"}'


def run(raw, **options):
    return inspect(read_checks(raw), **options)["results"]


def web(name, server, **options):
    return {"name": name, "http": dict({"url": f"http://127.0.0.1:{server.port}/"}, **options), "expect": {"json.status": "up"}}


def statuses(results):
    return {result["name"]: (result["status"], result["reason"]) for result in results}


def test_many_endpoints_each_get_their_own_answer(serve):
    servers = [serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d" % (len(str(number)), number)) for number in range(40)]
    raw = [
        {
            "name": f"{number}/{turn}",
            "http": {"url": f"http://127.0.0.1:{server.port}/"},
            "expect": {"json": number, "phases.connect": ">= 0"},
        }
        for turn in range(5)
        for number, server in enumerate(servers)
    ]
    results = run(raw, concurrency=16)
    assert [result["name"] for result in results] == [item["name"] for item in raw]
    assert {result["status"] for result in results} == {"ok"}
    assert all(result["metrics"]["latency_ms"] > 0 and result["duration_ms"] > 0 for result in results)


def test_silent_servers_do_not_hold_the_rest(serve):
    """The silent ones speak only once all others were served, and there are more of them than places."""
    served, lock, count = threading.Event(), threading.Lock(), [0]

    def live(connection, server):
        server.request(connection)
        with lock:
            count[0] += 1
            if count[0] == 30:
                served.set()
        connection.sendall(ANSWER)

    def silent(connection, server):
        server.request(connection)
        served.wait(20)
        connection.sendall(ANSWER)

    slow, quick = serve(silent), serve(live)
    raw = [web(f"silent {number}", slow, timeout=20) for number in range(8)] + [web(f"live {number}", quick) for number in range(30)]
    assert {result["status"] for result in run(raw, concurrency=2)} == {"ok"}


def test_each_dead_endpoint_says_what_is_wrong_with_it(serve, certificates):
    hole = socket.create_server(("127.0.0.1", 0), backlog=0)
    clients = [socket.socket() for _number in range(4)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(hole.getsockname())
    silent = serve(lambda connection, server: server.hang())
    gone = socket.create_server(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    secure = serve(lambda connection, server: connection.recv(9), tls=certificates.server("expired"))
    raw = [
        {"name": "hole", "tcp": {"port": hole.getsockname()[1], "timeout": 1}},
        web("silent", silent, timeout=1),
        {"name": "gone", "tcp": {"port": port}},
        {"name": "no ssh", "ssh": {"port": silent.port, "timeout": 1}},
        {"name": "expired", "tls": {"host": "127.0.0.1", "port": secure.port, "ca": certificates.ca}},
        {"name": "handshake", "tls": {"host": "127.0.0.1", "port": silent.port, "timeout": 1}},
        {"name": "udp", "udp": {"port": port, "send": "x", "timeout": 1}},
        web("fine", serve(ANSWER)),
    ]
    found = statuses(run(raw))
    for client in (*clients, hole):
        client.close()
    assert found == {
        "hole": ("critical", "timeout"),
        "silent": ("critical", "timeout"),
        "gone": ("critical", "refused"),
        "no ssh": ("critical", "timeout"),
        "expired": ("critical", "tls"),
        "handshake": ("critical", "timeout"),
        "udp": ("critical", "refused"),
        "fine": ("ok", None),
    }


def test_retries_of_those_that_talk(serve):
    attempts = []

    def third_time(connection, server):
        server.request(connection)
        attempts.append(1)
        connection.sendall(ANSWER if len(attempts) == 3 else b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    server = serve(third_time)
    (result,) = run([dict(web("it", server), retries=3)])
    assert (result["status"], result["attempts"], len(attempts)) == ("ok", 3, 3)


def test_the_end_of_the_run_ends_conversations(serve):
    silent, fine = serve(lambda connection, server: server.hang()), serve(ANSWER)
    results = run([web("silent", silent, timeout=60), web("fine", fine), web("waiting", silent, timeout=60)], timeout=1, concurrency=2)
    assert [result["status"] for result in results] == ["unknown", "ok", "unknown"]
    assert "had not ended" in results[0]["summary"]
    assert results[0]["attempts"] == 1


def test_probes_with_threads_run_beside_those_that_talk(serve):
    server = serve(ANSWER)
    raw = [web(f"web {number}", server) for number in range(20)]
    raw += [{"name": f"file {number}", "file": {"path": "/"}, "expect": {"type": "directory"}} for number in range(20)]
    raw += [{"name": "again", "file": {"path": "/does/not/exist"}, "retries": 1}]
    raw += [{"name": "says", "tcp": {"port": server.port, "send": "GET / HTTP/1.1\r\n\r\n", "expect": "^HTTP/1.1 2.. "}}]
    results = run(raw, concurrency=5)
    assert [result["status"] for result in results] == ["ok"] * 40 + ["critical", "ok"]
    assert results[40]["attempts"] == 2


def test_certificates_that_cannot_be_read_hold_nobody(serve, certificates, tmp_path):
    """A named pipe stands for a file on a dead mount: to open it hangs."""
    hung = tmp_path / "ca.pem"
    os.mkfifo(hung)
    secure, plain = serve(lambda connection, server: connection.recv(9), tls=certificates.server("good")), serve(ANSWER)
    raw = [
        {"name": f"hung {number}", "tls": {"host": "127.0.0.1", "port": secure.port, "ca": str(hung), "timeout": 1}} for number in range(3)
    ]
    raw += [{"name": "good", "tls": {"host": "127.0.0.1", "port": secure.port, "ca": certificates.ca}}, web("plain", plain)]
    try:
        results = run(raw, concurrency=2)
    finally:
        with open(hung, "wb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)):
            pass  # lets go of the thread that was left behind
    found = statuses(results)
    assert found["hung 0"] == found["hung 2"] == ("unknown", "timeout")
    assert "could not be read within 1 s" in results[0]["summary"]
    assert found["good"] == found["plain"] == ("ok", None)


@pytest.mark.parametrize("size", [1 << 20, 3 << 20])
def test_a_large_body_goes_out_and_comes_back_in_pieces(serve, size):
    def echoes(connection, server):
        data = server.request(connection)
        _head, _blank, body = data.partition(b"\r\n\r\n")
        while len(body) < size:
            body += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)

    server = serve(echoes)
    options = {"url": f"http://127.0.0.1:{server.port}/", "method": "POST", "body": "x" * size, "max_body": 2 << 20, "timeout": 20}
    expect = {"body_truncated": size > 2 << 20, "body_bytes": min(size, 2 << 20)}
    (result,) = run([{"name": "it", "http": options, "expect": expect}])
    assert (result["status"], result["summary"]) == ("ok", result["summary"])
