# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that should run regularly has left its sign."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import guarded, start_guard

_AHEAD = 60.0  # seconds by which clocks may differ, as those of a file server do

SPEC = ProbeSpec(
    "heartbeat",
    {
        "path": Option("path", required=True, help="file that the job writes or touches whenever it has succeeded"),
        "every": Option("period", required=True, help="how often the job should run"),
        "grace": Option("period", help="how much later than that it may be; a tenth of every if left out"),
        "timeout": Option("duration", default=5.0, help="how long the file may take to answer"),
    },
    {
        "exists": "whether the file is there",
        "age_seconds": "seconds since the last sign",
        "late": "whether it is older than every and grace together",
        "missed": "how many runs are missing since the last sign",
    },
    {"late": False},
    help="A sign of the future counts as none: it would hide that later ones are missing.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    start_guard()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found with ``exists: false``, late, or clock for a sign of the future
    :raises CannotSee: timeout, permission
    """
    path, every = options["path"], options["every"]
    grace = every / 10 if options["grace"] is None else options["grace"]
    try:
        found = guarded("file", path, options["timeout"], digest=False, content=False)
    except ProbeFailure as exc:
        nothing = {"exists": False, "age_seconds": None, "late": True, "missed": None}
        raise ProbeFailure(exc.reason, f"there has never been a sign: {exc.sentence}", nothing) from exc
    age = time.time() - found["modified"]
    seen = {"exists": True, "age_seconds": round(age, 3), "late": age > every + grace, "missed": max(0, int((age - grace) // every))}
    if age < -_AHEAD:
        raise ProbeFailure("clock", f"the sign in {path} is of the future, by {format_duration(-age)}", dict(seen, late=None))
    if seen["late"]:
        sentence = f"the last sign in {path} is {format_duration(age)} old, expected one every {format_duration(every)}"
        raise ProbeFailure("late", sentence, seen)
    return seen
