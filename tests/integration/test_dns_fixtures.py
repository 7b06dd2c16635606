# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of the tests do what their users rely on. Asked with dnspython."""

from __future__ import annotations

import ssl
import urllib.request

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.zone
import pytest
from dns_process import DnsLabError, program
from dns_proxies import ask_tcp
from dns_zones import zone_text

SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8="


def ask(server, name, kind="A", timeout=5, **options):
    return dns.query.udp(dns.message.make_query(name, kind, **options), server.host, port=server.port, timeout=timeout)


def values(answer):
    return sorted(item.to_text() for rrset in answer.answer for item in rrset)


def test_nsd_serves_its_zones_and_no_other(nsd):
    server = nsd({"example.test": "www A 192.0.2.1\n"})
    assert values(ask(server, "www.example.test")) == ["192.0.2.1"]
    assert ask(server, "no.example.test").rcode() == dns.rcode.NXDOMAIN
    assert ask(server, "www.example.com").rcode() == dns.rcode.REFUSED


def test_nsd_shows_a_new_text_when_set_zone_returns(nsd):
    server = nsd({"example.test": "www A 192.0.2.1\n"})
    for number in range(2, 12):
        serial = server.set_zone("example.test", f"www A 192.0.2.{number}\n")
        assert values(ask(server, "www.example.test")) == [f"192.0.2.{number}"]
    assert serial == 11
    server.set_zone("new.test", "www A 192.0.2.1\n")
    assert values(ask(server, "www.new.test")) == ["192.0.2.1"]
    server.remove_zone("new.test")
    assert ask(server, "www.new.test").rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_nsd_comes_back_on_its_port(nsd, how):
    server = nsd({"example.test": "www A 192.0.2.1\n"})
    getattr(server, how)()
    with pytest.raises((OSError, dns.exception.Timeout)):
        ask(server, "www.example.test", timeout=0.3)
    server.set_zone("example.test", "www A 192.0.2.2\n")
    server.start()
    assert values(ask(server, "www.example.test")) == ["192.0.2.2"]


def test_nsd_turns_a_record_set_round(nsd):
    server = nsd({"example.test": "".join(f"rr A 192.0.2.{number}\n" for number in range(8))}, round_robin=True)
    orders = {tuple(item.to_text() for item in ask(server, "rr.example.test").answer[0]) for _number in range(16)}
    wires = {ask(server, "rr.example.test", use_edns=False).to_wire()[2:] for _number in range(16)}
    assert len(wires) > 1 or len(orders) > 1


def test_nsd_gives_a_zone_to_who_holds_the_key(nsd):
    server = nsd({"example.test": "www A 192.0.2.1\n"}, keys={"k.test": SECRET}, transfer="k.test")
    keyring = dns.tsigkeyring.from_text({"k.test": SECRET})
    got = dns.query.xfr(server.host, "example.test", port=server.port, keyring=keyring, keyalgorithm="hmac-sha256.")
    assert dns.zone.from_xfr(got).get_rdataset("www", "A")[0].to_text() == "192.0.2.1"
    with pytest.raises(dns.query.TransferError):
        dns.zone.from_xfr(dns.query.xfr(server.host, "example.test", port=server.port))


def test_unbound_asks_the_server_and_says_servfail_when_it_is_down(nsd, unbound):
    server = nsd({"example.test": "www A 192.0.2.1\n"})
    resolver = unbound({"example.test": server}, cache=False)
    assert values(ask(resolver, "www.example.test")) == ["192.0.2.1"]
    assert ask(resolver, "www.example.com").rcode() == dns.rcode.REFUSED
    server.stop()
    assert ask(resolver, "www.example.test", timeout=30).rcode() == dns.rcode.SERVFAIL
    server.start()
    resolver.flush()
    assert values(ask(resolver, "www.example.test", timeout=30)) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("name", "rcode", "authentic"),
    [
        ("www.secure.test", "NOERROR", True),
        ("www.bogus.secure.test", "SERVFAIL", False),
        ("ok.bogus.secure.test", "NOERROR", True),
        ("www.expired.secure.test", "SERVFAIL", False),
        ("www.insecure.secure.test", "NOERROR", False),
        ("no.secure.test", "NXDOMAIN", True),
    ],
)
def test_unbound_validates(nsd, unbound, signed_tree, name, rcode, authentic):
    server = nsd(signed_tree.zones)
    resolver = unbound(dict.fromkeys(signed_tree.zones, server), anchor=signed_tree.anchor)
    answer = ask(resolver, name, want_dnssec=True, timeout=30)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert bool(answer.flags & dns.flags.AD) == authentic


def test_a_signed_zone_needs_a_new_signature_for_a_new_serial(nsd, zone_key):
    key = zone_key("example.test")
    server = nsd({"example.test": key.sign("www A 192.0.2.1\n", nsec3=True)})
    with pytest.raises(DnsLabError, match="sign it with this serial"):
        server.set_zone("example.test", key.sign("www A 192.0.2.2\n"))
    assert server.set_zone("example.test", key.sign("www A 192.0.2.2\n", serial=7)) == 7


def test_unbound_speaks_tls(nsd, unbound, dns_certificates):
    server = nsd({"example.test": "www A 192.0.2.1\n"})
    resolver = unbound({"example.test": server}, certificates=dns_certificates)
    context = ssl.create_default_context(cafile=dns_certificates[0])
    query = dns.message.make_query("www.example.test", "A")
    answer = dns.query.tls(query, resolver.host, port=resolver.tls_port, ssl_context=context, server_hostname="localhost", timeout=10)
    assert values(answer) == ["192.0.2.1"]
    assert resolver.tls.endswith("#localhost") and resolver.https.startswith("https://127.0.0.1:")


def test_doh_over_http_1(nsd, doh_server, dns_certificates):
    doh = doh_server(nsd({"example.test": "www A 192.0.2.1\n"}))
    query = dns.message.make_query("www.example.test", "A")
    request = urllib.request.Request(doh.https, query.to_wire(), {"Content-Type": "application/dns-message"})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=dns_certificates[0]), timeout=10) as reply:
        assert reply.headers["Content-Type"] == "application/dns-message"
        assert values(dns.message.from_wire(reply.read())) == ["192.0.2.1"]
    assert doh.connections == 1 and doh.requests[0][:2] == ("POST", "/dns-query")


def test_the_proxy_loses_doubles_and_dies(nsd, udp_proxy):
    proxy = udp_proxy(nsd({"example.test": "www A 192.0.2.1\n"}), duplicate=1.0, delay=0.01)
    assert values(ask(proxy, "www.example.test")) == ["192.0.2.1"]
    proxy.dead = True
    with pytest.raises(dns.exception.Timeout):
        ask(proxy, "www.example.test", timeout=0.2)
    proxy.dead, proxy.drop, lost = False, 0.5, 0
    for _number in range(40):
        try:
            ask(proxy, "www.example.test", timeout=0.2)
        except dns.exception.Timeout:
            lost += 1
    assert 0 < lost < 40
    assert proxy.asked == 42


def test_the_fake_server_says_what_it_is_told(fake_dns):
    fake = fake_dns(lambda query, transport: [query[:2] + b"\x81\x80" + query[4:]] if transport == "tcp" else None)
    query = dns.message.make_query("www.example.test", "A").to_wire()
    assert ask_tcp((fake.host, fake.port), query)[:4] == query[:2] + b"\x81\x80"
    with pytest.raises(dns.exception.Timeout):
        ask(fake, "www.example.test", timeout=0.2)
    assert [transport for transport, _packet in fake.queries] == ["tcp", "udp"]


def test_a_missing_program_is_named():
    with pytest.raises(DnsLabError, match="the program no-such-server is not on this machine; Debian and Ubuntu: apt-get install no-such"):
        program("no-such-server")


def test_zone_text_keeps_and_raises_serials():
    text = "$ORIGIN a.test.\n$TTL 1\n@ SOA ns.a.test. h.a.test. (\n 5 1 1 1 1 )\n@ NS ns\n"
    assert zone_text("a.test", text, 3) == text
    assert " 8 1 1 1 1" in zone_text("a.test", text, 8)
