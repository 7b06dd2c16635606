# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dns_diff takes and refuses before it asks anybody; no server is there to be asked."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import expected
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_info
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_diff import Refusal, read

NOBODY = "192.0.2.53"


def given(**options):
    return {"names": ["www.example.test"], "nameservers": [NOBODY], **options}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ca": "/nowhere.pem"}, "ca: /nowhere.pem cannot be used: no such file or directory"),
        ({"ca": __file__}, "cannot be used"),
        ({"trust_anchors": ["x y z"], "dnssec": True}, 'trust_anchors: "x y z" is not a trust anchor'),
        ({"trust_anchors": [". DS 1 2 3 4"]}, "dnssec is false"),
        ({"tolerance": [{"names": [], "prefix": 24}]}, "item 1 of tolerance has no names"),
        ({"tolerance": [{}]}, "item 1 of tolerance is empty"),
        ({"tolerance": [{"prefix": 0}]}, "prefix is 0; it must be a number from 1 to 32"),
        ({"names": ["www.example.test", None]}, "names, item 2"),
        ({"names": [False]}, "names, item 1: it is false"),
        ({"names": []}, "give names or names_file"),
        ({"against": "expected", "expected": [{"name": "a.test", "values": []}]}, "names is of no use with against: expected"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(options, words):
    with pytest.raises(Refusal) as refused:
        read(given(**options))
    assert words in str(refused.value)


@pytest.mark.parametrize("read_options", [read, dns_info.read])
@pytest.mark.parametrize("rate", [True, "fast", "nan", -1, [1], {NOBODY: True}, {"192.0.2.1": 5}])
def test_both_modules_refuse_the_same_rates(read_options, rate):
    with pytest.raises(Refusal, match="rate"):
        read_options(given(rate=rate))


@pytest.mark.parametrize("read_options", [read, dns_info.read])
def test_both_modules_read_a_rate_alike(read_options):
    for rate, expects in ((0, 0.0), ("7", 7.0), (2.5, 2.5), ({NOBODY: 3}, 3.0), ({}, 50.0), (None, 50.0)):
        made = read_options(given(rate=rate))
        assert made.limits.rate_of(made.servers[0]) == expects


def test_a_rate_holds_for_the_reference_too():
    options = given(against="nameservers", reference=["198.51.100.53"])
    made = read(dict(options, rate=0))
    assert made.limits.rate_of(made.reference[0]) == 0
    made = read(dict(options, rate={"198.51.100.53": 9}))
    assert made.limits.rate_of(made.reference[0]) == 9 and made.limits.rate_of(made.servers[0]) == 50


def test_a_names_file_as_windows_writes_it(tmp_path):
    place = tmp_path / "names.txt"
    place.write_bytes("\ufeff# names\r\nwww.example.test\r\n\r\nmail.example.test # mail\r\n".encode())
    assert [question.name for question in read(given(names=None, names_file=str(place))).questions] == [
        "www.example.test",
        "mail.example.test",
    ]
    place.write_bytes(b"# nothing\n")
    with pytest.raises(Refusal, match=f"there is no name in {place}"):
        read(given(names=None, names_file=str(place)))


def test_tolerance_of_a_name_beyond_ascii():
    (one,) = read(given(tolerance=[{"names": ["*.Bücher.example."], "networks": ["192.0.2.0/24"]}])).tolerance
    assert one.covers("www.xn--bcher-kva.example", [], ["192.0.2.1"]) and not one.covers("www.example", [], ["192.0.2.1"])


OCTODNS = {
    "zone": "example.test",
    "": [
        {
            "type": "CAA",
            "values": [{"tag": "issue", "value": "ca.example"}, {"flags": 128, "tag": "iodef", "value": "mailto:a@example.test"}],
        },
        {
            "type": "MX",
            "values": [{"preference": 10, "exchange": "mail.example.test."}, {"priority": 20, "value": "mail2.example.test."}],
            "octodns": {"lenient": True},
        },
        {"type": "TXT", "value": r"v=spf1 \; all", "ttl": 60},
    ],
    "records": {"type": "A", "value": "192.0.2.7"},
}


def test_octodns_as_it_is_written():
    found = {(one.name, one.kind): one.values for one in expected.read(OCTODNS)}
    assert found == {
        ("example.test", 257): ('0 issue "ca.example"', '128 iodef "mailto:a@example.test"'),
        ("example.test", 15): ("10 mail.example.test.", "20 mail2.example.test."),
        ("example.test", 16): ('"v=spf1 ; all"',),
        ("records.example.test", 1): ("192.0.2.7",),
    }


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"zone": "example.test", False: {"type": "A", "value": "192.0.2.1"}}, "a word of YAML"),
        ({"zone": "example.test", "": {"type": "ALIAS", "value": "x."}}, "ALIAS is made by the provider"),
        ({"zone": {"type": "A", "value": "192.0.2.1"}}, "zone is the name of the zone"),
        ([{"name": "a.test", "type": "TXT", "values": None}], "item 1 of expected (a.test): a value is empty"),
        ([{"name": "a.test", "type": "TXT", "value": True}], "read as true"),
        ([{"name": "a.test", "type": "MX", "value": {"preference": 1}}], "a value of type MX needs exchange"),
    ],
)
def test_expected_records_that_are_none(given_, words):
    with pytest.raises(ValueError) as refused:
        expected.read(given_)
    assert words in str(refused.value)


def test_values_in_parts_in_a_list():
    (one,) = expected.read([{"name": "a.test", "type": "MX", "values": [{"preference": 10, "exchange": "MAIL.a.test."}]}])
    assert one.values == ("10 mail.a.test.",)
