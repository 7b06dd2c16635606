# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as GitHub flavoured Markdown: a table of hosts, then what was found on each."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import Doc, Host, Result, findings, worst
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.table import causes, totals
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import cut, oneline
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import moment, number
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

_MARKS = {"ok": "✅", "warning": "⚠️", "critical": "❌", "unknown": "❔", "skipped": "⏭️", "unreachable": "🚫"}
_SPECIAL = re.compile(r"[\\`*\[\]|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINKS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(?=:)|\bwww(?=\.)|@")


def escape(text: t.Any) -> str:
    """`text` on one line, with nothing in it that Markdown or HTML would take for markup, a link or the end of a cell."""
    line = oneline(str(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKS.sub(_unlink, _SPECIAL.sub(lambda match: "\\" + match.group(), line))


def _unlink(match: t.Match[str]) -> str:
    """A host must not place a link or mention a person: one character of it is written as an entity."""
    first = match.group()
    return f"&#{ord(first[0])};{first[1:]}"


def render(doc: Doc, words: Words) -> str:
    """The whole file."""
    lines = ["# " + escape(doc["title"]), ""]
    lines += [
        "{} {} · **{} {}** · {}".format(
            words("generated"), moment(doc["generated"]), words("fleet_score"), number(doc["score"]), _status(doc["status"], words)
        ),
        "",
    ]
    lines += ["- " + escape(cut(line, 500)) for line in [*totals(doc, words), *causes(doc, words)]] + [""]
    lines += _table(doc, words)
    bad = [host for host in doc["hosts"] if host["message"] or findings(host)]
    if bad:
        lines += ["## " + words("findings"), ""]
    for host in bad:
        lines += _host(host, words)
    lines.append("<!-- vigil-generated: {} -->".format(doc["generated"]))
    return "\n".join(lines) + "\n"


def _status(status: str, words: Words) -> str:
    return f"{_MARKS[status]} {words(status)}"


def _table(doc: Doc, words: Words) -> t.List[str]:
    if not doc["hosts"]:
        return [words("no_hosts"), ""]
    columns = ("ok", "warning", "critical", "unknown", "skipped")
    head = [words("host"), words("status"), words("score")] + [words(status) for status in columns] + [words("worst")]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- | ---: |" + " ---: |" * len(columns) + " --- |"]
    for host in doc["hosts"]:
        counts = [str(host["summary"][status]) if host["results"] else "–" for status in columns]
        cells = [escape(host["name"]), _status(host["status"], words), number(host["score"]), *counts, escape(cut(worst(host, words), 160))]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _host(host: Host, words: Words) -> t.List[str]:
    lines = ["### {} {}".format(escape(host["name"]), _status(host["status"], words)), ""]
    if host["message"]:
        lines += [escape(cut(host["message"], 500)), ""]
    for cause in host["root_causes"]:
        text = "**{}:** {}".format(words("root_causes"), escape(cause["name"]))
        notes = [escape(cause["reason"])] if cause["reason"] else []
        notes += ["{:.0f}%".format(100 * cause["probability"])] if cause["probability"] is not None else []
        text += " ({})".format(", ".join(notes)) if notes else ""
        lines.append(
            "- " + text + (", " + words("affects", names=escape(", ".join(map(str, cause["affects"])))) if cause["affects"] else "")
        )
    lines += ["- " + _finding(result, words) for result in findings(host)]
    return [*lines, ""]


def _finding(result: Result, words: Words) -> str:
    notes = []
    if result["reason"]:
        notes.append("{} {}".format(words("reason"), escape(result["reason"])))
    if result["since"]:
        notes.append(words("since_at", time=moment(result["since"])))
    if result["was"] and result["was"] != result["status"]:
        notes.append(words("was", status=escape(words.word(result["was"]))))
    if result["caused_by"]:
        notes.append(words("caused_by", name=escape(result["caused_by"])))
    text = "{} **{}**: {}".format(
        _status(result["status"], words), escape(result["name"]), escape(result["summary"] or words("no_summary"))
    )
    return text + (" ({})".format("; ".join(notes)) if notes else "")
