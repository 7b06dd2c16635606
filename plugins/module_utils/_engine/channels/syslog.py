# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialects ``syslog://`` (this host's, or ``syslog://host:514`` over UDP), ``syslog+tcp://host:601``, ``syslog+tls://host:6514``, ``journald://``.

RFC 5424, 5425, 5426, 6587; https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. Syslog has no answer: sent is all that is known, over UDP not even that
somebody listens. The journal and the local socket say when they are not there.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import struct
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import texts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    Channel,
    ChannelError,
    Dialect,
    Verdict,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import take_query
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _net
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, explain
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import alone

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_FACILITIES = ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp")
_LOCALS = {f"local{number}": 16 + number for number in range(8)}
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6}
_NOTICE = 5
_PORTS = {"syslog": 514, "syslog+tcp": 601, "syslog+tls": 6514}
_SOCKETS = {"syslog": "/dev/log", "journald": "/run/systemd/journal/socket"}
_DATAGRAM, _LONGEST = 2048, 8192  # bytes over UDP (RFC 5426, 3.2), and else
_NAME = 128  # characters of a value: all of them have room in the smallest message, whatever they are made of


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    host, path = parts.hostname or "", urllib.parse.unquote(parts.path)
    place = f"[{host}]" if ":" in host else host
    channel.masked = f"{channel.scheme}://{place}{f':{parts.port}' if parts.port else ''}{path}"
    given = take_query(channel, parts.query, ("facility",))
    facility = given.get("facility", "daemon")
    known = {**{name: number for number, name in enumerate(_FACILITIES)}, **_LOCALS}
    if facility not in known or "endpoint" in given:
        raise ChannelError(f"facility of the channel {channel.masked} must be one of {', '.join(known)}.")
    if host and (channel.scheme == "journald" or path.strip("/")):
        raise ChannelError(
            f"The channel {channel.masked} needs a host or the path of a socket; write it like syslog://logs.example.com or journald://."
        )
    if not host and channel.scheme not in _SOCKETS:
        raise ChannelError(f"The channel {channel.masked} names no host; write it like {channel.scheme}://logs.example.com.")
    channel.own = {"facility": known[facility]}
    channel.secrets = set()
    channel.path = path or ("" if host else _SOCKETS[channel.scheme])
    if host:
        channel.origin = (channel.scheme, host, parts.port or _PORTS[channel.scheme])


def priority(event: Event) -> int:
    """Severity as syslog counts it: 2 critical, 3 error, 4 warning, 5 what is over, 6 information."""
    return _NOTICE if event["status"] == "resolved" else _PRIORITIES.get(event["severity"], 3)


def _sentence(event: Event) -> str:
    place = f" on {event['instance']}" if event["instance"] else ""
    return texts.inline(f"{texts.headline(event, 'en')}{place}: {event['message']}")


def rfc5424(event: Event, facility: int, most: int) -> bytes:
    """One message with the event's names as structured data, which no enterprise number stands for but that of examples (RFC 5612)."""
    names = ("event_id", "alert_id", "status", "severity", "service", "instance", "check")
    data = "".join(f' {name}="{_quoted(str(event[name]))}"' for name in names if event[name])
    host = re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"
    head = f"<{facility * 8 + priority(event)}>1 {event['timestamp']} {host} vigil {os.getpid()} {event['status']} [vigil@32473{data}] "
    text = head.encode("utf-8", "replace") + b"\xef\xbb\xbf" + _sentence(event).encode("utf-8", "replace")
    return text[:most].decode("utf-8", "ignore").encode()


def _quoted(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", texts.inline(texts.clipped(value, _NAME)))


def _local(event: Event, facility: int) -> bytes:
    """As the C library writes it to a host's own log."""
    stamp = time.strftime("%b %d %H:%M:%S")
    line = f"<{facility * 8 + priority(event)}>{stamp} vigil[{os.getpid()}]: {_sentence(event)}".encode("utf-8", "replace")
    return line[:_LONGEST].decode("utf-8", "ignore").encode()


def journal(event: Event, whole: bool = True) -> bytes:
    """The fields of one entry; a value with a line break is written with its length."""
    fields = {"MESSAGE": _sentence(event), "PRIORITY": str(priority(event)), "SYSLOG_IDENTIFIER": "vigil"}
    fields.update({f"VIGIL_{name.upper()}": str(event[name] or "") for name in ("event_id", "alert_id", "status", "severity", "service")})
    fields.update({f"VIGIL_{name.upper()}": str(event[name] or "") for name in ("instance", "check")})
    if whole:
        fields["VIGIL_EVENT"] = json.dumps(event, ensure_ascii=False, default=str)
    data = b""
    for name, value in fields.items():
        written = value.encode("utf-8", "replace")
        data += name.encode() + (b"\n" + struct.pack("<Q", len(written)) if b"\n" in written else b"=") + written + b"\n"
    return data


class Log:
    """The way to a log; every message is by itself, so a log that was restarted misses nothing."""

    def __init__(self, channel: Channel) -> None:
        # not before there is something to send: TLS costs those who have nothing to tell
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport

        self._channel = channel
        self._transport = Transport(channel)

    def send(self, events: t.Sequence[Event], seconds: float) -> Verdict:
        event, facility = events[0], self._channel.own["facility"]
        if self._channel.origin is None:
            return self._to_socket(event, facility)
        deadline = Deadline(seconds)
        if self._channel.scheme == "syslog":
            return self._to_udp(rfc5424(event, facility, _DATAGRAM), deadline)
        message = rfc5424(event, facility, _LONGEST)
        stream = self._transport.dial(deadline)
        try:
            if self._channel.scheme == "syslog+tls":
                self._transport.secure(stream)
            alone(stream.send(f"{len(message)} ".encode() + message))
            _finish(stream)
        finally:
            stream.close()
        return Verdict(SENT, "sent")

    def close(self) -> None:
        """Nothing is open."""

    def _to_udp(self, message: bytes, deadline: Deadline) -> Verdict:
        family, address = self._transport.addresses(deadline)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect(address)
                sock.send(message)
            except OSError as exc:
                raise explain(exc, "connect", deadline) from exc
        return Verdict(SENT, "sent")

    def _to_socket(self, event: Event, facility: int) -> Verdict:
        is_journal = self._channel.scheme == "journald"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1.0)
            try:
                sock.connect(self._channel.path)
                try:
                    sock.send(journal(event) if is_journal else _local(event, facility))
                except OSError as exc:
                    if exc.errno != errno.EMSGSIZE or not is_journal:
                        raise
                    sock.send(journal(event, whole=False))
            except OSError as exc:
                kind = DEAD if exc.errno == errno.EMSGSIZE else RETRY
                return Verdict(kind, "socket", f"the log does not take it: {(exc.strerror or str(exc)).lower()}")
        return Verdict(SENT, "sent")


def _finish(stream: _net.Stream) -> None:
    """Wait for the other side to close, too: then it has read everything. One that does not is not waited for long."""
    stream.deadline = Deadline(min(1.0, max(stream.deadline.end - time.monotonic(), 0.1)))
    try:
        stream.sock.shutdown(socket.SHUT_WR)
        alone(stream.receive("dialogue"))
    except NetError as exc:
        if exc.reason == "reset":
            raise
    except OSError as exc:
        raise explain(exc, "send", stream.deadline) from exc


DIALECT = Dialect("syslog", read, way=Log)
