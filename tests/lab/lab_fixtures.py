# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures `lab`, three nodes that are booted once for the whole run, and `own_lab`, three for one file. Mark such tests with `lab`."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from lab import Lab


def _three_nodes(name: str) -> t.Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("the lab boots containers: run as root")
    from lab import Lab
    from lab_rootfs import cache_dir

    for abandoned in cache_dir().glob("tests-*"):  # of a test run that was killed
        if not Path(f"/proc/{abandoned.name.split('-')[1]}").exists():
            Lab(abandoned).down()
    with Lab(cache_dir() / f"tests-{os.getpid()}{name}") as made:
        made.up(3)
        yield made


@pytest.fixture(scope="session")
def lab_home() -> t.Iterator[Lab]:
    """The lab of this test run. It does not promise that all nodes are up: ask for `lab`."""
    yield from _three_nodes("")


@pytest.fixture(scope="module")
def own_lab() -> t.Iterator[Lab]:
    """Nodes that a file of tests has for itself, and may break for good."""
    yield from _three_nodes("-own")


@pytest.fixture
def lab(lab_home: Lab) -> Lab:
    """Three nodes that are all up, whatever the test before did to them. What it wrote on them is still there."""
    lab_home.up(3)
    return lab_home
