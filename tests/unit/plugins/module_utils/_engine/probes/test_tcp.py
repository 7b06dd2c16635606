# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure


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


def smtp(connection, server):
    """Says several lines at once, some in pieces, and hangs up after QUIT."""
    connection.sendall(b"220-hello\r\n220 mx.example\r\n")
    server.heard.append(connection.recv(99))
    connection.sendall(b"250-mx\r\n250-STARTT")
    connection.sendall(b"LS\r\n250 HELP\r\n")
    server.heard.append(connection.recv(99))
    connection.sendall(b"221 bye\r\n")


MAIL = [{"expect": "^220 "}, {"send": "EHLO x\r\n"}, {"expect": "STARTTLS"}, {"expect": "^250 "}, {"send": "QUIT\r\n"}, {"expect": "^221"}]


def test_a_dialogue_goes_step_by_step(serve, look):
    server = serve(smtp)
    seen = look("tcp", port=server.port, dialogue=MAIL)
    assert seen["connected"] and seen["banner"].endswith("250 HELP\r\n221 bye\r\n")
    assert server.heard == [b"EHLO x\r\n", b"QUIT\r\n"]


@pytest.mark.parametrize(
    ("talk", "steps", "reason", "words"),
    [
        (smtp, [{"expect": "^220 "}, {"expect": "^220-"}], "timeout", "step 2 of the dialogue"),
        (lambda c, s: c.sendall(b"554 no\r\n"), MAIL, "mismatch", "did not say what step 1 of the dialogue expects"),
        (lambda c, s: (c.sendall(b"x" * 99999), s.hang()), [{"expect": "y"}], "mismatch", "step 1"),
        (lambda c, s: s.hang(), [{"send": "a"}, {"expect": "b"}], "timeout", "step 2"),
    ],
)
def test_a_dialogue_that_fails_says_at_which_step(serve, look, talk, steps, reason, words):
    failure = failure_of(look, port=serve(talk).port, dialogue=steps, timeout=0.5)
    assert failure.reason == reason and words in failure.sentence
    assert "connected" not in failure.observed and len(failure.observed["banner"]) <= 1024


@pytest.mark.parametrize(
    ("dialogue", "words"),
    [
        ([{}], "step 1 must have one of the keys"),
        ([{"send": "a"}, {"send": "a", "expect": "b"}], "step 2"),
        ([{"say": "a"}], "step 1"),
        ([{"expect": "("}], "step 1"),
        ([{"send": ["a"]}], "step 1: text is needed"),
        (["a"], "dialogue"),
        ("a", "dialogue"),
    ],
)
def test_dialogues_that_cannot_be(look, dialogue, words):
    with pytest.raises(ValueError, match=words):
        look("tcp", port=1, dialogue=dialogue)
    with pytest.raises(ValueError, match="not both"):
        look("tcp", port=1, dialogue=[{"send": "a"}], send="a")


def test_a_step_whose_expression_never_ends(serve, look):
    server = serve(lambda c, s: (c.sendall(b"a" * 40 + b"!\r\n"), s.hang()))
    with pytest.raises((CannotSee, ProbeFailure)):
        look("tcp", port=server.port, dialogue=[{"expect": "(a+)+$"}], timeout=1)
