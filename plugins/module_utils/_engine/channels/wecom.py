# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``wecom://KEY``: a group robot of WeCom (https://developer.work.weixin.qq.com/document/path/99110).

The key is the only secret. Success is errcode 0 in the body, whatever HTTP says; 20 messages a minute and robot; bytes are counted.
"""

from __future__ import annotations

import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, mentions, portions, texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, ChannelError, Dialect, Request, masked_url
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import as_json, read_endpoint, take_query

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

LIMITS = {"markdown": 4096, "markdown_v2": 4096, "text": 2048}  # bytes of UTF-8
# Characters that a card has room for on a phone; it has no limit in bytes. At most 6 facts.
_CARD = {"title": 40, "desc": 112, "name": 12, "value": 50, "facts": 6}
_HOST = ("https", "qyapi.weixin.qq.com", 443)
_COLORS = {"critical": "warning", "error": "warning", "warning": "comment", "info": "info"}
_CARD_COLORS = {"critical": 2, "error": 2, "warning": 1, "info": 0}  # of the source line: grey, black, red, green
BOOK = verdicts.Book(
    "WeCom",
    ("errcode",),
    busy=(-1,),
    throttled={45009: (60.0, 60.0), 45033: (10.0, 60.0)},
    refused={40008: "the message type is not known", 93000: "the robot's key is not valid"},
    too_long={40058: "the content is too long or not valid"},
)


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    key = urllib.parse.unquote(parts.netloc)
    channel.masked = masked_url("wecom", "", True)
    if not key or parts.path.strip("/"):
        raise ChannelError("The channel wecom://… needs the robot's key and nothing else; write it like wecom://KEY.")
    channel.secrets = {key, parts.netloc}
    given = take_query(channel, parts.query, ("url",))
    channel.origin = read_endpoint(channel, given, _HOST)
    channel.own["url"] = given.get("url", "")
    channel.path = "/cgi-bin/webhook/send?key=" + urllib.parse.quote(key, safe="")


def _painted(text: str, event: Event) -> str:
    color = "info" if event["status"] == "resolved" else _COLORS.get(event["severity"], "warning")
    return f'**<font color="{color}">{text}</font>**'


MARKDOWN = texts.Style(escapes.robot, _painted)
_MARKDOWN_2 = texts.Style(escapes.robot)
_TEXT = texts.Style(escapes.plain, lambda text, _event: text, "{}: {}".format)
_STYLES = {"markdown": MARKDOWN, "markdown_v2": _MARKDOWN_2, "text": _TEXT}


def page(channel: Channel, events: t.Sequence[Event]) -> portions.Page | None:
    """What one message holds; a card has no room for a long text anyway."""
    called = mentions.of(channel, events)
    kind = _kind(_wanted(channel, events), called)
    if kind == "template_card":
        return None
    return portions.Page(_STYLES[kind], LIMITS[kind] - (texts.size(_tail(called)) if kind == "markdown" else 0))


def _wanted(channel: Channel, events: t.Sequence[Event]) -> str:
    return "markdown" if channel.type == "template_card" and len(events) > 1 else channel.type


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    """One message, shortened at a line to what the robot takes."""
    called = mentions.of(channel, events)
    kind = _kind(_wanted(channel, events), called)
    return as_json(dict(_WRITE[kind](channel, events, called), msgtype=kind))


def _kind(wanted: str, called: t.Sequence[str]) -> str:
    """Markdown can call people by their id alone, a text everybody and phone numbers as well, and the other kinds nobody."""
    if not called or wanted == "text":
        return wanted
    return "text" if wanted == "template_card" or any(mentions.is_all(name) or mentions.is_phone(name) for name in called) else "markdown"


def _tail(called: t.Sequence[str]) -> str:
    return "".join(f"\n<@{name}>" for name in called)


def _markdown(channel: Channel, events: t.Sequence[Event], called: t.Sequence[str]) -> dict[str, t.Any]:
    tail = _tail(called)
    return {"markdown": {"content": _fitted(channel, events, "markdown", MARKDOWN, texts.size(tail)) + tail}}


def _markdown_v2(channel: Channel, events: t.Sequence[Event], _called: t.Sequence[str]) -> dict[str, t.Any]:
    return {"markdown_v2": {"content": _fitted(channel, events, "markdown_v2", _MARKDOWN_2)}}


def _text(channel: Channel, events: t.Sequence[Event], called: t.Sequence[str]) -> dict[str, t.Any]:
    names = ["@all" if mentions.is_all(name) else name for name in called]
    phones = [name for name in names if mentions.is_phone(name)]
    people = [name for name in names if name not in phones]
    return {"text": {"content": _fitted(channel, events, "text", _TEXT), "mentioned_list": people, "mentioned_mobile_list": phones}}


def _fitted(channel: Channel, events: t.Sequence[Event], kind: str, style: texts.Style, taken: int = 0) -> str:
    return texts.whole(events, channel.language, style, int(LIMITS[kind] * channel.room) - taken)


def _cut(text: str, what: str) -> str:
    return texts.clipped(text, _CARD[what])


def _card(channel: Channel, events: t.Sequence[Event], _called: t.Sequence[str]) -> dict[str, t.Any]:
    """One alert. A card cannot be without somewhere to go: the first link among the annotations, or the one of the channel."""
    told = texts.letter(events, channel.language, _TEXT, int(LIMITS["text"] * channel.room))
    links = [value for event in told.events for value in event["annotations"].values() if value.startswith(("http://", "https://"))]
    color = 3 if told.event["status"] == "resolved" else _CARD_COLORS.get(told.event["severity"], 2)
    shown = texts.facts(told.event, channel.language)[: _CARD["facts"]]
    card: dict[str, t.Any] = {
        "card_type": "text_notice",
        "source": {"desc": "vigil", "desc_color": color},
        "main_title": {"title": _cut(told.title, "title"), "desc": _cut(told.event["message"], "desc")},
        "horizontal_content_list": [{"keyname": _cut(name, "name"), "value": _cut(value, "value")} for name, value in shown],
        "card_action": {"type": 1, "url": (links or [channel.own["url"] or "https://work.weixin.qq.com"])[0]},
    }
    return {"template_card": card}


_WRITE: dict[str, t.Callable[[Channel, t.Sequence[Event], t.Sequence[str]], dict[str, t.Any]]] = {
    "markdown": _markdown,
    "markdown_v2": _markdown_v2,
    "text": _text,
    "template_card": _card,
}
DIALECT = Dialect(
    "wecom", read, request, verdicts.by(BOOK), rates=((20, 60.0),), digest=True, types=tuple(_WRITE), page=page, calls=mentions.anybody
)
