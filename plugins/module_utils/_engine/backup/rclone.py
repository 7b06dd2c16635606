# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory at a remote of rclone (https://rclone.org), in terms of a few of its commands.

What may be secret goes to rclone in its environment, never on its command line, which everybody on the host can read.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of

Run = t.Callable[..., t.Tuple[int, str, str]]
# rclone's exit codes (https://rclone.org/docs/#exit-code): 3 no such directory, 7 it is no use to try again
_NO_DIRECTORY, _FATAL = 3, 7
_MISTAKES = ("didn't find section in config file", "unknown flag", "invalid argument", "couldn't decrypt configuration")
_NOISE = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:ERROR|CRITICAL|Failed to \w+)\s*:?\s*|^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
_CONNECTION = re.compile(r"(:?[\w.+ -]+)((?:,[^:]*?=(?:\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|[^,:\"']*))*):(.*)", re.DOTALL)
_SETTING = re.compile(r",(\w[\w-]*)=(\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|[^,:\"']*)", re.DOTALL)
_PLAIN = re.compile(r"_(TYPE|PROVIDER|REGION|ENDPOINT|HOST|PORT|USER|URL|VENDOR|REMOTE|ACL|CLASS|SIZE|ENV_AUTH|CONCURRENCY|COMMAND)$")


class RemoteError(BackupError):
    """A remote did not do what was asked.

    :ivar useless: whether it is no use to try again
    """

    def __init__(self, sentence: str, useless: bool = False) -> None:
        super().__init__(sentence)
        self.useless = useless


class Place(t.NamedTuple):
    """A directory at a remote.

    :ivar path: as rclone knows it, without secrets; :ivar config: file of rclone's configuration; :ivar env: variables for rclone
    :ivar verify: what is compared after an upload: size, hash (where the remote has any), or all that was written (download)
    :ivar attempts: how often something is tried in a run; :ivar timeout: seconds for one of rclone's runs
    :ivar recheck: seconds after which the remote is looked at though nothing is to be uploaded
    """

    path: str
    config: str | None = None
    env: t.Mapping[str, str] = {}
    verify: str = "hash"
    attempts: int = 3
    timeout: float = 3600.0
    recheck: float = 86400.0

    def secrets(self) -> set[str]:
        """What must not be shown."""
        own = {value for name, value in self.env.items() if name.startswith("RCLONE_CONFIG_") and not _PLAIN.search(name)}
        return {value for value in own if len(value) >= 4 and value not in ("true", "false")} | secrets_of(dict(self.env))


def read_place(raw: t.Any, duration: t.Callable[[t.Any], float]) -> Place:
    """The option ``remote``: a path as rclone knows it, or a mapping with it.

    :arg duration: reads a time, raises ValueError
    :raises ValueError: one sentence without secrets
    """
    given = {"path": raw} if isinstance(raw, str) else dict(raw) if isinstance(raw, t.Mapping) else {}
    known = ("path", "config", "environment", "options", "verify", "attempts", "timeout", "recheck")
    for key in given:
        if key not in known:
            raise ValueError(f"remote: there is no {key!r}; write some of {', '.join(known)}")
    path = given.get("path")
    if not isinstance(path, str) or not path.strip():
        raise ValueError("remote is no path of rclone; write one such as s3store:bucket/host, or a mapping with path")
    env = {str(key): _text(value) for key, value in _mapping(given, "environment").items()}
    env.update({f"RCLONE_{str(key).upper().replace('-', '_')}": _text(value) for key, value in _mapping(given, "options").items()})
    path, settings = _without_settings(path)
    env.update(settings)
    verify, attempts = given.get("verify") or "hash", given.get("attempts")
    if verify not in ("size", "hash", "download"):
        raise ValueError(f"remote.verify is {verify!r}; write size, hash or download")
    if attempts is not None and not (str(attempts).isdigit() and int(attempts) > 0):
        raise ValueError(f"remote.attempts is {attempts!r}, not a number above 0")
    times = {}
    for key in ("timeout", "recheck"):
        if given.get(key) is not None:
            try:
                times[key] = duration(given[key])
            except ValueError as exc:
                raise ValueError(f"remote.{key}: {exc}") from exc
    return Place(path, given.get("config"), env, verify, int(attempts or 3), **times)


def _mapping(given: t.Mapping[str, t.Any], key: str) -> t.Mapping[str, t.Any]:
    found = given.get(key) or {}
    if not isinstance(found, t.Mapping):
        raise ValueError(f"remote.{key} must be a mapping of names and values")
    return found


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without_settings(path: str) -> tuple[str, dict[str, str]]:
    """A connection string (``:s3,access_key_id=x:bucket``, ``name,key=value:path``) as a remote whose settings are in the environment."""
    if path.startswith("/"):
        return path, {}
    if ":" not in path:
        raise ValueError(f"remote {path!r} is no path of rclone; write one such as s3store:bucket/host, or an absolute path")
    match = _CONNECTION.fullmatch(path)
    if match is None or not (match.group(1).startswith(":") or match.group(2)):
        if "," in path.partition(":")[0] or path.startswith(":"):
            raise ValueError("remote.path cannot be read as a connection string of rclone; put its settings into remote.environment")
        return path, {}
    name = match.group(1)
    section = "vigil" if name.startswith(":") else name
    found = {"type": name[1:]} if name.startswith(":") else {}
    for key, value in _SETTING.findall(match.group(2)):
        quote = value[:1] if value[:1] in "\"'" else ""
        found[key] = value[1:-1].replace(quote * 2, quote) if quote else value
    prefix = f"RCLONE_CONFIG_{section.upper().replace('-', '_')}_"
    return f"{section}:{match.group(3)}", {prefix + key.upper().replace("-", "_"): value for key, value in found.items()}


class Rclone:
    """rclone at work on one place.

    :arg run: run(argv, timeout, env) -> (code, output, error output)
    """

    def __init__(self, place: Place, run: Run) -> None:
        self.place = place
        self._run = run

    def sizes(self) -> dict[str, int]:
        """Every file there with its size; none where there is no such directory.

        :raises RemoteError: it cannot be looked at
        """
        code, out, err = self._call("lsjson", "-R", "--files-only", "--no-modtime", "--no-mimetype", self.place.path)
        if code == _NO_DIRECTORY:
            return {}
        self._expect(code, err, "be looked at")
        try:
            return {str(each["Path"]): int(each["Size"]) for each in json.loads(out or "[]")}
        except (ValueError, KeyError, TypeError) as exc:
            raise RemoteError(f"rclone has listed {self.place.path} in a way that is not understood") from exc

    def upload(self, root: str, names: t.Collection[str]) -> str:
        """Copy files, whatever is there under their names; why not all of them came through, or nothing."""
        return self._files("copy", root, names, "-I", "--no-traverse", "--retries", "1", "--low-level-retries", "3")

    def same(self, root: str, names: t.Collection[str], verify: str | None = None) -> set[str]:
        """Those of the names whose files are alike here and there.

        :raises RemoteError: it cannot be looked at
        """
        how = {"size": ["--size-only"], "hash": [], "download": ["--download"]}[verify or self.place.verify]
        with _listed(names) as path, _listed(()) as report:
            code, _out, err = self._call("check", root, self.place.path, "--one-way", "--files-from-raw", path, "--match", report, *how)
            with open(report, encoding="utf-8", errors="replace") as file:
                found = set(file.read().splitlines())
        if "differences found" not in err and not found:
            self._expect(code, err, "be compared")
        return found & set(names)

    def remove(self, names: t.Collection[str]) -> None:
        """Delete files.

        :raises RemoteError: not all of them could be
        """
        with _listed(names) as path:
            code, _out, err = self._call("delete", self.place.path, "--files-from-raw", path, "--retries", "1")
        self._expect(code, err, "be cleaned up")

    def fetch(self, root: str, names: t.Collection[str]) -> str:
        """Copy files from there; why not all of them came, or nothing."""
        with _listed(names) as path:
            code, _out, err = self._call(
                "copy", self.place.path, root, "--files-from-raw", path, "--no-traverse", "--retries", "3", "--retries-sleep", "1s"
            )
        return self._why(code, err)

    def _files(self, command: str, root: str, names: t.Collection[str], *more: str) -> str:
        with _listed(names) as path:
            code, _out, err = self._call(command, root, self.place.path, "--files-from-raw", path, *more)
        return self._why(code, err)

    def _argv(self, *argv: str) -> list[str]:
        config = ["--config", self.place.config] if self.place.config else []
        return ["rclone", *argv, *config, "--ask-password=false", "--contimeout", "15s", "--timeout", "2m", "--stats", "0"]

    def _call(self, *argv: str) -> tuple[int, str, str]:
        try:
            return self._run(self._argv(*argv), self.place.timeout, dict(self.place.env))
        except CommandMissing as exc:
            raise RemoteError(f"{exc}; install rclone, which remotes need", True) from exc
        except (CommandTimeout, CommandFlood) as exc:
            raise RemoteError(str(exc)) from exc

    def _expect(self, code: int, err: str, deed: str) -> None:
        if code:
            useless = code == _FATAL or any(mistake in err for mistake in _MISTAKES)
            raise RemoteError(f"{self.place.path} cannot {deed}: {self._why(code, err)}", useless)

    def _why(self, code: int, err: str) -> str:
        """The last thing that rclone complained about, without secrets and without its time."""
        if not code:
            return ""
        lines = [line for line in err.splitlines() if line.strip() and " NOTICE: " not in line]
        errors = [line for line in lines if "ERROR" in line or "Failed to" in line or "CRITICAL" in line] or lines
        own = [line for line in errors if not re.search(r"Attempt \d+/\d+|with \d+ errors? and|\d+ differences found", line)]
        text = _NOISE.sub("", (own or errors or [f"rclone ended with code {code}"])[-1]).strip()
        return str(mask(text[:500], self.place.secrets()))


class _listed:
    """A file with names, for rclone to read."""

    def __init__(self, names: t.Collection[str]) -> None:
        handle, self._path = tempfile.mkstemp()
        with os.fdopen(handle, "w") as file:
            file.write("".join(f"{name}\n" for name in sorted(names)))

    def __enter__(self) -> str:
        return self._path

    def __exit__(self, *unused: t.Any) -> None:
        os.unlink(self._path)
