# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialects ``feishu://HOOK?secret=`` and ``lark://HOOK?secret=``: a custom robot (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot).

Success is code 0 in the body. 5 messages a second and 100 a minute; 20 KB a body; key and message of the signature change places.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, mentions, portions, texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, ChannelError, Dialect, Request, masked_url
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import as_json, read_endpoint, take_query

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

LIMIT = 18000  # of the 20 KB of a body
_HOSTS = {"feishu": "open.feishu.cn", "lark": "open.larksuite.com"}
_COLORS = {"critical": "red", "error": "red", "warning": "orange", "info": "blue"}
_LATE = "the signature or the time is wrong"
BOOK = verdicts.Book(
    "Feishu",
    ("code", "StatusCode"),
    throttled={11232: (10.0, 60.0)},
    refused={
        9499: "the request is not valid",
        19001: "the robot's token is not valid",
        19002: "a parameter is not valid",
        19022: "this address is not on the robot's list",
        19024: "the robot's keyword is not in it",
    },
    too_long={19036: "the message is too long"},
    unsure={19021: _LATE},
)
STYLE = texts.Style(escapes.lark, lambda text, _event: f"**{text}**", "**{}:** {}".format, size=texts.json_size)
# a text may hold tags that call people, and knows no escape
_TEXT = texts.Style(
    lambda text: escapes.plain(text).replace("<", "<\u200b"), lambda text, _event: text, "{}: {}".format, size=texts.json_size
)


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    token = urllib.parse.unquote(parts.netloc)
    channel.masked = masked_url(channel.scheme, "", True)
    if not token or parts.path.strip("/"):
        raise ChannelError(
            f"The channel {channel.scheme}://… needs the robot's token; write it like {channel.scheme}://HOOK?secret=SECRET."
        )
    channel.secrets = {token, parts.netloc}
    channel.origin = read_endpoint(channel, take_query(channel, parts.query), ("https", _HOSTS[channel.scheme], 443))
    channel.path = "/open-apis/bot/v2/hook/" + urllib.parse.quote(token, safe="")


def sign(secret: str, seconds: int) -> str:
    """Base64 of HMAC-SHA256, key ``<seconds>\\n<secret>``, over nothing."""
    return base64.b64encode(hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()


def page(channel: Channel, _events: t.Sequence[Event]) -> portions.Page:
    """What one message holds."""
    return portions.Page(_TEXT if channel.type == "text" else STYLE, LIMIT)


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """A card, or a text; signed at the moment of sending: a signature is good for an hour."""
    signature: dict[str, t.Any] = {}
    if channel.secret:
        now = int(time.time())
        signature = {"timestamp": str(now), "sign": sign(channel.secret, now)}
    called = mentions.of(channel, events)
    limit = int(LIMIT * channel.room)
    if channel.type == "text":
        text = texts.whole(events, channel.language, _TEXT, limit) + "".join(f'\n<at user_id="{_id(name)}"></at>' for name in called)
        return as_json({**signature, "msg_type": "text", "content": {"text": text}})
    told = texts.letter(events, channel.language, STYLE, limit)
    text = told.text + "".join(f"\n<at {_card_id(name)}></at>" for name in called)
    color = "green" if told.event["status"] == "resolved" else _COLORS.get(told.event["severity"], "red")
    card = {
        "config": {"wide_screen_mode": True},
        "header": {"title": {"tag": "plain_text", "content": told.title}, "template": color},
        "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": text}}],
    }
    return as_json({**signature, "msg_type": "interactive", "card": card})


def _id(name: str) -> str:
    return "all" if mentions.is_all(name) else escapes.page(name)


def _card_id(name: str) -> str:
    return f"email={escapes.page(name)}" if "@" in name.strip("@") else f"id={_id(name)}"


DIALECT = Dialect(
    "feishu",
    read,
    request,
    verdicts.by(BOOK),
    rates=((5, 1.0), (100, 60.0)),
    digest=True,
    types=("card", "text"),
    page=page,
    calls=mentions.anybody,
)
