# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Screen output of `make inspect`: one line a play, what the playbook says itself, and what went wrong. No banners, no recap."""

from __future__ import annotations

import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: vigil_plain
type: stdout
short_description: Plain lines for a person who ran make inspect
description:
  - Prints the name of each play, the messages of debug tasks, and one line for each failed or unreachable host.
author:
  - vigil.ops contributors (@vigil-ops)
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "vigil_plain"

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._display.display(f"-- {play.get_name().strip()}")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        if _task(result).action in ("debug", "ansible.builtin.debug"):
            said = _said(result).get("msg", "")
            self._display.display("\n".join(str(line) for line in said) if isinstance(said, list) else str(said))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._wrong(result, "failed")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._wrong(result, "unreachable")

    def _wrong(self, result: t.Any, how: str) -> None:
        host = getattr(result, "host", None) or result._host
        self._display.display(f"{host.get_name()}: {how}: {_said(result).get('msg', 'no message')}", color="red")


def _task(result: t.Any) -> t.Any:
    """The task of a result, on ansible-core before and after 2.19."""
    return getattr(result, "task", None) or result._task


def _said(result: t.Any) -> t.Dict[str, t.Any]:
    found = getattr(result, "result", None)
    return found if found is not None else result._result
