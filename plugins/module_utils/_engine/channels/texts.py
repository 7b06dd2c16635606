# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read in a chat, in English and Chinese."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_LEAST_MESSAGE = 80

WORDS = {
    "en": {
        "critical": "Critical",
        "error": "Error",
        "warning": "Warning",
        "info": "Info",
        "resolved": "Resolved",
        "service": "Service",
        "instance": "Instance",
        "since": "Since",
        "until": "Until",
        "duration": "Lasted",
        "count": "Seen",
        "times": "times",
        "cause": "Caused by",
        "labels": "Labels",
        "more": "… (shortened)",
    },
    "zh": {
        "critical": "严重",
        "error": "错误",
        "warning": "警告",
        "info": "通知",
        "resolved": "已恢复",
        "service": "服务",
        "instance": "实例",
        "since": "开始时间",
        "until": "恢复时间",
        "duration": "持续",
        "count": "已出现",
        "times": "次",
        "cause": "起因",
        "labels": "标签",
        "more": "…(内容已截短)",
    },
}


def headline(event: Event, language: str) -> str:
    """``[Critical] shop front page``."""
    words = WORDS[language]
    state = words["resolved"] if event["status"] == "resolved" else words.get(event["severity"], event["severity"])
    return f"[{state}] {event['check'] or event['service']}"


def markdown(event: Event, language: str, paint: t.Callable[[str, Event], str]) -> str:
    """The event as lines of Markdown; ``paint`` colours the headline. What is not known makes no line."""
    words = WORDS[language]
    facts = [
        (words["service"], event["service"] if event["check"] else ""),
        (words["instance"], event["instance"]),
        (words["since"], event["starts_at"] or ""),
        (words["until"], event["ends_at"] or ""),
        (words["duration"], lasted(event["duration_seconds"]) if event["duration_seconds"] is not None else ""),
        (words["count"], f"{event['count']} {words['times']}" if event["count"] > 1 else ""),
        (words["cause"], event["context"].get("caused_by") or ""),
        (words["labels"], ", ".join(f"{name}={value}" for name, value in event["labels"].items())),
    ]
    lines = [f"**{paint(_inline(headline(event, language)), event)}**", event["message"]]
    lines += [f"> {name}: {_inline(str(value))}" for name, value in facts if value]
    lines += [f"> {_inline(name)}: {_inline(value)}" for name, value in event["annotations"].items()]
    return "\n".join(lines)


def _inline(text: str) -> str:
    return " ".join(text.split())


def lasted(seconds: float) -> str:
    """``1h 12m``, ``45s``: the two largest units."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2])


def fitted(event: Event, language: str, paint: t.Callable[[str, Event], str], limit: int) -> str:
    """The event as Markdown in at most ``limit`` bytes of UTF-8; what has to go goes from the end of the message first."""
    text = markdown(event, language, paint)
    more = "\n" + WORDS[language]["more"]
    over = size(text) - limit
    if over <= 0:
        return text
    room = size(event["message"]) - over - size(more)
    if room >= _LEAST_MESSAGE:
        return markdown(dict(event, message=cut(event["message"], room) + more), language, paint)
    return cut(text, limit - size(more)) + more


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def cut(text: str, room: int) -> str:
    """The beginning of a text that fits in ``room`` bytes, up to the end of a line where one is near, never inside a character."""
    kept = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    line = kept.rfind("\n")
    return kept[:line] if line > len(kept) // 2 else kept
