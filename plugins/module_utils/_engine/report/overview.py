# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet in the HTML report: what to look at first, and the table of hosts."""

from __future__ import annotations

import html
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.report.cards import breakable, trend
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.charts import meter, sign
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import HOST_STATUSES, RANK, Doc, Host, brief, findings, worst
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import cut
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import number
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

esc = html.escape
_MAX_FIRST = 8
_MAX_NAMES = 6
_COUNTED = ("critical", "unknown", "warning", "ok")

Group = t.Tuple[str, str, t.List[t.Tuple[int, str, str]]]  # status, name of the check, [(index of the host, its name, what was said)]


def first(doc: Doc, words: Words) -> str:
    """The findings of the whole fleet, the same check on several hosts told once; what is caused by something else is left out."""
    groups = _groups(doc["hosts"], words)
    if not doc["hosts"]:
        return '<p class="empty">{}</p>'.format(esc(words("no_hosts")))
    if not groups:
        good = doc["status"] == "ok"
        return '<p class="calm">{}{}</p>'.format(sign("ok"), esc(words("all_ok"))) if good else ""
    items = "".join(_item(group, words) for group in groups[:_MAX_FIRST])
    more = '<p class="dim">{}</p>'.format(esc(words("more_findings", n=len(groups) - _MAX_FIRST))) if len(groups) > _MAX_FIRST else ""
    return '<section class="first"><h2>{}</h2><ol>{}</ol>{}</section>'.format(esc(words("first")), items, more)


def _groups(hosts: t.Sequence[Host], words: Words) -> t.List[Group]:
    found: t.Dict[t.Tuple[str, str], Group] = {}
    for index, host in enumerate(hosts):
        if host["message"] and host["status"] != "ok":
            name = words("host_" + host["status"]) if host["status"] != "warning" else words("warning")
            found.setdefault((host["status"], ""), (host["status"], name, []))[2].append((index, host["name"], host["message"]))
        for result in findings(host):
            if not result["caused_by"]:
                key = (result["status"], result["name"])
                found.setdefault(key, (result["status"], result["name"], []))[2].append((index, host["name"], result["summary"]))
    return sorted(found.values(), key=lambda group: (-RANK[group[0]], -len(group[2])))


def _item(group: Group, words: Words) -> str:
    status, name, where = group
    links = [f'<a href="#h{index}"><bdi>{breakable(host)}</bdi></a>' for index, host, _said in where[:_MAX_NAMES]]
    if len(where) > _MAX_NAMES:
        links.append(esc(words("and_more", n=len(where) - _MAX_NAMES)))
    count = '<span class="x">{}</span>'.format(esc(words("on_hosts", n=len(where)))) if len(where) > 1 else ""
    said = esc(cut(brief(where[0][2]), 220))
    text = f'<b>{esc(name)}</b> <span class="w t-{status}">{esc(words.label(status))}</span>{count}<span class="say">{said}</span>'
    return '<li class="e-{}">{}<div>{}</div><span class="at">{}</span></li>'.format(status, sign(status), text, ", ".join(links))


def fleet(doc: Doc, words: Words) -> str:
    """The table of hosts with its filter; the script makes its headers into buttons and shows the filter."""
    history = any(len(host["history"]) > 1 for host in doc["hosts"])
    columns = [("host", "s", "asc"), ("status", "n", "desc"), ("score", "n", "asc")] + [(one, "n", "desc") for one in _COUNTED]
    head = "".join(
        '<th scope="col" class="h-{}" data-k="{}" data-d="{}"{}>{}</th>'.format(
            key, kind, order, ' aria-sort="descending"' if key == "status" else "", esc(words(key + "_short" if key in _COUNTED else key))
        )
        for key, kind, order in columns
    )
    head += '<th scope="col" class="h-worst">{}</th>'.format(esc(words("worst")))
    head += '<th scope="col" class="h-trend">{}</th>'.format(esc(words("trend"))) if history else ""
    rows = "\n".join(_row(index, host, history, words) for index, host in enumerate(doc["hosts"]))
    table = f'<table id="fleet"><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>'
    none = '<p id="none" class="empty" hidden>{}</p>'.format(esc(words("none_match")))
    return '<section class="fleet"><h2>{}</h2>{}<div class="panel">{}{}</div></section>'.format(
        esc(words("fleet")), _filter(doc, words), table, none
    )


def _filter(doc: Doc, words: Words) -> str:
    counts = [(one, doc["host_counts"][one]) for one in sorted(HOST_STATUSES, key=lambda one: -RANK[one]) if doc["host_counts"][one]]
    button = '<button type="button" data-f="{}" aria-pressed="{}">{}{} <b>{}</b></button>'
    buttons = [button.format("", "true", "", esc(words("all")), len(doc["hosts"]))]
    buttons += [button.format(one, "false", sign(one), esc(words.label(one)), count) for one, count in counts]
    text = '<input type="search" id="q" placeholder="{0}" aria-label="{0}" autocomplete="off" spellcheck="false">'.format(
        esc(words("filter"))
    )
    group = '<div class="seg" role="group" aria-label="{}">{}</div>'.format(esc(words("filter_status")), "".join(buttons))
    live = '<span id="shown" role="status" data-t="{}"></span>'.format(esc(words("shown")))
    return f'<div class="tools" id="tools" hidden>{text}{group}{live}</div>'


def _row(index: int, host: Host, history: bool, words: Words) -> str:
    status = host["status"]
    score = host["score"] if host["score"] is not None else 101
    cells = ['<td class="h-host"><a href="#h{}"><bdi>{}</bdi></a>'.format(index, breakable(host["name"]))]
    word = f'{sign(status)}<span class="wd">{esc(words.label(status))}</span>'
    cells.append(f'<td class="h-status" data-v="{RANK[status]}"><span class="w t-{status}">{word}</span>')
    cells.append(
        '<td class="h-score" data-v="{}"><span class="score">{}{}</span>'.format(score, number(host["score"]), meter(host["score"], status))
    )
    for one in _COUNTED:
        count = host["summary"][one]
        shown = str(count) if host["results"] else "–"
        look = " zero" if not count else "" if one == "ok" else " t-" + one
        cells.append(f'<td class="h-{one}{look}" data-v="{count}">{shown}')
    cells.append(f'<td class="h-worst"><span>{esc(cut(worst(host, words), 160))}</span>')
    if history:
        cells.append(f'<td class="h-trend">{trend(host, words)}')
    return '<tr data-s="{}">{}</tr>'.format(status, "".join(cells))
