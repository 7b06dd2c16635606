# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Headers of a request as text: what may be one, and the one that names a user. It opens no connection and needs no TLS."""

from __future__ import annotations

import base64
import re

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def basic(userinfo: tuple[str, str]) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(":".join(userinfo).encode("utf-8")).decode("ascii")


def check_header(name: str, value: str) -> None:
    """Refuse a header that would break the request apart.

    :raises ValueError: with a sentence that does not hold the value
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a header")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError(f"the value of the header {name} holds a line break or another control character")
    try:
        value.encode("latin-1")
    except UnicodeError as exc:
        raise ValueError(f"the value of the header {name} holds a character that is not Latin-1") from exc
