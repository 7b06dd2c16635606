# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rates between runs of ansible-playbook, from what the one before left on the host or on the controller."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest

CHECKS = [
    {"name": "cpu", "cpu": {}, "expect": {"context_switches_per_second": "> 0"}},
    {"name": "lo", "network": {"interface": "lo"}, "expect": {"rx_bytes_per_second": ">= 0"}},
    {"name": "sleeper", "process": {"pattern": "vigil-test-rates$"}, "expect": {"count": ">= 1"}},
]


@pytest.fixture(name="sleeper", scope="module")
def fixture_sleeper():
    """A process that is looked at."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "vigil-test-rates"], start_new_session=True) as made:
        yield made
        made.kill()


@pytest.fixture(name="play")
def fixture_play(run_playbook, tmp_path, sleeper):
    """Runs a playbook that looks twice, more than a second apart; what was seen first and second, by host."""

    def play(options, *args, hosts=("here",), more=()):
        inventory = tmp_path / "hosts.ini"
        local = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
        inventory.write_text("".join(f"{host} {local}\n" for host in hosts))
        given = {"checks": CHECKS, **options}
        show = {"dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.json", "content": "{{ [first, second] | to_json }}"}
        tasks = [
            {"name": "First", "vigil.ops.inspect": given, "register": "first"},
            {"name": "Wait", "ansible.builtin.wait_for": {"timeout": 1}},
            {"name": "Second", "vigil.ops.inspect": {**given, **dict(more)}, "register": "second"},
            {"name": "Show", "ansible.builtin.copy": show, "check_mode": False},
        ]
        place = tmp_path / "play.json"
        place.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        done = run_playbook(str(place), *args, inventory=inventory, env={"VIGIL_STATE_URL": ""})
        assert done.rc == 0, done.stdout + done.stderr
        return {host: json.loads((tmp_path / f"{host}.json").read_text()) for host in hosts}

    return play


def seconds(outcome):
    return [result["metrics"].get("seconds") for result in outcome["results"]]


def check_both(first, second):
    assert [result["status"] for result in first["results"] + second["results"]] == ["ok"] * 6
    assert all(value >= 0.25 for value in seconds(first)[:2]) and seconds(first)[2] is None
    assert all(1 <= value < 120 for value in seconds(second))
    assert "cpu_percent" in second["results"][2]["metrics"] and second["results"][2]["observed"]["count"] >= 0


def rows(place):
    with sqlite3.connect(place) as store:
        return store.execute("SELECT space, key FROM marks WHERE space LIKE 'left:%' ORDER BY space, key").fetchall()


def test_counters_are_left_on_the_host(play, tmp_path):
    found = play({"state_url": f"sqlite:///{tmp_path}/node.db"})["here"]
    check_both(*found)
    assert all("last_look" not in outcome for outcome in found)
    assert rows(tmp_path / "node.db") == [("left:localhost", key) for key in ("cpu", "network", "process")]


def test_counters_are_left_on_the_controller_for_each_host(play, tmp_path):
    found = play({"history_url": f"sqlite:///{tmp_path}/history.db"}, hosts=("a", "b"))
    for host in ("a", "b"):
        check_both(*found[host])
        assert all("last_look" not in outcome for outcome in found[host])
    assert [row[0] for row in rows(tmp_path / "history.db")] == ["left:a"] * 3 + ["left:b"] * 3


def test_check_mode_leaves_nothing(play, tmp_path):
    for options in ({"state_url": f"sqlite:///{tmp_path}/node.db"}, {"history_url": f"sqlite:///{tmp_path}/history.db"}):
        first, second = play(options, "--check")["here"]
        assert seconds(first)[2] is seconds(second)[2] is None
    assert not list(tmp_path.glob("*.db*"))


def test_what_was_left_is_handed_over_by_hand(play):
    first, second = play({"last_look": {}}, more={"last_look": "{{ first.last_look }}"})["here"]
    check_both(first, second)
    assert set(second["last_look"]) == {"cpu", "network", "process"}


def test_a_store_is_read_for_a_sign_where_nothing_is_kept(play, tmp_path):
    """The store is sent along for the check alone."""
    url = f"sqlite:///{tmp_path}/node.db"
    sign = [{"name": "sign", "heartbeat": {"state": url, "every": "1h"}}]
    first, second = play({"state_url": url}, more={"checks": sign, "state_url": None})["here"]
    assert first["status"] == "ok"
    (result,) = second["results"]
    assert (result["status"], result["observed"]["late"], result["since"]) == ("ok", False, None)
