# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of restic (https://restic.net), driven through its JSON. Works with restic 0.14, which does less than newer ones.

Passwords and the address of the repository, which may hold one, go to restic in its environment, never on its command line.
"""

from __future__ import annotations

import calendar
import json
import re
import tempfile
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of

Run = t.Callable[..., t.Tuple[int, str, str]]
Stream = t.Callable[..., t.Tuple[int, str]]
Node = t.Dict[str, t.Any]
_NONE_THERE = ("Is there a repository at the following location", "unable to open config file", "config file does not exist")
_LOCKED = ("unable to create lock in backend", "repository is already locked")
_PAUSE, _INCOMPLETE = 2.0, 3


class Vault(t.NamedTuple):
    """A repository of restic.

    :ivar env: variables for restic, with its address and password; :ivar timeout: seconds for one run of restic
    """

    address: str
    env: t.Mapping[str, str]
    timeout: float = 6 * 3600.0

    def secrets(self) -> set[str]:
        """What must not be shown."""
        plain = ("RESTIC_REPOSITORY", "RESTIC_PASSWORD_FILE", "RESTIC_CACHE_DIR")
        return {value for name, value in self.env.items() if name not in plain and len(value) >= 4} | secrets_of([self.address])


def read_vault(address: str, raw: t.Any) -> Vault:
    """The options ``repository`` and ``restic``.

    :raises ValueError: one sentence without secrets
    """
    given = raw if isinstance(raw, t.Mapping) else {}
    known = ("password", "password_file", "environment")
    for key in given:
        if key not in known:
            raise ValueError(f"restic: there is no {key!r}; write some of {', '.join(known)}")
    extra = given.get("environment") or {}
    if not isinstance(extra, t.Mapping):
        raise ValueError("restic.environment must be a mapping of names and values")
    env = {str(key): str(value) for key, value in extra.items()}
    env["RESTIC_REPOSITORY"] = address
    if bool(given.get("password")) + bool(given.get("password_file")) + ("RESTIC_PASSWORD" in env or "RESTIC_PASSWORD_COMMAND" in env) != 1:
        raise ValueError("restic needs one of password and password_file")
    if given.get("password"):
        env["RESTIC_PASSWORD"] = str(given["password"])
    if given.get("password_file"):
        env["RESTIC_PASSWORD_FILE"] = str(given["password_file"])
    return Vault(address, env)


class Snapshot(t.NamedTuple):
    """A snapshot: its id, when it was taken (seconds since 1970), its name among ours, host and paths."""

    id: str
    at: float
    name: str
    host: str
    paths: tuple[str, ...]


class Restic:
    """restic at work on one repository.

    :arg run: run(argv, timeout, env) -> (code, output, error output); :arg stream: stream(argv, file, timeout, env) -> (code, error output)
    :arg patience: seconds to wait for others who have locked the repository; :arg pause: waits
    """

    def __init__(
        self, vault: Vault, run: Run, stream: Stream, patience: float = 0.0, pause: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._vault, self._run, self._stream = vault, run, stream
        self._patience, self._pause = patience, pause

    def exists(self) -> bool:
        """Whether there is a repository.

        :raises BackupError: it cannot be looked at, as with a wrong password
        """
        code, _out, err = self._call("cat", "config")
        if code and any(words in err for words in _NONE_THERE):
            return False
        self._expect(code, err)
        return True

    def create(self) -> None:
        """Make one."""
        code, _out, err = self._call("init")
        self._expect(code, err)

    def snapshots(self, name: str | None = None) -> list[Snapshot]:
        """Those of a name, or all of them, oldest first."""
        code, out, err = self._call("snapshots", *(() if name is None else ("--tag", name)))
        self._expect(code, err)
        found = [
            Snapshot(
                str(row["id"]),
                moment(str(row["time"])),
                str((row.get("tags") or [""])[0]),
                str(row.get("hostname")),
                tuple(row.get("paths") or ()),
            )
            for row in self._json(out) or ()
        ]
        return sorted(found, key=lambda each: each.at)

    def backup(self, argv: t.Sequence[str], dry: bool = False) -> tuple[dict[str, t.Any], list[str]]:
        """Take a snapshot: (restic's summary, sentences of what could not be read)."""
        code, out, err = self._call("backup", *(["--dry-run"] if dry else []), *argv)
        if code != _INCOMPLETE:
            self._expect(code, err)
        summary = [row for row in self._lines(out.splitlines()) if row.get("message_type") == "summary"]
        if not summary:
            raise BackupError("restic did not say what it has done")
        return summary[-1], _problems(err)

    def items(self, argv: t.Sequence[str]) -> dict[str, str]:
        """path -> new, modified, changed or unchanged, of what a backup would look at."""
        rows = self._rows("backup", "--dry-run", "-vv", *argv)
        return {str(row["item"]).rstrip("/") or "/": str(row.get("action")) for row in rows if row.get("message_type") == "verbose_status"}

    def nodes(self, snapshot: str) -> dict[str, Node]:
        """path -> what it is, of a snapshot."""
        return {str(row["path"]): row for row in self._rows("ls", snapshot) if row.get("struct_type") == "node"}

    def changes(self, before: str, after: str) -> dict[str, str]:
        """path -> + - M (content) T (type) U (metadata alone), between two snapshots."""
        rows = self._rows("diff", "--metadata", before, after)
        return {str(row["path"]).rstrip("/") or "/": str(row["modifier"]) for row in rows if row.get("message_type") == "change"}

    def forget(self, argv: t.Sequence[str], dry: bool = False) -> list[str]:
        """Remove snapshots by restic's rules; ids of those that go."""
        code, out, err = self._call("forget", *argv, *(["--dry-run"] if dry else []))
        self._expect(code, err)
        # with --prune there are lines of another kind behind the JSON
        groups = next((found for found in (self._maybe(line) for line in out.splitlines()) if isinstance(found, list)), [])
        return [str(row["id"]) for group in groups for row in group.get("remove") or ()]

    def check(self, full: bool) -> list[str]:
        """What is wrong with the repository, as sentences."""
        code, out, err = self._call("check", *(["--read-data"] if full else []), plain=True)
        if not code:
            return []
        lines = [
            line.strip()
            for line in (out + "\n" + err).splitlines()
            if re.search(r"error|damaged|not found|invalid|missing|Fatal", line, re.I)
        ]
        return [self._masked(line) for line in lines[:100] if "no errors were found" not in line] or [self._why(code, err)]

    def restore(self, snapshot: str, target: str, include: t.Sequence[str]) -> None:
        """Write paths of a snapshot below a directory."""
        code, _out, err = self._call(
            "restore", snapshot, "--target", target, *(part for path in include for part in ("--include", literal(path)))
        )
        self._expect(code, err)

    def _rows(self, *argv: str) -> list[dict[str, t.Any]]:
        """The lines of an output that may be large."""
        with tempfile.TemporaryFile() as file:
            try:
                code, err = self._stream(["restic", "--json", *argv], file, self._vault.timeout, dict(self._vault.env))
            except (CommandMissing, CommandTimeout) as exc:
                raise BackupError(str(exc)) from exc
            if code != _INCOMPLETE:
                self._expect(code, err)
            file.seek(0)
            return list(self._lines(line.decode("utf-8", "replace") for line in file))

    def _call(self, *argv: str, plain: bool = False) -> tuple[int, str, str]:
        until = time.monotonic() + self._patience
        while True:
            try:
                command = ["restic", *([] if plain else ["--json"]), *argv]
                code, out, err = self._run(command, self._vault.timeout, dict(self._vault.env))
            except CommandMissing as exc:
                raise BackupError(f"{exc}; install restic, which this engine drives") from exc
            except (CommandTimeout, CommandFlood) as exc:
                raise BackupError(str(exc)) from exc
            if not code or not any(words in err for words in _LOCKED):
                return code, out, err
            # what a process that died has left is removed, the locks of others are not
            self._run(["restic", "unlock"], self._vault.timeout, dict(self._vault.env))
            if time.monotonic() >= until:
                return code, out, err
            self._pause(_PAUSE)

    def _expect(self, code: int, err: str) -> None:
        if code:
            raise BackupError(self._why(code, err))

    def _why(self, code: int, err: str) -> str:
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith("Fatal:")] or lines[:1]
        return self._masked("restic: " + (fatal[0].replace("Fatal: ", "")[:400] if fatal else f"it ended with code {code}"))

    def _masked(self, text: str) -> str:
        return str(mask(text, self._vault.secrets()))

    def _json(self, text: str) -> t.Any:
        try:
            return json.loads(text)
        except ValueError as exc:
            raise BackupError("restic has answered in a way that is not understood") from exc

    def _maybe(self, line: str) -> t.Any:
        try:
            return json.loads(line)
        except ValueError:
            return None

    def _lines(self, lines: t.Iterable[str]) -> t.Iterator[dict[str, t.Any]]:
        return (found for found in (self._maybe(line) for line in lines) if isinstance(found, dict))


def moment(text: str) -> float:
    """Seconds since 1970 of restic's times, as ``2026-11-21T20:23:52.98855071Z`` or with ``+02:00``."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return 0.0
    zone = match.group(3)
    offset = 0 if zone == "Z" else (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * (-1 if zone[0] == "-" else 1)
    return calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")) - offset + float(f"0{match.group(2) or '.0'}")


def literal(path: str) -> str:
    """A path as a pattern that fits nothing else."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", path)


def _problems(err: str) -> list[str]:
    found = []
    for line in err.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            if line.endswith("does not exist, skipping"):
                found.append(line.replace(", skipping", ""))
            continue
        if isinstance(row, dict) and row.get("message_type") == "error":
            error = row.get("error")
            why = error.get("message") or error.get("Err") if isinstance(error, dict) else error
            found.append(f"{row.get('item')} cannot be read: {why if isinstance(why, str) else 'restic says no more'}")
    return found
