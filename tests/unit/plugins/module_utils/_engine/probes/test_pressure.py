# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import pressure

TEXT = "some avg10={} avg60={} avg300=2.94 total=6496792973\nfull avg10={} avg60={} avg300=0.50 total=17\n"
KEYS = ("cpu_percent", "memory_percent", "memory_full_percent", "io_percent", "io_full_percent")


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """``kernel(cpu=text, ...)`` writes what it tells."""
    folder = tmp_path / "pressure"
    folder.mkdir()
    monkeypatch.setattr(pressure.read_pressure, "__defaults__", (str(folder),))

    def tell(**texts):
        for name, text in texts.items():
            (folder / name).write_text(text)

    return tell


def test_what_the_kernel_tells(look, kernel):
    kernel(cpu=TEXT.format(1, 2, 0, 0), memory=TEXT.format(3.5, 4.25, 5, 6), io=TEXT.format(99, 98.76, 7, 8))
    assert [look("pressure")[key] for key in KEYS] == [2, 4.25, 6, 98.76, 8]
    assert [look("pressure", over="10s")[key] for key in KEYS] == [1, 3.5, 5, 99, 7]
    assert [look("pressure", over="300s")[key] for key in KEYS] == [2.94, 2.94, 0.5, 2.94, 0.5]
    with pytest.raises(ValueError, match="10s"):
        look("pressure", over="1h")


def test_the_default_names_what_is_short(kernel):
    kernel(cpu=TEXT.format(1, 95, 0, 0), memory=TEXT.format(1, 1, 1, 30), io=TEXT.format(1, 99, 1, 49))
    (result,) = inspect(read_checks([{"name": "pressure", "pressure": {}}]))["results"]
    assert result["status"] == "critical"
    assert result["summary"] == "cpu_percent is 95, expected < 90; memory_full_percent is 30, expected < 20"


def test_a_kernel_that_does_not_tell(look, kernel):
    with pytest.raises(CannotSee, match=r"pressure cannot be seen: .*psi=1") as caught:
        look("pressure")
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("text", ["", "\0\0", "some", "some avg60=\n", "some avg60=x total=1", "full avg60=-1", "more avg60=1.0"])
def test_what_is_not_told_is_not_nothing(kernel, text):
    kernel(cpu=text, memory=TEXT.format(0, 0, 0, 0), io="some avg10=1.00 avg60=2.00 avg300=3.00 total=5\n")
    (result,) = inspect(read_checks([{"name": "pressure", "pressure": {}}]))["results"]
    assert (result["status"], result["summary"]) == ("unknown", "cpu_percent, io_full_percent cannot be told on this host")
    assert result["metrics"]["io_percent"] == 2


def test_this_kernel(look):
    if os.path.exists(pressure.PRESSURE):
        assert all(0 <= look("pressure")[key] <= 100 for key in KEYS)
    else:
        with pytest.raises(CannotSee):
            look("pressure")
