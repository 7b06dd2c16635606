# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs in the resident process: how soon they are looked at, and what a slow rule does to the others."""

from __future__ import annotations

import json
import os
import time

import pytest
from vigil_watch.config import load
from vigil_watch.schedule import Gate, Job, Schedule
from vigil_watch.stirs import Stirs
from watching import Watcher, write

RULES = "rules: [{name: errors, regex: ERROR}], every: 1h"


@pytest.mark.parametrize("checks", ["", "checks: [{name: root, file: {path: /}, every: 1s}]\n"])
def test_an_expression_that_backtracks_for_ever_holds_up_nobody(tmp_path, checks):
    """Logs have the main thread, so it is stopped there, and the rule is passed over; nobody begins anew."""
    (tmp_path / "app.log").write_text("a" * 60 + "!\n")
    logs = f"logs: [{{name: evil, sources: [{tmp_path}/app.log], rules: [{{name: evil, regex: '^(a+)+$'}}], every: 1s, start: begin}}]\n"
    write(tmp_path, "", a=checks, b=logs)
    watcher = Watcher(tmp_path)
    try:
        watcher.hear("READY=1")
        watcher.said("the rule evil took too long for 1 lines", 60)
        rooms = json.loads(watcher.command("status", "--json").stdout)["process"]["rooms"]
        assert {one["restarts"] for one in rooms.values()} == {0} and len({one["pid"] for one in rooms.values()}) == 1
    finally:
        watcher.end()


def looks_next(watcher):
    """Seconds until the log is looked at by the clock; 0 before its room has said."""
    room = json.loads(watcher.command("status", "--json").stdout)["process"]["rooms"].get("logs", {})
    return (room.get("next") or {}).get("logs app", 0)


def test_what_is_written_to_a_quiet_log_is_told_soon_and_after_a_rotation_too(tmp_path):
    """The log is looked at once an hour, so only what was heard of it can be the reason."""
    (tmp_path / "app.log").write_text("begin\n")
    open_gate = "gate: {load_per_core: 1000, cpu_pressure: 100}\n"  # whatever else this machine does
    write(
        tmp_path, f"{open_gate}channels: ['file://{tmp_path}/told']\n", a=f"logs: [{{name: app, sources: [{tmp_path}/app.log], {RULES}}}]\n"
    )
    watcher = Watcher(tmp_path)

    def told(number):
        until = time.monotonic() + 60
        while not (tmp_path / "told").exists() or len((tmp_path / "told").read_text().splitlines()) < number:
            assert time.monotonic() < until, watcher.log.read_text()
            time.sleep(0.05)
        return json.loads((tmp_path / "told").read_text().splitlines()[number - 1])["message"]

    try:
        watcher.hear("READY=1")
        until = time.monotonic() + 60
        while looks_next(watcher) < 60:  # the first look is within five seconds
            assert time.monotonic() < until, watcher.log.read_text()
            time.sleep(0.2)
        with open(tmp_path / "app.log", "a", encoding="ascii") as log:
            log.write("ERROR one\n")
        assert "one" in told(1)
        os.rename(tmp_path / "app.log", tmp_path / "app.log.1")
        with open(tmp_path / "app.log.1", "a", encoding="ascii") as log:
            log.write("ERROR two\n")
        assert "two" in told(2)
    finally:
        watcher.end()


def test_a_file_is_heard_once_until_it_is_armed_again(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.touch()
    two.touch()
    stirs = Stirs()
    stirs.arm("a", [str(one), str(tmp_path / "nothing")])
    stirs.arm("b", [str(one), str(two)])
    assert stirs.heard() == set()
    one.write_text("x")
    one.write_text("y")
    assert stirs.heard() == {"a", "b"} and stirs.heard() == set()
    stirs.arm("a", [str(one)])
    one.unlink()
    assert stirs.heard() == {"a"}


@pytest.mark.parametrize(("load_average", "soon"), [("0.1", True), ("1000000", False)])
def test_a_job_is_hastened_but_for_a_closed_gate(tmp_path, load_average, soon):
    texts = {"/proc/loadavg": f"{load_average} 0 0 1/1 1", "/proc/pressure/cpu": "some avg10=0.00\n"}
    job = Job("logs", 3600.0, None)
    schedule = Schedule([job], load(write(tmp_path)), Gate(4, 60, texts.__getitem__))
    schedule.again(schedule.due(60))
    schedule.hasten(job, 0.5)
    schedule.hasten(job, 50)
    assert (schedule.next_runs(5)["logs"] < 1) is soon and len(schedule.next_runs(5)) == 1
