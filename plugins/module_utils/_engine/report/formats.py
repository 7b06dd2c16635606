# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of a report: their files, and how each is made of the document."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import Doc
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import epoch_of, stamp
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

FILES = {
    "html": "inspection.html",
    "md": "inspection.md",
    "json": "inspection.json",
    "junit": "inspection.xml",
    "prometheus": "inspection.prom",
}
_ALSO_CALLED = {"markdown": "md", "xml": "junit", "prom": "prometheus", "htm": "html", "textfile": "prometheus"}
# Where each format carries the time it was made at.
_STAMP = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?)"
_STAMPS = {
    "html": re.compile(rf'<meta name="generated" content="{_STAMP}">'),
    "md": re.compile(rf"<!-- vigil-generated: {_STAMP} -->"),
    "json": re.compile(rf'"generated": "{_STAMP}"'),
    "junit": re.compile(rf'<testsuite [^>]*\btimestamp="{_STAMP}"'),
    "prometheus": re.compile(r"(?m)^vigil_inspection_timestamp_seconds (\S+)$"),
}


def check(formats: t.Any) -> t.List[str]:
    """The formats without repeats; ValueError with a sentence for one that is not known."""
    for name in formats:
        if name not in FILES:
            near = f'; did you mean "{_ALSO_CALLED[name]}"?' if name in _ALSO_CALLED else nearest(name, FILES)
            raise ValueError(f'formats: "{name}" is not known{near}')
    if not formats:
        raise ValueError("formats is empty, choose from " + ", ".join(FILES))
    return list(dict.fromkeys(formats))


def render(name: str, doc: Doc, words: Words) -> str:
    """The text of one format."""
    if name == "json":
        return json.dumps(doc, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return _renderer(name)(doc, words)


def _renderer(name: str) -> t.Callable[[Doc, Words], str]:
    if name == "html":
        from ansible_collections.vigil.ops.plugins.module_utils._engine.report import page

        return page.render
    if name == "md":
        from ansible_collections.vigil.ops.plugins.module_utils._engine.report import markdown

        return markdown.render
    if name == "junit":
        from ansible_collections.vigil.ops.plugins.module_utils._engine.report import junit

        return junit.render
    from ansible_collections.vigil.ops.plugins.module_utils._engine.report import prometheus

    return prometheus.render


def differs(name: str, before: t.Optional[str], doc: Doc, words: Words) -> bool:
    """Whether the report says anything else than the file text `before`, the time it was made at apart."""
    if before is None:
        return True
    found = _STAMPS[name].search(before)
    then = epoch_of(float(found.group(1)) if name == "prometheus" else found.group(1)) if found else None
    return render(name, doc if then is None else dict(doc, generated=stamp(then)), words) != before
