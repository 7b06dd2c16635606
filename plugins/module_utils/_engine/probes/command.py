# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a program of the user's and looks at what it says."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import (
    CannotSee,
    CommandFlood,
    CommandMissing,
    CommandTimeout,
    Context,
    Option,
    ProbeFailure,
    ProbeSpec,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import read_json, shortage

_LONGEST = 65536


def _complete(options: dict[str, t.Any]) -> None:
    if not options["argv"] or not options["argv"][0].strip():
        raise ValueError("command.argv needs a program and its arguments as a list, such as [pg_isready, -q]")


SPEC = ProbeSpec(
    "command",
    {
        "argv": Option("list", required=True, elements="str", help="program and arguments; no shell reads them"),
        "timeout": Option("duration", default=10.0, help="after which the program is stopped"),
    },
    {
        "rc": "exit status",
        "stdout": "first 64 KiB of its output",
        "stderr": "first 64 KiB of its error output",
        "json": "parsed output where it is JSON, else null",
    },
    {"rc": 0},
    help="Runs a program. It must not change anything, and it does not run in check mode.",
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: timeout, output
    :raises CannotSee: check_mode, or the program is not there
    """
    program = options["argv"][0]
    if ctx.check_mode:
        raise CannotSee("a command does not run in check mode", "check_mode")
    if ctx.run is None:
        raise CannotSee("programs cannot be run here", "unsupported")
    try:
        rc, out, err = ctx.run(list(options["argv"]), options["timeout"])
    except CommandMissing as exc:
        raise shortage(program, exc) or CannotSee(f"{program} is not installed or may not be run by this user", "unsupported") from exc
    except CommandTimeout as exc:
        raise ProbeFailure("timeout", f"{program} did not end within {options['timeout']:g} s") from exc
    except CommandFlood as exc:
        raise ProbeFailure("output", str(exc)) from exc
    return {"rc": rc, "stdout": _cut(out), "stderr": _cut(err), "json": read_json(out) if len(out) <= _LONGEST * 16 else None}


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= _LONGEST else data[:_LONGEST].decode("utf-8", "ignore")
