# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import RESULT_KEYS
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import formats, model

SCHEMA = Path(__file__).resolve().parents[6] / "docs" / "schema" / "report.schema.json"


def by_name(doc):
    return {host["name"]: host for host in doc["hosts"]}


def test_json_is_what_the_schema_says(make):
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is needed to validate the report")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    doc, words = make(histories={"db1": [(1795140000.0, 90.0), (1795226400.0, 37.5)]})
    read = json.loads(formats.render("json", doc, words))
    assert read == doc
    assert [error.message for error in validator.iter_errors(read)] == []
    validator.validate(json.loads(formats.render("json", *make({}))))
    assert list(validator.iter_errors(dict(read, status="fine"))), "the schema must refuse something"


def test_worst_host_comes_first_then_by_score_and_natural_name(make):
    doc, _words = make()
    names = [host["name"] for host in doc["hosts"]]
    assert names[:3] == ["gone", "broken", "db1"]
    assert names[-2:] == ["web2", "web10"]
    assert [host["status"] for host in doc["hosts"]] == ["unreachable"] + ["critical"] * 3 + ["unknown"] * 3 + ["ok"] * 2


def test_numbers_of_the_fleet(make):
    doc, _words = make()
    assert doc["summary"] == {"ok": 6, "warning": 1, "critical": 3, "unknown": 1, "skipped": 1, "unreachable": 1}
    assert doc["host_counts"] == {"ok": 2, "warning": 0, "critical": 3, "unknown": 3, "unreachable": 1}
    assert doc["status"] == "critical"
    # the skipped host has no score; unreachable, failed and never asked ones count 0
    assert doc["score"] == round((100 + 100 + 37.5 + 50 + 0 + 0 + 0 + 50) / 8, 1)


def test_an_unreachable_host_alone_makes_the_fleet_critical(make):
    doc, _words = make({"a": {"unreachable": True, "msg": "no"}})
    assert (doc["status"], doc["score"]) == ("critical", 0.0)
    assert by_name(doc)["a"]["message"] == "no"


@pytest.mark.parametrize(
    ("outcome", "status", "score", "message"),
    [
        ({"unreachable": True}, "unreachable", 0.0, "The host could not be reached."),
        ({"unreachable": True, "results": []}, "unreachable", 0.0, "The host could not be reached."),
        ({"failed": True, "msg": ["no", "text"]}, "critical", 0.0, "The inspection of this host failed."),
        ({"skipped": True}, "unknown", None, "The host was skipped, nothing was inspected."),
        (None, "unknown", 0.0, "There is no result of this host, the inspection did not run there."),
        ("VARIABLE IS NOT DEFINED!", "unknown", 0.0, "There is no result of this host, the inspection did not run there."),
        (17, "unknown", 0.0, "There is no result of this host, the inspection did not run there."),
        ({}, "unknown", 0.0, "There is no result of this host, the inspection did not run there."),
        ({"results": {"no": "list"}}, "unknown", 0.0, "There is no result of this host, the inspection did not run there."),
        ({"results": [], "status": "ok", "score": None}, "ok", None, "No check ran on this host."),
        ({"results": [], "failed": True, "msg": "bad"}, "critical", None, "bad"),
    ],
)
def test_a_host_without_results(make, outcome, status, score, message):
    host = make({"h": outcome})[0]["hosts"][0]
    assert (host["status"], host["score"], host["message"]) == (status, score, message)


def test_a_failed_task_with_results_shows_the_results(make, results):
    host = make({"h": {"failed": True, "msg": "fail_on", "results": [results["bad"]()], "score": 0, "status": "critical"}})[0]["hosts"][0]
    assert (host["status"], host["message"], len(host["results"])) == ("critical", None, 1)


def test_garbage_in_results_stays_inside_the_shape(make):
    odd = {
        "name": 5,
        "status": "great",
        "severity": "huge",
        "failed": ["x", {"path": None}],
        "labels": [],
        "metrics": {"a": "b", "n": float("nan")},
    }
    odd.update(duration_ms=True, attempts="many", since="yesterday", weight=float("inf"), observed=object)
    host = make({"h": {"results": ["text", None, odd, {}], "score": "high", "status": "?"}})[0]["hosts"][0]
    assert [set(result) for result in host["results"]] == [set(RESULT_KEYS)] * 4
    assert [result["status"] for result in host["results"]] == ["unknown"] * 4
    assert host["results"][2]["metrics"] == {}
    assert (host["status"], host["score"]) == ("unknown", None)
    json.dumps(host, allow_nan=False)


def test_a_list_of_results_names_its_hosts(make, fleet):
    listed = [dict(fleet["web2"], name="a"), dict(fleet["web2"], host="b")]
    assert sorted(by_name(make(listed)[0])) == ["a", "b"]


@pytest.mark.parametrize(
    ("results", "said"),
    [("text", "it is text"), ([{"results": []}], "results[0] has neither name nor host"), ([3], "results[0]"), (3, "it is a number")],
)
def test_results_of_another_shape_are_refused(make, results, said):
    with pytest.raises(ValueError, match="results") as caught:
        make(results)
    assert said in str(caught.value)


def test_an_empty_fleet(make):
    doc, words = make({})
    assert (doc["status"], doc["score"], doc["hosts"]) == ("unknown", None, [])
    for name in formats.FILES:
        assert formats.render(name, doc, words)


def test_findings_are_worst_first(make, results):
    made = [
        results["bad"]("w", status="warning"),
        results["bad"]("low", severity="info"),
        results["good"](),
        results["bad"]("high", severity="critical"),
    ]
    host = make({"h": {"results": made, "score": 1, "status": "critical"}})[0]["hosts"][0]
    assert [result["name"] for result in model.findings(host)] == ["high", "low", "w"]
    assert [result["name"] for result in host["results"]] == ["w", "low", "cpu", "high"], "the document keeps the order of the checks"


def test_strings_are_made_harmless_once_for_every_format(make):
    doc, _words = make()
    text = json.dumps(doc, ensure_ascii=False)
    assert not set(text) & set("\x00\x1b\u202e\udc80\ufffe")
    assert "\\\\x1b" in text and "\\\\x80" in text and "\\\\u202e" in text


class Tagged(str):
    """A string as Ansible hands it over."""

    __slots__ = ()


def test_tagged_strings_become_plain_ones(make, results):
    outcome = {
        "results": [results["bad"](Tagged("x"), summary=Tagged("y"), status=Tagged("warning"))],
        "score": 50,
        "status": Tagged("warning"),
    }
    doc, _words = make({Tagged("h"): outcome})
    host = doc["hosts"][0]
    found = [host["name"], host["status"], host["results"][0]["name"], host["results"][0]["summary"], host["results"][0]["status"]]
    assert {type(one) for one in found} == {str}


def test_history_leaves_out_what_is_no_score(make):
    doc, _words = make(histories={"db1": [(0, 90.0), (1, None), (2, float("nan")), (1795226400, 80)]})
    assert by_name(doc)["db1"]["history"] == [
        {"time": "1970-01-01T00:00:00Z", "score": 90.0},
        {"time": "2026-11-21T02:00:00Z", "score": 80},
    ]


def test_a_dead_database_is_not_hidden_by_good_hosts_and_unknowns_lower_the_coverage(make, results):
    fleet = {f"web{number}": {"results": [results["good"]()], "score": 100.0, "status": "ok"} for number in range(99)}
    dead = {"results": [results["good"](), results["bad"](severity="critical")], "score": 49.0, "status": "critical"}
    assert make(fleet)[0]["score"] == make(fleet)[0]["coverage"] == 100.0
    doc, words = make(dict(fleet, db1=dead))
    assert (doc["score"], doc["coverage"]) == (49.0, 100.0)
    doc, words = make(
        {"a": fleet["web1"], "b": {"results": [results["good"](status="unknown")], "score": 0, "status": "unknown"}, "c": None}
    )
    assert [host["coverage"] for host in doc["hosts"]] == [0.0, 0.0, 100.0]
    assert doc["coverage"] == 33.3
    assert "33.3% could be seen" in formats.render("md", doc, words)
    assert "0% could be seen" in formats.render("html", doc, words)
    assert "vigil_fleet_coverage 33.3" in formats.render("prometheus", doc, words)
