# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process beside the one that forks workers: what it was told is done, whatever becomes of either."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest
from ansible_collections.vigil.ops.plugins.plugin_utils import _line
from ansible_collections.vigil.ops.plugins.plugin_utils._line import Answer, Gone, Line, Silent


def kind_of(file):
    try:
        return os.readlink(f"/proc/self/fd/{file}").partition(":")[0]
    except FileNotFoundError:
        return ""  # with which they were listed


@pytest.fixture
def notes(tmp_path):
    """What was done, by all processes."""
    return tmp_path / "notes"


@pytest.fixture
def line(notes):
    def make():
        known = []

        def do(name, args):
            with open(notes, "a", encoding="utf-8") as out:
                out.write(f"{name} {args[0] if args and len(str(args[0])) < 50 else ''}\n")
            if name == "know":
                known.append(args[0])
                return Answer(list(known))
            if name == "size":
                return Answer(len(args[0]))
            if name == "sleep":
                time.sleep(args[0])
            if name == "die":
                os._exit(1)
            if name == "fail":
                raise ValueError("secret")
            if name == "files":
                return Answer(sorted(map(kind_of, os.listdir("/proc/self/fd"))))
            return Answer((os.getpid(), *args), [f"did {name}"])

        return do

    opened = Line(make)
    yield opened
    opened.end()


def until(true, seconds=20.0):
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_told_and_asked_in_turn(line, notes):
    for number in range(100):
        line.tell("note", number)
    pid, word = line.ask("note", "last", seconds=20)
    assert (word, pid != os.getpid()) == ("last", True)
    assert notes.read_text() == "".join(f"note {number}\n" for number in [*range(100), "last"])
    assert line.heard() == ["did note"] * 101
    assert line.heard() == []


def test_what_is_large_goes_both_ways_while_the_other_side_is_busy(line, notes):
    begin = time.monotonic()
    line.tell("sleep", 1)
    for _number in range(3):
        line.tell("size", "x" * 3_000_000)
    assert time.monotonic() - begin < 0.9  # nobody waits
    assert line.ask("size", "ä" * 3_000_000, seconds=20) == 3_000_000
    assert notes.read_text().count("size") == 4


def test_an_answer_that_does_not_come(line, notes):
    with pytest.raises(Silent):
        line.ask("sleep", 0.5, seconds=0.1)
    assert line.ask("note", 1, seconds=20)[1] == 1  # and not what came of the first
    assert notes.read_text() == "sleep 0.5\nnote 1\n"


def test_one_that_is_left_alone_does_what_it_was_told(line, notes):
    pid = line.ask("note", 0, seconds=20)[0]
    with pytest.raises(Silent):
        line.ask("sleep", 0.5, seconds=0.1)
    line.tell("note", 1)
    line.end()
    assert line.ask("note", 2, seconds=20)[0] != pid
    until(lambda: notes.read_text().splitlines() == ["note 0", "sleep 0.5", "note 2", "note 1", "close "])
    os.waitpid(pid, 0)


def test_a_fault_is_said_by_its_kind_alone(line):
    assert line.ask("fail", seconds=20) is None
    assert line.heard() == ["a fault in fail (ValueError); the run goes on."]


def test_one_that_is_killed_is_begun_again_with_what_it_did_not_answer(line, notes):
    assert line.ask("know", "a", seconds=20, lasts=True) == ["a"]
    pid = line.ask("note", 0, seconds=20)[0]
    os.kill(pid, signal.SIGSTOP)
    line.tell("note", 1)
    os.kill(pid, signal.SIGKILL)
    line.tell("note", 2)
    assert line.ask("know", "b", seconds=20) == ["a", "b"]
    assert notes.read_text() == "know a\nnote 0\nknow a\nnote 1\nnote 2\nknow b\n"


def test_one_that_ends_again_and_again_is_given_up(line):
    with pytest.raises(Gone, match="has ended"):
        line.ask("die", seconds=20)
    with pytest.raises(Gone):
        line.tell("note", 1)


def test_what_is_written_twice_is_done_once(line, notes):
    line.tell("note", 0)
    frame = _line._framed((2, "note", (1,)))
    line._out += frame + frame  # as where a signal comes between the writing and the knowing of it
    line._number = 2
    assert line.ask("note", 2, seconds=20)[1] == 2
    assert notes.read_text() == "note 0\nnote 1\nnote 2\n"


def test_a_line_out_of_step_is_a_new_process(line, notes):
    line.ask("note", 0, seconds=20)
    line._out += b"rubbish that no mark stands before"
    line.tell("note", 1)
    assert line.ask("note", 2, seconds=20)[1] == 2
    assert notes.read_text() == "note 0\nnote 1\nnote 2\n"


def test_no_process_can_be_begun(line, monkeypatch):
    def fork():
        raise OSError(errno.EAGAIN, "no")

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(Gone, match="no process can be begun: Resource temporarily unavailable"):
        line.tell("note", 1)


def test_nobody_waits_for_its_files_and_their_numbers_are_not_used_again(line, tmp_path):
    """A pipe that it held open would keep a shell waiting; a file that the main process's objects close once more must not be one of its own."""
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as held:
        held.execute("CREATE TABLE t (a)")
        kinds = line.ask("files", seconds=20)
    own = ["socket", "anon_inode"]  # the line, and what tells the end of the main process
    assert set(kinds) <= {"", "/dev/null", *own} and [kinds.count(kind) for kind in own] in ([1, 1], [1, 0]), kinds


def test_the_end_of_the_main_process_waits_for_it_but_not_for_long(line, notes):
    pid = line.ask("note", 0, seconds=20)[0]
    line.tell("sleep", 0.2)
    line.tell("note", 1)
    line.part()
    assert (notes.read_text(), os.path.exists(f"/proc/{pid}")) == ("note 0\nsleep 0.2\nnote 1\nclose \n", False)
    pid = line.ask("note", 2, seconds=20)[0]
    line.tell("sleep", 3)
    line.tell("note", 3)
    begin = time.monotonic()
    line.part()
    assert time.monotonic() - begin < 2.5
    assert "note 3" not in notes.read_text()
    until(lambda: "note 3" in notes.read_text())
    os.waitpid(pid, 0)


def test_what_it_was_too_busy_to_take_is_not_lost_at_the_end(line, notes):
    line.tell("sleep", 0.3)
    line.tell("size", "x" * 3_000_000)
    line.part()
    assert notes.read_text() == "sleep 0.3\nsize \nclose \n"


PARENT = """
    import os, signal, sys, time
    from ansible_collections.vigil.ops.plugins.plugin_utils._line import Answer, Line
    place = sys.argv[1]
    def make():
        def do(name, args):
            time.sleep(0.01)
            with open(place, "a") as out:
                out.write(f"{args[0]}\\n" if args else "")
            return Answer(os.getpid())
        return do
    line = Line(make)
    print(line.ask("note", -1, seconds=20), flush=True)
    {worker}
    for number in range(50):
        line.tell("note", number)
    print("told", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("worker", ["", "os.fork() or time.sleep(8) or os._exit(0)"], ids=["alone", "with a worker that lives on"])
def test_what_was_told_is_done_though_everything_is_killed(tmp_path, number, worker):
    """By a signal to the whole group, as whoever cancels a job sends it; where a worker lives on, to the main process alone."""
    place = tmp_path / "notes"
    argv = [sys.executable, "-c", textwrap.dedent(PARENT).replace("{worker}", worker), str(place)]
    main = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    pid = int(main.stdout.readline())
    assert main.stdout.readline() == "told\n"
    if worker:
        main.send_signal(number)
    else:
        os.killpg(main.pid, number)
    main.wait()
    until(lambda: place.read_text().count("\n") == 51)
    assert place.read_text().split() == [str(one) for one in range(-1, 50)]
    until(lambda: not os.path.exists(f"/proc/{pid}/exe"))
    main.stdout.close()
