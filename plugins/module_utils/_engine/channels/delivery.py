# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the outbox to the receivers: leased, sent, marked. What cannot be sent now stays queued, what is refused stays as dead."""

from __future__ import annotations

import math
import random
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import breaker, budget, packing, portions, registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import DEAD, RETRY, SENT, THROTTLED, Channel, Verdict
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, owner, rows, turns
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, Store, Unit

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

FIRST_PAUSE, LONGEST_PAUSE, LEAST_PAUSE = 0.5, 900.0, 0.05
LEAST_WAIT = 0.5  # seconds: "wait for no time at all" is said by receivers that are in trouble
LEAST_TIME = 0.2  # seconds: with less left no request is begun
_PAUSE = 0.25
_MOMENT = 1.5  # seconds
_BATCH = 10  # messages leased at once
_MOST = 1000  # events leased at once where many go in one message
_LEAST_ROOM = 0.1  # of the limit: a text that is found too long is halved down to this


class Report:
    """What happened on one channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.sent = 0
        self.dead = 0
        self.attempts = 0
        self.code = ""
        self.message = ""


class Courier:
    """Sends what is queued for one channel. One thread uses it at a time."""

    def __init__(self, store: Store, channel: Channel) -> None:
        self._store = store
        self.channel = channel
        self.report = Report(channel)
        self._dialect = registry.load(channel.scheme)
        # here and not when it sends: what it imports is imported before a thread runs
        self._way = self._dialect.way(channel) if self._dialect.way else None
        self._transport = Transport(channel)
        self._robot, self._vendor = packing.robot_of(store, channel), packing.vendor_of(channel)
        self._owner = f"{owner.this_process()}#{id(self):x}"
        self._rests_until = 0.0  # time.monotonic()
        self._began = -1.0  # of the run, by the store's clock
        self._ails = False  # whether the breaker is to be told when it works again
        self._packer = packing.Packer(store, channel, self._dialect)

    def wake(self) -> None:
        """A new run begins: take over from processes that died, and do not wait out the back-off of earlier runs."""
        with self._store.unit() as unit:
            outbox.wake(unit, [self.channel.key], owner.is_alive, self._owner)
            self._began = unit.now

    def round(self, until: float) -> float | None:
        """Send what is due until ``until`` (time.monotonic()).

        :return: seconds until there is something to do; 0 at once, None when nothing is queued
        """
        rest = self._rests_until - time.monotonic()
        if rest > 0:
            return rest
        until = min(until, time.monotonic() + outbox.LEASE)
        grouped = registry.groups(self.channel)
        called: dict[int, tuple[str, ...]] = {}
        with self._store.unit() as unit:
            lease = outbox.LEASE + _BATCH * self.channel.timeout
            if turns.wait(unit, self.channel.key, self._owner, lease, owner.is_alive):
                return self._stands_by(unit)
            rest = self._rest(unit)
            if rest:
                return rest if outbox.pending(unit).get(self.channel.key) or outbox.next_due(unit, self.channel.key) is not None else None
            messages = outbox.claim(unit, self.channel.key, self._owner, _MOST if grouped else _BATCH, lease, grouped)
            if messages:
                turns.take(unit, self.channel.key, self._owner, lease)
                called = rows.called(unit, messages) if self._dialect.calls else {}
                messages = rows.with_severity_before(unit, messages) if self._dialect.by_severity else messages
            elif rows.unstick(unit, self.channel.key):
                return 0.0
            due = None if messages else outbox.next_due(unit, self.channel.key)
            now = unit.now
        if not messages:
            return None if due is None else max(due - now, 0.01)
        try:
            for group in self._packer.portions(messages, called):
                if until - time.monotonic() < LEAST_TIME or not self._deliver(group, until):
                    break
        finally:
            with self._store.unit() as unit:
                outbox.release(unit, self._owner)
                turns.give_back(unit, self.channel.key, self._owner)
        return 0.0

    def _stands_by(self, unit: Unit) -> float | None:
        """Another process sends for this channel, what is ours as well."""
        if not outbox.pending(unit).get(self.channel.key):
            return None
        self.report.message = self.report.message or "another process is sending to this channel"
        return _PAUSE

    def drain(self, until: float, stop: threading.Event | None = None) -> None:
        """Rounds until nothing is queued, or nothing more can be done before ``until``."""
        stop = stop or threading.Event()
        while not stop.is_set() and until - time.monotonic() >= LEAST_TIME:
            wait = self.round(until)
            if wait is None or time.monotonic() + wait > until - LEAST_TIME:
                return
            stop.wait(min(wait, _PAUSE))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
        if self._way is not None:
            self._way.close()

    def _rest(self, unit: Unit) -> float:
        """Seconds for which nobody on this store is to send: the receiver is down, or asked for it."""
        state = breaker.read(unit, self.channel.key)
        self._ails = state.failures > 0
        rest, asked = state.rest(unit.now, self._began), max(budget.left(unit, self._robot), budget.left(unit, self._vendor))
        if rest and not self.report.message:
            self.report.code, self.report.message = state.code, state.message
        elif asked and not self.report.message:
            self.report.code, self.report.message = "budget", "the receiver asked to wait"
        return max(rest, asked)

    def _deliver(self, group: t.Sequence[outbox.Message], until: float) -> bool:
        """One message of one or several events, or one long text in parts; False when the channel should rest now."""
        slices, taken, most = self._packer.slices(group)
        for number, events in enumerate(slices[taken:], taken + 1):
            left = until - time.monotonic()
            if (number > taken + 1 and left < LEAST_TIME) or not self._has_budget(group, until, len(slices) > 1):
                return False
            verdict = self._attempt(group, events, min(self.channel.timeout, _tenths(left)))
            if verdict.kind != SENT or number == len(slices):
                break
            with self._store.unit() as unit:
                rows.took(unit, group[0], rows.Parts(number, most, portions.print_of([one[0] for one in slices])))
        if self._is_tried_otherwise(group, verdict):
            return True
        verdict = self._final(group, verdict)
        rests = self._mark(group, verdict)
        if verdict.kind == THROTTLED:
            self._rests_until = time.monotonic() + verdict.wait
        return not rests

    def _is_tried_otherwise(self, group: t.Sequence[outbox.Message], verdict: Verdict) -> bool:
        """A text that is refused for what it says is told again event by event, and what is too long by itself shorter."""
        if verdict.of_text and len(group) > 1:
            self._packer.apart |= {message.id for message in group}
        elif verdict.too_long and self._packer.rooms.get(group[0].id, 1.0) / 2 > _LEAST_ROOM:
            self._packer.rooms[group[0].id] = self._packer.rooms.get(group[0].id, 1.0) / 2
        else:
            return False
        return True

    def _final(self, group: t.Sequence[outbox.Message], verdict: Verdict) -> Verdict:
        """The verdict in the light of what the receiver said before."""
        before = min(message.attempts if message.code == verdict.code else 0 for message in group)
        if verdict.kind == RETRY and verdict.tries and before + 1 >= verdict.tries:
            return verdict._replace(kind=DEAD)
        if verdict.kind == THROTTLED:
            return verdict._replace(wait=max(verdict.wait, verdict.again if before else 0.0, LEAST_WAIT))
        return verdict

    def _has_budget(self, group: t.Sequence[outbox.Message], until: float, is_slice: bool) -> bool:
        """Take one message of the robot's budget; parts of one list or text wait a moment for it, so that they follow each other."""
        rates = self._dialect.rates
        if not rates:
            return True
        if is_slice or "_part" in group[0].event:
            with self._store.unit() as unit:
                wait = budget.wait(unit, self._robot, rates)
            if wait <= _MOMENT and time.monotonic() + wait + LEAST_TIME < until:
                time.sleep(wait)
        with self._store.unit() as unit:
            wait = budget.left(unit, self._vendor) or budget.take(unit, self._robot, rates)
            if wait:
                for message in group:
                    outbox.postpone(unit, message.id, unit.now + wait)
        if wait:
            self._rests_until = time.monotonic() + wait
            told = " and ".join(f"{allowed} messages in {seconds:g} s" for allowed, seconds in rates)
            self.report.code, self.report.message = "budget", f"the robot takes {told}"
        return not wait

    def _attempt(self, group: t.Sequence[outbox.Message], events: t.Sequence[Event], seconds: float) -> Verdict:
        self.report.attempts += 1
        dialect = self._dialect
        self.channel.room = self._packer.rooms.get(group[0].id, 1.0)
        try:
            if self._way is not None:
                return self._way.send(events, seconds)
            if dialect.request is None or dialect.judge is None:
                return Verdict(DEAD, "dialect", "the dialect cannot send")
            return dialect.judge(self.channel, self._transport.send(dialect.request(self.channel, events), seconds))
        except NetError as exc:
            # a certificate that is refused is not a matter of time, but of somebody's hand; it is kept until that is done
            return Verdict(RETRY, exc.reason, exc.sentence)
        except Exception as exc:  # noqa: BLE001 - one message that cannot be put into words must not stop the others
            return Verdict(DEAD, "error", f"it could not be written for this channel: {type(exc).__name__}", of_text=True)

    def _mark(self, group: t.Sequence[outbox.Message], verdict: Verdict) -> bool:
        """All events of a message share its fate, in one unit of work; returns whether the channel rests now."""
        text, verdict = self.channel.hide(verdict.message), verdict._replace(code=self.channel.hide(verdict.code))
        self.report.code, self.report.message = verdict.code, text
        pause = verdict.wait if verdict.kind == THROTTLED else backoff(min(message.attempts for message in group))

        def work(unit: Unit) -> bool:
            for message in group:
                if verdict.kind == SENT:
                    outbox.mark_sent(unit, message.id, verdict.code, text)
                elif verdict.kind == DEAD:
                    outbox.mark_dead(unit, message.id, verdict.code, text)
                else:
                    outbox.mark_failed(unit, message.id, unit.now + pause, verdict.code, text, verdict.kind == THROTTLED)
            if verdict.kind == SENT and self._dialect.calls:
                rows.drop(unit, group)
            return self._tell_breaker(unit, verdict, text)

        rests = self._store.run(work)  # it is not told again for want of a mark, if that can be helped
        self.report.sent += len(group) if verdict.kind == SENT else 0
        self.report.dead += len(group) if verdict.kind == DEAD else 0
        return rests

    def _tell_breaker(self, unit: Unit, verdict: Verdict, text: str) -> bool:
        """What all processes on this store are to know of the receiver; returns whether it rests now."""
        if verdict.kind == THROTTLED:
            budget.rest(unit, self._vendor if verdict.everywhere else self._robot, verdict.wait)
            return True
        if verdict.kind == RETRY or verdict.gone:
            self._ails = True
            return breaker.failed(unit, self.channel.key, verdict.code, text, verdict.gone)
        if self._ails:
            self._ails = False
            breaker.works(unit, self.channel.key)
        return False


def _tenths(seconds: float) -> float:
    """Whole tenths of a second, as people read it in "no answer came within 0.9 s"; at least one."""
    return max(math.floor(seconds * 10) / 10, 0.1)


def backoff(attempts: int) -> float:
    """Seconds before the next attempt: anything up to a bound that doubles each time, at most a quarter of an hour, so that senders spread."""
    return max(random.uniform(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts, 30))), LEAST_PAUSE)


def deliver(store: Store, channels: t.Sequence[Channel], seconds: float) -> list[Report]:
    """Send what is queued for these channels, each in a thread of its own, for at most ``seconds``.

    :raises StateError: the store failed under way
    """
    until = time.monotonic() + seconds
    couriers = [Courier(store, channel) for channel in channels]
    failures: list[StateError] = []

    def work(courier: Courier) -> None:
        try:
            courier.wake()
            courier.drain(until)
        except StateError as exc:
            failures.append(exc)
        finally:
            courier.close()

    threads = [threading.Thread(target=work, args=(courier,), daemon=True, name="vigil-courier") for courier in couriers[1:]]
    for thread in threads:
        thread.start()
    if couriers:
        work(couriers[0])
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0) + 1.0)
    if failures:
        raise failures[0]
    return [courier.report for courier in couriers]
