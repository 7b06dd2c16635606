# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time that a line says of itself, as seconds since the epoch. A time without zone is that of this host."""

from __future__ import annotations

import calendar
import re
import time
import typing as t

_MONTHS = {
    name: number for number, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
_ZONE = r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2}|\ ?UTC|\ ?GMT)?"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?"
_NAMED = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_FORMS = (
    # 2026-11-21T19:42:43.123+01:00, 2026-11-21 19:42:43,123, 2026/11/21 19:42:43 (RFC 3339, log4j, PostgreSQL, nginx)
    re.compile(r"(?<![0-9])(?P<year>(?:19|20)[0-9]{2})[-/.](?P<month>[0-9]{2})[-/.](?P<day>[0-9]{2})[T ]" + _CLOCK + r" ?" + _ZONE),
    # 21/Nov/2026:19:42:43 +0000 (Common Log Format)
    re.compile(r"(?P<day>[0-9]{2})/(?P<name>" + _NAMED + r")/(?P<year>[0-9]{4}):" + _CLOCK + r"(?: " + _ZONE + r")?"),
    # Sat Nov 21 19:42:43.123456 2026 (Apache's error log, ctime)
    re.compile(r"(?P<name>" + _NAMED + r") (?P<day>[ 0-9][0-9]) " + _CLOCK + r"(?: (?P<zone>UTC|GMT))? (?P<year>[0-9]{4})"),
    # Nov 21 19:42:43 (RFC 3164)
    re.compile(r"(?P<name>" + _NAMED + r") {1,2}(?P<day>[0-9]{1,2}) " + _CLOCK),
    # 081109 203615 (HDFS)
    re.compile(r"^(?P<short>[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2}) (?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})\b"),
)
_EPOCH = re.compile(r"(?<![0-9.])(?P<whole>1[0-9]{9})(?:(?P<milli>[0-9]{3})|\.(?P<part>[0-9]{1,9}))?(?![0-9])")
_WHERE = 300  # a time stands in so many letters from the beginning
_EARLIEST = 631152000.0  # 1990
_DAY = 86400.0


def time_of(text: str, now: float) -> t.Optional[float]:
    """The time in a line, None where it says none, or one that cannot be."""
    begin = text[:_WHERE]
    for form in _FORMS:
        found = form.search(begin)
        if found:
            seconds = _seconds(found.groupdict(), now)
            if seconds is not None and _EARLIEST <= seconds <= now + _DAY:
                return seconds
    found = _EPOCH.search(begin)
    if found:
        seconds = float(found.group("whole")) + float("0." + (found.group("milli") or found.group("part") or "0"))
        if _EARLIEST <= seconds <= now + _DAY:
            return seconds
    return None


def _seconds(parts: t.Mapping[str, t.Optional[str]], now: float) -> t.Optional[float]:
    month = _MONTHS[parts["name"] or ""] if parts.get("name") else int(parts.get("month") or 0)
    year = int(parts["year"] or 0) if parts.get("year") else 2000 + int(parts["short"] or 0) if parts.get("short") else 0
    moment = (month, int(parts["day"] or 0), int(parts["hour"] or 0), int(parts["minute"] or 0), int(parts["second"] or 0))
    if not (1 <= month <= 12 and 1 <= moment[1] <= 31 and moment[2] < 24 and moment[3] < 60 and moment[4] < 61):
        return None
    part = float("0." + (parts.get("part") or "0"))
    zone = (parts.get("zone") or "").strip()
    try:
        if year:
            return _at((year, *moment), zone) + part
        # no year: the last time that this was
        this_year = time.localtime(now).tm_year
        for guess in (this_year + 1, this_year, this_year - 1):
            seconds = _at((guess, *moment), zone) + part
            if seconds <= now + _DAY:
                return seconds
    except (ValueError, OverflowError):
        pass
    return None


def _at(moment: t.Tuple[int, ...], zone: str) -> float:
    if not zone:
        return time.mktime((*moment, 0, 0, -1))  # type: ignore[arg-type]
    seconds = float(calendar.timegm((*moment, 0, 0, 0)))
    if zone in ("Z", "UTC", "GMT"):
        return seconds
    digits = zone[1:].replace(":", "")
    offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return seconds - offset if zone[0] == "+" else seconds + offset
