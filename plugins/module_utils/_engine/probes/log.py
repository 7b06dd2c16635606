# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad lines at the end of a log: one look that remembers nothing."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import ONCE, Scanner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.spec import SpecError, read_rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.stamps import time_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.watchdog import Watchdog
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._guard import Guard, GuardLost, GuardTimeout

_LONGEST = 300


def _complete(options: dict[str, t.Any]) -> None:
    try:
        _rule(options)
    except SpecError as exc:
        raise ValueError(str(exc).replace('rule "log"', "log")) from exc


def _rule(options: dict[str, t.Any]) -> t.Any:
    keys = ("keyword", "regex", "json", "exclude", "ignore_case")
    return read_rules([{"name": "log", **{key: options[key] for key in keys if options[key] not in (None, [])}}])


SPEC = ProbeSpec(
    "log",
    {
        "path": Option("path", required=True, help="the file"),
        "keyword": Option("any", help="a text, or a list of texts of which one must be in the line"),
        "regex": Option("regex", help="regular expression that must match somewhere in the line"),
        "json": Option("dict", help="conditions on the JSON object in the line, such as {level: error}"),
        "exclude": Option("any", help="regular expressions of lines that do not count"),
        "ignore_case": Option("bool", default=False, help="take upper and lower case as the same"),
        "since": Option(
            "period",
            default=3600.0,
            help="lines whose own time is longer ago do not count; a line without a time has that of the one before",
        ),
        "max_bytes": Option("size", default=10 * 1024 * 1024, help="how much of the end of the file is looked at"),
        "timeout": Option("duration", default=10.0, help="how long everything may take"),
    },
    {
        "matches": "how many such lines there are",
        "lines": "how many lines were looked at",
        "last": "the last of them, without what looks like a secret, up to 300 characters; null where there is none",
        "size": "bytes of the file",
        "age_seconds": "seconds since something was written to it",
    },
    {"matches": 0},
    one_of=(("keyword", "regex", "json"),),
    complete=_complete,
    help="Looks at the end of one file and remembers nothing. What must not miss a line, or counts over runs and rotations, is vigil.ops.log_scan.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started.

    :raises CannotSee: there is no room for processes
    """
    try:
        GUARD.start()
    except GuardLost as exc:
        raise CannotSee(str(exc), "unseen") from exc


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once, in a process of its own: only there a regular expression that would go on for ever, or a dead mount, can be left behind.

    :raises ProbeFailure: not_found
    :raises CannotSee: the file cannot be read, a library is missing, an expression takes too long
    """
    path = options["path"]
    try:
        seen = GUARD.call("log", {"options": options}, options["timeout"])
    except GuardTimeout as exc:
        raise CannotSee(f"{path} was not looked through within {options['timeout']:g} s", "timeout") from exc
    except GuardLost as exc:
        raise CannotSee(f"{path} could not be looked at: {exc}", "unseen") from exc
    except FileNotFoundError as exc:
        raise ProbeFailure("not_found", f"{path} does not exist") from exc
    except PermissionError as exc:
        raise CannotSee(f"{path} cannot be read by this user; run with become", "permission") from exc
    except OSError as exc:
        raise CannotSee(f"{path} cannot be read: {os.strerror(exc.errno or 0)}") from exc
    if "reason" in seen:
        raise CannotSee(seen["sentence"], seen["reason"])
    return seen


def read_log(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """What is seen, or ``sentence`` and ``reason`` where nothing can be."""
    with open(options["path"], "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        stat = os.fstat(file.fileno())
        begin = max(0, stat.st_size - options["max_bytes"])
        file.seek(begin)
        data = file.read(options["max_bytes"])
    if begin:
        data = data[data.find(b"\n") + 1 :]
    seen = {"matches": 0, "lines": 0, "last": None, "size": stat.st_size, "age_seconds": round(max(0.0, time.time() - stat.st_mtime), 1)}
    if data:
        data += b"" if data.endswith(b"\n") else b"\n"
        try:
            seen.update(lines=data.count(b"\n"), **_look(options, data, stat.st_mtime))
        except CannotSee as exc:
            return {"sentence": exc.sentence, "reason": exc.reason}
    return seen


GUARD = Guard({"log": read_log})


def _look(options: dict[str, t.Any], data: bytes, now: float) -> dict[str, t.Any]:
    with Watchdog(ONCE, 5.0) as dog:
        scanner = Scanner(_rule(options), dog)
        hits = scanner.scan(Block(data, 0, len(data)))
    for sentence in scanner.stopped.values():
        raise CannotSee(sentence.replace("rule log", "check"), "expression")
    if scanner.slow:  # lines that were passed over may be those that count
        raise CannotSee(
            "the regular expression of the check takes too long for some lines and was stopped; write a simpler one", "expression"
        )
    earliest = time.time() - options["since"]
    wanted = [hit for hit in hits if _time_at(data, hit.start, hit.text, now) >= earliest]
    return {"matches": len(wanted), "last": _shown(wanted[-1].text) if wanted else None}


def _time_at(data: bytes, start: int, text: str, now: float) -> float:
    """The time of a line, or of the last one before it that has one; lines without any are new."""
    for _line in range(50):
        found = time_of(text, now)
        if found is not None:
            return found
        if start == 0:
            break
        before = data.rfind(b"\n", 0, start - 1) + 1
        text, start = data[before : start - 1].decode("utf-8", "replace"), before
    return now


def _shown(text: str) -> str:
    text = str(mask(text[: _LONGEST * 10], secrets_of(text[: _LONGEST * 10])))
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
