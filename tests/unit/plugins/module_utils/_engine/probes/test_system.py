# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import sys
import threading

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, CommandMissing, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _procfs, cpu, registry, time_sync


def test_every_probe_declares_what_it_observes():
    for name, spec in registry.specs().items():
        assert spec.name == name
        assert "latency_ms" in spec.observes
        assert set(spec.expect) <= set(spec.observes)
        assert all(text and not text.endswith(".") for text in spec.observes.values())
        assert all(option.help for option in spec.options.values())


@pytest.mark.parametrize("probe", ["cpu", "memory", "swap", "load", "time_sync"])
def test_what_is_observed_is_what_is_declared(look, probe):
    seen = look(probe)
    spec = registry.spec(probe)
    assert set(seen) == set(spec.observes) - {"latency_ms"}
    for key, value in seen.items():
        if key.endswith("_percent"):
            assert 0 <= value <= 100


def test_all_cpu_checks_of_a_run_share_one_sample():
    ctx = Context()
    cpu.gather([{}, {}], ctx)
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(cpu.observe({}, ctx))) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(seen) == 20
    assert all(one == seen[0] for one in seen)
    again = cpu.observe({}, ctx.view(2, ()))
    assert 0 <= again["used_percent"] <= 100


def test_load_per_core(look):
    seen = look("load")
    assert seen["per_core1"] == pytest.approx(seen["load1"] / seen["cores"], abs=0.01)


@pytest.mark.parametrize("probe", ["cpu", "memory", "swap", "process"])
def test_without_proc_and_psutil_it_says_what_to_install(look, monkeypatch, tmp_path, probe):
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(CannotSee, match="python3-psutil") as caught:
        look(probe, **({"name": "x"} if probe == "process" else {}))
    assert caught.value.reason == "missing_library"


@pytest.mark.parametrize("probe", ["cpu", "memory", "swap", "process"])
def test_without_proc_psutil_serves(look, monkeypatch, tmp_path, probe):
    pytest.importorskip("psutil")
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    seen = look(probe, **({"pattern": "."} if probe == "process" else {}))
    assert seen["count"] > 0 if probe == "process" else 0 <= seen["used_percent"] <= 100


def test_an_old_kernel_without_memavailable(monkeypatch, tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text("")
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\nOdd\n")
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    assert _procfs.read_memory() == {"total": 102400, "available": 35840, "swap_total": 0, "swap_free": 0}


def test_processes_that_are_hidden_are_told(look, monkeypatch, tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text("")
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    with pytest.raises(CannotSee, match="hidepid"):
        look("process", name="x")


def test_clock_falls_back_on_timedatectl(monkeypatch):
    monkeypatch.setattr(time_sync, "_by_kernel", lambda: None)
    seen = time_sync.observe({}, Context(run=lambda argv, timeout: (0, "yes\n", "")))
    assert (seen["synchronized"], seen["source"]) == (True, "timedatectl")
    with pytest.raises(CannotSee, match="neither"):
        time_sync.observe({}, Context(run=lambda argv, timeout: (1, "", "no")))
    with pytest.raises(CannotSee, match="clock"):
        time_sync.observe({}, Context())


def test_chrony_is_asked_when_the_offset_matters(monkeypatch):
    answer = "D8EF2300,time1,3,1720000000.1,-0.000123456,0.0001,0.0002,1.5,0.01,0.02,0.03,0.001,64.2,Normal\n"
    asked = []

    def run(argv, timeout):
        asked.append(argv[0])
        return 0, answer if argv[0] == "chronyc" else "yes", ""

    seen = time_sync.observe({}, Context(run=run, wanted=["offset_ms"]))
    assert seen["offset_ms"] == pytest.approx(0.123456)  # how far, whichever way
    time_sync.observe({}, Context(run=run))
    assert asked.count("chronyc") == 1


def test_chrony_that_follows_nobody_knows_no_offset():
    """It says 0 then, which would pass any limit."""
    answer = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.0,1.0,0.0,Not synchronised\n"
    with pytest.raises(ProbeFailure, match="no time server") as caught:
        time_sync.observe({}, Context(run=lambda argv, timeout: (0, answer, ""), wanted=["offset_ms"]))
    assert (caught.value.reason, caught.value.observed["offset_ms"], caught.value.observed["synchronized"]) == ("clock", None, False)


def test_chrony_tells_where_nobody_else_does(monkeypatch):
    monkeypatch.setattr(time_sync, "_by_kernel", lambda: None)

    def run(argv, timeout):
        if argv[0] != "chronyc":
            raise CommandMissing(argv[0])
        return 0, "D8EF2300,time1,3,1720000000.1,300.5,0.0001,0.0002,1.5,0.01,0.02,0.03,0.001,64.2,Normal\n", ""

    assert time_sync.observe({}, Context(run=run, wanted=["offset_ms"]))["offset_ms"] == 300500
    with pytest.raises(CannotSee, match="timedatectl"):
        time_sync.observe({}, Context(run=run))


def test_own_processor_time_is_seen():
    me = [process for process in _procfs.read_processes() if process.pid == os.getpid()]
    assert me
    assert me[0].cpu_seconds > 0
    assert me[0].rss > 1 << 20
