# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module dns_info and the lookup dns make of their options, and of resolvers that know no zone."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import servers
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_info
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _net

pytest.importorskip("dns", reason="packets are read by dnspython")

import dns.message


def refusal(**options):
    with pytest.raises(dns_info.Refusal) as caught:
        dns_info.read(options)
    return str(caught.value)


@pytest.mark.parametrize("transport", ["tcp", "tls", "https"])
def test_the_transport_holds_for_the_servers_of_the_system(tmp_path, monkeypatch, transport):
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(servers.system, "__defaults__", (str(conf), "udp"))
    (server,) = dns_info.read({"names": ["a.test"], "transport": transport}).servers
    assert (server.transport, server.port) == (transport, servers.PORTS[transport])


def test_a_name_server_that_is_looked_up_for_ever_is_not_waited_for(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(_net.socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(20))
    text = refusal(names=["a.test"], nameservers=["https://hangs.example.test/dns-query"], deadline="300ms")
    release.set()
    assert "nameservers: " in text and "hangs.example.test" in text and "0.3 s" in text


def test_addresses_with_a_scope_have_a_reverse_name():
    job = dns_info.read({"names": ["fe80::1%eth0"], "types": ["PTR"], "nameservers": ["127.0.0.1"]})
    assert job.questions[0].name.endswith("8.e.f.ip6.arpa")
    assert "of which only PTR" in refusal(names=["fe80::1%eth0"], nameservers=["127.0.0.1"])


@pytest.mark.parametrize(
    ("rcode", "status"),
    [(0, "malformed"), (3, "malformed"), (2, "servfail"), (5, "refused")],
)
def test_a_resolver_that_names_no_zone_says_nothing_about_the_name(fake_dns, rcode, status):
    def empty(query, _transport):
        made = dns.message.make_response(dns.message.from_wire(query))
        made.set_rcode(rcode)
        return made.to_wire()

    resolver = fake_dns(empty)
    options = {"names": ["www.example.test"], "nameservers": ["authoritative", resolver.address], "timeout": "1s", "retries": 0}
    found = dns_info.run(dns_info.read(options))
    assert [(answer["status"], answer["rdata"]) for answer in found["answers"]] == [(status, [])]
    assert found["answers"][0]["message"].startswith("the zone of www.example.test was not found")
    assert (found["stats"]["answered"], found["stats"]["failed"]) == (0, 1)
