# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Domain names as text and as wire bytes, both in one canonical form: lower case, A-labels.

The text of a name escapes like master files do (RFC 1035 5.1, RFC 4343 2.1): ``\\.`` is a dot inside a label, ``\\DDD`` a byte. Names beyond ASCII become
A-labels: with the library ``idna`` as IDNA 2008 with the mapping of UTS 46, without it by Python's own codec (IDNA 2003).
"""

from __future__ import annotations

import re
import typing as t

LONGEST_LABEL = 63
LONGEST_NAME = 255  # bytes on the wire, lengths and final zero included (RFC 1035 2.3.4)

# what needs no thought: printable ASCII without dot, backslash, white space and what master files give a meaning
_PLAIN = re.compile(r"(?:[!#%&'*+,/0-:<-?A-Z\[\]^_`a-z{|}~-]{1,63}\.)*[!#%&'*+,/0-:<-?A-Z\[\]^_`a-z{|}~-]{1,63}\.?").fullmatch
_LABEL = re.compile(r"[!#%&'*+,0-9<-?A-Z\[\]^_`a-z{|}~-]{1,63}").fullmatch
_HOST = re.compile(r"[0-9A-Za-z_-]*").fullmatch  # Python's codec lets pass what turns into dots and slashes
_LENGTH = [bytes((number,)) for number in range(LONGEST_LABEL + 1)]
_PIECE = re.compile(r"\\([0-9]{3})|\\([^0-9])|([^\\])", re.DOTALL)
_OTHER_DOTS = re.compile("[\u3002\uff0e\uff61]")  # written as dots between labels in East Asia (RFC 3490 3.1)
_SPECIAL = frozenset(b'"().;\\@$')
_SHOWN = ["\\" + chr(code) if code in _SPECIAL else chr(code) if 0x21 <= code <= 0x7E else f"\\{code:03d}" for code in range(256)]


# what stands behind the first dot, as written: canonical text from that dot on, and wire form. Names of one list mostly have few parents.
_PARENTS: t.Dict[str, t.Tuple[str, bytes]] = {}
_MOST_PARENTS = 10_000


def both(text: str) -> t.Tuple[str, bytes]:
    """Canonical text and wire form of a name.

    :raises ValueError: what is wrong with it, in one sentence
    """
    head, _dot, rest = text.partition(".")
    parent = _PARENTS.get(rest)
    if parent is not None and _LABEL(head) and len(head) + len(parent[1]) < LONGEST_NAME:
        head = head.lower()
        return head + parent[0], _LENGTH[len(head)] + head.encode("ascii") + parent[1]
    if _PLAIN(text) and "://" not in text:
        text = text.lower()
        if text[-1] == ".":
            text = text[:-1]
        if len(text) > LONGEST_NAME - 2:
            raise _too_long(text)
        wire = b"".join([_LENGTH[len(label)] + label for label in text.encode("ascii").split(b".")]) + b"\0"
        if rest not in ("", ".") and len(_PARENTS) < _MOST_PARENTS:
            _PARENTS[rest] = (text[len(head) :], wire[len(head) + 1 :])
        return text, wire
    wire = _slowly(text)
    return to_text(wire), wire


def to_wire(text: str) -> bytes:
    """Wire form of a name: lower case, A-labels, uncompressed, with the final zero byte.

    :raises ValueError: what is wrong with it, in one sentence
    """
    return both(text)[1]


def to_text(wire: bytes) -> str:
    """Canonical text of an uncompressed wire name; ``.`` is the root, other names have no final dot.

    :raises ValueError: the bytes are not exactly one uncompressed name
    """
    labels: t.List[str] = []
    place = 0
    while place < len(wire) and 0 < wire[place] <= LONGEST_LABEL:
        label = wire[place + 1 : place + 1 + wire[place]].lower()
        labels.append("".join([_SHOWN[code] for code in label]))
        place += 1 + wire[place]
    if place != len(wire) - 1 or wire[place] or len(wire) > LONGEST_NAME:
        raise ValueError("these bytes are not one uncompressed domain name")
    return ".".join(labels) or "."


def _too_long(text: str) -> ValueError:
    return ValueError(f'"{text[:40]}..." is not a domain name: it takes more than {LONGEST_NAME} bytes')


def _slowly(text: str) -> bytes:
    """Everything that the fast way does not take: escapes, other alphabets, the root, and every error."""
    if not text:
        raise ValueError('"" is not a domain name; write for example www.example.com')
    if text == ".":
        return b"\0"
    if "://" in text:
        raise ValueError(f'"{text}" is a URL, not a domain name; write only the host name')
    wire = b""
    for label in _labels(text):
        raw = _escaped(label, text) if label.isascii() else _international(label, text)
        if not raw:
            raise ValueError(f'"{text}" is not a domain name: a label is empty; one dot stands between labels')
        if len(raw) > LONGEST_LABEL:
            raise ValueError(
                f'"{text}" is not a domain name: the label "{label[:20]}..." takes {len(raw)} bytes, {LONGEST_LABEL} is the most'
            )
        wire += _LENGTH[len(raw)] + raw
    if len(wire) >= LONGEST_NAME:
        raise _too_long(text)
    return wire.lower() + b"\0"


def _labels(text: str) -> t.List[str]:
    """The labels with their escapes still in them, without the empty one after a final dot."""
    labels, start, place = [], 0, 0
    text = _OTHER_DOTS.sub(".", text)
    while place < len(text):
        if text[place] == ".":
            labels.append(text[start:place])
            start = place + 1
        place += 2 if text[place] == "\\" else 1
    if start < len(text):
        labels.append(text[start:])
    return labels


def _escaped(label: str, text: str) -> bytes:
    raw, place = bytearray(), 0
    while place < len(label):
        match = _PIECE.match(label, place)
        if match is None or (match.group(1) and int(match.group(1)) > 255):
            raise ValueError(f'"{text}" is not a domain name: after a backslash stands one character, or three digits up to 255')
        number, character, plain = match.groups()
        if plain is not None and not "!" <= plain <= "~":
            raise ValueError(f'"{text}" is not a domain name: a space or control character in it is written \\DDD, a space \\032')
        raw.append(int(number) if number else ord(character or plain))
        place = match.end()
    return bytes(raw)


def _international(label: str, text: str) -> bytes:
    if "\\" in label:
        raise ValueError(f'"{text}" is not a domain name: one label cannot have both an escape and letters beyond ASCII')
    try:
        try:
            import idna
        except ImportError:
            raw = label.encode("idna")
            if not _HOST(raw.decode("ascii")):
                raise UnicodeError("it has signs that no host name has") from None
            return raw
        return idna.encode(label, uts46=True)
    except UnicodeError as exc:  # the library's own errors are of this kind too
        raise ValueError(f'"{text}" is not a domain name: "{label}" cannot be written as an international label ({exc})') from exc
