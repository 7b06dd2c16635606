# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``slack://T…/B…/X…``: an incoming webhook; ``slack://xoxb-…@CHANNEL``: a bot, through chat.postMessage. Blocks either way.

https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/apis/web-api/rate-limits. A webhook answers ``ok``, the API ``"ok": true``.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, mentions, portions, texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
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

_HEADER, _SECTION = 150, 2900  # characters of a header, and of the 3000 of a section
LIMIT = 4 * _SECTION  # of a message: 50 blocks are allowed, but of about 13,000 characters on some are refused
STYLE = texts.Style(escapes.slack, lambda text, _event: f"*{text}*", "*{}:* {}".format, size=texts.units)
_GROUPS = ("here", "channel", "everyone")
_WORD = re.compile(r"[a-z_]{2,40}\Z")
_MEANING = {
    "invalid_payload": "it is not valid",
    "invalid_blocks": "its blocks are not valid",
    "invalid_token": "the webhook's token is not valid",
    "action_prohibited": "an administrator forbids it",
    "no_service": "there is no such webhook",
    "no_team": "there is no such workspace",
    "channel_not_found": "there is no such channel",
    "channel_is_archived": "the channel is archived",
    "msg_too_long": "it is too long",
}
# The API says these with HTTP 200, and they pass.
_BUSY = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org")
_OF_TEXT = ("invalid_payload", "invalid_blocks", "invalid_blocks_format", "msg_too_long")


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    token, found, room = urllib.parse.unquote(parts.netloc).rpartition("@")
    path = [parts.netloc, *parts.path.strip("/").split("/")]
    channel.masked = masked_url("slack", "", True)
    given = take_query(channel, parts.query)
    if found and token and room and not parts.path.strip("/"):
        channel.origin = read_endpoint(channel, given, ("https", "slack.com", 443))
        channel.own["channel"] = room
        channel.path = "/api/chat.postMessage"
        channel.headers["Authorization"] = f"Bearer {token}"
        channel.secrets = {token}
        return
    if found or len(path) != 3 or not all(path):
        raise ChannelError("The channel slack://… needs the three parts of a webhook's URL; write it like slack://T000/B000/XXXX.")
    channel.origin = read_endpoint(channel, given, ("https", "hooks.slack.com", 443))
    channel.path = "/services/" + "/".join(path)
    channel.secrets = {path[2], "/".join(path)}


def page(_channel: Channel, _events: t.Sequence[Event]) -> portions.Page:
    """What one message holds."""
    return portions.Page(STYLE, LIMIT)


def _sections(text: str) -> list[str]:
    """The text in pieces of a section each, at the end of a line, else of a word, and never within ``&amp;``."""
    found = []
    while len(text) and texts.units(text) > _SECTION:
        end = _SECTION // 2
        while texts.units(text[: end + 1]) <= _SECTION and end < len(text):
            end += 1
        line, word = text.rfind("\n", 0, end), text.rfind(" ", 0, end)
        entity = text.rfind("&", end - 5, end)
        cut = (
            line
            if line > _SECTION // 4
            else word
            if word > _SECTION // 4
            else entity
            if entity > 0 and ";" not in text[entity:end]
            else end
        )
        found.append(text[:cut])
        text = text[cut:].lstrip("\n")
    return [one for one in (*found, text) if one.strip()]


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    told = texts.letter(events, channel.language, STYLE, int(LIMIT * channel.room))
    called = " ".join(_called(name) for name in mentions.of(channel, events))
    text = told.text or escapes.slack(told.title)
    blocks: list[dict[str, t.Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": texts.clipped(told.title, _HEADER), "emoji": False}},
        *({"type": "section", "text": {"type": "mrkdwn", "text": one, "verbatim": True}} for one in _sections(text)),
    ]
    if called:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": called}})
    body: dict[str, t.Any] = {"text": escapes.slack(told.title), "blocks": blocks}
    return as_json(dict(body, channel=channel.own["channel"]) if "channel" in channel.own else body)


def _called(name: str) -> str:
    name = name.lstrip("@!")
    if name.lower() in _GROUPS or mentions.is_all(name):
        return f"<!{'channel' if mentions.is_all(name) and name.lower() == 'all' else name.lower()}>"
    return f"<!subteam^{name}>" if name.startswith("S") else f"<@{name}>"


def judge(channel: Channel, answer: Answer) -> Verdict:
    said = verdicts.said(answer)
    if "channel" in channel.own:
        body = verdicts.parsed(answer)
        if answer.status == 200 and isinstance(body, dict) and body.get("ok") is True:
            return Verdict(SENT, "ok")
        said = str(body.get("error", "")) if isinstance(body, dict) else ""
    elif answer.status == 200 and said == "ok":
        return Verdict(SENT, "ok")
    word = said if _WORD.match(said) else ""
    if answer.status == 429 or word in ("ratelimited", "rate_limited"):
        return Verdict(THROTTLED, word or "429", "Slack asks to wait", verdicts.retry_after(answer, 30.0))
    if word in _BUSY:
        return Verdict(RETRY, word, f"Slack is in trouble ({word})")
    is_good = 200 <= answer.status < 300
    if answer.status >= 500 or (not word and not is_good):
        return verdicts.http(answer)
    if not word:
        return verdicts.stranger("not_slack", "Slack's")
    message = f"Slack refuses it: {_MEANING.get(word, 'its documents say why')} ({word})"
    if word not in _MEANING and is_good:
        return Verdict(RETRY, word, message, tries=2)
    return Verdict(DEAD, word, message, of_text=word in _OF_TEXT, too_long=word == "msg_too_long")


DIALECT = Dialect("slack", read, request, judge, rates=((1, 1.0),), digest=True, page=page, calls=mentions.anybody)
