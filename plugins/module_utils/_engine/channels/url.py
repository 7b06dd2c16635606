# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading channels as users write them: a URL, or a mapping with a URL and more.

No error text holds more of a URL than its scheme and host.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, ChannelError, masked_url
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import COMMON, SHORTEST_SECRET, looks_secret, read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES

KEYS = ("name", "url", "headers", "template", *COMMON)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
# Parameters whose values are no secrets, whoever reads them.
_HARMLESS = (
    *("channel", "endpoint", "format", "group", "lang", "language", "min_severity", "name", "timeout", "type", "v", "version"),
    *(
        "mention",
        "mention_from",
        "ca",
        "client_cert",
        "exchange",
        "routing_key",
        "queue",
        "topic",
        "to",
        "cc",
        "from",
        "region",
        "url",
        "facility",
    ),
)
# Words that an event is made of: a value that is one of them hides nothing.
_ORDINARY = ("critical", "warning", "unknown", "firing", "resolved", "default", "enabled", "disabled")


def parse(given: t.Any) -> Channel:
    """One channel from a URL or a mapping with the KEYS.

    :raises ChannelError: one sentence
    """
    try:
        return _parsed(given)
    except UnicodeError:
        raise ChannelError("A channel holds a character that is none: half of a pair of UTF-16.") from None


def _parsed(given: t.Any) -> Channel:
    if isinstance(given, t.Mapping):
        for key in given:
            if key not in KEYS:
                raise ChannelError(f'A channel has no key "{key}"{nearest(key, KEYS)}.')
        options = {key: value for key, value in given.items() if value is not None}
    elif isinstance(given, str):
        options = {"url": given}
    else:
        raise ChannelError(f"A channel is a URL or a mapping with one, not {type(given).__name__}.")
    url = options.pop("url", None)
    if not isinstance(url, str) or not url.strip():
        raise ChannelError("A channel needs a url, such as https://hooks.example.com/alerts.")
    channel = _read_url(str(url).strip())
    read_options(channel, options)
    _check_type(channel)
    return channel


def _check_type(channel: Channel) -> None:
    types = registry.load(channel.scheme).types
    if channel.type and channel.type not in types:
        known = f"{nearest(channel.type, types)}" if types else "; it has no kinds of messages"
        raise ChannelError(f'type of the channel {channel.masked} is "{channel.type}"{known}.')
    channel.type = channel.type or (types[0] if types else "")


def parse_all(given: t.Iterable[t.Any]) -> tuple[list[Channel], list[str]]:
    """All channels that can be read, and a sentence for each that cannot. The same channel twice is one, told what either is."""
    channels: list[Channel] = []
    errors: list[str] = []
    for item in given:
        try:
            channel = parse(item)
            twin = next((other for other in channels if _same(channel, other)), None)
            if twin is not None:
                twin.min_severity = min(twin.min_severity, channel.min_severity, key=SEVERITIES.index)
                continue
            if channel.name and channel.name in {other.name for other in channels}:
                raise ChannelError(f'Two channels are named "{channel.name}"; a name must be of one channel.')
            channels.append(channel)
        except ChannelError as exc:
            errors.append(str(exc))
    return channels, errors


def _same(one: Channel, other: Channel) -> bool:
    return (one.scheme, one.origin, one.path, one.name, one.headers) == (other.scheme, other.origin, other.path, other.name, other.headers)


def _read_url(url: str) -> Channel:
    url.encode("utf-8")  # what cannot be sent is refused here
    scheme, found, _rest = url.partition("://")
    scheme = scheme.lower()
    if not found or not _SCHEME.match(scheme):
        raise ChannelError("A channel is not a URL; write it like https://hooks.example.com/alerts or wecom://KEY.")
    if not registry.knows(scheme):
        hint = nearest(scheme, registry.SCHEMES)
        raise ChannelError(f'The channel {masked_url(scheme, "", True)} has the unknown scheme "{scheme}"{hint}.')
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise ChannelError(f"The channel {masked_url(scheme, '', True)} holds white space or a control character; quote it as %20.")
    try:
        parts = urllib.parse.urlsplit(url)
        _port = None if "," in parts.netloc else parts.port
    except ValueError as exc:
        raise ChannelError(f"The channel {masked_url(scheme, '', True)} cannot be read: its host or port is not valid.") from exc
    channel = Channel(scheme, masked_url(scheme, "", True))
    channel.name = urllib.parse.unquote(parts.fragment)
    channel.secrets = secrets_of(parts)
    try:
        registry.load(scheme).read(channel, parts)
    except UnicodeError:
        raise
    except ValueError:  # of a comma in it some make several hosts, and the others no port; the text of the error is a part of the URL
        raise ChannelError(f"The channel {masked_url(scheme, '', True)} cannot be read: its host or port is not valid.") from None
    return channel


def secrets_of(parts: urllib.parse.SplitResult) -> set[str]:
    """What of a URL must never be shown, each as written and as meant: the password, values of parameters, parts of the path like tokens.

    An ordinary word in a path is no secret: it is met in every other text, too. The path is not shown all the same.
    """
    found = {parts.password or ""}
    for pair in parts.query.replace(";", "&").split("&"):
        name, _equal, value = pair.partition("=")
        if urllib.parse.unquote_plus(name).lower() not in _HARMLESS and value.lower() not in _ORDINARY:
            found |= {value, urllib.parse.unquote_plus(value)} if value else {name}
    found |= {segment for segment in parts.path.split("/") if looks_secret(urllib.parse.unquote(segment))}
    found |= {urllib.parse.unquote(item) for item in found}
    return {item for item in found if len(item) >= SHORTEST_SECRET}
