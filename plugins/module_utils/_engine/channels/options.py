# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every channel may be given beside its address, as keys of a mapping or parameters of a vendor's URL."""

from __future__ import annotations

import json
import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import GROUPS, LANGUAGES, Channel, ChannelError, Request
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._headers import check_header

SHORTEST_SECRET = 6
# What the URL of a vendor may say beside what it needs itself; a mapping may as well.
COMMON = ("min_severity", "language", "group", "timeout", "type", "mention", "mention_from", "secret", "ca", "client_cert")
_TELLING = re.compile(r"auth|token|key|secret|cookie|passw|credential|sig", re.IGNORECASE)


def looks_secret(text: str) -> bool:
    """Whether a text looks like a token: long, or letters and digits mixed and not short."""
    if len(text) >= 20:
        return True
    return len(text) >= 12 and any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


def take_query(channel: Channel, query: str, own: t.Sequence[str] = (), rest: bool = False) -> dict[str, str]:
    """The parameters of a vendor's URL: those of every channel are read here, ``endpoint`` and the vendor's ``own`` are returned.

    :arg rest: the URL is the vendor's, so parameters that are not known are returned as they are
    """
    found: dict[str, str] = {}
    common: dict[str, t.Any] = {}
    known = (*COMMON, "endpoint", *own)
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if name not in known and not rest:
            raise ChannelError(f'The channel {channel.masked} has no parameter "{name}"{nearest(name, known)}.')
        (common if name in COMMON else found)[name] = value
    read_options(channel, common)
    return found


def read_endpoint(channel: Channel, given: t.Mapping[str, str], usual: tuple[str, str, int]) -> tuple[str, str, int]:
    """(scheme, host, port) of ``?endpoint=``, which stands in for the vendor's own."""
    if "endpoint" not in given:
        return usual
    try:
        parts = urllib.parse.urlsplit(given["endpoint"])
        port = parts.port
    except ValueError as exc:
        raise ChannelError(f"The endpoint of the channel {channel.masked} cannot be read: its host or port is not valid.") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChannelError(f"The endpoint of the channel {channel.masked} must be like http://127.0.0.1:9999.")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def read_hosts(
    channel: Channel, parts: urllib.parse.SplitResult, port: int, example: str
) -> tuple[tuple[str, str] | None, list[tuple[str, int]]]:
    """((user, password) or None, [(host, port)]) of a URL that may name several hosts, separated by commas."""
    userinfo, found, places = parts.netloc.rpartition("@")
    user, _colon, password = userinfo.partition(":")
    hosts = []
    for place in places.split(","):
        try:
            one = urllib.parse.urlsplit(f"//{place}")
            hosts.append((one.hostname or "", one.port or port))
        except ValueError as exc:
            raise ChannelError(f"The channel {channel.masked} cannot be read: a host or port is not valid.") from exc
    if not all(host for host, _port in hosts):
        raise ChannelError(f"The channel {channel.masked} names no host; write it like {example}.")
    return ((urllib.parse.unquote(user), urllib.parse.unquote(password)) if found else None), hosts


def as_json(body: t.Any, headers: t.Mapping[str, str] | None = None, path: str = "") -> Request:
    """A request with a body of JSON."""
    data = json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Request(data, {"Content-Type": "application/json", **(headers or {})}, path=path)


def read_options(channel: Channel, options: t.Mapping[str, t.Any]) -> None:
    place = channel.masked
    if "name" in options:
        channel.name = str(options["name"]).strip()
        if not channel.name:
            raise ChannelError(f"The name of the channel {place} is empty; leave it out or write one.")
    for key, choices in (("min_severity", SEVERITIES), ("mention_from", SEVERITIES), ("language", LANGUAGES), ("group", GROUPS)):
        value = str(options.get(key, getattr(channel, key)))
        if value not in choices:
            raise ChannelError(f'{key} of the channel {place} is "{value}"{nearest(value, choices)}.')
        setattr(channel, key, value)
    for key in ("ca", "client_cert", "type", "template", "secret"):
        if key in options:
            setattr(channel, key, str(options[key]).encode("utf-8").decode("utf-8"))  # half a character is refused here
    if len(channel.secret) >= SHORTEST_SECRET:
        channel.secrets |= {channel.secret, urllib.parse.quote(channel.secret, safe="")}
    if "mention" in options:
        given = options["mention"]
        names = given if isinstance(given, (list, tuple)) else str(given).split(",")
        channel.mention = tuple(str(name).strip() for name in names if str(name).strip())
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
