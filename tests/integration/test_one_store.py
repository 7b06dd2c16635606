# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two playbooks and a watcher on one store: every event arrives once, whoever sends it, and they share a robot's budget."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import vendors

KEY = "693a7aoc-4bc4-97a0-0ec2sifa5aaa"
CHECKS = 8
HOSTS = 8
PROGRAM = Path(__file__).resolve().parents[2] / "roles" / "watcher" / "files"


@pytest.fixture
def watcher(tmp_path):
    """Begins a watcher with the configuration of a directory; its log."""
    made = []

    def start():
        trees = [path for path in sys.path if (Path(path) / "ansible_collections").is_dir()]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM), *trees]), "RUNTIME_DIRECTORY": str(tmp_path)}
        log = tmp_path / "log"
        with open(log, "wb") as out:
            argv = [sys.executable, "-m", "vigil_watch", "run", "--config", str(tmp_path / "vigil.yml")]
            made.append(subprocess.Popen(argv, stderr=out, env=env))
        return log

    yield start
    for process in made:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_playbook(ansible_env, name, channels, store):
    """A playbook that fails on each of its hosts."""
    place = ansible_env.home / f"{name}.yml"
    place.write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"name": "breaks", "ansible.builtin.fail": {"msg": "m"}}]}])
    )
    names = [f"{name}{number}" for number in range(HOSTS)]
    return subprocess.Popen(
        [str(ansible_env.bin / "ansible-playbook"), "-i", ",".join(names) + ",", "-c", "local", str(place)],
        env={
            **ansible_env.env,
            "ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook",
            "VIGIL_CHANNELS_FILE": str(channels),
            "VIGIL_STATE_URL": store,
            "VIGIL_DEADLINE": "5s",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows(path):
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT channel || ' ' || state, COUNT(*) FROM outbox GROUP BY 1").fetchall())
    finally:
        connection.close()


def test_two_playbooks_and_a_watcher(ansible_env, listen, tmp_path, watcher):
    robot, receiver = vendors.WeCom(KEY), listen()
    channels = [
        {"name": "robot", "url": f"wecom://{KEY}?endpoint={listen(robot).url}", "group": "none"},
        {"name": "desk", "url": receiver.url},
    ]
    store = f"sqlite:///{tmp_path}/state.db"
    (tmp_path / "watch.d").mkdir()
    checks = [{"name": f"flag {number}", "file": {"path": f"{tmp_path}/flag{number}"}, "every": "1s"} for number in range(CHECKS)]
    (tmp_path / "watch.d" / "flags.yml").write_text(json.dumps({"checks": checks}))
    (tmp_path / "vigil.yml").write_text(json.dumps({"name": "node", "state_url": store, "channels": channels}))
    (tmp_path / "channels.yml").write_text(json.dumps(channels))
    runs = [start_playbook(ansible_env, name, tmp_path / "channels.yml", store) for name in ("web", "db")]
    log = watcher()
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [2, 2], outputs
    events = CHECKS + 2 * HOSTS
    until = time.monotonic() + 60
    while rows(tmp_path / "state.db").get("desk sent", 0) < events or len(robot.taken) < 20:
        assert time.monotonic() < until, (rows(tmp_path / "state.db"), log.read_text(), outputs)
        time.sleep(0.1)
    ids = [body["event_id"] for body in receiver.bodies]
    assert len(ids) == len(set(ids)) == events
    assert {body["instance"] for body in receiver.bodies} == {"node", *(f"{name}{n}" for name in ("web", "db") for n in range(HOSTS))}
    told = [message["markdown"]["content"] for message in list(robot.taken)]
    assert len(set(told)) == len(told) >= 20
    assert robot.refusals == 0, "it takes twenty in any minute, and nobody has sent more"
    found = rows(tmp_path / "state.db")
    assert (found["desk sent"], found["robot sent"] + found.get("robot queued", 0)) == (events, events)
    for output in outputs:
        assert "Traceback" not in output
