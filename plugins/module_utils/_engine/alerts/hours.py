# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times of the week as people write them: ``mon-fri 08:00-18:00``, ``sat,sun``, ``22:00-06:00``; and the next time of a day, ``08:00``."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FORM = "write it like 'mon-fri 08:00-18:00', 'sat,sun' or '22:00-06:00'"
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\Z")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\Z")
_MINUTES = 24 * 60
Zone = t.Optional[datetime.tzinfo]


class Hours(t.NamedTuple):
    """One span of the week: the days on which it begins, and minutes of the day; ``end`` may be below ``start``, in the next day then."""

    days: frozenset[int]
    start: int
    end: int

    def holds(self, moment: datetime.datetime) -> bool:
        """Whether a local time is in it."""
        minute, day = moment.hour * 60 + moment.minute, moment.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


def zone_of(where: str, name: str) -> Zone:
    """The time zone ``Europe/Berlin``; empty is that of this machine.

    :raises ValueError: one sentence
    """
    if not name:
        return None
    if name.upper() == "UTC":
        return datetime.timezone.utc
    try:
        import zoneinfo

        return zoneinfo.ZoneInfo(name)
    except (ImportError, ValueError, OSError, KeyError) as exc:
        raise ValueError(
            f'{where} is "{name}", which is no time zone that this machine knows; write it like Europe/Berlin or UTC.'
        ) from exc


def local(epoch: float, zone: Zone) -> datetime.datetime:
    """Seconds since the epoch as the time of day that people there read."""
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).astimezone(zone)


def read_hours(where: str, given: t.Any) -> list[Hours]:
    """One span, or a list of them.

    :raises ValueError: one sentence
    """
    every = given if isinstance(given, (list, tuple)) else [given]
    found = [_read(f"{where}[{number}]" if every is given else where, one) for number, one in enumerate(every)]
    if not found:
        raise ValueError(f"{where} is an empty list; {FORM}.")
    return found


def within(spans: t.Sequence[Hours], epoch: float, zone: Zone) -> bool:
    """Whether a moment is in one of the spans."""
    moment = local(epoch, zone)
    return any(span.holds(moment) for span in spans)


def _read(where: str, given: t.Any) -> Hours:
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"{where} is {type_name(given)}; {FORM}.")
    text = given.strip().lower()
    words, _sep, last = text.rpartition(" ")
    span = _SPAN.match(last if words else text)
    if span is None and ":" in text:
        raise ValueError(f'{where} is "{given}"; {FORM}.')
    days = _days(where, words if span and words else "" if span else text)
    if span is None:
        return Hours(days, 0, _MINUTES)
    start, end = (_minutes(where, given, *span.group(first, first + 1)) for first in (1, 3))
    if start == end:
        raise ValueError(f'{where} is "{given}", which begins when it ends; leave the times out for whole days.')
    return Hours(days, start, end)


def _minutes(where: str, given: str, hour: str, minute: str) -> int:
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > _MINUTES:
        raise ValueError(f'{where} is "{given}", and {hour}:{minute} is no time of a day.')
    return found


def _days(where: str, text: str) -> frozenset[int]:
    if not text:
        return frozenset(range(7))
    found: set[int] = set()
    for part in re.split(r"[,\s]+", text.replace(" - ", "-").strip(" ,")):
        first, sep, last = part.partition("-")
        for day in (first, last) if sep else (first,):
            if any(char.isdigit() for char in day):
                raise ValueError(f'{where} has "{text}" where days are; {FORM}.')
            if len(day) < 3 or not any(full.startswith(day) for full in _FULL):
                raise ValueError(f'{where} names the day "{day}"{nearest(day, DAYS)}.'.replace("?.", "?"))
        begin = DAYS.index(first[:3])
        length = (DAYS.index(last[:3]) - begin) % 7 if sep else 0
        found |= {(begin + number) % 7 for number in range(length + 1)}
    return frozenset(found)


def read_clock(where: str, given: t.Any) -> list[int]:
    """Minutes of the day of ``08:00`` or ``08:00,17:30``.

    :raises ValueError: one sentence
    """
    found = []
    for part in str(given).split(","):
        clock = _CLOCK.match(part.strip())
        if clock is None:
            raise ValueError(f'{where} is "{given}"; write a length such as 15m, or times of the day such as 08:00 or 08:00,17:30.')
        found.append(_minutes(where, str(given), *clock.groups()) % _MINUTES)
    return found


def next_clock(minutes: t.Sequence[int], epoch: float, zone: Zone) -> float:
    """The next time that one of the minutes of a day begins, after ``epoch``; the zone's clock changes are taken into account."""
    today = local(epoch, zone)
    moments = []
    for ahead in (0, 1, 2):
        day = (today + datetime.timedelta(days=ahead)).date()
        for minute in minutes:
            naive = datetime.datetime(day.year, day.month, day.day, minute // 60, minute % 60)
            moments.append((naive.replace(tzinfo=zone) if zone is not None else naive).timestamp())
    return min(moment for moment in moments if moment > epoch)
