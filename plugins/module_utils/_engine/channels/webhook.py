# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``http(s)://``: the Event as JSON, one a request; any 2xx is success."""

from __future__ import annotations

import email.utils
import json
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    THROTTLED,
    Answer,
    Channel,
    ChannelError,
    Dialect,
    Request,
    Verdict,
    masked_url,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import SHORTEST_SECRET
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._headers import basic

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_AGAIN = (408, 425, 500, 502, 503, 504)
_LONGEST_WAIT = 3600.0


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    """Everything behind the host may be a secret."""
    if not parts.hostname:
        raise ChannelError(f"The channel {channel.masked} names no host; write it like https://hooks.example.com/alerts.")
    port = parts.port or (443 if channel.scheme == "https" else 80)
    channel.origin = (channel.scheme, parts.hostname, port)
    channel.path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{_query(parts.query)}" if parts.query else "")
    place = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    more = bool(parts.path.strip("/") or parts.query)
    channel.masked = masked_url(channel.scheme, place + (f":{parts.port}" if parts.port else ""), more)
    if parts.username is not None:
        user, password = urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")
        channel.headers["Authorization"] = basic((user, password))
        channel.secrets |= {
            secret for secret in (channel.headers["Authorization"].split()[1], password or user) if len(secret) >= SHORTEST_SECRET
        }


def _query(query: str) -> str:
    return urllib.parse.quote(query, safe="/%:@!$&'()*+,;=~-._?")


def request(channel: Channel, event: Event) -> Request:
    """The body is the Event; its event_id is the same whenever it is sent again."""
    body = json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Request(body, {"Content-Type": "application/json"})


def judge(answer: Answer) -> Verdict:
    """2xx is success; 408, 425, 429 and 5xx are tried again; a redirect is not followed, as the next host is not the one trusted."""
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return Verdict(SENT, code)
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        return Verdict(THROTTLED, code, f"the receiver asks to wait (HTTP {code})", retry_after(answer))
    if answer.status in _AGAIN or answer.status >= 500:
        return Verdict(RETRY, code, f"the receiver is in trouble (HTTP {code})")
    if 300 <= answer.status < 400:
        return Verdict(DEAD, code, f"the receiver points elsewhere (HTTP {code}); give its final URL")
    return Verdict(DEAD, code, f"the receiver refuses it (HTTP {code})")


def retry_after(answer: Answer, default: float = 5.0) -> float:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3), at most an hour."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        wait = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError, IndexError):
        return default
    return min(max(wait, 0.0), _LONGEST_WAIT)


DIALECT = Dialect("webhook", read, request, judge)
