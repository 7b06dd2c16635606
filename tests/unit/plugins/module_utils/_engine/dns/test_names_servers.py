# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, record types and servers as text."""

from __future__ import annotations

import random
import socket
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, rrtypes, servers

LONGEST = ".".join(["a" * 49] * 5) + ".abc"  # 255 bytes on the wire


@pytest.mark.parametrize(
    ("text", "canonical", "wire"),
    [
        ("www.Example.com", "www.example.com", b"\3www\7example\3com\0"),
        ("www.example.com.", "www.example.com", b"\3www\7example\3com\0"),
        (".", ".", b"\0"),
        ("com", "com", b"\3com\0"),
        ("_dmarc.*.x", "_dmarc.*.x", b"\6_dmarc\1*\1x\0"),
        ("0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa", b"\0040/25\0012\0010\003192\7in-addr\4arpa\0"),
        ("a\\.B.c", "a\\.b.c", b"\3a.b\1c\0"),
        ("\\065\\000\\032.c", "a\\000\\032.c", b"\3a\0 \1c\0"),
        ("a\\\\.c.", "a\\\\.c", b"\2a\\\1c\0"),
        ("x@y", "x\\@y", b"\3x@y\0"),
        ("b\xfccher.de", "xn--bcher-kva.de", b"\rxn--bcher-kva\2de\0"),
        ("B\xdcCHER\u3002de", "xn--bcher-kva.de", b"\rxn--bcher-kva\2de\0"),
        ("_sip.b\xfccher.de", "_sip.xn--bcher-kva.de", b"\4_sip\rxn--bcher-kva\2de\0"),
        ("XN--Bcher-Kva.de", "xn--bcher-kva.de", b"\rxn--bcher-kva\2de\0"),
        ("a" * 63, "a" * 63, b"?" + b"a" * 63 + b"\0"),
    ],
)
def test_names(text, canonical, wire):
    assert names.both(text) == (canonical, wire)
    assert names.to_wire(text) == wire
    assert names.to_text(wire) == canonical
    assert names.to_wire(canonical) == wire


def test_the_longest_name():
    assert len(names.to_wire(LONGEST)) == 255
    assert names.to_wire(LONGEST + ".") == names.to_wire(LONGEST)
    for text in (LONGEST + "d", LONGEST + "d.", LONGEST[:-1] + "\\100d"):
        with pytest.raises(ValueError, match="more than 255 bytes"):
            names.to_wire(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write for example"),
        ("a..b", "a label is empty"),
        (".a", "a label is empty"),
        ("..", "a label is empty"),
        ("a" * 64 + ".de", "takes 64 bytes"),
        ("a b", "a space"),
        ("a\tb", "a space"),
        (" a", "a space"),
        ("a\n", "a space"),
        ("a\\", "after a backslash"),
        ("a\\25", "after a backslash"),
        ("a\\256", "after a backslash"),
        ("https://a", "is a URL"),
        ("b\xfc\\032.de", "both an escape"),
        ("\xfc" * 63, "cannot be written"),
        ("\u200d.de", "not a domain name"),
    ],
)
def test_impossible_names(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        names.to_wire(text)
    assert "\n" not in str(caught.value).replace(str(text), "")


@pytest.mark.parametrize(
    "text", ["a\ufe52b.test", "a\u2024b.test", "a\u2026b.test", "\u2100.test", "a\u2048b.test", "\xad.test", "\ud800.test"]
)
def test_letters_that_turn_into_dots_and_slashes(text, monkeypatch):
    """Neither way lets one label become two, or one that no host has."""
    with pytest.raises(ValueError, match="is not a domain name"):
        names.to_wire(text)
    monkeypatch.setitem(sys.modules, "idna", None)
    with pytest.raises(ValueError, match="is not a domain name"):
        names.to_wire(text)


def test_names_there_and_back_again():
    chance = random.Random(3)
    for _round in range(3000):
        labels = [bytes(chance.randrange(256) for _byte in range(chance.randint(1, 12))).lower() for _label in range(chance.randint(0, 6))]
        wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
        assert names.to_wire(names.to_text(wire)) == wire


def test_names_as_dnspython_reads_them():
    name = pytest.importorskip("dns.name", reason="the comparison needs dnspython, which is not there where only the engine is tested")
    chance = random.Random(5)
    for _round in range(3000):
        text = "".join(chance.choice('aB-_*/0.\\\\19@;$("') for _character in range(chance.randint(1, 14)))
        try:
            ours = names.to_wire(text)
        except ValueError:
            ours = b""
        try:
            theirs = name.from_text(text).canonicalize().to_wire() if text != "@" else b"\1@\0"
        except name.DNSException if hasattr(name, "DNSException") else Exception:
            theirs = b""
        assert ours == theirs, text
        if ours:
            assert names.to_text(ours) == name.from_wire(ours, 0)[0].to_text(omit_final_dot=True).rstrip() or ours == b"\0"


@pytest.mark.parametrize("wire", [b"", b"\1a", b"\1a\0\0", b"\2a\0", b"\xc0\0", b"\x40", b"\0\0", (b"\x3f" + b"a" * 63) * 4 + b"\0"])
def test_bytes_that_are_no_name(wire):
    with pytest.raises(ValueError, match="not one uncompressed"):
        names.to_text(wire)


def test_record_types():
    assert [rrtypes.number(kind) for kind in ("A", "aaaa", " mx ", "TYPE65", "type65280", 65, "65", "nsap-ptr")] == [
        1,
        28,
        15,
        65,
        65280,
        65,
        65,
        23,
    ]
    assert [rrtypes.text(number) for number in (1, 65, 65280)] == ["A", "HTTPS", "TYPE65280"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("AAA", "did you mean AAAA"),
        ("", "write for example"),
        ("TYPE70000", "end at 65535"),
        ("AXFR", "cannot be asked"),
        (0, "cannot be asked"),
        (True, "not a record type"),
    ],
)
def test_impossible_types(kind, why):
    with pytest.raises(ValueError, match=why):
        rrtypes.number(kind)


def test_record_types_as_dnspython_has_them():
    kinds = pytest.importorskip(
        "dns.rdatatype", reason="the comparison needs dnspython, which is not there where only the engine is tested"
    )
    for kind in kinds.RdataType:
        text = kinds.to_text(kind)
        if int(kind) and text in rrtypes._TYPES:
            assert rrtypes._TYPES[text] == int(kind)
            assert rrtypes.text(int(kind)) == text


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "address", "name", "path", "label", "local"),
    [
        ("127.0.0.1", "udp", "127.0.0.1", 53, "127.0.0.1", "127.0.0.1", "", "127.0.0.1:53", True),
        ("192.0.2.1:5353", "udp", "192.0.2.1", 5353, "192.0.2.1", "192.0.2.1", "", "192.0.2.1:5353", False),
        ("2001:DB8:0::1", "udp", "2001:db8::1", 53, "2001:db8::1", "2001:db8::1", "", "[2001:db8::1]:53", False),
        ("[::1]:54", "udp", "::1", 54, "::1", "::1", "", "[::1]:54", True),
        ("fe80::1%eth0", "udp", "fe80::1%eth0", 53, "fe80::1%eth0", "fe80::1%eth0", "", "[fe80::1%eth0]:53", True),
        ("udp://10.0.0.1", "udp", "10.0.0.1", 53, "10.0.0.1", "10.0.0.1", "", "10.0.0.1:53", True),
        ("TCP://192.0.2.1", "tcp", "192.0.2.1", 53, "192.0.2.1", "192.0.2.1", "", "tcp://192.0.2.1:53", False),
        (
            "tls://192.0.2.1#DNS.example.com",
            "tls",
            "192.0.2.1",
            853,
            "192.0.2.1",
            "dns.example.com",
            "",
            "tls://192.0.2.1:853#dns.example.com",
            False,
        ),
        ("tls://[2001:db8::1]:8853", "tls", "2001:db8::1", 8853, "2001:db8::1", "2001:db8::1", "", "tls://[2001:db8::1]:8853", False),
        ("https://192.0.2.1/q?x=1", "https", "192.0.2.1", 443, "192.0.2.1", "192.0.2.1", "/q?x=1", "https://192.0.2.1:443/q?x=1", False),
        ("https://[::1]:8443", "https", "::1", 8443, "::1", "::1", "/dns-query", "https://[::1]:8443/dns-query", True),
        ("::ffff:10.0.0.1", "udp", "::ffff:a00:1", 53, "::ffff:a00:1", "::ffff:a00:1", "", "[::ffff:a00:1]:53", True),
    ],
)
def test_servers(text, transport, host, port, address, name, path, label, local):
    if ":ffff:" in text and sys.version_info >= (3, 13):
        host = address = name = "::ffff:10.0.0.1"  # as this Python writes it
        label = f"[{host}]:53"
    assert servers.parse(text) == servers.Server(transport, host, port, address, name, path, label, local)


def test_a_server_by_name():
    server = servers.parse("https://LocalHost:8443/dns-query")
    assert (server.host, server.server_name, server.label) == ("localhost", "localhost", "https://localhost:8443/dns-query")
    assert server.address in ("127.0.0.1", "::1") and server.local
    assert server.family == (socket.AF_INET6 if ":" in server.address else socket.AF_INET)
    assert servers.parse("127.0.0.1", "tcp").label == "tcp://127.0.0.1:53"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write for example"),
        (None, "write for example"),
        ("1.2.3", "is not an IP address"),
        ("1.2.3.4.5:53", "is not an IP address"),
        ("1:2:3", "is not an IP address"),
        ("192.0.2.1:0", "from 1 to 65535"),
        ("192.0.2.1:65536", "from 1 to 65535"),
        ("192.0.2.1:", "from 1 to 65535"),
        ("192.0.2.1:x", "from 1 to 65535"),
        ("[192.0.2.1]:53", "only an IPv6 address"),
        ("[::1", "write for example"),
        ("[::1]53", "write for example"),
        ("ftp://192.0.2.1", "ftp:// is not known"),
        ("tls://192.0.2.1#", "name of its certificate"),
        ("tls://192.0.2.1#a..b", "a label is empty"),
        ("https://192.0.2.1/a b", "must be written %XX"),
        ("192.0.2.1%eth0", "write for example|not an IP address|not a domain name|cannot be looked up"),
        ("a..b", "a label is empty"),
        ("nobody.invalid", "cannot be looked up"),
        ("192.0.2.1#dns.example.com", "as in tls://192.0.2.1#dns.example.com"),
        ("https://192.0.2.1#dns.example.com", "write for example"),
        ("https://me:secret@192.0.2.1/", "write for example"),
        ("https://192.0.2.1?a", "write for example"),
        ("tls://192.0.2.1/dns-query", "write for example"),
    ],
)
def test_impossible_servers(text, why):
    with pytest.raises(ValueError, match=why):
        servers.parse(text)


def test_the_servers_of_the_system(tmp_path):
    conf = tmp_path / "resolv.conf"
    conf.write_text(
        "# nameserver 192.0.2.9\nsearch x\nnameserver 127.0.0.53\nnameserver\tfe80::1%eth0 \nnameserver rubbish\nnameserver 127.0.0.53\noptions edns0\n"
    )
    assert [server.label for server in servers.system(str(conf))] == ["127.0.0.53:53", "[fe80::1%eth0]:53"]
    ways = {way: servers.system(str(conf), way)[0] for way in ("tcp", "tls", "https")}
    assert {way: server.label for way, server in ways.items()} == {
        "tcp": "tcp://127.0.0.53:53",
        "tls": "tls://127.0.0.53:853",
        "https": "https://127.0.0.53:443/dns-query",
    }
    conf.write_text("options edns0\n")
    with pytest.raises(ValueError, match="names no name server"):
        servers.system(str(conf))
    with pytest.raises(ValueError, match="no such file"):
        servers.system(str(tmp_path / "nothing"))
