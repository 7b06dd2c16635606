# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host cards of the HTML report: one `details` a host, its findings in full, what passed in a table."""

from __future__ import annotations

import html
import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.vigil.ops.plugins.module_utils._engine.report.charts import meter, sign, sparkline
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import RANK, Host, Result, findings
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import cut
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import epoch_of, metric, milliseconds, moment, number, span
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

esc = html.escape
_NEW_SECONDS = 60


def card(index: int, host: Host, is_open: bool, now: float, words: Words) -> str:
    """The card of one host; `index` makes its anchor, `now` (seconds since 1970) is what ages are counted to."""
    status = host["status"]
    counts = [(one, host["summary"][one]) for one in ("critical", "unknown", "warning", "ok", "skipped")]
    chips = "".join(f'<span class="n t-{one}">{count}&nbsp;{esc(words(one))}</span>' for one, count in counts if count)
    if host["coverage"] is not None and host["coverage"] < 100 and host["results"]:
        chips += '<span class="n t-unknown">{}</span>'.format(esc(words("coverage", share=number(host["coverage"]))))
    who = '<span class="who">{}<span class="name"><bdi>{}</bdi></span></span>'.format(sign(status), breakable(host["name"]))
    word = f'<span class="w t-{status}">{esc(words.label(status))}</span>'
    end = f'<span class="end">{trend(host, words)}{_score(host)}</span>'
    head = f'<summary id="h{index}">{who}<span class="chips">{word}{chips}</span>{end}</summary>'
    body = "".join(_message(host) + _causes(host, words) + [_finding(one, now, words) for one in findings(host)] + _passed(host, words))
    attributes = f'class="card e-{status}" data-s="{status}"' + (" open" if is_open else "")
    return f'<details {attributes}>{head}<div class="body">{body}</div></details>'


def breakable(name: str) -> str:
    """A host name, escaped, that may be broken behind its dots."""
    return esc(name).replace(".", ".<wbr>")


def trend(host: Host, words: Words) -> str:
    """The sparkline of a host; empty without a history of at least two runs."""
    scores = [point["score"] for point in host["history"]]
    return sparkline(scores, words("history", n=len(scores), scores=", ".join(number(score) for score in scores)))


def _score(host: Host) -> str:
    return '<span class="score">{}{}</span>'.format(number(host["score"]), meter(host["score"], host["status"]))


def _message(host: Host) -> t.List[str]:
    return ['<p class="msg">{}</p>'.format(esc(host["message"]))] if host["message"] else []


def _causes(host: Host, words: Words) -> t.List[str]:
    made = []
    for cause in host["root_causes"]:
        reason = ' <span class="tag">{}</span>'.format(esc(cause["reason"])) if cause["reason"] else ""
        affects = " " + esc(words("affects", names=", ".join(map(str, cause["affects"])))) if cause["affects"] else ""
        if cause["probability"] is not None:
            reason += ' <span class="tag">{:.0f}%</span>'.format(100 * cause["probability"])
        why = '<br><span class="dim">{}</span>'.format(esc(cause["why"])) if cause["why"] else ""
        made.append('<p class="cause"><b>{}</b> {}{}{}{}</p>'.format(esc(words("root_causes")), esc(cause["name"]), reason, affects, why))
    return made


def _finding(result: Result, now: float, words: Words) -> str:
    """One check that is not ok: what was seen, what was expected, since when, why."""
    status = result["status"]
    head = '<h4>{}{}</h4><span class="w t-{}">{}</span>'.format(sign(status), esc(result["name"]), status, esc(words.label(status)))
    if result["probe"]:
        head += '<span class="dim">{}</span>'.format(esc(result["probe"]))
    lines = [f'<div class="fh">{head}<span class="age">{_age(result, now, words)}</span></div>']
    lines.append('<p class="sum">{}</p>'.format(esc(result["summary"] or words("no_summary"))))
    if result["failed"]:
        rows = "".join(
            "<tr><th scope=row>{}<td>{}<td>{}".format(esc(one["path"]), _value(one["observed"]), _value(one["expected"]))
            for one in result["failed"]
        )
        lines.append(
            "<table class=se><thead><tr><td><th>{}<th>{}</thead><tbody>{}</tbody></table>".format(
                esc(words("seen")), esc(words("expected")), rows
            )
        )
    return '<article class="find e-{}">{}{}</article>'.format(status, "".join(lines), _notes(result, words))


def _age(result: Result, now: float, words: Words) -> str:
    """`for 3 h 5 min · was ok`, or `new` when it began with this run; the exact time is in the title."""
    parts = []
    since = epoch_of(result["since"])
    if since is not None:
        text = words("since", span=span(now - since, words("units").split())) if now - since >= _NEW_SECONDS else words("new")
        parts.append('<time datetime="{}" title="{}">{}</time>'.format(result["since"], moment(since), esc(text)))
    if result["was"] and result["was"] != result["status"]:
        parts.append(esc(words("was", status=words.word(result["was"]))))
    return " · ".join(parts)


def _value(value: t.Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f'<code class="v">{esc(cut(text, 400))}</code>'


def _notes(result: Result, words: Words) -> str:
    """The line of small facts under a finding."""
    notes = []
    if result["caused_by"]:
        notes.append('<span class="tag strong">{}</span>'.format(esc(words("caused_by", name=result["caused_by"]))))
    if result["reason"]:
        notes.append('<span class="tag">{}: {}</span>'.format(esc(words("reason")), esc(result["reason"])))
    if result["severity"]:
        notes.append('<span class="tag">{}</span>'.format(esc(words("severity", severity=words.word(result["severity"])))))
    if (result["attempts"] or 0) > 1:
        notes.append('<span class="tag">{}</span>'.format(esc(words("attempts", n=result["attempts"]))))
    notes += _labels(result)
    notes += [_annotation(key, value) for key, value in result["annotations"].items()]
    facts = _metrics(result)
    if result["duration_ms"] is not None:
        facts.append("{} {}".format(esc(words("took")), milliseconds(result["duration_ms"])))
    line = '<p class="tags">{}</p>'.format(" ".join(notes)) if notes else ""
    return line + ('<p class="facts">{}</p>'.format(" · ".join(facts)) if facts else "")


def _labels(result: Result) -> t.List[str]:
    return [f'<span class="tag">{esc(key)}={esc(str(value))}</span>' for key, value in result["labels"].items()]


def _metrics(result: Result) -> t.List[str]:
    """Every number with its name and unit; a latency that is no other than the duration is not told twice."""
    took = milliseconds(result["duration_ms"])
    told = [(key, metric(key, value)) for key, value in result["metrics"].items()]
    return [
        "<span class=m>{}&nbsp;<b>{}</b></span>".format(esc(key), esc(said).replace(" ", "&nbsp;"))
        for key, said in told
        if key != "latency_ms" or said != took
    ]


def _annotation(key: str, value: t.Any) -> str:
    """An annotation; a link when it is a web address (http and https only, so that no script can be behind it)."""
    text = esc(cut(str(value), 300))
    if _is_web_address(value):
        text = f'<a href="{esc(value)}" rel="noreferrer noopener" target="_blank">{text}</a>'
    return f'<span class="note">{esc(key)}: {text}</span>'


def _is_web_address(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and not value.split(None, 1)[1:]
    except ValueError:
        return False


def _passed(host: Host, words: Words) -> t.List[str]:
    """The table of everything that is ok or was skipped."""
    rest = [result for result in host["results"] if result["status"] in ("ok", "skipped")]
    if not rest:
        return []
    rest.sort(key=lambda result: RANK[result["status"]])
    head = "".join(f"<th scope=col>{esc(words(key))}" for key in ("check", "probe", "measured", "took"))
    return ["<table class=ok><thead><tr>{}</thead><tbody>{}</tbody></table>".format(head, "".join(_row(one, words) for one in rest))]


def _row(result: Result, words: Words) -> str:
    status = result["status"]
    said = result["summary"]
    if status == "skipped" and result["caused_by"]:
        said = words("caused_by", name=result["caused_by"])
    notes = " ".join(_labels(result) + [_annotation(key, value) for key, value in result["annotations"].items()])
    name = '{}<b>{}</b> <span class="w t-{}">{}</span> {}'.format(
        sign(status), esc(result["name"]), status, esc(words.label(status)), notes
    )
    said = f"<span class=say>{esc(said)}</span>" if said else ""
    facts = " · ".join(_metrics(result))
    took = milliseconds(result["duration_ms"])
    return "<tr><td>{}{}<td class=dim>{}<td class=facts>{}<td class=r>{}".format(name, said, esc(result["probe"] or ""), facts, took)
