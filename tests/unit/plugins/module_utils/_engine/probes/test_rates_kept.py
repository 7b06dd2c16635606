# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rates over the time since the last run, from what that left: right, or not known, whatever happened in between."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _meter, _procfs, cpu, io, network

HEAD = "Inter-| Receive | Transmit\n face |bytes ...\n"
SPIN = "import sys, time\nend = time.monotonic() + 60\nprint(1, flush=True)\nwhile time.monotonic() < end: pass"


class Host:
    """A /proc of its own, and a clock that goes on only when it is told or slept on."""

    CLOCK_BOOTTIME = 7

    def __init__(self, root):
        self.root, self.now, self.slept = root, 5000.0, 0.0
        for folder in ("sys/kernel/random", "net", "self"):
            (root / folder).mkdir(parents=True)
        (root / "self" / "stat").touch()
        self.boot("one")
        self.ticks, self.cores, self.switches = [1000] * 8, 2, 100
        self.nets, self.disks = {"eth0": [1000] * 16}, {"sda": [100] * 11}

    def boot(self, name):
        (self.root / "sys" / "kernel" / "random" / "boot_id").write_text(name + "\n")

    def show(self):
        lines = [f"cpu  {' '.join(map(str, self.ticks))} 0 0"] + [f"cpu{core} 0 0 0 0 0 0 0 0" for core in range(self.cores)]
        (self.root / "stat").write_text("\n".join([*lines, "intr 50 1 2 3", f"ctxt {self.switches}", "processes 7"]) + "\n")
        (self.root / "net" / "dev").write_text(HEAD + "".join(f"  {name}: {' '.join(map(str, row))}\n" for name, row in self.nets.items()))
        rows = [f"   8 {number} {name} {' '.join(map(str, row))}\n" for number, (name, row) in enumerate(self.disks.items())]
        (self.root / "diskstats").write_text("".join(rows))

    def monotonic(self):
        return self.now - 3000.0

    def clock_gettime(self, _number):
        return self.now

    def sleep(self, seconds):
        self.slept += seconds
        self.now += seconds
        self.ticks = [tick + 1 for tick in self.ticks]
        self.show()

    def run(self, past=None, probes=("cpu", "io", "network")):
        """What a run sees, and what it leaves, as JSON has it."""
        self.show()
        self.slept = 0.0
        ctx = Context(past=json.loads(json.dumps(past or {})), left={})
        options = {"cpu": {}, "io": {"device": None}, "network": {"interface": None}}
        modules = {"cpu": cpu, "io": io, "network": network}
        for probe in probes:
            modules[probe].gather([options[probe]], ctx)
        return {probe: modules[probe].observe(options[probe], ctx) for probe in probes}, ctx.left


@pytest.fixture
def host(monkeypatch, tmp_path):
    made = Host(tmp_path)
    monkeypatch.setattr(_procfs, "PROC", str(tmp_path))
    monkeypatch.setattr(_meter, "time", made)
    monkeypatch.setattr(cpu, "_own", lambda: 0.0)
    monkeypatch.setattr(io, "SYS", str(tmp_path / "none"))
    return made


def goes_on(host, seconds):
    """Half of the processor's time is idle, 8 KiB a second come in, 10 reads of 4 KiB a second."""
    host.now += seconds
    ticks = int(seconds * host.cores * 100)
    host.ticks[0] += ticks // 2
    host.ticks[3] += ticks // 2
    host.switches += int(seconds * 500)
    for row in host.nets.values():
        row[0] += int(seconds * 8192)
    for row in host.disks.values():
        row[0] += int(seconds * 10)
        row[2] += int(seconds * 80)
        row[9] += int(seconds * 250)


def about(value):
    """A sample may have been waited for since the last look, in which nothing passed."""
    return pytest.approx(value, rel=0.01)


def lengths(seen):
    return [round(observed["seconds"]) for observed in seen.values()]


def check_long(seen, seconds):
    assert seen["cpu"]["used_percent"] == about(50)
    assert seen["cpu"]["context_switches_per_second"] == about(500)
    assert seen["network"]["rx_bytes_per_second"] == about(8192)
    assert seen["io"]["reads_per_second"] == about(10) and seen["io"]["read_bytes_per_second"] == about(40960)
    assert seen["io"]["busy_percent"] == about(25)
    assert lengths(seen) == [seconds] * 3


def test_what_the_last_run_left_spares_the_wait(host):
    seen, left = host.run()
    assert host.slept == pytest.approx(_meter.SAMPLE)
    assert {observed["seconds"] for observed in seen.values()} == {_meter.SAMPLE}
    for _run in range(3):
        goes_on(host, 300)
        seen, left = host.run(left)
        check_long(seen, 300)
        assert host.slept == 0


def test_a_retry_looks_anew(host):
    _seen, left = host.run()
    goes_on(host, 300)
    host.show()
    ctx = Context(past=left, left={})
    for probe in (cpu, io, network):
        probe.gather([{}], ctx)
    assert round(network.observe({"interface": "eth0"}, ctx)["seconds"]) == 300
    goes_on(host, 2)
    host.nets["eth0"][0] += 20000
    host.show()
    again = network.observe({"interface": "eth0"}, ctx.view(2, ()))
    assert (again["seconds"], again["rx_bytes_per_second"]) == (2, 8192 + 10000)


@pytest.mark.parametrize("seconds", [0.5, 3700.0, -10.0, 86400.0 * 400])
def test_too_short_too_long_or_back_in_time(host, seconds):
    _seen, left = host.run()
    goes_on(host, max(0.0, seconds))
    host.now += min(0.0, seconds)
    seen, _left = host.run(left)
    assert {observed["seconds"] for observed in seen.values()} == {_meter.SAMPLE}
    assert host.slept == pytest.approx(_meter.SAMPLE)


def test_runs_in_quick_succession_leave_the_older_look(host):
    _seen, left = host.run()
    found = []
    for _run in range(6):
        goes_on(host, 0.5)
        seen, news = host.run(left, ("network",))
        left.update(news)
        found.append(seen["network"]["seconds"])
    assert max(found) >= 1 and host.slept == 0 and seen["network"]["rx_bytes_per_second"] == pytest.approx(8192, rel=0.3)


def test_a_reboot_between(host):
    _seen, left = host.run()
    goes_on(host, 300)
    host.boot("two")
    seen, _left = host.run(left)
    assert {observed["seconds"] for observed in seen.values()} == {_meter.SAMPLE}


def test_no_boot_id(host):
    _seen, left = host.run()
    (host.root / "sys" / "kernel" / "random" / "boot_id").unlink()
    seen, news = host.run(left)
    assert news == {} and {observed["seconds"] for observed in seen.values()} == {_meter.SAMPLE}


def test_counters_that_were_set_back(host):
    """As where the driver was loaded anew, where 32 bits are full, or a container shows times of its own."""
    _seen, left = host.run()
    goes_on(host, 300)
    host.nets["eth0"][0] = 5
    host.disks["sda"][9] = 7
    host.ticks = [4] * 8
    seen, _left = host.run(left)
    for observed in seen.values():
        assert observed["seconds"] == _meter.SAMPLE
        assert all(value is None or value >= 0 for value in observed.values())
    # the sample is right: nothing passed in it
    assert seen["network"]["rx_bytes_per_second"] == 0 and seen["io"]["busy_percent"] == 0


def test_gauges_may_go_down(host):
    host.disks["sda"][8] = 60
    _seen, left = host.run()
    goes_on(host, 300)
    host.disks["sda"][8] = 0
    seen, _left = host.run(left)
    check_long(seen, 300)


def test_one_set_back_takes_the_sample_for_that_probe_alone(host):
    _seen, left = host.run()
    goes_on(host, 300)
    host.nets["eth0"][3] = 0
    seen, _left = host.run(left)
    assert lengths(seen) == [300, 300, 0] and seen["network"]["seconds"] == _meter.SAMPLE


def test_cores_that_came(host):
    _seen, left = host.run()
    goes_on(host, 300)
    host.cores = 4
    seen, _left = host.run(left)
    assert (seen["cpu"]["seconds"], seen["cpu"]["cores"]) == (_meter.SAMPLE, 4)


def test_a_device_that_came_and_one_that_went(host):
    host.nets["eth9"] = [5] * 16
    host.disks["sdz"] = [5] * 11
    _seen, left = host.run()
    goes_on(host, 300)
    del host.nets["eth9"], host.disks["sdz"]
    seen, left = host.run(left)
    check_long(seen, 300)
    goes_on(host, 300)
    host.nets["eth1"], host.disks["sdb"] = [10**12] * 16, [10**9] * 11
    seen, _left = host.run(left)
    assert lengths(seen) == [300, 0, 300] and seen["io"]["seconds"] == _meter.SAMPLE
    assert seen["network"]["rx_bytes_per_second"] == about(8192)  # what is new counts from the next run on


def test_another_device_by_the_same_name(host, monkeypatch):
    identities = {"sda": 11, "eth0": [1, 2]}
    monkeypatch.setattr(io, "_identity", lambda name: identities[name])
    monkeypatch.setattr(network, "_identity", lambda name: identities[name])
    _seen, left = host.run()
    goes_on(host, 300)
    seen, left = host.run(left)
    check_long(seen, 300)
    goes_on(host, 300)
    identities.update(sda=12, eth0=[1, 3])
    seen, _left = host.run(left)
    assert lengths(seen) == [300, 0, 0]


def test_real_devices_have_identities():
    assert network._identity("lo") == network._identity("lo") != [0, 0]
    assert network._identity("lo") != network._identity("no-such-one")
    for name in list(io.read_disks())[:3]:
        assert io._identity(name) == io._identity(name) > 0
    assert io._identity("nul\0") == 0 and network._identity("nul\0") == [0, 0]


DAMAGED = [
    None,
    7,
    "text",
    [],
    {},
    {"boot": "one"},
    {"boot": "one", "at": "long ago", "look": {}},
    {"boot": "one", "at": None, "look": {}},
    {"boot": "one", "at": math.nan, "look": {}},
    {"boot": "one", "at": 10**400, "look": {}},
    {"boot": ["one"], "at": 4800.0, "look": {}},
    *({"boot": "one", "at": 4800.0, "look": look} for look in (None, 7, "x", [], {}, [1, 2], [[]], {"eth0": 7}, {"sda": "x"})),
    {"boot": "one", "at": 4800.0, "look": {"eth0": [0, 0, *[-5] * 16], "sda": [0, *[-5] * 11]}},
    {"boot": "one", "at": 4800.0, "look": {"eth0": [0, 0, *["9"] * 16], "sda": [0, *[None] * 11]}},
    {"boot": "one", "at": 4800.0, "look": {"eth0": [0, 0, *[0.5] * 16], "sda": [0, *[True] * 11]}},
    {"boot": "one", "at": 4800.0, "look": {"eth0": [0, 0, 1], "sda": [0, 1]}},
    {"boot": "one", "at": 4800.0, "look": [math.nan, 1, 1, 1, 2, [1, 1, 1], 0]},
    {"boot": "one", "at": 4800.0, "look": [-math.inf, 1, 1, 1, 2, [1, 1, 1], 0]},
    {"boot": "one", "at": 4800.0, "look": [1e300, 1, 1, 1, 2, [1, 1, 1], 0]},
    {"boot": "one", "at": 4800.0, "look": [1, 1, 1, 1, 2, [1, "x", 1], 0]},
    {"boot": "one", "at": 4800.0, "look": [1, 1, 1, 1, 2, 9, 0]},
    {"boot": "one", "at": 4800.0, "look": [1, 1, 1, 1, 2.5, [1, 1, 1], 0]},
    {"boot": "one", "at": 4800.0, "look": [1, 1, 1, 1, 2, [], 0]},
]


@pytest.mark.parametrize("row", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_rows(host, row):
    seen, left = host.run(dict.fromkeys(("cpu", "io", "network"), row))
    for observed in seen.values():
        assert observed["seconds"] == _meter.SAMPLE
        assert all(value is None or 0 <= value < 1e6 for value in observed.values())
    goes_on(host, 300)
    seen, _left = host.run(left)
    check_long(seen, 300)


def test_nothing_is_left_where_nobody_keeps_it(host):
    host.show()
    ctx = Context()
    network.gather([{}], ctx)
    assert ctx.left is None and network.observe({"interface": None}, ctx)["seconds"] == _meter.SAMPLE


def test_the_time_of_this_process_is_left_out_once(monkeypatch):
    """A watcher's look holds what it took before, another process's does not."""
    look = cpu._Look(_procfs.CpuTimes(10.0, 4.0, 1.0, 0.0, 2, (1, 2, 3)), 3.5)
    value = json.loads(json.dumps(cpu._dump(look)))
    assert cpu._load(value, _meter.clock()) == look
    assert cpu._load(value, cpu._BEGAN - 1) == look._replace(own=0.0)


def run_flow(raw, last, **options):
    outcome = flow.inspect(flow.read_checks(raw), last_look=last, **options)
    return outcome["results"], json.loads(json.dumps(outcome["last_look"]))


def aged(left, seconds):
    """As if it had been left so long ago."""
    found = {probe: dict(row, at=row["at"] - seconds) for probe, row in left.items()}
    look = found.get("process", {}).get("look", {})
    look.update((pid, [began, used, max(0.01, age - seconds)]) for pid, (began, used, age) in list(look.items()))
    return found


def test_a_whole_run_does_not_wait_when_the_last_one_left_its_looks(monkeypatch):
    raw = [{"name": probe, probe: options} for probe, options in (("cpu", {}), ("network", {"interface": "lo"}))]
    raw.append({"name": "me", "process": {"name": os.path.basename(sys.executable)}, "expect": {"cpu_percent": ">= 0"}})
    raw += [{"name": "io", "io": {}}] if io.read_disks() else []
    _results, left = run_flow(raw, {})
    assert set(left) >= {"cpu", "network", "process"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.sendto(b"x" * 1000, ("127.0.0.1", 9))

    def never(seconds):
        assert seconds == 0, f"it waits for {seconds} s"

    monkeypatch.setattr(time, "sleep", never)
    results, _left = run_flow(raw, aged(left, 60.0))
    assert [result["status"] for result in results if result["name"] != "cpu"] == ["ok"] * (len(raw) - 1), results
    assert all(59 < result["metrics"]["seconds"] < 120 for result in results)
    assert results[1]["metrics"]["tx_bytes_per_second"] >= 1000 / 120


OWN = f"vigil-test-spin-{os.getpid()}"  # the same test may run twice at a time


@pytest.fixture
def spinner():
    with subprocess.Popen([sys.executable, "-c", SPIN, OWN], stdout=subprocess.PIPE, start_new_session=True) as made:
        made.stdout.readline()
        yield made
        made.kill()


CPU_OF = [{"name": "spin", "process": {"pattern": f"{OWN}$"}, "expect": {"cpu_percent": "> 1"}}]


def test_what_a_process_takes_is_measured_when_it_is_asked_for(spinner):
    (result,), _left = run_flow(CPU_OF, {})
    assert result["status"] == "ok", result
    assert result["metrics"]["seconds"] >= _meter.SAMPLE and 1 < result["metrics"]["cpu_percent"] <= 130
    (result,), _left = run_flow([dict(CPU_OF[0], expect={"count": 1})], {})
    assert "cpu_percent" not in result["metrics"] and "seconds" not in result["metrics"]


def test_what_a_process_took_since_the_last_run(spinner):
    _results, left = run_flow(CPU_OF, {})
    used = left["process"]["look"][str(spinner.pid)][1]
    past = aged(left, 100.0)
    (result,), _left = run_flow([dict(CPU_OF[0], expect={"count": 1})], past)
    assert 99 < result["metrics"]["seconds"] < 200
    assert 0 <= result["metrics"]["cpu_percent"] <= 130
    # begun since: all that it took counts
    past["process"]["look"] = {}
    (result,), _left = run_flow([dict(CPU_OF[0], expect={"count": 1})], past)
    assert result["metrics"]["cpu_percent"] * result["metrics"]["seconds"] / 100 >= used - 0.1


def test_processes_that_cannot_be_compared(spinner):
    time.sleep(4)  # older than what was left, also where it takes long to read all processes
    _results, left = run_flow(CPU_OF, {})
    past = aged(left, 1.0)
    began, used, age = past["process"]["look"][str(spinner.pid)]
    damaged = [
        [began - 30.0, used, age],  # another process by that number
        [began, used + 1000.0, age],
        [began, used, age + 1000.0],
        [began, used, -1.0],
        [began, math.nan, age],
        [began, "x", age],
        [began, used],
        7,
    ]
    for entry in damaged:
        past["process"]["look"][str(spinner.pid)] = entry
        (result,), _left = run_flow(CPU_OF, past)
        assert result["status"] == "ok" and result["metrics"]["cpu_percent"] <= 130, (entry, result)
        assert result["metrics"]["seconds"] < _meter.clock() - left["process"]["at"], entry  # within this run
        (result,), _left = run_flow([dict(CPU_OF[0], expect={"count": 1})], past)
        assert "cpu_percent" not in result["metrics"], entry
