# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A receiver that is down is asked by one of all processes on a store, and seldom; a new run may ask once."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import breaker, delivery
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

NOW = 1_763_712_000.0
ENGINE = "ansible_collections.vigil.ops.plugins.module_utils._engine"
# Opens everything, waits until it is let go, and then sends for a while.
RUN = f"""
import sys, time
from {ENGINE}.channels import delivery
from {ENGINE}.channels.url import parse
from {ENGINE}.state.store import open_store
store, channel = open_store(sys.argv[1]), parse(sys.argv[2])
channel.bind(store.salt)
courier = delivery.Courier(store, channel)
courier.wake()
print("ready", flush=True)
sys.stdin.readline()
courier.drain(time.monotonic() + 20)
"""


def queue(store, channel, count=1):
    channel.bind(store.salt)
    with store.unit() as unit:
        for number in range(count):
            event = new_event("shop", f"web{number}", "page", unit.now, message="it is down")
            outbox.add(unit, f"{number}-{time.monotonic_ns()}", event, [channel.key])


@pytest.fixture
def timed(tmp_path):
    """A store with a clock of its own."""
    now = [NOW]
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        yield store, now


def test_many_runs_at_once_ask_a_dead_receiver_three_times_in_all(store, listen):
    receiver = listen(503)
    channel = parse(f"{receiver.url}/#ops")
    queue(store, channel, 40)
    runs = [subprocess.Popen([sys.executable, "-c", RUN, store.path, f"{receiver.url}/#ops"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _number in range(6)]  # fmt: skip
    for run in runs:
        assert run.stdout.readline() == b"ready\n"
    for run in runs:
        run.stdin.write(b"\n")
        run.stdin.flush()
    for run in runs:
        run.communicate(timeout=60)
    assert [run.returncode for run in runs] == [0] * 6
    assert len(receiver.requests) == breaker.FAILURES
    delivery.deliver(store, [channel], 2)
    assert len(receiver.requests) == breaker.FAILURES + 1, "a run that begins later may ask once"
    receiver.mode = 200
    assert delivery.deliver(store, [channel], 20)[0].sent == 40, "and when that works, it goes on"


def test_half_open(timed, listen):
    store, now = timed
    receiver = listen(503)
    channel = parse(f"{receiver.url}/#ops")
    queue(store, channel, 40)
    one, other = delivery.Courier(store, channel), delivery.Courier(store, channel)
    for courier in (one, other):
        courier.wake()
    now[0] += 1
    until = time.monotonic() + 100
    assert one.round(until) == 0.0
    assert len(receiver.requests) == breaker.FAILURES
    for courier in (one, other):
        assert 29 <= courier.round(until) <= breaker.REST
        assert courier.report.message == "the receiver is in trouble (HTTP 503)"
    now[0] += breaker.REST + 1
    with store.unit() as unit:
        unit.execute("UPDATE outbox SET next_at = 0")
    assert one.round(until) == 0.0
    assert len(receiver.requests) == breaker.FAILURES + 1, "one question, then rest again"
    assert other.round(until) > 29
    now[0] += breaker.REST + 1
    receiver.mode = 200
    with store.unit() as unit:
        unit.execute("UPDATE outbox SET next_at = 0")
    while other.round(until) == 0.0:
        pass
    assert other.report.sent == 40
    with store.view() as unit:
        assert breaker.read(unit, "ops") == breaker.State()


@pytest.mark.parametrize("jump", [-86400.0, 86400.0, -0.5])
def test_clocks_that_jump_keep_nothing_back_for_long(jump):
    state = breaker.State(breaker.FAILURES, NOW, "503", "m")
    assert state.rest(NOW, NOW - 1) == breaker.REST
    assert state.rest(NOW + 10, NOW - 1) == breaker.REST - 10
    assert state.rest(NOW + jump, NOW - 100) == 0.0
    assert state.rest(NOW + 1, NOW + 0.5) == 0.0, "a run that began since may ask"
    assert breaker.State(breaker.FAILURES - 1, NOW).rest(NOW, NOW - 1) == 0.0


@pytest.mark.parametrize("value", ["[]", "7", '{"failures": 9}', '{"at": "x"}', "{"])
def test_what_is_no_state_is_none(timed, value):
    store, _now = timed
    with store.unit() as unit:
        unit.execute("INSERT INTO marks (space, key, value, at) VALUES ('breaker', 'ops', ?, 0)", (value,))
        assert breaker.read(unit, "ops") == breaker.State()


def test_what_a_program_asks_for_is_kept_by_all_processes(store, listen):
    """A receiver that is no robot, and has no budget, may ask to wait as well."""
    receiver = listen(lambda _path, _body: (429, {"Retry-After": "60"}, b""))
    channel = parse(f"{receiver.url}/#ops")
    queue(store, channel, 5)
    for _number in range(3):
        report = delivery.deliver(store, [channel], 1)[0]
        assert report.sent == 0
        assert report.message
        queue(store, channel, 1)
    assert len(receiver.requests) == 1
