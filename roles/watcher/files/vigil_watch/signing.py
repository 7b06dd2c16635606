# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of watches that come from elsewhere.

Each text ends with a line ``# vigil-signature: sha256=HEX``, HMAC-SHA256 (RFC 2104) of its name, a line feed and everything
before that line; the name is empty for a URL and the key below the prefix for Consul. Whoever can change what is sent cannot sign; what was signed once may
come again, unless it has a ``serial`` that grows.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import sys
import typing as t

from vigil_watch.reading import Refusal

if t.TYPE_CHECKING:
    import argparse

_SIGNATURE = re.compile(rb"\n?# vigil-signature: sha256=([0-9a-f]{64})\s*\Z")


class Refused(Exception):
    """What a source holds is not used; one sentence."""


def signature(key: str, name: str, text: bytes) -> str:
    """The line at the end of a text."""
    return "# vigil-signature: sha256=" + hmac.new(key.encode(), name.encode() + b"\n" + text, hashlib.sha256).hexdigest() + "\n"


def verified(key: str, name: str, data: bytes) -> bytes:
    """The text without its signature.

    :raises Refused: it has none, or a wrong one
    """
    shown = f'"{name}" ' if name else ""
    found = _SIGNATURE.search(data)
    if found is None:
        raise Refused(f"what is there {shown}is not signed")
    text = data[: found.start()] + (b"\n" if found.group(0).startswith(b"\n") else b"")
    if not hmac.compare_digest(signature(key, name, text)[-65:-1].encode(), found.group(1)):
        raise Refused(f"the signature of what is there {shown}is not made with this key")
    return text


def sign_command(arguments: argparse.Namespace) -> int:
    """``vigil sign``: the text with its signature."""
    try:
        with open(arguments.file, "rb") as source, open(arguments.key_file, encoding="utf-8") as secret:
            text, key = source.read(), secret.read().strip()
    except OSError as exc:
        raise Refusal(f"{exc.filename} cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    text += b"" if text.endswith(b"\n") else b"\n"
    sys.stdout.buffer.write(text + signature(key, arguments.name, text).encode())
    return 0
