# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What the callback tells with: events are kept on the main thread as they are seen, a thread for each channel sends them."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import LEAST_TIME, Courier
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, Unit, open_store
from ansible_collections.vigil.ops.plugins.plugin_utils._gate import GATE

_BUSY = 5.0  # seconds to wait for another process's write
_LONG = 60.0
_IDLE = 5.0


class Sender(threading.Thread):
    """Sends one channel's queue until it is told to finish. It never prints, imports or raises."""

    def __init__(self, courier: Courier) -> None:
        super().__init__(name="vigil-webhook", daemon=True)
        self.courier = courier
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
        try:
            self.courier.wake()
            while True:
                self._work.clear()
                until = self._until
                wait = self.courier.round(until if until is not None else time.monotonic() + _LONG)
                if self._is_over(wait):
                    return
                if wait != 0.0:
                    self._work.wait(_IDLE if wait is None else min(wait, _IDLE))
        except StateError as exc:
            self.failed = str(exc)
        except Exception as exc:  # noqa: BLE001 - the border of the thread: a traceback on the user's screen helps nobody
            self.failed = f"The sender ended by a fault ({type(exc).__name__})."
        finally:
            self.courier.close()

    def _is_over(self, wait: float | None) -> bool:
        if self._until is None:
            return False
        return wait is None or time.monotonic() + wait > self._until - LEAST_TIME


class Teller:
    """Keeps and sends. Used by the main thread alone.

    :raises StateError: the store cannot be opened
    """

    def __init__(self, url: str, channels: t.Sequence[Channel]) -> None:
        self.channels = list(channels)
        self.store = open_store(url, busy=_BUSY, guard=GATE)
        flow.bind(self.channels, self.store.salt)
        self._senders: dict[str, Sender] = {}
        self._unkept: list[flow.Batch] = []
        with self.store.view() as unit:
            self._start(outbox.pending(unit))

    def tell(self, batch: flow.Batch, more: t.Callable[[Unit], flow.Batch] | None = None) -> str:
        """Keep a batch; what could not be kept before is tried again with it. Returns why it could not, empty when all is well.

        :arg more: makes another batch of what the store holds, in the same unit of work
        """
        batches = [*self._unkept, batch]

        def work(unit: Unit) -> list[flow.Committed]:
            every = batches if more is None else [*batches, more(unit)]
            return [flow.commit(unit, self.channels, one) for one in every]

        try:
            committed = self.store.run(work)
        except StateError as exc:
            self._unkept = batches
            return str(exc)
        self._unkept = []
        self._start({key for one in committed for _event, keys in one.told for key in keys})
        return ""

    def _start(self, keys: t.Container[str]) -> None:
        for channel in self.channels:
            if channel.key in keys:
                if channel.key not in self._senders:
                    self._senders[channel.key] = Sender(Courier(self.store, channel, GATE))
                    self._senders[channel.key].start()
                self._senders[channel.key].nudge()

    def finish(self, seconds: float) -> list[str]:
        """Send for at most ``seconds``; returns sentences on what is not told."""
        until = time.monotonic() + seconds
        senders = list(self._senders.values())
        for sender in senders:
            sender.finish(until)
        for sender in senders:
            sender.join(max(until - time.monotonic(), 0.0))
        if not GATE.is_free(1.0):
            return ["It is not known what was told: a sender still waits for a name to be resolved. What was not told stays queued."]
        return [*self._left(), *(sender.failed for sender in senders if sender.failed)]

    def _left(self) -> list[str]:
        try:
            with self.store.view() as unit:
                pending = outbox.pending(unit)
        except StateError as exc:
            return [str(exc)]
        sentences = []
        for channel in self.channels:
            sender = self._senders.get(channel.key)
            report = sender.courier.report if sender is not None else None
            name = channel.masked if not channel.name else f"{channel.name} ({channel.masked})"
            why = f": {report.message}" if report is not None and report.message else ""
            if pending.get(channel.key):
                sentences.append(
                    f"{_messages(pending[channel.key])} for {name} could not be sent yet{why}. What is not sent stays in {self.store.path}"
                    " and goes out with the next run, or with vigil.ops.notify and flush."
                )
            if report is not None and report.dead:
                sentences.append(f"{_messages(report.dead)} for {name} were refused{why}. See vigil.ops.history_info with kind dead.")
        return sentences + flow.orphans(pending, self.channels)


def _messages(count: int) -> str:
    return f"{count} message{'s' if count != 1 else ''}"
