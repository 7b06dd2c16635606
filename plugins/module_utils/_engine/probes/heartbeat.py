# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that should run regularly has left its sign."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import guarded, start_guard

_AHEAD = 60.0  # seconds by which clocks may differ, as those of a file server do


def _complete(options: dict[str, t.Any]) -> None:
    if options["path"] is not None and options["state"] is not None:
        raise ValueError("heartbeat takes path or state, not both")
    if options["host"] is not None and options["state"] is None:
        raise ValueError("heartbeat.host says of which host runs count in a store; give state as well")


SPEC = ProbeSpec(
    "heartbeat",
    {
        "path": Option("path", help="file that the job writes or touches whenever it has succeeded"),
        "state": Option(
            "str", help="store of inspections, such as sqlite:////var/lib/vigil/state.db or default; the last run kept there is the sign"
        ),
        "host": Option("str", help="only runs of this host count, in which it could be reached; any run where it is left out"),
        "every": Option("period", required=True, help="how often the job should run"),
        "grace": Option("period", help="how much later than that it may be; a tenth of every if left out"),
        "timeout": Option("duration", default=5.0, help="how long the file may take to answer"),
    },
    {
        "exists": "whether there is a sign at all",
        "age_seconds": "seconds since the last sign",
        "late": "whether it is older than every and grace together",
        "missed": "how many runs are missing since the last sign",
    },
    {"late": False},
    one_of=(("path", "state"),),
    complete=_complete,
    help="Whether a job that should run regularly has, be it a backup or the inspection of a host. "
    "A sign of the future counts as none: it would hide that later ones are missing.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    if any(options["path"] for options in all_options):
        start_guard()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found with ``exists: false``, late, or clock for a sign of the future
    :raises CannotSee: timeout, permission
    """
    every = options["every"]
    grace = every / 10 if options["grace"] is None else options["grace"]
    try:
        moment = _of_store(options["state"], options["host"]) if options["state"] else _of_file(options["path"], options["timeout"])
    except ProbeFailure as exc:
        nothing = {"exists": False, "age_seconds": None, "late": True, "missed": None}
        raise ProbeFailure(exc.reason, f"there has never been a sign: {exc.sentence}", nothing) from exc
    place = options["path"] or options["state"]
    age = time.time() - moment
    seen = {"exists": True, "age_seconds": round(age, 3), "late": age > every + grace, "missed": max(0, int((age - grace) // every))}
    if age < -_AHEAD:
        raise ProbeFailure("clock", f"the sign in {place} is of the future, by {format_duration(-age)}", dict(seen, late=None))
    if seen["late"]:
        sentence = f"the last sign in {place} is {format_duration(age)} old, expected one every {format_duration(every)}"
        raise ProbeFailure("late", sentence, seen)
    return seen


def _of_file(path: str, seconds: float) -> float:
    return float(guarded("file", path, seconds, digest=False, content=False)["modified"])


def _of_store(url: str, host: str | None) -> float:
    """When the last run was kept there."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.results import last_run
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, StateMissing, default_url, open_store

    try:
        with open_store(default_url() if url == "default" else url, read_only=True) as store, store.view() as unit:
            moment = last_run(unit, host)
    except StateMissing as exc:
        raise ProbeFailure("not_found", str(exc).rstrip(".")) from exc
    except StateError as exc:
        raise CannotSee(str(exc).rstrip("."), "unseen") from exc
    if moment is None:
        raise ProbeFailure("not_found", f"{url} knows no run" + (f" of {host}" if host else ""))
    return moment
