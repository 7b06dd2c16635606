# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names are looked up by a process of its own: neither a fork nor a time limit waits for a resolver that never answers."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.plugin_utils._gate import Gate
from ansible_collections.vigil.ops.plugins.plugin_utils._names import Names

HERE = [(int(socket.AF_INET), ["127.0.0.1", 0])]


def resolve(name):
    if name.startswith(b"silent"):
        time.sleep(120)
    if name == b"none.example":
        raise socket.gaierror(-2, "unknown")
    if name == b"pid.example":
        return [(int(socket.AF_INET), [str(os.getpid()), 0])]
    return HERE


@pytest.fixture
def names():
    made = Names(Gate(), resolve)
    made.start()
    yield made
    made.close()


def test_a_resolver_that_never_answers_holds_nobody(names):
    gate = Gate()
    errors = []

    def ask(channel):
        try:
            Transport(parse(channel), gate, names)._resolve("silent.example", 80, Deadline(2.0))
        except NetError as exc:
            errors.append((exc.reason, exc.phase))

    threads = [threading.Thread(target=ask, args=(f"http://silent.example/{number}",)) for number in range(3)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    assert gate.is_free(0.5)
    pid = os.fork()
    if not pid:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert names.lookup("good.example", 10.0) == HERE  # another name is found meanwhile
    for thread in threads:
        thread.join(20)
    assert time.monotonic() - started < 15
    assert errors == [("timeout", "dns")] * 3


def test_found_and_not_found_are_kept_for_all(names):
    assert names.lookup("good.example", 10.0) == HERE
    for _number in range(2):
        with pytest.raises(OSError, match="not found"):
            names.lookup("none.example", 10.0)
    helper = int(names.lookup("pid.example", 10.0)[0][1][0])
    assert helper != os.getpid()
    os.kill(helper, signal.SIGINT)  # ignored
    assert names.lookup("other.example", 10.0) == HERE
    os.kill(helper, signal.SIGKILL)
    os.waitpid(helper, 0)
    assert int(names.lookup("pid.example", 10.0)[0][1][0]) == helper  # kept
    assert names.lookup("another.example", 10.0) == HERE  # looked up here
    with pytest.raises(OSError, match="not found"):
        names.lookup("none.example", 10.0)


def test_the_helper_ends_with_its_asker(names):
    helper = int(names.lookup("pid.example", 10.0)[0][1][0])
    names.close()
    give_up = time.monotonic() + 20
    while not os.waitpid(helper, os.WNOHANG)[0]:
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_addresses_and_localhost_need_no_helper(names):
    names.close()
    way = Transport(parse("http://127.0.0.1/"), Gate(), names)
    assert way._resolve("localhost", 80, Deadline(5))[0] == (socket.AF_INET, ("127.0.0.1", 80))
    assert way._resolve("::1", 80, Deadline(5))[0][1][:2] == ("::1", 80)
