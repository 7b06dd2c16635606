# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML, read by a parser; how it looks and moves is tested in a browser (tests/integration/test_report_page.py)."""

from __future__ import annotations

import html.parser
import re

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import page

VOID = {"meta", "link", "input", "wbr", "circle", "path", "rect", "polygon", "polyline", "use", "br"}
OPTIONAL = {"td", "th", "tr", "thead", "tbody", "li", "p"}


class Reader(html.parser.HTMLParser):
    """Collects tags with their attributes, and checks that what must be closed is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID | OPTIONAL:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID | OPTIONAL:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tags_are_ours_alone(make, language):
    read = Reader(page.render(*make(language=language)))
    assert read.open == []
    names = [tag for tag, _attributes in read.tags]
    assert names.count("script") == 1 and names.count("style") == 1 and names.count("details") == 9
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action")], (tag, attributes)
    links = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    assert [link for link in links if not link.startswith("#")] == ['https://e.example/"onmouseover="alert(3)']


def test_every_anchor_leads_somewhere(make):
    read = Reader(page.render(*make()))
    ids = [attributes["id"] for _tag, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for _tag, attributes in read.tags if attributes.get("href", "").startswith("#")}
    assert targets <= set(ids)


def test_nothing_is_asked_from_outside(make):
    text = page.render(*make())
    read = Reader(text)
    policy = next(attributes["content"] for tag, attributes in read.tags if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert [attributes["href"][:5] for tag, attributes in read.tags if tag == "link"] == ["data:"]
    assert "@import" not in text and "url(" not in text


def test_everything_seen_is_in_it(make):
    said = " ".join("".join(Reader(page.render(*make())).text).split())
    for words in (
        "No route to host",
        "python3 was not found",
        "The host was skipped",
        "root disk",
        "used_percent is 93.1, expected < 90",
        "for 11 h 5 min",
        "was ok",
        "affects api health",
        "caused by db port",
        "service=orders",
        "3.2 GiB",
        "Reason: unsupported",
    ):
        assert words in said, words


def test_a_quiet_fleet_says_so(make, fleet):
    text = page.render(*make({"a": fleet["web2"]}))
    assert "Every check on every host is ok." in text and "What to look at first" not in text
    assert "No host was inspected." in page.render(*make({}))


def test_what_hits_many_hosts_is_told_once(make, results):
    many = {f"h{index}": {"results": [results["bad"]()], "score": 0, "status": "critical"} for index in range(20)}
    text = page.render(*make(many))
    first = text[text.index('class="first"') : text.index('class="fleet"')]
    assert first.count("<li") == 1 and "on 20 hosts" in first and "and 14 more" in first


def test_trend_only_with_history(make):
    assert 'class="spark"' not in page.render(*make())
    text = page.render(*make(histories={"db1": [(1, 90.0), (2, 37.5)]}))
    assert text.count('class="spark"') == 2 and "Scores of the last 2 runs: 90, 37.5" in text


def test_five_hundred_hosts_with_thirty_checks(make, results):
    checks = [results["good"](f"check {index}", labels={"service": "x"}) for index in range(30)]
    text = page.render(*make({f"host{index}": {"results": checks, "score": 100, "status": "ok"} for index in range(500)}))
    assert len(text) < 8_000_000
    assert len(re.findall("<details", text)) == 500 and text.count("check 29") == 500
