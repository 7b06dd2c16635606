# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a guard restarts a service, and makes sure that it has helped."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_eyes import Eyes, Run, Seen
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_request import Guard

_POLL = 0.5
_SETTLE = 2.0  # a program that dies at once must not be taken for well
_TEXT = 200
_DENIED = ("access denied", "permission denied", "authentication is required", "authentication required", "not permitted")


class Cure(t.NamedTuple):
    """What came of a restart.

    :ivar well: as of the last look; sentence: what is still wrong
    :ivar is_worse: more is wrong than before; that one thing is wrong was so anyway
    """

    well: t.Optional[bool]
    sentence: str
    is_worse: bool
    seen: Seen


def restart(guard: Guard, before: Seen, eyes: Eyes, run: Run) -> Cure:
    """Restart the service once and look until it is well and stays so, or ``verify_timeout`` is over."""
    until = time.monotonic() + guard.verify_timeout
    fault = ""
    for argv in _commands(guard, before):
        fault = _carry_out(run, argv, round(max(until - time.monotonic(), 1.0), 1))
    seen, is_steady = _verified(guard, eyes, until)
    well = seen.well()
    if well and is_steady:
        return Cure(True, "", False, seen)
    sentence = (seen.why()[1] if not well else "") or f"{guard.unit} does not keep running"
    return Cure(False, f"{sentence} ({fault})" if fault else sentence, seen.wrong > max(before.wrong, 1), seen)


def _commands(guard: Guard, before: Seen) -> t.List[t.List[str]]:
    known = before.unit is not None and before.unit["load"] != "not-found"
    if not known:
        return [list(guard.restart_command)]
    commands = [["systemctl", "restart", "--no-ask-password", "--", guard.unit]]
    if before.unit and before.unit["state"] in ("failed", "activating"):
        # a unit that was started too often is not started again before that
        commands.insert(0, ["systemctl", "reset-failed", "--no-ask-password", "--", guard.unit])
    return commands


def _carry_out(run: Run, argv: t.List[str], timeout: float) -> str:
    """Run a command; returns what went wrong, empty when nothing did."""
    try:
        rc, out, err = run(argv, timeout)
    except (CommandTimeout, CommandMissing, CommandFlood) as exc:
        return str(exc)
    if rc == 0:
        return ""
    lines = (err.strip() or out.strip()).splitlines()
    said = ": " + " ".join(lines[0].split())[:_TEXT] if lines else ""
    grant = "; run with become" if any(word in said.lower() for word in _DENIED) else ""
    return f"{argv[0]} ended with {rc}{said}{grant}"


def _verified(guard: Guard, eyes: Eyes, until: float) -> t.Tuple[Seen, bool]:
    """(the last look, whether it stayed well)."""
    while True:
        seen = _look(guard, eyes, until)
        if seen.well():
            time.sleep(min(_SETTLE, max(until - time.monotonic(), _POLL)))
            again = _look(guard, eyes, until)
            if again.well() and _same_run(seen, again):
                return again, True
            seen = again
        if time.monotonic() + _POLL >= until:
            return seen, False
        time.sleep(_POLL)


def _look(guard: Guard, eyes: Eyes, until: float) -> Seen:
    return eyes.look([guard], max(until - time.monotonic(), 5.0))[0]


def _same_run(one: Seen, other: Seen) -> bool:
    """Whether the same process is still there."""
    return all((one.unit or {}).get(key) == (other.unit or {}).get(key) for key in ("main_pid", "restarts"))
