# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of DNS names, in a real store."""

from __future__ import annotations

import sqlite3

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import dns, entries, receipts, retention, schema
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

DAY = 86400.0
TAIL = b"\3www\4test\0\0\1\0\1"


@pytest.fixture
def clock():
    class Clock:
        now = 1_800_000_000.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def store(store_url, clock):
    with open_store(store_url, clock) as opened:
        yield opened


def change(name="www.test", after=("192.0.2.2",)):
    return {
        "name": name,
        "type": "A",
        "kind": "changed",
        "before": ["192.0.2.1"],
        "after": list(after),
        "status": "noerror",
        "nameserver": "127.0.0.1:53",
        "message": "",
    }


def test_records_come_back_as_they_were(store):
    record = dns.Record(
        "noerror", ("192.0.2.1", "192.0.2.2"), b"p" * 40, (b"q", b"r" * 40), {"pool": {"values": [["b", 1], ["a", 2]]}}, 5.0
    )
    with store.unit(durable=True) as unit:
        dns.save(unit, "v", [(TAIL, record)])
    with store.view() as unit:
        assert dns.get(unit, "v", TAIL) == record and dns.get(unit, "", TAIL) is None
        many = [TAIL] * (dns.FEW + 1)
        assert dns.prints(unit, "v", [TAIL]) == dns.prints(unit, "v", many) == ({TAIL: b"p" * 40}, {TAIL: (b"q", b"r" * 40)})
        assert dns.below(unit, "v", b"\4test\0") == [TAIL] and dns.below(unit, "v", b"\3est\0") == []


def test_changes_are_open_until_their_batch_or_a_later_one_is_acknowledged(store):
    with store.unit() as unit:
        dns.add_changes(unit, "v", [change("a.test")], dns.new_batch(unit, "v", "one"))
    with store.unit() as unit:
        dns.add_changes(unit, "v", [change("b.test")], dns.new_batch(unit, "v", "two"))
        dns.add_changes(unit, "w", [change("c.test")], dns.new_batch(unit, "w", "three"))
        assert [one["name"] for one in dns.pending(unit, "v")] == ["a.test", "b.test"]
        assert [one["name"] for one in dns.pending(unit, "v", "one")] == ["b.test"]
        assert dns.acknowledge(unit, "v", "three") == 0 and dns.acknowledge(unit, "v", "nothing") == 0
        assert dns.acknowledge(unit, "v", "two") == 2 and dns.pending(unit, "v") == []
        assert dns.acknowledge(unit, "v", "one") == 0 and len(dns.pending(unit, "w")) == 1


def test_history_lists_changes_of_names(store, clock):
    with store.unit() as unit:
        dns.add_changes(unit, "v", [change()], 1)
        clock.now += 10
    with store.unit() as unit:
        dns.add_changes(unit, "v", [change("mail.test", [])], 2)
        found = entries.entries(unit, "changes")
        assert [(one["name"], one["before"], one["after"], one["view"]) for one in found] == [
            ("mail.test", ["192.0.2.1"], [], "v"),
            ("www.test", ["192.0.2.1"], ["192.0.2.2"], "v"),
        ]
        assert [one["name"] for one in entries.entries(unit, "changes", "www*")] == ["www.test"]
        assert entries.entries(unit, "changes", since=clock.now - 5, limit=5)[0]["time"] == found[0]["time"]


def test_what_nobody_asks_for_is_forgotten_and_open_changes_stay(store, clock):
    other = b"\1x\0\0\1\0\1"
    with store.unit() as unit:
        dns.save(unit, "", [(TAIL, dns.Record("noerror", ("192.0.2.1",))), (other, dns.Record("nodata", ()))])
        dns.add_changes(unit, "", [change("open.test")], 1)
        dns.add_changes(unit, "", [change("told.test")], 1, open_=False)
        assert dns.is_untouched(unit, "", [TAIL])
        dns.touch(unit, "", [], [TAIL])
        assert not dns.is_untouched(unit, "", [TAIL])
    clock.now += 60 * DAY
    with store.unit() as unit:
        assert dns.is_untouched(unit, "", [TAIL])
        dns.touch(unit, "", [TAIL], [TAIL])
    clock.now += 40 * DAY
    with store.unit() as unit:
        while not retention.step(unit):
            pass
        assert dns.get(unit, "", TAIL) is not None and dns.get(unit, "", other) is None
        assert [one["name"] for one in dns.listing(unit, None, 0, 9)] == ["open.test"]


def test_a_store_of_the_first_version_is_brought_up(tmp_path):
    path = tmp_path / "old.db"
    raw = sqlite3.connect(path)
    for statement in schema.STEP_1:
        raw.execute(statement)
    raw.execute("INSERT INTO meta VALUES ('salt', 'abc')")
    raw.execute("PRAGMA user_version = 1")
    raw.commit()
    raw.close()
    with open_store(f"sqlite:///{path}") as store, store.unit() as unit:
        dns.save(unit, "", [(TAIL, dns.Record("noerror", ("192.0.2.1",)))])
        assert store.salt == "abc" and dns.get(unit, "", TAIL).rdata == ("192.0.2.1",)


def test_receipts(store):
    key = receipts.key("web1", "", "default")
    assert key != receipts.key("web1", "inside", "default")
    with store.unit() as unit:
        assert receipts.last(unit, key) is None
        receipts.receive(unit, key, "b1")
        assert receipts.last(unit, key) == "b1"
