# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sweep does with questions that take more than one try: which server next, how long to wait, and what is told in the end."""

from __future__ import annotations

import errno
import heapq
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.lane import NOT_NOW, Lane, Odd, Port, Try
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits

_FORMERR, _SERVFAIL, _NOTIMP = 1, 2, 4
# worth the same question to the same server once more; without EDNS after the second and third (RFC 6891 7)
_ONCE_MORE = (_SERVFAIL, _FORMERR, _NOTIMP)


class Hard:
    """A name that took more than one question and a plain answer."""

    __slots__ = ("asked", "bad", "bare", "end", "held", "seen", "started", "tries", "waiting")

    def __init__(self, lane: Lane, started: float) -> None:
        self.tries = 1  # sent, or waiting to be sent
        self.asked = {lane.number: 1}  # tries by server
        self.bad: t.Dict[int, int] = {}  # of those, ended by a bad reply or by the network
        self.held: t.List[t.Tuple[Lane, Port, bytes]] = []  # tries that a reply may still be taken for
        self.seen: t.Optional[Odd] = None  # what is told if nothing better comes
        self.bare = False  # ask without EDNS
        self.waiting = False  # in a lane's queue, to be asked again
        self.started = started
        self.end: t.Optional[float] = None  # when it is given up; known once the last try is sent


class Keeper:
    """The books of one sweep: every question is once counted in ``same`` or put into ``odd``."""

    def __init__(self, questions: t.Sequence[wire.Question], limits: Limits) -> None:
        self.questions, self.limits = questions, limits
        self.known: t.Sequence[t.Optional[bytes]] = ()
        self.others: t.Mapping[int, t.Collection[bytes]] = {}
        self.lanes: t.List[Lane] = []
        self.odd: t.List[Odd] = []
        self.same = self.queries = self.resent = self.late = self.rejected = 0
        self.head = self.options = b""  # of a query: between id and question, and after it
        self.size = 0
        self.signed = False  # signatures are asked for, which takes EDNS
        self.hard: t.Dict[int, Hard] = {}
        self.ends: t.List[t.Tuple[float, int]] = []
        self.due: t.List[t.Tuple[float, int, int, int]] = []  # when to ask again, index, tries so far, number of the last server

    # what lanes tell

    def hear(self, lane: Lane, entry: Try, packet: bytes, now: float) -> None:
        """A reply that is no plain answer to a first try."""
        index, sent, _key, _before = entry
        lane.pace.sample(now - sent)
        lane.pace.answered(1)
        odd = Odd(index, packet, lane.number, now - sent, "", "")
        rcode = packet[3] & 15
        if packet[2] & 2 and rcode in (0, 3):
            self._settle(index, odd._replace(status="truncated"))
            return
        if rcode in (0, 3):
            try:
                said = wire.fingerprint(packet, 12 + len(self.questions[index].tail))
            except wire.Unreadable:
                self._settle(index, odd)
                return
            except wire.Malformed as exc:
                odd = odd._replace(status="malformed", message=f"{lane.server.label} sent a broken reply: {exc}")
            else:
                is_same = said == self.known[index] or said in self.others.get(index, ())
                self._settle(index, None if is_same else odd)
                return
        hard = self._hard(lane, entry)
        hard.seen = odd
        hard.bare = hard.bare or rcode in (_FORMERR, _NOTIMP)
        self._bad(hard, index, lane, rcode in _ONCE_MORE or odd.status == "malformed", now)

    def expired(self, lane: Lane, port: Port, entry: Try, now: float) -> None:
        """A try was waited for as long as its server needs; a reply is still taken."""
        index, sent, key, _before = entry
        lane.pace.expired(sent, now)
        hard = self.hard.get(index)
        if hard is None:
            hard = self._hard(lane, entry)
            hard.held.append((lane, port, key))
        if hard.waiting or hard.end is not None:
            return
        if hard.tries > self.limits.retries:
            self._last(hard, index, sent)
        else:
            heapq.heappush(self.due, (sent + self._wait(hard, lane, now), index, hard.tries, lane.number))

    def unreachable(self, lane: Lane, port: Port, error: OSError, now: float) -> None:
        """The network told of this port that its server is not there."""
        lane.pace.refused(now)
        message = network(lane, error)
        entries = list(port.flying.values())
        port.flying.clear()
        lane.flying -= len(entries)
        for entry in entries:
            index = entry[0]
            hard = self._hard(lane, entry)
            hard.seen = hard.seen or Odd(index, None, lane.number, now - hard.started, "network", message)
            self._bad(hard, index, lane, False, now)

    def resend(self, lane: Lane, room: int, now: float) -> int:
        """Ask again what waits for it, at most ``room`` of it; returns how many."""
        count = 0
        while lane.again and count < room:
            index, hard = t.cast(t.Tuple[int, Hard], lane.again.popleft())
            if self.hard.get(index) != hard:
                continue  # settled by a late reply
            port = lane.port()
            key = lane.keys().pop()
            if key in port.flying or key in port.parked:
                lane.again.appendleft((index, hard))
                continue  # with some other id
            error: t.Optional[OSError] = None
            # the last try is made without EDNS where nothing was heard: some boxes drop what they do not know (RFC 6891 6.2.2)
            bare = hard.bare or (hard.seen is None and hard.tries > self.limits.retries and not self.signed)
            head, options = (self.head[:9] + b"\0", b"") if bare else (self.head, self.options)
            try:
                port.send(key + head + self.questions[index].tail + options)
            except OSError as exc:
                if exc.errno in NOT_NOW:
                    lane.again.appendleft((index, hard))
                    break
                error = exc
            port.flying[key] = (index, now, key, hard.tries - 1)
            hard.held.append((lane, port, key))
            hard.waiting = False
            lane.flying += 1
            count += 1
            if hard.tries > self.limits.retries:
                self._last(hard, index, now)
            if error is not None:
                self.unreachable(lane, port, error, now)
                break
        lane.pace.spend(count)
        self.queries += count
        self.resent += count
        return count

    # what becomes of a name

    def ask_due(self, now: float) -> None:
        """Ask names again whose time for that has come."""
        while self.due and self.due[0][0] <= now:
            _when, index, tries, number = heapq.heappop(self.due)
            hard = self.hard.get(index)
            if (
                hard is not None
                and hard.tries == tries
                and not hard.waiting
                and hard.end is None
                and not self._ask_again(hard, index, self.lanes[number], True, now)
            ):
                self._last(hard, index, now)

    def _wait(self, hard: Hard, lane: Lane, now: float) -> float:
        """Seconds from a try to the next: each twice the one before, and the last try not in the same breath, for what is out for a moment."""
        timeout, retries = self.limits.timeout, self.limits.retries
        wait = lane.pace.rto * 2 ** min(hard.tries - 1, 10)
        if hard.tries == retries > 1:
            wait = max(wait, timeout / 4)
        if all(other.broken or other.pace.is_dead(now) for other in self.lanes):
            wait = max(wait, timeout / (retries + 1))
        return min(wait, timeout)

    def end_names(self, now: float) -> None:
        """Give up names that had their time, unless there are replies still to be read."""
        if not self.ends or self.ends[0][0] > now or any(port.is_behind() for lane in self.lanes for port in lane.ports):
            return
        in_vain = False
        while self.ends and self.ends[0][0] <= now:
            end, index = heapq.heappop(self.ends)
            hard = self.hard.get(index)
            if hard is not None and hard.end == end:
                in_vain = in_vain or hard.seen is None
                self._settle(index, hard.seen or self._timeout(hard, index, now))
        if in_vain and all(lane.broken or lane.pace.is_dead(now) for lane in self.lanes):
            self._leave_unasked()

    def _leave_unasked(self) -> None:
        """Every server kept silent for all the time that a name has: the names that were not asked yet would each pay for it again."""
        labels = ", ".join(lane.server.label for lane in self.lanes)
        for lane in self.lanes:
            for index in lane.queue:
                self.odd.append(Odd(index, None, lane.number, 0.0, "timeout", f"not asked, as there was no answer from {labels}"))
            lane.queue.clear()

    def leave_the_dead(self, now: float) -> None:
        """What waits for a server that is silent goes to the others."""
        dead = [lane for lane in self.lanes if (lane.queue or lane.again) and (lane.broken or lane.pace.is_dead(now))]
        if not dead:
            return
        living = [lane for lane in self.lanes if not lane.broken and not lane.pace.is_dead(now)]
        living = living or [lane for lane in self.lanes if not lane.broken]
        for lane in dead:
            if lane in living:
                continue
            for index in lane.queue:
                if living:
                    living[index % len(living)].queue.append(index)
                else:
                    self.odd.append(Odd(index, None, lane.number, 0.0, "network", lane.broken))
            lane.queue.clear()
            for index, hard in lane.again:
                pick = min(living, key=lambda other: hard.asked.get(other.number, 0), default=None)
                if pick is not None:
                    hard.asked[pick.number] = hard.asked.get(pick.number, 0) + 1
                    pick.again.append((index, hard))
            lane.again.clear()

    def out_of_time(self, now: float) -> None:
        """The total time limit has come: what is open ends here."""
        for index, hard in list(self.hard.items()):
            self._settle(index, hard.seen or self._timeout(hard, index, now, "before the total time limit"))
        for lane in self.lanes:
            for port in lane.ports:
                for index, sent, _key, _before in port.flying.values():
                    message = f"no answer from {lane.server.label} before the total time limit"
                    self.odd.append(Odd(index, None, lane.number, now - sent, "timeout", message))
            for index in lane.queue:
                self.odd.append(Odd(index, None, lane.number, 0.0, "timeout", "not asked before the total time limit"))

    def _hard(self, lane: Lane, entry: Try) -> Hard:
        found = self.hard.get(entry[0])
        if found is None:
            found = self.hard[entry[0]] = Hard(lane, entry[1])
        return found

    def _settle(self, index: int, odd: t.Optional[Odd]) -> None:
        """The end of a name; ``odd`` None is the same as before."""
        if odd is None:
            self.same += 1
        else:
            self.odd.append(odd)
        hard = self.hard.pop(index, None)
        if hard is None:
            return
        for lane, port, key in hard.held:
            if _is_of(port.parked, key, index):
                del port.parked[key]
            elif _is_of(port.flying, key, index):
                del port.flying[key]
                lane.flying -= 1

    def _last(self, hard: Hard, index: int, sent: float) -> None:
        """No further try follows the one that was sent then."""
        hard.end = sent + self.limits.timeout
        heapq.heappush(self.ends, (hard.end, index))

    def _bad(self, hard: Hard, index: int, lane: Lane, once_more: bool, now: float) -> None:
        """A try ended without an answer."""
        hard.bad[lane.number] = hard.bad.get(lane.number, 0) + 1
        if self._ask_again(hard, index, lane, once_more, now):
            return
        for other, port, key in hard.held:
            if (_is_of(port.flying, key, index) or _is_of(port.parked, key, index)) and not other.pace.is_dead(now):
                if hard.end is None:
                    self._last(hard, index, now)
                return  # an earlier try may still be answered
        self._settle(index, hard.seen)

    def _ask_again(self, hard: Hard, index: int, lane: Lane, once_more: bool, now: float) -> bool:
        """Whether a further try is made, or already waits.

        :param once_more: this server may be asked the same once more although its reply was bad
        """
        if hard.waiting:
            return True
        if hard.tries > self.limits.retries:
            return False
        ranked = []
        for other in self.lanes:
            number = other.number
            bad, dead = hard.bad.get(number, 0), other.pace.is_dead(now)
            if other.broken or (bad and not (other is lane and once_more and bad == 1)):
                continue
            if dead and hard.seen is not None and hard.seen.packet is not None:
                continue  # it would only add its silence to what is known
            ranked.append((dead, bad, hard.asked.get(number, 0), (number - lane.number - 1) % len(self.lanes)))
        if not ranked:
            return False
        pick = self.lanes[(min(ranked)[3] + lane.number + 1) % len(self.lanes)]
        hard.tries += 1
        hard.asked[pick.number] = hard.asked.get(pick.number, 0) + 1
        hard.waiting = True
        pick.again.append((index, hard))
        return True

    def _timeout(self, hard: Hard, index: int, now: float, limit: str = "") -> Odd:
        labels = [self.lanes[number].server.label for number in sorted(hard.asked)]
        last = next(reversed(list(hard.asked)))
        seconds = now - hard.started
        sentence = f"no answer from {', '.join(labels)} " + (limit or f"within {seconds:.3g} s")
        if self.rejected:
            sentence += f"; replies that fitted no question were ignored ({self.rejected} in all)"
        return Odd(index, None, last, seconds, "timeout", sentence)


def _is_of(tries: t.Mapping[bytes, Try], key: bytes, index: int) -> bool:
    """Whether this id still stands for a try of this question; ids come back."""
    entry = tries.get(key)
    return entry is not None and entry[0] == index


def network(lane: Lane, error: OSError) -> str:
    """One sentence about a server that cannot be reached."""
    reason = {errno.ECONNREFUSED: "connection refused"}.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return f"{lane.server.label} cannot be reached: {reason}"
