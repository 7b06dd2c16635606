# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record that goes back and forth is one event, then silence until it rests.

Counted in changes and in observations, so that a record watched every ten seconds and one watched every hour are treated alike.
"""

from __future__ import annotations

import typing as t

WINDOW = 86400.0  # changes further back do not count
FLIPS = 3  # so many changes, the last one back to a value of before, are flapping
LEAST_CALM = 3  # observations without a change
MOST_CALM = 100
MOST_VALUES = 16


class Verdict(t.NamedTuple):
    """What one observation means, and what is to be remembered (None: nothing any more).

    ``what``: changed (tell it), flapping (tell that once), silent (nobody is told), settled (tell the value if it is not ``told``)
    """

    what: str
    memory: t.Optional[t.Dict[str, t.Any]]
    told: t.Optional[t.List[str]] = None


def moved(memory: t.Optional[t.Mapping[str, t.Any]], before: t.Sequence[str], after: t.Sequence[str], now: float) -> Verdict:
    """The value of a name has changed.

    :arg memory: what the last verdict gave: ``flips`` [[time, value it had before], ...], and while it flaps ``calm``, ``longest``, ``told``
    """
    old = dict(memory or {})
    flips = [flip for flip in old.get("flips", ()) if 0 <= now - flip[0] < WINDOW]
    is_known = sorted(after) in [sorted(flip[1]) for flip in flips]
    flips = [*flips, [now, sorted(before)]][-MOST_VALUES:]
    if "told" in old:
        flapping = dict(old, flips=flips, calm=0, longest=max(int(old.get("longest", 0)), int(old.get("calm", 0))))
        if is_known:
            return Verdict("silent", flapping)
        return Verdict("changed", dict(flapping, told=sorted(after)))
    if is_known and len(flips) >= FLIPS:
        return Verdict("flapping", {"flips": flips, "calm": 0, "longest": 0, "told": sorted(before)})
    return Verdict("changed", {"flips": flips})


def rested(memory: t.Mapping[str, t.Any], value: t.Sequence[str]) -> Verdict:
    """The value of a flapping name is what it was: it has settled after twice the longest rest it had while it flapped."""
    calm = int(memory.get("calm", 0)) + 1
    if calm < min(max(LEAST_CALM, 2 * int(memory.get("longest", 0))), MOST_CALM):
        return Verdict("silent", dict(memory, calm=calm))
    return Verdict("settled", None, list(memory.get("told", ())) if sorted(value) != sorted(memory.get("told", ())) else None)


def is_flapping(memory: t.Optional[t.Mapping[str, t.Any]]) -> bool:
    """Whether the name has to be looked at in every run."""
    return bool(memory) and "told" in (memory or {})
