# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that measures another one (BENCH_METER_OF) in the same run: seconds in its hooks for results, and in the one at the end."""

from __future__ import annotations

import atexit
import json
import os
import time
import typing as t

from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: vigil_bench_meter
type: notification
short_description: Measures another callback
description:
  - For the measurements of the collection alone.
requirements: []
"""

_FOUND: dict[str, list[tuple[float, float]]] = {}
_PID = os.getpid()
_SEND = TaskQueueManager.send_callback


def _timed(name: str, hook: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def timed(*args: t.Any, **kwargs: t.Any) -> t.Any:
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            return hook(*args, **kwargs)
        finally:
            _FOUND.setdefault(name, []).append((time.perf_counter() - wall, time.thread_time() - cpu))

    return timed


def _send(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
    setattr(TaskQueueManager, "send_callback", _SEND)
    for plugin in self._callback_plugins:
        if type(plugin).__module__.rpartition(".")[2] == os.environ.get("BENCH_METER_OF"):
            for name in dir(plugin):
                if name.startswith("v2_"):
                    setattr(plugin, name, _timed(name, getattr(plugin, name)))
    return _SEND(self, *args, **kwargs)


def _write() -> None:
    path = os.environ.get("BENCH_METER")
    if path and os.getpid() == _PID:
        with open(path, "w") as out:
            json.dump(_FOUND, out)


setattr(TaskQueueManager, "send_callback", _send)
atexit.register(_write)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "vigil_bench_meter"
