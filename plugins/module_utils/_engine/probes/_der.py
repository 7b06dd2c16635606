# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a certificate says, whatever is wrong with it: a small DER reader for X.509 (RFC 5280, ITU-T X.690).

Only reads; nothing is verified here. Whatever bytes come in, nothing but ValueError comes out.
"""

from __future__ import annotations

import calendar
import ipaddress
import re
import typing as t

_LARGEST = 1 << 20
_NAMES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x05": "serialNumber",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
}
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18


class Certificate(t.NamedTuple):
    """What a certificate says.

    :ivar not_before: epoch seconds; not_after as well
    :ivar subject: such as ``CN=web, O=Example``, issuer as well
    :ivar common_names: of the subject
    :ivar san: subject alternative names as (kind, value), kind being DNS, IP, email or URI
    """

    serial: int
    subject: str
    issuer: str
    not_before: float
    not_after: float
    common_names: list[str]
    san: list[tuple[str, str]]


def read_certificate(data: bytes) -> Certificate:
    """Read a certificate in DER.

    :raises ValueError: this is not one
    """
    if len(data) > _LARGEST:
        raise ValueError("the certificate is too long")
    outer = _Reader(_Reader(data).enter(0x30)).enter(0x30)
    body = _Reader(outer)
    if body.peek() == 0xA0:
        body.enter(0xA0)
    serial = int.from_bytes(body.enter(0x02), "big", signed=True)
    body.enter(0x30)
    issuer = _read_name(body.enter(0x30))
    validity = _Reader(body.enter(0x30))
    not_before, not_after = _read_time(*validity.next()), _read_time(*validity.next())
    subject = _read_name(body.enter(0x30))
    body.enter(0x30)
    return Certificate(
        serial,
        _show_name(subject),
        _show_name(issuer),
        not_before,
        not_after,
        [value for kind, value in subject if kind == "CN"],
        _read_extensions(body),
    )


class _Reader:
    """Walks over the elements of one level."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def more(self) -> bool:
        return self._place < len(self._data)

    def peek(self) -> int:
        return self._data[self._place] if self.more() else -1

    def next(self) -> tuple[int, bytes]:
        """Tag and content of the next element."""
        data, place = self._data, self._place
        if place + 2 > len(data):
            raise ValueError("the certificate ends too early")
        tag, length = data[place], data[place + 1]
        place += 2
        if tag & 0x1F == 0x1F:
            raise ValueError("the certificate has a tag that is not used in certificates")
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or place + count > len(data):
                raise ValueError("the certificate has a length that cannot be")
            length = int.from_bytes(data[place : place + count], "big")
            place += count
        if place + length > len(data):
            raise ValueError("the certificate ends too early")
        self._place = place + length
        return tag, data[place : place + length]

    def enter(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        found, content = self.next()
        if found != tag:
            raise ValueError(f"the certificate has tag {found:#x} where {tag:#x} belongs")
        return content


def _read_name(data: bytes) -> list[tuple[str, str]]:
    parts = []
    reader = _Reader(data)
    while reader.more():
        relative = _Reader(reader.enter(0x31))
        while relative.more():
            pair = _Reader(relative.enter(0x30))
            kind = pair.enter(0x06)
            tag, value = pair.next()
            parts.append((_NAMES.get(kind) or _dotted(kind), _text(tag, value)))
    return parts


def _show_name(parts: list[tuple[str, str]]) -> str:
    return ", ".join(f"{kind}={value}" for kind, value in parts)


def _text(tag: int, value: bytes) -> str:
    encoding = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x0C: "utf-8"}.get(tag, "latin-1")
    return _printable(value.decode(encoding, "replace"))


def _printable(text: str) -> str:
    """One line whatever a certificate holds: control characters would tear a report apart."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _dotted(oid: bytes) -> str:
    numbers, value = [], 0
    for byte in oid[:32]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return "?"
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in [first, numbers[0] - 40 * first, *numbers[1:]])


def _read_time(tag: int, value: bytes) -> float:
    text = value.decode("latin-1")
    if tag == _UTC_TIME and re.fullmatch(r"[0-9]{10}(?:[0-9]{2})?Z", text, re.ASCII):
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME or not re.fullmatch(r"[0-9]{12}(?:[0-9]{2}(?:\.[0-9]{1,9})?)?Z", text, re.ASCII):
        raise ValueError("the certificate has a time that cannot be read")
    numbers = [int(text[:4])] + [int(text[place : place + 2]) for place in (4, 6, 8, 10)]
    seconds = int(text[12:14]) if text[12:14].isdigit() else 0
    if not 1 <= numbers[1] <= 12 or not 1 <= numbers[2] <= 31 or numbers[3] > 24 or numbers[4] > 59 or seconds > 60 or numbers[0] < 1:
        raise ValueError("the certificate has a time that cannot be")
    return float(calendar.timegm((numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], seconds)))


def _read_extensions(body: _Reader) -> list[tuple[str, str]]:
    while body.more():
        tag, content = body.next()
        if tag != 0xA3:
            continue
        extensions = _Reader(_Reader(content).enter(0x30))
        while extensions.more():
            extension = _Reader(extensions.enter(0x30))
            kind = extension.enter(0x06)
            tag, value = extension.next()
            if tag == 0x01:
                tag, value = extension.next()
            if kind == _SUBJECT_ALT_NAME and tag == 0x04:
                return _read_san(value)
    return []


def _read_san(data: bytes) -> list[tuple[str, str]]:
    names = []
    reader = _Reader(_Reader(data).enter(0x30))
    while reader.more():
        tag, value = reader.next()
        if tag == 0x87 and len(value) in (4, 16):
            names.append(("IP", str(ipaddress.ip_address(value))))
        elif tag in (0x81, 0x82, 0x86):
            kind = {0x81: "email", 0x82: "DNS", 0x86: "URI"}[tag]
            names.append((kind, _printable(value.decode("latin-1"))))
    return names


def covers(certificate: Certificate, host: str) -> bool:
    """Whether the certificate is for this host name or address (RFC 9525).

    A wildcard stands for exactly the left-most label. The common name counts only where there is no DNS name, as OpenSSL does it.
    """
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        names = [value for kind, value in certificate.san if kind == "DNS"] or certificate.common_names
        return any(_matches(name, host) for name in names)
    return any(kind == "IP" and ipaddress.ip_address(value) == address for kind, value in certificate.san)


def _matches(pattern: str, host: str) -> bool:
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if not pattern.startswith("*."):
        return pattern == host and bool(host)
    first, dot, rest = host.partition(".")
    return bool(first and dot) and rest == pattern[2:] and "." in rest
