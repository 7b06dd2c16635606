# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small fleet with everything that happens: good, bad, unreachable, failed, skipped, never asked, and a hostile host."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import model
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

NOW = 1795226400.0  # 2026-11-21T02:00:00Z
NASTY = '<script>alert(1)</script>|`x`**b**[l](http://e.example)\x00\x1b[31m\u202e\nnew line\r\n@all &amp; \udc80 \ufffe "q" \\ 中文'


def bad(name: str = "root disk", **values: t.Any) -> t.Dict[str, t.Any]:
    filled: t.Dict[str, t.Any] = {
        "probe": "disk",
        "status": "critical",
        "severity": "error",
        "summary": "used_percent is 93.1, expected < 90",
        "failed": [{"path": "used_percent", "expected": "< 90", "observed": 93.1}],
        "metrics": {"used_percent": 93.1, "free_bytes": 3400000000},
        "duration_ms": 1.5,
        "attempts": 1,
        "since": "2026-11-20T14:55:00Z",
        "was": "ok",
    }
    return new_result(name, **dict(filled, **values))


def good(name: str = "cpu", **values: t.Any) -> t.Dict[str, t.Any]:
    return new_result(
        name, **dict({"probe": "cpu", "status": "ok", "metrics": {"used_percent": 4.5}, "duration_ms": 201.0, "attempts": 1}, **values)
    )


def hostile() -> t.Dict[str, t.Any]:
    """A result in which every string is hostile."""
    return bad(
        NASTY,
        probe=NASTY,
        summary=NASTY,
        reason=NASTY,
        failed=[{"path": NASTY, "expected": NASTY, "observed": {NASTY: NASTY}}],
        labels={NASTY: NASTY},
        annotations={NASTY: NASTY, "runbook": "javascript:alert(2)", "link": 'https://e.example/"onmouseover="alert(3)'},
        caused_by=NASTY,
        was=NASTY,
        metrics={NASTY: 1.0},
    )


def outcomes() -> t.Dict[str, t.Any]:
    """What the fleet's hosts registered."""
    cause = {"name": "db port", "reason": "refused", "affects": ["api health"]}
    skipped = new_result("api health", probe="http", status="skipped", caused_by="db port")
    warned = bad("orders", status="warning", severity="warning", caused_by="db port", probe="http", labels={"service": "orders"})
    unseen = new_result("clock", probe="time_sync", status="unknown", reason="unsupported", summary="install chrony")
    return {
        "web10": {"results": [good(), good("memory", probe="memory")], "score": 100.0, "status": "ok", "root_causes": []},
        "web2": {"results": [good()], "score": 100.0, "status": "ok", "root_causes": []},
        "db1": {
            "results": [good(), bad(), bad("db port", probe="tcp"), skipped, warned],
            "score": 37.5,
            "status": "critical",
            "root_causes": [cause],
        },
        "clocks": {"results": [good(), unseen], "score": 50, "status": "unknown", "root_causes": []},
        "gone": {"unreachable": True, "msg": "Failed to connect to the host via ssh: No route to host"},
        "broken": {"failed": True, "msg": "python3 was not found"},
        "left out": {"skipped": True, "skip_reason": "Conditional result was False"},
        "never": None,
        NASTY: {
            "results": [good(NASTY), hostile()],
            "score": 50.0,
            "status": "critical",
            "root_causes": [{"name": NASTY, "reason": NASTY, "affects": [NASTY]}],
        },
    }


@pytest.fixture(name="make")
def fixture_make() -> t.Callable[..., t.Tuple[model.Doc, Words]]:
    def make(results: t.Any = None, language: str = "en", histories: t.Any = None, title: str = "Fleet") -> t.Tuple[model.Doc, Words]:
        words = Words(language)
        return model.build(outcomes() if results is None else results, title, NOW, histories or {}, words), words

    return make


@pytest.fixture(name="fleet")
def fixture_fleet() -> t.Dict[str, t.Any]:
    return outcomes()


@pytest.fixture(name="results")
def fixture_results() -> t.Dict[str, t.Callable[..., t.Dict[str, t.Any]]]:
    return {"good": good, "bad": bad, "hostile": hostile}


@pytest.fixture(name="nasty")
def fixture_nasty() -> str:
    return NASTY
