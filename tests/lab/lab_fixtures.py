# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture `lab` for every test of this repository: three nodes, booted once for the whole run. Mark such tests with `lab`."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from lab import Lab


@pytest.fixture(scope="session")
def lab_home() -> t.Iterator[Lab]:
    """The lab of this test run. It does not promise that all nodes are up: ask for `lab`."""
    if os.geteuid() != 0:
        pytest.skip("the lab boots containers: run as root")
    from lab import Lab
    from lab_rootfs import cache_dir

    for abandoned in cache_dir().glob("tests-*"):  # of a test run that was killed
        if not Path(f"/proc/{abandoned.name[6:]}").exists():
            Lab(abandoned).down()
    with Lab(cache_dir() / f"tests-{os.getpid()}") as made:
        made.up(3)
        yield made


@pytest.fixture
def lab(lab_home: Lab) -> Lab:
    """Three nodes that are all up, whatever the test before did to them. What it wrote on them is still there."""
    lab_home.up(3)
    return lab_home
