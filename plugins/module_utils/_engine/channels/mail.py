# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mail of one event or several: a text and the same as HTML, a subject in any script, headers by which it is found in its thread."""

from __future__ import annotations

import email.message
import email.policy
import email.utils
import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, texts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

LIMIT = 200_000  # bytes of text
_THREADS = 20
_COLORS = {"critical": "#c4314b", "error": "#c4314b", "warning": "#b86e00", "info": "#0060a8"}
_GREEN = "#0f7a0a"
_TEXT = texts.Style(escapes.plain, lambda text, _event: text, "{}: {}".format)


def _color(event: Event) -> str:
    return _GREEN if event["status"] == "resolved" else _COLORS.get(event["severity"], _COLORS["error"])


def _head(text: str, event: Event) -> str:
    return f'<b style="color:{_color(event)}">{text}</b>'


_PAGE = texts.Style(escapes.page, _head, "<b>{}:</b> {}".format, end="<br>\r\n")


def compose(channel: Channel, events: t.Sequence[Event]) -> tuple[str, bytes]:
    """(Message-ID, the mail). The same events make the same ID whoever sends them, so that a mail that comes twice is known as one."""
    limit = int(LIMIT * channel.room)
    told = texts.letter(events, channel.language, _TEXT, limit)
    domain = channel.own["from"].rpartition("@")[2]
    name = hashlib.sha256("\n".join(sorted(str(event["event_id"] or event["alert_id"]) for event in events)).encode()).hexdigest()[:32]
    message = email.message.EmailMessage(policy=email.policy.SMTP.clone(cte_type="7bit"))
    message["Subject"] = _clean(told.title)
    message["From"] = channel.own["from"]
    message["To"] = ", ".join(channel.own["to"])
    message["Date"] = email.utils.formatdate(usegmt=True)
    message["Message-ID"] = f"<{name}@{domain}>"
    threads = [f"<{event['alert_id']}@{domain}>" for event in told.events[:_THREADS]]
    message["References"] = " ".join(dict.fromkeys(threads))
    message["In-Reply-To"] = threads[0]
    message["Auto-Submitted"] = "auto-generated"
    message["X-Vigil-Status"] = told.event["status"]
    if told.event["status"] != "resolved" and told.event["severity"] == "critical":
        message["Importance"] = "high"
    message.set_content(_clean(told.title + "\n\n" + told.text + "\n"))
    page = texts.whole(events, channel.language, _PAGE, limit)
    message.add_alternative(
        f'<!DOCTYPE html>\r\n<html><body style="font-family:sans-serif">\r\n{_clean(page)}\r\n</body></html>\r\n', subtype="html"
    )
    return name, message.as_bytes()


def _clean(text: str) -> str:
    """Without halves of characters, which no mail can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
