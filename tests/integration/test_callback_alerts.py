# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback with vigil_alerts, as part of a job and of a trace, and as a run that is expected."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

ON = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook"}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
INVENTORY = {"all": {"hosts": {"db1": LOCAL}, "children": {"web": {"hosts": {"web1": LOCAL}}}}}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def play_of(*tasks):
    return {"name": "play", "hosts": "all", "gather_facts": False, "tasks": list(tasks)}


def fail(name="broken"):
    return {"name": name, "ansible.builtin.fail": {"msg": "it is broken"}}


def told(receiver):
    return sorted((body["instance"], body["status"]) for body in receiver.bodies)


def test_routes_of_a_file_and_groups_of_the_inventory(run_playbook, listen, tmp_path):
    ops, web = listen(), listen()
    path = tmp_path / "alerts.yml"
    path.write_text("vigil_alerts:\n  routes:\n  - {match: {group: web}, to: web}\n  - {to: ops}\n", encoding="utf-8")
    environment = {**ON, "VIGIL_CHANNELS": f"{ops.url}/#ops {web.url}/#web", "VIGIL_ALERTS_FILE": str(path)}
    outcome = run_playbook([play_of(fail())], inventory=INVENTORY, env=environment)
    assert outcome.rc == 2
    assert "WARNING" not in outcome.output
    assert (told(ops), told(web)) == ([("db1", "firing")], [("web1", "firing")])


def test_a_file_that_cannot_be_used_is_a_warning_and_all_are_told(run_playbook, listen, tmp_path):
    ops = listen()
    path = tmp_path / "alerts.yml"
    path.write_text("routes:\n- {to: opps}\n", encoding="utf-8")
    environment = {**ON, "VIGIL_CHANNELS": f"{ops.url}/#ops", "VIGIL_ALERTS_FILE": str(path), "VIGIL_EXPECT_EVERY": "often"}
    outcome = run_playbook([play_of(fail())], inventory=INVENTORY, env=environment)
    flat = "".join(outcome.output.split())  # long lines are broken anywhere
    assert f'Thealertsfile{path}:routes[0].tonamesthechannel"opps"' in flat
    assert "Everychannelistoldofeverything." in flat
    assert "'often'isnotaduration" in flat
    assert told(ops) == [("db1", "firing"), ("web1", "firing")]


def test_job_trace_and_set_stats(run_playbook, listen):
    receiver = listen()
    left = {"ansible.builtin.set_stats": {"data": {"version": "4.2", "long": "x" * 5000}}, "run_once": True}
    environment = {
        **ON,
        "VIGIL_CHANNELS": receiver.url,
        "VIGIL_EVENTS": "failures,stats",
        "AWX_HOST": "https://awx.example.com/",
        "JOB_ID": "42",
        "TRACEPARENT": f"00-{TRACE}-00f067aa0ba902b7-01",
    }
    outcome = run_playbook([play_of(left, fail())], inventory=INVENTORY, env=environment)
    assert "WARNING" not in outcome.output
    assert len(receiver.bodies) == 3
    for body in receiver.bodies:
        assert body["annotations"]["run"] == "https://awx.example.com/#/jobs/playbook/42/output"
        assert body["context"]["trace_id"] == TRACE
    end = next(body for body in receiver.bodies if body["check"] == "end of the run")
    assert end["context"]["observed"]["version"] == "4.2"
    assert len(end["context"]["observed"]["long"]) == 1000


@pytest.mark.parametrize("no_log", [True, "{{ inventory_hostname == groups['all'] | last }}"])
def test_stats_of_a_task_under_no_log_are_not_told(run_playbook, listen, no_log):
    receiver = listen()
    left = {"ansible.builtin.set_stats": {"data": {"token": "s3cret-token-77"}}, "no_log": no_log}
    environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_EVENTS": "stats"}
    run_playbook([play_of(left)], inventory=INVENTORY, env=environment)
    assert len(receiver.bodies) == 1
    assert "s3cret" not in json.dumps(receiver.bodies)


def test_a_playbook_that_is_expected_again(run_playbook, listen, ansible_env):
    receiver = listen()
    environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_EXPECT_EVERY": "1h", "VIGIL_EXPECT_NAME": "nightly"}
    run_playbook([play_of()], inventory=INVENTORY, env=environment)
    assert receiver.bodies == []
    with open_store(f"{ansible_env.home}/state.db") as store, store.unit() as unit:
        assert unit.execute("UPDATE expected SET last_at = last_at - 7200") == 1
    environment.pop("VIGIL_EXPECT_EVERY")
    run_playbook([play_of()], inventory=INVENTORY, env=environment)
    environment["VIGIL_EXPECT_EVERY"] = "1h"
    run_playbook([play_of()], inventory=INVENTORY, env=environment)
    assert [(body["check"], body["status"]) for body in receiver.bodies] == [("run of nightly", "firing"), ("run of nightly", "resolved")]


def test_a_store_that_is_damaged_under_the_run_is_set_aside_and_said(run_playbook, listen, ansible_env):
    receiver = listen()
    path = ansible_env.home / "state.db"
    junk = {"name": "damage", "ansible.builtin.command": f"dd if=/dev/urandom of={path} bs=4096 count=30 conv=notrunc"}
    plays = [
        {"hosts": "all", "gather_facts": False, "tasks": [{**fail("first"), "when": "inventory_hostname == 'a'"}]},
        {"hosts": "b", "gather_facts": False, "tasks": [junk, {"name": "second", "ansible.builtin.fail": {"msg": "m"}}]},
    ]
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    environment = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook", "VIGIL_CHANNELS": receiver.url}
    inventory = {"all": {"hosts": {"a": local, "b": local}}}
    run_playbook(plays[:1], inventory=inventory, env=environment)  # from now on all is in the file, and not in its log alone
    outcome = run_playbook(plays, inventory=inventory, env=environment)
    said = " ".join(outcome.output.split())
    assert outcome.rc == 2, outcome.output
    assert said.count("set aside as") == 1, outcome.output
    assert list(ansible_env.home.glob("state.db.corrupt-*"))
    assert ("b", "task second") in {(body["instance"], body["check"]) for body in receiver.bodies}, outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.lab
def test_a_store_on_a_full_disk_does_not_stop_the_play_and_is_said(run_playbook, listen, tmp_path):
    receiver = listen()
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], check=True)
    try:
        environment = {**ON, "VIGIL_CHANNELS": receiver.url, "VIGIL_STATE_URL": f"sqlite:///{place}/state.db", "VIGIL_DEADLINE": "2s"}
        run_playbook([play_of(fail("one"))], inventory=INVENTORY, env=environment)
        fill = place / "fill"
        with pytest.raises(OSError, match="No space left"), fill.open("wb") as handle:
            while True:
                handle.write(b"x" * 4096)
                handle.flush()
        for database in place.glob("state.db-*"):
            database.unlink()  # what SQLite has in hand already would do for a few events
        outcome = run_playbook([play_of(fail("two"))], inventory=INVENTORY, env=environment)
        assert "PLAY RECAP" in outcome.stdout
        assert "nospaceisleft" in "".join(outcome.output.split())
        fill.unlink()
        run_playbook([play_of(fail("three"))], inventory=INVENTORY, env=environment)
        assert {body["check"] for body in receiver.bodies} >= {"task one", "task three"}
    finally:
        subprocess.run(["umount", "-l", place], check=True)
