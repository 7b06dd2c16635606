# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher on a store in PostgreSQL that goes away and comes back."""

from __future__ import annotations

import json
import time

from watching import Watcher, write


def test_it_outlives_its_server(tmp_path, postgres):
    flag, told = tmp_path / "flag", tmp_path / "told"
    flag.touch()
    config = write(tmp_path, f"channels: ['file://{told}']\n", a=f"checks: [{{name: flag, file: {{path: {flag}}}, every: 1s}}]\n")
    with open(config, "w") as out:
        out.write(f"state_url: {postgres.url(schema='vigil')}\nchannels: ['file://{told}']\n")
    watcher = Watcher(tmp_path)
    try:
        watcher.hear("READY=1")
        postgres.stop()
        flag.unlink()
        assert "cannot be reached" in watcher.said("cannot be reached")["message"]
        postgres.start()
        until = time.monotonic() + 60
        while not told.exists():
            assert time.monotonic() < until, watcher.log.read_text()
            time.sleep(0.1)
        postgres.restart()
        flag.touch()
        while len(told.read_text().splitlines()) < 2:
            assert time.monotonic() < until, watcher.log.read_text()
            time.sleep(0.1)
        events = [json.loads(line) for line in told.read_text().splitlines()]
        assert [(event["check"], event["status"]) for event in events] == [("flag", "firing"), ("flag", "resolved")]
        shown = watcher.command("status", "--json").stdout
        assert json.loads(shown)["results"][0]["status"] == "ok" and json.loads(shown)["process"]["state_url"] == ""
        assert watcher.command("check", "--only-config").returncode == 0
        watcher.process.terminate()
        assert watcher.process.wait(30) == 0
    finally:
        watcher.end()
