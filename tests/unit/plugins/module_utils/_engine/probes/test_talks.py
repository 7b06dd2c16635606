# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conversations in a crowd, with real sockets and threads."""

from __future__ import annotations

import functools
import os
import socket
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Crowd, Errand, alone, done, ready

LONG = 60.0


class Pairs:
    """Socket pairs: ours never blocks."""

    def __init__(self):
        self.all = []

    def new(self):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.all += [ours, theirs]
        return ours, theirs

    def close(self):
        for one in self.all:
            one.close()


@pytest.fixture(name="pairs")
def fixture_pairs():
    made = Pairs()
    yield made
    made.close()


@pytest.fixture(name="crowd_of")
def fixture_crowd_of():
    made = []

    def make(width):
        made.append(Crowd(width))
        return made[-1]

    yield make
    for crowd in made:
        crowd.close()


async def reads(sock, seconds=LONG):
    moment = await ready(sock, False, time.monotonic() + seconds)
    return sock.recv(100) if moment else None


def begun(crowd):
    return {key for key in (*range(50), "first", "second", "last") if crowd.began(key) is not None}


def all_of(crowd, count, seconds=LONG):
    """What ``count`` conversations brought, by key."""
    found, end = {}, time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        found.update({key: value for key, value, _begin, _end in crowd.step(end)})
    return found


def test_alone_waits_for_sockets_and_errands(pairs):
    ours, theirs = pairs.new()
    threading.Timer(0.05, theirs.send, [b"hello"]).start()
    assert alone(reads(ours)) == b"hello"
    assert alone(reads(ours, 0.01)) is None

    async def asks():
        errand = Errand(lambda: 42)
        assert await done(errand, time.monotonic() + LONG)
        return errand.result()

    assert alone(asks()) == 42


def test_a_crowd_hears_all_of_them(pairs, crowd_of):
    crowd = crowd_of(50)
    couples = [pairs.new() for _number in range(50)]
    for number, (ours, _theirs) in enumerate(couples):
        crowd.add(number, functools.partial(reads, ours))
    assert crowd.step(0) == []
    assert begun(crowd) == set(range(50))
    for number, (_ours, theirs) in enumerate(couples):
        theirs.send(b"%d" % number)
    assert all_of(crowd, 50) == {number: b"%d" % number for number in range(50)}
    assert begun(crowd) == set()


def test_no_more_than_the_width_begin_at_once(pairs, crowd_of):
    crowd = crowd_of(3)
    couples = [pairs.new() for _number in range(5)]
    for number, (ours, _theirs) in enumerate(couples):
        crowd.add(number, functools.partial(reads, ours))
    crowd.step(0)
    assert begun(crowd) == {0, 1, 2}
    couples[1][1].send(b"x")
    assert all_of(crowd, 1) == {1: b"x"}
    crowd.step(0)
    assert begun(crowd) == {0, 2, 3}


def test_who_waits_for_long_leaves_his_place_to_others(pairs, crowd_of):
    crowd = crowd_of(2)
    silent = [pairs.new() for _number in range(6)]
    ours, theirs = pairs.new()
    theirs.send(b"at last")
    for number, couple in enumerate(silent):
        crowd.add(number, functools.partial(reads, couple[0]))
    crowd.add("last", functools.partial(reads, ours))
    assert all_of(crowd, 1) == {"last": b"at last"}
    assert begun(crowd) == set(range(6))


def test_who_waits_for_a_thread_keeps_his_place(crowd_of):
    crowd, gate = crowd_of(1), threading.Event()

    async def waits():
        errand = Errand(lambda: gate.wait(LONG))
        await done(errand, time.monotonic() + LONG)
        return errand.result()

    crowd.add("first", waits)
    crowd.add("second", waits)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        crowd.step(end)
    assert begun(crowd) == {"first"}
    gate.set()
    assert all_of(crowd, 2) == {"first": True, "second": True}


def test_what_an_errand_raises_and_what_a_conversation_raises_are_values(crowd_of):
    crowd = crowd_of(5)

    async def fails():
        errand = Errand(functools.partial(int, "x"))
        await done(errand, time.monotonic() + LONG)
        return errand.result()

    async def never():
        return await done(Errand(lambda: time.sleep(3)), time.monotonic() + 0.05)

    async def at_once():
        raise KeyError("oops")

    for key, talk in (("fails", fails), ("never", never), ("at once", at_once)):
        crowd.add(key, talk)
    found = all_of(crowd, 3)
    assert isinstance(found["fails"], ValueError)
    assert isinstance(found["at once"], KeyError)
    assert found["never"] is None


def test_the_end_of_waiting_comes_in_order(pairs, crowd_of):
    crowd = crowd_of(5)
    for seconds in (0.3, 0.1, 0.2):
        crowd.add(seconds, functools.partial(reads, pairs.new()[0], seconds))
    assert list(all_of(crowd, 3).items()) == [(0.1, None), (0.2, None), (0.3, None)]


def test_a_pause_comes_before_the_beginning(crowd_of):
    crowd, begun = crowd_of(1), []

    async def says(word):
        begun.append(word)

    crowd.add("late", functools.partial(says, "late"), 0.1)
    crowd.add("now", functools.partial(says, "now"))
    all_of(crowd, 2)
    assert begun == ["now", "late"]


def test_one_socket_is_waited_for_again_and_again(pairs, crowd_of):
    crowd = crowd_of(1)
    ours, theirs = pairs.new()

    async def counts():
        heard = b""
        while len(heard) < 20:
            assert await ready(ours, True, time.monotonic() + LONG)
            ours.send(b"?")
            heard += await reads(ours) or b""
        return heard

    def answers():
        for _number in range(20):
            theirs.recv(1)
            theirs.send(b"!")

    threading.Thread(target=answers, daemon=True).start()
    crowd.add("it", counts)
    assert all_of(crowd, 1) == {"it": b"!" * 20}


def test_a_run_without_an_end_waits_all_the_same(crowd_of):
    crowd = crowd_of(1)
    threading.Timer(0.05, crowd.wake).start()
    assert crowd.step(float("inf")) == []


def test_another_thread_wakes_it_and_may_come_too_late():
    crowd = Crowd(1)
    threading.Timer(0.05, crowd.wake).start()
    assert crowd.step(time.monotonic() + LONG) == []
    crowd.close()
    crowd.wake()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_nothing_is_left_open(pairs):
    closed = []

    async def holds():
        ours, _theirs = pairs.new()
        try:
            await reads(ours)
        finally:
            closed.append(ours.close())

    before = len(os.listdir("/proc/self/fd"))
    crowd = Crowd(4)
    for number in range(4):
        crowd.add(number, holds)
    crowd.step(0)
    crowd.close()
    pairs.close()
    assert len(closed) == 4
    assert len(os.listdir("/proc/self/fd")) <= before
