# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a disk says of its own health (SMART)."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, CommandFlood, Context, Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import run_program

# attributes of ATA disks (smartctl(8), -A)
_REALLOCATED, _PENDING, _UNCORRECTABLE = 5, 197, 198
_NOT_OPENED = 3  # bits 0 and 1 of the exit status: bad arguments, device not opened


def _complete(options: dict[str, t.Any]) -> None:
    if not re.fullmatch(r"/dev/[A-Za-z0-9/_.:+-]+", options["device"]) or ".." in options["device"]:
        raise ValueError(f"smart.device: {options['device']!r} is not a device; write one such as /dev/sda or /dev/nvme0")
    if options["type"] is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_,+/]*", options["type"]):
        raise ValueError(f"smart.type: {options['type']!r} is not a type of smartctl -d; write one such as sat or megaraid,0")


SPEC = ProbeSpec(
    "smart",
    {
        "device": Option("path", required=True, help="the disk, such as /dev/sda or /dev/nvme0"),
        "type": Option("str", help="type of the device as smartctl -d takes it, such as sat or megaraid,0; guessed if left out"),
        "timeout": Option("duration", default=20.0, help="how long smartctl may take"),
    },
    {
        "healthy": "whether the disk passes its own assessment",
        "temperature": "degrees Celsius",
        "reallocated": "sectors that were replaced by spare ones (ATA)",
        "pending": "sectors that wait to be replaced (ATA)",
        "uncorrectable": "sectors that could not be read (ATA), or media errors (NVMe)",
        "used_percent": "how much of its life is used up, as the maker estimates it (NVMe)",
        "power_on_hours": "hours in service",
        "model": "name of the model",
        "serial": "serial number",
    },
    {"healthy": True},
    help="Asks smartctl of smartmontools 7 or newer, which needs root.",
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once. What a disk does not tell is null.

    :raises CannotSee: smartctl is missing or too old, the device cannot be opened, or it does not know SMART
    """
    device = options["device"]
    argv = ["smartctl", "--json", "-i", "-H", "-A", *(["-d", options["type"]] if options["type"] else []), device]
    try:
        rc, out, err = run_program(ctx, argv, options["timeout"])
    except CannotSee as exc:
        hint = "; install smartmontools" if exc.reason == "unsupported" else ""
        raise CannotSee(f"{device} cannot be asked: {exc.sentence}{hint}", exc.reason) from exc
    except CommandFlood as exc:
        raise CannotSee(f"{device} cannot be asked: {exc}", "unseen") from exc
    try:
        found = json.loads(out)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CannotSee(f"{device} cannot be asked: smartctl gave no JSON; smartmontools 7 or newer is needed", "unsupported")
    seen = read(found)
    if seen["healthy"] is None:
        raise _blind(device, found, rc, err)
    return seen


def _blind(device: str, found: dict[str, t.Any], rc: int, err: str) -> CannotSee:
    messages = _at(found, "smartctl", "messages")
    said = "; ".join(str(_at(message, "string")) for message in messages) if isinstance(messages, list) else ""
    said = " ".join((said or err).split())[:200]
    if "ermission denied" in said:
        return CannotSee(f"{device} may not be opened by this user; run with become", "permission")
    if rc & _NOT_OPENED:
        return CannotSee(f"{device} cannot be asked: {said or 'it could not be opened'}", "unseen")
    return CannotSee(f"{device} does not tell of its health" + (f": {said}" if said else "; it knows no SMART"), "unsupported")


def read(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """What is observed, from the JSON of smartctl."""
    table = _at(found, "ata_smart_attributes", "table")
    raw = {_at(row, "id"): _at(row, "raw", "value") for row in table} if isinstance(table, list) else {}
    nvme = "nvme_smart_health_information_log"
    healthy = _at(found, "smart_status", "passed")
    return {
        "healthy": healthy if isinstance(healthy, bool) else None,
        "temperature": _number(_at(found, "temperature", "current")),
        "reallocated": _number(raw.get(_REALLOCATED)),
        "pending": _number(raw.get(_PENDING)),
        "uncorrectable": _number(raw.get(_UNCORRECTABLE, _at(found, nvme, "media_errors"))),
        "used_percent": _number(_at(found, nvme, "percentage_used")),
        "power_on_hours": _number(_at(found, "power_on_time", "hours")),
        "model": _at(found, "model_name") or _at(found, "scsi_model_name"),
        "serial": _at(found, "serial_number"),
    }


def _at(value: t.Any, *keys: str) -> t.Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _number(value: t.Any) -> t.Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
