# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read in a chat, in English and Chinese."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import rank

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_LEAST_MESSAGE = 80
_LEAST_LINE = 240  # bytes of one event in a digest

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
        "alerts": "{count} alerts",
        "hosts": "{count} alerts, {hosts} hosts",
        "others": "… and {count} more",
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
        "alerts": "{count} 条告警",
        "hosts": "{count} 条告警,涉及 {hosts} 台主机",
        "others": "…另有 {count} 条",
    },
}


def headline(event: Event, language: str) -> str:
    """``[Critical] shop front page``."""
    return f"[{_state(event, WORDS[language])}] {event['check'] or event['service']}"


def _state(event: Event, words: t.Mapping[str, str]) -> str:
    return words["resolved"] if event["status"] == "resolved" else words.get(event["severity"], event["severity"])


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


def digest(events: t.Sequence[Event], language: str, paint: t.Callable[[str, Event], str], limit: int) -> str:
    """Several events as Markdown in at most ``limit`` bytes of UTF-8, the worst first.

    How many there are of what, then all of them in full where they fit, else a line each; the last line tells how many are left out.
    An alert that has ended since is told by its end alone.
    """
    over = {event["alert_id"] for event in events if event["status"] == "resolved"}
    shown = sorted((event for event in events if event["status"] == "resolved" or event["alert_id"] not in over), key=_worst_first)
    if len(shown) == 1:
        return fitted(shown[0], language, paint, limit)
    head = _summary(shown, language, paint)
    full = "\n\n".join([head, *(markdown(event, language, paint) for event in shown)])
    text = full if size(full) <= limit else _listed(head, shown, language, limit)
    return text if size(text) <= limit else cut(text, limit)


def _worst_first(event: Event) -> tuple[int, str, str]:
    return 1 if event["status"] == "resolved" else -rank(event["severity"]), event["instance"], event["check"]


def _summary(events: t.Sequence[Event], language: str, paint: t.Callable[[str, Event], str]) -> str:
    """``[Critical] 12 alerts, 3 hosts`` and, in a second line, how many there are of what."""
    words = WORDS[language]
    hosts = sorted({event["instance"] for event in events})
    of = "" if len(hosts) > 1 or not hosts[0] else f"{hosts[0]}: "
    title = of + words["hosts" if len(hosts) > 1 else "alerts"].format(count=len(events), hosts=len(hosts))
    states = [_state(event, words) for event in events]
    counts = ", ".join(f"{state} {states.count(state)}" for state in dict.fromkeys(states))
    return f"**{paint(_inline(f'[{states[0]}] {title}'), events[0])}**\n> {counts}"


def _listed(head: str, events: t.Sequence[Event], language: str, limit: int) -> str:
    words, one_host = WORDS[language], len({event["instance"] for event in events}) == 1
    lines, room = [head], limit - size(head)
    longest = max(_LEAST_LINE, room // len(events) - 8)
    for number, event in enumerate(events):
        place = "" if one_host or not event["instance"] else f" ({event['instance']})"
        line = _inline(f"{headline(event, language)}{place}: {event['message']}")
        line = line if size(line) <= longest else cut(line, longest) + "…"
        others = words["others"].format(count=len(events) - number)
        if (number + 1 < len(events) and room - size(line) - 1 < size(others) + 1) or room < size(line) + 1:
            return "\n".join([*lines, others])
        lines.append(line)
        room -= size(line) + 1
    return "\n".join(lines)


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def cut(text: str, room: int) -> str:
    """The beginning of a text that fits in ``room`` bytes, up to the end of a line where one is near, never inside a character."""
    kept = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    line = kept.rfind("\n")
    return kept[:line] if line > len(kept) // 2 else kept
