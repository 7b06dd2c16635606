# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML file: no outside request, works without JavaScript, on a phone, in print, in the dark."""

from __future__ import annotations

import base64
import hashlib
import html
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import STATUSES
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import charts, overview
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.cards import card
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import HOST_STATUSES, RANK, Doc
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.script import SCRIPT
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.style import STYLE
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import epoch_of, moment, number
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

esc = html.escape
_OPEN_CARDS = 3
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' "
    "fill='%23{colour}'/%3E%3Cpath d='M6 17h5l3-8 5 14 3-6h4' fill='none' stroke='%23fff' stroke-width='2.6' stroke-linecap='round' "
    "stroke-linejoin='round'/%3E%3C/svg%3E"
)
_ICON_COLOURS = {"ok": "15803d", "warning": "b45309", "critical": "c8291d", "unknown": "6d4fc4"}


def render(doc: Doc, words: Words) -> str:
    """The whole file."""
    now = epoch_of(doc["generated"]) or 0.0
    opened = {index for index, host in enumerate(doc["hosts"]) if host["status"] != "ok"}
    cards = [card(index, host, index in opened and index < _OPEN_CARDS, now, words) for index, host in enumerate(doc["hosts"])]
    parts = [
        _head(doc, words),
        "<body>",
        charts.symbols(),
        '<main id="top">',
        _top(doc, words),
        _hero(doc, words),
        overview.first(doc, words),
    ]
    if cards:
        parts += [overview.fleet(doc, words), _cards_head(words), '<div id="cards">', *cards, "</div>"]
    parts += ["</main>", '<footer><span>vigil.ops</span> <a href="#top">{}</a></footer>'.format(esc(words("to_top")))]
    return "\n".join([*parts, f"<script>{SCRIPT}</script>", "</body></html>"]) + "\n"


def _hash(text: str) -> str:
    return "'sha256-{}'".format(base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii"))


def _head(doc: Doc, words: Words) -> str:
    policy = f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; img-src data:; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{words.html_lang}"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            '<meta name="generator" content="vigil.ops"><meta name="robots" content="noindex">',
            '<meta name="generated" content="{}">'.format(doc["generated"]),
            "<title>{} · {}</title>".format(esc(doc["title"]), esc(words(doc["status"]))),
            '<link rel="icon" href="{}">'.format(_ICON.format(colour=_ICON_COLOURS[doc["status"]])),
            f"<style>{STYLE}</style></head>",
        ]
    )


def _top(doc: Doc, words: Words) -> str:
    when = '<time datetime="{}">{}</time>'.format(doc["generated"], moment(doc["generated"]))
    checks = sum(doc["summary"][status] for status in STATUSES)
    totals = words.count("n_hosts", len(doc["hosts"])) + " · " + words.count("n_checks", checks)
    facts = "{} {} · {}".format(esc(words("generated")), when, esc(totals))
    verdict = '<p class="verdict t-{}">{}{}</p>'.format(doc["status"], charts.sign(doc["status"]), esc(words.label(doc["status"])))
    return '<header><div><h1>{}</h1><p class="dim">{}</p></div>{}</header>'.format(esc(doc["title"]), facts, verdict)


def _hero(doc: Doc, words: Words) -> str:
    """The score in the ring of hosts, hosts by status, checks by status."""
    hosts = [(one, doc["host_counts"][one]) for one in sorted(HOST_STATUSES, key=lambda one: -RANK[one])]
    checks = [(one, doc["summary"][one]) for one in ("critical", "unknown", "warning", "ok", "skipped")]
    drawn = charts.ring(hosts, "{}: {}".format(words("hosts"), _said(hosts, words)), number(doc["score"]), words("fleet_score"))
    shares = charts.stacked(checks, "{}: {}".format(words("checks"), _said(checks, words)))
    return '<section class="hero" aria-label="{}"><div>{}</div><div><h2>{}</h2>{}</div><div><h2>{}</h2>{}{}</div></section>'.format(
        esc(words("fleet")),
        drawn,
        esc(words("hosts")),
        _legend(hosts, words),
        esc(words("checks")),
        shares,
        _legend(checks, words),
    )


def _said(parts: t.Sequence[t.Tuple[str, int]], words: Words) -> str:
    return words("comma").join(f"{count} {words(status)}" for status, count in parts)


def _legend(parts: t.Sequence[t.Tuple[str, int]], words: Words) -> str:
    items = [
        "<li{}>{}{}<b>{}</b></li>".format("" if count else " class=zero", charts.sign(one), esc(words.label(one)), count)
        for one, count in parts
    ]
    return "<ul class=legend>{}</ul>".format("".join(items))


def _cards_head(words: Words) -> str:
    label = esc(words("open_all"))
    attributes = 'type="button" id="toggle" hidden data-a="{}" data-b="{}"'.format(label, esc(words("close_all")))
    return '<div class="bar-h"><h2>{}</h2><button {}>{}</button></div>'.format(esc(words("hosts")), attributes, label)
