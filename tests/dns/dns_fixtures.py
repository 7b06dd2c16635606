# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for every test that needs DNS: real servers on loopback that end with the test. Everything is made by calling the fixture.

    server = nsd({"example.test": "www A 192.0.2.1\\n"})         # SOA, NS and TTL are added; server.address, .host, .port
    server.set_zone("example.test", "www A 192.0.2.9\\n")        # served when it returns; also .stop() .start() .kill() .log()
    nsd(zones, round_robin=True); nsd(zones, keys={"k.test": SECRET}, transfer="k.test")   # AXFR with TSIG hmac-sha256
    resolver = unbound({"example.test": server}, cache=False)    # SERVFAIL when server.stop(); .flush() forgets all
    unbound({"example.test": server}, certificates=dns_certificates)   # .tls and .https (HTTP/2) are URLs
    tree = signed_tree; server = nsd(tree.zones); unbound(dict.fromkeys(tree.zones, server), anchor=tree.anchor)
    key = zone_key("example.test"); key.sign(text); key.tampered(text, "www.example.test", "A"); key.ds; key.dnskey
    proxy = udp_proxy(server, drop=0.05, seed=1)                 # also delay, duplicate, dead; may be changed while it runs
    fake = fake_dns(lambda query, transport: None)               # answers what the test makes, UDP and TCP (TLS with certificates=)
    doh = doh_server(server)                                     # DoH over HTTP/1.1; .https .requests .status .content_type .body

A program that is missing fails the test with the name of its package. Big zones: `many(100_000)` of dns_zones makes text and names.
"""

from __future__ import annotations

import contextlib
import importlib.util
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from dns_servers import Certificates
    from dns_zones import SignedTree


def _factory(make: t.Callable[[], t.Callable[..., t.Any]]) -> t.Iterator[t.Callable[..., t.Any]]:
    """Gives a function that makes a thing, starts it if it can be started, and closes it after the test."""
    from dns_process import DnsLabError

    with contextlib.ExitStack() as stack:

        def made(*args: t.Any, **kwargs: t.Any) -> t.Any:
            try:
                thing = make()(*args, **kwargs)
                stack.callback(thing.close)
                if hasattr(thing, "start"):
                    thing.start()
            except DnsLabError as problem:
                pytest.fail(str(problem), pytrace=False)
            return thing

        yield made


@pytest.fixture
def nsd() -> t.Iterator[t.Callable[..., t.Any]]:
    """nsd(zones, round_robin=False, keys=None, transfer=None, address="127.0.0.1", port=0) -> dns_servers.Nsd, started."""
    from dns_servers import Nsd

    yield from _factory(lambda: Nsd)


@pytest.fixture(scope="session")
def dns_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """(CA, certificate, key): paths of PEM files; the certificate is for localhost and 127.0.0.1."""
    spec = importlib.util.spec_from_file_location("vigil_receivers", Path(__file__).resolve().parents[1] / "receivers.py")
    receivers = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(receivers)  # type: ignore[union-attr]
    return receivers.make_certificates(tmp_path_factory.mktemp("dns-ca"))


@pytest.fixture
def unbound() -> t.Iterator[t.Callable[..., t.Any]]:
    """unbound(stubs, anchor=None, forward=False, cache=True, certificates=None, extra="") -> dns_servers.Unbound, started."""
    from dns_servers import Unbound

    yield from _factory(lambda: Unbound)


@pytest.fixture
def zone_key() -> t.Iterator[t.Callable[..., t.Any]]:
    """zone_key(zone, algorithm="ECDSAP256SHA256") -> dns_zones.ZoneKey."""
    from dns_zones import ZoneKey

    yield from _factory(lambda: ZoneKey.make)


@pytest.fixture(scope="session")
def signed_tree() -> t.Iterator[SignedTree]:
    """Zones secure, bogus, expired and insecure; see dns_zones.SignedTree."""
    from dns_process import DnsLabError
    from dns_zones import SignedTree

    try:
        tree = SignedTree.make()
    except DnsLabError as problem:
        pytest.fail(str(problem), pytrace=False)
    yield tree
    tree.close()


@pytest.fixture
def udp_proxy() -> t.Iterator[t.Callable[..., t.Any]]:
    """udp_proxy(server, drop=0.0, seed=1, delay=0.0, duplicate=0.0, dead=False) -> dns_proxies.UdpProxy."""
    from dns_proxies import UdpProxy

    yield from _factory(lambda: UdpProxy)


@pytest.fixture
def fake_dns() -> t.Iterator[t.Callable[..., t.Any]]:
    """fake_dns(handler, certificates=None) -> dns_proxies.FakeServer."""
    from dns_proxies import FakeServer

    yield from _factory(lambda: FakeServer)


@pytest.fixture
def doh_server(dns_certificates: Certificates) -> t.Iterator[t.Callable[..., t.Any]]:
    """doh_server(server, path="/dns-query") -> dns_proxies.DohServer."""
    from dns_proxies import DohServer

    yield from _factory(lambda: lambda server, path="/dns-query": DohServer(server, dns_certificates, path))
