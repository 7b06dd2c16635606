# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Acceptance in the manner of Alertmanager's own tests: what is observed when, and between which times each receiver is to be told of what.

The engine is the real one, from observation through store and outbox to receivers on loopback; only its clock is the test's, so that hours pass
in a moment and a slow machine changes nothing. A collector takes what arrives and wants every notification in its window, and no other.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest
import vendors
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import delivery
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify, silence
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.rules import Rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

START = 1_763_712_000.0  # Friday, 2025-11-21T08:00:00Z
MINUTE, HOUR = 60.0, 3600.0
KEY = "693a7aoc-4bc4-97a0-0ec2sifa5aaa"
GROUPS = {"web": ["web1", "web2"], "db": ["db1"]}
Window = t.Tuple[float, float, str]


class Collector:
    """What one receiver was told, and when."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.told: list[tuple[float, str]] = []
        self.down = False
        self._world = world

    def __call__(self, _path: str, body: bytes) -> t.Any:
        if self.down:
            return 503, {}, b""
        event = json.loads(body)
        self.told.append((self._world.now - START, f"{event['status']} {event['check']}@{event['instance']}"))
        return 200, {}, b""

    def check(self, *windows: Window) -> None:
        """Every window wants one notification, and what is in no window is one too many; all of it is said at once."""
        left, missing = list(self.told), []
        for begin, end, what in windows:
            found = next((one for one in left if begin <= one[0] <= end and one[1] == what), None)
            if found is None:
                missing.append(f"[{begin:g}, {end:g}] {what}")
            else:
                left.remove(found)
        said = [f"{self.name} was not told: {one}" for one in missing] + [f"{self.name} was told at {at:g}: {what}" for at, what in left]
        assert not said, "\n".join(said)


class World:
    """A store, its clock, receivers, and what is going to be observed."""

    def __init__(self, path: str, listen: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery, "LEAST_WAIT", 0.01)
        self.now = START
        self.store = open_store(path, clock=lambda: self.now)
        self.collectors = {name: Collector(self, name) for name in ("ops", "boss")}
        self.channels = [parse(f"{listen(one).url}/#{name}") for name, one in self.collectors.items()]
        self.rules: dict[str, t.Any] = {}
        self._listen = listen
        self._plan: list[tuple[float, t.Callable[[], t.Any]]] = []

    def robot(self, name: str) -> vendors.WeCom:
        robot = vendors.WeCom(KEY)
        robot.clock = lambda: self.now
        self.channels.append(parse(f"wecom://{KEY}?endpoint={self._listen(robot).url}#{name}"))
        return robot

    def at(self, seconds: float, action: t.Callable[[], t.Any]) -> None:
        self._plan.append((seconds, action))

    def fires(self, check: str, begin: float, end: float, every: float = 5 * MINUTE, instance: str = "web1", **more: t.Any) -> None:
        """Observed as bad every so often, and once as good at the end."""
        at = begin
        while at < end:
            self.at(at, self._seen(check, instance, "firing", more))
            at += every
        self.at(end, self._seen(check, instance, "resolved", more))

    def _seen(self, check: str, instance: str, status: str, more: t.Mapping[str, t.Any]) -> t.Callable[[], t.Any]:
        values = {"severity": "error", "message": "m", **more}
        return lambda: new_event("shop", instance, check, self.now, status=status, **values)

    def silence(self, **wanted: t.Any) -> None:
        with self.store.unit() as unit:
            silence.apply(unit, silence.Wanted(author="me", **wanted), GROUPS)

    def acknowledge(self) -> None:
        with self.store.unit() as unit:
            alert = episodes.all_open(unit)[0].alert_id
        self.silence(alert_id=alert)

    def run(self, until: float, step: float = MINUTE) -> None:
        """Whoever looks at the store does so every ``step``; what is planned is observed by the first look after its time."""
        policy = read_policy({"timezone": "UTC", **self.rules})
        rules, plan = Rules(policy, GROUPS), sorted(self._plan, key=lambda one: one[0])
        self._plan = []
        while self.now - START <= until:
            due = [action for at, action in plan if at <= self.now - START]
            plan = plan[len(due) :]
            found = [action() for action in due]
            batch = notify.Batch([one for one in found if isinstance(one, dict)], looks=True)
            notify.tell(self.store, self.channels, batch, 0.4 if any(one.down for one in self.collectors.values()) else 5.0, rules=rules)
            self.now += step


@pytest.fixture
def world(tmp_path, listen, monkeypatch):
    world = World(str(tmp_path / "state.db"), listen, monkeypatch)
    yield world
    world.store.close()


def test_told_at_once_again_after_the_interval_and_when_it_is_over(world):
    world.rules = {"routes": [{"to": ["ops"], "repeat_interval": "1h"}]}
    world.fires("page", 60, 2.5 * HOUR)
    world.run(4 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check(
        (60, 360, "firing page@web1"),
        (HOUR, HOUR + 900, "firing page@web1"),
        (2 * HOUR, 2 * HOUR + 900, "firing page@web1"),
        (2.5 * HOUR, 2.5 * HOUR + 600, "resolved page@web1"),
    )
    world.collectors["boss"].check()


def test_a_group_waits_and_goes_together(world):
    """Alertmanager's group_wait: a digest of five minutes."""
    robot = world.robot("room")
    world.rules = {"routes": [{"to": ["room"], "digest": "5m"}]}
    for number, begin in enumerate((70, 130, 200)):
        world.fires(f"check {number}", begin, HOUR + 240, every=HOUR, instance=f"web{number}")
    world.fires("brief", 80, 140)
    world.run(70 * MINUTE)
    told = [(message["markdown"]["content"]) for message in robot.taken]
    assert len(told) == 2, told
    assert "4 alerts" in told[0] and all(f"check {number}" in told[0] for number in range(3))
    assert "[Resolved] brief" in told[0], "it came and went while it waited"
    assert len(re.findall(r"\[Resolved\] check", told[1])) == 3


def test_a_silence_and_its_end(world):
    world.rules = {"routes": [{"to": ["ops"]}]}
    world.at(30, lambda: world.silence(matchers={"instance": "web1"}, end=world.now + HOUR))
    world.fires("page", 60, 3 * HOUR)
    world.fires("brief", 600, 1200)
    world.fires("page", 60, 2 * HOUR, instance="db1")
    world.run(4 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check(
        (60, 400, "firing page@db1"),
        (HOUR, HOUR + 900, "firing page@web1"),
        (2 * HOUR, 2 * HOUR + 600, "resolved page@db1"),
        (3 * HOUR, 3 * HOUR + 600, "resolved page@web1"),
    )


def test_a_silence_in_the_middle_keeps_the_end(world):
    world.rules = {"routes": [{"to": ["ops"], "repeat_interval": "30m"}]}
    world.fires("page", 0, 2 * HOUR)
    world.at(600, lambda: world.silence(matchers={"check": "page"}, end=world.now + 4 * HOUR))
    world.run(3 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check((0, 600, "firing page@web1"), (2 * HOUR, 2 * HOUR + 600, "resolved page@web1"))


def test_maintenance_by_the_hours_of_the_week(world):
    world.rules = {"routes": [{"to": ["ops"]}], "maintenance": [{"match": {"group": "web"}, "hours": "fri 09:00-11:00"}]}
    world.fires("page", 1.5 * HOUR, 4 * HOUR)
    world.fires("disk", 1.5 * HOUR, 4 * HOUR, instance="db1")
    world.run(5 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check(
        (1.5 * HOUR, 1.5 * HOUR + 600, "firing disk@db1"),
        (3 * HOUR, 3 * HOUR + 900, "firing page@web1"),
        (4 * HOUR, 4 * HOUR + 600, "resolved page@web1"),
        (4 * HOUR, 4 * HOUR + 600, "resolved disk@db1"),
    )


def test_a_cause_mutes_what_follows_from_it(world):
    """Alertmanager's inhibition: of one instance alone, and told when the cause is over and it still fails."""
    world.rules = {"routes": [{"to": ["ops"]}], "inhibit": [{"when": {"check": "reachable"}, "mute": {"severity": "<= error"}}]}
    world.fires("reachable", 0, HOUR, severity="critical")
    world.fires("page", 300, 2 * HOUR)
    world.fires("brief", 300, 1800)
    world.fires("page", 300, 2 * HOUR, instance="web2")
    world.run(3 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check(
        (0, 600, "firing reachable@web1"),
        (300, 900, "firing page@web2"),
        (HOUR, HOUR + 600, "resolved reachable@web1"),
        (HOUR, HOUR + 900, "firing page@web1"),
        (2 * HOUR, 2 * HOUR + 600, "resolved page@web1"),
        (2 * HOUR, 2 * HOUR + 600, "resolved page@web2"),
    )


@pytest.mark.parametrize("acknowledged", [False, True])
def test_escalation_unless_somebody_takes_care(world, acknowledged):
    world.rules = {"routes": [{"to": ["ops"], "escalate": {"after": "15m", "to": ["boss"]}}]}
    world.fires("page", 60, HOUR)
    if acknowledged:
        world.at(600, world.acknowledge)
    world.run(2 * HOUR, 5 * MINUTE)
    ops = [(60.0, 400.0, "firing page@web1"), (HOUR, HOUR + 600, "resolved page@web1")]
    if acknowledged:
        world.collectors["ops"].check(*ops, (600, 1200, "acknowledged page@web1"))
        world.collectors["boss"].check()
    else:
        world.collectors["ops"].check(*ops)
        world.collectors["boss"].check((900, 1800, "firing page@web1"), (HOUR, HOUR + 600, "resolved page@web1"))


def test_worse_is_told_at_once_and_to_whom_the_route_of_worse_names(world):
    world.rules = {"routes": [{"match": {"severity": "critical"}, "to": ["ops", "boss"]}, {"to": ["ops"]}]}
    world.fires("page", 0, 1500, severity="warning")
    world.fires("page", 1800, HOUR, severity="critical")
    world._plan = [one for one in world._plan if one[0] != 1500]  # it does not end in between
    world.run(2 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check((0, 600, "firing page@web1"), (1800, 2400, "firing page@web1"), (HOUR, HOUR + 600, "resolved page@web1"))
    world.collectors["boss"].check((1800, 2400, "firing page@web1"), (HOUR, HOUR + 600, "resolved page@web1"))


def test_a_receiver_that_is_down_is_told_when_it_is_back(world):
    """Alertmanager's TestRetry, with an end in between: the order is kept, nothing comes twice."""
    world.rules = {"routes": [{"to": ["ops", "boss"]}]}
    ops = world.collectors["ops"]
    ops.down = True
    world.fires("page", 0, 1200)
    world.fires("disk", 600, 3 * HOUR)

    def back():
        ops.down = False

    world.at(HOUR, back)
    world.run(4 * HOUR, 5 * MINUTE)
    ops.check(
        (HOUR, HOUR + 1800, "firing page@web1"),
        (HOUR, HOUR + 1800, "resolved page@web1"),
        (HOUR, HOUR + 1800, "firing disk@web1"),
        (3 * HOUR, 3 * HOUR + 600, "resolved disk@web1"),
    )
    assert [what for _at, what in ops.told if "page" in what] == ["firing page@web1", "resolved page@web1"]
    world.collectors["boss"].check(
        (0, 600, "firing page@web1"),
        (1200, 1800, "resolved page@web1"),
        (600, 1200, "firing disk@web1"),
        (3 * HOUR, 3 * HOUR + 600, "resolved disk@web1"),
    )


def test_back_and_forth_is_told_as_one_until_it_is_steady(world):
    world.rules = {"routes": [{"to": ["ops"]}], "flapping": {"times": 3, "within": "1h"}}
    for number in range(10):
        world.fires("page", number * 600, number * 600 + 300, every=HOUR)
    world.run(4 * HOUR, 5 * MINUTE)
    ops = world.collectors["ops"]
    ops.check(
        (0, 600, "firing page@web1"),
        (300, 900, "resolved page@web1"),
        (600, 1200, "firing page@web1"),
        (900, 1500, "resolved page@web1"),
        (1200, 1800, "firing page@web1"),
        (1.5 * HOUR, 3 * HOUR, "resolved page@web1"),
    )


def test_a_run_that_never_happens(world):
    world.rules = {"routes": [{"to": ["ops"]}], "expected": [{"name": "nightly", "every": "1h", "grace": "10m"}]}
    ran = read_policy({"expected": world.rules["expected"]}).expected

    def run():
        notify.tell(world.store, world.channels, notify.Batch(runs=ran), 2.0, rules=Rules(read_policy({"timezone": "UTC", **world.rules})))

    world.at(30 * MINUTE, run)
    world.at(3 * HOUR, run)
    world.run(4 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check(
        (100 * MINUTE, 115 * MINUTE, "firing run of nightly@"), (3 * HOUR, 3 * HOUR + 600, "resolved run of nightly@")
    )


def test_rules_that_change_count_from_then_on(world):
    """Alertmanager's TestReload: who was told of the beginning is told of the end, whatever the routes say by then."""
    world.rules = {"routes": [{"to": ["ops"]}]}
    world.fires("page", 0, HOUR)
    world.run(1200, 5 * MINUTE)
    world.rules = {"routes": [{"to": ["boss"]}]}
    world.fires("page", 1500, HOUR)
    world.run(2 * HOUR, 5 * MINUTE)
    world.collectors["ops"].check((0, 600, "firing page@web1"), (HOUR, HOUR + 600, "resolved page@web1"))
    world.collectors["boss"].check((1500, 2400, "firing page@web1"), (HOUR, HOUR + 600, "resolved page@web1"))
