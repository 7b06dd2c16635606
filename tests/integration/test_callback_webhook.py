# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback vigil.ops.webhook in real runs of ansible-playbook, against real receivers on loopback."""

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
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
INTERPRETER = "ansible_python_interpreter='{{ ansible_playbook_python }}'"
ON = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook"}


def inventory(*names, down=()):
    hosts = dict.fromkeys(names, LOCAL)
    hosts.update({name: {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"} for name in down})
    return {"all": {"hosts": hosts}}


def play_of(*tasks, hosts="all", **more):
    return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}


def fail(name, when="true", **more):
    return {"name": name, "ansible.builtin.fail": {"msg": f"{name} is broken"}, "when": when, **more}


def seen(receiver):
    return sorted((body["status"], body["instance"], body["check"]) for body in receiver.bodies)


def rows(ansible_env):
    connection = sqlite3.connect(ansible_env.home / "state.db")
    try:
        return dict(connection.execute("SELECT state, COUNT(*) FROM outbox GROUP BY state").fetchall())
    finally:
        connection.close()


def no_trouble(outcome):
    assert "vigil.ops.webhook" not in outcome.output, outcome.output
    assert "Traceback" not in outcome.output
    assert "DeprecationWarning" not in outcome.output
    assert "[DEPRECATION WARNING]" not in outcome.output


def test_failed_ignored_rescued_unreachable(run_playbook, listen, ansible_env):
    receiver = listen()
    more = ansible_env.home / "more.yml"
    more.write_text(json.dumps([fail("more")]), encoding="utf-8")
    odd = ansible_env.home / "library" / "odd"
    odd.parent.mkdir()
    odd.write_text('#!/bin/sh\necho \'{"failed": true, "msg": "odd", "results": 5}\'\n', encoding="utf-8")
    plays = [
        play_of(
            {"ansible.builtin.ping": {}},
            fail("ignored", ignore_errors=True),
            {"block": [{"block": [fail("saved")]}], "rescue": [{"name": "rescue", "ansible.builtin.debug": {"msg": "saved"}}]},
            {"block": [{"ansible.builtin.import_tasks": str(more)}], "rescue": [{"ansible.builtin.debug": {"msg": "saved"}}]},
            {"block": [{"ansible.builtin.include_tasks": str(more)}], "rescue": [{"ansible.builtin.debug": {"msg": "saved"}}]},
            {"ansible.builtin.include_tasks": str(more) + ".gone", "when": "inventory_hostname == 'f'"},
            {"name": "rc", "ansible.builtin.command": "false", "when": "inventory_hostname == 'g'"},
            {"name": "odd", "odd": {}, "when": "inventory_hostname == 'h'"},
            fail("breaks", "inventory_hostname == 'b'"),
            {"block": [fail("first", "inventory_hostname == 'c'")], "rescue": [fail("rescue breaks")]},
            {"name": "hidden", "ansible.builtin.fail": {"msg": "s3cret-of-hidden"}, "no_log": True, "when": "inventory_hostname == 'd'"},
            {"name": "loop", "ansible.builtin.fail": {"msg": "item {{ item }}"}, "loop": [1, 2], "when": "inventory_hostname == 'e'"},
        ),
        play_of(hosts="nobody"),
    ]
    outcome = run_playbook(
        plays,
        inventory=inventory(*"abcdefgh", down=["down"]),
        env={**ON, "ANSIBLE_LIBRARY": str(odd.parent), "VIGIL_CHANNELS": f"{receiver.url}/{TOKEN}"},
    )
    no_trouble(outcome)
    assert seen(receiver) == [
        ("firing", "b", "task breaks"),
        ("firing", "c", "task rescue breaks"),
        ("firing", "controller", "hosts matched"),
        ("firing", "d", "task hidden"),
        ("firing", "down", "reachable"),
        ("firing", "e", "task loop"),
        ("firing", "f", "task ansible.builtin.include_tasks"),
        ("firing", "g", "task rc"),
        ("firing", "h", "task odd"),
    ]
    messages = {body["instance"]: body["message"] for body in receiver.bodies}
    assert messages["b"] == "breaks is broken"
    assert messages["d"] == "the output is hidden by no_log"
    assert messages["e"] == "item 1"
    assert "ould not find or access" in messages["f"]
    assert messages["g"] == "non-zero return code (rc 1)", "whatever version of Ansible says it"
    assert re.search(r"Connection refused|reached over ssh", messages["down"])  # ssh may end before Ansible has written to it
    everything = b"".join(body for _path, _headers, body in receiver.requests)
    assert b"s3cret-of-hidden" not in everything
    assert {body["service"] for body in receiver.bodies} == {"playbook.yml", "vigil"}
    assert [body["annotations"] for body in receiver.bodies if body["instance"] == "b"] == [{"play": "all", "task": "breaks"}]


def test_resolved_by_a_clean_run_alone(run_playbook, listen):
    receiver = listen()
    plays = [play_of({"name": "fine", "ansible.builtin.ping": {}, "tags": ["some"]}, fail("breaks", "broken | default(false) | bool"))]
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}

    def run(*args, hosts=("a", "b"), down=()):
        count = len(receiver.requests)
        no_trouble(run_playbook(plays, *args, inventory=inventory(*hosts, down=down), env=environment))
        return sorted((body["status"], body["instance"], body["check"]) for body in receiver.bodies[count:])

    assert run("-e", "broken=true", hosts=["a"], down=["b"]) == [("firing", "a", "task breaks"), ("firing", "b", "reachable")]
    assert run("-e", "broken=true", hosts=["a"], down=["b"]) == []
    assert run("--tags", "some") == [("resolved", "b", "reachable")]
    assert run("--limit", "b") == []
    assert run() == [("resolved", "a", "task breaks")]
    assert run() == []


def test_results_of_inspect(run_playbook, listen, receivers):
    receiver = listen()
    checks = [{"name": "port", "tcp": {"host": "127.0.0.1", "port": "{{ port }}", "timeout": 2}, "severity": "critical"}]
    plays = [play_of({"name": "look", "vigil.ops.inspect": {"checks": checks}})]
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}
    outcome = run_playbook(plays, "-e", f"port={receivers.dead_port()}", inventory=inventory("a"), env=environment)
    no_trouble(outcome)
    assert [(body["status"], body["severity"], body["check"], body["service"]) for body in receiver.bodies] == [
        ("firing", "critical", "port", "vigil")
    ]
    assert receiver.bodies[0]["context"]["failed"]
    run_playbook(plays, "-e", f"port={receiver.port}", inventory=inventory("a"), env=environment)
    assert [body["status"] for body in receiver.bodies] == ["firing", "resolved"]


def test_changes_and_stats(run_playbook, listen, tmp_path):
    receiver = listen()
    plays = [play_of({"name": "write", "ansible.builtin.copy": {"content": "x", "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}"}})]
    environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_EVENTS": "changes,stats"}
    for _number in range(2):
        no_trouble(run_playbook(plays, inventory=inventory("a", "b"), env=environment))
    checks = [body["check"] for body in receiver.bodies]
    assert checks == ["changes", "end of the run", "end of the run"]
    assert sorted(receiver.bodies[0]["message"].splitlines()) == ["a: write", "b: write"]
    assert receiver.bodies[2]["message"].startswith("2 hosts: ok 2, changed 0, unreachable 0, failures 0")


def test_channel_that_cannot_be_read_is_a_warning(run_playbook, listen, ansible_env):
    receiver = listen()
    environment = {
        **ON,
        "VIGIL_CHANNELS": f"htps://x/{TOKEN} {receiver.url}",
        "VIGIL_CHANNELS_FILE": "/none/channels",
        "VIGIL_DEADLINE": "soon",
    }
    outcome = run_playbook([play_of(fail("breaks"))], inventory=inventory("a"), env=environment)
    words = " ".join(outcome.output.split())
    assert 'vigil.ops.webhook: channel 1 of 2 in VIGIL_CHANNELS: The channel htps://******** has the unknown scheme "htps"' in words
    assert "The channels file /none/channels cannot be read" in words
    assert "10s are used" in words
    assert TOKEN not in outcome.output
    assert len(receiver.bodies) == 1
    assert "failed=1" in outcome.stdout


def test_channels_of_a_pipe_are_read_once_whoever_is_killed(ansible_env, listen):
    """As a shell's <(...) gives one: only the process that has it open can read it, and nobody a second time."""
    receiver, place = listen(), ansible_env.home / "pipe.yml"
    kill = f"kill -9 $(pgrep -o -P $(pgrep -o -f 'ansible-playbook.*{ansible_env.home}'))"
    place.write_text(json.dumps([play_of({"name": "kill", "ansible.builtin.raw": kill}, fail("after"))]), encoding="utf-8")
    argv = [str(ansible_env.bin / "ansible-playbook"), "-i", "a,", "-c", "local", str(place)]
    ends = os.pipe()
    os.write(ends[1], f"{receiver.url}/hook\n".encode())
    os.close(ends[1])
    environment = {**ansible_env.env, **ON, "VIGIL_CHANNELS_FILE": f"/dev/fd/{ends[0]}"}
    done = subprocess.run(argv, env=environment, pass_fds=[ends[0]], capture_output=True, text=True, check=False)
    os.close(ends[0])
    assert done.returncode == 2 and "vigil.ops.webhook" not in done.stderr, done.stderr
    assert [body["check"] for body in receiver.bodies] == ["task after"]


def test_quiet_without_channels_and_in_check_mode(run_playbook, listen, ansible_env):
    receiver = listen()
    outcome = run_playbook([play_of(fail("breaks"))], inventory=inventory("a"), env=ON)
    no_trouble(outcome)
    outcome = run_playbook([play_of(fail("breaks"))], "-v", inventory=inventory("a"), env=ON)
    assert "vigil.ops.webhook tells nobody" in outcome.stdout
    no_trouble(run_playbook([play_of(fail("breaks"))], "--check", inventory=inventory("a"), env={**ON, "VIGIL_CHANNELS": receiver.url}))
    assert receiver.requests == []
    assert not (ansible_env.home / "state.db").exists()


def test_store_that_cannot_be_used(run_playbook, listen):
    environment = {**ON, "VIGIL_CHANNELS": listen().url, "VIGIL_STATE_URL": "sqlite:////proc/none/state.db"}
    outcome = run_playbook([play_of(fail("breaks"))], inventory=inventory("a"), env=environment)
    assert "Nothing is told." in outcome.output
    assert "failed=1" in outcome.stdout


@pytest.mark.parametrize("mode", ["dead", "silent", 500, 403])
def test_receiver_in_trouble_holds_the_run_no_longer_than_the_deadline(run_playbook, listen, ansible_env, mode, receivers):
    url = f"http://127.0.0.1:{receivers.dead_port()}" if mode == "dead" else listen(mode).url
    environment = {**ON, "VIGIL_CHANNELS": f"{url}/{TOKEN}#ops", "VIGIL_DEADLINE": "2s"}
    started = time.monotonic()
    outcome = run_playbook([play_of(fail("breaks"))], inventory=inventory("a", "b"), env=environment)
    assert time.monotonic() - started < 30
    assert outcome.rc == 2
    words = " ".join(outcome.output.split())
    if mode == 403:
        assert "2 messages for ops (" in words and "were refused: the receiver refuses it (HTTP 403)" in words
        assert rows(ansible_env) == {"dead": 2}
    else:
        assert "2 messages for ops (http://127.0.0.1:" in words and "could not be sent yet" in words
        assert rows(ansible_env) == {"queued": 2}
    assert words.count("[WARNING]: vigil.ops.webhook") == 1
    assert TOKEN not in outcome.output


def test_next_run_sends_what_an_earlier_one_could_not(run_playbook, listen, ansible_env, receivers):
    port = receivers.dead_port()
    environment = {**ON, "VIGIL_CHANNELS": f"http://127.0.0.1:{port}/#ops", "VIGIL_DEADLINE": "1s"}
    run_playbook([play_of(fail("breaks"))], inventory=inventory("a", "b", "c"), env=environment)
    assert rows(ansible_env) == {"queued": 3}
    receiver = listen(port=port)
    no_trouble(run_playbook([play_of(fail("breaks"))], "--tags", "none", inventory=inventory("a"), env=environment))
    assert rows(ansible_env) == {"sent": 3}
    assert len(receiver.requests) == 3


def start(ansible_env, place, hosts, environment, *args):
    return subprocess.Popen(
        [str(ansible_env.bin / "ansible-playbook"), "-i", ",".join(hosts) + ",", "-c", "local", "-e", INTERPRETER, str(place), *args],
        env={**ansible_env.env, **ON, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process, number):
    """As a person does who presses Ctrl-C again: Python itself passes over one that comes in the middle of a fork (logging's own lock)."""
    for _press in range(5):
        os.kill(process.pid, number)
        try:
            process.wait(6)
            return
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it does not end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_loses_nothing_it_has_seen(run_playbook, ansible_env, listen, number):
    receiver = listen("silent")
    channel = f"{receiver.url}/#ops"
    place = ansible_env.home / "long.yml"
    plays = [play_of(fail("breaks", "inventory_hostname != 'keep'"), {"name": "wait", "ansible.builtin.wait_for": {"timeout": 60}})]
    place.write_text(json.dumps(plays), encoding="utf-8")
    process = start(ansible_env, place, ["a", "b", "c", "keep"], {"VIGIL_CHANNELS": channel})
    try:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            if (ansible_env.home / "state.db").exists() and sum(rows_or_none(ansible_env).values()) == 3:
                break
            time.sleep(0.1)
        end(process, number)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(10)
        process.stdout.close()
    assert sum(rows(ansible_env).values()) == 3
    receiver.mode = 200
    receiver.released.set()
    before = len(receiver.requests)
    flush = [play_of({"vigil.ops.notify": {"flush": True, "channels": [channel]}}, hosts="localhost")]
    outcome = run_playbook(flush)
    assert outcome.rc == 0, outcome.output
    assert rows(ansible_env) == {"sent": 3}
    assert sorted({body["instance"] for body in receiver.bodies[before:]}) == ["a", "b", "c"]


def rows_or_none(ansible_env):
    try:
        return rows(ansible_env)
    except sqlite3.Error:
        return {}


@pytest.mark.parametrize(("hosts", "tasks"), [(30, 3), pytest.param(200, 5, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_forks_while_threads_send(run_playbook, ansible_env, listen, hosts, tasks, receivers):
    """Workers are forked while threads resolve a name, talk TLS and write to the store: nothing hangs, every event arrives."""
    ca, certificate, key = receivers.make_certificates(ansible_env.home)
    receiver = listen(tls=(certificate, key))
    receiver.delay = 0.02
    place = ansible_env.home / "channels.yml"
    place.write_text(json.dumps([{"name": "ops", "url": f"https://localhost:{receiver.port}/", "ca": ca}]), encoding="utf-8")
    names = [f"h{number:03}" for number in range(hosts)]
    parts = [names[part::tasks] for part in range(tasks)]
    plays = [
        play_of({"name": f"t{number}", "ansible.builtin.ping": {}, "failed_when": f"inventory_hostname in {part}"})
        for number, part in enumerate(parts)
    ]
    environment = {**ON, "VIGIL_CHANNELS_FILE": str(place), "VIGIL_DEADLINE": "60s", "ANSIBLE_FORKS": "20"}
    outcome = run_playbook(plays, inventory=inventory(*names, "keep"), env=environment, timeout=850)
    no_trouble(outcome)
    assert {body["instance"] for body in receiver.bodies} == set(names)
    assert rows(ansible_env) == {"sent": hosts}


def test_what_keeps_and_sends_may_be_killed(run_playbook, ansible_env, listen):
    """It is a process of its own, and begun again: what was seen before, in between and after it arrives; twice what was just on its way."""
    receiver = listen()
    receiver.delay = 0.02
    kill = f"kill -9 $(pgrep -o -P $(pgrep -o -f 'ansible-playbook.*{ansible_env.home}'))"
    tasks = [fail("before", "inventory_hostname[0] == 'a'", ignore_errors=False)]
    tasks += [{"name": "kill", "ansible.builtin.raw": kill, "run_once": True}, fail("after", "inventory_hostname[0] == 'b'")]
    names = [f"{part}{number}" for part in "ab" for number in range(10)]
    outcome = run_playbook([play_of(*tasks)], inventory=inventory("keep", *names), env={**ON, "VIGIL_CHANNELS": f"{receiver.url}/hook"})
    assert outcome.rc == 2 and "unreachable=0    failed=0" in re.search(r"^keep .*$", outcome.output, re.MULTILINE).group(), outcome.output
    no_trouble(outcome)
    assert {body["instance"] for body in receiver.bodies} == set(names) and len(receiver.bodies) <= 21
    assert rows(ansible_env) == {"sent": 20}


def test_what_keeps_and_sends_may_hang(run_playbook, ansible_env, listen):
    """As on a disk that does not answer: the run is held up for the deadline, and what was seen is kept when it goes on."""
    receiver, note = listen(), ansible_env.home / "pid"
    stop = f"pgrep -o -P $(pgrep -o -f 'ansible-playbook.*{ansible_env.home}') > {note}; kill -STOP $(cat {note})"
    tasks = [{"name": "stop", "ansible.builtin.raw": stop, "run_once": True}, fail("after", "inventory_hostname != 'keep'")]
    environment = {**ON, "VIGIL_CHANNELS": f"{receiver.url}/hook", "VIGIL_DEADLINE": "2s"}
    outcome = run_playbook([play_of(*tasks)], inventory=inventory("keep", "a", "b"), env=environment)
    try:
        said = " ".join(outcome.output.split())
        assert outcome.rc == 2 and said.count("what keeps and sends does not answer") == 1 and "Traceback" not in said, outcome.output
        assert receiver.bodies == []
    finally:
        os.kill(int(note.read_text()), signal.SIGCONT)
    give_up = time.monotonic() + 20
    while sum(rows(ansible_env).values()) < 2 and time.monotonic() < give_up:
        time.sleep(0.05)
    assert sum(rows(ansible_env).values()) == 2


def told_by(receiver, run, *args, **options):
    """Run, and what was told meanwhile."""
    count = len(receiver.requests)
    outcome = run(*args, **options)
    return outcome, sorted((body["status"], body["instance"], body["check"]) for body in receiver.bodies[count:])


def test_host_is_reached_again_only_by_a_task_that_talks_to_it(run_playbook, listen):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}
    ping = play_of({"ansible.builtin.ping": {}})
    idle = play_of(
        {"ansible.builtin.debug": {}},
        {"ansible.builtin.set_fact": {"some": 1}},
        {"ansible.builtin.assert": {"that": "true"}},
        {"ansible.builtin.command": "true", "delegate_to": "a"},
        {"name": "undefined", "ansible.builtin.command": "{{ nothing_is_here }}", "ignore_errors": True},
    )

    def run(plays, **places):
        outcome, told = told_by(receiver, run_playbook, plays, inventory=inventory(**places), env=environment)
        no_trouble(outcome)
        return told

    def inventory(down=(), up=()):
        hosts = {name: {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"} for name in down}
        return {"all": {"hosts": {**dict.fromkeys(["a", *up], LOCAL), **hosts}}}

    assert run([ping], down=["b"]) == [("firing", "b", "reachable")]
    assert run([idle], down=["b"]) == []
    assert run([dict(ping, connection="local", vars={"ansible_connection": "local"}, hosts="a"), idle], down=["b"]) == []
    assert run([play_of({"ansible.builtin.command": "false", "ignore_errors": True})], up=["b"]) == [("resolved", "b", "reachable")]


def test_task_is_resolved_only_when_it_ran_well_itself(run_playbook, listen):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}
    plays = [
        play_of(
            {"name": "first", "ansible.builtin.command": "{{ first }}", "when": "inventory_hostname == 'a'"},
            {"name": "second", "ansible.builtin.command": "{{ second }}", "when": "wanted"},
            any_errors_fatal=True,
        )
    ]

    def run(first, second, wanted="true"):
        extra = json.dumps({"first": first, "second": second, "wanted": wanted == "true"})
        return told_by(receiver, run_playbook, plays, "-e", extra, inventory=inventory("a", "b"), env=environment)[1]

    both = [("firing", "a", "task second"), ("firing", "b", "task second")]
    assert run("true", "false") == both
    assert run("false", "true") == [("firing", "a", "task first")]  # the second task is not begun
    assert run("true", "true", "false") == [("resolved", "a", "task first")]  # the second task is skipped
    assert run("true", "true") == [("resolved", "a", "task second"), ("resolved", "b", "task second")]


def test_playbooks_of_one_run_do_not_resolve_each_other(run_playbook, listen, ansible_env):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_EVENTS": "failures,unreachable,stats"}
    fine = play_of({"name": "breaks", "ansible.builtin.command": "true"}, hosts="a,b")
    other = ansible_env.home / "other" / "playbook.yml"
    other.parent.mkdir()
    other.write_text(json.dumps([fine, play_of({"ansible.builtin.debug": {}}, hosts="all")]), encoding="utf-8")
    first = [play_of({"name": "breaks", "ansible.builtin.command": "{{ command }}", "ignore_unreachable": True})]
    places = inventory("a", down=["down"])
    outcome, told = told_by(receiver, run_playbook, first, str(other), "-e", "command=true", inventory=places, env=environment)
    no_trouble(outcome)
    assert told == [
        ("firing", "controller", "end of the run"),
        ("firing", "controller", "end of the run"),
        ("firing", "down", "reachable"),
    ]
    _outcome, told = told_by(receiver, run_playbook, first, "-e", "command=false", inventory=inventory("a"), env=environment)
    assert ("firing", "a", "task breaks") in told
    _outcome, told = told_by(receiver, run_playbook, str(other), inventory=inventory("a"), env=environment)
    assert [entry for entry in told if entry[2] != "end of the run"] == []  # another file of the same name
    _outcome, told = told_by(receiver, run_playbook, first, str(other), "-e", "command=true", inventory=inventory("a"), env=environment)
    assert ("resolved", "a", "task breaks") in told
    ends = [body["message"] for body in receiver.bodies if body["check"] == "end of the run"]
    assert ends[-2].startswith("1 hosts: ok 1,") and ends[-1].startswith("1 hosts: ok 2,")


def test_inspect_in_a_loop_and_one_that_could_not_be_made(run_playbook, listen):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}
    checks = [{"name": "f {{ item }}", "file": {"path": "{{ item }}"}}]
    look = {"name": "look", "vigil.ops.inspect": {"checks": checks, "fail_on": "{{ fail_on }}"}, "loop": ["/none/1", "/none/2"]}
    expected = [("firing", "a", "f /none/1"), ("firing", "a", "f /none/2")]
    outcome, told = told_by(receiver, run_playbook, [play_of(look)], "-e", "fail_on=warning", inventory=inventory("a"), env=environment)
    assert outcome.rc == 2 and told == expected
    outcome, told = told_by(receiver, run_playbook, [play_of(look)], "-e", "fail_on=never", inventory=inventory("a"), env=environment)
    assert outcome.rc == 0 and told == []
    one = {"vigil.ops.inspect": {"checks": [{"name": "root", "file": {"path": "{{ path | default('/') }}"}}]}, "ignore_errors": True}
    wrong = inventory("a")
    wrong["all"]["hosts"]["a"] = {**LOCAL, "ansible_python_interpreter": "/none/python"}
    assert told_by(receiver, run_playbook, [play_of(one)], inventory=wrong, env=environment)[1] == [("firing", "a", "inspection")]
    assert told_by(receiver, run_playbook, [play_of(one)], inventory=inventory("a"), env=environment)[1] == [
        ("resolved", "a", "inspection")
    ]
    refused = {"name": "refused", "vigil.ops.inspect": {"checks": "nothing"}}
    ignored = [play_of(dict(refused, ignore_errors=True))]
    assert told_by(receiver, run_playbook, ignored, inventory=inventory("a"), env=environment)[1] == []
    assert told_by(receiver, run_playbook, [play_of(refused)], inventory=inventory("a"), env=environment)[1] == [
        ("firing", "a", "task refused")
    ]


def test_wrong_options_are_warnings(run_playbook, listen, ansible_env):
    receiver = listen()
    place = ansible_env.home / "channels"
    place.write_bytes(f"\ufeff---\n# ours\n\n- {receiver.url}/{TOKEN}  # the room\n- name: bad\n  url: htps://x/{TOKEN}\n".encode())
    environment = {
        **ON,
        "VIGIL_CHANNELS": f"[htps://x/{TOKEN}, htps://x/{TOKEN}",
        "VIGIL_CHANNELS_FILE": str(place),
        "VIGIL_MIN_SEVERITY": "eror",
        "VIGIL_EVENTS": "failurs,stats",
        "VIGIL_LANGUAGE": "eng",
    }
    outcome = run_playbook([play_of(fail("breaks"))], inventory=inventory("a"), env=environment)
    words = " ".join(outcome.output.split())
    assert 'min_severity is "eror"; did you mean "error"? The default, info, is used.' in words
    assert 'events names "failurs"; did you mean "failures"? It is left out.' in words
    assert 'language is "eng"; did you mean "en"? The default, en, is used.' in words
    assert "not valid YAML" in words
    # ansible-core 2.16 breaks a long path over lines
    assert f'channel2of2inthechannelsfile{place}("bad"):Thechannelhtps://********hastheunknownscheme' in "".join(words.split())
    assert TOKEN not in outcome.output
    assert [body["check"] for body in receiver.bodies] == ["end of the run"]
    environment = {**ON, "VIGIL_CHANNELS": f"htps://x/{TOKEN} htps://x/{TOKEN}"}
    words = " ".join(run_playbook([play_of(fail("breaks"))], inventory=inventory("a"), env=environment).output.split())
    assert "channel 1 of 2 in VIGIL_CHANNELS" in words and "channel 2 of 2 in VIGIL_CHANNELS" in words


def test_locked_store_holds_the_run_no_longer_than_the_deadline(run_playbook, listen, ansible_env):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_DEADLINE": "2s"}
    run_playbook([play_of({"ansible.builtin.debug": {}})], inventory=inventory("a"), env=environment)
    plays = [play_of(fail("breaks"))]
    names = [f"h{number}" for number in range(12)]
    connection = sqlite3.connect(ansible_env.home / "state.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        outcome = run_playbook(plays, inventory=inventory(*names), env=environment)
        assert time.monotonic() - started < 40
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    words = " ".join(outcome.output.split())
    assert "12 events could not be kept, and nobody is told of them: The state file" in words
    assert receiver.requests == []
    no_trouble(run_playbook(plays, inventory=inventory(*names), env=environment))
    assert len(receiver.requests) == 12


def test_a_name_that_is_not_found_is_a_message_that_waits(run_playbook, ansible_env):
    environment = {**ON, "VIGIL_CHANNELS": f"http://nothing.invalid/{TOKEN}#ops", "VIGIL_DEADLINE": "2s"}
    outcome = run_playbook([play_of(fail("breaks"), {"ansible.builtin.ping": {}})], inventory=inventory("a"), env=environment, timeout=60)
    words = " ".join(outcome.output.split())
    assert "1 message for ops (" in words and "could not be sent yet" in words
    assert rows(ansible_env) == {"queued": 1}


def test_what_is_gone_from_the_playbook_is_over(run_playbook, listen):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}

    def run(*plays, args=(), hosts=("a", "b")):
        return told_by(receiver, run_playbook, list(plays), *args, inventory=inventory(*hosts), env=environment)[1]

    fine, bad = {"name": "fine", "ansible.builtin.ping": {}}, fail("bad")
    dynamic = {"name": "more", "ansible.builtin.include_tasks": "more.yml", "when": False}
    first, second = play_of(fine, fail("worse"), name="first"), play_of(bad, name="second", hosts="b")
    assert run(second, first, hosts=["a"]) == [("firing", "a", "task worse"), ("firing", "controller", "hosts matched")]
    assert run(play_of(fine, dynamic, name="first"), hosts=["a"]) == [("resolved", "controller", "hosts matched")]
    assert run(play_of(fine, name="first"), play_of(fine, name="first"), hosts=["b"]) == []  # either could have it
    assert run(play_of(fine, name="first"), second, args=["--limit", "b"]) == [("firing", "b", "task bad"), ("resolved", "a", "task worse")]
    assert run(play_of(fine, name="{{ 'second' }}")) == []
    assert run(play_of(fine, name="third"), args=["--limit", "a"]) == [("resolved", "b", "task bad")]
    assert [body["message"] for body in receiver.bodies if body["status"] == "resolved"] == [
        "the play is gone from the playbook",
        "the task is gone from its play",
        "the play is gone from the playbook",
    ]


def test_an_alert_of_an_inspection_ends_when_its_check_is_gone(run_playbook, listen):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}

    def look(*names, **more):
        checks = [{"name": name, "file": {"path": f"/none/{name}"}} for name in names]
        return {"name": "look", "vigil.ops.inspect": {"checks": checks}, **more}

    def run(*tasks, args=(), hosts=("a", "b")):
        return told_by(receiver, run_playbook, [play_of(*tasks)], *args, inventory=inventory(*hosts), env=environment)[1]

    assert run(look("1", "2"), hosts=["a"]) == [("firing", "a", "1"), ("firing", "a", "2")]
    assert run(look("1"), args=["--limit", "b"]) == [("firing", "b", "1")]
    assert run(look("1", when="inventory_hostname == 'b'")) == []
    assert run(look("{{ item }}", loop=["1", "2"], when="item == '1'")) == []  # what an item would look at is not known
    assert run(look("1", ignore_errors=True, vars={"ansible_python_interpreter": "/none/python"})) == [
        ("firing", "a", "inspection"),
        ("firing", "b", "inspection"),
    ]
    assert run(look("1"), args=["-e", "x=1"]) == [("resolved", "a", "inspection"), ("resolved", "b", "inspection")]
    assert run(look("1")) == [("resolved", "a", "2")]
    assert run(look("1"), look("3")) == [("firing", "a", "3"), ("firing", "b", "3")]  # two tasks of one name
    assert run(look("1"), look("3")) == []


def test_children_on_other_hosts_wait_for_their_parent_and_are_told_where_it_is_well(run_playbook, listen, tmp_path):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url}
    page = {"name": "page", "file": {"path": f"{tmp_path}/page"}, "depends_on": ["db1:postgres"]}
    postgres = {"name": "postgres", "file": {"path": f"{tmp_path}/postgres"}}
    # the children are looked at first
    plays = [
        play_of({"name": "look", "vigil.ops.inspect": {"checks": [page]}}, hosts="web*"),
        play_of({"name": "look", "vigil.ops.inspect": {"checks": [postgres]}}, hosts="db1"),
    ]

    def run(**hosts):
        found = told_by(receiver, run_playbook, plays, inventory=inventory("web1", "web2", "db1", **hosts), env=environment)
        no_trouble(found[0])
        return found[1]

    assert run() == [("firing", "db1", "postgres")]
    (tmp_path / "postgres").touch()
    assert run() == [("firing", "web1", "page"), ("firing", "web2", "page"), ("resolved", "db1", "postgres")]
    (tmp_path / "postgres").unlink()
    (tmp_path / "page").touch()
    assert run() == [("firing", "db1", "postgres"), ("resolved", "web1", "page"), ("resolved", "web2", "page")]
    (tmp_path / "page").unlink()
    down = told_by(receiver, run_playbook, plays, inventory=inventory("web1", "web2", down=["db1"]), env=environment)
    assert down[1] == [("firing", "db1", "reachable")]


def test_a_parent_of_little_weight_is_heard_by_those_who_want_its_children(run_playbook, listen, tmp_path):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_MIN_SEVERITY": "critical"}
    page = {"name": "page", "file": {"path": f"{tmp_path}/page"}, "depends_on": ["db1:postgres"], "severity": "critical"}
    postgres = {"name": "postgres", "file": {"path": f"{tmp_path}/postgres"}, "severity": "info"}
    plays = [
        play_of({"name": "look", "vigil.ops.inspect": {"checks": [page]}}, hosts="web*"),
        play_of({"name": "look", "vigil.ops.inspect": {"checks": [postgres]}}, hosts="db1"),
    ]

    def run():
        found = told_by(receiver, run_playbook, plays, inventory=inventory("web1", "web2", "db1"), env=environment)
        no_trouble(found[0])
        return found[1]

    assert run() == [("firing", "db1", "postgres")]
    assert receiver.bodies[-1]["severity"] == "critical"
    both = ("web1:page, web2:page", "web2:page, web1:page")  # as they came in
    assert receiver.bodies[-1]["message"].endswith(tuple(f"; 2 checks fail along with it ({one})" for one in both))
    for name in ("page", "postgres"):
        (tmp_path / name).touch()
    assert run() == [("resolved", "db1", "postgres")]


def test_blank_options_are_not_given(run_playbook, listen):
    receiver = listen()
    blank = dict.fromkeys(("GROUP", "EVENTS", "LANGUAGE", "MIN_SEVERITY", "DEADLINE", "SERVICE", "CHANNELS_FILE"), "")
    environment = {**ON, **{f"VIGIL_{name}": value for name, value in blank.items()}, "VIGIL_CHANNELS": receiver.url}
    look = {"name": "look", "vigil.ops.inspect": {"checks": [{"name": "none", "file": {"path": "/none"}}]}}
    no_trouble(run_playbook([play_of(look)], inventory=inventory("a"), env=environment))
    assert [(body["service"], body["check"]) for body in receiver.bodies] == [("vigil", "none")]
