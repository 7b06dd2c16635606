# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``wecom://KEY``: a group robot of WeCom (https://developer.work.weixin.qq.com/document/path/99110).

The key is the only secret. Success is errcode 0 in the body, whatever HTTP says; 20 messages a minute and robot.
"""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import texts, webhook
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
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import read_endpoint, take_query

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

LIMIT = 4096  # bytes of UTF-8 in markdown.content
_HOST = ("https", "qyapi.weixin.qq.com", 443)
_COLORS = {"critical": "warning", "error": "warning", "warning": "comment", "info": "info"}
# Codes that do not mean "never": -1 busy, 45009 and 45033 too often.
_AGAIN = {-1: (RETRY, 0.0), 45009: (THROTTLED, 60.0), 45033: (THROTTLED, 10.0)}
_BAD_TEXT = 40058
_MEANING = {
    40008: "the message type is not known",
    _BAD_TEXT: "the content is too long or not valid",
    93000: "the robot's key is not valid",
}


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    key = urllib.parse.unquote(parts.netloc)
    channel.masked = masked_url("wecom", "", True)
    if not key or parts.path.strip("/"):
        raise ChannelError("The channel wecom://… needs the robot's key and nothing else; write it like wecom://KEY.")
    channel.secrets = {key, parts.netloc}
    given = take_query(channel, parts.query)
    channel.origin = read_endpoint(channel, given["endpoint"]) if "endpoint" in given else _HOST
    channel.path = "/cgi-bin/webhook/send?key=" + urllib.parse.quote(key, safe="")


def request(channel: Channel, event: Event) -> Request:
    """A markdown message, shortened at a line to what the robot takes."""
    return _message(texts.fitted(event, channel.language, _colored, LIMIT))


def digest(channel: Channel, events: t.Sequence[Event]) -> Request:
    """Several events as one message: the worst first, as many as the robot takes."""
    return _message(texts.digest(events, channel.language, _colored, LIMIT))


def _message(content: str) -> Request:
    body = {"msgtype": "markdown", "markdown": {"content": content}}
    return Request(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), {"Content-Type": "application/json"})


def _colored(text: str, event: Event) -> str:
    color = "info" if event["status"] == "resolved" else _COLORS.get(event["severity"], "warning")
    return f'<font color="{color}">{text}</font>'


def judge(answer: Answer) -> Verdict:
    if answer.status != 200:
        return webhook.judge(answer) if not 200 <= answer.status < 300 else Verdict(RETRY, str(answer.status), "the answer is not WeCom's")
    try:
        code = json.loads(answer.body.decode("utf-8"))["errcode"]
    except (ValueError, KeyError, TypeError):
        return Verdict(RETRY, "no_json", "the answer is not WeCom's: no errcode in it (a portal or a proxy answered?)")
    if code == 0 and not isinstance(code, bool):
        return Verdict(SENT, "0")
    if code in _AGAIN:
        kind, wait = _AGAIN[code]
        return Verdict(kind, str(code), "WeCom is busy" if kind == RETRY else "the robot is told too often", wait)
    message = f"WeCom refuses it: {_MEANING.get(code, 'its documents say why')} (errcode {code})"
    return Verdict(DEAD, str(code), message, of_text=code == _BAD_TEXT)


DIALECT = Dialect("wecom", read, request, judge, rate=(20, 60.0), digest=digest)
