# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every channel may be given beside its address, as keys of a mapping or parameters of a vendor's URL."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import GROUPS, LANGUAGES, Channel, ChannelError
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._headers import check_header

SHORTEST_SECRET = 6
_TELLING = re.compile(r"auth|token|key|secret|cookie|passw|credential|sig", re.IGNORECASE)


def looks_secret(text: str) -> bool:
    """Whether a text looks like a token: long, or letters and digits mixed and not short."""
    if len(text) >= 20:
        return True
    return len(text) >= 12 and any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


def take_query(
    channel: Channel, query: str, known: t.Sequence[str] = ("endpoint", "min_severity", "language", "group", "timeout")
) -> dict[str, str]:
    """The parameters of a vendor's URL; those of every channel are read here, ``endpoint`` and the vendor's own are returned."""
    found: dict[str, str] = {}
    common: dict[str, str] = {}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ChannelError(f'The channel {channel.masked} has no parameter "{name}"{nearest(name, known)}.')
        (common if name in ("min_severity", "language", "group", "timeout") else found)[name] = value
    read_options(channel, common)
    return found


def read_endpoint(channel: Channel, endpoint: str) -> tuple[str, str, int]:
    """(scheme, host, port) of ``?endpoint=``, which stands in for the vendor's own."""
    try:
        parts = urllib.parse.urlsplit(endpoint)
        port = parts.port
    except ValueError as exc:
        raise ChannelError(f"The endpoint of the channel {channel.masked} cannot be read: its host or port is not valid.") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChannelError(f"The endpoint of the channel {channel.masked} must be like http://127.0.0.1:9999.")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def read_options(channel: Channel, options: t.Mapping[str, t.Any]) -> None:
    place = channel.masked
    if "name" in options:
        channel.name = str(options["name"]).strip()
        if not channel.name:
            raise ChannelError(f"The name of the channel {place} is empty; leave it out or write one.")
    for key, choices in (("min_severity", SEVERITIES), ("language", LANGUAGES), ("group", GROUPS)):
        value = str(options.get(key, getattr(channel, key)))
        if value not in choices:
            raise ChannelError(f'{key} of the channel {place} is "{value}"{nearest(value, choices)}.')
        setattr(channel, key, value)
    for key in ("ca", "client_cert"):
        if key in options:
            setattr(channel, key, str(options[key]))
    if "timeout" in options:
        try:
            channel.timeout = max(parse_duration(options["timeout"]), 0.1)
        except ValueError as exc:
            raise ChannelError(f"timeout of the channel {place}: {exc}.") from exc
    headers = options.get("headers", {})
    if not isinstance(headers, t.Mapping):
        raise ChannelError(f"headers of the channel {place} must be a mapping of names and values.")
    for name, value in headers.items():
        try:
            check_header(str(name), str(value))
        except ValueError as exc:
            raise ChannelError(f"headers of the channel {place}: {exc}.") from exc
        channel.headers[str(name)] = str(value)
        words = {str(value), *(word for word in str(value).split() if word.lower() not in ("basic", "bearer", "digest", "token"))}
        telling = _TELLING.search(str(name))
        channel.secrets |= {word for word in words if (len(word) >= SHORTEST_SECRET if telling else looks_secret(word))}
