# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on one check: a plain dict that always has the same keys."""

from __future__ import annotations

import json
import typing as t

RESULT_KEYS = (
    "name",
    "probe",
    "status",
    "severity",
    "summary",
    "reason",
    "observed",
    "failed",
    "duration_ms",
    "attempts",
    "labels",
    "annotations",
    "weight",
    "caused_by",
    "since",
    "was",
    "metrics",
    "confirmed",
    "depends_on",
)
# The reason of a result that is unknown only because the history of its check is too short; nobody is told of it.
LEARNING = "learning"
STATUSES = ("ok", "warning", "critical", "unknown", "skipped")
SEVERITIES = ("info", "warning", "error", "critical")
TEXT_LIMIT = 1024

_BLANK = dict(dict.fromkeys(RESULT_KEYS), status="unknown", severity="error", summary="", attempts=0, weight=1)

Result = t.Dict[str, t.Any]


def new_result(name: str, **values: t.Any) -> Result:
    """A Result with every key, null where nothing was given.

    Shape: name, probe, severity, summary, reason, caused_by, since, was: str or None; status: one of STATUSES; observed: dict;
    failed: list of {path, expected, observed}; duration_ms: float; attempts: int; labels, annotations: dict of str;
    weight: number; metrics: {name: number}; confirmed: None, or what stands by the history as {status, seen, needed, flapping, change,
    severity}; depends_on: list of str.
    """
    result: Result = {
        **_BLANK,
        "name": name,
        "observed": {},
        "failed": [],
        "labels": {},
        "annotations": {},
        "metrics": {},
        "depends_on": [],
    }
    if values:
        result.update(values)
    if len(result) != len(RESULT_KEYS):
        raise TypeError(f"a result has no key {sorted(set(values) - set(RESULT_KEYS))[0]!r}")
    return result


def check_key(name: str, labels: t.Mapping[str, t.Any] | None = None) -> str:
    """The identity of a check inside one host: its name, and its labels where it has some."""
    if not labels:
        return name
    return name + " " + json.dumps({str(key): str(value) for key, value in labels.items()}, sort_keys=True, ensure_ascii=False)


def count(results: t.Iterable[Result]) -> dict[str, int]:
    """How many results there are of each status."""
    summary = dict.fromkeys(STATUSES, 0)
    for result in results:
        summary[result["status"]] += 1
    return summary


def overall(summary: t.Mapping[str, int]) -> str:
    """The worst status of a summary: critical, then unknown, then warning, then ok."""
    for status in ("critical", "unknown", "warning"):
        if summary.get(status):
            return status
    return "ok"
