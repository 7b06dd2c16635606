# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL as the store of playbooks: a container that is gone loses nothing, and no password of a state_url is shown."""

from __future__ import annotations

import json
import shutil

import pytest

ON = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook", "VIGIL_DEADLINE": "1s"}
EVENT = {"check": "shop", "message": "it is down", "severity": "critical"}


def play_of(*tasks):
    return [{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]


@pytest.fixture
def container(run_playbook, ansible_env, postgres_server):
    """container(tasks, channel, *args, **environment): a run with an empty disk, of which nothing is left but what is in PostgreSQL."""
    url = postgres_server.url()

    def run(tasks, channel, *args, **env):
        outcome = run_playbook(play_of(*tasks), *args, env={"VIGIL_STATE_URL": url, "VIGIL_CHANNELS": channel, **env})
        assert not list(ansible_env.home.rglob("*.db*"))
        for path in ansible_env.home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return outcome

    run.url = url
    return run


def test_a_container_that_is_gone_loses_nothing(container, listen, receivers):
    dead, alive = f"http://127.0.0.1:{receivers.dead_port()}/hook#ops", listen()
    channel = f"{alive.url}/hook#ops"
    first = container([{"vigil.ops.notify": {"event": EVENT, "deadline": "1s"}}], dead)
    assert first.rc == 0 and "stays in postgresql://" in " ".join(first.output.split()), first.output
    second = container([{"ansible.builtin.fail": {"msg": "broken"}, "name": "Deploy"}], dead, **ON)
    assert second.rc == 2 and "could not be sent yet" in " ".join(second.output.split()), second.output
    assert alive.bodies == []
    third = container([{"vigil.ops.notify": {"flush": True, "deadline": "20s"}}], channel)
    assert third.rc == 0, third.output
    assert sorted(body["check"] for body in alive.bodies) == ["shop", "task Deploy"]
    fourth = container([{"vigil.ops.notify": {"event": EVENT, "deadline": "5s"}}, {"ansible.builtin.debug": {"msg": "x"}}], channel, **ON)
    assert fourth.rc == 0, fourth.output
    assert sorted((body["check"], body["status"]) for body in alive.bodies) == [
        ("shop", "firing"), ("task Deploy", "firing"), ("task Deploy", "resolved")
    ]  # fmt: skip


def test_logs_inspections_silences_and_history_are_kept_there(container, ansible_env, listen, tmp_path):
    alive, log = listen(), tmp_path / "app.log"
    log.write_text("ERROR one\n")
    rules = [{"name": "errors", "keyword": "ERROR"}]
    scan = {"sources": [str(log)], "rules": rules, "start": "begin", "state_url": container.url}
    tasks = [
        {"vigil.ops.log_scan": scan, "register": "found"},
        {"vigil.ops.silence": {"matchers": {"check": "root disk"}, "duration": "1h", "comment": "moving"}},
        {"vigil.ops.inspect": {"checks": [{"name": "cpu", "cpu": {}}], "history_url": container.url}},
        {"vigil.ops.history_info": {"state_url": container.url, "kind": "results"}, "register": "results"},
        {"vigil.ops.history_info": {"state_url": container.url, "kind": "silences"}, "register": "silences"},
        {
            "ansible.builtin.copy": {
                "content": "{{ [found.alarms | length, results.entries | length, silences.entries | length] | to_json }}",
                "dest": f"{tmp_path}/said",
                "mode": "0600",
            }
        },
    ]
    for alarms, looks in ((1, 1), (0, 2)):
        outcome = container(tasks, alive.url)
        assert outcome.rc == 0, outcome.output
        assert json.loads((tmp_path / "said").read_text())[:2] == [alarms, looks]
    assert json.loads((tmp_path / "said").read_text())[2] >= 1


def test_no_password_is_shown_and_no_play_fails_for_want_of_a_server(run_playbook, ansible_env, guarded_postgres, listen, tmp_path):
    url, alive = guarded_postgres.url(schema="vigil"), listen()
    log = tmp_path / "app.log"
    log.write_text("ERROR one\n")
    scan = {"sources": [str(log)], "rules": [{"name": "e", "keyword": "ERROR"}], "start": "begin", "state_url": url, "history_url": url}
    check = {"checks": [{"name": "cpu", "cpu": {}}], "history_url": url}
    tell = {"event": EVENT, "deadline": "1s", "state_url": url}
    lone = [
        {"vigil.ops.notify": tell},
        {"vigil.ops.inspect": check},
        {"vigil.ops.inspect": dict(check, state_url=url), "ignore_errors": True},
    ]
    ask = {"state_url": url, "kind": "events"}
    more = [
        {"vigil.ops.log_scan": scan},
        {"vigil.ops.log_scan": dict(scan, max_matches=-1)},
        {"vigil.ops.silence": {"matchers": {"check": "x"}, "duration": "1h", "state_url": url}},
        {"vigil.ops.history_info": ask},
        {"vigil.ops.history_info": dict(ask, limit=0)},
        {"vigil.ops.history_info": dict(ask, colour="red")},
        {"vigil.ops.notify": {"event": EVENT, "state_url": url.replace("Pa55", "Pa66")}},
    ]
    tasks = lone + [dict(task, ignore_errors=True) for task in more]
    env = {
        "VIGIL_STATE_URL": url,
        "VIGIL_CHANNELS": alive.url,
        "ANSIBLE_LOG_PATH": str(ansible_env.home / "log"),
        **ON,
    }
    outcome = run_playbook(play_of(*tasks), "-vvvvv", env={**env, "ANSIBLE_DEBUG": "1"})
    assert outcome.rc == 0, outcome.output[-3000:]
    shown = outcome.output
    guarded_postgres.stop()
    try:
        outcome = run_playbook(play_of(*lone), "-vvvvv", env=env)
    finally:
        guarded_postgres.start()
    assert outcome.rc == 0, outcome.output[-3000:]
    assert "Nothing could be kept for the channels" in outcome.output and "cannot be reached" in outcome.output
    shown += outcome.output + (ansible_env.home / "log").read_text(encoding="utf-8")
    assert [line[:300] for line in shown.splitlines() if "Secret-Pa" in line] == []
