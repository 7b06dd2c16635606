# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._guard import Guard, GuardLost, GuardTimeout


def sleep(seconds):
    time.sleep(seconds)
    return {"slept": seconds}


def missing():
    raise FileNotFoundError(2, "No such file or directory")


def broken():
    raise KeyError("x")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def pids():
    return {"me": os.getpid(), "keeper": os.getppid(), "open": sorted(os.listdir("/proc/self/fd"))}


def large():
    return {"text": "x" * 500000}


@pytest.fixture
def guard():
    made = Guard({function.__name__: function for function in (sleep, missing, broken, die, pids, large)})
    made.start()
    yield made
    made.stop()


def test_answers_come_back(guard):
    assert guard.call("sleep", {"seconds": 0}, 10) == {"slept": 0}
    assert len(guard.call("large", {}, 10)["text"]) == 500000


def test_errors_come_back(guard):
    with pytest.raises(FileNotFoundError):
        guard.call("missing", {}, 10)
    with pytest.raises(GuardLost, match="KeyError"):
        guard.call("broken", {}, 10)
    with pytest.raises(GuardLost, match="died"):
        guard.call("die", {}, 10)


def test_what_hangs_is_left_and_not_started_again(guard):
    with pytest.raises(GuardTimeout):
        guard.call("sleep", {"seconds": 1}, 0.2)
    assert guard.call("sleep", {"seconds": 0}, 10) == {"slept": 0}
    with pytest.raises(GuardTimeout):
        guard.call("sleep", {"seconds": 1}, 0.01)


def test_a_stuck_look_is_asked_again_when_it_has_died(guard):
    with pytest.raises(GuardTimeout):
        guard.call("sleep", {"seconds": 1.5}, 0.1)
    assert guard.call("sleep", {"seconds": 1.5}, 15) == {"slept": 1.5}


def test_many_threads_at_once(guard):
    answers = []

    def ask(number):
        answers.append(guard.call("sleep", {"seconds": number / 1000}, 30)["slept"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [number / 1000 for number in range(40)]


def test_many_that_hang_do_not_hold_up_the_others(guard):
    outcomes = []

    def hang(number):
        try:
            guard.call("sleep", {"seconds": 30 + number}, 2)
        except GuardTimeout:
            outcomes.append("left")

    threads = [threading.Thread(target=hang, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    assert guard.call("sleep", {"seconds": 0}, 10) == {"slept": 0}
    for thread in threads:
        thread.join(30)
    assert outcomes == ["left"] * 20


def test_lookers_are_used_again(guard):
    assert len({guard.call("pids", {}, 10)["me"] for _number in range(50)}) <= 4


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_the_lookers_hold_nothing_of_ours(guard):
    reader, writer = os.pipe()
    try:
        # standard streams, the channel of the looker, the pipe of the answer, and the listing itself
        assert len(guard.call("pids", {}, 10)["open"]) <= 6
    finally:
        os.close(reader)
        os.close(writer)


def test_a_killed_keeper_is_replaced(guard):
    keeper = guard.call("pids", {}, 10)["keeper"]
    os.kill(keeper, signal.SIGKILL)
    wait_for_end(keeper)
    assert guard.call("sleep", {"seconds": 0}, 10) == {"slept": 0}


def wait_for_end(pid):
    for _round in range(500):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as source:
                if source.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} did not end")


def test_nothing_holds_the_output_of_a_program_that_has_ended(tmp_path):
    """An SSH connection waits until nobody holds the standard streams any more; a look that hangs must not hold them."""
    program = textwrap.dedent(
        """
        import time
        from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._guard import Guard, GuardTimeout

        def hang():
            time.sleep(8)

        guard = Guard({"hang": hang})
        guard.start()
        try:
            guard.call("hang", {}, 0.2)
        except GuardTimeout:
            print("given up")
        """
    )
    (tmp_path / "program.py").write_text(program)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    assert done.stdout == b"given up\n"
    assert time.monotonic() - began < 8


def test_the_keeper_ends_with_its_owner(tmp_path):
    program = (
        "import os\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._guard import Guard\n"
        "guard = Guard({'pids': lambda: {'keeper': os.getppid()}})\n"
        "print(guard.call('pids', {}, 10)['keeper'], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "program.py").write_text(program)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    done = subprocess.run([sys.executable, str(tmp_path / "program.py")], env=environment, stdout=subprocess.PIPE, timeout=30, check=False)
    wait_for_end(int(done.stdout))
