# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rooms of one process: the first has the main thread, the others one each.

A Python with the engine takes 30 MB, so rooms share one as long as all goes well; the supervisor gives a room that did not end in time, or failed again
and again, a process of its own. Regular expressions are stopped by a signal where a room has the main thread; where one holds up all threads, the pulse is
missing, and the supervisor sets the rooms apart.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import typing as t

from vigil_watch.log import Log
from vigil_watch.rooms import room_class

if t.TYPE_CHECKING:
    from vigil_watch.room import Room

PULSE = 5.0  # seconds
_SWITCH = 0.001  # seconds: what is measured in one room must not wait long for another
_LOOKING = ("health", "guards")


class Place(t.NamedTuple):
    """What connects a room with the supervisor: file descriptors."""

    name: str
    mouth: int
    commands: int


def work(places: t.Sequence[Place], level: str, config: bytes) -> int:
    """Be these rooms until the supervisor says that it is over; the exit code.

    :arg config: a pickled Config
    """
    if any(place.name in _LOOKING for place in places):
        # it forks, which must not be done once there are threads, and its processes stay as small as this one is now
        from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import start_guard

        start_guard(at_once=1)  # a look takes 0.2 ms; what is slow gets another process
    sys.setswitchinterval(_SWITCH)
    known = pickle.loads(config)  # noqa: S301 - from the supervisor itself
    rooms = [room_class(place.name)(known, Log(level, place.name), place.mouth, place.commands) for place in places]
    _hear_signals(rooms)
    for room in rooms[1:]:
        threading.Thread(target=_in_thread, args=(room,), name=f"vigil-{room.name}", daemon=True).start()
    if len(rooms) > 1:
        threading.Thread(target=_beat, args=(rooms[0],), name="vigil-pulse", daemon=True).start()
    gc.collect()
    gc.freeze()
    code = _run(rooms[0])
    if code:
        os._exit(code)  # the others would go on without it
    for thread in threading.enumerate():  # what they are in the middle of they may finish; the supervisor knows how long
        if thread.name in {f"vigil-{room.name}" for room in rooms[1:]}:
            thread.join()
    return 0


def _hear_signals(rooms: t.Sequence[Room]) -> None:
    def end(_number: int, _frame: t.Any) -> None:
        for room in rooms:
            room.end()

    def level(number: int, _frame: t.Any) -> None:
        for room in rooms:
            (room.log.louder if number == signal.SIGUSR1 else room.log.quieter)()

    for number, handler in ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGUSR1, level), (signal.SIGUSR2, level)):
        signal.signal(number, handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _beat(room: Room) -> None:
    while True:
        time.sleep(PULSE)
        room.say(pulse=True)


def _run(room: Room) -> int:
    try:
        room.run()
    except SystemExit as exc:
        return int(exc.code or 0)
    except Exception as exc:  # noqa: BLE001 - the supervisor begins it anew
        room.log.error(f"{type(exc).__name__}: {exc}", where=traceback.format_exc(limit=-3))
        room.say(apart=True)
        os._exit(1)
    return 0


def _in_thread(room: Room) -> None:
    code = _run(room)
    if code:
        os._exit(code)
