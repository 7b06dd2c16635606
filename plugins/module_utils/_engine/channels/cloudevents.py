# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``cloudevents+https://``: CloudEvents 1.0 over HTTP.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import json
import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import webhook
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, Dialect, Request

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_TRACE = re.compile(r"[0-9a-f]{32}\Z")


def attributes(event: Event) -> dict[str, str]:
    """Those of the specification, and ``traceparent`` (its extension Distributed Tracing) where the trace is known."""
    found = {
        "specversion": "1.0",
        "id": str(event["event_id"] or f"{event['alert_id']}/{event['status']}"),
        "source": "vigil://" + urllib.parse.quote(event["service"] or "vigil", safe="", errors="replace"),
        "type": f"io.vigil.alert.{event['status']}",
        "time": str(event["timestamp"]),
        "subject": event["instance"],
    }
    trace = str(event["context"].get("trace_id") or "")
    if _TRACE.match(trace):
        found["traceparent"] = f"00-{trace}-{event['fingerprint'][:16]}-01"
    return {name: value for name, value in found.items() if value}


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """``type: structured`` has all of it in the body, ``binary`` the attributes in headers."""
    event = events[0]
    if channel.type == "binary":
        plain = webhook.request(channel, events)
        names = {f"ce-{name}": _encoded(value) for name, value in attributes(event).items()}
        return plain._replace(headers={**plain.headers, **names})
    whole = {**attributes(event), "datacontenttype": "application/json", "data": event}
    body = json.dumps(whole, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Request(body, {"Content-Type": "application/cloudevents+json; charset=utf-8", **webhook.signed(channel, body)})


def _encoded(value: str) -> str:
    """A header's value (3.1.3.2 of the binding): space, quotes, per cent and what is not ASCII are percent-encoded."""
    return "".join(
        char if "!" <= char <= "~" and char not in '"%' else urllib.parse.quote(char, safe="", errors="replace") for char in value
    )


DIALECT = Dialect("cloudevents", webhook.read, request, webhook.judge, types=("structured", "binary"))
