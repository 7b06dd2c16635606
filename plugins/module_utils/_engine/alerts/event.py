# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one alert format (docs/schema/event.schema.json): made from a check's result, from what a user gives, or from parts."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import compact, parse_rfc3339, rfc3339

Event = t.Dict[str, t.Any]

EVENT_KEYS = (
    "event_id",
    "alert_id",
    "fingerprint",
    "status",
    "severity",
    "timestamp",
    "starts_at",
    "ends_at",
    "duration_seconds",
    "count",
    "service",
    "instance",
    "check",
    "message",
    "labels",
    "annotations",
    "context",
)
CONTEXT_KEYS = ("trace_id", "metrics", "observed", "failed", "caused_by")
# What may be given; an alert that somebody takes care of is told as "acknowledged", see the lifecycle.
STATUSES = ("firing", "resolved")
MESSAGE_LIMIT = 4096
# Made here whatever is given; accepted, so that an Event from elsewhere can be handed on as it is.
_OURS = ("event_id", "alert_id", "fingerprint", "starts_at", "ends_at", "duration_seconds", "count")


class EventError(Exception):
    """What was given is no event; the text is one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence.replace("?.", "?"))


def rank(severity: str) -> int:
    """info 0, warning 1, error 2, critical 3."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 2


def fingerprint(service: str, instance: str, check: str, labels: t.Mapping[str, t.Any]) -> str:
    """The identity of an alert, whenever and wherever it is seen: SHA-256 over canonical JSON, in hex."""
    names = {str(key): str(value) for key, value in labels.items()}
    text = json.dumps([service, instance, check, names], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def alert_id(start: float, print_: str) -> str:
    """The name of one episode of an alert."""
    return f"VGL-{compact(start)}-{print_[:10]}"


def event_id(alert: str, status: str, number: int) -> str:
    """The name of one telling; the same telling has the same name whoever works it out."""
    return hashlib.sha256(f"{alert}/{status}/{number}".encode()).hexdigest()[:32]


def new_event(service: str, instance: str, check: str, now: float, /, **values: t.Any) -> Event:
    """An Event with every key.

    :arg now: seconds since the epoch at which it was observed
    :arg values: status, severity, message, labels, annotations, and the keys of ``context``
    """
    labels = {str(key): str(value) for key, value in (values.get("labels") or {}).items()}
    print_ = fingerprint(service, instance, check, labels)
    return {
        "event_id": None,
        "alert_id": alert_id(now, print_),
        "fingerprint": print_,
        "status": values.get("status", "firing"),
        "severity": values.get("severity", "error"),
        "timestamp": rfc3339(now),
        "starts_at": rfc3339(now),
        "ends_at": None,
        "duration_seconds": None,
        "count": 1,
        "service": service,
        "instance": instance,
        "check": check,
        "message": _shortened(str(values.get("message") or "")),
        "labels": labels,
        "annotations": {str(key): str(value) for key, value in (values.get("annotations") or {}).items()},
        "context": {
            "trace_id": values.get("trace_id"),
            "metrics": dict(values.get("metrics") or {}),
            "observed": dict(values.get("observed") or {}),
            "failed": list(values.get("failed") or ()),
            "caused_by": values.get("caused_by"),
        },
    }


def _shortened(text: str) -> str:
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def from_result(result: t.Mapping[str, t.Any], service: str, instance: str, now: float, trace_id: str | None = None) -> Event | None:
    """What a check's Result says as an Event; None for a skipped one, as what it depends on is told, and for one that
    is still learning what is usual.

    What stands by the history counts, where there is one, and not what a single look saw.

    The label ``service`` of the check, where it has one, is the event's service and no label any more.
    """
    status = result.get("status")
    if status == "skipped" or (status == "unknown" and result.get("reason") == LEARNING):
        return None
    stands = result.get("confirmed")
    if isinstance(stands, t.Mapping) and stands.get("status"):
        status, result = stands["status"], dict(result, severity=stands.get("severity"))
    labels, service = _identity(result, service)
    severity = str(result.get("severity") or "error") if status == "critical" else "warning"
    message = result.get("summary") or result.get("reason") or status
    return new_event(
        service,
        instance,
        str(result["name"]),
        now,
        status="resolved" if status == "ok" else "firing",
        severity=severity,
        message=message,
        labels=labels,
        annotations=result.get("annotations"),
        trace_id=trace_id,
        metrics=result.get("metrics"),
        observed=result.get("observed"),
        failed=result.get("failed"),
        caused_by=result.get("caused_by"),
    )


def with_children(events: list[Event], more: t.Mapping[str, tuple[str, str]]) -> list[Event]:
    """Tell with a check what fails along with it: in its message, and as severe as the worst of these, else who wants only that hears nothing.

    :arg more: check -> (what to add, severity)
    """
    for event in events:
        if event["status"] == "firing" and event["check"] in more:
            said, severity = more[event["check"]]
            event["message"] += said
            event["severity"] = max(event["severity"], severity, key=rank)
    return events


def print_of_result(result: t.Mapping[str, t.Any], service: str, instance: str) -> str:
    """The fingerprint of the alert that a check's Result is about, whatever its status."""
    labels, service = _identity(result, service)
    return fingerprint(service, instance, str(result["name"]), labels)


def _identity(result: t.Mapping[str, t.Any], service: str) -> tuple[dict[str, t.Any], str]:
    labels = dict(result.get("labels") or {})
    return labels, str(labels.pop("service", None) or service)


def from_input(given: t.Any, now: float, instance: str = "", service: str = "") -> Event:
    """An event as a user wrote it, checked; ``instance`` and ``service`` are used where it names none.

    :raises EventError: one sentence that names the key and what would be right
    """
    if not isinstance(given, t.Mapping):
        raise EventError(f"event must be a mapping with a message and a check or service, not {type(given).__name__}.")
    for key in given:
        if key not in EVENT_KEYS:
            raise EventError(f'event has no key "{key}"' + nearest(key, [name for name in EVENT_KEYS if name not in _OURS]) + ".")
    values = {key: value for key, value in given.items() if value is not None}
    _choice(values, "status", STATUSES, "firing")
    _choice(values, "severity", SEVERITIES, "error")
    for key in ("service", "instance", "check", "message"):
        if isinstance(values.get(key, ""), (t.Mapping, list, tuple)):
            raise EventError(f"event.{key} must be text.")
        values[key] = str(values.get(key, ""))
    if not values["message"].strip():
        raise EventError("event needs a message, the sentence that people read.")
    if not values["check"] and not values["service"]:
        raise EventError("event needs a check or a service, so that its end can be told from its beginning.")
    for key in ("labels", "annotations", "context"):
        if not isinstance(values.get(key, {}), t.Mapping):
            raise EventError(f"event.{key} must be a mapping of names and values.")
    context = _context(values.pop("context", {}))
    try:
        at = parse_rfc3339(values.pop("timestamp")) if "timestamp" in values else now
    except ValueError as exc:
        raise EventError(f"event.timestamp: {exc}") from exc
    if at < 0:
        raise EventError("event.timestamp is before 1970, as where a program has written that it knows no time; leave it out then.")
    place = (values.pop("service") or service, values.pop("instance") or instance, values.pop("check"), at)
    kept = {key: value for key, value in values.items() if key not in _OURS}
    return new_event(*place, **kept, **context)


def _choice(values: dict[str, t.Any], key: str, choices: t.Sequence[str], default: str) -> None:
    value = str(values.get(key, default))
    if value not in choices:
        raise EventError(f'event.{key} is "{value}"' + nearest(value, choices) + ".")
    values[key] = value


def _context(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    for key in given:
        if key not in CONTEXT_KEYS:
            raise EventError(f'event.context has no key "{key}"' + nearest(key, CONTEXT_KEYS) + ".")
    for key in ("metrics", "observed"):
        if not isinstance(given.get(key) or {}, t.Mapping):
            raise EventError(f"event.context.{key} must be a mapping.")
    if not isinstance(given.get("failed") or [], (list, tuple)):
        raise EventError("event.context.failed must be a list.")
    return dict(given)
