# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import udp


@pytest.fixture
def echo():
    """``echo(answer) -> port``: the n-th packet is answered with answer(data, n), and with nothing where that is None."""
    sockets = []

    def make(answer, family=socket.AF_INET, address="127.0.0.1"):
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.bind((address, 0))
        sockets.append(made)

        def serve():
            number = 0
            while True:
                try:
                    data, peer = made.recvfrom(65536)
                except OSError:
                    return
                number += 1
                said = answer(data, number)
                if said is not None:
                    made.sendto(said, peer)

        threading.Thread(target=serve, daemon=True).start()
        return made.getsockname()[1]

    yield make
    for made in sockets:
        made.close()


def failure_of(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("udp", **options)
    return caught.value


def test_an_answer(look, echo):
    seen = look("udp", port=echo(lambda data, number: b"+" + data), send="h\u00e9", expect=r"^\+h")
    assert (seen["answered"], seen["refused"], seen["answer"], seen["answer_hex"], seen["answer_bytes"]) == (
        True,
        False,
        "+h\u00e9",
        "2b68c3a9",
        4,
    )
    assert set(seen) == set(udp.SPEC.observes)


def test_bytes(look, echo):
    assert look("udp", port=echo(lambda data, number: data[::-1]), send_hex="1b 00FF")["answer_hex"] == "ff001b"


def test_an_empty_answer_is_one(look, echo):
    seen = look("udp", port=echo(lambda data, number: b""), send="x")
    assert (seen["answered"], seen["answer"], seen["answer_bytes"]) == (True, "", 0)


def test_a_refusal_is_told_apart_from_silence(look, echo):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failure = failure_of(look, port=port, send="x")
    assert (failure.reason, failure.observed["refused"], failure.observed["answered"]) == ("refused", True, False)
    failure = failure_of(look, port=echo(lambda data, number: None), send="x", timeout=0.3)
    assert (failure.reason, failure.observed["refused"], failure.observed["answered"]) == ("timeout", False, False)
    assert "neither answered nor refused within 0.3 s" in failure.sentence


def test_a_lost_packet_is_sent_again(look, echo):
    assert look("udp", port=echo(lambda data, number: b"yes" if number > 1 else None), send="x", timeout=15)["answer"] == "yes"


def test_another_answer_is_a_mismatch(look, echo):
    failure = failure_of(look, port=echo(lambda data, number: b"no"), send="x", expect="yes")
    assert (failure.reason, failure.observed["answer"]) == ("mismatch", "no")
    assert "answered" not in failure.observed


def test_no_name(look):
    failure = failure_of(look, host="no-such-name.invalid", port=9, send="x")
    assert (failure.reason, failure.observed["refused"]) == ("dns", None)


def test_ipv6(look, echo):
    assert look("udp", host="::1", port=echo(lambda data, number: data, socket.AF_INET6, "::1"), send="6")["answer"] == "6"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"port": 9},
        {"port": 9, "send": "x", "send_hex": "00"},
        {"port": 9, "send_hex": "0"},
        {"port": 9, "send_hex": "zz"},
        {"port": 9, "send": "x" * 65508},
        {"port": 9, "send": "x", "expect": "("},
    ],
)
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match="udp"):
        read_options(udp.SPEC, options)
