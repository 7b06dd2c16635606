# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One report for the fleet: everything that can be refused is tried first, then the files are written."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import elsewhere
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import files, formats, model, table
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.files import ReportError
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import LANGUAGES, Words

__all__ = ["ReportError", "Request", "check", "make"]

_HISTORY_POINTS = 30
_DIFF_BYTES = 200000


class Request(t.NamedTuple):
    """What was asked for. dest: a directory, absolute. columns: width of the terminal. now: seconds since 1970, 0 for the clock."""

    dest: str
    formats: t.Sequence[str]
    title: t.Optional[str] = None
    language: str = "en"
    history_url: t.Optional[str] = None
    check_mode: bool = False
    columns: int = table.MAX_COLUMNS
    now: float = 0.0


def check(request: Request) -> t.Dict[str, str]:
    """The files that will be written, {format: absolute path}, after everything was tried that can be tried without results.

    Writes nothing that stays. Raises ReportError with one sentence.
    """
    paths = _paths(request)
    files.try_directory(request.dest)
    for path in paths.values():
        if os.path.isdir(path):
            raise ReportError(
                f"the report cannot be written at {path}: a directory of that name is in the way; move it away or choose another dest"
            )
    _histories(request, ())
    return paths


def make(request: Request, results: t.Any) -> t.Dict[str, t.Any]:
    """Write the report of `results`.

    Returns changed, files {format: absolute path}, summary, host_counts, score, status, table, diff [{before, after, ...}] of what
    changes. In check mode nothing is written. Raises ReportError with one sentence.
    """
    words = Words(request.language)
    paths = check(request)
    try:
        pairs = model.pairs(results)
    except ValueError as error:
        raise ReportError(str(error)) from error
    histories = _histories(request, [name for name, _outcome in pairs])
    given = dict(pairs)
    known = given if len(given) == len(pairs) else {}
    traced = fleet.trace(known, elsewhere.failing(request.history_url, known))
    for host in traced.changed:
        histories[host] = _adjusted(histories.get(host, ()), given[host], traced.outcomes[host])
    doc = model.build(traced.outcomes or results, request.title or words("title"), request.now or time.time(), histories, words)
    changed = [name for name, path in paths.items() if formats.differs(name, files.read(path), doc, words)]
    diff = [_difference(name, paths[name], doc, words) for name in changed]
    if not request.check_mode:
        files.make_directory(request.dest)
        for name, path in paths.items():
            files.write(path, formats.render(name, doc, words))
    answer = {key: doc[key] for key in ("summary", "host_counts", "score", "status")}
    lost = [_lost(*one) for one in traced.lost]
    return dict(answer, changed=bool(changed), files=paths, table=table.text_table(doc, words, request.columns), diff=diff, lost=lost)


def _adjusted(history: model.History, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> model.History:
    """The history with the score of this run as the report has it: what fails because of another host does not count."""
    points = list(history)
    if points and points[-1][1] == before.get("score"):
        points[-1] = (points[-1][0], after["score"])
    return points


def _lost(host: str, check: str, parent: str) -> str:
    return f'{host}: the check "{check}" depends on "{parent}", but no such check was looked at there'


def _paths(request: Request) -> t.Dict[str, str]:
    """{format: absolute path}; ReportError for a bad format, language, title or dest."""
    try:
        names = formats.check(request.formats)
    except ValueError as error:
        raise ReportError(str(error)) from error
    if request.language not in LANGUAGES:
        raise ReportError(f'language: "{request.language}" is not known{nearest(request.language, LANGUAGES)}')
    if request.title is not None and not request.title.strip():
        raise ReportError("title is empty; leave it out or say what this report is about")
    if not os.path.isabs(request.dest) or "\0" in request.dest:
        raise ReportError(f"dest must be the path of a directory, it is {request.dest!r}")
    return {name: os.path.join(request.dest, formats.FILES[name]) for name in names}


def _histories(request: Request, hosts: t.Sequence[str]) -> t.Dict[str, model.History]:
    """The last scores of each host; none without a sound store. One that cannot be read is a ReportError."""
    if not request.history_url:
        return {}
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.results import scores
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import (
        StateAway,
        StateDamaged,
        StateError,
        StateMissing,
        open_store,
    )

    try:
        store = open_store(request.history_url, read_only=True)
        try:
            with store.view() as unit:
                return {host: scores(unit, host, _HISTORY_POINTS) for host in hosts if _is_utf8(host)}
        finally:
            store.close()
    except (StateMissing, StateDamaged, StateAway):
        return {}  # whoever writes there next says so, and sets a damaged one aside
    except StateError as error:
        raise ReportError(f"history_url: {error}") from error


def _is_utf8(name: str) -> bool:
    """A name with bytes that are no UTF-8 cannot be in the store."""
    return name.encode("utf-8", "ignore").decode("utf-8") == name


def _difference(name: str, path: str, doc: model.Doc, words: Words) -> t.Dict[str, str]:
    before, after = files.read(path) or "", formats.render(name, doc, words)
    return {"before_header": path, "after_header": path, "before": _shown(name, before), "after": _shown(name, after)}


def _shown(name: str, text: str) -> str:
    """A file's text for a diff; of HTML and of very long files only the size."""
    return text if name != "html" and len(text) <= _DIFF_BYTES else f"({len(text)} characters)\n"
