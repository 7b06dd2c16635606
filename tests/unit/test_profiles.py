# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The profiles of the collection: each is valid, runs on this very machine, and goes together with the others."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._runner import run

yaml = pytest.importorskip("yaml", reason="PyYAML comes with ansible-core; engine-only runs have none")

ROOT = Path(__file__).resolve().parents[2]
PLACES = {place.stem: place for place in sorted((ROOT / "playbooks" / "files" / "profiles").glob("*.yml"))}


def profile(name):
    return yaml.safe_load(PLACES[name].read_text(encoding="utf-8"))


def test_they_are_all_there_and_documented():
    assert sorted(PLACES) == ["container_host", "database", "linux", "three_tier", "web"]
    guide = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    module = (ROOT / "plugins" / "modules" / "inspect.py").read_text(encoding="utf-8")
    assert [name for name in PLACES if f"`profile:{name}`" not in guide or f"V(profile:{name})" not in module] == []


@pytest.mark.parametrize("name", PLACES)
def test_a_profile_is_valid_and_runs(name):
    checks = read_checks(profile(name))
    results = inspect(checks, run, timeout=50)["results"]
    assert [result["name"] for result in results] == [check.name for check in checks]
    broken = [result["summary"] for result in results if result["reason"] in ("internal", "expression", "timeout")]
    assert broken == []
    unseen = [result for result in results if result["status"] == "unknown"]
    # what this machine does not have (systemd, a journal) is unknown with a sentence, and little is
    assert len(unseen) <= len(results) // 3 and all(result["summary"] for result in unseen)


def test_any_of_them_go_together():
    for number in range(2, len(PLACES) + 1):
        for names in itertools.combinations(PLACES, number):
            read_checks([check for name in names for check in profile(name)])


def test_the_tiers_have_their_times():
    tiers = {check.labels["tier"]: set() for check in read_checks(profile("three_tier"))}
    for check in read_checks(profile("three_tier")):
        tiers[check.labels["tier"]].add((check.every, check.priority))
    assert tiers == {"1": {(300.0, "P0")}, "2": {(1800.0, "P1")}, "3": {(86400.0, "P2")}}


def test_no_expression_needs_a_library():
    """Profiles are for hosts that have Python alone."""
    paths = [path.text for name in PLACES for check in read_checks(profile(name)) for path, _matcher in check.expect + check.warn]
    assert [path for path in paths if not re.fullmatch(r"[a-z_0-9.]+", path)] == []
