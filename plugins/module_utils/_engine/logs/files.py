# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files a pattern means. Directories that are links are not entered by a ``**``, so that a loop of links ends."""

from __future__ import annotations

import fnmatch
import os
import re
import typing as t

_MAGIC = re.compile(r"[*?\[]")
MOST = 100_000
PACKED = (".gz", ".bz2", ".xz")
# What stands in place of a rotation in names: numbers and dates, app.log.1, app.log-20261121.gz, app-2026-11-21.0.log, app.log.old
_MARK = r"(?:[.\-_](?:[0-9][0-9.\-_T:]*|old|bak))"
_PACK = r"(?:\.gz|\.bz2|\.xz)?"


class Place(t.NamedTuple):
    """A file that a pattern means, as it is now."""

    path: str
    stat: os.stat_result


class Trouble(t.NamedTuple):
    """What cannot be read, and why: ``missing``, ``permission``, ``unseen``, ``kind`` ..."""

    path: str
    reason: str
    message: str


def trouble(path: str, exc: OSError) -> Trouble:
    """An error of the system in a sentence."""
    reason = {"PermissionError": "permission", "FileNotFoundError": "missing", "NotADirectoryError": "missing"}.get(
        type(exc).__name__, "unseen"
    )
    return Trouble(path, reason, f"{path} cannot be read: {os.strerror(exc.errno or 0)}")


def is_packed(path: str) -> bool:
    """Whether a file is packed, by its name."""
    return path.endswith(PACKED)


class Finder:
    """Finds the files of patterns; ``troubles`` is what could not be looked at.

    :arg exclude: patterns of paths, or of names where they hold no slash
    """

    def __init__(self, exclude: t.Sequence[str] = ()) -> None:
        self.troubles: t.List[Trouble] = []
        self._exclude = [re.compile(fnmatch.translate(one)) for one in exclude if "/" in one]
        self._exclude_names = [re.compile(fnmatch.translate(one)) for one in exclude if "/" not in one]

    def find(self, pattern: str) -> t.List[Place]:
        """The files that a pattern means, sorted. A path without magic is that very file, or a trouble."""
        if not _MAGIC.search(pattern):
            try:
                return [Place(pattern, os.stat(pattern))]
            except OSError as exc:
                self.troubles.append(trouble(pattern, exc))
                return []
        parts = pattern.split("/")
        fixed = 0
        while not _MAGIC.search(parts[fixed]):
            fixed += 1
        base = "/".join(parts[:fixed]) or "/"
        found: t.Dict[str, Place] = {}
        self._walk(base, parts[fixed:], found, True)
        return [found[path] for path in sorted(found)]

    def _walk(self, directory: str, parts: t.Sequence[str], found: t.Dict[str, Place], is_base: bool = False) -> None:
        name, rest = parts[0], parts[1:]
        try:
            with os.scandir(directory) as entries:
                every = list(entries)
        except OSError as exc:
            # what vanishes while it is looked at is no trouble, but where the looking begins it is
            if is_base or not isinstance(exc, (FileNotFoundError, NotADirectoryError)):
                self.troubles.append(trouble(directory, exc))
            return
        if name == "**":
            self._deep(directory, every, rest or ["*"], found)
            return
        matches = re.compile(fnmatch.translate(name)).match
        hidden = name.startswith(".")
        for entry in every:
            if not matches(entry.name) or (entry.name.startswith(".") and not hidden):
                continue
            if rest:
                if _is_directory(entry, True):
                    self._walk(entry.path, rest, found)
            else:
                self._take(entry, found)

    def _deep(self, directory: str, every: t.Sequence[os.DirEntry[str]], rest: t.Sequence[str], found: t.Dict[str, Place]) -> None:
        self._walk(directory, rest, found)
        for entry in every:
            if not entry.name.startswith(".") and _is_directory(entry, False):
                self._walk(entry.path, ["**", *rest], found)

    def _take(self, entry: os.DirEntry[str], found: t.Dict[str, Place]) -> None:
        if len(found) >= MOST or self._is_excluded(entry.path, entry.name):
            return
        try:
            stat = os.stat(entry.path)
        except FileNotFoundError:
            return  # gone meanwhile, or a link to nothing
        except OSError as exc:
            self.troubles.append(trouble(entry.path, exc))
            return
        if stat.st_mode & 0o170000 == 0o100000:
            found[entry.path] = Place(entry.path, stat)

    def _is_excluded(self, path: str, name: str) -> bool:
        return any(one.match(name) for one in self._exclude_names) or any(one.match(path) for one in self._exclude)


def _is_directory(entry: os.DirEntry[str], follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False


def is_rotation_of(name: str, live: str) -> bool:
    """Whether a name is what a rotation makes of the name of a log."""
    stem, dot, end = live.rpartition(".")
    shapes = [re.escape(live) + _MARK + _PACK, re.escape(live) + r"\.(?:gz|bz2|xz)"]
    if stem and dot:
        shapes.append(re.escape(stem) + _MARK + re.escape(dot + end) + _PACK)
    return any(re.fullmatch(shape, name) for shape in shapes)


def siblings(path: str, others: t.Iterable[str] = ()) -> t.List[Place]:
    """All files in the directory of a path, and those that other patterns mean."""
    finder = Finder()
    directory = os.path.dirname(path) or "."
    found = finder.find(os.path.join(_plain(directory), "*")) + [place for pattern in others for place in finder.find(pattern)]
    return found


def _plain(text: str) -> str:
    """A directory as a pattern that means itself."""
    return re.sub(r"([*?\[])", r"[\1]", text)
