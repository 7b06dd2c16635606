# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``alertmanager://host:9093`` (``alertmanagers://`` over TLS): Alertmanager's API v2; several peers are separated by commas.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml. Every peer is told, as Prometheus does; one that took it is
enough. A firing alert is given an end in the future, since it is not posted again every minute; when it is over it gets its real one. The
severity is one of the labels an alert is known by, so the alert of the severity it had before ends when it has another.
"""

from __future__ import annotations

import re
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
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import as_json, read_hosts, take_query
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.verdicts import http, is_page, parsed, stranger
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._headers import basic
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339, rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

HOLD = 5 * 3600.0  # longer than it takes until an alert is told again
_NAME = re.compile(r"[^a-zA-Z0-9_]")
_WORST = (SENT, THROTTLED, RETRY, DEAD)


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    scheme = "https" if channel.scheme == "alertmanagers" else "http"
    userinfo, hosts = read_hosts(channel, parts, 9093, "alertmanager://host:9093")
    channel.masked = masked_url(channel.scheme, ",".join(f"{host}:{port}" for host, port in hosts), bool(parts.path.strip("/")))
    given = take_query(channel, parts.query, ("hold",))
    if "endpoint" in given:
        raise ChannelError(f"The channel {channel.masked} takes no endpoint: its own host is one.")
    try:
        channel.own["hold"] = parse_duration(given["hold"]) if "hold" in given else None
    except ValueError as exc:
        raise ChannelError(f"hold of the channel {channel.masked}: {exc}.") from exc
    channel.origin = (scheme, *hosts[0])
    channel.own["peers"] = [(scheme, *host) for host in hosts]
    channel.path = parts.path.rstrip("/") + "/api/v2/alerts"
    if userinfo:
        channel.headers["Authorization"] = basic(userinfo)
        channel.secrets |= {secret for secret in (userinfo[1], channel.headers["Authorization"].split()[1]) if secret}


def alert(event: Event, hold: float, now: float) -> dict[str, t.Any]:
    """One of ``postableAlerts``; its identity are its labels."""
    named = {_name(name): value for name, value in event["labels"].items()}
    ours = {
        "alertname": event["check"] or event["service"],
        "instance": event["instance"],
        "service": event["service"],
        "severity": event["severity"],
    }
    start = parse_rfc3339(event["starts_at"])
    end = parse_rfc3339(event["ends_at"] or event["timestamp"]) if event["status"] == "resolved" else max(now, start) + hold
    links = [value for value in event["annotations"].values() if value.startswith(("http://", "https://"))]
    made: dict[str, t.Any] = {
        "labels": {name: value for name, value in {**named, **ours}.items() if value},
        "annotations": {"summary": event["message"], **{_name(name): value for name, value in event["annotations"].items() if value}},
        "startsAt": event["starts_at"],
        "endsAt": rfc3339(max(min(end, now) if event["status"] == "resolved" else end, start)),
    }
    return dict(made, generatorURL=links[0]) if links else made


def alerts(event: Event, hold: float, now: float) -> list[dict[str, t.Any]]:
    """The alert, and the end of the one that it was while it had another severity."""
    before = [dict(event, status="resolved", severity=event["_was"], ends_at=event["timestamp"])] if event.get("_was") else []
    return [alert(one, hold, now) for one in (*before, event)]


def _hold(channel: Channel) -> float:
    """Longer than it takes until an alert is told again, unless the user wants another time."""
    given = channel.own["hold"]
    return max(HOLD, channel.repeat * 1.25) if given is None else float(given)


def _name(name: str) -> str:
    """A name as labels may have it: [a-zA-Z_][a-zA-Z0-9_]*."""
    name = _NAME.sub("_", name) or "_"
    return f"_{name}" if name[0].isdigit() else name


def judge(answer: Answer) -> Verdict:
    """It took them where it says 200; its own body is empty, and those of others that speak its API tell no error."""
    body = parsed(answer)
    is_error = isinstance(body, dict) and (body.get("error") or body.get("status") == "error")
    if 200 <= answer.status < 300 and (answer.status != 200 or is_page(answer) or is_error):
        return stranger("not_alertmanager", "Alertmanager's")
    return http(answer)


class Peers:
    """The way to all of them."""

    def __init__(self, channel: Channel) -> None:
        # not before there is something to send: TLS costs those who have nothing to tell
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport

        self._channel = channel
        self._ways = [Transport(channel, origin) for origin in channel.own["peers"]]

    def send(self, events: t.Sequence[Event], seconds: float) -> Verdict:
        """Post to each; the best of their verdicts counts, a network's failure is one of them."""
        now = time.time()
        posted: Request = as_json([one for event in events for one in alerts(event, _hold(self._channel), now)])
        verdicts, until = [], time.monotonic() + seconds
        for number, way in enumerate(self._ways):
            share = max((until - time.monotonic()) / (len(self._ways) - number), 0.1)
            try:
                verdicts.append(judge(way.send(posted, share)))
            except NetError as exc:
                verdicts.append(Verdict(RETRY, exc.reason, exc.sentence))
        return min(verdicts, key=lambda verdict: _WORST.index(verdict.kind))

    def close(self) -> None:
        for way in self._ways:
            way.close()


DIALECT = Dialect("alertmanager", read, way=Peers, by_severity=True)
