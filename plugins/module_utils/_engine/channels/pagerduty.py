# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``pagerduty://ROUTINGKEY``: PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview).

An alert is one incident from trigger over acknowledge to resolve, known by its fingerprint. Success is 202 with status success.
"""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    SENT,
    Answer,
    Channel,
    ChannelError,
    Dialect,
    Request,
    Verdict,
    masked_url,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import as_json, read_endpoint, take_query

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_SUMMARY = 1024  # characters
_ROOM = 400_000  # bytes of the details, of the 512,000 of a request
_LINKS, _LINK = 20, 2000  # how many, and characters of each
_HOSTS = {"us": "events.pagerduty.com", "eu": "events.eu.pagerduty.com"}
_ACTIONS = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    key = urllib.parse.unquote(parts.netloc)
    channel.masked = masked_url("pagerduty", "", True)
    if not key or parts.path.strip("/"):
        raise ChannelError("The channel pagerduty://… needs the routing key and nothing else; write it like pagerduty://ROUTINGKEY.")
    channel.secrets = {key, parts.netloc}
    given = take_query(channel, parts.query, ("region",))
    region = given.get("region", "us")
    if region not in _HOSTS:
        raise ChannelError(f'region of the channel {channel.masked} is "{region}"; it must be us or eu.')
    channel.origin = read_endpoint(channel, given, ("https", _HOSTS[region], 443))
    channel.path = "/v2/enqueue"
    channel.own["key"] = key


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """The fingerprint is the dedup_key, so that the end finds the beginning even when the store was lost in between."""
    event = events[0]
    body: dict[str, t.Any] = {
        "routing_key": channel.own["key"],
        "event_action": _ACTIONS[event["status"]],
        "dedup_key": event["fingerprint"],
    }
    if body["event_action"] == "trigger":
        title = f"{event['check'] or event['service']}: {event['message']}"
        body["payload"] = {
            "summary": texts.clipped(texts.inline(title), int(_SUMMARY * channel.room)),
            "source": event["instance"] or event["service"] or "vigil",
            "severity": event["severity"],
            "timestamp": event["timestamp"],
            "component": event["service"],
            "class": event["check"],
            "custom_details": _details(event),
        }
        links = {
            name: value for name, value in event["annotations"].items() if value.startswith(("http://", "https://")) and len(value) <= _LINK
        }
        body["links"] = [{"href": link, "text": texts.clipped(name, _SUMMARY)} for name, link in list(links.items())[:_LINKS]]
        body["client"] = "vigil.ops"
    return as_json(body)


def _details(event: Event) -> dict[str, t.Any]:
    """What is known, as much of it as PagerDuty takes."""
    context = event["context"]
    values = {**context, **{name: event[name] for name in ("alert_id", "count", "message", "labels", "annotations")}}
    found: dict[str, t.Any] = {}
    for name in ("alert_id", "count", "message", "labels", "annotations", "caused_by", "metrics", "failed", "observed"):
        more = dict(found, **{name: values.get(name)})
        if values.get(name) and len(json.dumps(more, ensure_ascii=False, default=str).encode("utf-8", "replace")) < _ROOM:
            found = more
    return found


def judge(_channel: Channel, answer: Answer) -> Verdict:
    body = verdicts.parsed(answer)
    if answer.status == 202 and isinstance(body, dict) and body.get("status") == "success":
        return Verdict(SENT, "202")
    if 200 <= answer.status < 300:
        return verdicts.stranger(str(answer.status), "PagerDuty's: no status success in it")
    return verdicts.http(answer)


DIALECT = Dialect("pagerduty", read, request, judge)
