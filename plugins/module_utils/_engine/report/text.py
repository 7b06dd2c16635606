# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that came from a host, made harmless once for every format, and measured the way a terminal shows it."""

from __future__ import annotations

import math
import re
import typing as t
import unicodedata

# Control characters (line feed and tab stay), marks that turn the writing direction around, halves of surrogate pairs, non-characters.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
_MAX_DEPTH = 12
_ZERO_WIDTH = ("Mn", "Me", "Cf")


def _escape(match: t.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8 (PEP 383)
        return "\\x%02x" % (code - 0xDC00)
    return ("\\x%02x" if code < 0x100 else "\\u%04x") % code


def visible(text: str) -> str:
    """`text` with everything that could steer a terminal, a browser or an XML reader written out as `\\xNN` or `\\uNNNN`."""
    return _UNSAFE.sub(_escape, str.__str__(text).replace("\r\n", "\n"))


def oneline(text: str) -> str:
    """`text` made visible, with every run of white space turned into one space."""
    return " ".join(visible(text).split())


def plain(value: t.Any, depth: int = 0) -> t.Any:
    """A deep copy of `value` made of plain JSON types; strings are made visible, NaN and infinities become null."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= _MAX_DEPTH:
        return "..."
    if isinstance(value, t.Mapping):
        return {visible(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        return visible(value.decode("utf-8", "surrogateescape"))
    return visible(str(value))


def cut(text: str, limit: int) -> str:
    """`text` with at most `limit` characters, an ellipsis in place of the rest."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _char_width(char: str) -> int:
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def width(text: str) -> int:
    """Columns that a terminal needs for `text` (Unicode annex 11: wide and full width characters take two)."""
    return len(text) if text.isascii() else sum(_char_width(char) for char in text)


def fit(text: str, columns: int) -> str:
    """`text` cut to `columns` terminal columns, with an ellipsis where something was cut off."""
    if width(text) <= columns:
        return text
    kept: t.List[str] = []
    room = columns - 1
    for char in text:
        room -= _char_width(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def pad(text: str, columns: int, right: bool = False) -> str:
    """`text` fitted into exactly `columns` terminal columns."""
    text = fit(text, columns)
    fill = " " * (columns - width(text))
    return fill + text if right else text + fill
