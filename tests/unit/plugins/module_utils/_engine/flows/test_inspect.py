# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at a host again and again, with a real store: what the next look gets from the last ones."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
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
