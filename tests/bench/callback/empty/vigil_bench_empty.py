# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that does nothing: what a hook takes at least, by the clock and of the CPU, as many workers want the same cores."""

from __future__ import annotations

import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: vigil_bench_empty
type: notification
short_description: Does nothing
description:
  - For the measurements of the collection alone.
requirements: []
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "vigil_bench_empty"

    def v2_runner_on_ok(self, result: t.Any) -> None:
        pass

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        pass
