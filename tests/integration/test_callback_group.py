# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option group of the callback vigil.ops.webhook: what is one message in a chat, and that programs get every event."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

KEY = "KEY-693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"
ON = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook", "VIGIL_EVENTS": "results,failures,unreachable,stats"}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
HOSTS = ["a", "b", "c"]
# one play on which two checks of each host fail and then a task of b, and another with a task of a
PLAYS = [
    {
        "name": "first",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"vigil.ops.inspect": {"checks": [{"name": f"file {number}", "file": {"path": f"/none/{number}"}} for number in (1, 2)]}},
            {"name": "breaks", "ansible.builtin.fail": {"msg": "it is broken"}, "when": "inventory_hostname == 'b'"},
        ],
    },
    {
        "name": "second",
        "hosts": "a,c",
        "gather_facts": False,
        "tasks": [{"name": "late", "ansible.builtin.fail": {"msg": "too late"}, "when": "inventory_hostname == 'a'"}],
    },
]
EVENTS = sorted(
    [(host, f"file {number}") for host in HOSTS for number in (1, 2)] + [("a", "task late"), ("b", "task breaks")]
    + [("controller", "end of the run")]
)  # fmt: skip


def inventory(*names):
    return {"all": {"hosts": dict.fromkeys(names, LOCAL)}}


@pytest.fixture
def world(ansible_env, listen, receivers):
    """A robot, a program that reads events over HTTP and one that reads a file, and the environment that names them."""

    class World:
        robot = receivers.Robot(KEY)
        program = listen()
        file = ansible_env.home / "events.jsonl"

        def __init__(self):
            self.chat = listen(self.robot)
            self.channels = f"wecom://{KEY}?endpoint={self.chat.url}#ops {self.program.url}#program file://{self.file}#file"

        def env(self, group=None):
            more = {"VIGIL_GROUP": group} if group else {}
            return {**ON, "VIGIL_CHANNELS": self.channels, **more}

        @property
        def heads(self):
            """The first line of every message in the chat, without colours."""
            return [re.sub(r"<[^>]*>|\*\*", "", content.splitlines()[0]) for content in self.robot.contents]

        def rows(self):
            connection = sqlite3.connect(ansible_env.home / "state.db")
            try:
                sql = "SELECT channel, state, COUNT(*) FROM outbox GROUP BY channel, state"
                return {(channel, state): number for channel, state, number in connection.execute(sql).fetchall()}
            except sqlite3.Error:
                return {}
            finally:
                connection.close()

        def machines_have(self, expected):
            lines = [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]
            for events in (self.program.bodies, lines):
                assert sorted((event["instance"], event["check"]) for event in events) == expected

    return World()


def no_trouble(outcome):
    assert "vigil.ops.webhook" not in outcome.output, outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize("group", [None, "play"])
def test_play_is_one_message_and_the_default(run_playbook, world, group):
    no_trouble(run_playbook(PLAYS, inventory=inventory(*HOSTS), env=world.env(group)))
    assert world.heads == ["[Error] 7 alerts, 3 hosts", "[Error] 2 alerts, 2 hosts"]
    assert all(f"file {number}" in world.robot.contents[0] for number in (1, 2))
    assert "too late" in world.robot.contents[1] and "end of the run" in world.robot.contents[1]
    assert world.rows() == {(name, "sent"): 9 for name in ("ops", "program", "file")}
    world.machines_have(EVENTS)


def test_host_is_one_message(run_playbook, world):
    no_trouble(run_playbook(PLAYS, inventory=inventory(*HOSTS), env=world.env("host")))
    assert sorted(world.heads[:3]) == ["[Error] a: 2 alerts", "[Error] b: 3 alerts", "[Error] c: 2 alerts"]
    assert sorted(world.heads[3:]) == ["[Error] end of the run", "[Error] task late"]
    world.machines_have(EVENTS)


def test_none_is_every_event_by_itself_at_once(run_playbook, world):
    no_trouble(run_playbook(PLAYS, inventory=inventory(*HOSTS), env=world.env("none")))
    assert len(world.robot.contents) == 9
    assert not any("alerts" in head for head in world.heads)
    world.machines_have(EVENTS)


def test_channel_may_name_its_own_and_a_wrong_one_is_a_warning(run_playbook, world, ansible_env):
    config = ansible_env.home / "ansible.cfg"
    config.write_text(
        f"[defaults]\ncallbacks_enabled = vigil.ops.webhook\n[callback_vigil_webhook]\ngroup = none\nchannels = {world.channels}\n"
    )
    environment = {"ANSIBLE_CONFIG": str(config)}
    no_trouble(run_playbook(PLAYS[:1], inventory=inventory(*HOSTS), env=environment))
    assert len(world.robot.contents) == 7
    config.write_text(config.read_text().replace("#ops", "&group=play#ops"))
    again = [dict(PLAYS[0], name="other", tasks=[{"name": "other", "ansible.builtin.fail": {"msg": "broken"}}])]
    no_trouble(run_playbook(again, inventory=inventory(*HOSTS), env=environment))
    assert world.heads[7:] == ["[Error] 4 alerts, 3 hosts"]  # one of them is over, as its play is gone
    words = " ".join(run_playbook(PLAYS[:1], inventory=inventory("d"), env=world.env("plays")).output.split())
    assert 'group is "plays"; did you mean "play"? The default, play, is used.' in words


def test_parts_of_a_serial_play_are_one_message(run_playbook, world):
    command = "{{ 'false' if inventory_hostname in ['h0', 'h2'] else 'true' }}"
    tasks = [{"name": "breaks", "ansible.builtin.command": command}]
    plays = [{"hosts": "all", "gather_facts": False, "serial": 2, "tasks": tasks}]
    environment = {**world.env("play"), "VIGIL_EVENTS": "failures"}
    no_trouble(run_playbook(plays, inventory=inventory("h0", "h1", "h2", "h3"), env=environment))
    assert world.heads == ["[Error] 2 alerts, 2 hosts"]
    world.machines_have([("h0", "task breaks"), ("h2", "task breaks")])


def test_failed_digest_is_sent_with_the_next_run(run_playbook, world):
    world.robot.force = -1
    environment = {**world.env("play"), "VIGIL_DEADLINE": "2s"}
    outcome = run_playbook(PLAYS[:1], inventory=inventory(*HOSTS), env=environment)
    words = " ".join(outcome.output.split())
    assert "8 messages for ops (wecom://********) could not be sent yet: WeCom is busy (errcode -1)." in words
    assert world.rows()["ops", "queued"] == 8
    assert world.rows()["program", "sent"] == 8
    world.robot.force = None
    idle = {**environment, "VIGIL_EVENTS": "failures"}
    no_trouble(run_playbook(PLAYS[:1], "--tags", "none", inventory=inventory("a"), env=idle))
    assert world.heads == ["[Error] 8 alerts, 4 hosts"]
    assert world.rows()["ops", "sent"] == 8


def begin(ansible_env, world, names):
    """A run that waits after the checks of its hosts are kept; the process."""
    place, hosts = ansible_env.home / "long.yml", ansible_env.home / "hosts.yml"
    hosts.write_text(json.dumps(inventory(*names)), encoding="utf-8")
    wait = {"name": "wait", "ansible.builtin.wait_for": {"timeout": 60}}
    place.write_text(json.dumps([dict(PLAYS[0], tasks=[PLAYS[0]["tasks"][0], wait])]), encoding="utf-8")
    process = subprocess.Popen(
        [str(ansible_env.bin / "ansible-playbook"), "-i", str(hosts), str(place)],
        env={**ansible_env.env, **world.env("play")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        told = world.rows() if (ansible_env.home / "state.db").exists() else {}
        if told.get(("program", "sent"), 0) == 2 * len(names) and told.get(("file", "sent"), 0) == 2 * len(names):
            break
        time.sleep(0.1)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_run_loses_nothing_that_is_held(run_playbook, ansible_env, world, number):
    """Programs are told at once, the chat by whoever comes next, in one message."""
    process = begin(ansible_env, world, HOSTS)
    try:
        assert world.robot.contents == []
        assert world.rows() == {("ops", "queued"): 6, ("program", "sent"): 6, ("file", "sent"): 6}
        # while the run lives nobody takes from its message
        flush = [{"hosts": "localhost", "gather_facts": False,
                  "tasks": [{"vigil.ops.notify": {"flush": True, "channels": world.channels}}]}]  # fmt: skip
        assert run_playbook(flush).rc == 0
        assert world.robot.contents == []
        os.kill(process.pid, number)
        process.wait(30)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(10)
    assert world.rows()["ops", "queued"] == 6
    outcome = run_playbook(flush)
    assert outcome.rc == 0, outcome.output
    assert world.heads == ["[Error] 6 alerts, 3 hosts"]
    assert world.rows() == {("ops", "sent"): 6, ("program", "sent"): 6, ("file", "sent"): 6}
    world.machines_have(sorted((host, f"file {number}") for host in HOSTS for number in (1, 2)))


def test_fleet_in_a_digest_stays_in_the_limits(run_playbook, world):
    names = [f"host-with-a-long-name-{number:03}" for number in range(60)]
    no_trouble(run_playbook(PLAYS[:1], inventory=inventory(*names), env={**world.env(), "ANSIBLE_FORKS": "20"}))
    assert world.heads == ["[Error] 121 alerts, 61 hosts"] or world.heads == ["[Error] 120 alerts, 60 hosts", "[Info] end of the run"]
    assert len(world.robot.contents[0].encode()) <= 4096
    assert re.search(r"> Instance: (host-with-a-long-name-\d+, ){7}host-with-a-long-name-\d+ and 52 more", world.robot.contents[0])
    assert len(world.program.bodies) == 121
    assert world.rows()["ops", "sent"] == 121
