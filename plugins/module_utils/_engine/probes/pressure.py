# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long tasks wait for what this host has too little of (pressure stall information, accounting/psi.rst of Linux)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeSpec

PRESSURE = "/proc/pressure"
_LINE = re.compile(r"^(some|full)((?: \w+=\d+(?:\.\d+)?)+)", re.MULTILINE)

SPEC = ProbeSpec(
    "pressure",
    {"over": Option("str", default="60s", choices=("10s", "60s", "300s"), help="the time over which the kernel takes the average")},
    {
        "cpu_percent": "time in which a task that could run waited for a core",
        "memory_percent": "time in which a task waited for memory: for pages that were swapped out, dropped, or had to be freed first",
        "memory_full_percent": "time in which all that could run did, so that nothing was done",
        "io_percent": "time in which a task waited for a disk",
        "io_full_percent": "time in which all that could run did",
    },
    {"cpu_percent": "< 90", "memory_full_percent": "< 20", "io_full_percent": "< 50"},
    help="What load averages only hint at: percent of the time that is lost for want of cores, memory and disks. Of the whole host, also when asked "
    "in a container. Kernels know it from Linux 4.20 on; some need psi=1 on their command line.",
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: the kernel does not tell
    """
    found = {name: read_pressure(name) for name in ("cpu", "memory", "io")}
    if not any(found.values()):
        sentence = "pressure cannot be seen: this kernel does not measure it; Linux 4.20 or newer does, with psi=1 on its command line"
        raise CannotSee(sentence, "unsupported")
    key = f"avg{options['over'][:-1]}"
    return {
        "cpu_percent": found["cpu"].get(f"some.{key}"),
        "memory_percent": found["memory"].get(f"some.{key}"),
        "memory_full_percent": found["memory"].get(f"full.{key}"),
        "io_percent": found["io"].get(f"some.{key}"),
        "io_full_percent": found["io"].get(f"full.{key}"),
    }


def read_pressure(name: str, folder: str = PRESSURE) -> dict[str, float]:
    """Numbers of cpu, memory or io such as ``some.avg10`` (percent) and ``full.total`` (microseconds); nothing where the kernel does not tell."""
    try:
        with open(f"{folder}/{name}", encoding="ascii", errors="replace") as source:
            text = source.read(4096)
    except OSError:
        return {}
    found: dict[str, float] = {}
    for kind, values in _LINE.findall(text):
        found.update((f"{kind}.{key}", float(value)) for key, _equals, value in (item.partition("=") for item in values.split()))
    return found
