# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.paths import parse_path
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee

SEEN = {"json": {"a": {"b": [10, 20]}, "we ird": 1, "items": [{"n": 1}, {"n": 2}]}, "headers": {"content-type": "text/html"}, "status": 200}


@pytest.fixture(name="no_jmespath")
def fixture_no_jmespath(monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("status", 200),
        ("json.a.b[0]", 10),
        ("json.a.b[-1]", 20),
        ("json.a.b[7]", None),
        ('json."we ird"', 1),
        ("headers.content-type", "text/html"),
        ("json.a.x.y", None),
        ("status.x", None),
        ("status[0]", None),
    ],
)
def test_plain_paths_need_no_library(no_jmespath, text, value):
    assert parse_path(text).get(SEEN) == value


def test_expressions_beyond_plain_paths_use_jmespath():
    assert parse_path("length(json.items)").get(SEEN) == 2
    assert parse_path("json.items[?n > `1`].n | [0]").get(SEEN) == 2


def test_without_jmespath_an_expression_says_what_to_install(no_jmespath):
    with pytest.raises(CannotSee, match="python3-jmespath") as caught:
        parse_path("length(json.items)").get(SEEN)
    assert caught.value.reason == "missing_library"


@pytest.mark.parametrize("text", ["a..b", ".a", "a[b]", "a.[0]", "a[", "", "  ", None, 5, "a b"])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ValueError, match="expression"):
        parse_path(text)


def test_an_expression_that_does_not_fit_the_values_cannot_be_seen():
    with pytest.raises(CannotSee, match="could not be applied"):
        parse_path("length(status)").get(SEEN)


def test_the_root_is_known_for_plain_paths_only():
    assert parse_path("json.a").root == "json"
    assert parse_path("length(json.items)").root is None


def test_header_names_know_no_case():
    assert parse_path("headers.Content-Type").get(SEEN) == "text/html"


def test_unknown_functions_are_refused_even_without_jmespath(no_jmespath):
    with pytest.raises(ValueError, match=r"calls len\(\), which JMESPath does not have; did you mean length"):
        parse_path("len(json.items)")
    assert parse_path("length(json.items) && contains(body, 'len(x)')").names >= {"json", "body"}
