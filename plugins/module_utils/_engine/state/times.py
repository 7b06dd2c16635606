# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as they are written for people and programs: RFC 3339 in UTC, whole seconds."""

from __future__ import annotations

import calendar
import re
import time

_RFC3339 = re.compile(r"^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?\s*([Zz]|[+-]\d{2}:?\d{2})?$")


def rfc3339(epoch: float | None) -> str | None:
    """``1763692800.2`` -> ``2025-11-21T02:40:00Z``; None stays None."""
    if epoch is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def compact(epoch: float) -> str:
    """``20251121T024000Z``, for names of files and alerts."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch))


def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch; a time without zone is UTC. Raises ValueError with a sentence."""
    found = _RFC3339.match(str(text).strip())
    if not found:
        raise ValueError(f"'{text}' is not a time; write it like 2026-11-21T08:00:00Z.")
    day, clock, fraction, zone = found.groups()
    try:
        epoch = float(calendar.timegm(time.strptime(day + " " + clock, "%Y-%m-%d %H:%M:%S")))
    except ValueError:
        raise ValueError(f"'{text}' is not a time that exists; write it like 2026-11-21T08:00:00Z.") from None
    if zone and zone not in "Zz":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        epoch -= offset if zone[0] == "+" else -offset
    return epoch + (float(fraction) if fraction else 0.0)
