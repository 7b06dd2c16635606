# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dns_diff returned, as events in a real store."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import Route
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.diff import change
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_events
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_table import table
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, receipts
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

NOW = 1_800_000_000.0
STATS = {"names": 30, "seconds": 0.1, "changed": 0, "failed": 0}


@pytest.fixture
def tell(store_url):
    """tell(changes, failures, ...) -> the (check, status) that are told; each call is a minute later, or ``later`` seconds."""
    clock = [NOW]
    store = open_store(store_url, lambda: clock[0])

    def run(changes=(), failures=(), dry=False, later=60, **more):
        clock[0] += later
        outcome = {"changes": changes, "failures": failures, "stats": STATS, "against": "previous", "view": "", **more}
        with store.unit() as unit:
            steps = dns_events.commit(unit, ("web1", outcome, "vigil", clock[0]), [Route("ops")], lambda event: event, dry)
        return [(step.event["check"], step.event["status"]) for step in steps if step.event is not None and step.channels]

    run.store = store
    yield run
    store.close()


def changed(name, number=2, **more):
    found = change(name, "A", ["192.0.2.1"], [f"192.0.2.{number}"], nameserver="ns", time="2027-01-15T08:00:00Z", **more)
    return dict(found, id=f"{name}-{number}")


def failed(name, status="servfail"):
    return {"name": name, "type": "A", "status": status, "nameserver": "ns", "message": f"{name} failed"}


def test_a_change_is_told_once_whoever_brings_it_again(tell):
    assert tell([changed("www.test")]) == [("dns www.test A", "firing")]
    assert tell([changed("www.test")]) == []
    assert tell([changed("www.test", 3)]) == [("dns www.test A", "firing")]


def test_very_many_changes_of_one_run_are_one_event(tell):
    changes = [changed(f"n{number}.test") for number in range(25)]
    assert tell(changes) == [("dns changes", "firing")]
    later = dict(changed("later.test"), time="2027-01-15T08:05:00Z")
    assert tell([*changes, later]) == [("dns later.test A", "firing")]


def test_failures_are_alerts_until_the_name_answers(tell):
    assert tell(failures=[failed("www.test")]) == [("dns www.test A fails", "firing")]
    assert tell(failures=[failed("www.test", "timeout")]) == []
    assert tell(truncated=True) == []
    assert tell() == [("dns www.test A fails", "resolved")]


def test_very_many_failures_are_one_alert(tell):
    tell(failures=[failed("www.test")])
    many = [failed(f"n{number}.test") for number in range(30)] + [failed("www.test")]
    assert tell(failures=many) == [("dns names", "firing")]
    assert sorted(tell(failures=[failed("www.test")])) == [("dns names", "resolved")]
    assert tell() == [("dns www.test A fails", "resolved")]


def test_a_mass_is_an_alert(tell):
    mass = change("*", "*", (), (), kind="mass", message="40 of 50")
    assert tell([mass]) == [("dns mass change", "firing")] and tell([mass]) == []
    assert tell() == [("dns mass change", "resolved")]


def test_differences_are_alerts_while_they_last(tell):
    assert tell([changed("www.test")], against="zone") == [("dns www.test A differs", "firing")]
    assert tell() == []  # another comparison says nothing about it
    assert tell(against="zone") == [("dns www.test A differs", "resolved")]


def test_what_is_kept_is_received_in_the_same_unit(tell):
    tell([changed("www.test")], dry=True, batch="b1", receipt="web1:x")
    with tell.store.view() as unit:
        assert receipts.last(unit, "web1:x") is None and outbox.events(unit, None, 0, 9) == []
    tell([changed("www.test")], batch="b1", receipt="web1:x")
    with tell.store.view() as unit:
        assert receipts.last(unit, "web1:x") == "b1"


def test_table_is_short_and_printable():
    outcome = {
        "changes": [changed(f"n{number}.test") for number in range(30)],
        "failures": [failed("bad\x1b.test")],
        "stats": dict(STATS, changed=30),
    }
    lines = table(outcome, "DNS changes", 80).splitlines()
    assert lines[0] == "DNS changes" and len(lines) == 23 and lines[-1] == "  30 names: 30 changed (0.1 s)"
    assert lines[1].split() == ["changed", "n0.test", "A", "has", "changed", "from", "192.0.2.1", "to", "192.0.2.2"]
    assert "\x1b" not in table(dict(outcome, changes=[]), "DNS")


def test_one_alert_for_all_servers_that_differ(tell):
    two = [dict(changed("www.test"), message=f"ns{number} differs") for number in (1, 2)]
    assert tell(two, against="nameservers") == [("dns www.test A differs", "firing")]
    with tell.store.view() as unit:
        (entry,) = outbox.events(unit, None, 0, 10)
    assert "ns1 differs" in entry["message"] and "ns2 differs" in entry["message"]
    assert "should be 192.0.2.1 and is 192.0.2.2" in entry["message"]


def test_what_was_not_looked_at_is_not_over(tell):
    assert tell([changed("www.test")], against="expected") == [("dns www.test A differs", "firing")]
    assert tell([], [failed("www.test")], against="expected") == [("dns www.test A fails", "firing")]
    assert tell([], [], against="expected") == [("dns www.test A differs", "resolved"), ("dns www.test A fails", "resolved")]


def test_a_mass_is_not_over_while_nothing_can_be_looked_at(tell):
    mass = dict(changed("*"), kind="mass", message="very many")
    assert tell([mass]) == [("dns mass change", "firing")]
    down = [failed(f"n{number}.test") for number in range(25)]
    assert tell([], down) == [("dns names", "firing")]
    assert tell([], [], stats=dict(STATS, unchanged=25)) == [("dns mass change", "resolved"), ("dns names", "resolved")]


def test_very_many_differences_do_not_resolve_a_single_one(tell):
    assert tell([changed("n0.test")], against="zone") == [("dns n0.test A differs", "firing")]
    many = [changed(f"n{number}.test") for number in range(25)]
    assert tell(many, against="zone") == [("dns differences", "firing")]


def test_messages_for_many_count_what_a_result_leaves_out(tell):
    stats = dict(STATS, changed=5000)
    tell([changed(f"n{number}.test") for number in range(25)], truncated=True, stats=stats)
    with tell.store.view() as unit:
        (entry,) = outbox.events(unit, None, 0, 10)
    assert entry["message"].startswith("5000 DNS records have changed: ") and "and 4990 more" in entry["message"]


def test_what_a_result_leaves_out_is_told_in_a_word(tell):
    outcome = {"truncated": True, "stats": dict(STATS, changed=7, returned_again=2)}
    assert tell([changed("a.test"), changed("b.test")], **outcome) == [
        ("dns a.test A", "firing"),
        ("dns b.test A", "firing"),
        ("dns changes", "firing"),
    ]
    with tell.store.view() as unit:
        assert "7 more DNS records have changed" in str([entry["message"] for entry in outbox.events(unit, None, 0, 10)])


def test_what_two_watches_see_is_over_when_neither_sees_it(tell):
    """The name differs for both; the one that saw it first sees it no more, while the other one does."""
    at_once = {"against": "expected", "later": 0}
    assert tell([changed("www.test")], scope="one", against="expected") == [("dns www.test A differs", "firing")]
    assert tell([changed("www.test")], scope="two", against="expected") == []
    assert tell([], scope="one", **at_once) == []
    assert tell([], scope="two", against="expected") == []
    assert tell([], scope="one", **at_once) == [("dns www.test A differs", "resolved")]
