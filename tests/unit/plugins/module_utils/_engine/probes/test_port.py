# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real sockets of this process, and tables as other machines wrote them."""

from __future__ import annotations

import os
import socket
import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _sockets, port

TCP = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 21000 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21001 1 0000000000000000 100 0 0 10 0
   2: 0200007F:0016 0300007F:C000 01 00000000:00000A0A 02:000A0A0A 00000000     0        0 21002 4 0000000000000000 20 4 30 10 -1
   3: torn
"""
TCP6 = b"""\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 21003 1 00 100 0 0 10 0
   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 21004 1 00 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 21005 1 00 100 0 0 10 0
"""


@pytest.fixture
def listener():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made.getsockname()[1]


def refused(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("port", **options)
    assert caught.value.observed["listening"] is False
    return caught.value


def test_a_socket_of_ours(look, listener):
    seen = look("port", Context(wanted=["pid", "process"]), port=listener)
    assert (seen["listening"], seen["addresses"], seen["count"], seen["pid"]) == (True, ["127.0.0.1"], 1, os.getpid())
    with open("/proc/self/comm", encoding="utf-8") as source:
        assert seen["process"] == source.read().strip()
    assert set(seen) == set(port.SPEC.observes) - {"latency_ms"}


def test_owners_are_looked_for_only_when_they_matter(look, listener):
    assert look("port", port=listener)["pid"] is None


def test_udp_is_another_protocol(look):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        number = made.getsockname()[1]
        assert look("port", port=number, protocol="udp")["listening"] is True
        made.connect(("127.0.0.1", 9))  # takes packets of one peer alone
        refused(look, port=number, protocol="udp")


def test_what_is_bound_and_does_not_listen(look):
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        failure = refused(look, port=made.getsockname()[1])
    assert failure.sentence.startswith("nothing listens on tcp port ")


def test_a_connection_is_no_listener(look, listener):
    with socket.create_connection(("127.0.0.1", listener)) as client:
        refused(look, port=client.getsockname()[1])


def test_addresses(look, listener):
    assert look("port", port=listener, address="127.0.0.1")["listening"]
    assert refused(look, port=listener, address="127.0.0.2").sentence.endswith("of 127.0.0.2, only on 127.0.0.1")
    refused(look, port=listener, address="0.0.0.0")
    with socket.socket() as wide:
        wide.bind(("", 0))
        wide.listen()
        for address in ("127.0.0.1", "0.0.0.0"):
            assert look("port", port=wide.getsockname()[1], address=address)["addresses"] == ["0.0.0.0"]
        refused(look, port=wide.getsockname()[1], address="::1")


def test_sockets_on_all_addresses_of_ipv6(look):
    with socket.socket(socket.AF_INET6) as wide:
        wide.bind(("::", 0))
        wide.listen()
        for address in ("::1", "[::1]", "127.0.0.1", "::"):
            assert look("port", port=wide.getsockname()[1], address=address)["addresses"] == ["::"]


def test_tables_of_another_machine(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_bytes(TCP)
    (tmp_path / "net" / "tcp6").write_bytes(TCP6)
    found = [(str(one.address), one.port, one.uid, one.inode) for one in _sockets.read_sockets(str(tmp_path))]
    assert found == [
        ("127.0.0.1", 5432, 112, 21000),
        ("0.0.0.0", 22, 0, 21001),
        ("::", 80, 0, 21003),
        ("::1", 631, 0, 21004),
        (str(__import__("ipaddress").ip_address("::ffff:127.0.0.1")), 8080, 0, 21005),
    ]


def test_without_proc(tmp_path):
    with pytest.raises(CannotSee, match="only Linux") as caught:
        _sockets.read_sockets(str(tmp_path))
    assert caught.value.reason == "unsupported"


def test_an_owner_that_may_not_be_seen_is_unknown_only_when_it_matters(look, listener, monkeypatch, tmp_path):
    monkeypatch.setattr(port, "owners", lambda inodes, **more: _sockets.owners(inodes, str(tmp_path)))
    assert look("port", port=listener)["listening"]
    with pytest.raises(CannotSee, match="run with become") as caught:
        look("port", Context(wanted=["process"]), port=listener)
    assert caught.value.reason == "permission"


def test_all_checks_of_a_run_share_one_reading(listener, monkeypatch):
    readings = []
    real = _sockets.read_sockets
    monkeypatch.setattr(port, "read_sockets", lambda: readings.append(1) or real())
    ctx = Context()
    options = read_options(port.SPEC, {"port": listener})
    port.gather([options] * 20, ctx)
    threads = [threading.Thread(target=port.observe, args=(options, ctx)) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(readings) == 1
    port.observe(options, ctx.view(2, ()))
    assert len(readings) == 2


@pytest.mark.parametrize(
    "options", [{"port": 0}, {"port": 65536}, {"port": 1, "protocol": "sctp"}, {"port": 1, "address": "localhost"}, {}]
)
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match="port"):
        read_options(port.SPEC, options)
