# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""One lock between the threads that send and the main thread that forks workers.

What a thread does with the store, names or TLS may hold a lock of a C library. A child forked in that moment would find it locked
for ever. So threads do these things under the gate, and a fork waits for it.
"""

from __future__ import annotations

import _thread
import os
import threading

_AFTER_FORK = 0.05  # seconds after which a Ctrl-C that came while a fork had to wait is told again


class Gate:
    """A lock that is free in every forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_held = self._is_interrupted = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *unused: object) -> None:
        self._lock.release()

    def is_free(self, seconds: float) -> bool:
        """Whether it could be passed within so many seconds."""
        if not self._lock.acquire(timeout=seconds):
            return False
        self._lock.release()
        return True

    def before_fork(self) -> None:
        has_it = False
        while not has_it:
            try:
                has_it = self._lock.acquire()
            except KeyboardInterrupt:
                self._is_interrupted = True  # Python would pass over what is raised here, and Ctrl-C be lost
        self._is_held = True

    def in_parent(self) -> None:
        if self._is_held:
            self._is_held = False
            self._lock.release()
        if self._is_interrupted:
            self._is_interrupted = False
            threading.Timer(_AFTER_FORK, _thread.interrupt_main).start()

    def in_child(self) -> None:
        self._lock = threading.Lock()
        self._is_held = self._is_interrupted = False


GATE = Gate()
os.register_at_fork(before=GATE.before_fork, after_in_parent=GATE.in_parent, after_in_child=GATE.in_child)
