# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long lists are shared out between processes: the same verdicts, whatever becomes of the children."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import shares

MANY = 400


@pytest.fixture(name="port")
def fixture_port():
    """Of a server that takes every connection and ends it."""
    with listening() as server:
        yield server


@contextlib.contextmanager
def listening(hold=False):
    server = socket.create_server(("127.0.0.1", 0), backlog=1024)
    ending = threading.Event()

    def take():
        held = []
        while not ending.is_set():
            with contextlib.suppress(OSError):
                taken = server.accept()[0]
                if hold:
                    held.append(taken)
                else:
                    taken.close()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        ending.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


CODE = """
import json, os, sys, threading, time
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import shares
forks = []
os.register_at_fork(after_in_parent=lambda: forks.append(1))
shares.cores = lambda: int(sys.argv[3])
if sys.argv[4] == "thread":
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
begin = time.monotonic()
checks = flow.read_checks(json.load(open(sys.argv[1])))
done = flow.inspect(checks, timeout=float(sys.argv[2]))
print(json.dumps({"forks": len(forks), "seconds": time.monotonic() - begin, **done}))
"""


def look(tmp_path, raw, timeout=30.0, processors=2, what="", wait=True):
    """A process of its own, as a module is: (what it found, what it wrote to stderr), or the process."""
    place = tmp_path / "checks.json"
    place.write_text(json.dumps(raw))
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    argv = [sys.executable, "-c", CODE, str(place), str(timeout), str(processors), what]
    run = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return ended(run) if wait else run


def ended(run):
    out, err = run.communicate(timeout=90)
    return json.loads(out), err.decode()


def tcp(port, count=MANY, **options):
    return [{"name": f"port {number}", "tcp": dict({"port": port}, **options)} for number in range(count)]


def mixed(port):
    """Good, bad, talking to nobody, and of this host."""
    kinds = [
        {"tcp": {"port": port}},
        {"tcp": {"port": 1}},
        {"tcp": {"port": port, "expect": "^SSH-", "timeout": "1s"}},
        {"file": {"path": "/"}, "expect": {"type": "directory"}},
        {"tcp": {"port": 1}, "retries": 1},
        {"tcp": {"host": "no.name.invalid", "port": 1, "timeout": "1s"}},
    ]
    return [{"name": str(number), **kinds[number % len(kinds)]} for number in range(600)]


def verdicts(found):
    return [(one["name"], one["status"], one["attempts"], one["observed"].get("connected")) for one in found["results"]]


def test_the_verdicts_are_the_same_however_many_look(tmp_path, port):
    alone, err = look(tmp_path, mixed(port), processors=1)
    assert alone["forks"] == 1 and err == ""  # the one that looks for patterns
    several, err = look(tmp_path, mixed(port), processors=3)
    assert several["forks"] == 3 and err == ""
    assert verdicts(several) == verdicts(alone)
    assert {key: several[key] for key in ("summary", "score", "status")} == {key: alone[key] for key in ("summary", "score", "status")}


@pytest.mark.parametrize(("count", "what"), [(299, ""), (MANY, "thread")])
def test_short_lists_and_processes_with_threads_stay_alone(tmp_path, port, count, what):
    found, err = look(tmp_path, tcp(port, count), what=what)
    assert found["forks"] == 0 and found["summary"]["ok"] == count and err == ""


def children(pid):
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def is_alive(pid):
    with contextlib.suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return False


def first_child(run):
    until = time.monotonic() + 30
    while not children(run.pid):
        assert time.monotonic() < until and run.poll() is None, run.communicate()
        time.sleep(0.005)
    return children(run.pid)[0]


def test_what_a_killed_child_took_is_looked_at_again(tmp_path):
    """The server answers nobody for a while, so that both have taken their part when one of them is killed."""
    with listening(hold=True) as port:
        raw = tcp(port, 100, expect="never", timeout="2s") + tcp(port)
        raw = [dict(one, name=str(number)) for number, one in enumerate(raw)]
        run = look(tmp_path, raw, timeout=60, wait=False)
        first_child(run)
        time.sleep(1)
        victims = children(run.pid)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        found, err = ended(run)
    assert victims and err == "" and [one["name"] for one in found["results"]] == [one["name"] for one in raw]
    assert (found["summary"]["ok"], found["summary"]["critical"]) == (MANY, 100)


def test_a_stopped_child_holds_nobody_beyond_the_deadline(tmp_path):
    with listening(hold=True) as port:
        run = look(tmp_path, tcp(port, expect="never", timeout="1s"), timeout=3, wait=False)
        first_child(run)
        time.sleep(0.7)
        victims = children(run.pid)
        for victim in victims:
            os.kill(victim, signal.SIGSTOP)
        found, err = ended(run)
    assert victims and err == "" and len(found["results"]) == MANY and found["seconds"] < 20
    assert {one["status"] for one in found["results"]} <= {"critical", "unknown"}
    for victim in victims:
        with pytest.raises(ProcessLookupError):
            os.kill(victim, 0)


def test_the_end_of_the_time_is_the_end_for_all(tmp_path):
    with listening(hold=True) as port:
        found, err = look(tmp_path, tcp(port, expect="never", timeout="30s"), timeout=2)
    assert err == "" and {one["status"] for one in found["results"]} == {"unknown"} and found["seconds"] < 20
    sentences = {one["summary"].split(" when ")[0] for one in found["results"]}
    assert sentences <= {"it had not ended", "its turn had not come"}, sentences


def test_a_host_out_of_processes_looks_alone(port, monkeypatch):
    def full():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(shares, "cores", lambda: 2)
    monkeypatch.setattr(os, "fork", full)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    found = flow.inspect(flow.read_checks(tcp(port)))
    assert found["summary"]["ok"] == MANY


def test_a_parent_that_is_killed_leaves_nobody_for_long(tmp_path):
    with listening(hold=True) as port:
        run = look(tmp_path, tcp(port, expect="never", timeout="30s"), timeout=2, wait=False)
        first_child(run)
        time.sleep(0.5)
        below = children(run.pid)
        run.kill()
        run.communicate(timeout=30)  # whoever reads its streams does not wait for the children
        until = time.monotonic() + 30
        while any(map(is_alive, below)):
            assert time.monotonic() < until
            time.sleep(0.1)
