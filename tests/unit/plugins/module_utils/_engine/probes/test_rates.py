# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _meter, _procfs, cpu, io, network

RATES = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "errors", "dropped")
DISKS = "   8       0 sda {0} 1 {1} {2} {3} 4 {4} {5} 0 {6} 99 0 0 0 0\n   8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n   7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when somebody sleeps, and only then."""

    class Clock:
        CLOCK_BOOTTIME = 7
        now = 100.0

        def monotonic(self):
            return self.now

        def clock_gettime(self, number):
            return self.now + 1000.0

        def sleep(self, seconds):
            self.now += seconds

    found = Clock()
    monkeypatch.setattr(_meter, "time", found)
    return found


def test_what_passes_lo_is_counted():
    """A real interface, real bytes."""
    ctx = Context()
    network.gather([{}], ctx)
    sent = b"x" * 1000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        for _number in range(100):
            here.sendto(sent, there.getsockname())
    began = time.monotonic()
    seen = network.observe({"interface": "lo"}, ctx)
    assert set(seen) == {f"{rate}_per_second" for rate in RATES} | {"seconds"}
    # at most twice the interval has passed on a busy machine; others may send, too
    assert seen["tx_bytes_per_second"] >= 100_000 / max(1.0, 2 * (time.monotonic() - began + _meter.SAMPLE))
    assert seen["rx_bytes_per_second"] == pytest.approx(seen["tx_bytes_per_second"], rel=0.2)
    together = network.observe({"interface": None}, ctx)
    assert all(together[f"{rate}_per_second"] >= 0 for rate in RATES)
    with pytest.raises(ProbeFailure, match=r"there is no interface wan7, only .*lo"):
        network.observe({"interface": "wan7"}, ctx)


def test_rates_of_interfaces_by_hand(clock, monkeypatch, tmp_path):
    (tmp_path / "net").mkdir()
    place = tmp_path / "net" / "dev"
    head = "Inter-| Receive | Transmit\n face |bytes ...\n"
    place.write_text(
        head
        + "  eth0: 1000 10 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\neth0:1:7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7\n"
    )
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    ctx = Context()
    network.gather([{}], ctx)
    clock.now += 2.0
    place.write_text(
        head
        + "  eth0: 5000 30 4 2 0 0 0 0 700 7 2 0 0 0 0 0\n lo: 99 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  new:7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7\n"
    )
    seen = network.observe({"interface": None}, ctx)
    assert list(seen.values()) == [2000.0, 100.0, 10.0, 1.0, 3.0, 1.0, 2.0]
    assert set(network.observe({"interface": "new"}, ctx).values()) == {None, 2.0}
    place.write_text(head + "  eth0: 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
    again = network.observe({"interface": "eth0"}, ctx.view(2, ()))
    assert again["rx_bytes_per_second"] is None and clock.now == pytest.approx(102.0 + _meter.SAMPLE)


def test_disks_by_hand(clock, monkeypatch, tmp_path):
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    monkeypatch.setattr(io, "SYS", str(tmp_path / "none"))
    place = tmp_path / "diskstats"
    place.write_text(DISKS.format(0, 0, 0, 0, 0, 0, 0))
    ctx = Context()
    io.gather([{}], ctx)
    clock.now += 4.0
    place.write_text(DISKS.format(40, 8000, 80, 360, 16000, 1920, 1000))
    seen = io.observe({"device": None}, ctx)
    assert seen == {
        "busy_percent": 25.0,
        "read_bytes_per_second": 2000 * 512,
        "written_bytes_per_second": 4000 * 512,
        "reads_per_second": 10.0,
        "writes_per_second": 90.0,
        "await_ms": 5.0,
        "seconds": 4.0,
    }
    assert io.observe({"device": "/dev/sda"}, ctx) == seen
    assert io.observe({"device": "sda1"}, ctx)["await_ms"] is None
    with pytest.raises(ProbeFailure, match="there is no block device sdz, only sda"):
        io.observe({"device": "sdz"}, ctx)


def test_disks_of_this_node(tmp_path):
    if not io.read_disks():
        with pytest.raises(CannotSee):
            io.observe({"device": None}, Context())
        return
    seen = io.observe({"device": None}, Context())
    assert 0 <= seen["busy_percent"] <= 100 and seen["written_bytes_per_second"] >= 0


@pytest.mark.parametrize(("probe", "option", "words"), [(io, "device", "diskstats"), (network, "interface", "net/dev")])
def test_where_there_is_no_linux(monkeypatch, tmp_path, probe, option, words):
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    with pytest.raises(CannotSee, match=words) as caught:
        probe.observe({option: None}, Context())
    assert caught.value.reason == "unsupported"


def test_all_probes_share_the_interval(clock):
    """Not a quarter of a second for each."""
    ctx = Context()
    for probe in (cpu, io, network):
        probe.gather([{}], ctx)
    time.sleep(0.1)  # so that the processor's time goes on: only the clock of the meters is made up
    began = clock.now
    cpu.observe({}, ctx)
    network.observe({"interface": None}, ctx)
    if io.read_disks():
        io.observe({"device": None}, ctx)
    assert clock.now - began == pytest.approx(_meter.SAMPLE)


def test_context_switches(tmp_path):
    ctx, stop = Context(), threading.Event()
    cpu.gather([{}], ctx)

    def turn():
        while not stop.is_set():
            os.sched_yield()
            time.sleep(0.0005)

    threading.Thread(target=turn, daemon=True).start()
    seen = cpu.observe({}, ctx)
    stop.set()
    assert seen["context_switches_per_second"] > 10
    assert seen["interrupts_per_second"] >= 0 and seen["forks_per_second"] >= 0
    assert seen["seconds"] >= _meter.SAMPLE


def test_one_interface_set_back_is_not_made_up_for_by_another(clock, monkeypatch, tmp_path):
    (tmp_path / "net").mkdir()
    place = tmp_path / "net" / "dev"
    lines = "head\nhead\n  a: {} 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  b: {} 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
    place.write_text(lines.format(900, 100))
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    ctx = Context()
    network.gather([{}], ctx)
    place.write_text(lines.format(10, 5000))
    seen = network.observe({"interface": None}, ctx)
    assert seen["rx_bytes_per_second"] is None and seen["tx_bytes_per_second"] == 0


def test_a_processor_whose_time_stands_still_is_not_idle(clock, monkeypatch, tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    (tmp_path / "stat").write_text("cpu  5 5 5 5 5 5 5 5 0 0\ncpu0 5 5 5 5 5 5 5 5 0 0\n")
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    ctx = Context()
    cpu.gather([{}], ctx)
    with pytest.raises(CannotSee, match="stands still"):
        cpu.observe({}, ctx)
