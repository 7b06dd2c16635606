# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _tls


def hold(connection, server):
    connection.recv(1)


def failure_of(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("tls", **options)
    return caught.value


def test_a_good_certificate(serve, look, certificates):
    server = serve(hold, tls=certificates.server("good"))
    seen = look("tls", host="localhost", port=server.port, ca=certificates.ca)
    assert (seen["valid"], seen["name_ok"], seen["chain_ok"]) == (True, True, True)
    assert seen["days_left"] > 1000
    assert seen["issuer"] == "CN=Test ca"
    assert seen["subject"] == "O=Test, CN=localhost"
    assert seen["protocol"] == "TLSv1.3"
    assert seen["not_after"] == "2100-01-01T00:00:00Z"
    assert seen["san"] == ["DNS:localhost", "IP:127.0.0.1", "DNS:*.wild.example.test"]
    assert server.connections == 1


def test_by_address_and_by_wildcard(serve, look, certificates):
    server = serve(hold, tls=certificates.server("good"))
    assert look("tls", host="127.0.0.1", port=server.port, ca=certificates.ca)["valid"]
    assert look("tls", host="127.0.0.1", server_name="a.wild.example.test", port=server.port, ca=certificates.ca)["valid"]
    assert not failure_of(look, host="127.0.0.1", server_name="a.b.wild.example.test", port=server.port, ca=certificates.ca).observed[
        "valid"
    ]


@pytest.mark.parametrize(
    ("name", "observed", "words"),
    [
        ("expired", {"name_ok": True, "chain_ok": True}, ["expired: the certificate ended", "2021-01-01"]),
        (
            "wrong_name",
            {"name_ok": False, "chain_ok": True},
            ["name: the certificate is for DNS:elsewhere.example.test, not for localhost"],
        ),
        ("expired_wrong_name", {"name_ok": False, "chain_ok": True}, ["expired:", "name:"]),
        ("self", {"name_ok": True, "chain_ok": False}, ["chain: the certificate is self-signed"]),
        ("unknown_ca", {"name_ok": True, "chain_ok": False}, ["chain: its issuer is not known"]),
    ],
)
def test_a_bad_certificate_is_read_and_described(serve, look, certificates, name, observed, words):
    server = serve(hold, tls=certificates.server(name))
    failure = failure_of(look, host="localhost", port=server.port, ca=certificates.ca)
    assert failure.reason == "tls"
    assert failure.observed["valid"] is False
    assert {key: failure.observed[key] for key in observed} == observed
    assert (failure.observed["days_left"] < 0) == name.startswith("expired")
    assert failure.observed["protocol"] == "TLSv1.3"
    for word in words:
        assert word in failure.sentence


def test_the_system_store_is_the_default(serve, look, certificates):
    server = serve(hold, tls=certificates.server("good"))
    assert "chain:" in failure_of(look, host="localhost", port=server.port).sentence


def test_an_older_protocol_is_told(serve, look, certificates):
    server = serve(hold, tls=certificates.server("good", newest=ssl.TLSVersion.TLSv1_2))
    assert look("tls", host="localhost", port=server.port, ca=certificates.ca)["protocol"] == "TLSv1.2"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_protocol_that_is_too_old_is_described(serve, look, certificates):
    context = certificates.server("good", newest=ssl.TLSVersion.TLSv1_1)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    failure = failure_of(look, host="localhost", port=serve(hold, tls=context).port, ca=certificates.ca)
    assert failure.reason == "tls"
    assert "protocol:" in failure.sentence
    assert (failure.observed["protocol"], failure.observed["valid"], failure.observed["chain_ok"]) == ("TLSv1.1", False, None)
    assert failure.observed["days_left"] > 1000


def test_a_ca_file_that_cannot_be_used_is_named(look, serve, certificates):
    server = serve(hold, tls=certificates.server("good"))
    failure = failure_of(look, host="localhost", port=server.port, ca="/no/such.pem")
    assert "/no/such.pem cannot be read" in failure.sentence
    assert failure.observed == {}


def test_no_tls_silence_and_nobody(serve, look):
    assert failure_of(look, host="127.0.0.1", port=serve(lambda c, s: c.sendall(b"220 hello\r\n" * 9)).port).reason in ("tls", "reset")
    failure = failure_of(look, host="127.0.0.1", port=serve(lambda c, s: s.hang()).port, timeout=0.3)
    assert (failure.reason, failure.observed) == ("timeout", {})
    assert "handshake" in failure.sentence
    assert failure_of(look, host="127.0.0.1", port=serve(lambda c, s: None).port).reason == "reset"
    assert failure_of(look, host="127.0.0.1", port=1).reason == "refused"


def test_a_handshake_that_drips_ends_with_the_deadline(serve, look):
    def drip(connection, server):
        connection.recv(4096)
        connection.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
        while not server.stop.wait(0.05):
            connection.sendall(b"\x00")

    assert failure_of(look, host="127.0.0.1", port=serve(drip).port, timeout=0.5).reason in ("timeout", "tls")


def dialogue(*steps):
    """A server that says and awaits lines, then begins TLS."""

    def talk(connection, server):
        for say, wanted in steps:
            connection.sendall(say)
            if isinstance(wanted, int):  # no more than that: what follows may be the handshake already
                heard = b""
                while len(heard) < wanted:
                    heard += connection.recv(wanted - len(heard))
                assert heard.startswith(b"\x20\x00\x00\x01")
            elif wanted and wanted not in connection.recv(4096):
                return
        connection.sendall(server.last_word)
        with server.context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    return talk


DIALOGUES = {
    "smtp": [(b"220-mail\r\n220 ready\r\n", b"EHLO"), (b"250-mail\r\n250 STARTTLS\r\n", b"STARTTLS"), b"220 go\r\n"],
    "imap": [(b"* OK ready\r\n", b"STARTTLS"), b"* CAPABILITY IMAP4rev1\r\na1 OK go\r\n"],
    "pop3": [(b"+OK ready\r\n", b"STLS"), b"+OK go\r\n"],
    "ftp": [(b"220 ready\r\n", b"AUTH TLS"), b"234 go\r\n"],
    "ldap": [(b"", b"1.3.6.1.4.1.1466.20037"), b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"],
    "postgres": [(b"", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), b"S"],
    "mysql": [
        (
            b"\x4a\x00\x00\x00\x0a8.0.39\x00"
            + b"\x07\x00\x00\x00"
            + b"a" * 8
            + b"\x00\xff\xff\x2d\x02\x00"
            + b"\xff\xdf\x15"
            + bytes(10)
            + b"b" * 13
            + b"caching_sha2_password\x00",
            36,
        ),
        b"",
    ],
    "xmpp": [
        (b"", b"jabber:client"),
        (
            b"<?xml version='1.0'?><stream:stream from='localhost' version='1.0'><stream:features><starttls "
            b'xmlns="urn:ietf:params:xml:ns:xmpp-tls"><required/></starttls></stream:features>',
            b"<starttls",
        ),
        b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    ],
}


@pytest.mark.parametrize("protocol", sorted(DIALOGUES))
def test_starttls(serve, look, certificates, protocol):
    *steps, last = DIALOGUES[protocol]
    server = serve(dialogue(*steps))
    server.context, server.last_word = certificates.server("good"), last
    seen = look("tls", host="127.0.0.1", port=server.port, starttls=protocol, ca=certificates.ca)
    assert seen["valid"] is True


@pytest.mark.parametrize("protocol", sorted(DIALOGUES))
@pytest.mark.parametrize(
    "said", [b"500 no\r\n" * 3, b"N" * 9, b"\x30\x84\xff\xff\xff\xff", b"* " + b"x" * 100000, b"220-\r\n" * 10000, b""]
)
def test_starttls_refused_or_nonsense(serve, look, protocol, said):
    server = serve(lambda c, s: (c.sendall(said), c.recv(100), c.recv(100)))
    failure = failure_of(look, host="127.0.0.1", port=server.port, starttls=protocol, timeout=0.3)
    assert failure.reason in ("protocol", "reset", "timeout")
    assert failure.sentence.isprintable()


@pytest.mark.parametrize(
    ("protocol", "said", "words"),
    [
        ("mysql", b"\x17\x00\x00\x00\xff\x10\x04Too many connections", "Too many connections"),
        ("mysql", b"\x30\x00\x00\x00\x0a5.5\x00" + b"a" * 13 + b"\xff\xf7" + b"b" * 28, "that it knows no TLS"),
        ("xmpp", b"<stream:stream><stream:features><bind/></stream:features>", "does not begin TLS in XMPP"),
        ("xmpp", b"<stream:stream><stream:error><host-unknown/></stream:error></stream:stream>", "host-unknown"),
    ],
)
def test_servers_without_tls_say_so(serve, look, protocol, said, words):
    server = serve(lambda c, s: (c.sendall(said), c.recv(999)))
    failure = failure_of(look, host="127.0.0.1", port=server.port, starttls=protocol, timeout=5)
    assert failure.reason == "protocol" and words in failure.sentence


def test_what_comes_before_the_handshake_is_refused(serve, look):
    server = serve(lambda c, s: (c.sendall(b"+OK\r\n"), c.recv(99), c.sendall(b"+OK\r\n+OK injected\r\n"), s.hang()))
    assert failure_of(look, host="127.0.0.1", port=server.port, starttls="pop3", timeout=3).reason == "protocol"


def test_contexts_are_shared_and_follow_their_files(certificates, tmp_path):
    assert _tls.context() is _tls.context()
    assert _tls.context() is not _tls.context(verify=False)
    store = tmp_path / "ca.pem"
    with open(certificates.ca, "rb") as source:
        store.write_bytes(source.read())
    first = _tls.context(ca=str(store))
    assert _tls.context(ca=str(store)) is first
    store.write_bytes(store.read_bytes() + b"\n")
    assert _tls.context(ca=str(store)) is not first
