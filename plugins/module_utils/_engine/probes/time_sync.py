# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the clock is kept by something."""

from __future__ import annotations

import ctypes
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import run_program

_UNSYNCHRONIZED = 0x0040  # STA_UNSYNC
_NANOSECONDS = 0x2000  # STA_NANO
_CLOCK_ERROR = 5  # TIME_ERROR
_TIMEOUT = 5.0

SPEC = ProbeSpec(
    "time_sync",
    {},
    {
        "synchronized": "whether a time service keeps the clock",
        "offset_ms": "how far the clock is off, ahead or behind, as the time service knows it; null where it does not tell",
        "max_error_ms": "the most by which it can be off; null where the kernel does not tell",
        "source": "who was asked: kernel, chrony or timedatectl",
    },
    {"synchronized": True},
    help="Asks the kernel. An expectation on offset_ms asks chrony too, where it runs; the check fails while chrony has no server to follow.",
)


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2)."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 64),  # more than the kernel writes
    ]


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: clock, chrony runs and follows nobody
    :raises CannotSee: neither the kernel nor timedatectl tells, nor chrony where it is asked
    """
    offset = _by_chrony(ctx) if "offset_ms" in ctx.wanted and ctx.run is not None else None
    try:
        seen = _by_kernel() or _by_timedatectl(ctx)
    except CannotSee:
        if offset is None:
            raise
        seen = {"synchronized": True, "max_error_ms": None}
    return seen if offset is None else dict(seen, offset_ms=offset, source="chrony")


def _by_kernel() -> dict[str, t.Any] | None:
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    asked = _Timex()
    state = adjtimex(ctypes.byref(asked))
    if state < 0:
        return None
    unit = 1e6 if asked.status & _NANOSECONDS else 1e3
    kept = not asked.status & _UNSYNCHRONIZED and state != _CLOCK_ERROR
    return {
        "synchronized": kept,
        "offset_ms": round(abs(asked.offset) / unit, 6) if kept else None,
        "max_error_ms": round(asked.maxerror / 1e3, 3) if kept else None,
        "source": "kernel",
    }


def _by_timedatectl(ctx: Context) -> dict[str, t.Any]:
    try:
        rc, out, _err = run_program(ctx, ["timedatectl", "show", "--property=NTPSynchronized", "--value"], _TIMEOUT)
    except CannotSee as exc:
        raise CannotSee(f"the state of the clock cannot be seen: the kernel does not tell, and {exc.sentence}", exc.reason) from exc
    answer = out.strip()
    if rc != 0 or answer not in ("yes", "no"):
        raise CannotSee("the state of the clock cannot be seen: neither the kernel nor timedatectl tells", "unsupported")
    return {"synchronized": answer == "yes", "offset_ms": None, "max_error_ms": None, "source": "timedatectl"}


def _by_chrony(ctx: Context) -> float | None:
    """Milliseconds that chrony itself knows; the kernel sees little of them (chronyc(1), tracking). None where it does not run."""
    try:
        rc, out, _err = run_program(ctx, ["chronyc", "-c", "tracking"], _TIMEOUT)
        fields = out.strip().split(",")
        offset = round(abs(float(fields[4])) * 1000, 6)
    except (CannotSee, ValueError, IndexError):
        return None
    if rc != 0:
        return None
    if fields[-1] == "Not synchronised":  # then the offset is 0, which means nothing
        seen = {"synchronized": False, "offset_ms": None, "max_error_ms": None, "source": "chrony"}
        raise ProbeFailure("clock", "chrony runs, but it has no time server that it can follow", seen)
    return offset
