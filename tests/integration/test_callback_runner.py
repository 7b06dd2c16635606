# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback vigil.ops.webhook under ansible-runner, as AWX runs it: the same events, no secret in what it keeps, nothing lost by a cancel."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

TOKEN = "hook-token-0ec2s1fa5"
PASSWORD = "p4ssw0rd-of-the-way"
HOSTS = ("a", "b", "c", "keep")


@pytest.fixture
def private(ansible_env, listen, receivers):
    """A private data directory with a playbook, and channels in a file beside it: one that takes, one that nobody listens at."""
    receiver = listen()
    place = ansible_env.home / "private"
    for name in ("env", "project", "inventory"):
        (place / name).mkdir(parents=True)
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    (place / "inventory" / "hosts.yml").write_text(json.dumps({"all": {"hosts": dict.fromkeys(HOSTS, local)}}))
    channels = ansible_env.home / "channels.yml"
    dead = f"http://robot:{PASSWORD}@127.0.0.1:{receivers.dead_port()}/{TOKEN}-dead"
    channels.write_text(json.dumps([{"name": "ops", "url": f"{receiver.url}/{TOKEN}"}, {"name": "gone", "url": dead}]))
    settings = {
        "ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook",
        "VIGIL_CHANNELS_FILE": str(channels),
        "VIGIL_DEADLINE": "20s",
        **{name: ansible_env.env[name] for name in ("VIGIL_STATE_URL", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG", "ANSIBLE_HOME")},
    }
    (place / "env" / "envvars").write_text(json.dumps(settings))
    return place, receiver


def playbook(private, *more):
    breaks = {"name": "breaks", "ansible.builtin.fail": {"msg": "it is broken"}, "when": "inventory_hostname != 'keep'"}
    saved = {
        "block": [breaks],
        "rescue": [{"name": "saved", "ansible.builtin.debug": {"msg": "saved"}}],
        "when": "inventory_hostname == 'a'",
    }
    tasks = [{"name": "well", "ansible.builtin.debug": {"msg": "well"}}, saved, breaks, *more]
    (private / "project" / "site.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))


def start(ansible_env, private):
    return subprocess.Popen(
        [str(ansible_env.bin / "ansible-runner"), "run", str(private), "-p", "site.yml", "--ident", "one"],
        env=ansible_env.env,
        cwd=str(ansible_env.home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def rows(ansible_env):
    connection = sqlite3.connect(ansible_env.home / "state.db")
    try:
        return dict(connection.execute("SELECT channel || ' ' || state, COUNT(*) FROM outbox GROUP BY 1").fetchall())
    except sqlite3.Error:
        return {}
    finally:
        connection.close()


def secrets_in(place):
    """The files below a directory that hold a secret."""
    found = []
    for root, _directories, names in os.walk(place):
        for name in names:
            with open(os.path.join(root, name), "rb") as source:
                text = source.read()
            found += [name for secret in (TOKEN, PASSWORD) if secret.encode() in text]
    return found


def test_a_job_of_ansible_runner(ansible_env, private):
    place, receiver = private
    playbook(place)
    job = start(ansible_env, place)
    output, _none = job.communicate(timeout=120)
    assert job.returncode == 2, output
    told = sorted((body["instance"], body["check"], body["status"]) for body in receiver.bodies)
    assert told == [("a", "task breaks", "firing"), ("b", "task breaks", "firing"), ("c", "task breaks", "firing")]
    assert rows(ansible_env) == {"gone queued": 3, "ops sent": 3}
    artifacts = place / "artifacts" / "one"
    assert "channels.yml" in (artifacts / "command").read_text(), "it is there that runner writes all of the environment"
    events = [json.loads(path.read_text()) for path in (artifacts / "job_events").iterdir()]
    said = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(event["stdout"] for event in sorted(events, key=lambda event: event["counter"])))
    warning = re.search(r"3 messages for gone \(http://127.0.0.1:\d+/\*+\) could not be sent yet: ", " ".join(f"{said} {output}".split()))
    assert warning, output
    for trouble in ("Traceback", "DEPRECATION", "unable to load"):
        assert trouble not in output
    assert TOKEN not in output and PASSWORD not in output
    assert secrets_in(place) == []


def test_a_job_that_is_cancelled_loses_nothing_it_has_seen(ansible_env, private, run_playbook):
    place, receiver = private
    receiver.mode = "silent"
    playbook(place, {"name": "wait", "ansible.builtin.wait_for": {"timeout": 60}})
    job = start(ansible_env, place)
    try:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and sum(rows(ansible_env).values()) < 6:
            time.sleep(0.1)
        os.kill(job.pid, signal.SIGTERM)
        output, _none = job.communicate(timeout=60)
    finally:
        try:
            os.killpg(job.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        job.wait(10)
    status = (place / "artifacts" / "one" / "status").read_text()
    assert status == "canceled", output
    assert sum(rows(ansible_env).values()) == 6
    assert secrets_in(place) == []
    receiver.mode = 200
    receiver.released.set()
    before = len(receiver.requests)
    flush = {"vigil.ops.notify": {"flush": True, "channels": [{"name": "ops", "url": f"{receiver.url}/{TOKEN}"}]}}
    assert run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [flush]}]).rc == 0
    assert sorted({body["instance"] for body in receiver.bodies[before:]}) == ["a", "b", "c"]
    assert rows(ansible_env) == {"gone queued": 3, "ops sent": 3}
