# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as JUnit XML: a test suite a host, a test case a check.

critical is a failure, unknown an error, skipped is skipped; a warning passes and says itself in system-out, so that a pipeline stays green.
"""

from __future__ import annotations

import typing as t
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.vigil.ops.plugins.module_utils._engine.report.model import Doc, Host, Result
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import oneline, visible
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words


def render(doc: Doc, words: Words) -> str:
    """The whole file."""
    suites = [_suite(host, doc["generated"][:-1], words) for host in doc["hosts"]]
    total = {key: sum(suite[0][key] for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    seconds = sum(suite[1] for suite in suites)
    head = "<testsuites{}>".format(_attributes(dict(name=doc["title"], **total, time=f"{seconds:.3f}")))
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head] + [suite[2] for suite in suites] + ["</testsuites>"]) + "\n"


def _attributes(values: t.Mapping[str, t.Any]) -> str:
    return "".join(f" {key}={quoteattr(oneline(str(value)))}" for key, value in values.items())


def _suite(host: Host, generated: str, words: Words) -> t.Tuple[t.Dict[str, int], float, str]:
    """Counts, seconds and XML of one host."""
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    cases = [_case(host["name"], result, counts, words) for result in host["results"]]
    if host["message"]:
        cases.insert(0, _host_case(host, counts, words))
    seconds = sum(result["duration_ms"] or 0 for result in host["results"]) / 1000.0
    head = _attributes(dict(name=host["name"], **counts, time=f"{seconds:.3f}", timestamp=generated, hostname=host["name"]))
    return counts, seconds, "\n".join([f"  <testsuite{head}>", *cases, "  </testsuite>"])


def _host_case(host: Host, counts: t.Dict[str, int], words: Words) -> str:
    """The case of a host that could not be inspected."""
    kind = "skipped" if host["score"] is None else "error"
    values = {"name": words(host["status"]), "classname": host["name"] + ".host", "time": "0.000"}
    return _write(values, kind, {"message": host["message"], "type": host["status"]}, host["message"], counts)


def _case(name: str, result: Result, counts: t.Dict[str, int], words: Words) -> str:
    values = {
        "name": _name(result),
        "classname": "{}.{}".format(name, result["probe"] or "check"),
        "time": "%.3f" % ((result["duration_ms"] or 0) / 1000.0),
    }
    kind = {"critical": "failure", "unknown": "error", "skipped": "skipped", "warning": "system-out"}.get(result["status"], "")
    about = {"message": result["summary"] or words("no_summary"), "type": result["reason"] or result["status"]}
    if kind == "skipped" and result["caused_by"]:
        about["message"] = words("caused_by", name=result["caused_by"])
    return _write(values, kind, about, _detail(result, words), counts)


def _name(result: Result) -> str:
    labels = ", ".join("{}={}".format(*pair) for pair in sorted(result["labels"].items()))
    return "{} {{{}}}".format(result["name"], labels) if labels else result["name"]


def _detail(result: Result, words: Words) -> str:
    lines = ["{}: {}".format(words(result["status"]), result["summary"] or words("no_summary"))]
    lines += [
        "{}: {}, {} {}".format(miss["path"], miss["observed"], words("expected").lower(), miss["expected"]) for miss in result["failed"]
    ]
    return "\n".join(lines)


def _write(values: t.Mapping[str, str], kind: str, about: t.Mapping[str, str], detail: str, counts: t.Dict[str, int]) -> str:
    counts["tests"] += 1
    counter = {"failure": "failures", "error": "errors", "skipped": "skipped"}.get(kind)
    if counter:
        counts[counter] += 1
    if not kind:
        return f"    <testcase{_attributes(values)}/>"
    body = escape(visible(detail))
    inner = f"<system-out>{body}</system-out>" if kind == "system-out" else f"<{kind}{_attributes(about)}>{body}</{kind}>"
    return f"    <testcase{_attributes(values)}>{inner}</testcase>"
