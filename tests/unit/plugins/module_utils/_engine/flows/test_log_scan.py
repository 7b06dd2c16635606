# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log_scan over real files: what is done to logs in the wild, one case after the other; journal entries; what is kept between runs."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import shutil
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_events
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import logs as state
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/state.db") as opened:
        yield opened


@pytest.fixture
def logs(tmp_path, store):
    """A log, and scans of it whose findings are acknowledged at once; `read` gives the lines."""

    class Logs:
        def __init__(self):
            self.directory = tmp_path / "logs"
            self.directory.mkdir()
            self.log = self.directory / "app.log"
            self.batch = ""
            self.ahead = 0.0

        def write(self, *lines, to=None, end="\n"):
            with (self.directory / to if to else self.log).open("a") as file:
                file.write("\n".join(lines) + end)

        def scan(self, *, sources=None, rules=None, store=store, **options):
            rules = rules or [{"name": "all", "regex": "^(?P<text>.*)"}]
            given = {
                "sources": sources or [str(self.log)],
                "rules": rules,
                "start": "begin",
                "max_matches": 1000,
                "batch": self.batch,
                **options,
            }
            found = flow.log_scan(flow.read(given), store, options.get("stream"), clock=lambda: time.time() + self.ahead)
            self.batch = found["batch"] or self.batch
            self.found = found
            return found

        def read(self, **options):
            return [match["line"] for match in self.scan(**options)["matches"]]

        def move(self, old, new):
            os.rename(self.directory / old, self.directory / new)

    return Logs()


def test_an_unfinished_line_waits_over_runs(logs):
    logs.write("a", end="\nb")
    assert logs.read() == ["a"]
    assert logs.read() == []
    logs.write("c")
    assert logs.read() == ["bc"]


def test_begin_and_end(logs):
    logs.write("old", "half", end="")
    assert logs.read(start="end") == []
    logs.write(" line", "new")
    assert logs.read(start="end") == ["half line", "new"]
    logs.write("whole", to="app2.log")
    assert logs.read(start="end", sources=[str(logs.log), str(logs.directory / "app2.log")]) == []
    assert logs.read(sources=[str(logs.directory / "*.none")], start="end") == []
    logs.write("appeared later", to="x.none")
    assert logs.read(sources=[str(logs.directory / "*.none")], start="end") == ["appeared later"]


def test_the_same_twice_in_one_second_is_two_alarms(logs):
    """As where a log is heard: what has the name of something that was told is not told."""
    moment, names = time.time(), set()
    for number in range(3):
        logs.write("ERROR the same")
        logs.ahead = moment - time.time()
        names.update(alarm["id"] for alarm in logs.scan(rules=[{"name": "errors", "regex": "ERROR"}])["alarms"])
        assert len(names) == number + 1


def test_renamed_once_and_written_on(logs):
    logs.write("1")
    logs.read()
    logs.write("2")
    logs.move("app.log", "app.log.1")
    logs.write("3")
    assert logs.read() == ["2", "3"] and logs.found["stats"]["rotations"] == 1
    logs.write("late", to="app.log.1")
    assert logs.read() == ["late"]


def test_renamed_and_not_made_again_yet(logs):
    logs.write("1")
    logs.read()
    logs.write("2")
    logs.move("app.log", "app.log.1")
    assert logs.read() == ["2"] and logs.found["failures"] == []
    logs.write("3")
    assert logs.read() == ["3"]


def test_renamed_several_times_between_two_looks(logs):
    logs.write("1")
    logs.read()
    for number in range(2, 6):
        logs.write(f"{number} " + "x" * 1500)
        for old in range(5, 0, -1):
            if (logs.directory / f"app.log.{old}").exists():
                logs.move(f"app.log.{old}", f"app.log.{old + 1}")
        logs.move("app.log", "app.log.1")
    logs.write("6")
    assert sorted(line[0] for line in logs.read()) == ["2", "3", "4", "5", "6"]
    assert logs.read() == []


@pytest.mark.parametrize("pattern", ("app.log", "app*"))
def test_copied_and_truncated(logs, pattern):
    source = [str(logs.directory / pattern)]
    logs.write("1")
    assert logs.read(sources=source) == ["1"]
    logs.write("2")
    shutil.copy(logs.log, logs.directory / "app.log.1")
    os.truncate(logs.log, 0)
    assert logs.read(sources=source) == ["2"]
    logs.write("3", "4 longer than it was before")
    assert logs.read(sources=source) == ["3", "4 longer than it was before"]


def test_truncated_and_grown_beyond_where_it_was(logs):
    logs.write("header", "1")
    logs.read()
    os.truncate(logs.log, 0)
    logs.write("header", "2", "3", "4")
    assert logs.read() == ["header", "2", "3", "4"]


def test_truncated_by_a_writer_that_does_not_append(logs):
    with logs.log.open("w") as writer:
        writer.write("1\n2\n")
        writer.flush()
        logs.read()
        os.truncate(logs.log, 0)
        writer.write("3\n")
        writer.flush()
        assert logs.read() == ["3"]  # the hole in front of it is passed over


def test_deleted_and_made_again(logs):
    logs.write("1")
    logs.read()
    logs.log.unlink()
    logs.write("2")
    assert logs.read() == ["2"]


@pytest.mark.parametrize("pack, end", ((gzip.open, ".gz"), (bz2.open, ".bz2")))
def test_packed_when_half_of_it_was_read(logs, pack, end):
    logs.write("1", "x" * 2000)
    logs.read()
    logs.write("2")
    logs.move("app.log", "app.log.1")
    with pack(logs.directory / f"app.log.1{end}", "wb") as packed:
        packed.write((logs.directory / "app.log.1").read_bytes())
    (logs.directory / "app.log.1").unlink()
    logs.write("3")
    assert sorted(logs.read()) == ["2", "3"]
    assert logs.read() == [] and logs.found["failures"] == []


def test_a_pattern_reads_packed_logs_once(logs):
    with gzip.open(logs.directory / "app.log.2.gz", "wb") as packed:
        packed.write(b"old\n")
    logs.write("1")
    assert sorted(logs.read(sources=[str(logs.directory / "app.log*")])) == ["1", "old"]
    logs.move("app.log.2.gz", "app.log.3.gz")
    logs.move("app.log", "app.log.1")
    logs.write("2")
    assert logs.read(sources=[str(logs.directory / "app.log*")]) == ["2"]


def test_a_last_line_of_a_rotated_log_needs_no_end(logs):
    logs.write("1", "no end", end="")
    logs.read()
    logs.move("app.log", "app.log.1")
    logs.write("2")
    assert logs.read() == ["2"]
    logs.ahead = 60.0
    assert logs.read() == ["no end"]


def test_a_link_that_is_switched(logs):
    logs.write("1", to="one.log")
    os.symlink("one.log", logs.log)
    assert logs.read() == ["1"]
    logs.write("2", to="one.log")
    logs.write("3", to="two.log")
    os.unlink(logs.log)
    os.symlink("two.log", logs.log)
    assert sorted(logs.read()) == ["2", "3"]


def test_two_logs_that_begin_alike(logs):
    header = "#Fields: date time " + "x" * 2000
    logs.write(header, "1")
    logs.write(header, "2", to="app2.log")
    assert sorted(logs.read(sources=[str(logs.directory / "*.log")]))[-2:] == ["1", "2"]
    logs.move("app.log", "app.log.1")
    logs.write(header, "3")
    assert logs.read(sources=[str(logs.directory / "*.log")])[-1] == "3"


def test_encodings_carriage_returns_and_bytes_that_are_no_text(logs):
    logs.log.write_bytes("\ufeffé1\r\n2\n".encode("utf-16-le"))
    assert logs.read() == ["é1", "2"]
    with logs.log.open("ab") as file:
        file.write("3ü\n".encode("utf-16-le"))
    assert logs.read() == ["3ü"]
    (logs.directory / "bad.log").write_bytes(b"a\xffb\n")
    assert logs.read(sources=[str(logs.directory / "bad.log")]) == ["a\\xffb"]
    (logs.directory / "gbk.log").write_bytes("中文\n".encode("gbk"))
    assert logs.read(sources=[{"path": str(logs.directory / "gbk.log"), "encoding": "gbk"}]) == ["中文"]


def test_messages_of_several_lines_wait_for_their_next_line_or_their_time(logs):
    logs.write("Traceback (most recent call last):", '  File "a.py"', "ValueError: x", "next")
    rules = [{"name": "tb", "regex": r"(?s)Traceback.*^(?P<error>\w+Error): (?P<why>\w+)".replace("(?s)", "(?sm)")}]
    assert [match["fields"] for match in logs.scan(rules=rules, multiline="python")["matches"]] == [{"error": "ValueError", "why": "x"}]
    logs.write("Traceback (most recent call last):", "KeyError: y")
    assert logs.scan(rules=rules, multiline="python")["matches"] == []
    logs.ahead = 10.0
    assert [match["fields"]["why"] for match in logs.scan(rules=rules, multiline="python")["matches"]] == ["y"]
    logs.ahead = 20.0
    assert logs.scan(rules=rules, multiline="python")["matches"] == []


def test_what_cannot_be_read_is_said_and_the_rest_is_read(logs):
    logs.write("1")
    (logs.directory / "loop").mkdir()
    os.symlink(logs.directory, logs.directory / "loop" / "back")
    os.mkfifo(logs.directory / "pipe.log")
    lines = logs.read(sources=[str(logs.directory / "**" / "*.log"), "/no/such/dir/*.log", "/no/such/file.log"])
    assert lines == ["1"]
    assert sorted(failure["source"] for failure in logs.found["failures"]) == ["/no/such/dir", "/no/such/file.log"]


def test_two_runs_at_a_time_read_a_line_once(logs, store, tmp_path):
    logs.write("1")
    logs.read()
    logs.write("2")
    other = open_store(f"sqlite:///{tmp_path}/state.db")
    first = [True]

    class Slow:
        """The store of a run that another one overtakes between reading and keeping."""

        def __getattr__(self, name):
            if name == "run" and first.pop() if first else False:
                assert logs.read(store=other) == ["2"]
            return getattr(store, name)

    given = {"sources": [str(logs.log)], "rules": [{"name": "all", "regex": "^"}], "start": "begin", "batch": ""}
    found = flow.log_scan(flow.read(given), Slow(), None)
    other.close()
    assert found["counts"] == {"all": 0} and [match["line"] for match in found["matches"]] == ["2"]  # the other's, not acknowledged yet


def entry(number, message, unit="web.service", priority="6", **more):
    usual = {
        "__CURSOR": f"c{number}",
        "__REALTIME_TIMESTAMP": str(1795290163000000 + number),
        "_PID": "7",
        "SYSLOG_IDENTIFIER": unit.split(".")[0],
    }
    return {**usual, "MESSAGE": message, "_SYSTEMD_UNIT": unit, "PRIORITY": priority, **more}


def test_the_journal_by_cursor(logs):
    journal = [entry(1, "before"), entry(2, "ERROR a", priority="3")]
    asked = []

    def stream(argv, file, timeout):
        asked.append(argv)
        after = next((word.partition("=")[2] for word in argv if word.startswith("--after-cursor")), "c0")
        shown = journal[-1:] if "--lines=1" in argv else [one for one in journal if int(one["__CURSOR"][1:]) > int(after[1:])]
        data = b"".join(json.dumps(one).encode() + b"\n" for one in shown)
        for place in range(0, len(data), 50):
            file.write(data[place : place + 50])
        return 0, ""

    options = {"sources": ["journal:unit=web"], "start": "end", "rules": [{"name": "e", "keyword": "ERROR"}], "stream": stream}
    assert logs.read(**options) == []
    journal += [
        entry(3, "ERROR b\nsecond line", priority="3"),
        entry(4, "ERROR c", unit="other.service"),
        entry(5, [69, 82, 82, 79, 82, 255]),
    ]
    found = logs.scan(**options)
    assert [match["line"] for match in found["matches"]] == ["web[7]: ERROR b\nsecond line", "web[7]: ERROR\\xff"]
    assert found["matches"][0]["fields"] == {"unit": "web.service", "identifier": "web", "pid": "7", "priority": "err"}
    assert found["matches"][0]["time"] == "2026-11-21T19:42:43Z"
    assert logs.read(**options) == [] and asked[-1][-1] == "--after-cursor=c5"
    assert not any("--unit" in word for argv in asked for word in argv)


HINT = "Hint: You are currently not seeing messages from other users and the system.\n      Users in groups 'adm', 'systemd-journal' can see all messages."


@pytest.mark.parametrize("code, said, reason", ((0, HINT, "permission"), (0, "No journal files were found.", "unseen"), (1, "", "unseen")))
def test_a_journal_that_is_not_seen_is_said(logs, code, said, reason):
    def stream(argv, file, timeout):
        file.write(b"-- No entries --\n")
        return code, "" if "--quiet" in argv else said

    found = logs.scan(sources=["journal:"], stream=stream)
    assert [one["reason"] for one in found["failures"]] == [reason] and "journal: cannot be read" in found["failures"][0]["message"]


def test_samples_are_bounded_and_counts_are_not(logs):
    logs.write(*[f"line {number} password=secret{number}" for number in range(50)])
    found = logs.scan(max_matches=5)
    assert (len(found["matches"]), found["counts"], found["truncated"]) == (5, {"all": 50}, True)
    assert "secret" not in json.dumps(found).replace("password=********", "")
    logs.write("x" * 10000)
    assert len(logs.read()[0]) == 2048


def test_alarms_are_told_once_and_resolved(logs, store, tmp_path):
    rules = [{"name": "many", "keyword": "ERROR", "threshold": {"count": 2, "within": "60s"}}]
    logs.write("ERROR", "ERROR")
    found = logs.scan(rules=rules)
    with open_store(f"sqlite:///{tmp_path}/controller.db") as controller:

        def tell(outcome):
            given = ("web1", dict(outcome, receipt="r", scope="s"), "svc", time.time())
            with controller.unit() as unit:
                steps = log_events.commit(unit, given, [Route("chat")], lambda event: event, False)
            return [(step.event["check"], step.event["status"]) for step in steps if step.event and step.rows]

        assert tell(found) == [("log many", "firing")] and tell(found) == []
        logs.ahead = 100.0
        over = logs.scan(rules=rules)
        assert tell(over) == [("log many", "resolved")] and tell(over) == []
        gone = dict(over, alarms=[], failures=[{"source": "/x", "reason": "missing", "message": "m"}])
        assert tell(gone) == [("log /x cannot be read", "firing")]


def test_the_store_forgets_views_that_nobody_reads(logs, store):
    logs.write("1")
    logs.read(view="old")
    with store.unit() as unit:
        assert state.files(unit, "old")
        assert state.prune(unit, unit.now + 1) > 0
        assert not state.files(unit, "old")


def test_rules_of_another_task_in_the_same_view_are_noticed(logs):
    logs.write("1")
    assert logs.scan()["notices"] == [] and logs.scan()["notices"] == []
    (notice,) = logs.scan(rules=[{"name": "other", "keyword": "x"}])["notices"]
    assert "with other rules (all)" in notice and "a view of its own" in notice
    assert logs.scan(rules=[{"name": "other", "keyword": "x"}], view="mine")["notices"] == []
