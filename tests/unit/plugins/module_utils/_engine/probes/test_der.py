# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import ssl

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._der import Certificate, covers, read_certificate


def certificate(san=(), names=()):
    return Certificate(1, "", "", 0.0, 0.0, list(names), list(san))


@pytest.fixture
def der(certificates):
    with open(certificates.ca.replace("ca.crt", "good.crt"), encoding="ascii") as source:
        return ssl.PEM_cert_to_DER_cert(source.read())


def test_reads_what_openssl_wrote(der):
    read = read_certificate(der)
    assert read.subject == "O=Test, CN=localhost"
    assert read.issuer == "CN=Test ca"
    assert (read.not_before, read.not_after) == (1577836800.0, 4102444800.0)
    assert read.san == [("DNS", "localhost"), ("IP", "127.0.0.1"), ("DNS", "*.wild.example.test")]
    assert read.common_names == ["localhost"]


def test_nothing_but_value_error_comes_out_of_broken_bytes(der):
    chance = random.Random(20)
    for _round in range(8000):
        data = bytearray(der)
        for _change in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            data = data[: chance.randrange(len(data))]
        try:
            read_certificate(bytes(data))
        except ValueError:
            pass


def test_nothing_but_value_error_comes_out_of_noise():
    chance = random.Random(21)
    for _round in range(8000):
        noise = bytes(chance.randrange(256) for _byte in range(chance.randrange(60)))
        with pytest.raises(ValueError, match="certificate"):
            read_certificate(noise if chance.random() < 0.5 else b"\x30" + bytes([len(noise)]) + noise)


@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        (["example.com"], "EXAMPLE.com.", True),
        (["example.com"], "www.example.com", False),
        (["*.example.com"], "www.example.com", True),
        (["*.example.com"], "a.www.example.com", False),
        (["*.example.com"], "example.com", False),
        (["*.com"], "example.com", False),
        (["w*.example.com"], "www.example.com", False),
        (["*"], "localhost", False),
        (["127.0.0.1"], "127.0.0.1", False),
        ([""], "", False),
    ],
)
def test_host_names(names, host, fits):
    assert covers(certificate([("DNS", name) for name in names]), host) is fits


def test_addresses_and_common_names():
    assert covers(certificate([("IP", "::1")]), "0:0::1")
    assert not covers(certificate([("IP", "::1")], ["127.0.0.1"]), "127.0.0.1")
    assert covers(certificate(names=["old.example.com"]), "old.example.com")
    assert not covers(certificate([("DNS", "new.example.com")], ["old.example.com"]), "old.example.com")
