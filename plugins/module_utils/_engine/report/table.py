# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The short table for a terminal: one line a host, worst first."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import STATUSES
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import HOST_STATUSES, RANK, Doc, Host, worst
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import fit, oneline, pad, width
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import number
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

MAX_HOSTS = 30
MIN_COLUMNS, MAX_COLUMNS = 100, 120
_COUNTED = ("ok", "warning", "critical", "unknown")
_GAP = "  "
_MOST_CAUSES = 3


def text_table(doc: Doc, words: Words, columns: int = MAX_COLUMNS, limit: int = MAX_HOSTS) -> str:
    """The table of a fleet, `columns` wide at most (kept between 100 and 120), without a line feed at its end."""
    columns = min(max(columns, MIN_COLUMNS), MAX_COLUMNS)
    shown, rest = doc["hosts"][:limit], doc["hosts"][limit:]
    head = [words("host"), words("status"), words("score")] + [words(status + "_short") for status in _COUNTED] + [words("worst")]
    rows = [head] + [_row(host, words) for host in shown]
    lines = _align(rows, columns) if shown else [words("no_hosts")]
    if len(lines) > 1:
        lines.insert(1, "-" * min(columns, max(width(line) for line in lines)))
    if rest:
        lines.append(_remaining(rest, words))
    likely = [fit(line, columns) for line in causes(doc, words)]
    return "\n".join([*lines, "", *likely, *totals(doc, words)])


def causes(doc: Doc, words: Words) -> t.List[str]:
    """The suspects that explain most in the whole fleet, a line each."""
    lines = []
    for cause in doc["root_causes"][:_MOST_CAUSES]:
        share = "" if cause["probability"] is None else " ({:.0f}%)".format(100 * cause["probability"])
        names = words("comma").join(map(str, cause["affects"]))
        text = words("root_causes") + words("colon") + cause["host"] + words("colon") + cause["name"] + share
        lines.append(oneline(text + (words("comma") + words("affects", names=names) if names else "")))
    return lines


def totals(doc: Doc, words: Words) -> t.List[str]:
    """Two lines over the whole fleet: hosts and score, checks."""
    hosts = _counts(doc["host_counts"], HOST_STATUSES, words)
    checks = _counts(doc["summary"], STATUSES, words)
    score = number(doc["score"])
    seen = (
        words("comma") + words("coverage", share=number(doc["coverage"])) if doc["coverage"] is not None and doc["coverage"] < 100 else ""
    )
    status = words(doc["status"]) + seen
    return [
        words("totals_hosts", hosts=words.count("n_hosts", len(doc["hosts"])), counts=hosts, score=score, status=status),
        words("totals_checks", checks=words.count("n_checks", sum(doc["summary"][status] for status in STATUSES)), counts=checks),
    ]


def _counts(counts: t.Mapping[str, int], statuses: t.Sequence[str], words: Words) -> str:
    there = [f"{counts[status]} {words(status)}" for status in _worst_first(statuses) if counts[status]]
    return words("comma").join(there) or "–"


def _worst_first(statuses: t.Sequence[str]) -> t.List[str]:
    return sorted(statuses, key=lambda status: -RANK[status])


def _row(host: Host, words: Words) -> t.List[str]:
    counts = [str(host["summary"][status]) if host["results"] else "-" for status in _COUNTED]
    return [host["name"], words(host["status"]), number(host["score"]), *counts, worst(host, words)]


def _align(rows: t.List[t.List[str]], columns: int) -> t.List[str]:
    """Lines of equal columns; the name takes a third at most, the last column what is left."""
    widths = [max(width(row[index]) for row in rows) for index in range(len(rows[0]))]
    widths[0] = min(widths[0], columns // 3)
    widths[-1] = max(columns - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1), 10)
    lines = []
    for row in rows:
        cells = [pad(cell, widths[index], right=2 <= index < len(row) - 1) for index, cell in enumerate(row[:-1])]
        lines.append(_GAP.join([*cells, fit(row[-1], widths[-1])]).rstrip())
    return lines


def _remaining(hosts: t.Sequence[Host], words: Words) -> str:
    counts = {status: sum(1 for host in hosts if host["status"] == status) for status in _worst_first(HOST_STATUSES)}
    there = [status for status, count in counts.items() if count]
    what = (
        words("all_are", status=words(there[0])) if len(there) == 1 else words("comma").join(f"{counts[one]} {words(one)}" for one in there)
    )
    return words("more_host" if len(hosts) == 1 else "more_hosts", n=len(hosts), what=what)
