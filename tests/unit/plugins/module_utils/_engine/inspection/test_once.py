# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What many checks of a run share is looked at once for all of them. Python itself says what it opens and lists (sys.addaudithook)."""

from __future__ import annotations

import collections
import os
import socket
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandMissing
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks

_told: list[collections.Counter] = []


def _hear(event, args):
    if _told and event in ("open", "os.listdir") and isinstance(args[0], str):
        _told[-1][args[0]] += 1


sys.addaudithook(_hear)


@pytest.fixture
def opened():
    """How often each file was opened and each folder listed in this process."""
    _told.append(collections.Counter())
    yield _told[-1]
    _told.pop()


class Systemctl:
    """Knows every unit; each call counts."""

    def __init__(self):
        self.calls = []

    def __call__(self, argv, timeout):
        if argv[0] != "systemctl":
            raise CommandMissing(argv[0])
        self.calls.append(argv)
        block = "Id={0}\nLoadState=loaded\nActiveState=active\nSubState=running\nControlGroup=/none/{0}\n"
        return 0, "\n".join(block.format(name) for name in argv[argv.index("--") + 1 :]), ""


def raw_checks(port):
    """200 of what runs into each other's work."""
    name = os.path.basename(sys.executable)
    kinds = [
        {"process": {"name": name}, "expect": {"count": ">= 0"}},
        {"process": {"pattern": "python"}, "expect": {"count": ">= 0"}},
        {"processes": {}, "expect": {"total": "> 0"}},
        {"port": {"port": port}, "expect": {"pid": os.getpid()}},
        {"service": {"name": "app{}"}},
        {"cgroup": {"unit": "app{}"}, "expect": {"used_percent": ">= 0"}},
        {"mount": {"path": "/proc"}},
        {"memory": {}, "expect": {"total_bytes": "> 0"}},
    ]
    made = [
        {probe: fill(value, number) if probe != "expect" else value for probe, value in kind.items()}
        for number in range(25)
        for kind in kinds
    ]
    return [dict(check, name=f"check {place}") for place, check in enumerate(made)]


def fill(options, number):
    return {key: value.format(number) if isinstance(value, str) else value for key, value in options.items()}


def test_200_checks_list_processes_units_and_mounts_once(opened):
    systemctl = Systemctl()
    with socket.create_server(("127.0.0.1", 0)) as here:
        checks = read_checks(raw_checks(here.getsockname()[1]))
        results = inspect(checks, systemctl)["results"]
    assert len(results) == 200
    assert [result["summary"] for result in results if result["status"] != "ok" and result["probe"] != "cgroup"] == []
    assert opened["/proc"] == 1
    assert len(systemctl.calls) == 1 and len(systemctl.calls[0][systemctl.calls[0].index("--") + 1 :]) == 25
    assert opened["/proc/self/mountinfo"] == 1
    assert opened["/proc/net/tcp"] == opened["/proc/net/udp"] == 1
    assert opened[f"/proc/{os.getpid()}/stat"] <= 1 and opened[f"/proc/{os.getpid()}/fd"] == 1


def test_rates_of_many_checks_come_from_the_same_looks(opened):
    raw = [{"name": f"{probe} {number}", probe: {}, "expect": {"seconds": "> 0"}} for number in range(30) for probe in ("cpu", "network")]
    raw += [
        {"name": f"process {number}", "process": {"name": os.path.basename(sys.executable)}, "expect": {"cpu_percent": ">= 0"}}
        for number in range(30)
    ]
    results = inspect(read_checks(raw))["results"]
    assert {result["status"] for result in results} == {"ok"}
    assert opened["/proc/stat"] == opened["/proc/net/dev"] == opened["/proc"] == 2
    for probe in ("cpu", "network", "process"):
        assert len({result["metrics"]["seconds"] for result in results if result["probe"] == probe}) == 1
