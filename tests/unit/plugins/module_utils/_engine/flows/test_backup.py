# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup_programs, restore
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.moments import read_moment
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream

OPTIONS = dict.fromkeys(("exclude", "include", "max_size", "retention", "ignore_lines", "mask", "remote", "batch"))
OPTIONS.update(paths=[], name="job", one_file_system=False, paranoid=False, verify=False, wait="1s", compression="gzip")
WISH = dict.fromkeys(("remote", "snapshot", "at", "paths", "dest", "mask"))
WISH.update(name="job", backup=False, devices=False, exact=False)


@pytest.fixture
def take(tmp_path):
    """take(check_mode, **options) -> the result of a backup with real programs."""

    def run_it(check_mode=False, **options):
        job = flow.read_job({**OPTIONS, "repository": str(tmp_path / "repository"), **options}, "host")
        return flow.backup(job, flow.Tools(run, stream, time.sleep), time.time(), check_mode, True)

    return run_it


def python(code):
    return [sys.executable, "-c", code]


def kilobytes(key):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key))


def test_a_large_stream_is_never_held_in_memory(take, tmp_path):
    """200 MB go through a process that may not use 100 MB more than it has."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")  # forget the peak so far
    before = kilobytes("VmRSS")
    code = "import sys\nfor n in range(200): sys.stdout.write(chr(65 + n % 26) * (1 << 20))"
    found = take(stdin_from=[{"name": "big", "argv": python(code)}])
    assert found["streams"][0]["bytes"] == 200 << 20 and found["stats"]["stored_bytes"] < 2 << 20
    assert kilobytes("VmHWM") - before < 100 << 10


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (python("print('x'); raise SystemExit(4)"), "ended with code 4"),
        (python("import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGKILL)"), "was ended by signal 9"),
        (["/does/not/exist"], "cannot be run"),
        (python("import time; print('x', flush=True); time.sleep(60)"), "did not end within 0.5 s"),
    ],
)
def test_a_dump_that_is_not_whole_does_not_count(take, tmp_path, argv, words):
    good = {"name": "db.sql", "argv": python("print('good')")}
    assert take(stdin_from=[good])["added"] == ["/.streams/db.sql"]
    found = take(stdin_from=[{**good, "argv": argv, "timeout": "500ms"}])
    assert not found["changed"] and found["torn"] == ["/.streams/db.sql"] and words in found["streams"][0]["message"]
    assert [event["status"] for event in found["events"] if event["kind"] == "streams"] == ["firing"]
    assert not os.listdir(str(tmp_path / "repository" / "tmp"))
    wish = {**WISH, "repository": str(tmp_path / "repository"), "dest": str(tmp_path / "back")}
    restore.restore(restore.read_request(wish), run)
    assert (tmp_path / "back" / ".streams" / "db.sql").read_text() == "good\n"
    with pytest.raises(ValueError, match="has no place of its own"):
        restore.read_request({**WISH, "repository": "/x", "paths": ["/.streams/db.sql"]})


def test_a_dump_that_was_never_whole_is_not_there(take, tmp_path):
    found = take(stdin_from=[{"name": "db.sql", "argv": python("print('half'); raise SystemExit(1)")}])
    assert found["snapshot"] is None and found["torn"] == ["/.streams/db.sql"]


def test_after_runs_whatever_happens_before(take, tmp_path):
    log = tmp_path / "log"

    def note(word, code=0):
        return python(f"open({str(log)!r}, 'a').write({word!r}); raise SystemExit({code})")

    (tmp_path / "a").write_text("a")
    with pytest.raises(BackupError, match=r"before: .* ended with code 3.*; after: .* ended with code 5"):
        take(paths=[str(tmp_path / "a")], before=[note("b", 3), note("never")], after=[note("c", 5), note("d")])
    assert log.read_text() == "bcd"
    assert take(True, paths=[str(tmp_path / "a")], before=[note("x")], after=[note("y")])["changed"] and log.read_text() == "bcd"
    assert take(paths=[str(tmp_path / "a")], before=note("e"))["snapshot"] and log.read_text() == "bcde"


def test_snapshots_that_nobody_received_are_told_again(take, tmp_path):
    place = tmp_path / "a"
    place.write_text("0")
    first = take(paths=[str(place)])
    for number in range(2):
        place.write_text(f"number {number}")
        last = take(paths=[str(place)])
    told = take(paths=[str(place)], batch=first["snapshot"])
    changed = [event for event in told["events"] if event["kind"] == "changed"]
    assert (
        len(changed) == 2
        and changed[1]["snapshot"] == last["snapshot"] == told["batch"]
        and changed[0]["message"] == f"1 modified:\n~ {place}"
    )
    assert not [event for event in take(paths=[str(place)], batch=told["batch"])["events"] if event["kind"] == "changed"]


def test_what_is_echoed_holds_no_secret():
    params = {
        "paths": ["/etc"],
        "remote": {"path": ":s3,secret_access_key=hidden1:bucket", "environment": {"X": "hidden2"}, "options": {"s3-secret": "hidden3"}},
        "restic": {"password": "hidden4", "password_file": "/etc/file"},
        "stdin_from": [{"name": "x", "argv": ["pg_dump"], "environment": {"PGPASSWORD": "hidden5"}}],
        "before": [["sh", "-c", "true"]],
    }
    backup_programs.conceal(params)
    assert "hidden" not in str(params) and params["before"] == [["sh", "-c", "true"]] and params["restic"]["password_file"] == "/etc/file"
    assert params["stdin_from"][0]["argv"] == ["pg_dump"] and list(params["remote"]["environment"]) == ["X"]


def test_moments(monkeypatch):
    monkeypatch.setenv("TZ", "VIGIL-2")
    time.tzset()
    try:
        noon = 1763640000.0  # 2025-11-20 12:00:00 UTC
        for text in (
            "2025-11-20T12:00:00.0Z",
            "2025-11-20 14:00:00.0",
            "2025-11-20 13:30:00.0 +01:30",
            "2025-11-20 07:00:00,0-05",
            "1763640000",
        ):
            assert read_moment(text) == noon, text
        assert noon < read_moment("2025-11-20 14:00:00") < noon + 1 and noon + 59 < read_moment("2025-11-20 14:00") < noon + 60
        assert int(read_moment("2025-11-20")) == noon + 10 * 3600 - 1
        for text in ("2025-02-29", "2025-11-20 25:00", "yesterday", "", "2025-11-20 12", "12:00"):
            with pytest.raises(ValueError, match="is no moment"):
                read_moment(text)
    finally:
        monkeypatch.undo()
        time.tzset()
