# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""service_guard and the playbook heal, run by ansible-playbook. The services here are files that a restart command makes: systemd knows none of them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from conftest import LOCAL

NAME = "vigil-test-service"


@pytest.fixture
def service(tmp_path):
    """A service that is well while a file is there; `restart` is the text of its restart command, which writes a line a restart."""

    class Service:
        def __init__(self, name):
            self.name = name
            self.place = tmp_path / name
            self.place.mkdir()
            self.up = self.place / "up"
            self.log = self.place / "restarts"
            self.command = self.place / "restart"
            self.write(f"touch {self.up}")

        def write(self, text):
            self.command.write_text(f"#!/bin/sh\necho start $(date +%s.%N) >> {self.log}\n{text}\necho end $(date +%s.%N) >> {self.log}\n")
            self.command.chmod(0o755)

        @property
        def restarts(self):
            return self.log.read_text().count("start") if self.log.exists() else 0

        def guard(self, **options):
            checks = [{"name": "up", "file": {"path": str(self.up)}}]
            usual = {"failures": 1, "verify_timeout": "3s", "grace": 0, "backoff": 0, "restart_command": [str(self.command)]}
            return {"service": self.name, "checks": checks, **usual, **options}

    return Service


@pytest.fixture
def guard(run_playbook, tmp_path):
    """guard(*args, **options of the module) -> (result of the task, Outcome)."""

    def run(*args, env=None, rc=0, **options):
        given = {"state_url": f"sqlite:///{tmp_path}/node.db", **options}
        place = tmp_path / "result.json"
        place.unlink(missing_ok=True)
        tasks = [
            {"name": "Guard", "vigil.ops.service_guard": given, "register": "found", "ignore_errors": True},
            {
                "ansible.builtin.copy": {"dest": str(place), "content": "{{ found | to_json }}", "mode": "0600"},
                "check_mode": False,
                "diff": False,
            },
        ]
        outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *args, env=env)
        assert outcome.rc == rc, outcome.output
        return json.loads(place.read_text()), outcome

    return run


def kinds(result):
    return [event["kind"] for event in result["events"]]


def test_counts_over_runs_restarts_verifies_and_tells_once(service, guard):
    app = service(NAME)
    options = app.guard(failures=3)
    first, _out = guard(**options)
    assert (first["status"], first["changed"], first["healthy"], first["events"]) == ("failing", False, False, [])
    assert "(1 of 3 looks)" in first["message"]
    guard(**options)
    healed, _out = guard(**options)
    assert (healed["changed"], healed["restarted"], healed["healthy"], healed["recovered"], healed["attempts"]) == (
        True,
        True,
        True,
        True,
        1,
    )
    assert kinds(healed) == ["restart", "recovered"] and app.restarts == 1
    assert healed["events"][1]["downtime"] > 0
    after, _out = guard(**options)
    assert (after["status"], after["events"], after["changed"], after["attempts"]) == ("healthy", [], False, 0)


def test_looks_of_one_run(service, guard):
    app = service(NAME)
    healed, _out = guard(**app.guard(failures=3, interval="200ms"))
    assert healed["recovered"] and app.restarts == 1 and "3 looks in a row" in healed["events"][0]["message"]


def test_gives_up_loudly_once_and_is_resolved_when_repaired(service, guard):
    app = service(NAME)
    app.write("exit 3")
    options = app.guard(max_restarts=2)
    results = [guard(**options)[0] for _run in range(5)]
    assert [one["status"] for one in results] == ["restarted", "restarted", "given_up", "given_up", "given_up"]
    assert f"{app.command} ended with 3" in results[0]["message"]
    assert app.restarts == 2 and [kind for one in results for kind in kinds(one)] == ["restart", "restart", "given_up"]
    assert results[2]["events"][0]["severity"] == "critical"
    app.up.touch()
    repaired, _out = guard(**options)
    assert (repaired["recovered"], repaired["restarted"], kinds(repaired)) == (True, False, ["recovered"])


def test_check_mode_says_what_would_be_done_and_leaves_nothing(service, guard, tmp_path):
    app = service(NAME)
    found, out = guard("--check", "--diff", **app.guard())
    assert (found["status"], found["changed"], found["restarted"], found["events"]) == ("due", True, False, [])
    assert f"+{NAME}.service: would be restarted" in out.stdout
    assert app.restarts == 0 and not (tmp_path / "node.db").exists()
    looked, _out = guard(**app.guard(restart=False))
    assert (looked["status"], looked["changed"], app.restarts) == ("due", False, 0)
    healed, _out = guard(**app.guard(recheck=True))
    assert healed["recovered"] and app.restarts == 1


def test_events_come_again_until_somebody_has_them(service, guard, run_playbook, tmp_path):
    app = service(NAME)
    told = tmp_path / "told.jsonl"
    options = app.guard(acknowledge="told")
    first, _out = guard(**options)
    again, _out = guard(**options)
    assert again["events"] == first["events"] and kinds(first) == ["restart", "recovered"]
    tell = {"vigil.ops.notify": {"channels": [f"file://{told}"], "results": {"localhost": again}}}
    for _time in range(2):  # told twice, kept once
        assert run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [tell]}]).rc == 0
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(event["check"], event["status"]) for event in events] == [(f"service {NAME}", "firing"), (f"service {NAME}", "resolved")]
    assert events[1]["context"]["metrics"]["restarts"] == 1 and events[0]["alert_id"] == events[1]["alert_id"]
    assert guard(**options)[0]["events"] == []


def test_needs_are_looked_after_first_and_spare_their_children(service, guard):
    db, app = service("vigil-test-db"), service("vigil-test-app")
    db.write("true")
    guards = [app.guard(depends_on=["vigil-test-db"]), db.guard()]
    found, _out = guard(guards=guards)
    assert [(one["service"], one["status"]) for one in found["guards"]] == [
        ("vigil-test-db", "restarted"),
        ("vigil-test-app", "dependency"),
    ]
    assert (db.restarts, app.restarts) == (1, 0) and {event["service"] for event in found["events"]} == {"vigil-test-db.service"}
    assert found["guards"][1]["caused_by"] == "vigil-test-db.service"
    db.write(f"touch {db.up} {app.up}")  # the child comes back with its parent
    found, _out = guard(guards=guards)
    assert [one["status"] for one in found["guards"]] == ["healthy", "healthy"] and app.restarts == 0


def test_a_need_that_nobody_guards_is_told_with_its_cause(service, guard, tmp_path):
    app = service(NAME)
    need = {"name": "licence", "file": {"path": str(tmp_path / "licence")}}
    results = [guard(**app.guard(depends_on=[need]))[0] for _run in range(3)]
    assert [one["status"] for one in results] == ["dependency"] * 3 and app.restarts == 0
    assert [event["caused_by"] for one in results for event in one["events"]] == ["licence"]
    (tmp_path / "licence").touch()
    assert guard(**app.guard(depends_on=[need]))[0]["restarted"]


def test_a_run_that_is_killed_has_spent_its_restart(service, guard, ansible_env, tmp_path):
    app = service(NAME)
    app.write("sleep 30")
    options = app.guard(max_restarts=1, verify_timeout="40s")
    task = {"vigil.ops.service_guard": {"state_url": f"sqlite:///{tmp_path}/node.db", **options}}
    play = tmp_path / "kill.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": LOCAL}}}))
    command = [str(ansible_env.bin / "ansible-playbook"), "-i", str(inventory), str(play)]
    run = subprocess.Popen(command, env=ansible_env.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not app.restarts and time.monotonic() < until:
            time.sleep(0.05)
        # a second run at the same time finds that it has just been restarted
        meanwhile, _out = guard(**app.guard(max_restarts=1, grace="1m"))
        assert (meanwhile["status"], app.restarts) == ("grace", 1)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    app.write(f"touch {app.up}")
    after, _out = guard(**options)
    assert (after["status"], app.restarts) == ("given_up", 1)
    with sqlite3.connect(tmp_path / "node.db") as history:
        bodies = [json.loads(body)["kind"] for (body,) in history.execute("SELECT body FROM guard_events ORDER BY id")]
    assert bodies == ["restart", "given_up"]


def test_where_nothing_can_be_kept_nothing_is_restarted(service, guard, tmp_path):
    app = service(NAME)
    (tmp_path / "file").touch()
    found, _out = guard(**app.guard(state_url=f"sqlite:///{tmp_path}/file/node.db"))
    assert found["failed"] and found["msg"].startswith("state_url: ") and app.restarts == 0


def test_bad_options_are_one_sentence(service, guard):
    app = service(NAME)
    for options, words in (
        ({"service": None}, "give service, or guards"),
        (dict(app.guard(), guards=["a"]), "not both"),
        ({"guards": [{"service": "a", "falures": 2}]}, 'did you mean "failures"'),
        ({"guards": [{"service": "a", "checks": [{"name": "c", "htpp": {}}]}]}, 'guard "a": checks: check "c": "htpp"'),
        ({"guards": [{"service": "a", "depends_on": ["b"]}, {"service": "b", "depends_on": ["a"]}]}, "circle"),
        ({"guards": ["a", "a.service"]}, "twice"),
        (dict(app.guard(), within="soon"), "within: 'soon' is not a duration"),
        (dict(app.guard(), failures=0), "failures is 0; it must be from 1"),
        ({"service": "a b"}, "not the name of a unit"),
        (dict(app.guard(), restart_comand=["x"]), 'did you mean "restart_command"'),
    ):
        found, out = guard(**{key: value for key, value in options.items() if value is not None})
        assert found["failed"] and words in found["msg"], found
        assert "Traceback" not in out.output


def test_secrets_of_checks_are_never_shown(service, guard):
    secret = "tok-9d41b7c2aa"
    app = service(NAME)
    app.write("true")
    http = {"name": "api", "http": {"url": "http://127.0.0.1:1/", "timeout": 1, "headers": {"Authorization": f"Bearer {secret}"}}}
    task, out = guard(**app.guard(checks=[http]))
    assert task["restarted"] and secret not in json.dumps(task["guards"] + task["events"])
    assert secret not in out.output


def test_the_callback_tells_a_real_receiver(service, run_playbook, listen, tmp_path):
    app, receiver = service(NAME), listen()
    task = {"vigil.ops.service_guard": {"state_url": f"sqlite:///{tmp_path}/node.db", **app.guard()}}
    env = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook", "VIGIL_CHANNELS": receiver.url + "/hook"}
    done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], env=env)
    assert done.rc == 0, done.output
    assert [(event["check"], event["status"]) for event in receiver.bodies] == [
        (f"service {NAME}", "firing"),
        (f"service {NAME}", "resolved"),
    ]


@pytest.fixture
def heal(run_playbook, tmp_path):
    """heal({host: [guards]}, *args, **variables) -> (Outcome, events told so far)."""
    told = tmp_path / "events.jsonl"

    def run(hosts, *args, more=None, **variables):
        every = {}
        for name, guards in hosts.items():
            # every host its own home, and so its own store
            home = tmp_path / f"home-{name}"
            home.mkdir(exist_ok=True)
            every[name] = {**LOCAL, "vigil_guards": guards, "ansible_remote_tmp": f"{home}/tmp", "vigil_home": str(home)}
        every.update(more or {})
        given = {"vigil_channels": [f"file://{told}"], "vigil_guard_state_url": "sqlite:///{{ vigil_home }}/node.db", **variables}
        outcome = run_playbook("vigil.ops.heal", "-e", json.dumps(given), *args, inventory={"all": {"hosts": every}})
        events = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        return outcome, [(event["instance"], event["check"], event["status"]) for event in events]

    return run


def test_heal_restarts_and_tells(service, heal):
    apps = {name: service(name) for name in ("a", "b")}
    apps["b"].up.touch()
    out, events = heal({name: [app.guard()] for name, app in apps.items()})
    assert out.rc == 0, out.output
    assert events == [("a", "service a", "firing"), ("a", "service a", "resolved")]
    assert [line.split()[:3] for line in out.stdout.rstrip().splitlines()[-2:]] == [["b", "b", "healthy"], ["a", "a", "healed"]]
    out, again = heal({name: [app.guard()] for name, app in apps.items()})
    assert out.rc == 0 and again == events, out.output


def test_heal_never_restarts_more_than_so_many_at_a_time(service, heal):
    apps = [service(f"s{number}") for number in range(6)]
    for app in apps:
        app.write(f"sleep 1; touch {app.up}")
    out, _events = heal({app.name: [app.guard(verify_timeout="10s")] for app in apps}, "--forks", "6", vigil_max_unavailable="34%")
    assert out.rc == 0 and [app.restarts for app in apps] == [1] * 6, out.output
    moments = []
    for app in apps:
        moments += [(float(moment), 1 if word == "start" else -1) for word, moment in map(str.split, app.log.read_text().splitlines())]
    running, most = 0, 0
    for _moment, step in sorted(moments):
        running += step
        most = max(most, running)
    assert most == 2


def test_heal_stops_when_the_cure_makes_it_worse(service, heal):
    apps = [service(f"s{number}") for number in range(4)]
    for app in apps:
        (app.place / "port").touch()
        app.write(f"rm -f {app.place / 'port'}")
    hosts = {}
    for app in apps:
        guard = app.guard()
        guard["checks"].append({"name": "port", "file": {"path": str(app.place / "port")}})
        hosts[app.name] = [guard]
    out, events = heal(hosts, "--forks", "4", vigil_fail_on="unhealthy")
    assert out.rc == 2 and sum(app.restarts for app in apps) == 1, out.output
    assert set(events) == {("s0", "service s0", "firing")}
    assert "nothing more is restarted: s0: the restart of s0.service made it worse" in out.stdout


def test_heal_tells_of_hosts_that_cannot_be_looked_at(service, heal, receivers, tmp_path):
    app = service("a")
    gone = {"gone": {"ansible_host": "127.0.0.1", "ansible_port": receivers.dead_port(), "vigil_guards": ["x"]}}
    out, events = heal({"a": [app.guard()]}, more=gone)
    assert out.rc == 0 and app.restarts == 1, out.output
    assert ("gone", "reachable", "firing") in events and ("a", "service a", "resolved") in events
    out, events = heal({"a": [app.guard()], "gone": []}, more={}, vigil_fail_on="unhealthy")
    assert out.rc == 0, out.output


def test_heal_tells_when_a_host_can_keep_nothing(service, heal, tmp_path):
    app = service("a")
    (tmp_path / "file").touch()
    out, events = heal({"a": [app.guard()]}, vigil_guard_state_url=f"sqlite:///{tmp_path}/file/node.db", vigil_fail_on="given_up")
    assert out.rc == 2 and app.restarts == 0 and events == [("a", "services", "firing")], out.output
    out, events = heal({"a": [app.guard()]}, vigil_fail_on="given_up")
    assert out.rc == 0 and ("a", "services", "resolved") in events, out.output


def test_heal_refuses_what_it_cannot_do(service, heal):
    app = service("a")
    for variables, words in (
        ({"vigil_max_unavailable": "many"}, "vigil_max_unavailable is 'many'"),
        ({"vigil_fail_on": "bad"}, "vigil_fail_on is 'bad'"),
        ({"vigil_guards": [{"service": "a", "falures": 1}]}, "did you mean"),
        ({"vigil_channels": ["wat://x"]}, "wat"),
    ):
        out, events = heal({"a": [app.guard()]}, **variables)
        assert out.rc == 2 and words in out.output and app.restarts == 0 and events == [], out.output


def test_heal_in_check_mode_restarts_stores_and_tells_nothing(service, heal, tmp_path):
    app = service("a")
    out, events = heal({"a": [app.guard()]}, "--check")
    assert out.rc == 0 and (app.restarts, events) == (0, []), out.output
    assert "nothing is restarted in check mode" in out.stdout and not (tmp_path / "home-a" / "node.db").exists()


def test_heal_in_check_mode_says_what_is_due_after_several_looks(service, heal):
    app = service("a")
    guard = dict(app.guard(), failures=2)
    heal({"a": [guard]})
    out, _events = heal({"a": [guard]}, "--check")
    assert out.rc == 0 and app.restarts == 0, out.output
    assert [line.split()[:3] for line in out.stdout.splitlines() if " due " in line] == [["a", "a", "due"]], out.stdout
