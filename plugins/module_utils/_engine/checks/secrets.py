# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping secrets out of everything that is shown, logged, returned or stored."""

from __future__ import annotations

import functools
import re
import typing as t

MASK = "********"
_SENSITIVE = re.compile(
    r"auth|token|(?:^|[-_.]|api|access)key(?![a-z])|secret|cookie|passw|vault|credential|signature|\bsig\b", re.IGNORECASE
)
# Without any of these there is no secret in a text: a quick look before the dear ones.
_WORDS = re.compile(r"@|auth|token|key|secret|cookie|pass|login|vault|credential|sig|basic|bearer", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://([^/?#\s:@]*):([^/?#\s@]+)@")
_QUERY = re.compile(r"([?&;])([^=&;#\s]+)=([^&;#\s]+)")
# --password=x, PGPASSWORD=x, "password": "x", password=x&user=y
_ASSIGNED = re.compile(r"""([\w.-]+)["']?\s*[=:]\s*["']?([^\s"'&;,{}]+)""")
_SCHEMES = re.compile(r"\b(?:basic|bearer|token)\s+(\S+)", re.IGNORECASE)
# What protocols of lines take: AUTH secret (Redis), PASS secret (FTP, POP3), AUTH PLAIN secret (SMTP), LOGIN name secret (IMAP)
_SPOKEN = re.compile(r"^(?:\w+ )?(?:AUTH|PASS|LOGIN)[ \t]+(?:\S+[ \t]+)?(\S+)[ \t]*\r?$", re.MULTILINE)
_SHORTEST = 4
_PLAIN = (int, float, bool, type(None))  # are no secrets


def mask(value: t.Any, secrets: t.Collection[str]) -> t.Any:
    """A copy of a value in which every secret is replaced, but not in keys; without secrets the value itself."""
    if not secrets:
        return value
    pattern = re.compile("|".join(re.escape(secret) for secret in sorted(secrets, key=len, reverse=True)))
    return _masked(value, pattern)


def _masked(value: t.Any, pattern: re.Pattern[str]) -> t.Any:
    if isinstance(value, str):
        return pattern.sub(MASK, value)
    if isinstance(value, dict):
        return {key: _masked(item, pattern) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item, pattern) for item in value]
    return value


def secrets_of(value: t.Any) -> set[str]:
    """The secrets that a structure of options holds: values under telling keys, passwords and tokens in URLs.

    Values of fewer than four characters are left out, as masking them would tear other text apart.
    """
    found: set[str] = set()
    _collect(value, False, found)
    return {text for text in found if len(text) >= _SHORTEST}


@functools.lru_cache(maxsize=1024)
def _is_sensitive(key: str) -> bool:
    return bool(_SENSITIVE.search(key))


def _collect(value: t.Any, telling: bool, found: set[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if item.__class__ is str and not telling and not _is_sensitive(str(key)) and not _WORDS.search(item):
                continue  # what most of them are
            if item.__class__ not in _PLAIN:
                _collect(item, telling or _is_sensitive(str(key)), found)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            before = value[index - 1] if index else None
            announced = isinstance(before, str) and before.startswith("-") and "=" not in before and bool(_SENSITIVE.search(before))
            _collect(item, telling or announced, found)
    elif isinstance(value, str):
        if telling:
            found.add(value)
        if not _WORDS.search(value):
            return
        found.update(_SCHEMES.findall(value))
        found.update(_SPOKEN.findall(value))
        found.update(match.group(2) for match in _ASSIGNED.finditer(value) if _SENSITIVE.search(match.group(1)))
        found.update(match.group(2) for match in _URL_PASSWORD.finditer(value))
        found.update(match.group(3) for match in _QUERY.finditer(value) if _SENSITIVE.search(match.group(2)))
