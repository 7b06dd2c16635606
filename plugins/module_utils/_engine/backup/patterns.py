# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which paths belong to a backup: globs to leave out and to take."""

from __future__ import annotations

import re
import typing as t

_TOKEN = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)


class Patterns:
    """Globs, of which any may fit.

    A pattern without a slash is held against the last part of a path at any depth (``*.bak``), one with a slash against the whole path
    (``/var/cache/*``, ``**/node_modules``). ``*`` and ``?`` stop at a slash, ``**`` does not. A pattern that ends in a slash fits directories alone.

    :raises ValueError: a pattern is empty or its brackets do not close
    """

    def __init__(self, patterns: t.Iterable[str]) -> None:
        self._rules = [_rule(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def fits(self, path: str, name: str, directory: bool) -> bool:
        """Whether any of them fits this path, of which ``name`` is the last part."""
        return any(expression.fullmatch(path if whole else name) for expression, whole, folders in self._rules if directory or not folders)


def _rule(pattern: str) -> tuple[t.Pattern[str], bool, bool]:
    folders = pattern.endswith("/")
    text = pattern.rstrip("/")
    if not text:
        raise ValueError(f"{pattern!r} is no pattern for paths; write one such as *.bak or /var/cache/*")
    whole = "/" in text
    if whole and not text.startswith(("/", "**")):
        text = "**/" + text
    try:
        return re.compile("".join(_piece(match.group()) for match in _TOKEN.finditer(text)), re.DOTALL), whole, folders
    except re.error as exc:
        raise ValueError(f"{pattern!r} is no pattern for paths: {exc}") from exc


def _piece(token: str) -> str:
    if token == "**/":
        return "(?:.*/)?"
    if token == "/**":
        return "/.*"
    if token == "**":
        return ".*"
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) > 1 and token.startswith("["):
        body = token[1:-1]
        inverse = body[:1] in ("!", "^")
        body = (body[1:] if inverse else body).replace("\\", "\\\\").replace("[", "\\[")
        return f"[^/{body}]" if inverse else f"(?!/)[{body}]"
    return re.escape(token)
