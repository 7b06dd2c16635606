# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd says of a unit."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._units import is_name, properties, unit_name, want

_LOOP_RESTARTS, _LOOP_SECONDS = 3, 10.0
_ENABLED = {"enabled": True, "enabled-runtime": True, "alias": True, "disabled": False, "masked": False, "masked-runtime": False}


def _complete(options: dict[str, t.Any]) -> None:
    if not is_name(options["name"]):
        raise ValueError(f"service.name: {options['name']!r} is not the name of a unit; write one such as ssh or backup.timer")


SPEC = ProbeSpec(
    "service",
    {"name": Option("str", required=True, help="name of the unit; .service is added where it has no kind")},
    {
        "active": "whether it runs (active or reloading)",
        "enabled": "whether it starts with the system; null where that does not apply (static, generated)",
        "unit_file_state": "enabled, disabled, static, masked, generated and so on; null where there is no unit file",
        "state": "active, reloading, inactive, failed, activating or deactivating",
        "sub": "such as running, exited, dead or auto-restart",
        "result": "success, or why it failed, such as exit-code, signal, oom-kill or timeout",
        "load": "loaded, not-found, masked, error or bad-setting",
        "restarts": "how often systemd restarted it by itself since it was started by somebody",
        "looping": "whether that was three times or more, and the last time was less than ten seconds ago",
        "memory_bytes": "memory of its control group; null where that is not counted",
        "main_pid": "its main process; null where there is none",
        "exit_status": "status with which its main process ended last",
        "active_seconds": "for how long it has been active; null when it is not",
    },
    {"active": True, "looping": False},
    help="Asks systemd once for all units of a run. What ends again and again is active now and then, so looping is looked at, too.",
    complete=_complete,
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Say which units are looked at, so that systemd is asked for all of them at once."""
    want(ctx, [unit_name(options["name"]) for options in all_options])


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once; on a later attempt systemd is asked again for this unit.

    :raises ProbeFailure: not_found, failed, inactive or another state, with everything observed
    :raises CannotSee: there is no systemd, or it does not answer
    """
    unit = unit_name(options["name"])
    found = properties(ctx, unit)
    seen = _read(found)
    if not seen["active"] or seen["looping"]:
        raise _failure(unit, seen, found)
    return seen


def _failure(unit: str, seen: dict[str, t.Any], found: dict[str, str]) -> ProbeFailure:
    if seen["load"] == "not-found":
        return ProbeFailure("not_found", f"systemd knows no unit {unit}", seen)
    if seen["load"] == "masked":
        return ProbeFailure("masked", f"{unit} is masked", seen)
    if seen["load"] in ("bad-setting", "error") and not seen["active"]:
        return ProbeFailure("unreadable", f"systemd cannot read {unit}; systemctl status {unit} says why", seen)
    details = [seen["sub"]] if seen["sub"] not in (None, seen["state"]) else []
    if seen["result"] not in (None, "", "success"):
        details.append(f"result {seen['result']}{_ending(seen)}")
    if seen["looping"]:
        lastly = f", lastly {seen['active_seconds'] or 0:g} s ago" if seen["active"] else ""
        ended = f" ({', '.join(details)})" if details and not seen["active"] else ""
        sentence = f"{unit} ends again and again: systemd has restarted it {seen['restarts']} times{lastly}{ended}"
        return ProbeFailure("restart_loop", sentence, seen)
    if seen["restarts"]:
        details.append(f"systemd has restarted it {_times(seen['restarts'])}")
    sentence = f"{unit} is {seen['state']}" + (f" ({', '.join(details)})" if details else "")
    begun = _number(found.get("InactiveExitTimestampMonotonic"))
    starters = found.get("TriggeredBy", "").split()[:3]  # sockets, timers and paths: it need not run all the time
    if starters and seen["state"] == "inactive":
        sentence += f"; {', '.join(starters)} may start it when it is needed"
    elif begun and seen["state"] == "activating" and seen["sub"] != "auto-restart":
        sentence += f" for {format_duration(time.monotonic() - begun / 1e6)}"
    return ProbeFailure(seen["state"] or "inactive", sentence, seen)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _ending(seen: dict[str, t.Any]) -> str:
    """With what the main process ended, where the result is not the whole story."""
    import signal

    status = seen["exit_status"]
    if seen["result"] == "exit-code":
        return f", exit status {status}"
    if seen["result"] in ("signal", "core-dump") and status in {int(one) for one in signal.Signals}:
        return f" {signal.Signals(status).name}"
    return ""


def _read(found: dict[str, str]) -> dict[str, t.Any]:
    state, sub = found.get("ActiveState") or None, found.get("SubState") or None
    active = state in ("active", "reloading", "refreshing")
    since = _number(found.get("ActiveEnterTimestampMonotonic"))
    seconds = round(time.monotonic() - since / 1e6, 1) if active and since else None
    restarts = _number(found.get("NRestarts"))
    return {
        "active": active,
        "enabled": _ENABLED.get(found.get("UnitFileState", "")),
        "unit_file_state": found.get("UnitFileState") or None,
        "state": state,
        "sub": sub,
        "result": found.get("Result") or None,
        "load": found.get("LoadState") or None,
        "restarts": restarts,
        "looping": (restarts or 0) >= _LOOP_RESTARTS and (active or sub == "auto-restart") and (seconds or 0) < _LOOP_SECONDS,
        "memory_bytes": _number(found.get("MemoryCurrent")),
        "main_pid": _number(found.get("MainPID")) or None,
        "exit_status": _number(found.get("ExecMainStatus")),
        "active_seconds": seconds,
    }


def _number(text: str | None) -> int | None:
    """A number; null for ``[not set]`` and for the largest one, by which systemd says the same."""
    return int(text) if text and text.isdigit() and int(text) < (1 << 64) - 1 else None
