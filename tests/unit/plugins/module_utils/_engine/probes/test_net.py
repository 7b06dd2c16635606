# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import random
import socket

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _http, _net, _starttls
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import alone

ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n z\r\n\r\nhello, world",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\nA: b\r\n\r\ngone",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
]
SPECIAL = (b"\r\n", b"\n", b"\0", b":", b" ", b"0", b"ffffffff", b"-1", b"HTTP/1.1 ", b"\xff", b"chunked")


def stream_of(data, seconds=5.0):
    """A stream on which exactly this arrives, then the end."""
    ours, theirs = socket.socketpair()
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    return _net.Stream(ours, Deadline(seconds)), theirs


def mutated(chance, data):
    data = bytearray(data)
    for _change in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) + 1)
        if chance.random() < 0.5:
            data[place:place] = chance.choice(SPECIAL)
        else:
            del data[place : place + chance.randint(1, 20)]
    return bytes(data)


def test_whatever_a_web_server_sends_only_net_errors_come_out():
    chance = random.Random(7)
    read = 0
    for _round in range(3000):
        stream, other = stream_of(mutated(chance, chance.choice(ANSWERS)))
        try:
            reply = alone(_http.read_reply(stream, "GET", 10))
            assert len(reply.body) <= 10
            assert 100 <= reply.status <= 999
            read += 1
        except NetError as exc:
            assert exc.reason in ("protocol", "reset")
        finally:
            stream.close()
            other.close()
    assert read > 100


@pytest.mark.parametrize("protocol", sorted(_starttls.PROTOCOLS))
def test_whatever_comes_before_tls_only_net_errors_come_out(protocol):
    chance = random.Random(8)
    answers = [
        b"220 a\r\n250 b\r\n220 c\r\n",
        b"* OK\r\na1 OK\r\n",
        b"+OK\r\n+OK\r\n",
        b"S",
        b"\x4a\x00\x00\x00\x0a8.0\x00" + b"a" * 13 + b"\xff\xff" + b"b" * 60,
        b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features><proceed/>",
        b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
    ]
    for _round in range(500):
        stream, other = stream_of(mutated(chance, chance.choice(answers)))
        try:
            alone(_starttls.start(stream, protocol))
        except NetError as exc:
            assert exc.reason in ("protocol", "reset")
        finally:
            stream.close()
            other.close()


def test_lines_and_counts():
    stream, other = stream_of(b"one\r\ntwo\n" + b"x" * 10 + b"\n12345")
    assert (alone(stream.line("dialogue")), alone(stream.line("dialogue"))) == (b"one", b"two")
    with pytest.raises(NetError, match="more than 5 bytes"):
        alone(stream.line("dialogue", 5))
    assert alone(stream.exactly(11, "dialogue")) == b"x" * 10 + b"\n"
    assert alone(stream.exactly(5, "dialogue")) == b"12345"
    with pytest.raises(NetError) as caught:
        alone(stream.line("dialogue"))
    assert caught.value.reason == "reset"
    stream.close()
    other.close()


def test_a_passed_deadline_is_a_timeout_before_anything_is_done():
    with pytest.raises(NetError, match="within 0 s") as caught:
        alone(_net.dial("127.0.0.1", 9, Deadline(0)))
    assert caught.value.reason == "timeout"


def test_every_address_gets_its_share(monkeypatch):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    port = listener.getsockname()[1]
    closed = (socket.AF_INET, ("127.0.0.1", 1))
    made = alone(_net.connect([closed, closed, (socket.AF_INET, ("127.0.0.1", port))], Deadline(5)))
    assert made.getpeername() == ("127.0.0.1", port)
    made.close()
    listener.close()
    with pytest.raises(NetError, match="refused the connection; ") as caught:
        alone(_net.connect([closed, closed], Deadline(5)))
    assert caught.value.reason == "refused"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_no_descriptor_is_left_behind(serve, look, certificates):
    def count():
        places = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return sum(os.path.realpath(place).rpartition("/")[2].startswith("socket:") for place in places)

    good, silent = serve(b"HTTP/1.1 200 OK\r\n\r\nok"), serve(lambda connection, server: connection.recv(9))
    secure = serve(lambda connection, server: connection.recv(9), tls=certificates.server("self"))
    before = count()
    for _round in range(20):
        look("http", url=f"http://127.0.0.1:{good.port}/")
        for probe, options in (("http", {"url": f"http://127.0.0.1:{silent.port}/"}), ("tls", {"host": "127.0.0.1", "port": secure.port})):
            with pytest.raises(ProbeFailure):
                look(probe, **options)
    assert count() <= before + 10
