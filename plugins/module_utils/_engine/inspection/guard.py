# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a service is restarted, and when it is not: pure judgement over what was seen and what is remembered.

What holds whatever is seen: never more than ``max_restarts`` in any stretch of ``within``; at least ``failures`` looks in a row that
counted before each restart, none of them within ``grace`` of the one before; after giving up no restart until the service was seen well.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration

# Looks of more than a day ago are no part of "in a row" any more.
STALE = 86400.0
_LONGEST_DOUBLING = 20

Event = t.Dict[str, t.Any]


class Limits(t.NamedTuple):
    """What a guard may do; times in seconds."""

    failures: int = 3
    max_restarts: int = 3
    within: float = 1800.0
    backoff: float = 30.0
    grace: float = 30.0


class Obstacle(t.NamedTuple):
    """Why a restart would not help.

    :ivar kind: dependency, disk, missing, masked or manager
    :ivar is_told: somebody else tells of it (the guard of the dependency), so this guard says nothing
    """

    kind: str
    sentence: str
    caused_by: t.Optional[str] = None
    is_told: bool = False


class Look(t.NamedTuple):
    """What was seen of a service.

    :ivar well: True, False, or None where it could not be seen
    :ivar reason: one word; sentence: why it is not well
    :ivar is_fresh: it was started so lately, by whomever, that it may not be ready yet
    :ivar boot: what tells this boot of the host from others
    """

    well: t.Optional[bool]
    reason: str = ""
    sentence: str = ""
    obstacle: t.Optional[Obstacle] = None
    is_fresh: bool = False
    boot: str = ""


@dataclasses.dataclass
class Memory:
    """What is kept of a service between runs; times are seconds since the epoch.

    :ivar failures: looks in a row that counted; unseen: looks in a row that saw nothing
    :ivar since: the first bad look of this outage; seen: the last look that saw anything
    :ivar restarts: those within the window; last: the last one, however long ago; attempts: restarts in this outage
    :ivar told: what was told of this outage last, empty when nothing was; obstacle: kind of the last one
    :ivar counter: how often systemd had restarted the unit by itself at the last look
    :ivar loops: it was seen to do so again and again, and not to run for long since
    """

    failures: int = 0
    since: t.Optional[float] = None
    seen: t.Optional[float] = None
    restarts: t.List[float] = dataclasses.field(default_factory=list)
    last: t.Optional[float] = None
    attempts: int = 0
    told: str = ""
    gave_up: bool = False
    obstacle: str = ""
    boot: str = ""
    counter: t.Optional[int] = None
    loops: bool = False
    unseen: int = 0


class Verdict(t.NamedTuple):
    """What follows of a look. ``memory`` is to be kept before anything is done.

    :ivar status: healthy, unknown, grace, failing, waiting, restart, due, given_up, or the kind of an obstacle
    """

    status: str
    sentence: str
    memory: Memory
    events: t.List[Event]


def judge(memory: Memory, look: Look, limits: Limits, now: float, may_restart: bool = True) -> Verdict:
    """What follows of one look; ``memory`` is not changed.

    :arg may_restart: False: a restart is only said to be due
    """
    kept = _aged(memory, look, limits, now)
    if look.well is None:
        return _unseen(kept, look, limits, now)
    kept.seen, kept.unseen = now, 0
    if look.well:
        return _well(kept, now)
    kept.since = now if kept.since is None else kept.since
    wait = _grace_left(kept, look, limits, now)
    if wait is not None:
        return Verdict("grace", f"{look.sentence}; {wait}", kept, [])
    kept.failures += 1
    kind = look.obstacle.kind if look.obstacle else ""
    if kept.obstacle == "dependency" and kind != "dependency":
        kept.failures = 1  # it may come back by itself now that what it needs is there
    kept.obstacle = kind
    if kept.gave_up:
        return Verdict("given_up", f"{look.sentence}; nothing more is tried until it is well again", kept, [])
    if kept.failures < limits.failures:
        return Verdict("failing", f"{look.sentence} ({kept.failures} of {limits.failures} looks)", kept, [])
    if look.obstacle is not None:
        return _held(kept, look, look.obstacle, now)
    return _to_do(kept, look, limits, now, may_restart)


def restarted(memory: Memory, well: t.Optional[bool], sentence: str, is_worse: bool, now: float) -> Verdict:
    """What follows of a restart that ``judge`` asked for, once it was looked at again.

    :arg is_worse: more is wrong than before
    """
    kept = _copy(memory)
    if well:
        kept.seen = now
        return _well(kept, now)
    if not is_worse:
        return Verdict("restarted", sentence, kept, [])
    kept.told = "worse"
    return Verdict("worse", sentence, kept, [_event("worse", "critical", f"the restart made it worse: {sentence}", kept, now)])


def _copy(memory: Memory) -> Memory:
    return dataclasses.replace(memory, restarts=list(memory.restarts))


def _aged(memory: Memory, look: Look, limits: Limits, now: float) -> Memory:
    """The memory without what is too old. A clock that was ahead must not block a guard for as long: the future counts as now."""
    kept = _copy(memory)
    # a restart at the very edge of the window still counts
    kept.restarts = sorted(min(at, now) for at in memory.restarts if now - at <= limits.within)
    kept.since, kept.last = (None if at is None else min(at, now) for at in (memory.since, memory.last))
    is_stale = memory.seen is not None and now - memory.seen > max(STALE, limits.within)
    is_booted = bool(memory.boot and look.boot and memory.boot != look.boot)
    if is_stale or is_booted:
        kept.failures = 0
    kept.boot = look.boot or memory.boot
    return kept


def _unseen(kept: Memory, look: Look, limits: Limits, now: float) -> Verdict:
    """A guard that sees nothing guards nothing, so that is told as well."""
    kept.unseen += 1
    if kept.unseen < limits.failures or kept.told:
        return Verdict("unknown", look.sentence, kept, [])
    kept.told = "unseen"
    return Verdict("unknown", look.sentence, kept, [_event("unseen", "warning", f"it cannot be seen: {look.sentence}", kept, now, look)])


def _well(kept: Memory, now: float) -> Verdict:
    events = []
    if kept.told == "unseen" and kept.since is None:
        events = [_event("recovered", "info", "it is seen again, and well", kept, now)]
    elif kept.told:
        downtime = _downtime(kept, now)
        times = f" after {kept.attempts} restart{'' if kept.attempts == 1 else 's'}" if kept.attempts else ""
        events = [_event("recovered", "info", f"it is well again{times}; it was down for {format_duration(downtime)}", kept, now)]
    fresh = Memory(seen=now, restarts=kept.restarts, last=kept.last, boot=kept.boot, counter=kept.counter)
    return Verdict("healthy", "", fresh, events)


def _grace_left(kept: Memory, look: Look, limits: Limits, now: float) -> t.Optional[str]:
    """A half sentence where this look does not count, as the service may still be starting."""
    if kept.last is not None and now - kept.last < limits.grace:
        return f"it was restarted {format_duration(now - kept.last)} ago and has {format_duration(limits.grace)} to come up"
    if look.is_fresh:
        return f"it has just been started and has {format_duration(limits.grace)} to come up"
    return None


def _held(kept: Memory, look: Look, obstacle: Obstacle, now: float) -> Verdict:
    events = []
    why = "" if obstacle.sentence in look.sentence else f": {obstacle.sentence}"
    message = f"{look.sentence}; it is not restarted{why}"
    if kept.told != obstacle.kind and not obstacle.is_told:
        kept.told = obstacle.kind
        events = [_event(obstacle.kind, "error", message, kept, now, look)]
    return Verdict(obstacle.kind, message, kept, events)


def _to_do(kept: Memory, look: Look, limits: Limits, now: float, may_restart: bool) -> Verdict:
    if len(kept.restarts) >= limits.max_restarts:
        kept.gave_up, kept.told = True, "given_up"
        spent = f"{len(kept.restarts)} restarts within {format_duration(limits.within)}" if kept.restarts else "no restart is allowed"
        message = f"given up: {look.sentence}; {spent}, so nothing more is tried until it is well again"
        return Verdict("given_up", message, kept, [_event("given_up", "critical", message, kept, now, look)])
    wait = _pause_left(kept, limits, now)
    if wait > 0:
        return Verdict("waiting", f"{look.sentence}; it is not restarted again for {format_duration(wait)}", kept, [])
    if not may_restart:
        return Verdict("due", f"{look.sentence}; a restart is due", kept, [])
    count = kept.failures
    kept.restarts.append(now)
    kept.last = now
    kept.attempts += 1
    kept.failures = 0
    kept.told = "restart"
    looks = f"{count} looks in a row" if count > 1 else "one look"
    number = f"{len(kept.restarts)} of {limits.max_restarts} within {format_duration(limits.within)}"
    message = f"{look.sentence} ({looks}); it is restarted ({number})"
    return Verdict("restart", message, kept, [_event("restart", "error", message, kept, now, look)])


def _pause_left(kept: Memory, limits: Limits, now: float) -> float:
    """Each restart of an outage waits twice as long as the one before, at most as long as the window."""
    if not kept.attempts or kept.last is None:
        return 0.0
    pause = limits.backoff * 2.0 ** min(kept.attempts - 1, _LONGEST_DOUBLING)
    return kept.last + min(pause, max(limits.within, limits.backoff)) - now


def _downtime(kept: Memory, now: float) -> float:
    return max(now - (now if kept.since is None else kept.since), 0.0)


def _event(kind: str, severity: str, message: str, kept: Memory, now: float, look: t.Optional[Look] = None) -> Event:
    """Shape: kind, status (firing, resolved), severity, at, since, message, reason, attempts, downtime (seconds), caused_by."""
    return {
        "kind": kind,
        "status": "resolved" if kind == "recovered" else "firing",
        "severity": severity,
        "at": now,
        "since": now if kept.since is None else kept.since,
        "message": message,
        "reason": look.reason if look else "",
        "attempts": kept.attempts,
        "downtime": round(_downtime(kept, now), 3),
        "caused_by": look.obstacle.caused_by if look and look.obstacle else None,
    }
