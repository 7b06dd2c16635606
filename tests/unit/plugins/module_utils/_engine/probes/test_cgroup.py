# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups as Docker, systemd and Kubernetes set them up, written down from such machines; and the memory of a container."""

from __future__ import annotations

import json

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _cgroups, cgroup, memory

GIB = 1 << 30
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
# Docker with cgroup v1 and no namespace of groups: only the container's own group is mounted, under its outer name.
V1 = """\
31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime master:15 - cgroup cgroup rw,memory
32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,relatime master:16 - cgroup cgroup rw,cpu,cpuacct
39 31 0:36 /docker/abc /sys/fs/cgroup/pids ro,relatime master:17 - cgroup cgroup rw,pids
40 31 0:37 /docker/abc /sys/fs/cgroup/systemd ro - cgroup cgroup rw,xattr,name=systemd
"""
V1_PROCESS = (
    "9:name=systemd:/docker/abc\n8:pids:/docker/abc\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/system.slice/docker.service\n"
)


def world(root, files):
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(str(text) + "\n")
    return _cgroups.Groups(str(root))


def docker_v2(root, **more):
    files = {
        "proc/self/mountinfo": V2,
        "proc/1/cgroup": "0::/",
        "sys/fs/cgroup/memory.current": 700 << 20,
        "sys/fs/cgroup/memory.max": GIB,
        "sys/fs/cgroup/memory.stat": f"anon 5\nfile 9\ninactive_file {188 << 20}\n",
        "sys/fs/cgroup/memory.events": "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0",
        "sys/fs/cgroup/cpu.max": "150000 100000",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_periods 200\nnr_throttled 50\nthrottled_usec 99",
        "sys/fs/cgroup/pids.current": 45,
        "sys/fs/cgroup/pids.max": 50,
    }
    return world(root, {**files, **more})


def look(groups, run=None, **options):
    return cgroup.look(read_options(cgroup.SPEC, options), Context(run=run), groups)


def test_docker_with_version_2(tmp_path):
    assert look(docker_v2(tmp_path)) == {
        "used_percent": 50.0,
        "used_bytes": 512 << 20,
        "limit_bytes": GIB,
        "oom_kills": 1,
        "oom_kills_new": None,
        "throttled_percent": 25.0,
        "cpu_limit": 1.5,
        "pids": 45,
        "pids_limit": 50,
        "pids_percent": 90.0,
        "path": "/",
        "seconds": None,
    }


def test_docker_with_version_1(tmp_path):
    base = "sys/fs/cgroup/"
    groups = world(
        tmp_path,
        {
            "proc/self/mountinfo": V1,
            "proc/1/cgroup": V1_PROCESS,
            base + "memory/memory.usage_in_bytes": 700 << 20,
            base + "memory/memory.limit_in_bytes": GIB,
            base + "memory/memory.stat": f"cache 1\ninactive_file 7\ntotal_inactive_file {188 << 20}",
            base + "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4",
            base + "cpu,cpuacct/cpu.cfs_quota_us": 50000,
            base + "cpu,cpuacct/cpu.cfs_period_us": 100000,
            base + "cpu,cpuacct/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0",
            base + "pids/pids.current": 3,
            base + "pids/pids.max": "max",
        },
    )
    seen = look(groups)
    assert (seen["used_percent"], seen["limit_bytes"], seen["oom_kills"], seen["path"]) == (50.0, GIB, 4, "/docker/abc")
    assert (seen["cpu_limit"], seen["throttled_percent"], seen["pids"], seen["pids_limit"], seen["pids_percent"]) == (
        0.5,
        0.0,
        3,
        None,
        0.0,
    )
    assert memory.judge_total(64 * GIB, 60 * GIB, groups)["limit_bytes"] == GIB


def test_a_unit_is_limited_by_its_slice(tmp_path):
    base = "sys/fs/cgroup/app.slice/"
    more = {
        base + "memory.max": 400 << 20,
        base + "memory.current": 390 << 20,
        base + "web.service/memory.max": "max",
        base + "web.service/memory.current": 100 << 20,
        base + "web.service/cpu.max": "max 100000",
        base + "web.service/pids.current": 7,
    }

    def systemctl(argv, timeout):
        assert argv[-1] == "web.service"
        return 0, "ControlGroup=/app.slice/web.service\nLoadState=loaded\n", ""

    groups = docker_v2(tmp_path, **more)
    for seen in (look(groups, unit="web", run=systemctl), look(groups, path="/app.slice/web.service/")):
        assert (seen["used_percent"], seen["limit_bytes"], seen["path"]) == (25.0, 400 << 20, "/app.slice/web.service")
        assert (seen["cpu_limit"], seen["throttled_percent"], seen["oom_kills"], seen["pids_percent"]) == (None, None, None, 0.0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("ControlGroup=\nLoadState=not-found\n", "not_found"),
        ("ControlGroup=\nLoadState=loaded\n", "inactive"),
        ("ControlGroup=/gone.slice\nLoadState=loaded\n", "not_found"),
    ],
)
def test_units_without_a_group(tmp_path, answer, reason):
    with pytest.raises(ProbeFailure) as caught:
        look(docker_v2(tmp_path), unit="web", run=lambda argv, timeout: (0, answer, ""))
    assert caught.value.reason == reason


def test_what_cannot_be_seen(tmp_path):
    with pytest.raises(CannotSee, match="write its path instead"):
        look(docker_v2(tmp_path), unit="web")
    with pytest.raises(CannotSee, match="services cannot be seen: no bus"):
        look(docker_v2(tmp_path), unit="web", run=lambda argv, timeout: (1, "", "no bus"))
    (tmp_path / "sys/fs/cgroup/bare.slice").mkdir()
    with pytest.raises(CannotSee, match="turn on MemoryAccounting"):
        look(docker_v2(tmp_path), path="/bare.slice")
    with pytest.raises(CannotSee, match="none are mounted"):
        look(_cgroups.Groups(str(tmp_path / "none")))


def test_a_group_without_a_limit_is_held_against_the_node(tmp_path):
    seen = look(docker_v2(tmp_path, **{"sys/fs/cgroup/memory.max": "max"}))
    assert seen["limit_bytes"] is None
    assert 0 < seen["used_percent"] < 100


def test_this_node():
    seen = cgroup.observe(read_options(cgroup.SPEC, {}), Context())
    assert set(seen) == set(cgroup.SPEC.observes) - {"latency_ms"}
    assert 0 <= seen["used_percent"] <= 100


@pytest.mark.parametrize("options", [{"unit": "a/b"}, {"unit": "-x"}, {"path": "/a/../b"}, {"path": "a"}, {"unit": "a", "path": "/a"}])
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match="cgroup"):
        read_options(cgroup.SPEC, options)


# --- memory in a container ---


def test_the_limit_of_a_container_is_the_whole(tmp_path):
    seen = memory.judge_total(64 * GIB, 60 * GIB, docker_v2(tmp_path))
    assert seen == {"used_percent": 50.0, "total_bytes": GIB, "available_bytes": 512 << 20, "limit_bytes": GIB}


def test_a_node_that_is_fuller_than_its_container(tmp_path):
    assert memory.judge_total(64 * GIB, 256 << 20, docker_v2(tmp_path))["available_bytes"] == 256 << 20


def test_a_container_above_its_limit(tmp_path):
    seen = memory.judge_total(64 * GIB, 60 * GIB, docker_v2(tmp_path, **{"sys/fs/cgroup/memory.current": 2 * GIB}))
    assert (seen["available_bytes"], seen["used_percent"]) == (0, 100.0)


@pytest.mark.parametrize("limit", ["max", 64 * GIB, 9223372036854771712])
def test_no_limit_or_one_that_limits_nothing(tmp_path, limit):
    seen = memory.judge_total(64 * GIB, 48 * GIB, docker_v2(tmp_path, **{"sys/fs/cgroup/memory.max": limit}))
    assert seen == {"used_percent": 25.0, "total_bytes": 64 * GIB, "available_bytes": 48 * GIB, "limit_bytes": None}


def test_the_limit_of_a_login_is_not_the_nodes(tmp_path):
    more = {
        "proc/self/cgroup": "0::/user.slice",
        "proc/1/cgroup": "0::/init.scope",
        "sys/fs/cgroup/memory.max": "max",
        "sys/fs/cgroup/init.scope/memory.max": "max",
        "sys/fs/cgroup/user.slice/memory.max": 1 << 20,
        "sys/fs/cgroup/user.slice/memory.current": 1 << 19,
    }
    assert memory.judge_total(64 * GIB, 60 * GIB, docker_v2(tmp_path, **more))["limit_bytes"] is None


def test_a_system_inside_of_a_container(tmp_path):
    """PID 1 is a systemd in a group of its own, and the limit stands above it."""
    more = {"proc/1/cgroup": "0::/init.scope", "sys/fs/cgroup/init.scope/memory.max": "max", "sys/fs/cgroup/init.scope/memory.current": 5}
    assert memory.judge_total(64 * GIB, 60 * GIB, docker_v2(tmp_path, **more))["limit_bytes"] == GIB


def test_a_name_from_outside_of_the_namespace(tmp_path):
    assert memory.judge_total(64 * GIB, 60 * GIB, docker_v2(tmp_path, **{"proc/1/cgroup": "0::/../../init.scope"}))["limit_bytes"] == GIB


def test_systemd_is_asked_once_for_groups_and_services():
    asked = []

    def systemctl(argv, timeout):
        asked.append(argv[argv.index("--") + 1 :])
        block = "Id={0}\nLoadState=loaded\nActiveState=active\nSubState=running\nControlGroup=/no-such-group/{0}\n"
        return 0, "\n".join(block.format(name) for name in asked[-1]), ""

    raw = [{"name": f"group {number}", "cgroup": {"unit": f"app{number}"}} for number in range(5)]
    raw += [{"name": f"service {number}", "service": {"name": f"app{number}"}} for number in range(8)]
    results = inspect(read_checks(raw), systemctl)["results"]
    assert [sorted(names) for names in asked] == [sorted(f"app{number}.service" for number in range(8))]
    assert [result["status"] for result in results[5:]] == ["ok"] * 8
    assert all(
        f"app{number}.service" in result["summary"] or "none are mounted" in result["summary"] for number, result in enumerate(results[:5])
    )


@pytest.fixture
def again(tmp_path, monkeypatch):
    """Looks at a container that goes on, with what the last look left."""
    clock = [1000.0]
    monkeypatch.setattr(cgroup, "clock", lambda: clock[0])
    past = {}

    def again(seconds, kills, periods, throttled, **more):
        clock[0] += seconds
        files = {
            "sys/fs/cgroup/memory.events": f"oom 2\noom_kill {kills}",
            "sys/fs/cgroup/cpu.stat": f"nr_periods {periods}\nnr_throttled {throttled}",
        }
        ctx = Context(past=json.loads(json.dumps(past)), left={})
        seen = cgroup.look(read_options(cgroup.SPEC, {}), ctx, docker_v2(tmp_path, **files))
        past.update(ctx.left, **more)
        return seen["oom_kills_new"], seen["throttled_percent"], seen["seconds"]

    again.past = past
    return again


def test_what_is_new_since_the_last_run(again):
    assert again(0, 5, 1000, 500) == (None, 50.0, None)
    assert again(60, 5, 1600, 530) == (0, 5.0, 60)
    assert again(60, 7, 1600, 530) == (2, 0.0, 60)
    assert again(0.5, 7, 1605, 535) == (0, round(100 * 535 / 1605, 2), None)
    assert again(0.5, 7, 1610, 540) == (0, 100.0, 1)
    assert again(7200, 8, 9600, 8530) == (1, round(100 * 8530 / 9600, 2), None)
    assert again(60, 3, 9700, 8530) == (None, round(100 * 8530 / 9700, 2), None)


@pytest.mark.parametrize(
    "look", [None, 7, {}, {"/": 7}, {"/": [1, 2]}, {"/": ["x"] * 5}, {"/": [0, 0, -1, -1, -1]}, {"/": [9, 9, 1, 1, 1]}]
)
def test_what_was_left_may_be_damaged(again, look):
    again(0, 5, 1000, 500)
    again.past["cgroup"]["look"] = look
    assert again(60, 6, 1000, 500) == (None, 50.0, None)
    assert again(60, 7, 1100, 510) == (1, 10.0, 60)


def test_another_group_by_the_same_name(again, monkeypatch):
    again(0, 5, 1000, 500)
    monkeypatch.setattr(_cgroups.Groups, "identity", lambda self, folder: 77)
    assert again(60, 6, 1100, 510)[0] is None
