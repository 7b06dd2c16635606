# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _net


@pytest.fixture
def name_server():
    """``name_server(answer) -> address``; answer(query bytes) gives the bytes to send back, or None."""
    sockets = []

    def start(answer):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sockets.append(sock)

        def serve():
            while True:
                try:
                    data, peer = sock.recvfrom(4096)
                except OSError:
                    return
                reply = answer(data)
                if reply is not None:
                    sock.sendto(reply, peer)

        threading.Thread(target=serve, daemon=True).start()
        return "127.0.0.1:%d" % sock.getsockname()[1]

    yield start
    for sock in sockets:
        sock.close()


def reply(rcode=0, *records):
    import dns.flags
    import dns.message
    import dns.rrset

    def answer(data):
        query = dns.message.from_wire(data)
        made = dns.message.make_response(query)
        made.flags |= dns.flags.RA
        made.set_rcode(rcode)
        for kind, *values in records:
            made.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind, *values))
        return made.to_wire()

    return answer


def failure_of(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("dns", **options)
    return caught.value


def test_as_programs_on_the_node_do_it(look):
    seen = look("dns", name="localhost")
    assert (seen["status"], seen["rdata"]) == ("noerror", ["127.0.0.1"])


def test_a_name_that_is_not_there(look):
    failure = failure_of(look, name="no-such-name.invalid", timeout=8)
    assert failure.reason in ("nxdomain", "servfail", "timeout")
    assert failure.observed["status"] == failure.reason
    assert failure.observed["rdata"] == []


def test_a_resolver_that_hangs_is_not_waited_for(look, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(_net.socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(15))
    failure = failure_of(look, name="hangs.example.test", timeout=0.3)
    threads = threading.active_count()
    again = failure_of(look, name="hangs.example.test", timeout=0.3)
    assert (failure.reason, again.reason) == ("timeout", "timeout")
    assert threading.active_count() <= threads
    release.set()


@pytest.mark.parametrize(
    ("probe", "options"),
    [
        ("http", {"url": "http://gone.example.test/"}),
        ("http", {"url": "https://gone.example.test/"}),
        ("tcp", {"host": "gone.example.test", "port": 25}),
        ("udp", {"host": "gone.example.test", "port": 25, "send": "x"}),
        ("tls", {"host": "gone.example.test"}),
        ("ssh", {"host": "gone.example.test"}),
        ("icmp", {"host": "gone.example.test"}),
    ],
)
def test_a_name_that_nobody_answers_is_the_fault_of_dns(look, monkeypatch, probe, options):
    """Not a timeout of a server that was never asked: ``expect: {refused: false}`` of udp would pass."""
    release = threading.Event()
    monkeypatch.setattr(_net.socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(15))
    with pytest.raises(ProbeFailure) as caught:
        look(probe, **options, timeout=0.2)
    release.set()
    while _net._LOOKUPS:  # the next one is to ask for itself
        time.sleep(0.01)
    assert (caught.value.reason, caught.value.sentence) == ("dns", "gone.example.test was not resolved within 0.2 s")
    assert caught.value.observed.get("refused") is None


@pytest.mark.parametrize("name", ["", "a..b", "x" * 300, "bad name", "\ud800", "https://a.test/"])
def test_nonsense_names(look, name):
    with pytest.raises(ValueError, match=r"dns\.name: .* not a domain name"):
        look("dns", name=name)


def test_records_of_a_given_server(look, name_server):
    pytest.importorskip("dns")
    server = name_server(reply(0, ("TXT", '"b"', '"a"')))
    seen = look("dns", name="example.test", type="txt", nameservers=[server])
    assert seen["rdata"] == ['"a"', '"b"']
    assert (seen["status"], seen["nameserver"], seen["ttl"]) == ("noerror", server, 60)


@pytest.mark.parametrize(("rcode", "status"), [(3, "nxdomain"), (2, "servfail"), (5, "refused"), (0, "nodata")])
def test_statuses(look, name_server, rcode, status):
    pytest.importorskip("dns")
    failure = failure_of(look, name="example.test", nameservers=[name_server(reply(rcode))])
    assert (failure.reason, failure.observed["status"]) == (status, status)


def test_the_next_server_is_asked_when_the_first_cannot(look, name_server):
    pytest.importorskip("dns")
    servers = [name_server(reply(2)), name_server(reply(0, ("A", "192.0.2.1")))]
    assert look("dns", name="example.test", nameservers=servers)["rdata"] == ["192.0.2.1"]


def test_silence_and_garbage(look, name_server):
    pytest.importorskip("dns")
    assert failure_of(look, name="x.test", nameservers=[name_server(lambda data: None)], timeout=0.4).reason == "timeout"
    garbage = name_server(lambda data: data[:2] + b"\x81\x80\xff\xff\xff\xff\xff")
    assert failure_of(look, name="x.test", nameservers=[garbage], timeout=0.4).reason in ("malformed", "timeout")


def test_without_dnspython_it_says_so(look, monkeypatch):
    for module in [name for name in sys.modules if name == "dns" or name.startswith("dns.")] + ["dns"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CannotSee, match="dnspython") as caught:
        look("dns", name="example.test", type="MX")
    assert caught.value.reason == "missing_library"


def test_bad_options_are_refused(look):
    for place in ("ftp://192.0.2.1", "192.0.2.1:99999", "[::1", "192.0.2.1#dns.example.com", ""):
        with pytest.raises(ValueError, match=r"dns\.nameservers: .* is not a name server"):
            look("dns", name="x", nameservers=[place])
    for kind, words in (("MXX", "did you mean MX"), ("65536", "end at 65535"), ("AXFR", "cannot be asked for")):
        with pytest.raises(ValueError, match=rf"dns\.type: .*{words}"):
            look("dns", name="x", type=kind)
    with pytest.raises(CannotSee, match="/not/here"):
        look("dns", name="x.test", nameservers=["tls://127.0.0.1"], ca="/not/here")


def test_types_by_number_aliases_and_addresses(look, nsd):
    pytest.importorskip("dns")
    server = nsd(
        {
            "example.test": "odd TYPE65280 \\# 2 ABCD\nalias CNAME www\nwww A 192.0.2.1\n",
            "2.0.192.in-addr.arpa": "1 PTR www.example.test.\n",
        }
    )
    assert look("dns", name="odd.example.test", type="65280", nameservers=[server.address])["rdata"] == ["\\# 2 abcd"]
    assert look("dns", name="alias.example.test", nameservers=[server.address])["chain"] == ["www.example.test."]
    assert look("dns", name="192.0.2.1", type="ptr", nameservers=[f"tcp://{server.address}"])["rdata"] == ["www.example.test."]


def test_servers_by_name_by_tls_and_by_https(look, nsd, fake_dns, doh_server, dns_certificates):
    pytest.importorskip("dns")
    from dns_proxies import ask_tcp

    server = nsd({"example.test": "www A 192.0.2.1\n"})
    dot = fake_dns(lambda query, transport: ask_tcp((server.host, server.port), query), certificates=dns_certificates)
    for place in (f"localhost:{server.port}", dot.tls, doh_server(server).https):
        seen = look("dns", name="www.example.test", nameservers=["tcp://nobody.invalid", place], ca=str(dns_certificates[0]), timeout=10)
        assert (seen["rdata"], seen["nameserver"]) == (["192.0.2.1"], place)
    assert failure_of(look, name="www.example.test", nameservers=[dot.tls]).reason == "tls"
    failure = failure_of(look, name="www.example.test", nameservers=["nobody.invalid"])
    assert (failure.reason, "nobody.invalid" in failure.sentence) == ("network", True)


def test_every_status_is_of_the_closed_list(look, name_server):
    pytest.importorskip("dns")
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import STATUSES

    for rcode in range(16):
        if rcode:
            failure = failure_of(look, name="example.test", nameservers=[name_server(reply(rcode))], timeout=3)
            assert failure.observed["status"] in STATUSES and failure.observed["rdata"] == []


def test_what_does_not_fit_into_a_datagram(look, nsd):
    pytest.importorskip("dns")
    server = nsd({"example.test": 'big TXT "' + '" "'.join(["x" * 200] * 20) + '"\n'})
    seen = look("dns", name="big.example.test", type="TXT", nameservers=[server.address])
    assert (seen["status"], seen["nameserver"], seen["ttl"]) == ("noerror", server.address, 300)
    assert len(seen["rdata"][0]) > 4000


def test_a_name_in_other_letters_and_a_chain(look, nsd):
    pytest.importorskip("dns")
    server = nsd({"example.test": "xn--bcher-kva CNAME www\nwww A 192.0.2.1\n"})
    assert look("dns", name="B\u00fccher.Example.test", nameservers=[server.address])["rdata"] == ["192.0.2.1"]


def test_all_servers_together_have_the_time(look, name_server):
    pytest.importorskip("dns")
    silent = name_server(lambda data: None)
    servers = [silent, name_server(lambda data: None), name_server(reply(0, ("A", "192.0.2.1")))]
    assert look("dns", name="example.test", nameservers=servers, timeout=3)["rdata"] == ["192.0.2.1"]
