# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at a host again and again, with a real store: what the next look gets from the last ones."""

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

NOW = 1_763_692_800.0


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    with open_store(str(tmp_path / "state.db"), clock=lambda: NOW) as store:
        yield store


@pytest.fixture(name="look")
def fixture_look(store):
    """Runs a list of checks as the module does, with what the store knows."""
    number = [0]

    def look(raw, dry=False):
        number[0] += 1
        checks = flow.read_checks(raw)
        held = flow.broken_limits(store, "web1", checks)
        outcome = flow.inspect(checks, baselines=flow.learned_baselines(store, "web1", checks), held=held)
        return flow.keep(store, "web1", outcome, NOW + number[0], checks, dry)

    return look


def test_a_limit_that_was_broken_holds_again_by_a_margin(look, tmp_path):
    place = tmp_path / "grows"
    raw = [{"name": "size", "file": {"path": str(place)}, "expect": {"size": "< 90"}, "warn": {"size": "< 80"}, "hysteresis": 5}]
    seen = []
    for size in (70, 82, 78, 74, 88, 91, 88, 84, 76, 70, 92, 70, 78):
        place.write_bytes(b"x" * size)
        (result,) = look(raw)
        seen.append((size, result["status"]))
    assert seen == [
        (70, "ok"),
        (82, "warning"),
        (78, "warning"),
        (74, "ok"),
        (88, "warning"),
        (91, "critical"),
        (88, "critical"),
        (84, "warning"),
        (76, "warning"),
        (70, "ok"),
        (92, "critical"),
        (70, "ok"),
        (78, "ok"),
    ]
    place.write_bytes(b"x" * 91)
    look(raw)
    place.write_bytes(b"x" * 86)
    assert "size is 86, expected < 90 (after a failure < 85)" in look(raw)[0]["summary"]


def test_check_mode_says_what_would_stand_and_keeps_nothing(look, tmp_path, store):
    raw = [{"name": "there", "file": {"path": str(tmp_path / "none")}, "confirm": 2}]
    assert look(raw)[0]["confirmed"]["status"] == "ok"
    for _time in range(3):
        (result,) = look(raw, dry=True)
        assert (result["confirmed"]["status"], result["was"]) == ("critical", "critical")
    with store.view() as unit:
        assert unit.one("SELECT count(*) FROM runs") == (1,)


def test_what_a_check_remembers_is_of_its_host_and_labels(look, tmp_path, store):
    raw = [{"name": "there", "file": {"path": str(tmp_path / "none")}, "confirm": 2, "labels": {"n": n}} for n in ("1", "2")]
    look(raw[:1])
    assert [result["confirmed"]["seen"] for result in look(raw)] == [0, 1]
    checks = flow.read_checks(raw)
    (other, _second) = flow.keep(store, "web2", flow.inspect(checks), NOW, checks)
    assert other["confirmed"]["seen"] == 1


def test_what_fails_is_remembered_however_long(look, tmp_path, store):
    raw = [{"name": "there", "file": {"path": str(tmp_path / "none")}}]
    for _time in range(25):
        look(raw)
    with store.view() as unit:
        ((_key, at),) = unit.all("SELECT key, at FROM marks WHERE space = 'looks:web1'")
    assert at == NOW + 25


RATES = [{"name": "net", "network": {"interface": "lo"}, "expect": {}}, {"name": "load", "load": {}, "expect": {}}]


@pytest.fixture(name="again")
def fixture_again(store):
    """A run as the module makes it, with a store that says when it was; the seconds over which the rate was taken."""

    def again(host="web1", raw=None, dry=False):
        checks = flow.read_checks(raw or RATES)
        outcome = flow.inspect(checks, last_look=flow.last_look(store, host, checks), check_mode=dry)
        kept = flow.keep(store, host, outcome, NOW, checks, dry)
        assert "last_look" not in outcome
        return kept[0]["metrics"].get("seconds")

    return again


def left_before(store, seconds):
    """As if everything had been left so long ago."""
    with store.unit() as unit:
        for space, key, value in unit.all("SELECT space, key, value FROM marks WHERE space LIKE 'left:%'"):
            row = json.loads(value)
            row["at"] -= seconds
            unit.execute("UPDATE marks SET value = ? WHERE space = ? AND key = ?", (json.dumps(row), space, key))
        return unit.all("SELECT space, key FROM marks WHERE space LIKE 'left:%' ORDER BY space, key")


def test_counters_of_the_last_run_are_those_of_the_host_and_the_probe(again, store):
    assert again() < 50
    assert left_before(store, 100) == [("left:web1", "network")]
    assert again("web2") < 50 and 99 < again() < 200
    left_before(store, 100)
    raw = [{"name": "cpu", "cpu": {}, "expect": {}}, *RATES]
    assert again(raw=raw) < 50  # of cpu: it is new
    assert left_before(store, 100) == [("left:web1", "cpu"), ("left:web1", "network"), ("left:web2", "network")]
    assert 99 < again() < 200 and 99 < again(raw=raw) < 200


def test_check_mode_reads_what_was_left_and_leaves_nothing(again, store):
    again()
    left_before(store, 100)
    assert 99 < again(dry=True) <= again(dry=True) < 200
    assert again("web2", dry=True) < 50
    assert left_before(store, 0) == [("left:web1", "network")]


@pytest.mark.parametrize("value", ["", "{", "null", "7", "[]", '{"look": {}}', '"text"', b"\xff\xfe"])
def test_damaged_rows_are_replaced(again, store, value):
    again()
    with store.unit() as unit:
        unit.execute("UPDATE marks SET value = ? WHERE space LIKE 'left:%'", (value,))
    assert again() < 50
    left_before(store, 100)
    assert 99 < again() < 200


def test_what_is_too_long_or_of_no_probe_is_not_kept(store):
    checks = flow.read_checks(RATES)
    outcome = flow.inspect(checks, last_look={})
    outcome["last_look"] = {"network": {"look": "x" * (1 << 20)}, "disk": {"look": 1}, "io": "text"}
    flow.keep(store, "web1", outcome, NOW, checks)
    assert left_before(store, 0) == []


def test_many_runs_at_once_on_one_store(tmp_path):
    """Each gets a rate over a time that is sane, whoever wrote last."""
    place, found = str(tmp_path / "state.db"), []

    def work():
        checks = flow.read_checks(RATES)
        for _turn in range(3):
            with open_store(place) as store:
                outcome = flow.inspect(checks, last_look=flow.last_look(store, "web1", checks))
                found.append(flow.keep(store, "web1", outcome, NOW, checks)[0])

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 12
    assert all(0.2 < result["metrics"]["seconds"] < 60 for result in found)
    assert all(value >= 0 for result in found for value in result["metrics"].values())


def test_what_was_left_is_forgotten_with_the_rest(again, store):
    again()
    with store.unit() as unit:
        results.prune(unit, NOW + 1)
    assert left_before(store, 0) == []


def test_a_store_that_fails_spoils_no_rate(again, tmp_path, store):
    again()
    checks = flow.read_checks(RATES)
    with open_store(str(tmp_path / "state.db"), read_only=True) as other:
        other.close()
        (tmp_path / "state.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
        for name in ("state.db-wal", "state.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        assert flow.last_look(other, "web1", checks, {"network": 1}) == {"network": 1}
