# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A zone's master file (RFC 1035 section 5) as text, with what it includes, and where in which file something in it is wrong."""

from __future__ import annotations

import bisect
import os
import re
import typing as t

LARGEST_FILE = 512 * 1024 * 1024
_DEEPEST = 10
_LINE = re.compile(r"^(.*):([0-9]+):\s*(.*)$", re.DOTALL)
_ORIGIN = re.compile(r"\$ORIGIN\s+([^\s;]+)", re.IGNORECASE)
_INCLUDE = re.compile(r'\$INCLUDE\s+(?:"([^"]+)"|([^\s;]+))(?:\s+([^\s;]+))?', re.IGNORECASE)
_MOST_AFTER = 100  # lines that a record in parentheses may go on for


class ZoneFileError(Exception):
    """The file cannot be read; the text is a part of a sentence that names file and line."""


class Lines(t.NamedTuple):
    """Every line, without its end, and where it stands. ``places`` is None where all are of one file."""

    path: str
    lines: t.List[str]
    places: t.Optional[t.List[t.Tuple[str, int]]]

    def text(self, count: t.Optional[int] = None) -> str:
        """The first lines, or all of them."""
        return "\n".join(self.lines if count is None else self.lines[:count]) + "\n"

    def place(self, number: int) -> str:
        """``/path, line 7 ("www IN A 1.2.3")``; numbers count from 1."""
        if number > len(self.lines):
            return f"{self.path}, at the end of the file"
        path, line = (self.path, number) if self.places is None else self.places[number - 1]
        return f'{path}, line {line} ("{" ".join(self.lines[number - 1].split())[:80]}")'


def read(path: str, zone: str) -> Lines:
    """The file. What it includes (RFC 1035 5.1) is found from where the including file is, and put in its place.

    :raises ZoneFileError: a file cannot be read, or includes itself
    """
    lines = _load(path)
    if not any(line[:8].upper() == "$INCLUDE" for line in lines):
        return Lines(path, lines, None)
    made: t.List[str] = []
    places: t.List[t.Tuple[str, int]] = []
    _expand(path, lines, zone.rstrip(".") + ".", made, places, 0)
    return Lines(path, made, places)


def _load(path: str) -> t.List[str]:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            text = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        raise ZoneFileError(f"{path} cannot be read ({(exc.strerror or str(exc)).lower()})") from exc
    if len(text) > LARGEST_FILE:
        raise ZoneFileError(f"{path} is larger than {LARGEST_FILE // 1024**2} MiB")
    return text.split("\n")


def _expand(path: str, lines: t.List[str], origin: str, made: t.List[str], places: t.List[t.Tuple[str, int]], depth: int) -> None:
    """Put the lines of a file behind those that there are; afterwards the origin is what it was for who includes it."""
    for number, line in enumerate(lines, 1):
        found = _INCLUDE.match(line)
        if found is None:
            changed = _ORIGIN.match(line)
            origin = _absolute(changed.group(1), origin) if changed else origin
            made.append(line)
            places.append((path, number))
            continue
        where = f'{path}, line {number} ("{" ".join(line.split())[:80]}")'
        if depth >= _DEEPEST:
            raise ZoneFileError(f"{where}: files include each other more than {_DEEPEST} deep")
        inner = os.path.join(os.path.dirname(path), found.group(1) or found.group(2))
        inside = _absolute(found.group(3), origin) if found.group(3) else origin
        try:
            content = _load(inner)
        except ZoneFileError as exc:
            raise ZoneFileError(f"{where}: {exc}") from exc
        after = next((later for later in lines[number:] if later.strip() and not later.lstrip().startswith(";")), "x")
        if after[:1].isspace():
            raise ZoneFileError(f"{where}: the record after it has no name in front; write the name, as it is not clear whose it is")
        for text in (f"$ORIGIN {inside}", None, f"$ORIGIN {origin}"):
            if text is None:
                _expand(inner, content, inside, made, places, depth + 1)
            else:
                made.append(text)
                places.append((path, number))


def _absolute(name: str, origin: str) -> str:
    return name if name.endswith(".") else origin if name == "@" else f"{name}.{origin.lstrip('.')}"


def problem(file: Lines, exc: Exception, parse: t.Callable[[str], t.Any]) -> str:
    """``/path, line 7 ("www IN A 1.2.3"): what is wrong``.

    :arg parse: reads a text, raising what the library raises; it is tried on the first lines to find the one that is wrong
    """
    found = _LINE.match(str(exc))
    if found is None:
        return f"{_search(file, str(exc), parse)}: {_said(str(exc))}"
    number = min(int(found.group(2)), len(file.lines) + 1)
    # the library counts to where it stopped reading, which may be the line after
    if number > 1 and _error(file.text(number - 1), parse) is not None:
        number -= 1
    return f"{file.place(number)}: {_said(found.group(3))}"


def _search(file: Lines, said: str, parse: t.Callable[[str], t.Any]) -> str:
    """The place of an error without a line: the fewest first lines with which it comes."""

    class Tried:
        def __len__(self) -> int:
            return len(file.lines)

        def __getitem__(self, at: int) -> bool:
            for count in range(at + 1, min(at + 1 + _MOST_AFTER, len(file.lines)) + 1):
                error = _error(file.text(count), parse)
                if error is None or not _LINE.match(error):  # else the cut went through a record
                    return error == said
            return True

    place = bisect.bisect_left(t.cast(t.Sequence[bool], Tried()), True)
    return file.place(place + 1) if place < len(file.lines) else file.path


def _error(text: str, parse: t.Callable[[str], t.Any]) -> t.Optional[str]:
    try:
        parse(text)
    except Exception as exc:  # noqa: BLE001 - whatever the library raises
        return str(exc)
    return None


def _said(text: str) -> str:
    return " ".join(text.split())[:160].rstrip(".").lower() or "it cannot be read"
