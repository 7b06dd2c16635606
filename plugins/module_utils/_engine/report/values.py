# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers and times as a reader wants them: 12.3 GiB, 41.2 %, 3 d 4 h."""

from __future__ import annotations

import datetime
import typing as t

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPANS = (86400, 3600, 60, 1)
_UNITS = ("d", "h", "min", "s")


def stamp(epoch: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, whole seconds: `2026-11-20T12:34:56Z`."""
    moment = datetime.datetime.fromtimestamp(int(epoch), tz=datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_of(value: t.Any) -> t.Optional[float]:
    """Seconds since 1970 of a number or an RFC 3339 string; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    try:
        moment = datetime.datetime.fromisoformat(str(value).strip().replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


def moment(value: t.Any) -> str:
    """A time for people: `2026-11-20 12:34 UTC`; an empty string when `value` is no time."""
    epoch = epoch_of(value)
    if epoch is None:
        return ""
    try:
        return stamp(epoch)[:16].replace("T", " ") + " UTC"
    except (OverflowError, ValueError, OSError):
        return ""


def span(seconds: float, units: t.Sequence[str] = _UNITS) -> str:
    """A length of time in its two largest units: `3 d 4 h`."""
    left = int(max(seconds, 0))
    parts: t.List[str] = []
    for length, unit in zip(_SPANS, units):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 " + units[-1]


def number(value: t.Any, digits: int = 1) -> str:
    """A number without needless digits: `93.1`, `100`; a dash for null."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–"
    if isinstance(value, int):
        return str(value)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(count: float) -> str:
    """Bytes in a binary unit: `12.3 GiB`."""
    value = float(count)
    for unit in _SIZES:
        if abs(value) < 1024 or unit == _SIZES[-1]:
            break
        value /= 1024
    return f"{number(value)} {unit}"


def metric(name: str, value: float) -> str:
    """A measured number with the unit that its name ends in (`_bytes`, `_percent`, `_ms`, `_seconds`)."""
    last = name.rsplit(".", 1)[-1]
    if last.endswith("_bytes"):
        return size(value)
    if last.endswith("_percent"):
        return number(value) + " %"
    if last.endswith("_ms"):
        return milliseconds(value)
    if last.endswith("_seconds"):
        return span(value) if value >= 1 else number(float(value), 3) + " s"
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10000 else number(value, 2)


def milliseconds(value: t.Any) -> str:
    """A duration in ms: `0.4 ms`, `812 ms`, `12.3 s`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–"
    if abs(value) >= 10000:
        return number(value / 1000.0) + " s"
    return f"{number(float(value))} ms" if abs(value) < 10 else f"{round(value)} ms"
