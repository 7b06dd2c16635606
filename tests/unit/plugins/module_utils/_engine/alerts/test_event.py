# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events: their identity, what they are made of, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import event as events
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result

NOW = 1_763_692_800.0
SCHEMA = Path(__file__).resolve().parents[6] / "docs" / "schema" / "event.schema.json"


def test_identity_is_stable():
    """A change of this value would resolve and reopen every alert of every user."""
    assert events.fingerprint("shop", "web1", "front page", {"b": 2, "a": "1"}).startswith("042f6bbef1")
    assert events.fingerprint("shop", "web1", "front page", {"a": "1", "b": "2"}) == events.fingerprint(
        "shop", "web1", "front page", {"b": 2, "a": 1}
    )
    assert events.fingerprint("a", "bc", "", {}) != events.fingerprint("ab", "c", "", {})
    assert events.alert_id(NOW, "7c1f09a2b3ff") == "VGL-20251121T024000Z-7c1f09a2b3"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("critical", ("firing", "error")),
        ("warning", ("firing", "warning")),
        ("unknown", ("firing", "warning")),
        ("ok", ("resolved", "warning")),
    ],
)
def test_from_result(status, expected):
    result = new_result(
        "disk", status=status, labels={"service": "shop", "path": "/"}, summary="used_percent is 93", metrics={"used_percent": 93.0}
    )
    event = events.from_result(result, "vigil", "web1", NOW)
    assert (event["status"], event["severity"]) == expected
    assert (event["service"], event["instance"], event["check"], event["labels"]) == ("shop", "web1", "disk", {"path": "/"})
    assert event["message"] == "used_percent is 93"
    assert event["context"]["metrics"] == {"used_percent": 93.0}


def test_skipped_is_not_told_and_reason_stands_in():
    assert events.from_result(new_result("x", status="skipped", caused_by="db"), "s", "h", NOW) is None
    assert events.from_result(new_result("x", status="unknown", reason="permission"), "s", "h", NOW)["message"] == "permission"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("text", "event must be a mapping with a message and a check or service, not str."),
        ({}, "event needs a message"),
        ({"message": "m"}, "event needs a check or a service"),
        ({"message": "m", "check": "c", "sevrity": "x"}, 'event has no key "sevrity"; did you mean "severity"?'),
        ({"message": "m", "check": "c", "severity": "fatal"}, 'event.severity is "fatal"; known are critical, error, info, warning.'),
        ({"message": "m", "check": "c", "status": "resolve"}, 'event.status is "resolve"; did you mean "resolved"?'),
        ({"message": "m", "check": "c", "labels": ["a"]}, "event.labels must be a mapping"),
        ({"message": ["m"], "check": "c"}, "event.message must be text."),
        ({"message": "m", "check": "c", "timestamp": "yesterday"}, "event.timestamp: 'yesterday' is not a time"),
        ({"message": "m", "check": "c", "timestamp": "0001-01-01T00:00:00Z"}, "event.timestamp is before 1970"),
        ({"message": "m", "check": "c", "context": {"metric": {}}}, 'event.context has no key "metric"; did you mean "metrics"?'),
        ({"message": "m", "check": "c", "context": {"metrics": 3}}, "event.context.metrics must be a mapping."),
        ({"message": "m", "check": "c", "context": {"failed": "x"}}, "event.context.failed must be a list."),
    ],
)
def test_bad_input(given, words):
    with pytest.raises(events.EventError) as caught:
        events.from_input(given, NOW)
    assert words in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_an_event_from_elsewhere_can_be_handed_on():
    one = events.new_event("shop", "web1", "page", NOW, message="m", metrics={"a": 1})
    two = events.from_input(dict(one, alert_id="VGL-other", count=9), NOW + 60)
    assert two == one
    assert len(events.new_event("s", "i", "c", NOW, message="x" * 9000)["message"]) == events.MESSAGE_LIMIT


def test_schema():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    event = events.new_event("shop", "web1", "page", NOW, message="m", labels={"a": 1}, metrics={"a": 1})
    event["event_id"] = events.event_id(event["alert_id"], "firing", 1)
    validator.validate(event)
    validator.validate(dict(event, status="resolved", ends_at=event["starts_at"], duration_seconds=0.0))
    for key in events.EVENT_KEYS:
        assert not validator.is_valid({name: value for name, value in event.items() if name != key}), key
    for change in ({"status": "over"}, {"severity": "fatal"}, {"timestamp": "now"}, {"count": 0}, {"extra": 1}, {"labels": {"a": 1}}):
        assert not validator.is_valid(dict(event, **change)), change
    assert set(schema["properties"]) == set(events.EVENT_KEYS)
    assert set(schema["properties"]["context"]["properties"]) == set(events.CONTEXT_KEYS)
