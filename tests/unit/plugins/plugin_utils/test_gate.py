# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forks while a thread is inside the resolver, OpenSSL and SQLite: no child hangs, as the gate lets none be forked in that moment."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sqlite3
import ssl
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store
from ansible_collections.vigil.ops.plugins.plugin_utils._gate import GATE, Gate


def child_work(path):
    socket.getaddrinfo(b"localhost", 80)
    hashlib.new("sha256", b"x").hexdigest()
    ssl.create_default_context()
    connection = sqlite3.connect(path + "-child")
    connection.execute("SELECT 1")
    connection.close()
    with GATE, open_store(path + "-child.db") as store:
        del store


def ended_in_time(pid, seconds=20.0):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status == 0
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def test_no_child_hangs(tmp_path, store_url):
    path = str(tmp_path / "state.db")
    store = open_store(store_url, guard=GATE)
    stop = threading.Event()
    rounds = []

    def busy():
        while not stop.is_set():
            with GATE:
                socket.getaddrinfo(b"localhost", 80)
            with GATE:
                ssl.create_default_context()
            with store.unit() as unit:
                marks.put(unit, "test", "key", len(rounds))
            rounds.append(1)

    threads = [threading.Thread(target=busy, daemon=True) for _number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _number in range(60):
            pid = os.fork()
            if not pid:
                code = 1
                try:
                    child_work(path)
                    with store.unit() as unit:  # the parent's object: it opens a connection of its own
                        marks.get(unit, "test", "key")
                    code = 0
                finally:
                    os._exit(code)
            assert ended_in_time(pid)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert rounds
    with store.view() as unit:
        assert not store_url.startswith("sqlite") or unit.one("PRAGMA integrity_check") == ("ok",)
        assert marks.get(unit, "test", "key") is not None
    store.close()


def test_is_free():
    gate = Gate()
    assert gate.is_free(0.1)
    with gate:
        assert not gate.is_free(0.05)
        gate.in_child()
        assert gate.is_free(0.05)
        gate.before_fork()
    assert gate.is_free(0.05)


def test_ctrl_c_while_a_fork_waits_is_not_lost():
    """Python passes over what is raised in what it calls before a fork, so that a run would go on."""
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with GATE:
            inside.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(20)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    threading.Timer(0.8, leave.set).start()
    pid = None
    try:
        with pytest.raises(KeyboardInterrupt):
            pid = os.fork()
            if not pid:
                os._exit(0)
            assert leave.is_set()  # the fork waited all the same
            time.sleep(20)
    finally:
        signal.signal(signal.SIGINT, before)
        leave.set()
        holder.join()
    assert pid and ended_in_time(pid)
    assert GATE.is_free(5.0)
