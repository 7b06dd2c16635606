# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``teams://``: the URL of a Teams workflow with ``teams`` in place of ``https``, or of an old Office 365 connector.

A workflow gets an adaptive card and answers 202, which says no more than that it was started. A connector gets a MessageCard and answers
200 to everything; its body is ``1``, or tells the error. The limit of 28 KB is measured on what Teams makes of it.
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, mentions, portions, texts, verdicts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
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

LIMIT = 16000  # bytes of text; 24,453 bytes of a whole request were seen to fail
_CONNECTORS = (".webhook.office.com", "outlook.office.com", "outlook.office365.com")
_COLORS = {"critical": "Attention", "error": "Attention", "warning": "Warning", "info": "Accent"}
_HEX = {"Attention": "C4314B", "Warning": "F8A800", "Accent": "0078D4", "Good": "13A10E"}
_HTTP_ERROR = re.compile(r"HTTP error (\d{3})")
STYLE = texts.Style(escapes.markdown, lambda text, _event: f"**{text}**", "**{}:** {}".format, size=texts.json_size, end="\n\n")


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    channel.masked = masked_url("teams", parts.hostname or "", True)
    if not parts.hostname or not parts.path.strip("/"):
        raise ChannelError("The channel teams://… needs the whole URL of the workflow, with teams in place of https.")
    channel.secrets |= {segment for segment in parts.path.split("/") if len(segment) >= 20}
    # `type` and the like are ours, all else is the flow's: api-version, sp, sv, sig
    given = take_query(channel, parts.query, rest=True)
    channel.origin = read_endpoint(channel, given, ("https", parts.hostname, parts.port or 443))
    given.pop("endpoint", None)
    channel.path = parts.path + ("?" + urllib.parse.urlencode(given) if given else "")
    channel.type = channel.type or ("connector" if parts.hostname.endswith(_CONNECTORS) else "workflow")


def page(_channel: Channel, _events: t.Sequence[Event]) -> portions.Page:
    """What one message holds."""
    return portions.Page(STYLE, LIMIT)


def request(channel: Channel, events: t.Sequence[Event]) -> Request:
    told = texts.letter(events, channel.language, STYLE, int(LIMIT * channel.room))
    color = "Good" if told.event["status"] == "resolved" else _COLORS.get(told.event["severity"], "Attention")
    if channel.type == "connector":
        card = {"@type": "MessageCard", "@context": "https://schema.org/extensions", "themeColor": _HEX[color]}
        return as_json(dict(card, summary=told.title, title=escapes.markdown(told.title), text=told.text))
    called = mentions.of(channel, events)
    body = [{"type": "TextBlock", "text": escapes.markdown(told.title), "weight": "Bolder", "size": "Large", "color": color, "wrap": True},
            {"type": "TextBlock", "text": told.text, "wrap": True}]  # fmt: skip
    if called:
        body.append({"type": "TextBlock", "text": " ".join(f"<at>{name}</at>" for name in called), "wrap": True})
    entities = [{"type": "mention", "text": f"<at>{name}</at>", "mentioned": {"id": name, "name": name}} for name in called]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "msteams": {"width": "Full", "entities": entities},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return as_json({"type": "message", "attachments": [attachment]})


def judge(channel: Channel, answer: Answer) -> Verdict:
    said, body = verdicts.said(answer), verdicts.parsed(answer)
    inside = _HTTP_ERROR.search(said)
    is_good = 200 <= answer.status < 300
    if is_good and inside:
        return _wrapped(int(inside.group(1)))
    if channel.type == "connector" and is_good and (answer.status != 200 or said != "1"):
        return Verdict(RETRY, "not_1", "the connector does not say 1, so nobody knows whether it was told", tries=2)
    if channel.type == "workflow" and is_good and verdicts.is_page(answer):
        return verdicts.stranger("not_teams", "a workflow's")
    if channel.type == "workflow" and is_good and (answer.status not in (200, 202) or (isinstance(body, dict) and body.get("error"))):
        return Verdict(RETRY, str(answer.status), f"the answer is not a workflow's (HTTP {answer.status})", tries=2)
    if answer.status in (401, 403, 404):
        return Verdict(DEAD, str(answer.status), f"the workflow is not there any more, or its URL is wrong (HTTP {answer.status})")
    return verdicts.http(answer)


def _wrapped(status: int) -> Verdict:
    """An error that a connector hands on in an answer of 200."""
    if status == 429:
        return Verdict(THROTTLED, "429", "Teams asks to wait (HTTP 429 in an answer of 200)", 60.0, 600.0)
    return verdicts.http(Answer(status, {}, b""))


DIALECT = Dialect(
    "teams",
    read,
    request,
    judge,
    rates=((4, 1.0), (60, 30.0)),
    digest=True,
    types=("workflow", "connector"),
    page=page,
    calls=mentions.anybody,
)
