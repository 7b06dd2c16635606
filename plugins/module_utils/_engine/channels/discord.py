# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``discord://ID/TOKEN``: a webhook of Discord, told as an embed (https://discord.com/developers/docs/resources/webhook)."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, mentions, portions, texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    THROTTLED,
    Answer,
    Channel,
    ChannelError,
    Dialect,
    Request,
    Verdict,
    masked_url,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import as_json, read_endpoint, take_query

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_TITLE, LIMIT = 256, 4096  # characters of an embed's title and description; 6000 of the whole
_COLORS = {"critical": 0xC4314B, "error": 0xC4314B, "warning": 0xF8A800, "info": 0x0078D4}
_GREEN = 0x13A10E
_ID = re.compile(r"&?\d+\Z")
STYLE = texts.Style(escapes.markdown, lambda text, _event: f"**{text}**", "**{}:** {}".format, size=texts.units)


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    path = [parts.netloc, *parts.path.strip("/").split("/")]
    channel.masked = masked_url("discord", "", True)
    if len(path) != 2 or not all(path):
        raise ChannelError("The channel discord://… needs the webhook's id and token; write it like discord://ID/TOKEN.")
    given = take_query(channel, parts.query, ("thread_id",))
    for name in channel.mention:
        _mention(channel, name)
    channel.origin = read_endpoint(channel, given, ("https", "discord.com", 443))
    more = {"wait": "true", **({"thread_id": given["thread_id"]} if "thread_id" in given else {})}
    channel.path = f"/api/webhooks/{path[0]}/{path[1]}?{urllib.parse.urlencode(more)}"
    channel.secrets = {path[1]}


def _mention(channel: Channel, name: str) -> str:
    if not _ID.match(name) and _is_known(name):
        return "@here" if name.endswith("here") else "@everyone"
    if not _is_known(name):
        raise ChannelError(
            f'mention of the channel {channel.masked} is "{name}"; write the number of a user, & and that of a role, or everyone.'
        )
    return f"<@{name}>"


def _is_known(name: str) -> bool:
    return name.lstrip("@") in ("everyone", "here", "all") or bool(_ID.match(name))


def page(_channel: Channel, _events: t.Sequence[Event]) -> portions.Page:
    """What one message holds."""
    return portions.Page(STYLE, LIMIT)


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """Nobody is called but those of the channel or the route, whatever the text says."""
    told = texts.letter(events, channel.language, STYLE, int(LIMIT * channel.room))
    called = [name for name in mentions.of(channel, events) if _is_known(name)]
    words = [_mention(channel, name) for name in called]
    embed = {
        "title": texts.clipped(told.title, _TITLE),
        "description": told.text,
        "color": _GREEN if told.event["status"] == "resolved" else _COLORS.get(told.event["severity"], _COLORS["error"]),
        "timestamp": told.event["timestamp"],
    }
    allowed = {
        "parse": ["everyone"] if {"@here", "@everyone"} & set(words) else [],
        "users": [name for name in called if name.isdigit()],
        "roles": [name[1:] for name in called if name.startswith("&")],
    }
    return as_json({"content": " ".join(words), "embeds": [embed], "allowed_mentions": allowed})


def judge(_channel: Channel, answer: Answer) -> Verdict:
    """A webhook that is gone is left alone: 10,000 refused requests in ten minutes shut out the whole address."""
    body = verdicts.parsed(answer)
    if answer.status == 429:
        wait = body.get("retry_after") if isinstance(body, dict) else None
        known = isinstance(wait, (int, float)) and not isinstance(wait, bool) and wait >= 0
        seconds = min(t.cast(float, wait), verdicts.LONGEST_WAIT) if known else verdicts.retry_after(answer)
        is_global = answer.headers.get("x-ratelimit-global", "").lower() == "true"
        everywhere = is_global or (isinstance(body, dict) and body.get("global") is True)
        message = "Discord asks this address to wait" if everywhere else "Discord asks to wait"
        return Verdict(THROTTLED, "429", message, seconds, everywhere=everywhere)
    if answer.status in (401, 403, 404):
        return Verdict(
            DEAD, str(answer.status), f"the webhook is not there any more, or its token is wrong (HTTP {answer.status})", gone=True
        )
    if answer.status == 400:
        return Verdict(DEAD, "400", "Discord refuses it (HTTP 400)", of_text=True)
    if 200 <= answer.status < 300 and answer.status != 204 and not (isinstance(body, dict) and body.get("id")):
        return verdicts.stranger("no_id", "Discord's: no id in it")
    return verdicts.http(answer)


DIALECT = Dialect("discord", read, request, judge, rates=((5, 2.0), (30, 60.0)), digest=True, page=page, calls=_is_known)
