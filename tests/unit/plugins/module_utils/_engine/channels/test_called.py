# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a route calls by name, in every chat, up to its vendor's server."""

from __future__ import annotations

import pytest
import vendors
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import PolicyError, check_channels
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import callees
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dead, notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.rules import Rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

KEY = "0123456789abcdef0123456789abcdef"
NOW = 1_763_712_000.0
SLACK = f"T000/B000/{KEY}"


class World:
    def __init__(self, path, listen):
        self.now = NOW
        self.store = open_store(path, clock=lambda: self.now)
        self.servers = {
            "wecom": vendors.WeCom(KEY), "ding": vendors.DingTalk(KEY), "lark": vendors.Feishu(KEY),
            "slack": vendors.Slack(SLACK), "discord": vendors.Discord(f"12/{KEY}"),
        }  # fmt: skip
        urls = {
            "wecom": f"wecom://{KEY}",
            "ding": f"dingtalk://{KEY}",
            "lark": f"feishu://{KEY}",
            "slack": f"slack://{SLACK}",
            "discord": f"discord://12/{KEY}",
        }
        self.channels = [parse({"name": name, "url": f"{url}?endpoint={listen(self.servers[name]).url}", "mention": "9000000001" if name != "slack" else "U9"})
                         for name, url in urls.items()]  # fmt: skip
        for server in self.servers.values():
            server.clock = lambda: self.now

    def tell(self, routes, *events, **more):
        policy = read_policy({"timezone": "UTC", "routes": routes})
        check_channels(policy, {channel.name for channel in self.channels})
        callees.check(policy, self.channels)
        self.now += 120
        batch = notify.Batch([dict(event, timestamp=event["timestamp"]) for event in events], **more)
        return notify.tell(self.store, self.channels, batch, 10, rules=Rules(policy))

    def called(self, name):
        taken = self.servers[name].taken
        if name == "wecom":
            return [one["text"]["mentioned_list"] + one["text"]["mentioned_mobile_list"] if one["msgtype"] == "text"
                    else [part.split(">")[0] for part in one["markdown"]["content"].split("<@")[1:]] for one in taken]  # fmt: skip
        return [one["called"] for one in taken]


@pytest.fixture
def world(tmp_path, listen):
    world = World(str(tmp_path / "state.db"), listen)
    yield world
    world.store.close()


def event(check="page", status="firing", **more):
    return new_event("shop", "web1", check, NOW, **{"status": status, "severity": "warning", "message": "m", **more})


def test_every_chat_calls_whom_the_route_names(world):
    route = {"mention": {"wecom": ["zhangsan"], "ding": "13800001111", "lark": ["ou_1"], "slack": ["U1", "here"], "discord": [42, "&77"]}}
    assert world.tell([route], event())["delivered"] == 5
    assert world.called("wecom") == [["zhangsan"]]
    assert world.called("ding") == [["13800001111"]]
    assert world.called("lark") == [["ou_1"]]
    assert world.called("slack") == [["@U1", "!here"]]
    assert world.called("discord") == [["42", "&77"]]
    assert world.tell([route], dict(event(status="resolved"), timestamp="2025-11-21T09:00:00Z"))["delivered"] == 5
    assert [world.called(name)[1] for name in world.servers] == [[]] * 5, "nobody is called when it is over"


def test_a_route_without_a_mention_leaves_it_to_the_channel_and_an_empty_one_calls_nobody(world):
    routes = [
        {"match": {"check": "quiet"}, "mention": []},
        {"match": {"check": "loud"}, "to": ["slack"], "mention": ["U1"]},
        {"to": ["slack", "ding"]},
    ]
    world.tell(routes, event("quiet", severity="critical"))
    assert [world.called(name) for name in world.servers] == [[[]]] * 5
    world.tell(routes, event("page", severity="critical"))
    assert (world.called("slack")[1], world.called("ding")[1]) == (["@U9"], ["9000000001"])
    world.tell(routes, event("a", severity="critical"), event("loud", severity="info"))
    assert sorted(world.called("slack")[2]) == ["@U1", "@U9"], "a list calls all who are called for any of it"


def test_who_is_called_when_nobody_has_acknowledged(world):
    routes = [{"to": ["ding"], "escalate": {"after": "10m", "to": ["slack"], "mention": ["U7"]}}]
    world.tell(routes, event(severity="info"))
    assert world.called("slack") == []
    world.now += 900
    world.tell(routes, looks=True)
    assert world.called("slack") == [["@U7"]]
    assert world.called("ding") == [[]]


def test_who_is_called_is_kept_with_the_message(world):
    """It waits in the store: another process that knows nothing of the routes sends it, and so does a replay."""
    server = world.servers["slack"]
    server.force = (404, {}, b"no_service")
    world.tell([{"to": ["slack"], "mention": ["U1"]}], event())
    server.force = None
    world.now += 120
    with world.store.unit() as unit:
        assert dead.act(unit, dead.read_wanted("replay", None, world.now))["number"] == 1
    assert notify.tell(world.store, world.channels, notify.Batch(), 10)["delivered"] == 1
    assert world.called("slack") == [["@U1"]]
    with world.store.view() as unit:
        assert unit.all("SELECT key FROM marks WHERE space = 'mention'") == []


def test_a_message_that_was_thrown_away_calls_nobody_for_the_next_one(world):
    """The store gives the number of its row to the next."""
    server = world.servers["slack"]
    server.force = (404, {}, b"no_service")
    world.tell([{"to": ["slack"], "mention": ["U1"]}], event("a"))
    server.force = None
    with world.store.unit() as unit:
        before = unit.one("SELECT MAX(id) FROM outbox")[0]
        assert dead.act(unit, dead.read_wanted("purge", None, world.now))["number"] == 1
    world.tell([{"to": ["slack"]}], event("b"))
    with world.store.view() as unit:
        assert unit.one("SELECT MAX(id) FROM outbox")[0] == before
    assert world.called("slack") == [[]]


def test_a_message_of_a_person_calls_too(world):
    world.tell([{"to": ["slack"], "mention": ["U1"]}], messages=[event(severity="info")])
    assert world.called("slack") == [["@U1"]]


def test_programs_are_told_nothing_of_it(tmp_path, store, listen):
    receiver = listen()
    channel = parse(f"{receiver.url}/#desk")
    policy = read_policy({"routes": [{"to": ["desk"], "mention": []}]})
    notify.tell(store, [channel], notify.Batch([event()]), 5, rules=Rules(policy))
    assert not [key for key in receiver.bodies[0] if key.startswith("_")]


@pytest.mark.parametrize(
    ("routes", "sentence"),
    [
        ([{"to": ["discord"], "mention": ["ann"]}], 'routes[0].mention is "ann", and discord can call nobody of that name'),
        ([{"to": ["desk"], "mention": ["ann"]}], 'routes[0].mention is "ann", and webhook can call nobody of that name'),
        (
            [{"to": ["slack"], "mention": {"discord": ["1"]}}],
            'routes[0].mention names the channel "discord", which the route does not tell.',
        ),
        (
            [{"to": ["slack"], "escalate": {"after": "5m", "to": "discord", "mention": "x"}}],
            'routes[0].escalate.mention is "x", and discord',
        ),
    ],
)
def test_who_cannot_be_called_is_refused(routes, sentence):
    channels = [parse("slack://T/B/X#slack"), parse("discord://12/abcdef#discord"), parse("http://127.0.0.1/#desk")]
    policy = read_policy({"routes": routes})
    check_channels(policy, {channel.name for channel in channels})
    with pytest.raises(PolicyError) as caught:
        callees.check(policy, channels)
    assert str(caught.value).startswith(sentence)


def test_a_list_for_several_chats_may_hold_names_of_each():
    channels = [parse("slack://T/B/X#slack"), parse("discord://12/abcdef#discord")]
    callees.check(read_policy({"routes": [{"mention": ["U1", "42"]}]}), channels)
