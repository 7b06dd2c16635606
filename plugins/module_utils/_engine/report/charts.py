# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drawings of the HTML report: status signs, the ring of hosts, the bar of checks, sparklines. All inline SVG without style attributes."""

from __future__ import annotations

import html
import typing as t

# 16 x 16, one shape for each status so that colour is never the only sign.
_SHAPES = {
    "ok": ('<circle cx="8" cy="8" r="7" class="sf"/>', "M4.8 8.3l2.2 2.2 4.3-4.7"),
    "warning": ('<path d="M8 1.2 15.3 14.2H.7z" class="sf"/>', "M8 6v4M8 12.1v.1"),
    "critical": ('<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" class="sf"/>', "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"),
    "unknown": (
        '<rect x="1" y="1" width="14" height="14" rx="4" class="sf"/>',
        "M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.7v.1",
    ),
    "skipped": ('<circle cx="8" cy="8" r="6.2" class="so"/>', "M5 8h6"),
    "unreachable": ('<circle cx="8" cy="8" r="6.2" class="so"/>', "M3.8 3.8l8.4 8.4"),
}
_OPEN = ("skipped", "unreachable")


def symbols() -> str:
    """The signs, once; `sign()` refers to them."""
    drawn = []
    for status, (area, mark) in _SHAPES.items():
        mark = '<path d="{}" class="{}"/>'.format(mark, "sp" if status in _OPEN else "sk")
        drawn.append(f'<symbol id="i-{status}" viewBox="0 0 16 16">{area}{mark}</symbol>')
    return '<svg width="0" height="0" class="defs" aria-hidden="true" focusable="false">{}</svg>'.format("".join(drawn))


def sign(status: str) -> str:
    """The sign of a status; decoration, the word stands beside it."""
    return f'<svg class="i c-{status}" aria-hidden="true"><use href="#i-{status}"/></svg>'


def ring(parts: t.Sequence[t.Tuple[str, int]], label: str, centre: str, below: str) -> str:
    """A ring divided by `parts` [(status, count)] with `centre` written inside and `below` under it; `label` says it in words."""
    total = sum(count for _status, count in parts)
    drawn, start = [], 0.0
    gap = 0.8 if sum(1 for _status, count in parts if count) > 1 else 0.0
    for status, count in parts:
        share = 100.0 * count / total if total else 0.0
        if count:
            dash = f'stroke-dasharray="{max(share - gap, 0.4):.2f} 100" stroke-dashoffset="{-start:.2f}"'
            drawn.append(f'<circle cx="60" cy="60" r="50" pathLength="100" class="arc c-{status}" {dash}/>')
        start += share
    text = (
        f'<text x="60" y="{64}" class="ring-n">{html.escape(centre)}</text><text x="60" y="82" class="ring-t">{html.escape(below)}</text>'
    )
    track = '<circle cx="60" cy="60" r="50" class="track"/>'
    head = f'<svg class="ring" viewBox="0 0 120 120" role="img" aria-label="{html.escape(label)}">'
    return '{}{}<g transform="rotate(-90 60 60)">{}</g>{}</svg>'.format(head, track, "".join(drawn), text)


def stacked(parts: t.Sequence[t.Tuple[str, int]], label: str) -> str:
    """A bar divided by `parts` [(status, count)]; a part that is there is never too thin to be seen."""
    total = sum(count for _status, count in parts)
    there = [(status, max(100.0 * count / total, 0.8)) for status, count in parts if count]
    scale = 100.0 / sum(share for _status, share in there) if there else 1.0
    drawn, left = [], 0.0
    for status, share in there:
        drawn.append(f'<rect x="{left:.2f}" width="{share * scale:.2f}" height="8" class="b-{status}"/>')
        left += share * scale
    head = f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{html.escape(label)}">'
    return "{}{}</svg>".format(head, "".join(drawn) or '<rect width="100" height="8" class="b-none"/>')


def meter(score: t.Optional[float], status: str) -> str:
    """A thin bar for a score of 0 to 100; the number stands beside it."""
    if score is None:
        return ""
    track = '<rect width="100" height="4" class="b-none"/>'
    filled = f'<rect width="{score:.1f}" height="4" class="b-{status}"/>' if score else ""
    return f'<svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">{track}{filled}</svg>'


def sparkline(scores: t.Sequence[float], label: str) -> str:
    """The last scores as a line, oldest left; the scale ends at 100 and starts at 80 or below the lowest score."""
    if len(scores) < 2:
        return ""
    low = min(80.0, min(scores) - 5.0)
    step = 92.0 / (len(scores) - 1)
    points = [(2 + index * step, 22.0 - 19.0 * (score - low) / (100.0 - low)) for index, score in enumerate(scores)]
    line = " ".join("{:.1f},{:.1f}".format(*point) for point in points)
    area = f"2,24 {line} {points[-1][0]:.1f},24"
    head = f'<svg class="spark" viewBox="0 0 96 24" role="img" aria-label="{html.escape(label)}"><title>{html.escape(label)}</title>'
    dot = '<circle cx="{:.1f}" cy="{:.1f}" r="2"/>'.format(*points[-1])
    drawn = f'<polygon points="{area}"/><polyline points="{line}"/>{dot}'
    return head + drawn + "</svg>"
