# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few words before a TLS handshake in protocols that begin in plain text."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream

_PHASE = "dialogue"
_MOST_LINES = 100
# LDAP: extendedRequest 1.3.6.1.4.1.1466.20037 as message 1 (RFC 4511, section 4.14)
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
_POSTGRES_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def start(stream: Stream, protocol: str) -> None:
    """Bring the server to the point at which the TLS handshake begins.

    :raises NetError: protocol, the server does not speak this or offers no TLS; timeout or reset in the dialogue
    """
    PROTOCOLS[protocol](stream)


def _no_tls(protocol: str, said: bytes) -> NetError:
    shown = "".join(char if char.isprintable() else "?" for char in said[:80].decode("utf-8", "replace"))
    return NetError("protocol", f'the server does not begin TLS in {protocol}; it said "{shown}"', _PHASE)


def _coded(stream: Stream, wanted: bytes, protocol: str) -> None:
    """An answer of numbered lines, of which the last has a space behind the number (SMTP, FTP)."""
    for _number in range(_MOST_LINES):
        line = stream.line(_PHASE)
        if line[3:4] != b"-":
            if line[:3] != wanted:
                raise _no_tls(protocol, line)
            return
    raise _no_tls(protocol, b"too many lines")


def _smtp(stream: Stream) -> None:
    """RFC 3207."""
    _coded(stream, b"220", "SMTP")
    stream.send(b"EHLO vigil.invalid\r\n", _PHASE)
    _coded(stream, b"250", "SMTP")
    stream.send(b"STARTTLS\r\n", _PHASE)
    _coded(stream, b"220", "SMTP")


def _ftp(stream: Stream) -> None:
    """RFC 4217."""
    _coded(stream, b"220", "FTP")
    stream.send(b"AUTH TLS\r\n", _PHASE)
    _coded(stream, b"234", "FTP")


def _imap(stream: Stream) -> None:
    """RFC 9051, section 6.2.1."""
    greeting = stream.line(_PHASE)
    if not greeting.upper().startswith(b"* OK"):
        raise _no_tls("IMAP", greeting)
    stream.send(b"a1 STARTTLS\r\n", _PHASE)
    for _number in range(_MOST_LINES):
        line = stream.line(_PHASE)
        if line.upper().startswith(b"A1 OK"):
            return
        if not line.startswith(b"* "):
            raise _no_tls("IMAP", line)
    raise _no_tls("IMAP", b"too many lines")


def _pop3(stream: Stream) -> None:
    """RFC 2595."""
    for request in (b"", b"STLS\r\n"):
        if request:
            stream.send(request, _PHASE)
        line = stream.line(_PHASE)
        if not line.startswith(b"+OK"):
            raise _no_tls("POP3", line)


def _ldap(stream: Stream) -> None:
    """RFC 4511, section 4.14: an extended response whose result code is 0."""
    stream.send(_LDAP_REQUEST, _PHASE)
    head = stream.exactly(2, _PHASE)
    length = head[1]
    if head[0] == 0x30 and length & 0x80 and 1 <= length & 0x7F <= 2:
        length = int.from_bytes(stream.exactly(length & 0x7F, _PHASE), "big")
    if head[0] != 0x30 or not 3 <= length <= 4096:
        raise _no_tls("LDAP", head)
    if b"\x0a\x01\x00" not in stream.exactly(length, _PHASE)[:16]:
        raise _no_tls("LDAP", b"a refusal")


def _postgres(stream: Stream) -> None:
    """PostgreSQL protocol, SSLRequest."""
    stream.send(_POSTGRES_REQUEST, _PHASE)
    answer = stream.exactly(1, _PHASE)
    if answer != b"S":
        raise _no_tls("PostgreSQL", answer)


PROTOCOLS: dict[str, t.Callable[[Stream], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "ldap": _ldap,
    "postgres": _postgres,
}
