# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many conversations in one thread: what a conversation may wait for, and the loop that keeps all of them going.

A conversation is a coroutine. It waits for a socket (``ready``) or for an errand, which is what cannot be interrupted and is done in a
thread (``done``), each until an absolute time. The loop knows nothing else, so it stays far cheaper than a thread for each, or asyncio.
"""

from __future__ import annotations

import collections
import functools
import heapq
import os
import select
import threading
import time
import types
import typing as t

# Seconds of waiting after which a conversation leaves its place to another: one dead server in ten must not hold the rest.
_PATIENCE = 0.25
_MOST_WAITING = 16  # times the width
_SPARE_FILES = 100
_LONGEST = 3600.0

# (socket or errand, whether to write, time.monotonic() at which to go on anyway)
Wish = t.Tuple[t.Any, bool, float]
Dialogue = t.Coroutine[Wish, t.Optional[float], t.Any]


# --- what a conversation waits for ---


@types.coroutine
def ready(sock: t.Any, write: bool, end: float) -> t.Generator[Wish, t.Optional[float], t.Optional[float]]:
    """Wait until a socket can be read or written.

    :return: time.monotonic() at which that was seen; None when ``end`` came first
    """
    return (yield (sock, write, end))


@types.coroutine
def done(errand: Errand, end: float) -> t.Generator[Wish, t.Optional[float], t.Optional[float]]:
    """Wait until an errand is over; None when ``end`` came first."""
    return (yield (errand, False, end))


class Errand:
    """What cannot be interrupted, done in a thread of its own that is left behind where it hangs; any number may wait for it."""

    def __init__(self, work: t.Callable[[], t.Any], name: str = "errand") -> None:
        self._work = work
        self._value: t.Any = None
        self.error: Exception | None = None
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[t.Callable[[], None]] = []
        threading.Thread(target=self._run, daemon=True, name=f"vigil-{name}").start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except Exception as exc:  # noqa: BLE001 - handed on to those who wait
            self.error = exc
        with self._lock:
            self.over.set()
        for tell in self._waiting:
            tell()

    def tell(self, waiter: t.Callable[[], None]) -> None:
        """Call this when it is over, in whatever thread; at once if it is."""
        with self._lock:
            if not self.over.is_set():
                self._waiting.append(waiter)
                return
        waiter()

    def result(self) -> t.Any:
        """What came of it; raises what it raised."""
        if self.error is not None:
            raise self.error
        return self._value


# --- one alone ---


def alone(dialogue: Dialogue) -> t.Any:
    """Have one conversation and wait for its end."""
    moment: float | None = None
    try:
        while True:
            moment = _wait(*dialogue.send(moment))
    except StopIteration as stop:
        return stop.value
    finally:
        dialogue.close()


def _wait(what: t.Any, write: bool, end: float) -> float | None:
    left = max(0.0, end - time.monotonic())
    if isinstance(what, Errand):
        return time.monotonic() if what.over.wait(left) else None
    poll = select.poll()
    poll.register(what, select.POLLOUT if write else select.POLLIN)
    return time.monotonic() if poll.poll(left * 1000) else None


class Talker:
    """The ``observe()`` of a probe that does nothing but talk: as a function it looks once, and a runner lets many of them talk at once."""

    def __init__(self, talk: t.Callable[..., Dialogue]) -> None:
        functools.update_wrapper(self, talk)
        self.talk = talk
        self.crowd = Crowd

    def __call__(self, options: dict[str, t.Any], ctx: t.Any) -> t.Any:
        return alone(self.talk(options, ctx))


# --- many at once ---


class _Guest:
    """One conversation of a crowd.

    :ivar waits: the socket or errand that it waits for; end: until when; alarm: the earliest entry of it in the heap
    :ivar holds: whether it counts against the width
    """

    __slots__ = ("alarm", "began", "end", "holds", "key", "make", "talk", "waits")

    def __init__(self, key: t.Any, make: t.Callable[[], Dialogue]) -> None:
        self.key = key
        self.make = make
        self.talk: Dialogue | None = None
        self.began = self.end = 0.0
        self.alarm = float("inf")
        self.waits: t.Any = None
        self.holds = True


class Crowd:
    """Conversations that one thread keeps going; all but ``wake`` belongs to this thread.

    :arg width: how many are in full swing at the same time; those that wait for long are not counted, up to a bound
    """

    def __init__(self, width: int) -> None:
        self._poll: t.Any = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._units = 1 if hasattr(select, "epoll") else 1000
        self._width = width
        self._most = max(1, min(width * _MOST_WAITING, _files() - _SPARE_FILES))
        self._holding = 0
        self._queue: collections.deque[_Guest] = collections.deque()
        self._here: dict[t.Any, _Guest] = {}
        self._by_file: dict[int, _Guest] = {}
        self._alarms: list[tuple[float, int, _Guest]] = []
        self._count = 0
        self._ended: list[tuple[t.Any, t.Any, float, float]] = []
        self._told: collections.deque[tuple[_Guest, t.Any]] = collections.deque()
        self._closing = threading.Lock()
        self._is_closed = False
        self._ear, self._mouth = os.pipe()
        for end in (self._ear, self._mouth):
            os.set_blocking(end, False)
        self._poll.register(self._ear, select.POLLIN)

    def add(self, key: t.Any, make: t.Callable[[], Dialogue], pause: float = 0.0) -> None:
        """Let a conversation begin when there is a place for it, after a pause in seconds."""
        guest = _Guest(key, make)
        if pause > 0:
            self._set_alarm(guest, time.monotonic() + pause)
        else:
            self._queue.append(guest)

    def has_room(self) -> bool:
        """Whether one that is added could begin at once."""
        return not self._queue and self._has_room()

    def began(self, key: t.Any) -> float | None:
        """When one began that has not ended; None where it is not here."""
        guest = self._here.get(key)
        return guest.began if guest else None

    def step(self, until: float) -> list[tuple[t.Any, t.Any, float, float]]:
        """Go on for a little, but wait no longer than up to this time.

        :return: of those that ended: key, value or exception, begin and end by time.monotonic()
        """
        self._admit()
        now = time.monotonic()
        wait = 0.0
        if not self._ended and not (self._queue and self._has_room()):
            wait = max(0.0, min(until, self._alarms[0][0] if self._alarms else until, now + _LONGEST) - now)
        events = self._poll.poll(wait * self._units)
        now = time.monotonic()
        for file, _event in events:
            if file == self._ear:
                self._hear(now)
                continue
            guest = self._by_file.pop(file)
            self._poll.unregister(file)
            self._go_on(guest, now)
        while self._alarms and self._alarms[0][0] <= now:
            self._ring(now)
        ended, self._ended = self._ended, []
        return ended

    def wake(self) -> None:
        """Have ``step`` return soon; for other threads."""
        with self._closing:
            if not self._is_closed:
                try:
                    os.write(self._mouth, b"!")
                except BlockingIOError:
                    pass  # enough is in it already

    def close(self) -> None:
        """End all conversations at once."""
        with self._closing:
            self._is_closed = True
            for file in (self._ear, self._mouth):
                os.close(file)
        if hasattr(self._poll, "close"):
            self._poll.close()
        for guest in self._here.values():
            if guest.talk is not None:
                guest.talk.close()

    def _has_room(self) -> bool:
        return self._holding < self._width and len(self._here) < self._most

    def _admit(self) -> None:
        """Let new ones begin, not more than the width before those that are here are looked after."""
        for _number in range(self._width):
            if not self._queue or not self._has_room():
                return
            guest = self._queue.popleft()
            self._holding += 1
            self._here[guest.key] = guest
            guest.began = time.monotonic()
            guest.talk = guest.make()
            self._go_on(guest, None)

    def _go_on(self, guest: _Guest, moment: float | None) -> None:
        guest.waits = None
        try:
            what, write, end = guest.talk.send(moment)  # type: ignore[union-attr]
        except StopIteration as stop:
            self._leave(guest, stop.value)
            return
        except Exception as exc:  # noqa: BLE001 - a value like any other for the one who added it
            self._leave(guest, exc)
            return
        guest.waits, guest.end = what, end
        if isinstance(what, Errand):
            what.tell(functools.partial(self._over, guest, what))
        else:
            file = what.fileno()
            self._poll.register(file, select.POLLOUT if write else select.POLLIN)
            self._by_file[file] = guest
        alarm = min(end, guest.began + _PATIENCE) if guest.holds else end
        if alarm < guest.alarm:
            self._set_alarm(guest, alarm)

    def _leave(self, guest: _Guest, value: t.Any) -> None:
        del self._here[guest.key]
        self._holding -= guest.holds
        self._ended.append((guest.key, value, guest.began, time.monotonic()))

    def _over(self, guest: _Guest, errand: Errand) -> None:
        """In the errand's thread."""
        self._told.append((guest, errand))
        self.wake()

    def _hear(self, now: float) -> None:
        try:
            os.read(self._ear, 65536)
        except BlockingIOError:
            pass
        while self._told:
            guest, errand = self._told.popleft()
            if guest.waits is errand:
                self._go_on(guest, now)

    def _set_alarm(self, guest: _Guest, moment: float) -> None:
        guest.alarm = moment
        self._count += 1
        heapq.heappush(self._alarms, (moment, self._count, guest))

    def _ring(self, now: float) -> None:
        """The earliest alarm: a pause is over, a conversation lasts, or what it waits for does not come."""
        moment, _count, guest = heapq.heappop(self._alarms)
        if moment != guest.alarm:
            return  # an earlier one was set since
        guest.alarm = float("inf")
        if guest.talk is None:
            self._queue.append(guest)
        elif guest.waits is None:
            return  # it is over
        elif guest.end <= now:
            if not isinstance(guest.waits, Errand):
                file = guest.waits.fileno()
                del self._by_file[file]
                self._poll.unregister(file)
            self._go_on(guest, None)
        else:
            # who waits for a thread keeps his place: there must not be any number of threads
            lasts = guest.began + _PATIENCE <= now
            if guest.holds and lasts and not isinstance(guest.waits, Errand):
                guest.holds = False
                self._holding -= 1
            self._set_alarm(guest, min(guest.end, now + _PATIENCE) if guest.holds else guest.end)


def _files() -> int:
    """How many files this process may open."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most if 0 < most < 1 << 20 else 1 << 20
