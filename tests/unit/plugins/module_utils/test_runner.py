# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs are run bounded in time and output, and nothing of them stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._runner import run


def python(code):
    return [sys.executable, "-c", code]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid):
    give_up = time.monotonic() + 10
    while alive(pid) and time.monotonic() < give_up:
        time.sleep(0.01)
    return not alive(pid)


def test_code_and_both_outputs():
    assert run(python("import sys; print('a'); print('b', file=sys.stderr); sys.exit(3)")) == (3, "a\n", "b\n")


def test_arguments_are_not_for_a_shell():
    assert run(["echo", "$HOME", "*", "; id"])[1] == "$HOME * ; id\n"


def test_there_is_no_input():
    assert run(["cat"], 10.0) == (0, "", "")


def test_bytes_that_are_no_text_are_replaced():
    assert run(python("import sys; sys.stdout.buffer.write(b'a\\xffb')"))[1] == "a\ufffdb"


def test_large_outputs_on_both_sides_come_whole():
    code = "import sys; sys.stdout.write('o' * 3000000); sys.stderr.write('e' * 3000000)"
    rc, out, err = run(python(code), 60.0)
    assert (rc, len(out), len(err)) == (0, 3000000, 3000000)


@pytest.mark.parametrize("argv", [["/nonexistent/program"], ["a\0b"], ["/etc"]])
def test_a_program_that_cannot_be_started(argv):
    with pytest.raises(CommandMissing, match="cannot be run"):
        run(argv)


def test_what_does_not_end_is_ended_with_its_children(tmp_path):
    pids = tmp_path / "pids"
    code = f"import os, time; child = os.fork(); open({str(pids)!r}, 'a').write(str(os.getpid()) + '\\n'); time.sleep(600)"
    with pytest.raises(CommandTimeout, match="did not end within 1 s"):
        run(python(code), 1.0)
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    assert all(gone(pid) for pid in found)


def test_a_program_that_closes_its_outputs_is_waited_for():
    with pytest.raises(CommandTimeout):
        run(python("import os, time; os.close(1); os.close(2); time.sleep(600)"), 1.0)
    assert run(python("import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(4)"), 10.0)[0] == 4


def test_a_flood_is_stopped():
    with pytest.raises(CommandFlood, match="more than 8 MiB"):
        run(["yes"], 60.0)


def test_a_daemon_that_holds_the_outputs_does_not_hold_the_run(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time\nif os.fork():\n os._exit(0)\nos.setsid()\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    try:
        assert run(python("print('x', flush=True)\n" + code), 30.0)[:2] == (0, "x\n")
    finally:
        give_up = time.monotonic() + 10
        while not (pid.exists() and pid.read_text()) and time.monotonic() < give_up:
            time.sleep(0.01)
        os.kill(int(pid.read_text()), 9)


def test_no_program_outlives_the_module(tmp_path):
    note = tmp_path / "pids"
    code = (
        "import os, sys, threading, time\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._runner import run\n"
        "argv = ['sh', '-c', 'sleep 300 & echo $! $$ > \"$1\"; wait', 'sh', sys.argv[1]]\n"
        "threading.Thread(target=run, args=(argv, 300), daemon=True).start()\n"
        "while not (os.path.exists(sys.argv[1]) and open(sys.argv[1]).read().endswith('\\n')): time.sleep(0.01)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(note)], check=True, timeout=60)
    assert all(gone(int(pid)) for pid in note.read_text().split())
