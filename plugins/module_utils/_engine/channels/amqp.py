# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialects ``amqp://user:pass@host/vhost?exchange=alerts&routing_key=vigil.{{severity}}`` and ``amqps://``: AMQP 0-9-1, as RabbitMQ speaks it.

Success is the broker's confirm (https://www.rabbitmq.com/docs/confirms): the message is on disk in a queue. One that no queue takes is returned,
which is a refusal. It speaks for itself: the libraries wait for names, TLS and confirms without an absolute end.
"""

from __future__ import annotations

import json
import re
import struct
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import amqp_wire as wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    Channel,
    ChannelError,
    Dialect,
    Verdict,
    masked_url,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import SHORTEST_SECRET, take_query
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import alone
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Stream

_PHASE = "dialogue"
_MOST = 1 << 20  # bytes of a frame that is taken
_FIELD = re.compile(r"\{(severity|status|service|instance|check)\}")
_CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "authentication_failure_close": True}
_MEANING = {
    311: "the message is too big",
    312: "no queue takes it: bind one to the exchange for this routing key",
    402: "the virtual host is not open to it",
    403: "the user has no right to it, or the password is wrong",
    404: "there is no such exchange",
    530: "the virtual host is not there, or not open to the user",
}
_PASSING = (320, 506, 541)  # the broker stops, has no room, has a fault


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    host = parts.hostname or ""
    channel.masked = masked_url(channel.scheme, (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else ""), True)
    given = take_query(channel, parts.query, ("exchange", "routing_key", "queue"))
    if not host or "endpoint" in given or ("queue" in given) == ("exchange" in given):
        raise ChannelError(
            f"The channel {channel.masked} needs a host and either exchange or queue; write it like amqp://user:password@host/?queue=alerts."
        )
    if "queue" in given and "routing_key" in given:
        raise ChannelError(f"The channel {channel.masked} has routing_key beside queue; it goes with exchange.")
    vhost = urllib.parse.unquote(parts.path[1:]) or "/"
    user, password = urllib.parse.unquote(parts.username or "guest"), urllib.parse.unquote(parts.password or "guest")
    exchange, key = given.get("exchange", ""), given.get("queue") or given.get("routing_key", "vigil.{severity}.{status}")
    channel.origin = (channel.scheme, host, parts.port or (5671 if channel.scheme == "amqps" else 5672))
    channel.path = f"{user}/{vhost}?{exchange}&{key}"
    external = parts.username is None and channel.scheme == "amqps"
    channel.own = {"vhost": vhost, "exchange": exchange, "key": key, "user": user, "password": password, "external": external}
    channel.secrets = {secret for secret in (password, parts.password or "") if len(secret) >= SHORTEST_SECRET}


def routing_key(pattern: str, event: Event) -> str:
    """With the event's words in it, each one word as topics count them."""
    return _FIELD.sub(lambda found: re.sub(r"[\s.*#]+", "_", str(event[found.group(1)])) or "_", pattern)


class _Closed(Exception):
    """The broker closed the channel, or all of the connection, with a reason."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Publisher:
    """The way to one broker; connection and channel are kept from one message to the next."""

    def __init__(self, channel: Channel) -> None:
        # not before there is something to send: TLS costs those who have nothing to tell
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport

        self._channel = channel
        self._transport = Transport(channel)
        self._stream: Stream | None = None
        self._most = wire.LEAST_FRAME
        self._number = 0

    def send(self, events: t.Sequence[Event], seconds: float) -> Verdict:
        deadline = Deadline(seconds)
        stream, self._stream = self._stream, None
        is_kept = stream is not None
        try:
            if stream is not None:
                stream.deadline = deadline
                try:
                    verdict = self._publish(stream, events[0])
                except NetError as exc:
                    if exc.reason != "reset":
                        raise
                    stream.close()  # it was closed meanwhile; a confirm that was lost makes the message come twice, under one message_id
                    stream = None
            if stream is None:
                stream = self._open(deadline)
                verdict = self._publish(stream, events[0])
            self._stream = stream
            return verdict
        except _Closed as exc:
            if stream is not None:
                stream.close()
            if is_kept and exc.code in _PASSING:
                return Verdict(RETRY, str(exc.code), f"the broker closed the connection ({exc.code})")
            return _judged(exc.code)
        except BaseException:
            if stream is not None:
                stream.close()
            raise

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.deadline = Deadline(1.0)
            try:
                alone(
                    stream.send(wire.method(0, wire.CLOSE, struct.pack(">H", 200) + wire.short("bye") + struct.pack(">HH", 0, 0)), _PHASE)
                )
                self._next(stream, wire.CLOSE_OK)
            except (NetError, _Closed):
                pass
            stream.close()

    def _open(self, deadline: Deadline) -> Stream:
        own = self._channel.own
        stream = self._transport.dial(deadline)
        try:
            if self._channel.scheme == "amqps":
                self._transport.secure(stream)
            alone(stream.send(wire.HEADER, _PHASE))
            self._next(stream, wire.START)
            way, word = ("EXTERNAL", b"") if own["external"] else ("PLAIN", f"\0{own['user']}\0{own['password']}".encode())
            about = wire.table({"product": "vigil.ops", "capabilities": _CAPABILITIES})
            self._say(stream, 0, wire.START_OK, about + wire.short(way) + wire.long(word) + wire.short("en_US"))
            channels, most, _beat = struct.unpack(">HIH", self._next(stream, wire.TUNE).arguments[:8])
            self._most = min(most or _MOST, _MOST)
            self._say(stream, 0, wire.TUNE_OK, struct.pack(">HIH", channels, self._most, 0))  # without heartbeats: nothing runs in between
            self._say(stream, 0, wire.OPEN, wire.short(own["vhost"]) + b"\0\0")
            self._next(stream, wire.OPEN_OK)
            self._say(stream, 1, wire.CHANNEL_OPEN, b"\0")
            self._next(stream, wire.CHANNEL_OPEN_OK)
            self._say(stream, 1, wire.SELECT, b"\0")
            self._next(stream, wire.SELECT_OK)
            self._number = 0
            return stream
        except BaseException:
            stream.close()
            raise

    def _publish(self, stream: Stream, event: Event) -> Verdict:
        own = self._channel.own
        body = json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")
        about = {
            "content_type": "application/json",
            "message_id": event["event_id"] or event["alert_id"],
            "timestamp": parse_rfc3339(event["timestamp"]),
            "type": f"vigil.alert.{event['status']}",
            "app_id": "vigil.ops",
        }
        self._number += 1
        alone(stream.send(wire.publish(1, own["exchange"], routing_key(own["key"], event), about, body, self._most), _PHASE))
        returned = None
        while True:
            frame = self._next(stream)
            if frame.method == wire.RETURN:
                returned = wire.reason(frame.arguments)[0]
            elif frame.method in (wire.ACK, wire.NACK):
                number, and_before = wire.acknowledged(frame.arguments)
                if number == self._number or (and_before and number > self._number):
                    break
        if frame.method == wire.NACK:
            return Verdict(RETRY, "nack", "the broker could not keep it")
        return Verdict(SENT, "ack") if returned is None else _judged(returned)

    def _say(self, stream: Stream, channel: int, method: tuple[int, int], arguments: bytes) -> None:
        alone(stream.send(wire.method(channel, method, arguments), _PHASE))

    def _next(self, stream: Stream, wanted: tuple[int, int] | None = None) -> wire.Frame:
        """The next frame, or the next that is of this method."""
        while True:
            kind, channel, size = wire.head(alone(stream.exactly(7, _PHASE)))
            frame = wire.parse(kind, channel, alone(stream.exactly(size + 1, _PHASE))) if size < _MOST and kind in (1, 2, 3, 8) else None
            if frame is None:
                raise NetError("protocol", "the server does not speak AMQP 0-9-1", _PHASE)
            if frame.method in (wire.CLOSE, wire.CHANNEL_CLOSE):
                ok = wire.CLOSE_OK if frame.method == wire.CLOSE else wire.CHANNEL_CLOSE_OK
                self._say(stream, channel, ok, b"")
                raise _Closed(wire.reason(frame.arguments)[0])
            if wanted is None or frame.method == wanted:
                return frame


def _judged(code: int) -> Verdict:
    if code in _PASSING:
        return Verdict(RETRY, str(code), f"the broker is in trouble ({code})")
    too_big = code == 311
    return Verdict(DEAD, str(code), f"the broker refuses it: {_MEANING.get(code, 'its log says why')} ({code})", of_text=too_big)


DIALECT = Dialect("amqp", read, way=Publisher)
