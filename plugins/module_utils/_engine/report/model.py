# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet as one document: what the registered results of an inspection say, in the shape `vigil.report/1`.

The shape is written down in docs/schema/report.schema.json.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES, STATUSES
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.score import CAP, coverage, is_capped
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import cut, oneline, plain, visible
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.values import epoch_of, stamp
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

SCHEMA = "vigil.report/1"
HOST_STATUSES = ("ok", "warning", "critical", "unknown", "unreachable")
# The higher, the worse; the same order as checks.result.overall().
RANK = {"skipped": 0, "ok": 1, "warning": 2, "unknown": 3, "critical": 4, "unreachable": 5}
MAX_MESSAGE = 2000
# How Ansible begins to say that a host cannot be reached; in one line the cause behind it matters.
_SSH = re.compile(r"^(Task failed: )?Failed to connect to the host via ssh: (ssh: )?(?=.)")

Doc = t.Dict[str, t.Any]
Host = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]
History = t.Sequence[t.Tuple[float, t.Optional[float]]]


def build(results: t.Any, title: str, generated: float, histories: t.Mapping[str, History], words: Words) -> Doc:
    """The document of a fleet.

    results: host name -> what `vigil.ops.inspect` returned there (or a list of such with `name` or `host`); an outcome may be unreachable,
    failed, skipped or no result at all. generated: seconds since 1970. histories: host name -> [(seconds since 1970, score)], oldest first.
    Raises ValueError when `results` is neither a mapping nor a list of mappings.
    """
    hosts = [_host(name, outcome, histories.get(name, ()), words) for name, outcome in pairs(results)]
    hosts.sort(key=lambda host: (-RANK[host["status"]], host["score"] if host["score"] is not None else 101.0, natural(host["name"])))
    summary = {status: sum(host["summary"][status] for host in hosts) for status in STATUSES}
    counts = {status: sum(1 for host in hosts if host["status"] == status) for status in HOST_STATUSES}
    summary["unreachable"] = counts["unreachable"]
    return {
        "schema": SCHEMA,
        "title": oneline(title),
        "generated": stamp(generated),
        "summary": summary,
        "host_counts": counts,
        "score": _fleet_score(hosts),
        "coverage": _mean([host["coverage"] for host in hosts]),
        "status": fleet_status(hosts),
        "root_causes": _suspects(hosts),
        "hosts": hosts,
    }


def _fleet_score(hosts: t.Sequence[Host]) -> t.Optional[float]:
    """The mean of the hosts' scores; like theirs it is held down while a check of severity critical fails."""
    score = _mean([host["score"] for host in hosts])
    return score if score is None or not any(is_capped(host["results"]) for host in hosts) else min(score, CAP)


def _suspects(hosts: t.Sequence[Host]) -> t.List[t.Dict[str, t.Any]]:
    """The suspects of all hosts, the one that explains most first."""
    found = [dict({"host": host["name"]}, **cause) for host in hosts for cause in host["root_causes"] if cause["affects"]]
    return sorted(found, key=lambda cause: -len(cause["affects"]) * (1.0 if cause["probability"] is None else cause["probability"]))


def _mean(numbers: t.Sequence[t.Optional[float]]) -> t.Optional[float]:
    known = [number for number in numbers if number is not None]
    return round(sum(known) / len(known), 1) if known else None


def pairs(results: t.Any) -> t.List[t.Tuple[str, t.Any]]:
    """(host name, outcome) of everything in `results`; ValueError with a sentence when its shape is another."""
    if isinstance(results, t.Mapping):
        return [(str.__str__(str(name)), outcome) for name, outcome in results.items()]
    if not isinstance(results, (list, tuple)):
        raise ValueError(f"results must map host names to what vigil.ops.inspect returned there, it is {type_name(results)}")
    found = []
    for index, outcome in enumerate(results):
        name = (outcome.get("name") or outcome.get("host")) if isinstance(outcome, t.Mapping) else None
        if not name:
            raise ValueError(f"results[{index}] has neither name nor host, so its host is not known; pass a mapping of host names instead")
        found.append((str.__str__(str(name)), outcome))
    return found


def fleet_status(hosts: t.Sequence[Host]) -> str:
    """The worst status of all hosts; an unreachable host counts as critical, a fleet without hosts is unknown."""
    if not hosts:
        return "unknown"
    worst = max((host["status"] for host in hosts), key=RANK.__getitem__)
    return "critical" if worst == "unreachable" else worst


def natural(name: str) -> t.List[t.Tuple[int, int, str]]:
    """A sort key under which web2 comes before web10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d{1,18})", name.lower()) if part]


def findings(host: Host) -> t.List[Result]:
    """The results that are critical, warning or unknown, worst first, else in their given order."""
    bad = [result for result in host["results"] if result["status"] in ("critical", "warning", "unknown")]
    return sorted(bad, key=lambda result: (-RANK[result["status"]], -_severity(result), result["caused_by"] is not None))


def worst(host: Host, words: Words) -> str:
    """The worst thing there is to say about a host in one line; empty when all is well."""
    bad = findings(host)
    if host["message"] and not bad:
        return brief(host["message"])
    if not bad:
        return ""
    return "{}: {}".format(oneline(bad[0]["name"]), oneline(bad[0]["summary"]) or words("no_summary"))


def brief(message: str) -> str:
    """A message in one line, without the words that every unreachable host has in common."""
    return _SSH.sub("", oneline(message))


def _severity(result: Result) -> int:
    return SEVERITIES.index(result["severity"]) if result["severity"] in SEVERITIES else 0


def _host(name: str, outcome: t.Any, history: History, words: Words) -> Host:
    found = outcome.get("results") if isinstance(outcome, t.Mapping) else None
    results = [_result(item) for item in found] if isinstance(found, (list, tuple)) else []
    host = {"name": oneline(name) or "?", "status": "unknown", "score": 0.0, "message": None, "results": results, "root_causes": []}
    host["summary"] = {status: sum(1 for result in results if result["status"] == status) for status in STATUSES}
    if isinstance(outcome, t.Mapping):
        host["root_causes"] = [_cause(item) for item in _list(outcome.get("root_causes")) if isinstance(item, t.Mapping)]
    host["history"] = [{"time": stamp(when), "score": score} for when, score in history if _is_number(score)]
    if isinstance(outcome, t.Mapping) and isinstance(found, (list, tuple)) and not outcome.get("unreachable"):
        host["score"] = _score(outcome.get("score"))
        host["status"] = _status(outcome.get("status"), results)
        if not results:
            host["message"] = _message(outcome) or words("no_checks")
            host["status"] = "critical" if outcome.get("failed") else host["status"]
    else:
        _without_results(host, outcome, words)
    host["coverage"] = coverage(results) if results else 0.0 if host["score"] == 0 else None
    return {key: host[key] for key in ("name", "status", "score", "coverage", "summary", "message", "results", "root_causes", "history")}


def _without_results(host: Host, outcome: t.Any, words: Words) -> None:
    """Fill in a host of which nothing was seen: unreachable, failed, skipped, or never asked."""
    message = _message(outcome)
    if not isinstance(outcome, t.Mapping):
        host["message"] = words("no_result")
    elif outcome.get("unreachable"):
        host.update(status="unreachable", message=message or words("not_reached"))
    elif outcome.get("failed"):
        host.update(status="critical", message=message or words("failed"))
    elif outcome.get("skipped"):
        host.update(score=None, message=words("left_out"))
    else:
        host["message"] = message or words("no_result")


def _message(outcome: t.Any) -> str:
    """What the task said; the answer of a program that failed is added when there is no more than a general sentence."""
    if not isinstance(outcome, t.Mapping):
        return ""
    text = outcome.get("msg")
    return cut(visible(text).strip(), MAX_MESSAGE) if isinstance(text, str) else ""


def _status(given: t.Any, results: t.Sequence[Result]) -> str:
    if given in ("ok", "warning", "critical", "unknown"):
        return str.__str__(given)
    ranked = [result["status"] for result in results if result["status"] != "skipped"]
    return max(ranked, key=RANK.__getitem__) if ranked else "unknown"


def _score(given: t.Any) -> t.Optional[float]:
    return round(min(max(float(given), 0.0), 100.0), 1) if _is_number(given) else None


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and plain(value) is not None


def _list(value: t.Any) -> t.Sequence[t.Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _text(value: t.Any) -> t.Optional[str]:
    return None if value is None else visible(value if isinstance(value, str) else str(value))


def _mapping(value: t.Any) -> t.Dict[str, t.Any]:
    return plain(value) if isinstance(value, t.Mapping) else {}


def _cause(item: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {
        "name": _text(item.get("name")) or "?",
        "reason": _text(item.get("reason")),
        "probability": plain(item["probability"]) if _is_number(item.get("probability")) else None,
        "why": _text(item.get("why")),
        "affects": [_text(one) for one in _list(item.get("affects"))],
    }


def _result(item: t.Any) -> Result:
    """One Result with exactly its keys, whatever came; what is no mapping is an unknown check that shows what came."""
    if not isinstance(item, t.Mapping):
        item = {"name": "?", "summary": str(item)}
    since = epoch_of(item.get("since"))
    severity = item.get("severity")
    return {
        "name": _text(item.get("name")) or "?",
        "probe": _text(item.get("probe")),
        "status": str.__str__(item["status"]) if item.get("status") in STATUSES else "unknown",
        "severity": str.__str__(severity) if severity in SEVERITIES else None,
        "summary": _text(item.get("summary")) or "",
        "reason": _text(item.get("reason")),
        "observed": plain(item.get("observed")),
        "failed": [_miss(miss) for miss in _list(item.get("failed")) if isinstance(miss, t.Mapping)],
        "duration_ms": plain(item["duration_ms"]) if _is_number(item.get("duration_ms")) else None,
        "attempts": int(item["attempts"]) if _is_number(item.get("attempts")) else None,
        "labels": _mapping(item.get("labels")),
        "annotations": _mapping(item.get("annotations")),
        "weight": plain(item["weight"]) if _is_number(item.get("weight")) else None,
        "caused_by": plain(item.get("caused_by")) or None,
        "since": stamp(since) if since is not None and 0 <= since < 2**36 else None,
        "was": _text(item.get("was")),
        "confirmed": _mapping(item.get("confirmed")) or None,
        "depends_on": [str.__str__(name) for name in _list(item.get("depends_on")) if isinstance(name, str)],
        "metrics": {key: value for key, value in _mapping(item.get("metrics")).items() if _is_number(value)},
    }


def _miss(item: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {"path": _text(item.get("path")) or "", "expected": plain(item.get("expected")), "observed": plain(item.get("observed"))}
