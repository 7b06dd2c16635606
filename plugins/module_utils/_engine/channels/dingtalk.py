# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``dingtalk://TOKEN?secret=SEC…``: a group robot of DingTalk (https://open.dingtalk.com/document/orgapp/custom-robot-access).

Success is errcode 0 in the body. 20 messages a minute, beyond that the robot is deaf for ten minutes; 20,000 bytes a body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, mentions, portions, texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    RETRY,
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

LIMIT = 18000  # of the 20,000 bytes of a body
_HOST = ("https", "oapi.dingtalk.com", 443)
_DETAILS = {"en": "Details", "zh": "查看详情"}
BOOK = verdicts.Book(
    "DingTalk",
    ("errcode",),
    busy=(-1,),
    throttled={130101: (60.0, 600.0), 410100: (60.0, 600.0)},
    refused={
        40035: "a parameter is not valid",
        300001: "the robot's token is not valid",
        400101: "the robot's token is not valid",
        310000: "the robot's keyword is not in it, or this address is not on its list",
    },
    too_long={460101: "the message is too long", 101002: "the message is too long"},
)
STYLE = texts.Style(escapes.robot, lambda text, _event: f"### {text}", size=texts.json_size, end="  \n")
_TEXT = texts.Style(escapes.plain, lambda text, _event: text, "{}: {}".format, size=texts.json_size)


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    token = urllib.parse.unquote(parts.netloc)
    channel.masked = masked_url("dingtalk", "", True)
    if not token or parts.path.strip("/"):
        raise ChannelError("The channel dingtalk://… needs the robot's token; write it like dingtalk://TOKEN?secret=SEC….")
    channel.secrets = {token, parts.netloc}
    channel.origin = read_endpoint(channel, take_query(channel, parts.query), _HOST)
    channel.path = "/robot/send?access_token=" + urllib.parse.quote(token, safe="")


def sign(secret: str, milliseconds: int) -> str:
    """Base64 of HMAC-SHA256, key the secret, over ``<milliseconds>\\n<secret>``; not yet encoded for the URL."""
    digest = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def page(channel: Channel, _events: t.Sequence[Event]) -> portions.Page:
    """What one message holds."""
    return portions.Page(_TEXT if channel.type == "text" else STYLE, LIMIT)


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """Signed at the moment of sending: a signature is good for an hour."""
    path = channel.path
    if channel.secret:
        now = int(time.time() * 1000)
        path += "&" + urllib.parse.urlencode({"timestamp": now, "sign": sign(channel.secret, now)})
    called = mentions.of(channel, events)
    limit = int(LIMIT * channel.room)
    kind, told = channel.type, texts.letter(events, channel.language, STYLE, limit)
    links = [value for event in told.events for value in event["annotations"].values() if value.startswith(("http://", "https://"))]
    kind = "markdown" if kind == "actionCard" and (not links or called) else kind
    style = _TEXT if kind == "text" else STYLE
    text = texts.whole(events, channel.language, style, limit) + "".join(style.end + _name(name) for name in called)
    content: dict[str, t.Any] = {"content": text} if kind == "text" else {"title": told.title, "text": text}
    if kind == "actionCard":
        content.update(singleTitle=_DETAILS[channel.language], singleURL=links[0])
    return as_json({"msgtype": kind, kind: content, "at": _at(called)}, path=path)


def _name(name: str) -> str:
    return "@all" if mentions.is_all(name) else f"@{name}"


def _at(called: t.Sequence[str]) -> dict[str, t.Any]:
    people = [name for name in called if not mentions.is_all(name)]
    phones = [name for name in people if mentions.is_phone(name)]
    return {"atMobiles": phones, "atUserIds": [name for name in people if name not in phones], "isAtAll": len(people) < len(called)}


def judge(_channel: Channel, answer: Answer) -> Verdict:
    """310000 is told for a keyword, an address and a signature alike; the last may have been too old, so it is signed anew once."""
    verdict = verdicts.judged(answer, BOOK)
    body = verdicts.parsed(answer)
    said = str(body.get("errmsg", "")).lower() if isinstance(body, dict) else ""
    if verdict.code == "310000" and ("sign" in said or "timestamp" in said):
        return Verdict(RETRY, "310000", "DingTalk refuses it: the signature or the time is wrong (errcode 310000)", tries=2)
    return verdict


DIALECT = Dialect(
    "dingtalk",
    read,
    request,
    judge,
    rates=((20, 60.0),),
    digest=True,
    types=("markdown", "text", "actionCard"),
    page=page,
    calls=mentions.anybody,
)
