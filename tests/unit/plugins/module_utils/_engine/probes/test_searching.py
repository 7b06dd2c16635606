# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regular expressions of users that backtrack for ever are given up, and nothing else waits for them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import found_in

EVIL = "^(([a-z])+.)+[A-Z]([a-z])+$"


def test_found_in_keeps_the_order_over_many_portions():
    texts = [f"line {number} " + "x" * 3000 for number in range(100)] + ["é" * 9000, ""]
    assert [place for place, fit in enumerate(found_in("line 7[0-3] ", texts, 20)) if fit] == [70, 71, 72, 73]
    assert found_in("é{8000}", texts, 20)[100]
    assert found_in("x", [], 20) == []


@pytest.fixture(name="chatty")
def fixture_chatty():
    """A server that says what such an expression chokes on."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                peer, _address = server.accept()
            except OSError:
                return
            with peer:
                peer.sendall(b"a" * 60 + b"!\n")
                time.sleep(0.2)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def test_a_server_cannot_hang_the_run_through_an_expression(chatty):
    checks = read_checks(
        [
            {"name": "evil", "tcp": {"port": chatty, "expect": EVIL, "timeout": "2s"}},
            {"name": "good", "tcp": {"port": chatty, "expect": "^a+!"}},
            {"name": "other", "tcp": {"port": chatty, "expect": "^b"}},
        ]
    )
    begin = time.monotonic()
    evil, good, other = inspect(checks, timeout=20)["results"]
    assert time.monotonic() - begin < 20
    assert (evil["status"], evil["reason"]) == ("unknown", "expression")
    assert good["status"] == "ok"
    assert (other["status"], other["reason"]) == ("critical", "mismatch")


def test_a_process_pattern_cannot_hang_the_run():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "a" * 60 + "!"]) as child:
        try:
            checks = read_checks(
                [
                    {"name": "evil", "process": {"pattern": EVIL.replace("^", "")}},
                    {"name": "good", "process": {"pattern": "a{60}!"}},
                    {"name": "cpu", "cpu": {}, "expect": {}},
                ]
            )
            evil, good, cpu = inspect(checks, timeout=30)["results"]
        finally:
            child.kill()
    assert (evil["status"], evil["reason"]) == ("unknown", "expression")
    assert (good["status"], cpu["status"]) == ("ok", "ok")
