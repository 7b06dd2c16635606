# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What the callback tells with, in a process of its own: events are kept on the main thread as they come, a thread for each channel sends them."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.registry import groups
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox, owner
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateAway, StateError, Store, Unit, open_store

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import Courier

T = t.TypeVar("T")

_STEP = 0.05  # seconds that one wait for another process's write may hold the store, which all threads use
_PAUSE = 0.25  # between two such waits
_PATIENCE = 5.0  # of a sender
_SHORT = 0.2  # of the main thread in the middle of a run: what comes meanwhile waits as well
_REST = 2.0  # after a write that failed the store is left alone so long: every event would wait otherwise
_LONG = 60.0
_IDLE = 5.0
_SENDER = "vigil-webhook"
_HOLD = 300.0  # the longest that an event of a long play waits for others to share its message


def is_passing(exc: BaseException | None) -> bool:
    """Whether the store may work again later: it is locked, its disk is full, or its server is away."""
    while exc is not None:
        if isinstance(exc, (sqlite3.OperationalError, StateAway)):
            return True
        exc = exc.__cause__
    return False


class PatientStore:
    """A store for senders: they wait for another process's write in short steps, and the main thread comes in between."""

    def __init__(self, store: Store, seconds: float = _PATIENCE) -> None:
        self._store = store
        self.seconds = seconds

    @property
    def salt(self) -> str:
        return self._store.salt

    @contextlib.contextmanager
    def unit(self) -> t.Iterator[Unit]:
        """As of the store."""
        with contextlib.ExitStack() as stack:
            yield self._enter(stack)

    def run(self, work: t.Callable[[Unit], T]) -> T:
        """As of the store."""
        give_up = time.monotonic() + self.seconds
        while True:
            try:
                with self.unit() as unit:
                    return work(unit)
            except StateAway as exc:
                if not exc.undone or time.monotonic() + _PAUSE > give_up:
                    raise
            time.sleep(_PAUSE)

    def _enter(self, stack: contextlib.ExitStack) -> Unit:
        give_up = time.monotonic() + self.seconds
        while True:
            try:
                return stack.enter_context(self._store.unit())
            except StateError as exc:
                if not is_passing(exc) or time.monotonic() + _PAUSE > give_up:
                    raise
            time.sleep(_PAUSE)


class Sender(threading.Thread):
    """Sends one channel's queue until it is told to finish. It never prints or raises."""

    def __init__(self, courier: Courier, least: float) -> None:
        super().__init__(name=_SENDER, daemon=True)
        self.courier = courier
        self._least = least
        self.failed = ""
        self._work = threading.Event()
        self._until: float | None = None

    def nudge(self) -> None:
        """There is something to send."""
        self._work.set()

    def finish(self, until: float) -> None:
        """Send what can be sent until then (time.monotonic()) and end."""
        self._until = until
        self._work.set()

    def run(self) -> None:
        woken = False
        try:
            while True:
                self._work.clear()
                try:
                    if not woken:
                        self.courier.wake()
                        woken = True
                    until = self._until
                    wait = self.courier.round(until if until is not None else time.monotonic() + _LONG)
                    self.failed = ""
                except StateError as exc:
                    self.failed, wait = str(exc), _IDLE
                    if not is_passing(exc):
                        return
                if self._is_over(wait):
                    return
                if wait != 0.0:
                    self._work.wait(_IDLE if wait is None else min(wait, _IDLE))
        except Exception as exc:  # noqa: BLE001 - the border of the thread: a traceback on the user's screen helps nobody
            self.failed = f"The sender ended by a fault ({type(exc).__name__})."
        finally:
            self.courier.close()

    def _is_over(self, wait: float | None) -> bool:
        if self._until is None:
            return False
        return wait is None or time.monotonic() + wait > self._until - self._least


class Teller:
    """Keeps and sends, for one process. Used by the main thread alone.

    A store that is locked, or whose disk is full, is waited for but a moment: events stay in memory and are kept with a later one.

    :ivar rules: who is told of what
    :raises StateError: the store cannot be opened, and will not be later
    """

    def __init__(self, url: str, channels: t.Sequence[Channel], rules: flow.Rules = flow.NO_RULES) -> None:
        self.channels = list(channels)
        self.rules = rules._replace(memory={})
        self.notices: list[str] = []
        self._url = url
        self._store: Store | None = None
        self._senders: dict[str, Sender] = {}
        self._unkept: list[flow.Batch] = []
        self._why = ""
        self._not_before = 0.0
        self._holder = f"{owner.this_process()}#{id(self):x}"
        self._held_since = 0.0
        try:
            self._tried(self._begin, _SHORT)
        except StateError as exc:
            if not is_passing(exc):
                raise
            self._why = str(exc)

    def _begin(self) -> Store:
        if self._store is None:
            store = open_store(self._url, busy=_STEP)
            flow.bind(self.channels, store.salt)
            with store.view() as unit:
                pending = outbox.pending(unit)
            self._store = store
            self._start(pending)
        self.notices = self._store.notices
        return self._store

    def _tried(self, work: t.Callable[[], T], seconds: float) -> T:
        """``work()``, again while the store is locked, for about so many seconds; senders come in between."""
        give_up = time.monotonic() + seconds
        while True:
            try:
                return work()
            except StateError as exc:
                if not is_passing(exc) or time.monotonic() + _STEP > give_up:
                    self._not_before = time.monotonic() + _REST
                    raise
            time.sleep(_STEP)

    def read(self, work: t.Callable[[Unit], T]) -> T | None:
        """What ``work`` reads in the store; None when it cannot be read now."""

        def reading() -> T:
            with self._begin().view() as unit:
                return work(unit)

        try:
            return self._tried(reading, _SHORT)
        except StateError as exc:
            self._why = str(exc)
            return None

    def tell(self, batch: flow.Batch, more: t.Callable[[Unit], flow.Batch] | None = None, seconds: float = 0.0, last: bool = True) -> str:
        """Keep a batch; what could not be kept before is tried again with it. Returns why it could not, empty when all is well.

        :arg more: makes another batch of what the store holds, in the same unit of work
        :arg seconds: how long to wait for the store; by default a moment, and not at all soon after it failed
        :arg last: what chats are told of this play is complete with it and may be sent; else it is held for those channels that group
        """
        if batch.events or batch.messages or batch.dns or batch.listed or batch.runs or batch.looks:
            self._unkept.append(batch)
        if not seconds and time.monotonic() < self._not_before:
            return self._why
        batches = list(self._unkept)

        def work(unit: Unit) -> list[flow.Committed]:
            every = batches if more is None else [*batches, more(unit)]
            committed = [flow.commit(unit, self.channels, one, rules=self.rules) for one in every]
            self._hold(unit, [row for one in committed for row in one.rows], last)
            return committed

        try:
            committed = self._tried(lambda: self._begin().run(work), max(seconds, _SHORT))
        except StateError as exc:
            self._why = str(exc)
            return self._why
        self._unkept, self._why, self._not_before = [], "", 0.0
        told = {key for one in committed for _event, keys in one.told for key in keys}
        if last and self._held_since:
            self._held_since = 0.0
            told |= set(self._grouping())
        self._start(told, () if last else self._grouping())
        return ""

    def end_play(self) -> None:
        """What chats are told of the play that ends is complete."""
        if self._held_since:
            self.tell(flow.Batch())

    def _grouping(self) -> list[str]:
        return [channel.key for channel in self.channels if groups(channel)]

    def _hold(self, unit: Unit, rows: t.Sequence[int], last: bool) -> None:
        """Hold rows as a lease does: it ends by itself when this process is killed, so that the next one sends them."""
        if last:
            outbox.release(unit, self._holder)
        elif rows and self._grouping():
            if not unit.now - _HOLD < self._held_since <= unit.now:
                self._held_since = unit.now
            outbox.hold(unit, rows, self._grouping(), self._holder, self._held_since + _HOLD)

    def _start(self, keys: t.Container[str], held: t.Container[str] = ()) -> None:
        """Let the senders of these channels send; those whose messages are held need not look before that ends."""
        for channel in self.channels:
            if channel.key in keys and self._store is not None:
                if channel.key not in self._senders:
                    # not before there is something to send: most runs have nothing to tell
                    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import LEAST_TIME, Courier

                    store = t.cast(Store, PatientStore(self._store))
                    self._senders[channel.key] = Sender(Courier(store, channel), LEAST_TIME)
                    self._senders[channel.key].start()
                if channel.key not in held:
                    self._senders[channel.key].nudge()

    def finish(self, until: float) -> list[str]:
        """Send until then (time.monotonic()); returns sentences on what is not told. The teller can be used again."""
        senders = list(self._senders.values())
        for sender in senders:
            sender.finish(until)
        for sender in senders:
            sender.join(max(until - time.monotonic(), 0.0))
        sentences = []
        lost = sum(len(batch.events) + len(batch.messages) + len(batch.dns) for batch in self._unkept)
        if lost:
            sentences.append(f"{lost} event{'s' if lost != 1 else ''} could not be kept, and nobody is told of them: {self._why}")
        sentences += [*self._left(), *{sender.failed: None for sender in senders if sender.failed}]
        self._senders = {}  # a new one is begun for the next playbook; messages are leased, so an old one does no harm
        return sentences

    def close(self) -> None:
        """Leave the store tidy where nobody uses it any more; where a sender still does, the next process does that."""
        if self._store is not None and not any(thread.name == _SENDER for thread in threading.enumerate()):
            self._store.close()

    def _left(self) -> list[str]:
        if self._store is None:
            return []
        if self.read(outbox.pending) is None:
            return [] if self._unkept else [self._why]
        for sender in self._senders.values():
            if sender.is_alive() and not sender.courier.report.message:
                sender.courier.report.message = "no answer came in time"
        reports = {key: sender.courier.report for key, sender in self._senders.items()}
        try:
            return flow.left_over(self._store, self.channels, reports)
        except StateError as exc:
            return [str(exc)]
