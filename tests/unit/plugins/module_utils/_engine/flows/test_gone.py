# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts of checks that are gone from their list, on a real store."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import gone, notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

DAY = 86400.0


@pytest.fixture(name="world")
def fixture_world(tmp_path, store_url):
    class World:
        now = 1_763_692_800.0
        channels = [parse((tmp_path / "events.jsonl").as_uri())]

        def tell(self, results, source="s", run="1", dry=False):
            self.now += 60.0
            listed = gone.Listed(gone.source_of(source), run, notify.prints_of_results(results, "vigil"))
            batch = notify.Batch(notify.events_of_results(results, "vigil", self.now), (), listed.source, (), listed)
            told = store.run(lambda unit: notify.commit(unit, self.channels, batch, dry)).told
            return [(event["status"], event["instance"], event["check"]) for event, _channels in told]

    world = World()
    store = open_store(store_url, lambda: world.now)
    notify.bind(world.channels, store.salt)
    yield world
    store.close()


def outcome(*checks, **more):
    return {"results": [new_result(name, status=status, summary=name) for name, status in checks], "score": 0.0, **more}


BAD, OTHER = ("disk", "critical"), ("cpu", "critical")


def test_only_what_is_known_to_be_gone_is_over(world):
    both = {"a": outcome(BAD, OTHER), "b": outcome(BAD, OTHER)}
    assert len(world.tell(both)) == 4
    assert world.tell({"a": {"unreachable": True}, "b": {"failed": True, "msg": "x"}}) == [
        ("firing", "a", "reachable"),
        ("firing", "b", "inspection"),
    ]
    assert world.tell({"a": {"skipped": True}, "b": None}) == []
    assert world.tell({"a": outcome(BAD, ("cpu", "skipped"))}, run="2") == [("resolved", "a", "reachable")]  # listed, though not told
    assert world.tell({"a": outcome(BAD)}, source="t", run="3") == []
    assert world.tell({"a": outcome(BAD)}, run="4", dry=True) == [("resolved", "a", "cpu")]
    assert world.tell({"a": outcome(BAD)}, run="4") == [("resolved", "a", "cpu")]
    assert world.tell({"b": outcome()}, run="5") == [("resolved", "b", "inspection"), ("resolved", "b", "disk"), ("resolved", "b", "cpu")]


def test_two_lists_under_one_name_end_nothing_until_a_month_has_passed(world):
    for run in ("1", "2"):
        assert [kind for kind, _host, _check in world.tell({"a": outcome(BAD)}, run=run)] == ["firing"][: int(run == "1")]
        assert [kind for kind, _host, _check in world.tell({"a": outcome(OTHER)}, run=run)] == ["firing"][: int(run == "1")]
    world.now += 31 * DAY
    assert ("resolved", "a", "disk") in world.tell({"a": outcome(OTHER)}, run="3")


def test_an_alert_is_of_whoever_told_it_last(world):
    world.tell({"a": outcome(BAD, OTHER)}, source="nightly")
    world.tell({"a": outcome(BAD, OTHER)}, source="by hand", run="2")
    world.tell({"a": outcome(BAD, OTHER)}, source="nightly", run="3")
    assert world.tell({"a": outcome(BAD)}, source="nightly", run="4") == [("resolved", "a", "cpu")]


def test_labels_make_another_alert(world):
    labelled = {"results": [dict(new_result("disk", status="critical"), labels={"service": "shop", "x": 1})], "score": 0.0}
    world.tell({"a": labelled})
    assert world.tell({"a": labelled}, run="2") == []
    assert world.tell({"a": outcome(BAD)}, run="3") == [("firing", "a", "disk"), ("resolved", "a", "disk")]
