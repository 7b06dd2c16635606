# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates of vigil_alerts: what they know, what is refused, and that a failing one never keeps an alert from being told."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import PolicyError
from ansible_collections.vigil.ops.plugins.plugin_utils import _templates

NOW = 1_763_712_000.0


def worded(language="en", **templates):
    event = new_event("shop", "web1", "disk /", NOW, severity="critical", message="it is full", labels={"team": "db"})
    return _templates.Words(read_policy({"templates": templates}))([event], language)[0]


def test_a_template_knows_the_event():
    found = worded(
        title="{{ state }}: {{ check }} on {{ instance }}",
        text={"zh": "{{ labels.team }}\n{% for n, v in facts %}{{ n }}={{ v }};{% endfor %}"},
    )
    assert found["_title"] == "Critical: disk / on web1"
    assert (found["message"], "_text" in found) == ("it is full", False)
    chinese = worded("zh", title="{{ state }}", text={"zh": "{{ labels.team }}|{{ facts[1][0] }}={{ facts[1][1] }}"})
    assert (chinese["_title"], chinese["message"]) == ("严重", "db|实例=web1")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ mesage }}", 'templates.text names "mesage", which no event has; did you mean "message"?'),
        ("{{ message", "templates.text is no Jinja2 template at line 1: "),
        ("{{ message | to_nice_yaml }}", "templates.text is no Jinja2 template"),
    ],
)
def test_bad_templates_are_refused(template, sentence):
    with pytest.raises(PolicyError) as caught:
        worded(text=template)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "template", ["{{ 1 / 0 }}", "{{ message.__class__.__mro__ }}", "{{ labels.nothing.at.all }}", "{{ ''.join(range(9)) }}"]
)
def test_a_template_that_fails_leaves_our_words(template):
    found = worded(text=template)
    assert (found["message"], "_text" in found) == ("it is full", False)


def test_read_more():
    words = _templates.Words(read_policy({"read_more": "https://x.example/ or ask"}))
    assert words([new_event("shop", "web1", "disk /", NOW, message="m")], "en")[0]["_more"] == "https://x.example/ or ask"
