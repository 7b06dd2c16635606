# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialects ``smtp://user:pass@host:587?to=a@example.com`` (STARTTLS) and ``smtps://`` (TLS from the start): mail (RFC 5321, 3207, 4954, 2047).

It speaks for itself and not through smtplib, whose waiting for names, TLS and answers has no absolute end. A mail of an alert refers to that alert, so
that readers show all that is told of it as one thread.
"""

from __future__ import annotations

import base64
import re
import typing as t
import urllib.parse

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

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Stream

_PHASE = "dialogue"
_MOST_LINES = 100
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_ADDRESS = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+\Z")
_REMEMBERED = 200


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    host = parts.hostname or ""
    channel.masked = masked_url(channel.scheme, f"[{host}]" if ":" in host else host, True)
    given = take_query(channel, parts.query, ("to", "from", "starttls"))
    if not host or "to" not in given or "endpoint" in given:
        raise ChannelError(
            f"The channel {channel.masked} needs a host and recipients; write it like smtp://user:password@host:587?to=ops@example.com."
        )
    port = parts.port or (465 if channel.scheme == "smtps" else 587)
    user, password = urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or "")
    recipients = [one.strip() for one in given["to"].split(",") if one.strip()]
    sender = given.get("from") or (user if _ADDRESS.match(user) else f"vigil@{host}")
    for one in (*recipients, sender):
        if not _ADDRESS.match(one) or not one.isascii():
            raise ChannelError(
                f'The channel {channel.masked} names "{one}", which is not an address as mail servers take it: name@example.com.'
            )
    if given.get("starttls", "yes") not in ("yes", "no"):
        raise ChannelError(f"starttls of the channel {channel.masked} must be yes or no.")
    channel.origin = (channel.scheme, host, port)
    channel.path = f"{user}?to={','.join(recipients)}&from={sender}"
    channel.own = {"to": recipients, "from": sender, "user": user, "password": password, "starttls": given.get("starttls", "yes") == "yes"}
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    channel.secrets = {secret for secret in (password, parts.password or "", plain) if len(secret) >= SHORTEST_SECRET}


class _Refused(Exception):
    """What the server said to a command, and which it was."""

    def __init__(self, code: int, text: str, what: str) -> None:
        super().__init__(what)
        self.code, self.what = code, what
        found = _ENHANCED.search(text)
        self.shown = f"{code} {found.group(0)}" if found else str(code)

    def verdict(self, too_long: bool = False) -> Verdict:
        """4yz passes, 5yz is final (RFC 5321, 4.2.1)."""
        said = f"the mail server {'asks to try later' if self.code < 500 else 'refuses'} {self.what} ({self.shown})"
        too_long = too_long or self.code == 552
        return Verdict(RETRY if self.code < 500 else DEAD, str(self.code), said, of_text=too_long, too_long=too_long)


class Mailbox:
    """The way to one mail server; the connection is kept from one mail to the next."""

    def __init__(self, channel: Channel) -> None:
        # not before there is something to send: TLS costs those who have nothing to tell
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import mail
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport

        self._compose = mail.compose
        self._channel = channel
        self._transport = Transport(channel)
        self._stream: Stream | None = None
        self._offers: dict[str, str] = {}
        self._told: dict[str, set[str]] = {}  # of a mail that some took and some asked to send later: who took it

    def send(self, events: t.Sequence[Event], seconds: float) -> Verdict:
        deadline = Deadline(seconds)
        name, message = self._compose(self._channel, events)
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                stream.deadline = deadline
                try:
                    self._say(stream, "RSET", (250,), "")
                except (NetError, _Refused):  # it was closed meanwhile
                    stream.close()
                    stream = None
            stream = stream or self._open(deadline)
            verdict = self._hand_over(stream, name, message)
            self._stream = stream
            return verdict
        except _Refused as exc:
            if stream is not None:
                stream.close()
            return exc.verdict()
        except BaseException:
            if stream is not None:
                stream.close()
            raise

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.deadline = Deadline(1.0)
            try:
                alone(stream.send(b"QUIT\r\n", _PHASE))
            except NetError:
                pass
            stream.close()

    def _open(self, deadline: Deadline) -> Stream:
        stream = self._transport.dial(deadline)
        try:
            if self._channel.scheme == "smtps":
                self._transport.secure(stream)
            self._reply(stream, (220,), "the connection")
            self._greet(stream)
            if self._channel.scheme == "smtp" and self._channel.own["starttls"]:
                if "STARTTLS" not in self._offers:
                    raise NetError(
                        "tls", "the mail server offers no STARTTLS; use smtps://, or starttls=no where the way to it is safe", "tls"
                    )
                self._say(stream, "STARTTLS", (220,), "STARTTLS")
                self._transport.secure(stream)
                self._greet(stream)  # what was offered before may have been forged
            if self._channel.own["user"]:
                self._log_in(stream)
            return stream
        except BaseException:
            stream.close()
            raise

    def _greet(self, stream: Stream) -> None:
        address = stream.sock.getsockname()[0]
        place = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        _code, lines = self._say(stream, f"EHLO {place}", (250,), "the greeting")
        self._offers = {line.split(" ")[0].upper(): line.partition(" ")[2].upper() for line in lines[1:]}

    def _log_in(self, stream: Stream) -> None:
        own, ways = self._channel.own, self._offers.get("AUTH", "").split()
        if "PLAIN" in ways or "LOGIN" not in ways:
            word = base64.b64encode(f"\0{own['user']}\0{own['password']}".encode()).decode()
            self._say(stream, f"AUTH PLAIN {word}", (235,), "the user and password")
            return
        self._say(stream, "AUTH LOGIN", (334,), "the user")
        self._say(stream, base64.b64encode(own["user"].encode()).decode(), (334,), "the user")
        self._say(stream, base64.b64encode(own["password"].encode()).decode(), (235,), "the user and password")

    def _hand_over(self, stream: Stream, name: str, message: bytes) -> Verdict:
        most = self._offers.get("SIZE", "")
        if most.isdigit() and 0 < int(most) < len(message):
            return _Refused(552, "", "a mail of this size").verdict(True)
        told = self._told.get(name, set())
        self._say(stream, f"MAIL FROM:<{self._channel.own['from']}>", (250,), "the sender")
        taken, refused = [], []
        for one in self._channel.own["to"]:
            if one in told:
                continue
            try:
                self._say(stream, f"RCPT TO:<{one}>", (250, 251), f"the recipient {one}")
                taken.append(one)
            except _Refused as exc:
                refused.append(exc)
        if taken:
            self._say(stream, "DATA", (354,), "the mail")
            body = re.sub(rb"(?m)^\.", b"..", message)
            alone(stream.send(body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n", _PHASE))
            self._reply(stream, (250,), "the mail")
        return self._outcome(name, told | set(taken), refused)

    def _outcome(self, name: str, told: set[str], refused: t.Sequence[_Refused]) -> Verdict:
        """Those who asked to be sent it later are tried again, and they alone; what nobody ever takes is final."""
        later = [exc for exc in refused if exc.code < 500]
        if later:
            self._told[name] = told
            while len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
            return later[0].verdict()
        self._told.pop(name, None)
        if not told:
            return refused[0].verdict()
        return Verdict(SENT, "250", "; ".join(exc.verdict().message for exc in refused))

    def _say(self, stream: Stream, command: str, wanted: t.Sequence[int], what: str) -> tuple[int, list[str]]:
        alone(stream.send(command.encode("ascii") + b"\r\n", _PHASE))
        return self._reply(stream, wanted, what)

    def _reply(self, stream: Stream, wanted: t.Sequence[int], what: str) -> tuple[int, list[str]]:
        lines: list[str] = []
        for _number in range(_MOST_LINES):
            line = alone(stream.line(_PHASE)).decode("utf-8", "replace")
            lines.append(line[4:])
            if line[3:4] != "-":
                break
        if not line[:3].isdigit() or not 200 <= int(line[:3]) <= 599:
            raise NetError("protocol", "the server does not speak SMTP", _PHASE)
        if int(line[:3]) not in wanted:
            raise _Refused(int(line[:3]), " ".join(lines), what)
        return int(line[:3]), lines


DIALECT = Dialect("smtp", read, way=Mailbox, digest=True)
