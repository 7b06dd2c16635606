# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From results to what is told, on a real store and a real file."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import elsewhere, history, notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, owner
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, open_store

NOW = 1_763_692_800.0


def outcome(**statuses):
    return {"results": [new_result(name, status=status, summary=name) for name, status in statuses.items()], "score": 1.0, "changed": False}


def told(events):
    return [(event["instance"], event["check"], event["status"], event["severity"]) for event in events if event["status"] == "firing"]


def test_events_of_results():
    results = {
        "web1": outcome(disk="critical", cpu="warning", ram="unknown", net="skipped", ssh="ok"),
        "web2": {"unreachable": True, "msg": "no\nroute"},
        "web3": {"failed": True, "msg": "boom"},
        "web4": {"skipped": True},
        "web5": None,
    }
    events = notify.events_of_results(results, "vigil", NOW)
    assert told(events) == [
        ("web1", "disk", "firing", "error"),
        ("web1", "cpu", "firing", "warning"),
        ("web1", "ram", "firing", "warning"),
        ("web2", "reachable", "firing", "critical"),
        ("web3", "inspection", "firing", "error"),
    ]
    assert {(event["instance"], event["check"]) for event in events if event["status"] == "resolved"} == {
        ("web1", "reachable"),
        ("web1", "inspection"),
        ("web1", "ssh"),
        ("web3", "reachable"),
    }
    assert [event["message"] for event in events if event["instance"] == "web2"] == ["no route"]


@pytest.fixture
def world(tmp_path):
    path = tmp_path / "events.jsonl"

    def lines():
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    with open_store(str(tmp_path / "state.db")) as store:
        yield store, parse(f"file://{path}#ops"), lines


def batch(clock, **statuses):
    return notify.Batch(notify.events_of_results({"web1": outcome(**statuses)}, "vigil", clock()))


def test_tell_and_resolve(world):
    store, channel, lines = world
    first = notify.tell(store, [channel], batch(store.clock, disk="critical"))
    assert (first["delivered"], first["queued"], first["dropped"]) == (1, 0, 0)
    assert first["channels"][0]["status"] == "delivered"
    assert first["channels"][0]["channel"].startswith("ops (file:///")
    again = notify.tell(store, [channel], batch(store.clock, disk="critical"))
    assert (again["delivered"], again["channels"][0]["status"], again["events"]) == (0, "nothing", [])
    assert notify.tell(store, [channel], batch(store.clock, disk="ok"))["delivered"] == 1
    assert [line["status"] for line in lines()] == ["firing", "resolved"]
    assert lines()[0]["alert_id"] == lines()[1]["alert_id"]


def test_a_host_that_comes_back(world):
    store, channel, lines = world
    for result in ({"unreachable": True, "msg": "gone"}, {"failed": True, "msg": "boom"}, outcome(disk="ok")):
        notify.tell(store, [channel], notify.Batch(notify.events_of_results({"web1": result}, "vigil", store.clock())))
    assert [(line["check"], line["status"]) for line in lines()] == [
        ("reachable", "firing"),
        ("reachable", "resolved"),
        ("inspection", "firing"),
        ("inspection", "resolved"),
    ]


def test_messages_are_always_told_and_secrets_never(world):
    store, _channel, lines = world
    channel = _channel
    secret = parse("wecom://SECRET-KEY-0001?endpoint=http://127.0.0.1:1")
    message = new_event("s", "i", "title", store.clock(), message="the key is SECRET-KEY-0001")
    for _number in range(2):
        notify.tell(store, [channel, secret], notify.Batch((), [message]), seconds=0.5)
    assert [line["message"] for line in lines()] == ["the key is ********"] * 2
    assert lines()[0]["event_id"] != lines()[1]["event_id"]


def test_what_another_process_sends_is_not_said_to_be_left(world):
    store, _channel, _lines = world
    channel = parse("http://127.0.0.1:1/#ops")
    notify.bind([channel], store.salt)
    committed = store.run(lambda unit: notify.commit(unit, [channel], batch(store.clock, disk="critical", cpu="critical")))
    node = owner.this_process().partition("/")[0]
    store.run(lambda unit: outbox.hold(unit, committed.rows[:1], [channel.key], f"{node}/1/1#2", store.clock() + 60))
    (notice,) = notify.left_over(store, [channel], {})
    assert notice.startswith("1 message for ops (")
    store.run(lambda unit: outbox.hold(unit, committed.rows, [channel.key], f"{node}/1/1#2", store.clock() + 60))
    assert notify.left_over(store, [channel], {}) == []
    store.run(lambda unit: outbox.hold(unit, committed.rows, [channel.key], f"{owner.this_process()}#2", store.clock() + 60))
    assert len(notify.left_over(store, [channel], {})) == 1


def test_orphans_are_named(world):
    store, channel, _lines = world
    old = parse("http://127.0.0.1:1/#old")
    notify.tell(store, [old], batch(store.clock, disk="critical"), seconds=0.5)
    notices = notify.tell(store, [channel], notify.Batch())["notices"]
    assert notices == ['1 message for the channel "old" stays queued: it is not among the channels given here.']
    assert notify.tell(store, [channel], notify.Batch())["notices"] == [], "it is said once a day"


def test_a_channel_that_another_process_serves_is_no_orphan(world):
    store, channel, _lines = world
    served = parse("http://127.0.0.1:1/#served")
    notify.tell(store, [served], batch(store.clock, disk="critical"), seconds=0.5)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        born = owner._seen(other.pid)[1]
        name = owner.this_process().rsplit("/", 2)[0] + f"/{other.pid}/{born}#1"
        store.run(lambda unit: outbox.wake(unit, [served.key], owner.is_alive, name))
        assert notify.tell(store, [channel], notify.Batch())["notices"] == []
        other.communicate(b"\n")
    assert len(notify.tell(store, [channel], notify.Batch())["notices"]) == 1


def test_preview_writes_nothing(world, tmp_path):
    store, channel, lines = world
    nothing = tmp_path / "none" / "state.db"
    shown = notify.preview(str(nothing), [channel], batch(store.clock, disk="critical", cpu="ok"), store.clock)
    assert [event["check"] for event in shown["events"]] == ["disk"]
    assert shown["channels"][0]["status"] == "would tell"
    assert not nothing.parent.exists()
    notify.tell(store, [channel], batch(store.clock, disk="critical"))
    shown = notify.preview(store.path, [channel], batch(store.clock, disk="critical"), store.clock)
    assert (shown["events"], shown["channels"][0]["status"]) == ([], "nothing")
    shown = notify.preview(store.path, [channel], batch(store.clock, disk="ok"), store.clock)
    assert [event["status"] for event in shown["events"]] == ["resolved"]
    assert len(lines()) == 1


def test_history(world):
    store, channel, _lines = world
    notify.tell(store, [channel], batch(store.clock, disk="critical"))
    found, notices = history.history(store.path, "events", "web*", "1h", 10)
    assert ([entry["check"] for entry in found], notices) == (["disk"], [])
    assert history.history(store.path, "events", None, "2001-01-01T00:00:00Z", 10)[0] == found
    assert history.history(store.path, "events", "db*", None, 10)[0] == []
    found, notices = history.history(store.path + ".none", "events", None, None, 10)
    assert found == []
    assert "There is no state file" in notices[0]
    for since, limit, words in (("soon", 1, "soon"), ("2026-13-01T00:00:00Z", 1, "write how long ago"), (None, 0, "limit is 0")):
        with pytest.raises(ValueError, match=words):
            history.history(store.path, "events", None, since, limit)
    with pytest.raises(StateError):
        history.history("nowhere", "events", None, None, 1)


TOKEN = "hook-token-0ec2s1fa5"


@pytest.mark.parametrize("word", ["status", "message", "events", "critical", "firing", "disk", "web1", "check", "labels"])
def test_an_ordinary_word_in_a_url_destroys_no_event(world, word):
    store, channel, lines = world
    secret = parse(f"http://127.0.0.1:1/{word}/{TOKEN}?secret={word}#{word}")
    secret.secrets |= {word}
    found = notify.tell(store, [channel, secret], batch(store.clock, disk="critical"), seconds=0.5)
    assert set(found) == {"delivered", "queued", "collected", "dropped", "channels", "events", "muted", "notices"}
    event = lines()[0]
    assert set(event) == set(new_event("s", "i", "c", NOW))
    assert (event["status"], event["severity"], event["service"], event["instance"], event["check"]) == (
        "firing", "error", "vigil", "web1", "disk",
    )  # fmt: skip
    assert notify.tell(store, [channel], batch(store.clock, disk="ok"))["delivered"] == 1


def test_tokens_are_in_no_text_of_an_event():
    event = new_event(
        "s", f"i {TOKEN}", f"c {TOKEN}", NOW,
        message=f"m {TOKEN} letmein", labels={"l": "letmein"}, annotations={"letmein": "letmein"},
        observed={"letmein": ["letmein", 5]}, failed=[{"path": "letmein", "expected": "x", "observed": {"a": "letmein"}}], caused_by=TOKEN,
    )  # fmt: skip
    hidden = notify.hidden(event, {TOKEN, "letmein"})
    assert TOKEN not in json.dumps(hidden)
    assert (hidden["message"], hidden["labels"], hidden["annotations"]) == (
        "m ******** ********",
        {"l": "********"},
        {"letmein": "********"},
    )
    assert hidden["context"]["observed"] == {"letmein": ["********", 5]}
    assert hidden["context"]["failed"] == [{"path": "letmein", "expected": "x", "observed": {"a": "********"}}]
    assert hidden["fingerprint"] == event["fingerprint"]


def test_preview_of_a_damaged_store(world, tmp_path):
    _store, channel, _lines = world
    damaged = tmp_path / "damaged.db"
    for content in (b"short", b"no database at all" * 1000):
        damaged.write_bytes(content)
        shown = notify.preview(str(damaged), [channel], batch(_store.clock, disk="critical"), _store.clock)
        assert [event["check"] for event in shown["events"]] == ["disk"]
        assert str(damaged) in shown["notices"][0]
        assert shown["notices"][0].endswith("The next run that writes there sets it aside and begins a new one.")
        assert damaged.read_bytes() == content


def test_preview_refuses_a_place_that_cannot_be_written(world, tmp_path):
    store, channel, _lines = world
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateError, match="a part of its path is not a directory"):
        notify.preview(str(tmp_path / "file" / "deep" / "state.db"), [channel], notify.Batch(), store.clock)
    assert sorted(os.listdir(tmp_path)) == ["file", "state.db", "state.db-shm", "state.db-wal"]


def test_what_is_not_told_is_said(world, tmp_path):
    store, channel, _lines = world
    dead = parse("http://127.0.0.1:1/hook")
    events = notify.events_of_results({"web1": outcome(disk="critical", cpu="critical")}, "vigil", store.clock())
    notices = notify.tell(store, [channel, dead], notify.Batch(events), seconds=1.0)["notices"]
    assert len(notices) == 1
    assert notices[0].startswith("2 messages for http://127.0.0.1:1/******** could not be sent yet: ")
    assert notices[0].endswith(f"They stay in {store.path} and go out with the next run, or with vigil.ops.notify and flush.")


def test_what_nobody_serves_for_a_week_is_given_up(tmp_path):
    now = [NOW]
    old, other = parse("http://127.0.0.1:1/#old"), parse(f"file://{tmp_path}/events.jsonl#ops")
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        notify.tell(store, [old], notify.Batch(notify.events_of_results({"web1": outcome(disk="critical")}, "vigil", NOW)), seconds=0.5)
        said = []
        for day in range(1, 10):
            now[0] = NOW + day * 86400.0 + 60
            said.append(notify.tell(store, [other], notify.Batch())["notices"])
        assert ["stays queued" in " ".join(lines) for lines in said] == [True] * 6 + [False] * 3
        assert "waited for a week in which nobody served it" in said[6][0]
        assert said[7:] == [[], []]
    found, _notices = history.history(str(tmp_path / "state.db"), "dead", None, None, 10)
    assert [(entry["channel"], entry["code"], entry["check"]) for entry in found] == [("old", "expired", "disk")]


def test_a_channel_that_is_served_keeps_its_queue(tmp_path):
    now = [NOW]
    old, other = parse("http://127.0.0.1:1/#old"), parse(f"file://{tmp_path}/events.jsonl#ops")
    with open_store(str(tmp_path / "state.db"), clock=lambda: now[0]) as store:
        notify.tell(store, [old], notify.Batch(notify.events_of_results({"web1": outcome(disk="critical")}, "vigil", NOW)), seconds=0.5)
        for day in (6, 9):
            now[0] = NOW + day * 86400.0
            notify.tell(store, [old], notify.Batch(), seconds=0.5)
            assert len(notify.tell(store, [other], notify.Batch())["notices"]) == 1
        now[0] = NOW + 30 * 86400.0
        assert notify.tell(store, [old], notify.Batch(), seconds=0.5)["queued"] == 1, "its own run never gives it up"


def test_hosts_whose_names_are_no_text(world):
    store, channel, lines = world
    for status in ("critical", "ok"):
        events = notify.events_of_results({"web\udcff": outcome(**{"disk\udcff": status})}, "vigil", store.clock())
        assert notify.tell(store, [channel], notify.Batch(events))["delivered"] == 1
    assert [(line["instance"], line["check"], line["status"]) for line in lines()] == [
        ("web\\xff", "disk\\xff", "firing"),
        ("web\\xff", "disk\\xff", "resolved"),
    ]


def test_children_on_other_hosts_are_not_told_and_their_end_is(world):
    """N children that go down with their parent are one notice; an alert of a child from before ends whatever the parent does."""
    store, channel, lines = world

    def look(parent, *children):
        results = {"db1": {"results": [new_result("postgres", status=parent, summary="s")], "score": 1.0}}
        for number, status in enumerate(children):
            child = new_result("page", status=status, summary="s", depends_on=["db1:postgres"])
            results[f"web{number}"] = {"results": [child], "score": 1.0}
        before = len(lines())
        notify.tell(store, [channel], notify.Batch(notify.events_of_results(results, "vigil", store.clock())))
        return sorted((event["status"], event["instance"]) for event in lines()[before:])

    assert look("ok", "critical", "ok", "ok") == [("firing", "web0")]
    assert look("critical", "critical", "critical", "critical") == [("firing", "db1")]
    assert look("critical", "ok", "critical", "critical") == [("resolved", "web0")]
    assert look("ok", "ok", "ok", "critical") == [("firing", "web2"), ("resolved", "db1")]
    assert look("ok", "ok", "ok", "ok") == [("resolved", "web2")]


def test_the_notice_of_the_parent_names_what_fails_along_with_it():
    child = new_result("page", status="critical", summary="refused", depends_on=["db1:postgres"])
    results = {f"web{number}": {"results": [child], "score": 0.0} for number in range(7)}
    parent = {"results": [new_result("postgres", status="critical", summary="it is down")], "score": 0.0}
    (event,) = [one for one in notify.events_of_results(dict(results, db1=parent), "vigil", NOW) if one["status"] == "firing"]
    assert event["message"] == ("it is down; 7 checks fail along with it (web0:page, web1:page, web2:page, web3:page, web4:page, ...)")
    gone = {"web1": results["web1"], "db1": {"unreachable": True, "msg": "no route"}}
    (event,) = [one for one in notify.events_of_results(gone, "vigil", NOW) if one["status"] == "firing"]
    assert (event["check"], event["message"]) == ("reachable", "no route; 1 check fails along with it (web1:page)")


def test_an_open_alert_of_a_host_that_is_not_looked_at_explains_its_children(world):
    store, channel, lines = world
    parent = {"db1": {"results": [new_result("postgres", status="critical", summary="down")], "score": 0.0}}
    child = {"web1": {"results": [new_result("page", status="critical", summary="down", depends_on=["db1:postgres"])], "score": 0.0}}

    def told(results, url=store.path):
        before = len(lines())
        events = notify.events_of_results(results, "vigil", store.clock(), elsewhere.failing(url, results))
        notify.tell(store, [channel], notify.Batch(events))
        return [(event["status"], event["instance"]) for event in lines()[before:]]

    assert told(parent) == [("firing", "db1")]
    assert told(child) == []
    parent["db1"]["results"][0]["status"] = "ok"
    assert told(parent) == [("resolved", "db1")]
    assert told(child) == [("firing", "web1")]
    with store.unit() as unit:
        unit.execute("UPDATE episodes SET open = 1, last_at = ? WHERE instance = 'db1'", (store.clock() - 2 * 86400,))
    assert elsewhere.failing(store.path, child) == set()
    assert elsewhere.failing(None, child) == elsewhere.failing(store.path + ".none", child) == set()
