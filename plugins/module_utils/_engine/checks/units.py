# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and sizes as people write them."""

from __future__ import annotations

import math
import re
import typing as t

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {
    "": 1,
    "B": 1,
    "K": 1024,
    "KB": 1000,
    "KIB": 1024,
    "M": 1024**2,
    "MB": 1000**2,
    "MIB": 1024**2,
    "G": 1024**3,
    "GB": 1000**3,
    "GIB": 1024**3,
    "T": 1024**4,
    "TB": 1000**4,
    "TIB": 1024**4,
}
NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100
_NUMBER_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")


def parse_duration(value: t.Any) -> float:
    """Seconds of ``500ms``, ``10s``, ``5m``, ``2h``, ``7d``, ``1h30m`` or a bare number of seconds.

    :raises ValueError: with a sentence that names the value and a right one
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is not a duration; write for example 500ms, 10s, 5m, 2h or 7d")
    if isinstance(value, (int, float)):
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{value!r} is not a duration: it must not be negative or infinite")
        return float(value)
    text = value.strip()
    total, place = 0.0, 0
    while place < len(text):
        match = _NUMBER_UNIT.match(text, place)
        unit = match.group(2) if match else ""
        if match is None or (unit and unit not in _SECONDS) or (not unit and match.group(1) != text):
            break
        total += float(match.group(1)) * _SECONDS.get(unit, 1.0)
        place = match.end()
    if not text or place < len(text) or not math.isfinite(total):
        raise ValueError(f"{value!r} is not a duration; write for example 500ms, 10s, 5m, 2h or 7d")
    return total


def parse_size(value: t.Any) -> int:
    """Bytes of ``10MiB``, ``4K``, ``1.5GB`` or a bare number of bytes.

    :raises ValueError: with a sentence that names the value and a right one
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _NUMBER_UNIT.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = match.group(2).upper() if match else ""
    if match is None or unit not in _BYTES:
        raise ValueError(f"{value!r} is not a size; write for example 512, 64KiB, 10MiB or 2GiB")
    return int(float(match.group(1)) * _BYTES[unit])


def format_duration(seconds: float) -> str:
    """``90`` -> ``1m30s``; below a second in milliseconds."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    left, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts[:2])


def as_number(value: t.Any) -> float | None:
    """A number, also one written as text; None for everything else, infinite ones included."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and NUMBER.fullmatch(value.strip()):
        text = value.strip()
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return None
