# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Markdown, JUnit and Prometheus, each read by a reader of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import formats, junit, markdown, prometheus


def test_markdown_tables_keep_their_shape(make):
    text = markdown.render(*make())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 9
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}


def test_markdown_of_a_host_is_text_alone(make):
    text = markdown.render(*make())
    assert "<script" not in text and "**b**" not in text and "http://e.example" not in text and "@all" not in text
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert text.count("`") == text.count("\\`")


def test_markdown_says_what_was_found(make):
    text = markdown.render(*make())
    assert "### db1 ❌ critical" in text
    assert "- **Likely root cause:** db port (refused), affects api health" in text
    assert "❌ critical **root disk**: used_percent is 93.1, expected &lt; 90 (since 2026-11-20 14:55 UTC; was ok)" in text
    assert "caused by db port" in text
    assert "web10 ✅ ok |" not in text.split("## Findings")[1]


def test_junit_counts_are_what_it_holds(make):
    root = ET.fromstring(junit.render(*make()).encode("utf-8"))
    assert root.tag == "testsuites" and len(root) == 9
    for element, parts in [(root, list(root.iter("testcase")))] + [(suite, list(suite)) for suite in root]:
        assert int(element.get("tests")) == len(parts)
        for counter, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(counter)) == sum(1 for case in parts if case.find(tag) is not None)


def test_junit_verdicts(make):
    root = ET.fromstring(junit.render(*make()).encode("utf-8"))
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    disk = cases["db1.disk", "root disk"].find("failure")
    assert disk.get("message") == "used_percent is 93.1, expected < 90" and "used_percent: 93.1, expected < 90" in disk.text
    assert cases["db1.http", "api health"].find("skipped").get("message") == "caused by db port"
    assert cases["clocks.time_sync", "clock"].find("error").get("type") == "unsupported"
    warned = cases["db1.http", "orders {service=orders}"]
    assert warned.find("failure") is None and warned.find("system-out").text.startswith("warning: ")
    assert cases["gone.host", "unreachable"].find("error").get("message").endswith("No route to host")
    assert cases["left out.host", "unknown"].find("skipped") is not None


def test_junit_is_read_by_junitparser(make):
    junitparser = pytest.importorskip("junitparser", reason="the package junitparser is needed to read the JUnit report")
    read = junitparser.JUnitXml.fromstring(junit.render(*make()).encode("utf-8"))
    assert (read.tests, read.failures, read.errors, read.skipped) == (16, 3, 4, 2)
    nasty = [case for suite in read for case in suite if "script" in (case.classname or "")]
    assert len(nasty) == 2


def families(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_promtool_accepts_it(make):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("PROMTOOL IS MISSING: the Prometheus output is not checked (Debian and Ubuntu: apt-get install prometheus)")
    for text in (prometheus.render(*make()), prometheus.render(*make({}))):
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=text.encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.decode()) == (0, "")


def test_prometheus_samples(make):
    lines = families(prometheus.render(*make()))
    assert "vigil_inspection_timestamp_seconds 1795226400.0" in lines
    assert 'vigil_host_up{host="gone"} 0' in lines and 'vigil_host_up{host="db1"} 1' in lines
    assert 'vigil_host_score{host="gone"} 0.0' in lines and 'vigil_host_score{host="db1"} 37.5' in lines
    assert not [line for line in lines if line.startswith('vigil_host_score{host="left out"}')]
    assert 'vigil_check_status{host="db1",check="root disk",probe="disk",severity="error"} 2' in lines
    assert 'vigil_check_status{host="db1",check="orders",label_service="orders",probe="http",severity="warning"} 1' in lines
    assert 'vigil_check_value{host="db1",check="root disk",metric="free_bytes"} 3400000000' in lines
    assert not [line for line in lines if re.search(r"\} \S+ \d+$", line)], "no time stamps"


def test_prometheus_has_no_series_twice(make, results):
    same = [results["bad"](), results["good"]("root disk", probe="disk"), results["bad"](labels={"a-b": 1, "a_b": 2, "host": "x"})]
    lines = families(prometheus.render(*make({"h": {"results": same, "score": 1, "status": "critical"}})))
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))
    labels = [re.findall(r'(\w+)="', line) for line in series]
    assert all(len(names) == len(set(names)) for names in labels)


@pytest.mark.parametrize("name", sorted(formats.FILES))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_only_the_time_stamp_is_no_difference(make, fleet, name, language):
    doc, words = make(language=language)
    later = dict(doc, generated="2026-11-21T09:30:00Z")
    text = formats.render(name, later, words)
    assert text != formats.render(name, doc, words)
    assert not formats.differs(name, text, doc, words)
    other, _words = make(dict(fleet, web2={"unreachable": True}), language=language)
    assert formats.differs(name, text, other, words)
    assert formats.differs(name, None, doc, words)
    assert formats.differs(name, "something else", doc, words)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["htlm"], 'formats: "htlm" is not known; did you mean "html"?'),
        (["markdown"], 'formats: "markdown" is not known; did you mean "md"?'),
        (["html", "xml"], 'formats: "xml" is not known; did you mean "junit"?'),
        (["pdf"], 'formats: "pdf" is not known; known are html, json, junit, md, prometheus'),
        ([], "formats is empty, choose from html, md, json, junit, prometheus"),
    ],
)
def test_an_unknown_format_is_refused(given, said):
    with pytest.raises(ValueError, match="formats") as caught:
        formats.check(given)
    assert str(caught.value) == said
