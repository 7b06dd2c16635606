# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs around a backup: hooks before and after it, and those whose output becomes a file of the snapshot."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import MASK, mask, secrets_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration

FOLDER = "/.streams"  # where streams lie in a snapshot
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]*(?:/[A-Za-z0-9_][A-Za-z0-9._ -]*)*")
_TELLING = re.compile(r"PWD|PASS", re.IGNORECASE)
_HOOK, _STREAM = 600.0, 3600.0  # seconds that they may take
Run = t.Callable[..., t.Tuple[int, str, str]]
Stream = t.Callable[..., t.Tuple[int, str]]


class Program(t.NamedTuple):
    """A program to run; ``name`` is that of its stream."""

    argv: tuple[str, ...]
    timeout: float
    env: dict[str, str]
    name: str = ""

    def secrets(self) -> set[str]:
        """What must not be shown of it."""
        return secrets_of([list(self.argv), self.env]) | {
            value for name, value in self.env.items() if _TELLING.search(name) and len(value) >= 4
        }


class Programs(t.NamedTuple):
    """All programs of a backup."""

    before: tuple[Program, ...] = ()
    after: tuple[Program, ...] = ()
    streams: tuple[Program, ...] = ()

    def secrets(self) -> set[str]:
        """What must not be shown of them."""
        return set().union(*(program.secrets() for program in [*self.before, *self.after, *self.streams]))


def read_programs(params: t.Mapping[str, t.Any]) -> Programs:
    """The options ``before``, ``after`` and ``stdin_from``.

    :raises ValueError: one sentence
    """
    streams = tuple(
        _program(f"stdin_from, entry {number}", raw, _STREAM, True) for number, raw in enumerate(params.get("stdin_from") or (), 1)
    )
    names = [program.name for program in streams]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"stdin_from: there are two streams of the name {name!r}")
        if any(other.startswith(name + "/") for other in names):
            raise ValueError(f"stdin_from: {name!r} cannot be a file and a directory")
    return Programs(_hooks("before", params), _hooks("after", params), streams)


def conceal(params: dict[str, t.Any]) -> None:
    """Take out of the options what may be secret, before they are echoed. What was read of them stays."""
    for key in ("remote", "restic", "before", "after", "stdin_from"):
        if params.get(key):
            params[key] = _concealed(params[key])


def _concealed(value: t.Any) -> t.Any:
    if isinstance(value, t.Mapping):
        hidden = {name: MASK if isinstance(item, str) else dict.fromkeys(item, MASK) if isinstance(item, t.Mapping) else item
                  for name, item in value.items() if name in ("password", "environment", "options")}  # fmt: skip
        return {name: hidden.get(name, _concealed(item)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_concealed(item) for item in value]
    # a connection string of rclone may hold settings
    return MASK if isinstance(value, str) and re.match(r":?[\w.+ -]+,[^/]*=", value) else value


def _hooks(key: str, params: t.Mapping[str, t.Any]) -> tuple[Program, ...]:
    given = params.get(key) or []
    if given and all(isinstance(part, str) for part in given):
        given = [given]  # one program
    return tuple(_program(f"{key}, entry {number}", raw, _HOOK) for number, raw in enumerate(given, 1))


def _program(where: str, raw: t.Any, timeout: float, named: bool = False) -> Program:
    given = dict(raw) if isinstance(raw, t.Mapping) else {"argv": raw}
    known = ("argv", "timeout", "environment", *(("name",) if named else ()))
    for key in given:
        if key not in known:
            raise ValueError(f"{where}: there is no {key!r}; write some of {', '.join(known)}")
    argv, env, name = given.get("argv"), given.get("environment") or {}, given.get("name") or ""
    if not isinstance(argv, (list, tuple)) or not argv or any(isinstance(part, (list, tuple, dict)) or part is None for part in argv):
        raise ValueError(f"{where}: argv must be a program and its arguments, as a list")
    if not isinstance(env, t.Mapping):
        raise ValueError(f"{where}: environment must be a mapping of names and values")
    if named and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError(f"{where}: name is {name!r}; write the name of a file, such as shop.sql")
    if given.get("timeout") is not None:
        try:
            timeout = parse_duration(given["timeout"])
        except ValueError as exc:
            raise ValueError(f"{where}: timeout: {exc}") from exc
    return Program(tuple(str(part) for part in argv), timeout, {str(key): str(value) for key, value in env.items()}, str(name))


def run_before(programs: t.Sequence[Program], run: Run) -> None:
    """Run hooks until one fails.

    :raises BackupError: one failed
    """
    for program in programs:
        why = _run(program, run)
        if why:
            raise BackupError(f"before: {why}")


def run_after(programs: t.Sequence[Program], run: Run) -> list[str]:
    """Run all hooks; the sentences of those that failed."""
    return [f"after: {why}" for why in (_run(program, run) for program in programs) if why]


def _run(program: Program, run: Run) -> str:
    try:
        code, _out, err = run(program.argv, program.timeout, program.env)
    except (CommandMissing, CommandTimeout, CommandFlood) as exc:
        return _plain(program, str(exc))
    return _plain(program, _ended(program, code, err)) if code else ""


def spool(programs: t.Sequence[Program], scratch: str, stream: Stream) -> tuple[dict[str, str | None], list[dict[str, t.Any]]]:
    """Run the programs whose output is kept, into files of a directory.

    :return: (path in the snapshot -> file, None for what is not whole; ``[{name, path, status, bytes, message}]``, status ``ok`` or ``torn``)
    :raises BackupError: the directory cannot be written
    """
    places: dict[str, str | None] = {}
    told = []
    for number, program in enumerate(programs):
        place = os.path.join(scratch, f"stream{number}.{os.getpid()}")
        try:
            with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                code, err = stream(program.argv, file, program.timeout, program.env)
            why = _ended(program, code, err) if code else ""
        except (CommandMissing, CommandTimeout) as exc:
            why = str(exc)
        except OSError as exc:
            why = f"its output cannot be kept: {os.strerror(exc.errno or 0).lower()}"
        size = os.path.getsize(place) if os.path.exists(place) else 0
        if why and os.path.exists(place):
            os.unlink(place)
        places[path_of(program)] = None if why else place
        told.append(_told(program, "torn" if why else "ok", size, _plain(program, why)))
    return places, told


def skipped(programs: t.Sequence[Program]) -> tuple[dict[str, str | None], list[dict[str, t.Any]]]:
    """What :func:`spool` returns where nothing is run."""
    return {path_of(program): None for program in programs}, [_told(program, "skipped", 0, "") for program in programs]


def path_of(program: Program) -> str:
    """The path of a stream in its snapshot."""
    return f"{FOLDER}/{program.name}"


def _told(program: Program, status: str, size: int, message: str) -> dict[str, t.Any]:
    return {"name": program.name, "path": path_of(program), "status": status, "bytes": size, "message": message}


def _ended(program: Program, code: int, err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{program.argv[0]} {how}" + (f": {lines[-1][:300]}" if lines else "")


def _plain(program: Program, text: str) -> str:
    return str(mask(text, program.secrets()))
