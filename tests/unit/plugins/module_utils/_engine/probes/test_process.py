# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import process as probe

SLEEP = "import time; print(1, flush=True); time.sleep(60)"

ME = os.getpid()  # the same tests may run twice at a time


@pytest.fixture
def child():
    """``child("marker", ...)`` starts a sleeping process with these words on its command line, in a session of its own."""
    started = []

    def start(*words):
        made = subprocess.Popen([sys.executable, "-c", SLEEP, *words], stdout=subprocess.PIPE, start_new_session=True)
        made.stdout.readline()
        started.append(made)
        return made

    yield start
    for made in started:
        made.kill()
        made.wait(20)
        made.stdout.close()


def test_counts_by_pattern(look, child):
    first, second = child(f"vigil-test-{ME}-a", "--one"), child(f"vigil-test-{ME}-a", "--two")
    seen = look("process", pattern=rf"vigil-test-{ME}-a --(one|two)$")
    assert seen["count"] == 2
    assert set(seen["pids"]) == {first.pid, second.pid}
    assert seen["rss_bytes"] > 1 << 20
    assert 0 <= seen["oldest_seconds"] < 600
    assert 0 <= seen["youngest_seconds"] <= seen["oldest_seconds"]


def test_none_is_an_observation(look):
    seen = look("process", pattern="vigil-no-such-[p]rocess")
    known = {key: value for key, value in seen.items() if value is not None}
    assert known == {"count": 0, "rss_bytes": 0, "pids": []}


def test_by_name_and_user(look, child):
    import pwd

    made = child(f"vigil-test-{ME}-b")
    name = os.path.basename(sys.executable)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert made.pid in look("process", name=name, pattern=f"vigil-test-{ME}-b", user=user)["pids"]
    assert look("process", name="other", pattern=f"vigil-test-{ME}-b")["count"] == 0
    assert look("process", user="64999", pattern=f"vigil-test-{ME}-b")["count"] == 0
    with pytest.raises(CannotSee, match="no user"):
        look("process", user="no-such-user")


def test_zombies_do_not_count(look):
    made = subprocess.Popen([sys.executable, "-c", "pass", f"vigil-test-{ME}-z"])
    try:
        for _round in range(500):
            with open(f"/proc/{made.pid}/stat", encoding="ascii") as source:
                if " Z " in source.read():
                    break
            time.sleep(0.02)
        assert made.pid not in look("process", name=os.path.basename(sys.executable))["pids"]
    finally:
        made.wait(20)


def test_one_reading_serves_all_and_a_retry_reads_again(child):
    ctx = Context()
    probe.gather([], ctx)
    options = {"pattern": f"vigil-test-{ME}-c", "name": None, "user": None}
    assert probe.observe(options, ctx)["count"] == 0
    child(f"vigil-test-{ME}-c")
    assert probe.observe(options, ctx)["count"] == 0
    time.sleep(0.6)
    assert probe.observe(options, ctx.view(2, ()))["count"] == 1


def test_the_inspection_does_not_count_itself(tmp_path):
    """The one that looks carries the pattern in its arguments, as do the shell and the command above it, and its own forks."""
    program = tmp_path / "looker.py"
    program.write_text(
        textwrap.dedent(
            """
            import sys
            from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
            from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import disk, process
            ctx = Context()
            disk.gather([], ctx)
            print(process.observe({"pattern": sys.argv[1], "name": None, "user": None}, ctx)["count"])
            """
        )
    )
    above = tmp_path / "ansible"
    above.write_text(
        "import os, subprocess, sys\n"
        "def start():\n    os.setsid()\n"
        "subprocess.run(['/bin/sh', '-c', '\"$0\" \"$@\"; true', sys.executable, sys.argv[1], sys.argv[2]], preexec_fn=start)\n"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    argv = [sys.executable, str(above), str(program), f"vigil-test-{ME}-self"]
    done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, timeout=60, text=True, check=False)
    assert done.stdout == "0\n"


def test_bad_options_are_refused(look):
    with pytest.raises(ValueError, match="regular expression"):
        look("process", pattern="(")
    with pytest.raises(ValueError, match="pattern"):
        look("process")


def observe(wanted, **options):
    return probe.observe({"pattern": None, "name": None, "user": None, **options}, Context(wanted=wanted))


def test_open_files(child):
    code = (
        "import resource, time\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\nheld = [open('/dev/null') for _ in range(147)]\n"
        + SLEEP
    )
    with subprocess.Popen([sys.executable, "-c", code, f"vigil-test-{ME}-f"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as made:
        made.stdout.readline()
        held = len(os.listdir(f"/proc/{made.pid}/fd"))
        other = child(f"vigil-test-{ME}-f")
        seen = observe(["fds"], pattern=f"vigil-test-{ME}-f$")
        assert seen["fds"] == held + len(os.listdir(f"/proc/{other.pid}/fd")) and held >= 150
        assert seen["fds_percent"] == held / 2
        assert observe(["fds_percent"], pattern="vigil-test-[n]one") == {
            **seen,
            **dict.fromkeys(seen),
            "count": 0,
            "rss_bytes": 0,
            "pids": [],
            "fds": 0,
            "fds_percent": 0,
        }
        assert observe([], pattern=f"vigil-test-{ME}-f$")["fds"] is None
        made.kill()


def test_open_files_of_another_user_may_not_be_counted():
    """The first process is root's; a child of this test is nobody."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        answer = "nothing"
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setuid(65534)
            answer = str(observe(["fds"], user="0")["fds"])
        except CannotSee as exc:
            answer = f"{exc.reason}: {exc.sentence}"
        finally:
            os.write(writer, answer.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as source:
        said = source.read()
    os.waitpid(pid, 0)
    assert said.startswith("permission: the open files of process ") and said.endswith("run with become"), said
