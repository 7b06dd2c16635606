# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dns_diff against a real nsd and servers that answer what a test makes."""

from __future__ import annotations

import itertools
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_diff import Refusal, dns_diff, read
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import dns as state
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

ZONE = "example.test"
NAMES = ["www.example.test", "mail.example.test", "none.example.test"]
TEXT = "www A 192.0.2.1\nwww A 192.0.2.2\nmail A 192.0.2.3\n"


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/state.db") as opened:
        yield opened


@pytest.fixture
def look(store):
    """look(server, ..., **options) -> result, with state of its own; servers are objects with address, or texts."""

    def run(*servers, check_mode=False, **options):
        given = {"names": NAMES, "nameservers": [getattr(server, "address", server) for server in servers], "timeout": "1s", **options}
        return dns_diff(read(given), store, check_mode)

    return run


def brief(result):
    return [(one["name"], one["kind"], one["before"], one["after"]) for one in result["changes"]]


def counts(result):
    return {key: value for key, value in result["stats"].items() if value and key not in ("seconds", "qps", "queries", "names")}


class Fake:
    """A handler of `fake_dns`: what each name answers, as texts of A records; None is NXDOMAIN, "servfail" and the like a failure."""

    def __init__(self, **answers):
        self.answers = answers
        self.soa = True
        self.aa = True
        self.asked = []

    def __call__(self, query, transport):
        query = dns.message.from_wire(query) if isinstance(query, bytes) else query
        question = query.question[0]
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA if self.aa else 0
        name = question.name.to_text().split(".")[0].lower()
        kind = question.rdtype
        self.asked.append((name, int(kind)))
        answer = self.answers.get(name)
        answer = answer() if callable(answer) else answer
        if kind == 1 and isinstance(answer, str):
            reply.set_rcode(dns.rcode.from_text(answer))
        elif kind == 1 and answer:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", *answer))
        else:
            if answer is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            if self.soa:
                reply.authority.append(dns.rrset.from_text(f"{ZONE}.", 60, "IN", "SOA", "ns. host. 1 2 3 4 5"))
        return reply.to_wire()


def test_first_sight_is_learned_and_the_same_is_no_change(nsd, look):
    server = nsd({ZONE: TEXT})
    first = look(server)
    assert not first["changed"] and first["changes"] == []
    assert counts(first) == {"learned": 3}
    again = look(server)
    assert not again["changed"] and counts(again) == {"unchanged": 3}


def test_a_change_is_told_until_it_is_acknowledged(nsd, look):
    server = nsd({ZONE: TEXT})
    look(server)
    server.set_zone(ZONE, "www A 192.0.2.1\nwww A 192.0.2.9\nmail A 192.0.2.3\nnone A 192.0.2.4\n")
    found = look(server)
    assert found["changed"]
    assert brief(found) == [
        ("none.example.test", "added", [], ["192.0.2.4"]),
        ("www.example.test", "changed", ["192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.9"]),
    ]
    www = next(one for one in found["changes"] if one["name"].startswith("www"))
    assert (www["added"], www["removed"], www["status"]) == (["192.0.2.9"], ["192.0.2.2"], "noerror")
    assert www["nameserver"] == server.address and www["time"] and www["id"]
    lost = look(server)
    assert [one["id"] for one in lost["changes"]] == [one["id"] for one in found["changes"]]
    assert counts(lost) == {"unchanged": 3, "returned_again": 2}
    received = look(server, batch=lost["batch"])
    assert received["changes"] == [] and received["batch"] == ""


def test_order_case_ttl_and_duplicates_are_no_change(nsd, look):
    server = nsd({ZONE: TEXT})
    look(server)
    server.set_zone(ZONE, "WWW 7 A 192.0.2.2\nwww 7 A 192.0.2.1\nwww 7 A 192.0.2.1\nMail 99 A 192.0.2.3\n")
    found = look(server)
    assert not found["changed"] and counts(found) == {"unchanged": 3}


def test_failures_keep_the_state(fake_dns, look):
    fake = Fake(www=["192.0.2.1"], mail=["192.0.2.2"])
    server = fake_dns(fake)
    look(server)
    for status in ("servfail", "refused", "notimp", "formerr"):
        fake.answers["www"] = status
        found = look(server, retries=0)
        assert not found["changed"]
        assert [(one["name"], one["status"]) for one in found["failures"]] == [("www.example.test", status)]
        assert server.address in found["failures"][0]["nameserver"]
    fake.answers["www"] = ["192.0.2.1"]
    found = look(server)
    assert not found["changed"] and found["failures"] == []


def test_a_first_failure_learns_nothing(fake_dns, look):
    fake = Fake(www="servfail")
    server = fake_dns(fake)
    assert counts(look(server, names=["www.example.test"], retries=0)) == {"failed": 1}
    fake.answers["www"] = ["192.0.2.1"]
    assert counts(look(server, names=["www.example.test"])) == {"learned": 1}


def test_a_removal_needs_a_zone_that_stands_behind_it(fake_dns, look):
    fake = Fake(www=["192.0.2.1"])
    server = fake_dns(fake)
    names = ["www.example.test"]
    look(server, names=names)
    fake.answers["www"], fake.soa = None, False
    found = look(server, names=names)
    assert not found["changed"] and found["failures"][0]["status"] == "lame"
    fake.soa = True
    found = look(server, names=names)
    assert brief(found) == [("www.example.test", "removed", ["192.0.2.1"], [])]
    assert found["changes"][0]["status"] == "nxdomain"


def test_what_is_not_seen_again_is_no_change(fake_dns, look):
    seen = iter([["192.0.2.1"], ["192.0.2.66"], ["192.0.2.1"]])
    fake = Fake(www=lambda: next(seen))
    server = fake_dns(fake)
    names = ["www.example.test"]
    look(server, names=names)
    found = look(server, names=names)
    assert not found["changed"] and counts(found) == {"unconfirmed": 1}
    fake.answers["www"] = ["192.0.2.1"]
    assert counts(look(server, names=names)) == {"unchanged": 1}


def test_confirming_asks_another_server(fake_dns, look):
    good, bad = Fake(www=["192.0.2.1"]), Fake(www=["192.0.2.1"])
    servers = [fake_dns(good), fake_dns(bad)]
    names = ["www.example.test"]
    look(*servers, names=names)
    bad.answers["www"] = ["192.0.2.66"]
    results = [look(*servers, names=names) for _run in range(2)]
    assert not any(result["changed"] for result in results)
    good.answers["www"] = ["192.0.2.66"]
    assert brief(look(*servers, names=names)) == [("www.example.test", "changed", ["192.0.2.1"], ["192.0.2.66"])]


def test_a_mass_change_is_one_entry_until_it_is_accepted(nsd, look):
    names = [f"n{number}.example.test" for number in range(20)]
    server = nsd({ZONE: "".join(f"n{number} A 192.0.2.1\n" for number in range(20))})
    look(server, names=names)
    server.set_zone(ZONE, "".join(f"n{number} A 192.0.2.{1 + (number < 7)}\n" for number in range(20)))
    for _run in range(2):
        found = look(server, names=names)
        assert [one["kind"] for one in found["changes"]] == ["mass"]
        assert counts(found) == {"unchanged": 13, "held": 7}
        assert "max_change_percent: 100" in found["changes"][0]["message"]
    assert len({one["id"] for one in found["changes"]}) == 1
    accepted = look(server, names=names, max_change_percent=100)
    assert len(accepted["changes"]) == 7 and {one["kind"] for one in accepted["changes"]} == {"changed"}
    assert not look(server, names=names, batch=accepted["batch"])["changed"]


def test_few_names_are_no_mass(nsd, look):
    names = [f"n{number}.example.test" for number in range(9)]
    server = nsd({ZONE: "".join(f"n{number} A 192.0.2.1\n" for number in range(9))})
    look(server, names=names)
    server.set_zone(ZONE, "".join(f"n{number} A 192.0.2.2\n" for number in range(9)))
    found = look(server, names=names)
    assert len(found["changes"]) == 9, found


def test_a_record_that_goes_back_and_forth_is_told_once(fake_dns, look):
    fake = Fake()
    server = fake_dns(fake)
    kinds, batch = [], ""
    for number in range(16):
        fake.answers["www"] = ["192.0.2.1"] if number % 2 == 0 else ["192.0.2.2"]
        found = look(server, names=["www.example.test"], batch=batch)
        batch = found["batch"] or batch
        kinds.append([one["kind"] for one in found["changes"]])
    assert kinds == [[], ["changed"], ["changed"], ["flapping"]] + [[]] * 12
    fake.answers["www"] = ["192.0.2.66"]
    found = look(server, names=["www.example.test"], batch=batch)
    assert brief(found)[0][1:] == ("changed", ["192.0.2.2"], ["192.0.2.66"])  # what it never showed before is news


def test_a_flapping_record_that_rests_elsewhere_is_told(fake_dns, look):
    fake = Fake()
    server = fake_dns(fake)
    batch, told = "", []
    for value in [1, 2, 1, 2, 1, 2] + [2] * 6:
        fake.answers["www"] = [f"192.0.2.{value}"]
        found = look(server, names=["www.example.test"], batch=batch)
        batch = found["batch"] or batch
        told += [(one["kind"], one["before"], one["after"]) for one in found["changes"]]
    one, two = ["192.0.2.1"], ["192.0.2.2"]
    assert told == [("changed", one, two), ("changed", two, one), ("flapping", one, two), ("changed", one, two)]


def test_check_mode_compares_and_keeps_nothing(nsd, look, store):
    server = nsd({ZONE: TEXT})
    assert counts(look(server, check_mode=True)) == {"learned": 3}
    assert counts(look(server, check_mode=True)) == {"learned": 3}
    look(server)
    server.set_zone(ZONE, "www A 192.0.2.7\nmail A 192.0.2.3\n")
    for _run in range(2):
        found = look(server, check_mode=True)
        assert brief(found) == [("www.example.test", "changed", ["192.0.2.1", "192.0.2.2"], ["192.0.2.7"])]
    with store.view() as unit:
        assert state.listing(unit, None, 0, 10) == []
    assert len(look(server)["changes"]) == 1


def test_results_are_bounded_and_history_has_the_rest(nsd, look, store):
    names = [f"n{number}.example.test" for number in range(30)]
    server = nsd({ZONE: "".join(f"n{number} A 192.0.2.1\n" for number in range(30))})
    look(server, names=names)
    server.set_zone(ZONE, "".join(f"n{number} A 192.0.2.2\n" for number in range(30)))
    found = look(server, names=names, max_change_percent=100, max_results=4)
    assert len(found["changes"]) == 4 and found["truncated"] and found["stats"]["changed"] == 30
    with store.view() as unit:
        assert len(state.listing(unit, None, 0, 100)) == 30


def test_difference_as_text(nsd, look):
    server = nsd({ZONE: TEXT})
    look(server)
    server.set_zone(ZONE, "www A 192.0.2.2\nwww A 192.0.2.9\nmail A 192.0.2.3\n")
    found = look(server)["diff"]
    assert found["before"] == "www.example.test A 192.0.2.1\nwww.example.test A 192.0.2.2\n"
    assert found["after"] == "www.example.test A 192.0.2.2\nwww.example.test A 192.0.2.9\n"


def test_views_do_not_mix(nsd, look):
    inside, outside = nsd({ZONE: "www A 10.0.0.1\n"}), nsd({ZONE: "www A 192.0.2.1\n"})
    for _run in range(2):
        assert not look(inside, names=["www.example.test"], view="inside")["changed"]
        assert not look(outside, names=["www.example.test"], view="outside")["changed"]


def test_two_runs_at_once_report_a_change_once(nsd, look, store, tmp_path):
    server = nsd({ZONE: TEXT})
    look(server)
    for number in range(5, 11):
        server.set_zone(ZONE, f"www A 192.0.2.{number}\nmail A 192.0.2.3\n")

        def run():
            with open_store(store.url) as own:
                dns_diff(read({"names": NAMES, "nameservers": [server.address]}), own)

        threads = [threading.Thread(target=run) for _run in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with store.view() as unit:
        told = [(one["before"], one["after"]) for one in state.pending(unit, "")]
    assert [after for _before, after in told] == [[f"192.0.2.{number}"] for number in range(5, 11)]
    assert [before for before, _after in told[1:]] == [after for _before, after in told[:-1]]


def test_tolerated_addresses_are_no_change(fake_dns, look):
    fake = Fake(www=["192.0.2.1"], mail=["198.51.100.1"])
    server = fake_dns(fake)
    names = NAMES[:2]
    tolerance = [{"names": ["www.*"]}, {"names": ["mail.*"], "networks": ["203.0.113.0/24"]}]
    look(server, names=names, tolerance=tolerance)
    fake.answers.update(www=["192.0.2.200"], mail=["203.0.113.9"])
    assert not look(server, names=names, tolerance=tolerance)["changed"]
    fake.answers.update(www=["192.0.3.1"], mail=["198.51.100.1"])
    assert [one["name"] for one in look(server, names=names, tolerance=tolerance)["changes"]] == ["mail.example.test", "www.example.test"]
    fake.answers.update(www=[], mail=["203.0.113.1"])
    assert ("www.example.test", "removed", ["192.0.3.1"], []) in brief(look(server, names=names, tolerance=tolerance))


def test_a_rotating_name_is_learned_and_its_hijack_is_seen(fake_dns, look):
    import random

    chance = random.Random(3)
    pool = [f"192.0.2.{number}" for number in range(1, 9)]
    fake = Fake(www=lambda: chance.sample(pool, 2), mail=["198.51.100.1"])
    server = fake_dns(fake)
    options = {"names": NAMES[:2], "rotation": True}
    alarms = [brief(look(server, **options)) for _run in range(25)]
    assert alarms == [[]] * 25
    fake.answers["www"] = ["203.0.113.66"]
    found = look(server, **options)
    assert [(one[1], one[3]) for one in brief(found)] == [("changed", ["203.0.113.66"])]
    fake.answers["mail"] = ["198.51.100.2"]
    assert ("mail.example.test", "changed", ["198.51.100.1"], ["198.51.100.2"]) in brief(look(server, batch=found["batch"], **options))


def test_expected_records(nsd, look):
    server = nsd({ZONE: TEXT + '@ MX 10 mail\ntxt TXT "v=spf1 -all"\n'})
    good = [
        {"name": "www.example.test", "values": ["192.0.2.2", "192.0.2.1"]},
        {"name": "WWW.example.test.", "match": "subset", "values": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]},
        {"name": "www.example.test", "match": "superset", "value": "192.0.2.1"},
        {"name": "www.example.test", "match": "count", "value": ">= 2"},
        {"name": "www.example.test", "match": "cidr", "value": "192.0.2.0/24"},
        {"name": ZONE, "type": "MX", "value": "10 MAIL.example.test."},
        {"name": "txt.example.test", "type": "TXT", "value": "v=spf1 -all"},
        {"name": "none.example.test", "values": []},
    ]
    found = look(server, against="expected", expected=good, names=None)
    assert not found["changed"], found["changes"]
    bad = [
        {"name": "www.example.test", "value": "192.0.2.1"},
        {"name": "mail.example.test", "match": "count", "value": 2},
        {"name": "none.example.test", "value": "192.0.2.8"},
        {"name": "www.example.test", "match": "cidr", "value": "10.0.0.0/8"},
    ]
    found = look(server, against="expected", expected=bad, names=None)
    assert sorted(brief(found)) == [
        ("mail.example.test", "changed", ["count == 2"], ["192.0.2.3"]),
        ("none.example.test", "removed", ["192.0.2.8"], []),
        ("www.example.test", "changed", ["192.0.2.1"], ["192.0.2.1", "192.0.2.2"]),
        ("www.example.test", "changed", ["cidr 10.0.0.0/8"], ["192.0.2.1", "192.0.2.2"]),
    ]


def test_name_servers_that_differ_are_named_with_their_serials(nsd, look):
    one, two = nsd({ZONE: TEXT}), nsd({ZONE: TEXT})
    assert not look(one, two, against="nameservers")["changed"]
    serial = two.set_zone(ZONE, "www A 192.0.2.9\nmail A 192.0.2.3\n")
    found = look(one, two, against="nameservers")
    assert brief(found) == [("www.example.test", "changed", ["192.0.2.1", "192.0.2.2"], ["192.0.2.9"])]
    assert found["changes"][0]["nameserver"] == two.address and f"serial {serial} there" in found["changes"][0]["message"]
    two.stop()
    found = look(one, two, against="nameservers", retries=0)
    assert not found["changed"] and {one["nameserver"] for one in found["failures"]} == {two.address}


def test_a_zone_file_and_a_transfer(nsd, look, tmp_path):
    secret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    server = nsd({ZONE: TEXT + "sub NS ns.sub\nns.sub A 192.0.2.77\n"}, keys={"k.test": secret}, transfer="k.test")
    text = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nwww A 192.0.2.1\nwww A 192.0.2.2\nmail A 192.0.2.4\nextra A 192.0.2.5\n"
    place = tmp_path / "zone"
    place.write_text(text)
    options = {"against": "zone", "zone": ZONE, "names": None, "types": ["A"]}
    found = look(server, zone_file=str(place), **options)
    assert sorted(brief(found)) == [
        ("extra.example.test", "removed", ["192.0.2.5"], []),
        ("mail.example.test", "changed", ["192.0.2.4"], ["192.0.2.3"]),
    ]
    key = {"name": "k.test", "secret": secret}
    found = look(server, tsig=key, reference=[server.address], **options)
    assert not found["changed"] and found["stats"]["unchanged"] >= 2
    with pytest.raises(Refusal, match="refused"):
        look(server, reference=[server.address], **options)
    watched = look(server, tsig=key, zone=ZONE, names=None)
    assert counts(watched)["learned"] >= 3
    server.set_zone(ZONE, "mail A 192.0.2.3\n")
    found = look(server, tsig=key, zone=ZONE, names=None)
    assert ("www.example.test", "removed", ["192.0.2.1", "192.0.2.2"], []) in brief(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": ["ok.test", "a..b"]}, "names, item 2: .*label"),
        ({"types": ["AAA"]}, "types: .*did you mean"),
        ({"names": []}, "nothing to ask"),
        ({"nameservers": ["127.0.0.1:99999"]}, "nameservers: .*port"),
        ({"against": "expected"}, "needs expected"),
        ({"against": "expected", "expected": [{"name": "a.test", "value": "1.2.3"}]}, r"item 1 of expected \(a.test\)"),
        ({"against": "zone"}, "zone is missing"),
        ({"expected": []}, "of no use"),
        ({"against": "nameservers"}, "two sources"),
        ({"zone": ZONE, "tsig": {"name": "k", "secret": "YWJj"}}, "3 bytes"),
        ({"zone": ZONE, "tsig": {"name": "k", "secret": "?"}}, "base64"),
        ({"tolerance": [{"network": ["x"]}]}, "did you mean"),
        ({"tolerance": [{"networks": ["x"]}]}, "not a network"),
        ({"confirm": -1}, "confirm is -1"),
        ({"max_change_percent": 101}, "max_change_percent"),
        ({"timeout": "5 parsecs"}, "timeout: "),
        ({"names_file": "/nowhere"}, "names_file: /nowhere cannot be read"),
    ],
)
def test_bad_options_are_refused_before_anything_is_asked(options, words):
    with pytest.raises(Refusal, match=words):
        read({"names": ["www.example.test"], "nameservers": ["127.0.0.1:9"], **options})


def test_a_bad_line_of_a_names_file_is_named(tmp_path):
    place = tmp_path / "names"
    place.write_text("# mine\nwww.example.test  # the shop\n\nb\u00fccher.example\nfoo..bar\n", encoding="utf-8")
    with pytest.raises(Refusal, match=r"names line 5: .*label"):
        read({"names_file": str(place), "nameservers": ["127.0.0.1:9"]})
    place.write_text("www.example.test\nWWW.example.test.\nb\u00fccher.example\n", encoding="utf-8")
    found = read({"names_file": str(place), "nameservers": ["127.0.0.1:9"]})
    assert [one.name for one in found.questions] == ["www.example.test", "xn--bcher-kva.example"]


def test_that_there_is_none_is_learned_from_who_has_the_zone(fake_dns, look):
    fake = Fake(www=None)
    fake.soa = False
    server = fake_dns(fake)
    found = look(server, names=["www.example.test"])
    assert counts(found) == {"failed": 1} and found["failures"][0]["status"] == "lame"
    fake.answers["www"] = ["192.0.2.1"]
    assert counts(look(server, names=["www.example.test"])) == {"learned": 1}


def test_an_alias_out_of_the_zone_is_what_the_server_knows(nsd, look):
    """An authoritative server answers a question for A with the CNAME alone where it leads to a zone of others."""
    server = nsd({ZONE: "www CNAME one.cdn.example.\n"})
    names = ["www.example.test"]
    assert counts(look(server, names=names)) == {"learned": 1}
    assert counts(look(server, names=names)) == {"unchanged": 1}
    server.set_zone(ZONE, "www CNAME two.cdn.example.\n")
    found = look(server, names=names)
    assert brief(found) == [("www.example.test", "changed", ["CNAME one.cdn.example."], ["CNAME two.cdn.example."])]
    server.set_zone(ZONE, "www A 192.0.2.1\n")
    found = look(server, names=names, batch=found["batch"])
    assert brief(found) == [("www.example.test", "changed", ["CNAME two.cdn.example."], ["192.0.2.1"])]
    assert found["failures"] == []


def test_a_child_zone_is_watched_by_itself(nsd, look):
    """The names of a child zone in the same view are not asked of the servers of its parent."""
    parent = nsd({ZONE: "www A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.53\n"}, transfer="NOKEY")
    child = nsd({"sub.example.test": "www A 192.0.2.2\n"}, transfer="NOKEY")
    for _run in range(2):
        below = look(child, names=None, zone="sub.example.test")
        above = look(parent, names=None, zone=ZONE)
        assert not below["failures"] and not above["failures"] and not above["changed"]


def test_names_that_left_a_zone_are_not_asked_for_ever(nsd, look, store):
    server = nsd({ZONE: TEXT}, transfer="NOKEY")
    options = {"names": None, "zone": ZONE, "types": ["A"]}
    before = look(server, **options)["stats"]["names"]
    server.set_zone(ZONE, "www A 192.0.2.1\nwww A 192.0.2.2\n")
    found = look(server, **options)
    assert brief(found) == [("mail.example.test", "removed", ["192.0.2.3"], [])]
    assert look(server, batch=found["batch"], **options)["stats"]["names"] == before - 1
    server.set_zone(ZONE, TEXT)
    assert brief(look(server, **options)) == [("mail.example.test", "added", [], ["192.0.2.3"])]


@pytest.fixture
def meanwhile(fake_dns, look, store):
    """meanwhile(records, answer, **options) -> an answer that lasts until another run, to which www has these records, has ended."""

    def make(records, answer, **options):
        other = fake_dns(Fake(www=records))
        ended = []

        def run():
            if not ended:
                given = {"names": ["www.example.test"], "nameservers": [other.address], "timeout": "1s", **options}
                with open_store(store.url) as second:
                    ended.append(dns_diff(read(given), second))
            return answer

        run.ended = ended
        return run

    return make


def test_a_run_while_another_one_learns_loses_no_change(fake_dns, look, meanwhile):
    """Both see the name for the first time, with another value: the next run tells the difference."""
    fake = Fake(www=meanwhile(["192.0.2.2"], ["192.0.2.1"]))
    server = fake_dns(fake)
    names = ["www.example.test"]
    assert counts(look(server, names=names, timeout="9s")) == {}
    assert counts(fake.answers["www"].ended[0]) == {"learned": 1}
    assert brief(look(server, names=names)) == [("www.example.test", "changed", ["192.0.2.2"], ["192.0.2.1"])]


def test_a_slow_run_does_not_take_back_what_another_one_saw(fake_dns, look, meanwhile):
    """A pool is learned by a run that began before the change that another one told: it is not told a second time."""
    number = itertools.count()
    fake = Fake(www=lambda: [f"192.0.2.{1 + next(number) % 2}"])
    server = fake_dns(fake)
    options = {"names": ["www.example.test"], "rotation": True}
    for _run in range(30):
        look(server, **options)
    fake.answers["www"] = meanwhile(["198.51.100.1"], ["192.0.2.1"], rotation=True)
    look(server, timeout="9s", **options)
    told = fake.answers["www"].ended[0]
    assert [one["kind"] for one in told["changes"]] == ["changed"]
    fake.answers["www"] = ["198.51.100.1"]
    assert look(server, batch=told["batch"], **options)["changes"] == []


def test_a_mass_goes_on_while_nothing_can_be_looked_at(nsd, look, store):
    names = [f"n{number}.example.test" for number in range(12)]
    server = nsd({ZONE: "".join(f"n{number} A 192.0.2.1\n" for number in range(12))})
    look(server, names=names)
    server.set_zone(ZONE, "".join(f"n{number} A 192.0.2.2\n" for number in range(12)))
    (mass,) = look(server, names=names)["changes"]
    server.stop()
    assert counts(look(server, names=names, retries=0, timeout="200ms")) == {"failed": 12}
    server.start()
    assert [one["id"] for one in look(server, names=names)["changes"]] == [mass["id"]]


def test_a_lame_server_is_no_difference(nsd, fake_dns, look):
    server = nsd({ZONE: TEXT})
    fake = Fake()
    fake.soa = False
    found = look(server, fake_dns(fake), names=["www.example.test"], against="nameservers")
    assert not found["changed"] and [one["status"] for one in found["failures"]] == ["lame"]


ZONE_FILE = """$TTL 60
@ SOA ns host 1 2 3 4 5
@ NS ns
ns A 127.0.0.1
www A 192.0.2.1
alias CNAME www
*.wild A 192.0.2.4
deep.between A 192.0.2.5
dn DNAME other.example.
hidden.dn A 192.0.2.6
sub NS ns.other.example.
"""


def test_names_of_a_zone_file_are_what_its_servers_answer(nsd, look, tmp_path):
    place = tmp_path / "zone"
    place.write_text(ZONE_FILE)
    ours = ("@ SOA", "@ NS", "ns A", "hidden.dn")  # nsd() adds the first three, and refuses a zone with the last one
    server = nsd({ZONE: "".join(line + "\n" for line in ZONE_FILE.splitlines() if not line.startswith(ours))})
    options = {"against": "zone", "zone": ZONE, "zone_file": str(place)}
    names = [f"{label}.example.test" for label in ("alias", "a.wild", "a.b.wild", "between", "nothing", "www")]
    found = look(server, names=names, types=["A", "AAAA"], **options)
    assert found["changes"] == [] and found["failures"] == []
    everything = look(server, names=None, **{**options, "types": ["A", "CNAME", "DNAME", "DS"]})
    assert everything["changes"] == [] and everything["failures"] == []
    with pytest.raises(Refusal, match=r"a\.sub\.example\.test is below a delegation"):
        look(server, names=["a.sub.example.test"], **options)


def rotating(first, size=16):
    """An answer of one address of a network that is another one each time."""
    number = itertools.count()
    return lambda: [f"{first}.{1 + next(number) * 7 % size}"]


@pytest.mark.parametrize("rotation", [False, True])
def test_a_pool_that_was_gone_comes_back(fake_dns, look, rotation):
    fake = Fake(www=rotating("192.0.2"))
    server = fake_dns(fake)
    options = {"names": ["www.example.test"], "rotation": rotation}
    look(server, **options)
    fake.answers["www"] = None
    found = look(server, **options)
    assert [one["kind"] for one in found["changes"]] == ["removed"]
    fake.answers["www"] = rotating("192.0.2")
    found = look(server, batch=found["batch"], **options)
    assert [one["kind"] for one in found["changes"]] == ["added"]
    for _run in range(5):
        assert not look(server, batch=found["batch"], **options)["changed"]


def test_a_move_to_a_pool_elsewhere_is_a_change_and_then_rest(fake_dns, look):
    """Without rotation, answers that are others each time are no change as long as they are where those of before were."""
    fake = Fake(www=["192.0.2.100"])
    server = fake_dns(fake)
    options = {"names": ["www.example.test"]}
    look(server, **options)
    fake.answers["www"] = rotating("192.0.2")
    assert not look(server, **options)["changed"]
    fake.answers["www"] = rotating("198.51.100")
    found = look(server, **options)
    assert [one["kind"] for one in found["changes"]] == ["changed"]
    for _run in range(5):
        assert not look(server, batch=found["batch"], **options)["changed"]


def test_a_static_name_that_moves_to_a_pool_elsewhere_is_told_with_rotation_too(fake_dns, look):
    fake = Fake(www=["192.0.2.1"])
    server = fake_dns(fake)
    options = {"names": ["www.example.test"], "rotation": True}
    look(server, **options)
    fake.answers["www"] = rotating("198.51.100")
    found = look(server, **options)
    assert [one["kind"] for one in found["changes"]] == ["changed"]
    for _run in range(30):
        assert not look(server, batch=found["batch"], **options)["changed"]


def test_tolerance_between_name_servers(nsd, look):
    here, there = nsd({ZONE: "www A 192.0.2.1\n"}), nsd({ZONE: "www A 192.0.2.2\n"})
    options = {"names": ["www.example.test"], "against": "nameservers"}
    assert look(here, there, **options)["changed"]
    assert not look(here, there, tolerance=[{"names": ["www.*"], "prefix": 24}], **options)["changed"]
    there.set_zone(ZONE, "mail A 192.0.2.2\n")
    assert look(here, there, tolerance=[{"names": ["www.*"], "prefix": 24}], **options)["changed"]


def test_a_change_of_very_much_text_is_returned_in_part(nsd, look, store):
    def text(first):
        return "".join(f'www TXT "{first}{number:03d}{"x" * 200}"\n' for number in range(200))

    server = nsd({ZONE: text("a")})
    options = {"names": ["www.example.test"], "types": ["TXT"]}
    look(server, **options)
    server.set_zone(ZONE, text("b"))
    (one,) = look(server, **options)["changes"]
    for side in ("before", "after", "added", "removed"):
        assert sum(map(len, one[side])) < 5000 and one[side][-1] == f"(and {201 - len(one[side])} more)"
    with store.view() as unit:
        (kept,) = state.listing(unit, None, 0, 10)
    assert len(kept["before"]) == len(kept["after"]) == 200


def test_what_waits_is_counted_and_hides_no_mass(nsd, look):
    def serve(last, number):
        return "".join(f"n{at} A 192.0.2.{last if at < number else 1}\n" for at in range(20))

    names = [f"n{number}.example.test" for number in range(20)]
    server = nsd({ZONE: serve(1, 0)})
    look(server, names=names)
    server.set_zone(ZONE, serve(2, 6))
    assert len(look(server, names=names)["changes"]) == 6
    server.set_zone(ZONE, serve(3, 20))
    found = look(server, names=names, max_results=4)
    assert [one["kind"] for one in found["changes"]] == ["mass", "changed", "changed", "changed"]
    assert found["truncated"] and found["stats"]["returned_again"] == 6
    none = look(server, names=names, max_results=0)
    assert none["changed"] and none["truncated"] and none["changes"] == [] and none["batch"]
    assert look(server, names=names, batch=none["batch"])["stats"]["returned_again"] == 0
