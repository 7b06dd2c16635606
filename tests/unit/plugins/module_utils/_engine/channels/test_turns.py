# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sender at a time for each channel, dead letters that stay until somebody looks, pauses that spread, clocks that jump."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import delivery
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dead, notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, owner, turns
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

NOW = 1_763_712_000.0
SENDER = (
    "import sys\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import delivery\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store\n"
    "store, channel = open_store(sys.argv[1]), parse(sys.argv[2])\n"
    "channel.bind(store.salt)\n"
    "delivery.deliver(store, [channel], 30)\n"
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def queue(store, channel, count):
    channel.bind(store.salt)
    with store.unit() as unit:
        for number in range(count):
            event = new_event("shop", f"web{number}", "page", unit.now, message="it is down")
            outbox.add(unit, f"{number}-{time.monotonic_ns()}", event, [channel.key])


def test_one_process_sends_at_a_time_and_all_is_sent_once(store, listen):
    lock, inside, most = threading.Lock(), [0], [0]

    def slow(_path, _body):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1
        return 200, {}, b""

    receiver = listen(slow)
    channel = parse(receiver.url)
    queue(store, channel, 60)
    senders = [subprocess.Popen([sys.executable, "-c", SENDER, store.path, receiver.url]) for _number in range(3)]
    assert [sender.wait(60) for sender in senders] == [0] * 3
    delivery.deliver(store, [channel], 10)
    assert sorted(body["instance"] for body in receiver.bodies) == sorted(f"web{number}" for number in range(60))
    assert most == [1]


def test_a_killed_process_keeps_no_turn(store, listen):
    receiver = listen("silent")
    channel = parse({"url": receiver.url, "timeout": 30})
    queue(store, channel, 3)
    sender = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SENDER.replace("parse(sys.argv[2])", "parse({'url': sys.argv[2], 'timeout': 30})"),
            store.path,
            receiver.url,
        ]
    )
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        with store.unit() as unit:
            if turns.wait(unit, channel.key, "me", 1e9, owner.is_alive):
                break
        time.sleep(0.01)
    assert delivery.deliver(store, [channel], 0.6)[0].message == "another process is sending to this channel"
    sender.kill()
    sender.wait(10)
    receiver.mode = 200
    receiver.released.set()
    report = delivery.deliver(store, [channel], 10)[0]
    assert (report.sent, report.dead) == (3, 0)


def test_turns_and_clocks_that_jump(tmp_path):
    now = [NOW]
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store, store.unit() as unit:
        turns.take(unit, "ops", "one", 60)
        assert turns.wait(unit, "ops", "one", 60, lambda _owner: True) == 0
        assert turns.wait(unit, "ops", "two", 60, lambda _owner: True) == 60
        assert turns.wait(unit, "ops", "two", 60, lambda _owner: False) == 0
        unit.now = NOW - 86400  # the clock went back: nobody waits for a day
        assert turns.wait(unit, "ops", "two", 60, lambda _owner: True) == 0
        unit.now = NOW + 61
        assert turns.wait(unit, "ops", "two", 60, lambda _owner: True) == 0
        unit.now = NOW
        turns.give_back(unit, "ops", "two")
        assert turns.wait(unit, "ops", "two", 60, lambda _owner: True) == 60
        turns.give_back(unit, "ops", "one")
        assert turns.wait(unit, "ops", "two", 60, lambda _owner: True) == 0


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_jumps_keeps_nothing_back(tmp_path, listen, jump):
    now = [NOW]
    receiver = listen(503)
    channel = parse(receiver.url)
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        queue(store, channel, 2)
        delivery.deliver(store, [channel], 0.6)
        receiver.mode = 200
        now[0] += jump
        assert delivery.deliver(store, [channel], 5)[0].sent == 2


@pytest.mark.parametrize("answer", [(429, {"Retry-After": "30"}, b""), (503, {}, b"")])
def test_a_clock_that_goes_back_under_a_sender_keeps_nothing_back(tmp_path, listen, answer):
    """The sender of a watcher lives for long, and begins no new run; what a receiver asked for is no wait of a day."""
    now = [NOW]
    receiver = listen(lambda _path, _body: answer)
    channel = parse(receiver.url)
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        queue(store, channel, 4)
        courier = delivery.Courier(store, channel)
        courier.wake()
        now[0] += 1
        courier.round(time.monotonic() + 5)
        receiver.mode = 200
        now[0] -= 86400
        until = time.monotonic() + 40
        while courier.report.sent < 4 and time.monotonic() < until:
            wait = courier.round(time.monotonic() + 5)
            now[0] += wait or 0.0
            assert (wait or 0.0) < 60
    assert courier.report.sent == 4


def test_pauses_are_anything_up_to_a_bound_that_doubles():
    random.seed(7)
    for attempts in (0, 3, 8, 20, 1000):
        bound = min(delivery.LONGEST_PAUSE, delivery.FIRST_PAUSE * 2 ** min(attempts, 30))
        pauses = [delivery.backoff(attempts) for _number in range(2000)]
        assert all(delivery.LEAST_PAUSE <= pause <= bound for pause in pauses)
        assert min(pauses) < bound * 0.12
        assert max(pauses) > bound * 0.95
        assert 0.45 < sum(pauses) / len(pauses) / bound < 0.6


def test_dead_letters_stay_are_sent_again_and_thrown_away(tmp_path, listen):
    receiver = listen(400)
    now = [NOW]
    channel = parse(f"{receiver.url}/#ops")

    def event(check, status="firing"):
        return new_event("shop", "web1", check, now[0], status=status, message="m")

    def act(action, **only):
        with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store, store.unit() as unit:
            return dead.act(unit, dead.read_wanted(action, only, now[0]))

    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        found = notify.tell(store, [channel], notify.Batch([event("a"), event("b"), event("c")]))
        assert (found["dropped"], found["queued"]) == (3, 0)
        now[0] += 60
        notify.tell(store, [channel], notify.Batch([event("b", "resolved")]))
        with store.unit() as unit:
            asked = dead.act(unit, dead.read_wanted("replay", None, now[0]), dry=True)
        assert (asked["number"], asked["over"]) == (2, 1)  # of b nobody would be told the end
    now[0] += 400 * 86400.0
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]):
        pass  # what is old is forgotten now
    listed = act("list")
    assert [letter["check"] for letter in listed["letters"]] == ["a", "b", "c"]
    assert (listed["letters"][0]["code"], listed["letters"][0]["channel"]) == ("400", "ops")
    assert act("list", channel="other")["number"] == 0
    assert act("list", name="A")["number"] == 1
    assert act("list", before="500d")["number"] == 0
    assert act("purge", name="c")["number"] == 1
    assert act("replay", name="a")["number"] == 1
    receiver.mode = 200
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert receiver.bodies[-1]["check"] == "a"
    assert [letter["check"] for letter in act("list")["letters"]] == ["b"]
    with pytest.raises(ValueError, match='dead_only has no key "chanel"; did you mean "channel"'):
        act("list", chanel="ops")
