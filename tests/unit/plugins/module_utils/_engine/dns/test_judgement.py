# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change is: differences, flapping, rotation, expectations and zones, without any network."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import diff, expected, flapping, rrset, zone
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.rotation import Pool


def test_difference_of_mappings():
    before = {f"n{number}": str(number) for number in range(100)}
    after = dict(before, n5="x", new="y")
    del after["n7"]
    assert sorted(diff.difference(before, after)) == [("n5", "5", "x"), ("n7", "7", None), ("new", None, "y")]
    assert diff.difference(before, dict(before)) == []
    assert diff.difference({}, {"a": "1"}) == [("a", None, "1")] and diff.difference({"a": "1"}, {}) == [("a", "1", None)]


def test_difference_agrees_with_sets():
    chance = random.Random(5)
    for _case in range(200):
        one, two = ({f"n{chance.randrange(30)}": chance.choice("abc") for _n in range(20)} for _side in range(2))
        found = diff.difference(one, two)
        assert {(name, value) for name, value, _after in found if value is not None} == set(one.items()) - set(two.items())
        assert {(name, value) for name, _before, value in found if value is not None} == set(two.items()) - set(one.items())


def test_mass_needs_ten_names():
    assert not diff.is_mass(9, 9, 30) and diff.is_mass(4, 10, 30) and not diff.is_mass(3, 10, 30)
    assert not diff.is_mass(10, 10, 100)


def test_flapping_forgets_old_changes():
    memory, told = None, []
    for number in range(6):
        values = (["a"], ["b"]) if number % 2 == 0 else (["b"], ["a"])
        verdict = flapping.moved(memory, *values, now=number * flapping.WINDOW)
        memory = verdict.memory
        told.append(verdict.what)
    assert told == ["changed"] * 6


def test_a_flapping_name_rests_after_twice_its_longest_rest():
    memory = {"flips": [[0, ["a"]]], "calm": 0, "longest": 5, "told": ["a"]}
    kinds = []
    for _number in range(10):
        verdict = flapping.rested(memory, ["b"])
        memory = verdict.memory
        kinds.append(verdict.what)
    assert kinds == ["silent"] * 9 + ["settled"] and verdict.told == ["a"] and memory is None


def test_rotation_of_the_simulation():
    """A tenth of what the bench does: false alarms are rare, and every hijack is seen at once."""
    place = Path(__file__).resolve().parents[5] / "bench" / "dns" / "rotation.py"
    spec = importlib.util.spec_from_file_location("vigil_bench_rotation", place)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    found = bench.simulate(1, seed=11)
    assert found["alarms"]["pool"] <= 0.1 < found["alarms"]["set"]
    assert found["missed"] == 0 and found["delay"] == 0


def test_pools_are_bounded_and_remembered():
    pool = Pool()
    for number in range(2000):
        pool.add([f"10.{number % 7}.{number // 250}.{number % 250}"])
    again = Pool(pool.memory())
    assert len(again.values.seen) == 512 and again.rotated
    assert list(again.values.seen.items()) == list(pool.values.seen.items())


@pytest.mark.parametrize(
    ("kind", "written", "canonical"),
    [
        (15, "10 Mail.Example.COM", "10 mail.example.com."),
        (16, "v=spf1 a b -all", '"v=spf1 a b -all"'),
        (16, "v=DKIM1\\; p=x", '"v=DKIM1; p=x"'),
        (28, "2001:DB8::0:1", "2001:db8::1"),
        (65280, "\\# 3 AABBCC", "\\# 3 aabbcc"),
    ],
)
def test_canonical_texts(kind, written, canonical):
    assert rrset.canonical(kind, written) == canonical


def test_bad_record_data_is_one_sentence():
    with pytest.raises(ValueError, match=r'"1\.2\.3" is not the data of a record of type A'):
        rrset.canonical(1, "1.2.3")


def test_long_texts_are_compared_whole():
    long = "v=DKIM1; p=" + "A" * 400
    (one,) = expected.read([{"name": "k.test", "type": "TXT", "value": long}])
    assert one.holds([f'"{long[:200]}" "{long[200:]}"']) and not one.holds([f'"{long[:200]}"'])


def test_names_above():
    assert rrset.parents("a.b\\.c.d") == ["a.b\\.c.d", "b\\.c.d", "d"]
    assert rrset.is_below("a.test", "test") and rrset.is_below("test", "test.") and not rrset.is_below("atest", "test")


def test_octodns_records():
    found = expected.read(
        {
            "zone": "Example.test.",
            "": [{"type": "MX", "values": [{"exchange": "mx.example.test.", "preference": 10}]}, {"type": "A", "value": "192.0.2.1"}],
            "_sip._tcp": {"type": "SRV", "value": {"priority": 1, "weight": 2, "port": 3, "target": "s.example.test."}},
        }
    )
    assert [(one.name, one.values) for one in found] == [
        ("example.test", ("10 mx.example.test.",)),
        ("example.test", ("192.0.2.1",)),
        ("_sip._tcp.example.test", ("1 2 3 s.example.test.",)),
    ]


def test_errors_of_zone_files_name_the_line(tmp_path):
    place = tmp_path / "zone"
    place.write_text("$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nwww A 192.0.2\nns A 192.0.2.1\n")
    with pytest.raises(zone.ZoneError, match=r'line 4 \("www A 192.0.2"\)'):
        zone.from_file(str(place), "example.test")
    place.write_text("www 60 A 192.0.2.1\n")
    with pytest.raises(zone.ZoneError, match=r"no SOA record of example\.test"):
        zone.from_file(str(place), "example.test")


def test_what_is_below_a_delegation_is_not_asked(tmp_path):
    place = tmp_path / "zone"
    text = "$TTL 60\n@ SOA ns host 7 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\n"
    place.write_text(text + "sub DS 1 8 1 " + "a" * 40 + "\n")
    read = zone.from_file(str(place), "example.test")
    assert set(zone.records(read)) == {("example.test", 2), ("ns.example.test", 1), ("sub.example.test", 43)}
    assert set(zone.records(read, {6})) == {("example.test", 6)} and zone.serial(read) == 7


SOA = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns.other.\n"


def test_zone_files_include_others(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "zone").write_text(SOA + '$ORIGIN o\n$INCLUDE more/a sub\nlast A 192.0.2.3\n$INCLUDE "more/b"\n')
    (tmp_path / "more" / "a").write_bytes(b"\xef\xbb\xbfone A 192.0.2.1\r\n$INCLUDE b\r\n$ORIGIN elsewhere\r\n")
    (tmp_path / "more" / "b").write_text("two A 192.0.2.2\n")
    found = zone.records(zone.from_file(str(tmp_path / "zone"), "example.test"), {1})
    assert sorted(name for name, _kind in found) == [
        "last.o.example.test",
        "one.sub.o.example.test",
        "two.o.example.test",
        "two.sub.o.example.test",
    ]


def test_errors_in_and_about_included_files_name_the_place(tmp_path):
    place, inner = tmp_path / "zone", tmp_path / "inner"
    place.write_text(SOA + "www A 192.0.2.1\n$INCLUDE inner\nlast A 192.0.2.3\n")
    for text, words in (
        (None, f'{place}, line 5 ("$INCLUDE inner"): {inner} cannot be read (no such file or directory)'),
        ("one A 192.0.2.1\n\ntwo A 192.0.2\n", f'{inner}, line 3 ("two A 192.0.2"): '),
        ("$INCLUDE inner\n", "files include each other more than 10 deep"),
    ):
        if text is not None:
            inner.write_text(text)
        with pytest.raises(zone.ZoneError) as problem:
            zone.from_file(str(place), "example.test")
        assert words in str(problem.value)


def test_a_record_that_is_wrong_only_beside_others_is_found(tmp_path):
    place = tmp_path / "zone"
    filler = "".join(f"n{number} TXT ( a\n  b )\n" for number in range(50))
    place.write_text(SOA + filler + "bad CNAME www\n" + filler + "bad A 192.0.2.1\n" + filler)
    with pytest.raises(zone.ZoneError, match=r'line 205 \("bad A 192.0.2.1"\)'):
        zone.from_file(str(place), "example.test")
