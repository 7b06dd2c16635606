# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments as people write them."""

from __future__ import annotations

import calendar
import re
import time

_MOMENT = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?", re.IGNORECASE
)


def read_moment(text: str) -> float:
    """The last instant, in seconds since 1970, of what a text names: ``2026-11-20``, ``2026-11-20 12:00``, ``2026-11-20T12:00:00+02:00``.

    Without a zone it is the time of the host; a date means its end, and a minute or second means the end of it.

    :raises ValueError: it is none of these
    """
    plain = text.strip()
    if re.fullmatch(r"\d{9,11}(?:\.\d+)?", plain):
        return float(plain)
    match = _MOMENT.fullmatch(plain)
    if match is None:
        raise ValueError(f"at: {text!r} is no moment; write one such as 2026-11-20 12:00")
    year, month, day = (int(part) for part in match.group(1, 2, 3))
    hour, minute, second = (int(part) if part else None for part in match.group(4, 5, 6))
    whole = (hour if hour is not None else 23, minute if minute is not None else 59, second if second is not None else 59)
    parts = (year, month, day, *whole)
    try:
        if time.strptime("%d-%d-%d %d:%d:%d" % parts, "%Y-%m-%d %H:%M:%S").tm_sec != whole[2]:
            raise ValueError
        rest = float(f"0.{match.group(7)}") if match.group(7) else 0.999999
        zone = (match.group(8) or "").upper()
        if not zone:
            return time.mktime((*parts, 0, 0, -1)) + rest
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"at: {text!r} is no moment: there is no such day or time") from exc
    offset = 0
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:] or 0)) * (-60 if zone[0] == "-" else 60)
    return calendar.timegm((*parts, 0, 0, 0)) - offset + rest
