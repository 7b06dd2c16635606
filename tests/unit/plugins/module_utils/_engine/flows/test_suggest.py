# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A check list from this very machine."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.suggest import fitted, suggest
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import suggest as node
from ansible_collections.vigil.ops.plugins.module_utils._runner import run

# What may change from one moment to the next on a busy machine.
_MOVING = ("load", "memory", "processes")
SYSTEMCTL = """#!/bin/sh
case "$1" in
list-units) printf '%s\\n' \
  'ssh.service                loaded active running OpenBSD Secure Shell server' \
  'getty@tty1.service         loaded active running Getty on tty1' \
  'user@0.service             loaded active running User Manager for UID 0' \
  'shop@blue.service          loaded active running The blue shop' \
  'systemd-timedated.service  loaded active running Time & Date Service' \
  'dbus.service               loaded active running D-Bus System Message Bus' \
  'cron.service               loaded active running Regular background program processing daemon' ;;
show) printf '%s\n' 'Id=systemd-timedated.service' 'BusName=org.freedesktop.timedate1' 'WantedBy=' 'TriggeredBy=' '' \
  'Id=dbus.service' 'BusName=org.freedesktop.DBus' 'WantedBy=' 'TriggeredBy=dbus.socket' '' 'Id=shop@blue.service' 'BusName=' ;;
list-unit-files) printf '%s\\n' 'ssh.service enabled enabled' 'telnet.service enabled disabled' 'cron.service enabled enabled' ;;
*) exit 1 ;;
esac
"""


def free_port(kind, below):
    """A port of loopback below those that the kernel chooses."""
    for port in range(below, below - 500, -1):
        server = socket.socket(socket.AF_INET, kind)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            server.close()
            continue
        if kind == socket.SOCK_STREAM:
            server.listen(1)
        return server, port
    raise RuntimeError("no port is free")


def test_what_is_suggested_holds_when_it_is_inspected():
    server, port = free_port(socket.SOCK_STREAM, 19999)
    chosen = socket.create_server(("127.0.0.1", 0))
    try:
        found = suggest(run, ["mounts", "limits", "ports"])
        names = [check["name"] for check in found["checks"]]
        assert {"disk /", "inodes /", f"port tcp {port}"} <= set(names)
        assert f"port tcp {chosen.getsockname()[1]}" not in names
        again = inspect(read_checks(found["checks"]), run)["results"]
        assert [(one["name"], one["summary"]) for one in again if one["status"] != "ok" and one["probe"] not in (*_MOVING, "port")] == []
        assert next(one for one in again if one["name"] == f"port tcp {port}")["status"] == "ok"
    finally:
        server.close()
        chosen.close()
    assert all(set(one) == {"name", "status", "summary"} for one in found["left_out"])


def test_udp_ports_and_the_program_behind_them():
    server, port = free_port(socket.SOCK_DGRAM, 18999)
    try:
        found = {check["name"]: check for check in node.ports()}
    finally:
        server.close()
    check = found[f"port udp {port}"]
    assert check["port"] == {"port": port, "protocol": "udp"}
    assert check["annotations"]["program"]


def test_services_that_run_and_start_with_the_system(tmp_path, monkeypatch):
    """A program stands in for systemctl, as systemd does not run everywhere; tests/integration has real nodes."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert node.services(run) == [
        {"name": "service cron", "service": {"name": "cron"}, "expect": {"active": True, "enabled": True}},
        {"name": "service dbus", "service": {"name": "dbus"}, "expect": {"active": True}},
        {"name": "service shop@blue", "service": {"name": "shop@blue"}, "expect": {"active": True}},
        {"name": "service ssh", "service": {"name": "ssh"}, "expect": {"active": True, "enabled": True}},
    ]


@pytest.mark.parametrize("script", ["#!/bin/sh\necho 'no bus' >&2\nexit 1\n", None])
def test_without_systemd_it_says_so(tmp_path, monkeypatch, script):
    monkeypatch.setenv("PATH", str(tmp_path) + (":/bin:/usr/bin" if script else ""))
    if script:
        (tmp_path / "systemctl").write_text(script)
        (tmp_path / "systemctl").chmod(0o755)
    found = suggest(run, ["services"])
    assert found["checks"] == [] and len(found["notes"]) == 1
    assert found["notes"][0].startswith("services: systemd cannot be asked")


def test_certificates_count_once_and_keys_are_none(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "90",
            "-subj",
            "/CN=shop",
            "-keyout",
            "key.pem",
            "-out",
            "a.pem",
        ],
        cwd=made,
        check=True,
        capture_output=True,
    )
    (made / "b.pem").symlink_to(made / "a.pem")
    (made / "text.pem").write_text("nothing")
    found = suggest(run, ["certificates"], [f"{made}/*.pem"])
    ours = [check for check in found["checks"] if str(made) in check["name"]]
    assert [(check["name"], check["expect"], check["warn"]) for check in ours] == [
        (f"certificate {made}/a.pem", {"valid": True, "days_left": "> 7"}, {"days_left": "> 21"})
    ]


def test_a_certificate_that_expires_soon_is_left_out_and_said(tmp_path):
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "10",
            "-subj",
            "/CN=shop",
            "-keyout",
            "key.pem",
            "-out",
            "a.pem",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    found = suggest(run, ["certificates"], [f"{tmp_path}/a.pem"])
    (left,) = [one for one in found["left_out"] if str(tmp_path) in one["name"]]
    assert left["status"] == "warning" and "days_left is" in left["summary"]


@pytest.mark.parametrize(
    ("used", "limit", "warn"), [(85.0, "< 93", "< 89"), (93.1, "< 97", "< 95"), (97.9, "< 99", "< 98"), (98.6, "< 99", None)]
)
def test_a_full_disk_gets_a_limit_that_it_keeps_today(used, limit, warn):
    check = {
        "name": "disk /",
        "disk": {"path": "/"},
        "expect": {"used_percent": "< 90", "read_only": False},
        "warn": {"used_percent": "< 80"},
    }
    status = "warning" if used < 90 else "critical"
    made = fitted(check, new_result("disk /", status=status, metrics={"used_percent": used}))
    assert made["expect"] == {"used_percent": limit, "read_only": False}
    assert made.get("warn", {}).get("used_percent") == warn
    assert check["expect"]["used_percent"] == "< 90"
    well = new_result("disk /", status="ok", metrics={"used_percent": 5})
    assert fitted(check, well) is check
    assert fitted(check, new_result("disk /", status="critical", metrics={"used_percent": 99.5})) is check


def test_settings_of_the_kernel_are_those_of_the_last_file(tmp_path, monkeypatch):
    (tmp_path / "10-a.conf").write_text("vm.swappiness = 10\n# net.x=1\nnet/ipv4/ip_forward=0\n-kernel.none = a  b\nodd line\n")
    (tmp_path / "20-b.conf").write_text("vm.swappiness=20\n")
    monkeypatch.setattr(node, "_SYSCTL", (str(tmp_path / "none.conf"), str(tmp_path / "*.conf")))
    kernel = {check["name"]: check["expect"]["value"] for check in node.limits() if "kernel" in check}
    assert kernel == {"kernel vm.swappiness": 20, "kernel net.ipv4.ip_forward": 0, "kernel kernel.none": '== "a b"'}
