# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vigil_alerts: what is read, what is refused and how, and that the JSON schema says the same."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import hours, policy, rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import read_match

SCHEMA = Path(__file__).resolve().parents[6] / "docs" / "schema" / "alerts.schema.json"
FRIDAY = 1_763_712_000.0  # 2025-11-21T08:00:00Z
EVERYTHING = {
    "timezone": "UTC",
    "repeat_interval": "2h",
    "routes": [
        {
            "match": {"severity": "critical", "labels.team": "db"},
            "to": ["oncall"],
            "mention": ["all"],
            "escalate": {"after": "15m", "to": "boss"},
        },
        {"match": {"service": ["shop", "cart*"]}, "hours": "mon-fri 08:00-18:00", "to": ["ops"], "digest": "15m", "continue": True},
        {"match": {"severity": "<= warning"}, "to": [], "repeat_interval": "1d"},
        {"digest": "08:00,17:30", "mention": {"ops": "13800001111"}, "escalate": [{"after": "1h", "to": "boss", "mention": [1234567]}]},
    ],
    "silences": [{"match": {"instance": "~ ^test"}, "until": "2026-11-21T20:00:00Z", "comment": "move"}],
    "maintenance": [
        {"hours": ["sun 02:00-04:00", "sat"]},
        {"match": {"group": "db"}, "from": "2026-11-21 20:00", "until": "2026-11-21 22:30"},
    ],
    "inhibit": [{"when": {"check": "reachable"}, "mute": {"severity": "< critical"}, "same": ["instance", "labels.site"]}],
    "flapping": {"times": 3, "within": "30m"},
    "expected": [{"name": "nightly backup", "every": "1d", "grace": "2h", "severity": "critical", "service": "backup"}],
    "templates": {"title": "{{ check }}", "text": {"en": "{{ message }}", "zh": "{{ message }}"}},
    "read_more": "https://ansible.example.com/",
}


def test_everything_is_read():
    found = policy.read_policy(EVERYTHING)
    assert found.repeat == 7200
    assert [rule.to for rule in found.routes] == [("oncall",), ("ops",), (), None]
    assert found.routes[0].escalate == (rules.Escalation(900, ("boss",)),)
    assert [rule.mention for rule in found.routes] == [{"": ("all",)}, None, None, {"ops": ("13800001111",)}]
    assert found.routes[3].escalate[0].mention == {"": ("1234567",)}
    assert [rule.digest for rule in found.routes] == [None, 900, None, (480, 1050)]
    assert (found.routes[1].goes_on, found.routes[2].repeat) == (True, 86400)
    assert found.windows[0].comment == "move"
    assert (found.windows[2].begin, found.windows[2].end) == (1_795_291_200.0, 1_795_300_200.0)
    assert found.inhibit[0].same == ("instance", "labels.site")
    assert found.flapping == (3, 1800)
    assert found.expected == (("nightly backup", 86400, 7200, "critical", "backup"),)
    assert found.templates["title"] == {"en": "{{ check }}", "zh": "{{ check }}"}
    assert found.read_more == "https://ansible.example.com/"
    assert policy.read_policy({"flapping": False}).flapping is None
    assert policy.read_policy({}).routes == ()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "vigil_alerts must be a mapping with timezone, repeat_interval, routes, "),
        ({"rotues": []}, 'vigil_alerts has no key "rotues"; did you mean "routes"?'),
        ({"routes": {}}, "routes must be a list, not a mapping."),
        ({"routes": [{"to": ["ops"], "macth": {}}]}, 'routes[0] has no key "macth"; did you mean "match"?'),
        ({"routes": [{"match": {}}]}, "routes[0] needs to, the names of the channels that are told; an empty list tells nobody."),
        ({"routes": [{"match": {"team": "db"}, "to": "ops"}]}, 'routes[0].match has no key "team"; known are alert_id, '),
        ({"routes": [{"match": {"severity": ">= hot"}, "to": "ops"}]}, 'routes[0].match.severity is ">= hot"; known are '),
        ({"routes": [{"match": {"instance": "~ ["}, "to": "ops"}]}, "routes[0].match.instance: '[' is not a regular expression"),
        ({"routes": [{"to": [1]}]}, "routes[0].to must be the name of a channel, or a list of names."),
        ({"routes": [{"to": "ops", "hours": "8-18"}]}, 'routes[0].hours has "8-18" where days are; write it like'),
        ({"routes": [{"to": "ops", "hours": "mon 08:00-08:00"}]}, 'routes[0].hours is "mon 08:00-08:00", which begins when it ends'),
        ({"routes": [{"to": "ops", "digest": 1050}]}, "routes[0].digest is a number; write it in quotes, a length such as"),
        ({"routes": [{"to": "ops", "digest": "8:70"}]}, 'routes[0].digest is "8:70", and 8:70 is no time of a day.'),
        ({"routes": [{"to": "ops", "repeat_interval": "often"}]}, "routes[0].repeat_interval: 'often' is not a duration"),
        ({"routes": [{"to": "ops", "escalate": {"after": "5m"}}]}, "routes[0].escalate needs to."),
        (
            {"routes": [{"to": ["ops", "dev"], "escalate": {"after": "5m", "to": ["boss", "dev"]}}]},
            'routes[0].escalate names the channel "dev", which the route tells anyway; name one that it does not tell.',
        ),
        ({"routes": [{"to": "ops", "continue": "yes"}]}, "routes[0].continue must be true or false, not text."),
        (
            {"routes": [{"mention": [{}]}]},
            "routes[0].mention must be a list of those who are called, or a mapping of channels and such lists.",
        ),
        ({"routes": [{"mention": True}]}, "routes[0].mention must be a list of those who are called"),
        ({"silences": [{"match": {}, "until": "2026-11-21T20:00:00Z"}]}, "silences[0].match is empty and would mean every alert"),
        ({"silences": [{"match": {"service": "a"}}]}, "silences[0] needs until (a time) or hours (of the week), or it would never end."),
        ({"maintenance": [{"until": "tomorrow"}]}, 'maintenance[0].until is "tomorrow"; write a time such as 2026-11-21T20:00:00Z'),
        ({"maintenance": [{"from": "2026-11-22 00:00", "until": "2026-11-21 00:00"}]}, "maintenance[0] ends before it begins."),
        ({"inhibit": [{"when": {}, "mute": {}}]}, "inhibit[0].when is empty"),
        ({"inhibit": [{"when": {"check": "a"}, "mute": {}, "same": ["host"]}]}, 'inhibit[0].same names "host"'),
        ({"flapping": {"times": 1}}, "flapping.times is 1; it must be a whole number from 2 on."),
        ({"expected": [{"name": "x"}]}, "expected[0] needs every."),
        ({"expected": [{"name": "x", "every": "1d", "severity": "bad"}]}, 'expected[0].severity is "bad"'),
        ({"templates": {"titel": "x"}}, 'templates has no key "titel"; did you mean "title"?'),
        ({"templates": {"title": {"de": "x"}}}, 'templates.title has no key "de"'),
        ({"timezone": "Berlin"}, 'timezone is "Berlin", which is no time zone that this machine knows'),
        ({"read_more": 1}, "read_more must be a URL or a sentence, not a number."),
    ],
)
def test_bad_data_is_refused_with_one_sentence(given, sentence):
    with pytest.raises(policy.PolicyError) as caught:
        policy.read_policy(given)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_channel_that_is_not_there():
    found = policy.read_policy({"routes": [{"to": ["opps"]}]})
    with pytest.raises(
        policy.PolicyError, match=r'routes\[0\].to names the channel "opps", which is not among the channels; did you mean "ops"\?'
    ):
        rules.check_channels(found, {"ops", "boss"})
    with pytest.raises(policy.PolicyError, match="no channel has a name, write one behind its URL as in wecom://KEY#ops"):
        rules.check_channels(found, set())


def test_a_date_that_yaml_has_made_of_a_text():
    until = datetime.datetime(2026, 11, 21, 20, 0, tzinfo=datetime.timezone.utc)
    assert policy.read_policy({"maintenance": [{"until": until}]}).windows[0].end == 1_795_291_200.0
    day = policy.read_policy({"timezone": "UTC", "maintenance": [{"until": datetime.date(2026, 11, 21)}]})
    assert day.windows[0].end == 1_795_219_200.0


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({"severity": ">= error"}, True),
        ({"severity": "!= error"}, False),
        ({"service": "shop", "instance": "web*"}, True),
        ({"service": "shop", "instance": "db*"}, False),
        ({"service": ["a", "sh?p"]}, True),
        ({"check": "disk /"}, True),
        ({"labels": {"team": "db"}}, True),
        ({"labels.team": "!= db"}, False),
        ({"labels.site": "absent"}, True),
        ({"labels.team": "exists"}, True),
        ({"instance": "in [web1, web2]"}, True),
        ({"instance": "~ ^web[0-9]$"}, True),
        ({"group": "web"}, True),
        ({"group": "db"}, False),
        ({"fingerprint": "x"}, False),
        ({}, True),
    ],
)
def test_matchers(given, holds):
    event = new_event("shop", "web1", "disk /", FRIDAY, severity="error", labels={"team": "db"})
    assert read_match("match", given).holds(event, {"web1": ["web", "all"]}.get) is holds


@pytest.mark.parametrize(
    ("given", "at", "holds"),
    [
        ("mon-fri 08:00-18:00", 0, True),
        ("mon-fri 08:00-18:00", -60, False),
        ("mon-fri 08:00-18:00", 86400, False),
        ("fri", 0, True),
        ("sat,sun", 0, False),
        ("sat, sunday", 86400, True),
        ("friday-monday 00:00-24:00", 3 * 86400, True),
        ("22:00-06:00", 15 * 3600, True),
        ("22:00-06:00", -3 * 3600, True),
        ("22:00-06:00", 0, False),
        ("thu 22:00-06:00", -3 * 3600, True),
        ("fri 22:00-06:00", -3 * 3600, False),
        (["sat", "fri 07:00-09:00"], 0, True),
    ],
)
def test_hours_of_the_week(given, at, holds):
    assert hours.within(hours.read_hours("hours", given), FRIDAY + at, datetime.timezone.utc) is holds


def test_the_next_time_of_a_day_over_a_change_of_clocks():
    pytest.importorskip("zoneinfo")  # Python 3.8 has none; the controller's is newer
    zone = hours.zone_of("timezone", "Europe/Berlin")
    evening = policy.read_time("x", "2026-10-24 20:00", zone)
    assert hours.next_clock([480], evening, zone) == evening + 13 * 3600  # the night has an hour more
    assert hours.next_clock([480, 1230], evening, zone) == evening + 1800
    at_eight = policy.read_time("x", "2026-10-24 08:00", zone)
    assert hours.next_clock([480], at_eight, zone) == at_eight + 25 * 3600


def test_schema():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(EVERYTHING)
    validator.validate({"vigil_alerts": EVERYTHING}["vigil_alerts"])
    assert set(schema["properties"]) == set(policy._READERS)
    for bad in ({"rotues": []}, {"routes": {}}, {"routes": [{"macth": {}}]}, {"flapping": {"times": 1}}, {"routes": [{"mention": [{}]}]}):
        assert not validator.is_valid(bad), bad
    for bad in ({"routes": [{"to": "ops", "digest": 1050}]}, {"silences": [{"match": {"team": "x"}, "until": "x"}]}):
        assert not validator.is_valid(bad), bad
