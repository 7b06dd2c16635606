# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few words before a TLS handshake in protocols that begin in plain text."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream

_PHASE = "dialogue"
_MOST_LINES = 100
# LDAP: extendedRequest 1.3.6.1.4.1.1466.20037 as message 1 (RFC 4511, section 4.14)
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
_POSTGRES_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
# MySQL capability flags: CLIENT_SSL, and LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION beside it
_MYSQL_SSL = 0x0800
_MYSQL_FLAGS = 0x0001 | 0x0200 | _MYSQL_SSL | 0x8000
_MOST_XML = 65536


async def start(stream: Stream, protocol: str, name: str = "") -> None:
    """Bring the server to the point at which the TLS handshake begins.

    :arg name: the name that is asked for, which XMPP wants to know before TLS does
    :raises NetError: protocol, the server does not speak this or offers no TLS; timeout or reset in the dialogue
    """
    if protocol == "xmpp":
        await _xmpp(stream, name)
    else:
        await PROTOCOLS[protocol](stream)


def _no_tls(protocol: str, said: bytes) -> NetError:
    shown = "".join(char if char.isprintable() else "?" for char in said[:80].decode("utf-8", "replace"))
    return NetError("protocol", f'the server does not begin TLS in {protocol}; it said "{shown}"', _PHASE)


async def _coded(stream: Stream, wanted: bytes, protocol: str) -> None:
    """An answer of numbered lines, of which the last has a space behind the number (SMTP, FTP)."""
    for _number in range(_MOST_LINES):
        line = await stream.line(_PHASE)
        if line[3:4] != b"-":
            if line[:3] != wanted:
                raise _no_tls(protocol, line)
            return
    raise _no_tls(protocol, b"too many lines")


async def _smtp(stream: Stream) -> None:
    """RFC 3207."""
    await _coded(stream, b"220", "SMTP")
    await stream.send(b"EHLO vigil.invalid\r\n", _PHASE)
    await _coded(stream, b"250", "SMTP")
    await stream.send(b"STARTTLS\r\n", _PHASE)
    await _coded(stream, b"220", "SMTP")


async def _ftp(stream: Stream) -> None:
    """RFC 4217."""
    await _coded(stream, b"220", "FTP")
    await stream.send(b"AUTH TLS\r\n", _PHASE)
    await _coded(stream, b"234", "FTP")


async def _imap(stream: Stream) -> None:
    """RFC 9051, section 6.2.1."""
    greeting = await stream.line(_PHASE)
    if not greeting.upper().startswith(b"* OK"):
        raise _no_tls("IMAP", greeting)
    await stream.send(b"a1 STARTTLS\r\n", _PHASE)
    for _number in range(_MOST_LINES):
        line = await stream.line(_PHASE)
        if line.upper().startswith(b"A1 OK"):
            return
        if not line.startswith(b"* "):
            raise _no_tls("IMAP", line)
    raise _no_tls("IMAP", b"too many lines")


async def _pop3(stream: Stream) -> None:
    """RFC 2595."""
    for request in (b"", b"STLS\r\n"):
        if request:
            await stream.send(request, _PHASE)
        line = await stream.line(_PHASE)
        if not line.startswith(b"+OK"):
            raise _no_tls("POP3", line)


async def _ldap(stream: Stream) -> None:
    """RFC 4511, section 4.14: an extended response whose result code is 0."""
    await stream.send(_LDAP_REQUEST, _PHASE)
    head = await stream.exactly(2, _PHASE)
    length = head[1]
    if head[0] == 0x30 and length & 0x80 and 1 <= length & 0x7F <= 2:
        length = int.from_bytes(await stream.exactly(length & 0x7F, _PHASE), "big")
    if head[0] != 0x30 or not 3 <= length <= 4096:
        raise _no_tls("LDAP", head)
    if b"\x0a\x01\x00" not in (await stream.exactly(length, _PHASE))[:16]:
        raise _no_tls("LDAP", b"a refusal")


async def _postgres(stream: Stream) -> None:
    """PostgreSQL protocol, SSLRequest."""
    await stream.send(_POSTGRES_REQUEST, _PHASE)
    answer = await stream.exactly(1, _PHASE)
    if answer != b"S":
        raise _no_tls("PostgreSQL", answer)


async def _mysql(stream: Stream) -> None:
    """MySQL and MariaDB: the server's greeting (Handshake v10), then SSLRequest, of which nothing is answered."""
    head = await stream.exactly(4, _PHASE)
    length = int.from_bytes(head[:3], "little")
    if not 20 <= length <= 4096:
        raise _no_tls("MySQL", head)
    greeting = await stream.exactly(length, _PHASE)
    if greeting[:1] == b"\xff":
        raise _no_tls("MySQL", greeting[3:])
    # protocol 10, version text and its zero, connection id (4), first 8 bytes of the challenge, a filler, lower flags (2)
    flags = greeting.find(b"\0") + 14
    if greeting[:1] != b"\x0a" or flags < 14 or flags + 2 > length:
        raise _no_tls("MySQL", greeting)
    if not int.from_bytes(greeting[flags : flags + 2], "little") & _MYSQL_SSL:
        raise _no_tls("MySQL", b"that it knows no TLS")
    # flags, the longest packet (16 MiB), utf8mb4, 23 bytes that mean nothing
    request = _MYSQL_FLAGS.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23)
    await stream.send(len(request).to_bytes(3, "little") + b"\x01" + request, _PHASE)


async def _xmpp(stream: Stream, name: str = "") -> None:
    """RFC 6120, section 5.4: of a client to its server."""
    to = re.sub(r"[^A-Za-z0-9._:-]", "", name)
    await stream.send(
        f"<?xml version='1.0'?><stream:stream to='{to}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>".encode(),
        _PHASE,
    )
    heard = await _until(stream, (b"</stream:features>", b"<stream:features/>"))
    if b"urn:ietf:params:xml:ns:xmpp-tls" not in heard:
        raise _no_tls("XMPP", heard[-80:])
    await stream.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", _PHASE)
    heard = await _until(stream, (b">",))
    if not heard.lstrip().startswith(b"<proceed"):
        raise _no_tls("XMPP", heard)


async def _until(stream: Stream, ends: tuple[bytes, ...]) -> bytes:
    """What is said up to one of these; the server says nothing behind them until it is spoken to."""
    heard = b""
    while not any(end in heard for end in ends):
        piece = await stream.receive(_PHASE)
        heard += piece
        if not piece or len(heard) > _MOST_XML or b"</stream:stream>" in heard:
            raise _no_tls("XMPP", heard[-80:])
    return heard


PROTOCOLS: dict[str, t.Callable[[Stream], t.Coroutine[t.Any, t.Any, None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "ldap": _ldap,
    "postgres": _postgres,
    "mysql": _mysql,
    "xmpp": _xmpp,
}
