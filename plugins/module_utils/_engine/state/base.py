# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every store is, whatever keeps it: units of work, and what is done with them alike."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateDamaged, StateError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

T = t.TypeVar("T")
BUSY = 15.0


class Options(t.NamedTuple):
    """How a store is used, see ``open_store``."""

    clock: t.Callable[[], float] = time.time
    read_only: bool = False
    busy: float = BUSY


class Store:
    """An open store.

    :ivar url: with which it can be opened again; it may hold a password, and is for no eyes
    :ivar path: where it is, as people are told; it holds no secret
    :ivar notices: sentences that the user should be told (a damaged file was set aside)
    :ivar salt: random text that stays as long as the store
    """

    url: str

    def __init__(self, path: str, options: Options) -> None:
        self.path = path
        self.read_only = options.read_only
        self.notices: list[str] = []
        self.salt = ""
        self.keep_days = retention.DAYS
        self.clock = options.clock
        self._busy = options.busy
        self._guard = threading.Lock()

    def unit(self, durable: bool = False) -> t.ContextManager[Unit]:
        """``with store.unit() as unit``: one transaction, committed at the end, rolled back on any exception. One writes at a time.

        ``durable``: on the disk when it returns, so that it outlives a power failure too; without that it outlives every killed process.
        """
        raise NotImplementedError

    def view(self) -> t.ContextManager[Unit]:
        """Like ``unit``, for reading alone: it waits for no writer and stops none, and sees one moment."""
        raise NotImplementedError

    def run(self, work: t.Callable[[Unit], T], durable: bool = False) -> T:
        """``work(unit)`` in one unit (``durable`` as there); once more where the first was undone by what has passed now."""
        raise NotImplementedError

    def open(self) -> None:
        """Make it ready, and the tables where they are missing."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Let go of the connection."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Forget what is older than ``keep_days``; at most once a day, a little at a time, never in somebody's way."""
        if self.read_only:
            return
        try:
            with self.view() as unit:
                if not retention.is_due(unit):
                    return
            give_up = time.monotonic() + 2.0
            while time.monotonic() < give_up:
                with self.unit() as unit:
                    if not retention.is_due(unit):
                        return
                    if retention.step(unit, self.keep_days):
                        self._sweep(unit)
                        return
        except StateDamaged:
            return  # said in notices
        except StateError:
            return  # tidying waits for a better day

    def rest(self) -> None:
        """It is not used for a while: let go of what others may need, such as a server's connection."""

    def _sweep(self, unit: Unit) -> None:
        """Tidy what only this kind of store keeps; at the end of a day's tidying."""

    def close(self) -> None:
        """Let go of it; the store opens again when it is used again."""
        with self._guard:
            self._drop()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
