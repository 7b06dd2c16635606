# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read in a chat, in English and Chinese, in the form and within the size that a dialect asks for.

Text of users is escaped piece by piece and shortened before that, so that nothing is ever cut within a character, a tag or an escape.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.digest import NAMES, Finding, findings
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import rank

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_LEAST_MESSAGE = 80
LEAST_LINE = 240  # of one event in a digest
# How long a name or a value may be where all of them together leave no room for the message.
_FACTS = (2000, 400, 160, 60, 24)
_TITLE = 200
_JOINED = re.compile(r"[\u0300-\u036f\u200d\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")

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
        "hosts more": "and {count} more",
        "such as": "such as {host}: {message}",
        "total": "In all",
        "all": "All of them",
        "acknowledged": "Acknowledged",
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
        "hosts more": "等,另有 {count} 台",
        "such as": "例如 {host}: {message}",
        "total": "合计",
        "all": "完整列表",
        "acknowledged": "已确认",
    },
}


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def json_size(text: str) -> int:
    """Bytes of a text as it stands in JSON."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2


def units(text: str) -> int:
    """Units of UTF-16, which is what JavaScript counts, and never less than characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class Style(t.NamedTuple):
    """How a dialect writes.

    :ivar escape: a text of users, so that nothing in it has a meaning
    :ivar head: an escaped headline, made to stand out
    :ivar fact: an escaped name and value
    :ivar size: what the vendor counts
    :ivar end: between two lines
    """

    escape: t.Callable[[str], str]
    head: t.Callable[[str, Event], str] = lambda text, _event: f"**{text}**"
    fact: t.Callable[[str, str], str] = lambda name, value: f"> {name}: {value}"
    size: t.Callable[[str], int] = size
    end: str = "\n"


class Letter(t.NamedTuple):
    """What is to be told, of one event or several.

    :ivar title: one line without any markup
    :ivar text: all else, in the dialect
    :ivar event: the event, or the worst of them
    :ivar events: those it tells of, the worst first
    :ivar left: how many of them are counted alone, as there is no room
    """

    title: str
    text: str
    event: Event
    events: list[Event]
    left: int = 0


def headline(event: Event, language: str) -> str:
    """``[Critical] shop front page``, or what a template of the user made of it (``_title``)."""
    if event.get("_title"):
        return inline(event["_title"])
    return inline(f"[{_state(event, WORDS[language])}] {event['check'] or event['service']}")


def _state(event: Event, words: t.Mapping[str, str]) -> str:
    return words[event["status"]] if event["status"] != "firing" else words.get(event["severity"], event["severity"])


def facts(event: Event, language: str) -> list[tuple[str, str]]:
    """(name, value) of what is known beside the message, annotations last; nothing where a template of the user says it all (``_text``)."""
    if event.get("_text"):
        return []
    words = WORDS[language]
    found = [
        (words["service"], event["service"] if event["check"] else ""),
        (words["instance"], event["instance"]),
        (words["since"], event["starts_at"] or ""),
        (words["until"], event["ends_at"] or ""),
        (words["duration"], lasted(event["duration_seconds"]) if event["duration_seconds"] is not None else ""),
        (words["count"], f"{event['count']} {words['times']}" if event["count"] > 1 else ""),
        (words["cause"], event["context"].get("caused_by") or ""),
        (words["labels"], ", ".join(f"{name}={value}" for name, value in event["labels"].items())),
        *event["annotations"].items(),
    ]
    return [(inline(str(name)), inline(str(value))) for name, value in found if value]


def inline(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def lasted(seconds: float) -> str:
    """``1h 12m``, ``45s``: the two largest units."""
    left = int(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= length or (unit == "s" and not parts):
            parts.append(f"{left // length}{unit}")
            left %= length
    return " ".join(parts[:2])


def letter(events: t.Sequence[Event], language: str, style: Style, limit: int) -> Letter:
    """What is to be told, the text in at most ``limit`` of what the style counts.

    Of several events: how many there are of what, then all of them in full where they fit, else a line each, the worst first; the last line
    tells how many are left out. The same finding on many hosts is one. An alert that has ended since is told by its end alone.
    What is one part of several (``_part``, see portions) says so in its title.
    """
    told = shown(events)
    if len(told) == 1:
        return Letter(_titled(headline(told[0], language), told[0]), body(told[0], language, style, limit), told[0], told)
    title, (name, value) = _summary(told, language)
    counts = style.fact(style.escape(name), style.escape(value))
    found = found_in(told, language)
    full = (style.end * 2).join([counts, *(_full(one.event, language, style) for one in found)])
    more = told[0].get("_more") if any(one.number > NAMES for one in found) else ""  # hosts that are not named are to be read there
    tail = style.end + style.fact(style.escape(WORDS[language]["all"]), style.escape(inline(more))) if more else ""
    room = limit - style.size(tail)
    text, left = (full, 0) if style.size(full) <= room else _listed(counts, found, language, style, room)
    return Letter(_titled(title, told[0]), text + ("" if left else tail), told[0], told, left)


def shown(events: t.Sequence[Event]) -> list[Event]:
    """Those that are told, the worst first: of an alert that has ended its end alone."""
    over = {event["alert_id"] for event in events if event["status"] == "resolved"}
    return sorted((event for event in events if event["status"] == "resolved" or event["alert_id"] not in over), key=_worst_first)


def found_in(told: t.Sequence[Event], language: str) -> list[Finding]:
    """The events, what many hosts have in common as one."""
    return findings(told, WORDS[language]["such as"], WORDS[language]["hosts more"])


def _titled(title: str, event: Event) -> str:
    part = f" ({event['_part']})" if event.get("_part") else ""
    return clipped(title, _TITLE - len(part)) + part


def whole(events: t.Sequence[Event], language: str, style: Style, limit: int) -> str:
    """The same with the headline in the text."""
    told = letter(events, language, style, limit)
    head = style.head(style.escape(clipped(told.title, limit // 8)), told.event) + style.end
    told = letter(events, language, style, limit - style.size(head))
    return head + told.text


def _full(event: Event, language: str, style: Style) -> str:
    lines = [style.head(style.escape(headline(event, language)), event), _lines(event["message"], style)]
    return style.end.join([*lines, *(style.fact(style.escape(name), style.escape(value)) for name, value in facts(event, language))])


def _lines(text: str, style: Style) -> str:
    return style.end.join(style.escape(line) for line in text.splitlines())


def body(event: Event, language: str, style: Style, limit: int) -> str:
    """Message and facts; what has to go goes from the end of the message first, then of long values, then the last facts."""
    more = style.escape(WORDS[language]["more"])
    found = facts(event, language)
    for longest, number in [
        *((longest, len(found)) for longest in _FACTS),
        *((_FACTS[-1], number) for number in range(len(found) - 1, -1, -1)),
    ]:
        shown = [(clipped(name, longest), clipped(value, longest)) for name, value in found[:number]]
        tail = "".join(style.end + style.fact(style.escape(name), style.escape(value)) for name, value in shown)
        text = fitted(event["message"], style, limit - style.size(tail), more)
        if text is not None:
            return text + tail
    return ""


def fitted(text: str, style: Style, room: int, more: str, least: int = _LEAST_MESSAGE) -> str | None:
    """Text of users in the dialect: all of it, or as much as fits, up to the end of a line where one is near; None where that is too little."""
    every = _lines(text, style)
    if style.size(every) <= room:
        return every
    if room < least:
        return None
    return _lines(text[: fitting(text, style, room - style.size(style.end + more))], style) + style.end + more


def fitting(text: str, style: Style, room: int) -> int:
    """How many characters of a text fit, up to the end of a line or at least of a word where one is near, and never within a character."""
    good, bad = 0, len(text) + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if style.size(_lines(text[:middle], style)) <= room else (good, middle)
    if good == len(text):
        return good
    for end in ("\n", " "):
        found = text.rfind(end, 0, good + 1)
        if found > good // 2:
            return found
    while good > 1 and (_JOINED.match(text[good]) or text[good - 1] == "\u200d"):  # it belongs to what is before it, such as an accent
        good -= 1
    return good


def clipped(text: str, most: int) -> str:
    """At most so many characters (of UTF-16, as some vendors count), the last one a sign that it was shortened."""
    if units(text) <= most:
        return text
    kept = text[: max(most - 1, 0)]
    while units(kept) > most - 1 and kept:
        kept = kept[:-1]
    return kept + "…"


def _worst_first(event: Event) -> tuple[int, str, str]:
    return 1 if event["status"] == "resolved" else -rank(event["severity"]), event["instance"], event["check"]


def _summary(events: t.Sequence[Event], language: str) -> tuple[str, tuple[str, str]]:
    """``[Critical] 12 alerts, 3 hosts`` and, as a fact, how many there are of what."""
    words = WORDS[language]
    hosts = sorted({event["instance"] for event in events})
    of = "" if len(hosts) > 1 or not hosts[0] else f"{hosts[0]}: "
    title = of + words["hosts" if len(hosts) > 1 else "alerts"].format(count=len(events), hosts=len(hosts))
    states = [_state(event, words) for event in events]
    counts = ", ".join(f"{state} {states.count(state)}" for state in dict.fromkeys(states))
    return inline(f"[{states[0]}] {title}"), (words["total"], counts)


def rest(event: Event, number: int, language: str) -> str:
    """``… and 140 more``, and where to read them: what the user named (``_more``), or the page of the job."""
    others, place = WORDS[language]["others"].format(count=number), event.get("_more") or event["annotations"].get("run")
    return f"{others}: {place}" if place else others


def _listed(counts: str, found: t.Sequence[Finding], language: str, style: Style, limit: int) -> tuple[str, int]:
    """A line each as far as there is room, and how many events are counted alone."""
    one_host, left = len({one.event["instance"] for one in found}) == 1, sum(one.number for one in found)
    lines, room = [counts], limit - style.size(counts)
    gap = style.size(style.end)
    longest = max(LEAST_LINE, room // len(found) - 8)
    for number, (event, many, _of) in enumerate(found):
        line = one_line(event, language, not one_host)
        written = style.escape(line)
        while style.size(written) > longest:
            line = clipped(line, max(len(line) * longest // (style.size(written) + 1), 1))
            written = style.escape(line)
        others = style.escape(rest(event, left, language))
        left -= many
        if (number + 1 < len(found) and room - style.size(written) - gap < style.size(others) + gap) or room < style.size(written) + gap:
            return style.end.join([*lines, others]), left + many
        lines.append(written)
        room -= style.size(written) + gap
    return style.end.join(lines), 0


def one_line(event: Event, language: str, places: bool) -> str:
    """An event in a line."""
    place = f" ({event['instance']})" if places and event["instance"] else ""
    return inline(f"{headline(event, language)}{place}: {event['message']}")
