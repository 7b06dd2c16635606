# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From matches to alarms: thresholds in sliding windows, silence, new kinds of lines, rates. What a rule remembers outlives the run.

Times are those that lines say of themselves, else those of their arrival. Lines may come a little out of order.
"""

from __future__ import annotations

import bisect
import hashlib
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.rules import Fields, Rule

MOST_KEYS = 10_000
MOST_SHAPES = 5_000
MOST_NEW = 20  # new kinds of lines of one rule and run that are told one by one
_BUCKETS = 12  # so many stretches are learned before a rate is held against them
_GAP = 1000
_FOLDED = re.compile(
    r"\"[^\"]*\"|'[^']*'|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b[0-9a-fA-F]{6,}\b|[0-9]+"
)
Alarm = t.Dict[str, t.Any]
Memory = t.Dict[str, t.Any]


class Seen(t.NamedTuple):
    """A match as the windows know it; ``sample`` is what an alarm shows of it."""

    at: float
    text: str
    fields: Fields
    sample: t.Callable[[], Alarm]


def shape_of(text: str) -> str:
    """A line without what differs from one to the next: numbers, hexadecimal ones, and what stands in quotes."""
    return " ".join(_FOLDED.sub("#", text[:1000]).split())


class Window:
    """What one rule makes of its matches in one run.

    :arg memory: what it remembers; changed in place
    :ivar alarms: what is to be told
    :ivar lost: how many values of ``by`` were forgotten to stay within bounds
    """

    def __init__(self, rule: Rule, memory: Memory, now: float) -> None:
        self.rule, self.memory, self.now = rule, memory, now
        self.alarms: t.List[Alarm] = []
        self.lost = 0
        self.changed = not memory
        memory.setdefault("since", now)
        self._notes: t.Dict[str, Alarm] = {}
        self._news = 0

    def see(self, seen: Seen) -> None:
        """One match."""
        rule, memory = self.rule, self.memory
        self.changed = True
        memory["last"] = max(seen.at, memory.get("last") or 0.0)
        if rule.absent:
            return
        if rule.threshold:
            self._count(seen)
        elif rule.first_seen >= 0:
            self._learn(seen)
        elif rule.rate:
            self._rate(seen)
        elif rule.alarm:
            self._note(seen)

    def finish(self) -> t.List[Alarm]:
        """The end of the run: what is over, what is missing, what was held back."""
        rule, memory = self.rule, self.memory
        if rule.absent:
            self._miss()
        if rule.threshold:
            self._rest()
        if rule.rate:
            self._close_bucket(self.now, None)
        held = memory.get("held")
        if held and self.now >= memory.get("cool", 0.0) and "" not in self._notes:
            alarm = self._alarm("lines", dict(held["sample"]), held["since"], held["count"])
            alarm["until"] = held["until"]
            memory.pop("held")
            self._cool()
            self.alarms.append(alarm)
        return self.alarms

    def _alarm(self, kind: str, sample: Alarm, since: float, count: int, **more: t.Any) -> Alarm:
        self.changed = True
        usual = {"rule": self.rule.name, "kind": kind, "status": "firing", "severity": self.rule.severity, "key": "", "until": self.now}
        return {**usual, **sample, "count": count, "since": since, **more}

    def _cool(self) -> None:
        if self.rule.cooldown:
            self.memory["cool"] = self.now + self.rule.cooldown

    def _note(self, seen: Seen) -> None:
        """All matches of a run are one alarm; in a cool-down they are only counted."""
        memory, note = self.memory, self._notes.get("")
        if note is not None:
            note["count"] += 1
            note["since"], note["until"] = min(note["since"], seen.at), max(note["until"], seen.at)
        elif self.now < memory.get("cool", 0.0):
            held = memory.setdefault("held", {"count": 0, "since": seen.at, "until": seen.at, "sample": None})
            held["count"] += 1
            held["since"], held["until"] = min(held["since"], seen.at), max(held["until"], seen.at)
            held["sample"] = held["sample"] or seen.sample()
        else:
            held = memory.pop("held", None) or {"count": 0, "since": seen.at}
            note = self._alarm("lines", seen.sample(), min(held["since"], seen.at), held["count"] + 1, until=seen.at)
            self._notes[""] = note
            self.alarms.append(note)
            self._cool()

    def _count(self, seen: Seen) -> None:
        threshold = self.rule.threshold
        if threshold is None:
            return
        name = str(seen.fields.get(threshold.by, "")) if threshold.by else ""
        keys = self.memory.setdefault("keys", {})
        one = keys.get(name)
        if one is None:
            if len(keys) >= MOST_KEYS:
                self._forget(keys)
            one = keys[name] = {"times": [], "last": seen.at, "active": 0, "cool": 0.0}
        bisect.insort(one["times"], seen.at)
        del one["times"][: -threshold.count]
        one["last"] = max(one["last"], seen.at)
        if one["active"]:
            one["active"] += 1
            note = self._notes.get(name)
            if note is not None:
                note["count"] += 1
                note["until"] = one["last"]
            return
        times = one["times"]
        if len(times) == threshold.count and times[-1] - times[0] <= threshold.within and self.now >= one["cool"]:
            one["active"], one["since"] = threshold.count, times[0]
            note = self._alarm("threshold", seen.sample(), times[0], threshold.count, until=one["last"], key=name)
            self._notes[name] = note
            self.alarms.append(note)

    def _rest(self) -> None:
        """Windows that have emptied: what was firing is over, and what says nothing any more is forgotten."""
        threshold = self.rule.threshold
        keys = self.memory.get("keys", {})
        if threshold is None:
            return
        for name in [name for name, one in keys.items() if self.now - one["last"] > threshold.within and name not in self._notes]:
            one = keys[name]
            if one["active"]:
                alarm = self._alarm("threshold", {}, one["since"], one["active"], status="resolved", key=name, until=one["last"])
                self.alarms.append(alarm)
                one["active"], one["cool"], one["times"] = 0, self.now + self.rule.cooldown, []
            if self.now >= one["cool"]:
                del keys[name]
                self.changed = True

    def _forget(self, keys: t.Dict[str, t.Any]) -> None:
        oldest = sorted((name for name in keys if not keys[name]["active"]), key=lambda name: keys[name]["last"])[: MOST_KEYS // 10]
        for name in oldest or list(keys)[: MOST_KEYS // 10]:
            del keys[name]
            self.lost += 1

    def _miss(self) -> None:
        memory = self.memory
        last = max(memory.get("last") or 0.0, memory["since"])
        silent = self.now - last
        if silent > self.rule.absent and not memory.get("active"):
            memory["active"] = last
            self.alarms.append(self._alarm("absent", {}, last, 0))
        elif silent <= self.rule.absent and memory.get("active"):
            self.alarms.append(self._alarm("absent", {}, memory.pop("active"), 0, status="resolved"))

    def _learn(self, seen: Seen) -> None:
        shape = shape_of(seen.text)
        name = hashlib.blake2b(shape.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        known = self.memory.setdefault("shapes", {})
        if name in known:
            known[name] = self.now
            note = self._notes.get(name)
            if note is not None:
                note["count"] += 1
            return
        if len(known) >= MOST_SHAPES:
            for old in sorted(known, key=known.__getitem__)[: MOST_SHAPES // 10]:
                del known[old]
                self.lost += 1
        known[name] = self.now
        if self.now - self.memory["since"] < self.rule.first_seen:
            return
        self._news += 1
        if self._news <= MOST_NEW:
            note = self._alarm("new", seen.sample(), seen.at, 1, key=name, until=seen.at, shape=shape)
            self._notes[name] = note
            self.alarms.append(note)
        else:
            last = self.alarms[-1]
            last["more"] = last.get("more", 0) + 1

    def _rate(self, seen: Seen) -> None:
        self._close_bucket(seen.at, seen)
        bucket = self.memory["bucket"]
        bucket["count"] += 1
        rate = self.rule.rate
        if rate is None or self.memory.get("n", 0) < _BUCKETS or self.memory.get("active"):
            return
        if bucket["count"] >= max(rate.least, rate.factor * self.memory["mean"]):
            self.memory["active"] = seen.at
            self.alarms.append(
                self._alarm("rate", seen.sample(), bucket["at"], bucket["count"], usual=round(self.memory["mean"], 2), until=seen.at)
            )

    def _close_bucket(self, at: float, seen: t.Optional[Seen]) -> None:
        """Stretches that are over become part of what is usual."""
        rate, memory = self.rule.rate, self.memory
        if rate is None:
            return
        begin = at - at % rate.per
        bucket = memory.get("bucket")
        if bucket is None:
            if seen is not None:
                memory["bucket"] = {"at": begin, "count": 0}
            return
        steps = min(int((begin - bucket["at"]) // rate.per), _GAP)
        if steps <= 0:
            return
        self.changed = True
        for number in range(steps):
            count = bucket["count"] if number == 0 else 0
            seen_before = memory.get("n", 0)
            is_burst = seen_before >= _BUCKETS and count >= max(rate.least, rate.factor * memory["mean"])
            weight = 1.0 / min(seen_before + 1, 100)
            weight *= 0.1 if is_burst else 1.0  # an incident does not soon become what is usual
            memory["mean"] = memory.get("mean", 0.0) * (1 - weight) + count * weight
            memory["n"] = seen_before + 1
            if memory.get("active") and not is_burst:
                since = memory.pop("active")
                self.alarms.append(self._alarm("rate", {}, since, count, status="resolved", usual=round(memory["mean"], 2)))
        memory["bucket"] = {"at": begin, "count": 0}
