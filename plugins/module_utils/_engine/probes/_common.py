# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several probes share: turning network errors into failures, and JSON that may or may not be there."""

from __future__ import annotations

import errno
import json
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import (
    CannotSee,
    CommandMissing,
    CommandTimeout,
    Context,
    ProbeFailure,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError


def failure(exc: NetError, observed: dict[str, t.Any] | None = None, where: str = "") -> ProbeFailure:
    """A network error as the failure of a probe.

    :arg where: put in front of the sentence, unless that names it already
    """
    return ProbeFailure(exc.reason, exc.sentence if not where or where in exc.sentence else f"{where}: {exc.sentence}", observed)


def milliseconds(begin: float, end: float | None = None) -> float:
    """From one time.monotonic() to another, or to now."""
    return round(((time.monotonic() if end is None else end) - begin) * 1000, 3)


def read_json(text: str) -> t.Any:
    """The value of a text that looks like JSON, else None."""
    text = text.lstrip("\ufeff \t\r\n")
    if text[:1] not in _JSON_BEGINS:
        return None
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


_JSON_BEGINS = ("{", "[", '"', "-", *"0123456789tfn")


def _refuse(word: str) -> t.Any:
    """NaN and Infinity are not JSON."""
    raise ValueError(word)


def _whole(digits: str) -> int:
    """A number of a million digits would keep the interpreter busy for long."""
    if len(digits) > 300:
        raise ValueError("too many digits")
    return int(digits)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=_whole)


def shortage(program: str, exc: CommandMissing) -> CannotSee | None:
    """What is to be said of a program that was not started for want of something that every program needs; None where it is not there."""
    cause = exc.__cause__
    if not isinstance(cause, OSError) or cause.errno not in _SHORT:
        return None
    return CannotSee(f"{program} cannot be started: {_SHORT[cause.errno]}", "unseen")


_SHORT = {
    errno.EMFILE: "this user has too many open files",
    errno.ENFILE: "this host has too many open files",
    errno.EAGAIN: "the limit on processes of this user, or of this host, is reached",
    errno.ENOMEM: "there is no memory left",
}


def run_program(ctx: Context, argv: list[str], timeout: float) -> tuple[int, str, str]:
    """Run a program that a probe relies on.

    :raises CannotSee: it cannot be run, is not installed, or did not end
    """
    if ctx.run is None:
        raise CannotSee(f"{argv[0]} cannot be run here", "unsupported")
    try:
        return ctx.run(argv, timeout)
    except CommandMissing as exc:
        raise shortage(argv[0], exc) or CannotSee(f"{argv[0]} is not installed", "unsupported") from exc
    except CommandTimeout as exc:
        raise CannotSee(f"{argv[0]} did not end within {timeout:g} s", "timeout") from exc
