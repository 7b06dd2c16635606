# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a text file for the textfile collector of node_exporter (Prometheus text format 0.0.4, no time stamps)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import STATUSES
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import HOST_STATUSES, RANK, Doc, Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import oneline
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import epoch_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

CODES = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3, "skipped": 4}

_HELP = {
    "vigil_inspection_timestamp_seconds": "When the inspection was reported, seconds since 1970.",
    "vigil_fleet_score": "Mean of the host scores, 0 to 100; at most 49 while a check of severity critical fails.",
    "vigil_fleet_coverage": "How much of what was asked could be seen, 0 to 100.",
    "vigil_fleet_hosts": "Hosts by status.",
    "vigil_fleet_checks": "Checks by status.",
    "vigil_host_up": "1 if the host was inspected, 0 if it could not be.",
    "vigil_host_score": "Weighted score of the checks of a host, 0 to 100.",
    "vigil_host_coverage": "How much of what was asked of a host could be seen, 0 to 100.",
    "vigil_check_status": "Verdict on a check: 0 ok, 1 warning, 2 critical, 3 unknown, 4 skipped.",
    "vigil_check_duration_seconds": "How long a check took.",
    "vigil_check_value": "A number that a check measured, in the unit its name ends in.",
}


class _Families:
    """Samples by metric; the first one of a series stays, because a series must not be there twice."""

    def __init__(self) -> None:
        self._samples: t.Dict[str, t.Dict[str, str]] = {name: {} for name in _HELP}

    def add(self, name: str, labels: t.Mapping[str, t.Any], value: t.Any) -> None:
        """Add a sample; a value of None adds nothing."""
        if value is not None:
            text = ",".join(f'{key}="{escape(str(item))}"' for key, item in labels.items())
            self._samples[name].setdefault(f"{{{text}}}" if text else "", _number(value))

    def text(self) -> str:
        """Every family that has samples, with HELP and TYPE."""
        lines: t.List[str] = []
        for name, samples in self._samples.items():
            if samples:
                lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"]
                lines += [f"{name}{labels} {value}" for labels, value in samples.items()]
        return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """A label value as the text format wants it."""
    return oneline(text).replace("\\", "\\\\").replace('"', '\\"')


def render(doc: Doc, words: Words) -> str:
    """The whole file."""
    out = _Families()
    out.add("vigil_inspection_timestamp_seconds", {}, epoch_of(doc["generated"]))
    out.add("vigil_fleet_score", {}, doc["score"])
    out.add("vigil_fleet_coverage", {}, doc["coverage"])
    for status in HOST_STATUSES:
        out.add("vigil_fleet_hosts", {"status": status}, doc["host_counts"][status])
    for status in STATUSES:
        out.add("vigil_fleet_checks", {"status": status}, doc["summary"][status])
    for host in doc["hosts"]:
        out.add("vigil_host_up", {"host": host["name"]}, 1 if host["results"] or host["status"] == "ok" else 0)
        out.add("vigil_host_score", {"host": host["name"]}, host["score"])
        out.add("vigil_host_coverage", {"host": host["name"]}, host["coverage"])
        for result in sorted(host["results"], key=lambda result: -RANK[result["status"]]):
            _check(out, host["name"], result)
    return out.text()


def _check(out: _Families, host: str, result: Result) -> None:
    base = dict({"host": host, "check": result["name"]}, **_own_labels(result["labels"]))
    about = {"probe": result["probe"] or "", "severity": result["severity"] or ""}
    out.add("vigil_check_status", dict(base, **about), CODES[result["status"]])
    if result["duration_ms"] is not None:
        out.add("vigil_check_duration_seconds", base, result["duration_ms"] / 1000.0)
    for metric, value in result["metrics"].items():
        out.add("vigil_check_value", dict(base, metric=metric), value)


def _own_labels(labels: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The labels of a check, named so that they cannot clash with ours nor with what Prometheus reserves."""
    return {"label_" + re.sub(r"[^a-zA-Z0-9_]", "_", key): labels[key] for key in sorted(labels, reverse=True)}


def _number(value: t.Any) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
