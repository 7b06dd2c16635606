# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which snapshots stay."""

from __future__ import annotations

import calendar
import time
import typing as t

_STAMP = "%Y%m%dT%H%M%SZ"
# how a moment is cut to its period, in UTC
_PERIODS = {"hourly": "%Y%m%d%H", "daily": "%Y%m%d", "weekly": "%G-%V", "monthly": "%Y%m", "yearly": "%Y"}
RULES = ("last", *_PERIODS, "within")


def moment(record_id: str) -> float:
    """When a snapshot was taken, in seconds since 1970, of its id."""
    return float(calendar.timegm(time.strptime(record_id[:16], _STAMP)))


def read_policy(raw: t.Mapping[str, t.Any] | None, duration: t.Callable[[t.Any], float]) -> dict[str, float]:
    """A policy as the user wrote it: numbers of snapshots for ``last`` and the periods, a time for ``within``.

    :arg duration: reads a time, raises ValueError
    :raises ValueError: one sentence
    """
    found: dict[str, float] = {}
    for name, value in (raw or {}).items():
        if name not in RULES:
            raise ValueError(f"retention: there is no {name!r}; write one of {', '.join(RULES)}")
        if name == "within":
            try:
                found[name] = duration(value)
            except ValueError as exc:
                raise ValueError(f"retention.within: {exc}") from exc
        else:
            if isinstance(value, bool) or not str(value).isdigit():
                raise ValueError(f"retention.{name} is {value!r}, not a number of snapshots")
            found[name] = int(value)
    if raw and not any(found.values()):
        raise ValueError("retention would keep nothing; raise one of its numbers")
    return found


def moment_of(record: t.Mapping[str, t.Any]) -> float:
    """When a snapshot was taken by the clock of that time, in seconds since 1970, of its record; ids only ever go up."""
    try:
        return float(calendar.timegm(time.strptime(record["time"], "%Y-%m-%dT%H:%M:%SZ")))
    except (KeyError, TypeError, ValueError):
        return moment(record["id"])


def kept(
    ids: t.Sequence[str], policy: t.Mapping[str, float], now: float, times: t.Mapping[str, float] | None = None
) -> dict[str, list[str]]:
    """The snapshots that stay and the rules that want them.

    Of each period the last snapshot counts. The newest snapshot always stays, and without a policy all do. Periods are those of UTC, where no
    hour comes twice. After the clock was wrong the last snapshots of a period are those that were taken last, whatever it said.

    :arg ids: oldest first
    :arg times: of the ids, in seconds since 1970; an id that is not in it was taken when it says
    """
    if not policy:
        return {each: ["all"] for each in ids}
    found: dict[str, list[str]] = {each: ["newest"] for each in ids[-1:]}
    for rule in RULES:
        if not policy.get(rule):
            continue
        for each in _by_rule(list(reversed(ids)), rule, policy[rule], now, times or {}):
            found.setdefault(each, []).append(rule)
    return found


def _by_rule(newest_first: list[str], rule: str, value: float, now: float, times: t.Mapping[str, float]) -> list[str]:
    if rule == "last":
        return newest_first[: int(value)]
    if rule == "within":
        return [each for each in newest_first if _time(each, times) >= now - value]
    found: dict[str, str] = {}
    for each in newest_first:
        found.setdefault(time.strftime(_PERIODS[rule], time.gmtime(_time(each, times))), each)
        if len(found) > value:
            break
    return list(found.values())[: int(value)]


def _time(record_id: str, times: t.Mapping[str, float]) -> float:
    found = times.get(record_id)
    return moment(record_id) if found is None else found
