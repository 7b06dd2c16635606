# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks import meant
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import RESULT_KEYS
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import read_checks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="generator", scope="module")
def fixture_generator():
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools" / "gen_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_probe_reference_is_what_the_code_declares(generator):
    text = generator.GUIDE.read_text(encoding="utf-8")
    assert text == generator.guide(text), "run: python tools/gen_docs.py"
    for name in generator.registry.PROBES:
        assert f"\n### {name}\n" in text


def test_every_option_and_observed_key_says_what_it_means(generator):
    silent = [
        f"{name}.{key}"
        for name, spec in generator.registry.specs().items()
        for key, text in list(spec.observes.items()) + [(option, spec.options[option].help) for option in spec.options]
        if not text.strip()
    ]
    assert silent == []


def test_the_schema_of_checks_is_what_the_code_declares(generator):
    assert generator.SCHEMA.read_text(encoding="utf-8") == generator.schema_text(), "run: python tools/gen_docs.py"


def test_the_example_of_the_guide_is_valid():
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with ansible-core; engine-only runs have none")
    example = re.search(r"```yaml\n(vigil_checks:.*?)```", (ROOT / "docs" / "checks.md").read_text(encoding="utf-8"), re.DOTALL)
    checks = yaml.safe_load(example.group(1))["vigil_checks"]
    assert len(read_checks(checks)) == 4


def test_the_guide_names_every_result_key_and_matcher():
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert [key for key in RESULT_KEYS if f"`{key}`" not in text] == []
    for form in re.findall(r"[<>=!~]+(?= regex|,)|\bin\b|contains|between|exists|absent", meant.FORMS):
        assert form in text


def test_schema_accepts_what_the_code_accepts(generator):
    jsonschema = pytest.importorskip("jsonschema", reason="the engine-only environment has no jsonschema")
    schema = json.loads(generator.schema_text())
    good = [{"name": "a", "tcp": {"host": "h", "port": 80}, "expect": {"connected": True}, "every": "30s"}, {"name": "b", "cpu": None}]
    jsonschema.validate(good, schema)
    read_checks(good)
    for bad in (
        [{"name": "a"}],
        [{"name": "a", "cpu": {}, "tcp": {"host": "h", "port": 1}}],
        [{"name": "a", "tcp": {"host": "h"}}],
        [{"name": "a", "cpuu": {}}],
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
