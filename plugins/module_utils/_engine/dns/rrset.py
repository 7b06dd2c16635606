# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as text in one canonical form, from whatever a person or a file wrote."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import rrtypes
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import rdata_text

ADDRESSES = frozenset((1, 28))
_TEXTS = frozenset((16, 99))
_LONGEST_STRING = 255


def canonical(kind: int, written: str) -> str:
    """The canonical text of one record's data.

    A TXT record may be written without quotes; it is one text then, whatever blanks are in it, and ``\\;`` is a semicolon as octoDNS writes it.

    :raises ValueError: it cannot be the data of such a record, in one sentence
    """
    import dns.exception
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    text = str(written).strip()
    if kind in _TEXTS and not text.startswith('"'):
        text = _quoted(text.replace("\\;", ";"))
    try:
        type_ = dns.rdatatype.from_text(f"TYPE{kind}")
        wire = dns.rdata.from_text(dns.rdataclass.IN, type_, text, origin=dns.name.root, relativize=False).to_digestable()
        return rdata_text(dns.rdata.from_wire(dns.rdataclass.IN, type_, wire, 0, len(wire)))
    except Exception as exc:
        why = " ".join(str(exc).split())[:120]
        raise ValueError(f'"{written}" is not the data of a record of type {rrtypes.text(kind)}' + (f" ({why})" if why else "")) from exc


def _quoted(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    parts = [raw[place : place + _LONGEST_STRING] for place in range(0, len(raw), _LONGEST_STRING)] or [b""]
    return " ".join('"' + "".join(_escaped(byte) for byte in part) + '"' for part in parts)


def _escaped(byte: int) -> str:
    char = chr(byte)
    return "\\" + char if char in '"\\' else char if 0x20 <= byte <= 0x7E else f"\\{byte:03d}"


def joined_strings(kind: int, text: str) -> str:
    """A canonical text for comparing with what people wrote: where a TXT record is cut into strings does not count."""
    return text.replace('" "', "") if kind in _TEXTS else text


def is_below(name: str, zone: str) -> bool:
    """Whether a zone's name is this name or one above it. Both are canonical texts, with or without a final dot."""
    name, zone = name.rstrip("."), zone.rstrip(".")
    return not zone or name == zone or name.endswith("." + zone)


def parents(name: str) -> t.List[str]:
    """The name and those above it down to the top-level domain; the root has itself."""
    found = [name]
    place = 0
    while True:
        place = _next_dot(name, place)
        if place < 0:
            return found
        place += 1
        found.append(name[place:])


def _next_dot(name: str, place: int) -> int:
    """The next dot between labels; ``\\.`` is none."""
    while place < len(name):
        if name[place] == "\\":
            place += 2
            continue
        if name[place] == "." and place + 1 < len(name):
            return place
        place += 1
    return -1
