# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regular expressions of Go as those of Python.

Source: https://pkg.go.dev/regexp/syntax
"""

from __future__ import annotations

import re

_FLAGS = re.compile(r"\(\?([ims]+)\)")
_LATER_FLAGS = re.compile(r"\(\?[imsU-]+\)")
_WIDE = re.compile(r"\\[wWdDsSbB]")
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z", "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_NO_NEWLINE = {"s": r"[^\S\n]", "D": r"[^\d\n]", "W": r"[^\w\n]", "A": "^", "z": r"(?=\r?$)"}


class NoEquivalent(Exception):
    """The text says what cannot be said in our language."""


def translate(text: str, lines: bool = False) -> tuple[str, str]:
    """(flags, expression) for Python.

    :arg lines: it is held against each line by itself, as goss does with patterns, so nothing in it may reach into the next one
    :raises NoEquivalent: it cannot be read here
    """
    flags, whole = "m" if lines else "", text
    match = _FLAGS.match(text)
    if match:
        flags, text = "".join(sorted(set(flags + match.group(1)) - ({"s"} if lines else set()))), text[match.end() :]
    found, place = [], 0
    while place < len(text):
        part, place = _token(text, place, lines, "m" in flags, whole)
        found.append(part)
    body = "".join(found)
    if _WIDE.search(body):
        flags = "a" + flags  # Go knows no others
    try:
        re.compile(f"(?{flags}){body}" if flags else body)
    except (re.error, OverflowError, RecursionError) as exc:
        raise NoEquivalent(f"the regular expression {whole!r} ({exc})") from exc
    return flags, body


def expression(text: str, lines: bool = False) -> str:
    """The same with its flags in front.

    :raises NoEquivalent: it cannot be read here
    """
    flags, body = translate(text, lines)
    return f"(?{flags}){body}" if flags else body


def group(text: str, lines: bool = False) -> str:
    """The same as a part of a longer one.

    :raises NoEquivalent: it cannot be read here
    """
    flags, body = translate(text, lines)
    return f"(?{flags}:{body})"


def _token(text: str, place: int, lines: bool, multi: bool, whole: str) -> tuple[str, int]:
    """One piece of the expression, and where the next one begins."""
    char = text[place]
    if char == "\\":
        return _escape(text, place, lines, whole)
    if char == "[":
        return _class(text, place, lines, whole)
    if char == "$":
        # that of Python also stands before a line feed at the end
        return (r"(?=\r?$)" if lines else "$" if multi else r"\Z"), place + 1
    if _LATER_FLAGS.match(text, place):
        raise NoEquivalent(f"the regular expression {whole!r} (flags must stand at its begin)")
    return char, place + 1


def _escape(text: str, place: int, lines: bool, whole: str) -> tuple[str, int]:
    char = text[place + 1 : place + 2]
    if char == "Q":
        end = text.find("\\E", place + 2)
        end = len(text) if end < 0 else end
        return re.escape(text[place + 2 : end]), end + 2
    if char in ("p", "P", "C", "Z") or (char.isdigit() and char != "0"):
        raise NoEquivalent(f"the regular expression {whole!r} (\\{char} is not read here)")
    match = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}").match(text, place)
    if match and int(match.group(1), 16) < 0x110000:
        return re.escape(chr(int(match.group(1), 16))), match.end()
    if lines and char in _NO_NEWLINE:
        return _NO_NEWLINE[char], place + 2
    return ("\\Z" if char == "z" else text[place : place + 2]), place + 2


def _class(text: str, place: int, lines: bool, whole: str) -> tuple[str, int]:
    """A set of characters; what means more to Python than to Go is written so that it does not."""
    start = place + (2 if text[place + 1 : place + 2] == "^" else 1)
    negated, place, found = start - place == 2, start, []
    while text[place : place + 1] not in ("", "]") or place == start:
        if not text[place:]:
            break
        match = re.compile(r"\[:(\^?)([a-z]+):\]").match(text, place)
        if match:
            if match.group(1) or match.group(2) not in _POSIX:
                raise NoEquivalent(f"the regular expression {whole!r} ({match.group()} is not read here)")
            found.append(_POSIX[match.group(2)])
            place = match.end()
        elif text[place] == "\\":
            part, place = (r" \t\r\f", place + 2) if lines and text[place + 1 : place + 2] == "s" else _escape(text, place, False, whole)
            found.append(part)
        else:
            found.append(("\\" if text[place] in "[]&~|" else "") + text[place])
            place += 1
    if place >= len(text):
        raise NoEquivalent(f"the regular expression {whole!r} (a set of characters has no end)")
    return "[" + ("^" if negated else "") + "".join(found) + ("\\n" if negated and lines else "") + "]", place + 1
