# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A watcher at work without a pause for twenty minutes does not grow. VIGIL_SOAK_SECONDS makes it shorter."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from watching import Watcher, write

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "watcher"))

from watcher_sides import serve

SECONDS = float(os.environ.get("VIGIL_SOAK_SECONDS", "1200"))
WARM = 0.4  # of the time: caches fill, pools find their size
GROWTH = 4.0  # MiB over the rest


def family(pid):
    """The supervisor and its rooms."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [pid, *(int(line.split()[0]) for line in found.splitlines() if "resident" in line)]


def cost(pids):
    """MiB with shared pages counted once, open files and threads."""
    pss = files = threads = 0
    for pid in pids:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        pss += next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
        files += len(os.listdir(f"/proc/{pid}/fd"))
        threads += len(os.listdir(f"/proc/{pid}/task"))
    return pss / 1024, files, threads


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 300)
def test_it_does_not_grow(tmp_path):
    """Checks every second of which some change, files and logs that change, alarms that are told, silent rooms that are told to be louder."""
    port = serve()
    (tmp_path / "data").mkdir()
    checks = [f"- {{name: flag {number}, file: {{path: {tmp_path}/flag{number}}}, every: 1s, confirm: 1}}\n" for number in range(20)]
    checks += [f"- {{name: web {number}, http: {{url: 'http://127.0.0.1:{port}/'}}, every: 1s}}\n" for number in range(20)]
    rule = "{name: errors, regex: ERROR, threshold: {count: 11, within: 10s}, cooldown: 1s}"
    logs = [f"- {{name: app{number}, sources: [{tmp_path}/app{number}.log], rules: [{rule}], every: 1s}}\n" for number in range(10)]
    files = (
        f"- {{name: data, paths: [{tmp_path}/data], repository: {tmp_path}/repo, quiet: 500ms, max_delay: 2s, retention: {{last: 3}}}}\n"
    )
    write(
        tmp_path,
        f"channels: ['file://{tmp_path}/told']\n",
        a="checks:\n" + "".join(checks) + "logs:\n" + "".join(logs) + "files:\n" + files,
    )
    watcher = Watcher(tmp_path)
    try:
        watcher.hear("READY=1")
        begin, before = time.monotonic(), None
        for turn in itertools.count():
            now = time.monotonic() - begin
            if now > SECONDS:
                break
            if before is None and now > SECONDS * WARM:
                before = cost(family(watcher.process.pid))
            flag = tmp_path / f"flag{turn % 20}"
            flag.unlink() if flag.exists() else flag.touch()
            (tmp_path / "data" / f"file{turn % 50}").write_text(f"{turn}\n")
            with open(tmp_path / f"app{turn % 10}.log", "a", encoding="ascii") as log:
                log.write("ERROR it failed\n" * 12 if turn % 3 == 0 else "INFO all is well\n" * 50)
            if turn % 50 == 0:
                watcher.process.send_signal(signal.SIGUSR1 if turn % 100 else signal.SIGUSR2)
            time.sleep(0.2)
        after = cost(family(watcher.process.pid))
        status = json.loads(watcher.command("status", "--json").stdout)
        restarts = {name: room["restarts"] for name, room in status["process"]["rooms"].items()}
        told = (tmp_path / "told").read_text().count("\n")
    finally:
        watcher.end()
    sys.stdout.write(f"MiB, files, threads: {before} after {SECONDS * WARM:g} s, {after} after {SECONDS:g} s; {told} events told\n")
    assert set(restarts.values()) == {0}, watcher.log.read_text()[-3000:]
    assert told > SECONDS / 10
    assert after[0] - before[0] < GROWTH and after[1] <= before[1] + 8 and after[2] <= before[2] + 4, (before, after)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_expression_that_holds_up_everybody_is_set_apart(tmp_path):
    """That of a check backtracks for ever in the process of all: the pulse is missing, each room gets a process of its own, and there it is stopped."""
    (tmp_path / "text").write_text("begin\n")
    checks = f"checks: [{{name: evil, command: {{argv: [cat, {tmp_path}/text]}}, expect: {{stdout: '!~ ^(a+)+$'}}, every: 1s}}]\n"
    logs = f"logs: [{{name: app, sources: [{tmp_path}/text], rules: [{{name: evil, keyword: evil}}], every: 1s}}]\n"
    write(tmp_path, "", a=checks, b=logs)
    watcher = Watcher(tmp_path)
    try:
        watcher.hear("READY=1")
        time.sleep(8)
        (tmp_path / "text").write_text("a" * 60 + "!\n")
        watcher.said("holds up the others; each gets a process of its own", 90)
        until = time.monotonic() + 60
        while "took longer than" not in watcher.command("status").stdout:
            assert time.monotonic() < until, watcher.log.read_text()
            time.sleep(1)
        begin = len(watcher.log.read_text())
        time.sleep(10)
        rooms = json.loads(watcher.command("status", "--json").stdout)["process"]["rooms"]
        assert rooms["health"]["pid"] != rooms["logs"]["pid"] and {one["restarts"] for one in rooms.values()} == {1}
        assert "was ended" not in watcher.log.read_text()[begin:]
    finally:
        watcher.end()
