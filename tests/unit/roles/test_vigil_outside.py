# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others see of a watcher: /metrics and /healthz on a unix socket, and a textfile for node_exporter; and whose work a line of the log belongs to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest
from watching import Watcher, write

CHECKS = "checks:\n- {name: good, file: {path: /}, every: 1s}\n- {name: bad, file: {path: /not/there}, every: 5s}\n"


@pytest.fixture
def watcher(tmp_path):
    """A watcher that shows itself in both ways."""
    metrics = f"metrics: {{listen: 'unix:{tmp_path}/sock', textfile: {tmp_path}/vigil.prom}}\nchannels: ['file://{tmp_path}/told']\n"
    write(tmp_path, metrics, a=CHECKS)
    made = Watcher(tmp_path, "--log-level", "debug")
    try:
        made.hear("READY=1")
        yield made
    finally:
        made.end()


def get(place, path):
    """(status, body) of a request over the unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(place / "sock"))
        sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        data = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    head, _empty, body = data.partition("\r\n\r\n")
    return int(head.split()[1]), body


def until(found, seconds=60):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_metrics_health_and_textfile(watcher, tmp_path):
    wanted = {'vigil_checks{status="critical"} 1', 'vigil_checks{status="ok"} 1'}
    until(lambda: wanted <= set(get(tmp_path, "/metrics")[1].splitlines()))
    for _look in range(30):  # they are not looked at together, and each counts as it was seen last
        assert wanted <= set(get(tmp_path, "/metrics")[1].splitlines())
        time.sleep(0.1)
    status, text = get(tmp_path, "/metrics")
    assert status == 200 and "vigil_up 1" in text and 'vigil_room_restarts_total{room="health"} 0' in text
    until(lambda: get(tmp_path, "/healthz") == (200, "ok\n"))
    assert get(tmp_path, "/else")[0] == 404
    until((tmp_path / "vigil.prom").exists)
    assert stat.S_IMODE(os.stat(tmp_path / "vigil.prom").st_mode) == 0o644 and "vigil_up 1" in (tmp_path / "vigil.prom").read_text()
    promtool = shutil.which("promtool")
    if promtool:
        judged = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_part_that_died_is_seen_and_lines_of_one_work_share_a_trace(watcher, tmp_path):
    entries = [watcher.said("checks: ") for _look in range(2)]
    assert all(len(entry["trace_id"]) == 32 for entry in entries)
    lines = [json.loads(line) for line in watcher.log.read_text().splitlines()]
    traces = {entry["trace_id"] for entry in lines if "checks: " in entry["message"]}
    assert len(traces) == sum("checks: " in entry["message"] for entry in lines)
    rooms = json.loads(watcher.command("status", "--json").stdout)["process"]["rooms"]
    os.kill(rooms["health"]["pid"], signal.SIGKILL)
    watcher.said("was ended by signal 9; it begins anew")
    until(lambda: 'vigil_room_restarts_total{room="health"} 1' in again(tmp_path))


def again(place):
    try:
        return get(place, "/metrics")[1]
    except OSError:
        return ""


@pytest.mark.long
def test_a_disk_that_is_full_for_a_time_loses_nothing(tmp_path):
    """A file system of its own with 4 MiB; what happened while it was full is told afterwards by the same process."""
    place, flag = tmp_path / "state", tmp_path / "flag"
    place.mkdir()
    flag.touch()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    config = write(tmp_path, a=f"checks: [{{name: flag, file: {{path: {flag}}}, every: 1s, priority: P0}}]\n")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"state_url: sqlite:///{place}/state.db\nchannels: ['file://{tmp_path}/told']\n")
    made = Watcher(tmp_path)
    try:
        made.hear("READY=1")
        until((place / "state.db-wal").exists)
        time.sleep(3)
        for size in (65536, 1):
            with pytest.raises(OSError), open(place / f"big{size}", "wb", buffering=0) as big:
                while True:
                    big.write(b"x" * size)
        flag.unlink()
        made.said("no space is left")
        time.sleep(7)
        for size in (65536, 1):
            (place / f"big{size}").unlink()
        until((tmp_path / "told").exists)
        event = json.loads((tmp_path / "told").read_text().splitlines()[0])
        assert (event["check"], event["status"]) == ("flag", "firing")
        rooms = json.loads(made.command("status", "--json").stdout)["process"]["rooms"]
        assert {room["restarts"] for room in rooms.values()} == {0}
    finally:
        made.end()
        time.sleep(1.5)
        subprocess.run(["umount", "-l", str(place)], check=False)
