# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, ProbeFailure


def failure_of(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("tcp", **options)
    return caught.value


def test_connects_and_does_not_wait_for_a_banner(serve, look):
    seen = look("tcp", port=serve(lambda c, s: s.hang()).port)
    assert (seen["connected"], seen["banner"]) == (True, None)
    assert seen["latency_ms"] > 0


def test_nobody_there(look):
    failure = failure_of(look, port=1)
    assert (failure.reason, failure.observed) == ("refused", {"connected": False})
    assert failure_of(look, host="no-such-name.invalid", port=1).observed == {"connected": False}
    assert failure_of(look, host="\u0660" * 70, port=1).reason == "dns"


def test_every_address_is_tried(serve, look):
    assert look("tcp", host="localhost", port=serve(lambda c, s: None).port)["connected"]


def test_address_literals(look):
    assert failure_of(look, host="[::1]", port=1).reason in ("refused", "unreachable")
    assert failure_of(look, host="::1", port=1).reason in ("refused", "unreachable")


def test_banner_is_read_when_an_expectation_names_it(serve, look):
    server = serve(lambda c, s: (c.sendall(b"SSH-2.0-x\r\n"), s.hang()))
    assert look("tcp", Context(wanted=["banner"]), port=server.port)["banner"] == "SSH-2.0-x\r\n"


def test_send_and_expect(serve, look):
    server = serve(lambda c, s: (c.sendall(b"+" + c.recv(99)), s.hang()))
    assert look("tcp", port=server.port, send="PING\r\n", expect=r"^\+PI.G")["banner"] == "+PING\r\n"


def test_an_answer_without_a_line_end(serve, look):
    server = serve(lambda c, s: (c.sendall(b"+" + c.recv(99)), s.hang()))
    assert look("tcp", port=server.port, send="x")["banner"] == "+x"


def test_another_answer_is_a_mismatch_that_does_not_pass_as_connected(serve, look):
    failure = failure_of(look, port=serve(lambda c, s: c.sendall(b"\xff no\r\n")).port, expect="yes")
    assert failure.reason == "mismatch"
    assert failure.observed == {"banner": "\ufffd no\r\n"}


def test_what_never_matches_times_out(serve, look):
    def drip(connection, server):
        while not server.stop.wait(0.05):
            connection.sendall(b"n\n")

    failure = failure_of(look, port=serve(drip).port, expect="yes", timeout=0.5)
    assert failure.reason == "timeout"
    assert failure.observed["banner"].startswith("n\n")


def test_a_flood_is_cut(serve, look):
    def flood(connection, server):
        while not server.stop.is_set():
            connection.sendall(b"x" * 65536)

    assert failure_of(look, port=serve(flood).port, expect="yes").reason == "mismatch"
    assert len(look("tcp", port=serve(flood).port, send="a")["banner"]) == 1024


def test_bad_options_are_refused(look):
    with pytest.raises(ValueError, match="regular expression"):
        look("tcp", port=1, expect="(")
    with pytest.raises(ValueError, match="port"):
        look("tcp", port=70000)
