# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thresholds that are learned, and forecasts, through ansible-playbook with histories that the engine wrote."""

from __future__ import annotations

import json
import random
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

HERE = {"all": {"hosts": {"here": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}}}


@pytest.fixture(name="history")
def fixture_history(tmp_path):
    """Writes looks into a store, the last of them five minutes ago; returns its URL."""

    def write(name, metric, values, step=300.0, status="ok"):
        place = str(tmp_path / "history.db")
        end = time.time()
        with open_store(place) as store, store.unit() as unit:
            for number, value in enumerate(values):
                result = new_result(name, status=status, metrics={metric: value})
                results.record(unit, "here", {"results": [result], "summary": {}}, end - (len(values) - number) * step)
        return f"sqlite:///{place}"

    return write


@pytest.fixture(name="look")
def fixture_look(run_playbook, tmp_path):
    """One run of the module inspect; the results by name."""

    def run(checks, url, *args):
        place = tmp_path / "seen.json"
        tasks = [
            {"name": "Look", "vigil.ops.inspect": {"checks": checks, "history_url": url}, "register": "seen"},
            {
                "name": "Show",
                "ansible.builtin.copy": {"dest": str(place), "content": "{{ seen | to_json }}", "mode": "0600"},
                "check_mode": False,
            },
        ]
        found = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], *args, inventory=HERE)
        assert found.rc == 0, found.stdout + found.stderr
        return {result["name"]: result for result in json.loads(place.read_text())["results"]}

    return run


def noise(count):
    chance = random.Random(5)
    return [1000 + chance.gauss(0, 20) for _number in range(count)]


def test_an_unusual_value_is_told_once_and_over_when_it_is_usual_again(look, history, tmp_path):
    url = history("file", "size", noise(300))
    grows = tmp_path / "grows"
    checks = [{"name": "file", "file": {"path": str(grows)}, "expect": {"size": "< 100000"}, "warn": {"size": "< baseline"}}]
    seen = []
    for size in (1000, 5000, 5000, 200000, 5000, 1010, 1000):
        grows.write_bytes(b"x" * size)
        result = look(checks, url)["file"]
        seen.append((size, result["status"], result["was"]))
    assert seen == [
        (1000, "ok", "ok"),
        (5000, "warning", "ok"),
        (5000, "warning", "warning"),
        (200000, "critical", "warning"),
        (5000, "warning", "critical"),
        (1010, "ok", "warning"),
        (1000, "ok", "ok"),
    ]


def test_the_message_names_limit_usual_value_and_what_was_seen(look, history, tmp_path):
    url = history("file", "size", noise(300))
    (tmp_path / "grows").write_bytes(b"x" * 5000)
    result = look([{"name": "file", "file": {"path": str(tmp_path / "grows")}, "expect": {"size": "< baseline"}}], url)["file"]
    words = result["summary"].split()
    assert result["status"] == "critical" and words[:6] == ["size", "is", "5000,", "expected", "<", "baseline"]
    assert "usually 99" in result["summary"] or "usually 100" in result["summary"]
    assert result["summary"].endswith(" in 300 values)")


def test_while_it_learns_a_check_is_unknown_and_says_how_far_it_is(look, history, tmp_path):
    url = history("file", "size", noise(3))
    (tmp_path / "grows").write_bytes(b"x" * 1000)
    place = {"path": str(tmp_path / "grows")}
    found = look(
        [
            {"name": "file", "file": place, "expect": {"size": "< baseline"}},
            {"name": "warned", "file": place, "warn": {"size": "< baseline"}},
            {"name": "disk", "disk": {"path": "/"}, "expect": {"full_in_hours": "> 1"}},
        ],
        url,
    )
    assert (found["file"]["status"], found["file"]["reason"]) == ("unknown", "learning")
    assert found["file"]["summary"] == "history too short: 3 of 12 values of size"
    assert found["warned"]["status"] == "ok"
    assert (found["disk"]["status"], found["disk"]["reason"]) == ("unknown", "learning")


def test_a_disk_that_fills_is_told_before_it_is_full(look, history):
    free = 4 * 2**60
    url = history("disk", "free_bytes", [free - number * 2**55 for number in range(48)], 3600.0)
    result = look([{"name": "disk", "disk": {"path": "/"}, "expect": {"full_in_hours": "> 24"}}], url)["disk"]
    assert result["status"] == "critical"
    assert result["metrics"]["full_in_hours"] < 1


def test_check_mode_judges_alike_and_keeps_nothing(look, history, tmp_path):
    url = history("file", "size", noise(300))
    (tmp_path / "grows").write_bytes(b"x" * 5000)
    checks = [{"name": "file", "file": {"path": str(tmp_path / "grows")}, "expect": {"size": "< baseline"}}]
    assert look(checks, url, "--check")["file"]["status"] == "critical"
    with open_store(url) as store, store.view() as unit:
        assert unit.one("SELECT count(*) FROM results") == (300,)
        assert unit.one("SELECT count(*) FROM marks WHERE space LIKE 'baseline:%'") == (0,)


def test_a_store_on_the_host_learns_as_well(run_playbook, tmp_path):
    grows, place = tmp_path / "grows", tmp_path / "seen.json"
    grows.write_bytes(b"x" * 1000)
    checks = [{"name": "file", "file": {"path": str(grows)}, "expect": {"size": "< baseline"}}]
    options = {"checks": checks, "state_url": f"sqlite:///{tmp_path}/state.db"}
    tasks = [
        {"name": "Learn", "vigil.ops.inspect": options, "loop": list(range(12))},
        {"name": "Grow", "ansible.builtin.copy": {"dest": str(grows), "content": "x" * 5000, "mode": "0600"}},
        {"name": "Look", "vigil.ops.inspect": options, "register": "seen"},
        {"name": "Show", "ansible.builtin.copy": {"dest": str(place), "content": "{{ seen | to_json }}", "mode": "0600"}},
    ]
    found = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], inventory=HERE)
    assert found.rc == 0, found.stdout + found.stderr
    (result,) = json.loads(place.read_text())["results"]
    assert (result["status"], result["was"]) == ("critical", "unknown")
