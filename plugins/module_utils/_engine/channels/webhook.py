# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``http(s)://``: the Event as JSON, one a request; any 2xx is success. A mapping may add ``headers``, a ``secret``, a ``template``."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    Answer,
    Channel,
    ChannelError,
    Dialect,
    Request,
    Verdict,
    masked_url,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import SHORTEST_SECRET
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._headers import basic

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    """Everything behind the host may be a secret."""
    if not parts.hostname:
        raise ChannelError(f"The channel {channel.masked} names no host; write it like https://hooks.example.com/alerts.")
    scheme = channel.scheme.rpartition("+")[2]
    port = parts.port or (443 if scheme == "https" else 80)
    channel.origin = (scheme, parts.hostname, port)
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


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """The body is the Event; its event_id is the same whenever it is sent again."""
    event = events[0]
    if channel.template:
        body = _rendered(channel.template, event).encode("utf-8", "replace")
    else:
        body = json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Request(body, {"Content-Type": "application/json", **signed(channel, body)})


def signed(channel: Channel, body: bytes) -> dict[str, str]:
    """Headers by which the receiver knows who sent a body, and when: HMAC-SHA256 over ``<seconds>.<body>`` with the channel's secret."""
    if not channel.secret:
        return {}
    now = str(int(time.time()))
    digest = hmac.new(channel.secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Vigil-Timestamp": now, "X-Vigil-Signature": f"sha256={digest}"}


def _rendered(path: str, event: Event) -> str:
    """The user's own body: a Jinja2 file that gets ``event``. Where that cannot be used, messages wait until somebody has seen to it."""
    try:
        template = _template(path, os.stat(path).st_mtime_ns)
    except OSError as exc:
        raise NetError("template", f"the template {path} cannot be read: {(exc.strerror or '').lower()}") from exc
    except UnicodeError as exc:
        raise NetError("template", f"the template {path} is not UTF-8 text") from exc
    return str(template.render(event=event))


@functools.lru_cache(maxsize=32)
def _template(path: str, _changed: int) -> t.Any:
    try:
        import jinja2
        import jinja2.sandbox
    except ImportError as exc:
        # it waits until somebody sees to that
        raise NetError("missing", "the Python package Jinja2 is not installed where this runs; pip install jinja2") from exc

    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(text)
    except jinja2.TemplateSyntaxError as exc:
        raise NetError("template", f"the template {path} is no Jinja2 template at line {exc.lineno}") from exc


def judge(_channel: Channel, answer: Answer) -> Verdict:
    return verdicts.http(answer)


DIALECT = Dialect("webhook", read, request, judge)
