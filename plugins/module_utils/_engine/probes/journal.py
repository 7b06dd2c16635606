# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad messages in the journal of systemd."""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, CommandFlood, Context, Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import run_program

_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@*?\[\]][A-Za-z0-9:_.\\@*?\[\]-]{0,254}")
_MOST = 1000
_LONGEST = 300
_MOST_POSITIONS = 100
_LOCK = threading.Lock()
_CURSOR = re.compile(r"[A-Za-z0-9=;]{1,500}")
_FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER"


def _complete(options: dict[str, t.Any]) -> None:
    if options["unit"] is not None and not _UNIT.fullmatch(options["unit"]):
        raise ValueError(f"journal.unit: {options['unit']!r} is not the name of a unit; write one such as nginx or app-*.service")


SPEC = ProbeSpec(
    "journal",
    {
        "since": Option("period", default=3600.0, help="how far to look back"),
        "since_last": Option(
            "bool",
            default=False,
            help="only what came since the last run, where that is known from history_url or state_url; else since counts",
        ),
        "priority": Option("str", default="err", choices=_PRIORITIES, help="messages of this priority and of worse ones"),
        "unit": Option("str", help="only of this unit; a pattern such as app-*.service is possible"),
        "timeout": Option("duration", default=20.0, help="how long journalctl may take"),
    },
    {
        "errors": f"how many such messages there are; {_MOST} when there are as many or more",
        "last": "the last of them, without what looks like a secret, up to 300 characters; null where there is none",
        "last_unit": "unit or program that wrote it",
        "last_age_seconds": "seconds since then",
        "units": "number of messages of each unit or program, the ten busiest",
        "since_last": "whether that is what came since the last run",
    },
    {"errors": "< 10"},
    help="Asks journalctl, for which a user must be root or a member of the group systemd-journal.",
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises CannotSee: there is no journal, nothing in it, or this user sees only its own messages
    """
    last = _position(ctx.past.get(SPEC.name), _key(options)) if options["since_last"] else None
    # the end of the journal before it is asked: what comes meanwhile is in this answer, or else in that of the next run
    end = _read(["--lines=1"], options, ctx) if options["since_last"] else []
    entries = None if last is None else _read_after(last, options, ctx)
    since_last = entries is not None
    if entries is None:
        # in reverse, as older ones of journalctl take the first so many instead of the last ones
        since = f"--since=@{int(time.time() - options['since'])}"
        entries = _read([f"--lines={_MOST}", "--reverse", since, *_filters(options)], options, ctx)[::-1]
    if not entries and not end and not _read(["--lines=1"], options, ctx):
        raise CannotSee("the journal is empty, so nobody knows of errors; see that systemd-journald runs and may keep messages", "unseen")
    if options["since_last"]:
        _leave(ctx, _key(options), entries if 0 < len(entries) < _MOST else end)
    return dict(_summary(entries), since_last=since_last)


def _filters(options: dict[str, t.Any]) -> list[str]:
    return [f"--priority={options['priority']}", *([f"--unit={options['unit']}"] if options["unit"] else [])]


def _key(options: dict[str, t.Any]) -> str:
    return " ".join(_filters(options))


def _position(row: t.Any, key: str) -> str | None:
    """Where the last run stopped reading; None where it is not known."""
    cursor = _look_of(row).get(key)
    return cursor if isinstance(cursor, str) and _CURSOR.fullmatch(cursor) else None


def _look_of(row: t.Any) -> dict[str, t.Any]:
    look = row.get("look") if isinstance(row, dict) else None
    return look if isinstance(look, dict) else {}


def _read_after(cursor: str, options: dict[str, t.Any], ctx: Context) -> list[dict[str, t.Any]] | None:
    """What came after a position; None where that is none of this journal.

    Not by --after-cursor: with filters it leaves out one too many in systemd 252, when they do not fit the message at the position.
    """
    try:
        entries = _read([f"--lines={_MOST + 1}", f"--cursor={cursor}", *_filters(options)], options, ctx)
    except CannotSee as exc:
        if exc.reason != "unseen":
            raise
        return None
    return (entries[1:] if entries and entries[0].get("__CURSOR") == cursor else entries)[:_MOST]


def _leave(ctx: Context, key: str, entries: list[dict[str, t.Any]]) -> None:
    cursor = entries[-1].get("__CURSOR") if entries else None
    if ctx.left is None or not isinstance(cursor, str):
        return
    with _LOCK:
        look = _look_of(ctx.left.get(SPEC.name) or ctx.past.get(SPEC.name))
        kept = {other: look[other] for other in list(look)[-_MOST_POSITIONS:] if other != key}
        ctx.left[SPEC.name] = {"look": {**kept, key: cursor}}


def _read(words: list[str], options: dict[str, t.Any], ctx: Context) -> list[dict[str, t.Any]]:
    argv = ["journalctl", "--no-pager", "--output=json", f"--output-fields={_FIELDS}", *words]
    try:
        rc, out, err = run_program(ctx, argv, options["timeout"])
    except CannotSee as exc:
        needed = " (systemd is needed)" if exc.reason == "unsupported" else ""
        raise CannotSee(f"the journal cannot be seen: {exc.sentence}{needed}", exc.reason) from exc
    except CommandFlood as exc:
        raise CannotSee(f"the journal cannot be seen: {exc}; look at a shorter time or one unit", "unseen") from exc
    said = " ".join(err.split())
    if "not seeing messages" in said or "insufficient permissions" in said.lower():
        raise CannotSee("this user sees only its own messages; run with become, or add it to the group systemd-journal", "permission")
    if "No journal files were found" in said or rc != 0:
        raise CannotSee(
            f"the journal cannot be seen: {said[:200] or f'journalctl ended with {rc}'}", "unsupported" if rc == 0 else "unseen"
        )
    return [entry for entry in map(_entry, out.splitlines()) if entry is not None]


def _entry(line: str) -> dict[str, t.Any] | None:
    try:
        found = json.loads(line) if line.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _summary(entries: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    units: dict[str, int] = {}
    for entry in entries:
        units[_source(entry)] = units.get(_source(entry), 0) + 1
    busiest = sorted(units.items(), key=lambda item: (-item[1], item[0]))[:10]
    seen: dict[str, t.Any] = {"errors": len(entries), "last": None, "last_unit": None, "last_age_seconds": None, "units": dict(busiest)}
    if entries:
        moment = str(entries[-1].get("__REALTIME_TIMESTAMP", ""))
        seen["last"] = _message(entries[-1].get("MESSAGE"))
        seen["last_unit"] = _source(entries[-1])
        seen["last_age_seconds"] = round(max(0.0, time.time() - int(moment) / 1e6), 1) if moment.isdigit() else None
    return seen


def _source(entry: dict[str, t.Any]) -> str:
    for key in ("_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER"):
        if isinstance(entry.get(key), str):
            return str(entry[key])[:100]
    return "kernel"


def _message(value: t.Any) -> str:
    """Text is text; other bytes come as a list of numbers, and what is too long as null (journal export formats)."""
    if isinstance(value, list) and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        value = bytes(value).decode("utf-8", "replace")
    text = " ".join(value.split()) if isinstance(value, str) else "(a message that is no text, or too long)"
    text = "".join(char if char.isprintable() else "?" for char in text[: _LONGEST * 10])
    text = str(mask(text, secrets_of(text)))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
