# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not fit into one message of a chat goes in several: a long list of alerts, and one long text, cut at the end of a line.

A part of a list is alerts as a whole, so each is told once whichever part fails. Of a long text the store knows how many parts were taken.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import texts

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

MOST = 5  # messages that one list, or one text, makes at most
WITHIN = 10.0  # seconds; half of what a robot takes in these may be parts
_LONGEST = 2000  # name or value beside a text that is cut
_LEAST_ROOM = 400
_RESERVE = 24  # for "(2/5)" and what a title is wrapped in beside it


class Page(t.NamedTuple):
    """How and how much a channel writes in one message, its headline among it."""

    style: texts.Style
    limit: int


def of_list(events: t.Sequence[Event], language: str, page: Page, most: int) -> list[list[str]]:
    """The ids of the alerts in each part, the worst first; one part where all fit, or where no more may be sent.

    What is left goes into the last part, which counts what it has no room for.
    """
    style, room = page.style, _room(events, language, page)
    told = texts.letter(events, language, style, room)
    if not told.left or most < 2:
        return [[event["alert_id"] for event in told.events]]
    gap, places = style.size(style.end), len({event["instance"] for event in told.events}) > 1
    # the first line counts what there is, and the last might count what is left
    space = room - 2 * (style.size(told.text.split(style.end)[0]) + gap) - texts.size(texts.rest(told.event, len(told.events), language))
    parts: list[list[str]] = [[]]
    free = space
    for one in texts.found_in(told.events, language):
        line = style.size(style.escape(texts.one_line(one.event, language, places))) + gap
        taken = min(line, texts.LEAST_LINE + gap)
        if taken > free and parts[-1] and len(parts) < most:
            parts.append([])
            free = space
        parts[-1] += [event["alert_id"] for event in one.of]
        free -= taken
    return parts


def of_text(event: Event, language: str, page: Page, most: int) -> list[Event]:
    """The event, or parts of it that are told one after the other: the first with all facts, the last shortened where there are too many."""
    style, room = page.style, _room([event], language, page)
    if most < 2 or _is_whole(event, language, style, room):
        return [event]
    tail = _facts(event, language, style)
    left, chunks = str(event["message"]), t.cast("list[str]", [])
    while left and len(chunks) < most - 1:
        space = room - tail if not chunks else room
        if space < _LEAST_ROOM:
            return [event]
        end = texts.fitting(left, style, space)
        chunks.append(left[:end])
        left = left[end:].lstrip("\n") if left[end : end + 1] == "\n" else left[end:].lstrip(" ")
    chunks += [left] if left else []
    if len(chunks) < 2:
        return [event]
    return [_slice(event, chunk, number, len(chunks)) for number, chunk in enumerate(chunks)]


def print_of(slices: t.Sequence[Event]) -> str:
    """Whether the parts of a text are still those of which some were taken."""
    text = "\0".join(str(event["message"]) for event in slices)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _slice(event: Event, text: str, number: int, count: int) -> Event:
    one = dict(event, message=text, _part=f"{number + 1}/{count}")
    return one if not number else dict(one, _text=True, _mention=())


def _room(events: t.Sequence[Event], language: str, page: Page) -> int:
    """What the text may take beside its headline."""
    told = texts.letter(events, language, page.style, 1)
    head = page.style.head(page.style.escape(texts.clipped(told.title, page.limit // 8)), told.event)
    return page.limit - page.style.size(head + page.style.end) - _RESERVE


def _facts(event: Event, language: str, style: texts.Style) -> int:
    lines = (
        style.end + style.fact(style.escape(texts.clipped(name, _LONGEST)), style.escape(texts.clipped(value, _LONGEST)))
        for name, value in texts.facts(event, language)
    )
    return style.size("".join(lines))


def _is_whole(event: Event, language: str, style: texts.Style, room: int) -> bool:
    lines = style.end.join(style.escape(line) for line in event["message"].splitlines())
    return style.size(lines) + _facts(event, language, style) <= room
