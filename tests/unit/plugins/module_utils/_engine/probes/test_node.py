# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes of the node itself: mounts, packages, users, kernel parameters, interfaces, processes, restarts."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, CommandMissing, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import (
    _looks,
    interface,
    kernel,
    mount,
    package,
    processes,
    reboot,
    registry,
)


def refused(look, probe, **options):
    with pytest.raises(ProbeFailure) as caught:
        look(probe, **options)
    return caught.value


@pytest.mark.parametrize(
    ("probe", "options"),
    [
        ("mount", {"path": "/proc"}),
        ("user", {"name": "root"}),
        ("group", {"name": "root"}),
        ("kernel", {"name": "kernel.ostype"}),
        ("interface", {"name": "lo"}),
        ("processes", {}),
        ("reboot", {}),
        ("memory", {}),
    ],
)
def test_what_is_observed_is_what_is_declared(look, probe, options):
    assert set(look(probe, **options)) == set(registry.spec(probe).observes) - {"latency_ms"}


# --- mount ---

MOUNTS = rb"""22 27 0:21 / /proc rw,nosuid,relatime shared:12 - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
40 27 0:40 / /mnt/my\040disk ro,nosuid - ext4 /dev/disk\134x rw,data=ordered
41 27 0:41 / /mnt/nas rw,relatime master:3 propagate_from:2 - nfs4 nas:/export/a\011b ro,vers=4.2
42 27 0:42 / /mnt/nas rw - tmpfs none rw,size=64k
torn
"""


def test_mount(look):
    seen = look("mount", path="/proc/")
    assert (seen["mounted"], seen["fstype"], seen["read_only"]) == (True, "proc", False)
    failure = refused(look, "mount", path="/proc/self")
    assert (failure.reason, failure.observed["mounted"]) == ("not_found", False)


def test_the_table_of_mounts(tmp_path):
    (tmp_path / "mountinfo").write_bytes(MOUNTS)
    found = {(one.point, one.fstype): one for one in mount.read_mounts(str(tmp_path / "mountinfo"))}
    assert len(found) == 5
    assert found["/mnt/my disk", "ext4"].source == "/dev/disk\\x"
    assert found["/mnt/my disk", "ext4"].options == ["ro", "nosuid", "data=ordered"]
    assert found["/mnt/nas", "nfs4"].source == "nas:/export/a\tb"
    assert "rw" not in found["/mnt/nas", "nfs4"].options
    assert found["/", "ext4"].options == ["rw", "relatime", "errors=remount-ro"]


def test_what_was_mounted_last_counts(tmp_path):
    (tmp_path / "mountinfo").write_bytes(MOUNTS)
    ctx = Context(shared={"mount": mount.read_mounts(str(tmp_path / "mountinfo"))})
    assert mount.observe({"path": "//mnt//nas"}, ctx)["options"] == ["rw", "size=64k"]


def test_without_a_table_of_mounts(tmp_path):
    with pytest.raises(CannotSee, match="mounts cannot be seen"):
        mount.read_mounts(str(tmp_path / "none"))


# --- package ---

DPKG = """\
Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b8
Depends: base-files (>= 2.1.12)
Description: GNU Bourne Again SHell
 Package: not this one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: kept
Status: hold ok installed
Architecture: all
Version: 2:3.1-4

Package: half
Status: install ok half-configured
Version: 9
"""
APK = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\nC:Q1def=\nP:busybox\nV:1.36.1-r29\nA:x86_64\n"


def looked_up(tmp_path, *names, run=None):
    return package.look_up(names, Context(run=run), str(tmp_path))


def put(root, path, text=""):
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_a_mount_point_whose_name_looks_like_an_end_of_line():
    for char in ("\x0b", "\x0c", "\x1c", "\x85", "\u2028"):
        (one,) = mount.parse(f"40 22 0:21 / /srv/a{char}b rw - tmpfs tmpfs rw\n")
        assert one.point == f"/srv/a{char}b"


def test_dpkg(tmp_path):
    put(tmp_path, "var/lib/dpkg/status", DPKG)
    manager, found = looked_up(tmp_path, "bash", "bash:amd64", "bash:i386", "gone", "kept", "half", "none", "not")
    assert (manager, found) == ("dpkg", {"bash": ["5.2.15-2+b8"], "bash:amd64": ["5.2.15-2+b8"], "kept": ["2:3.1-4"]})


def test_images_without_a_package_manager(tmp_path):
    put(tmp_path, "var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n")
    put(tmp_path, "var/lib/dpkg/status.d/libc6.md5sums", "abc  usr/lib/libc.so.6\n")
    assert looked_up(tmp_path, "libc6") == ("dpkg", {"libc6": ["2.36-9"]})


def test_apk_and_pacman(tmp_path):
    (tmp_path / "var/lib/pacman/local/linux-6.10.1.arch1-1").mkdir(parents=True)
    (tmp_path / "var/lib/pacman/local/linux-api-headers-6.10-1").mkdir(parents=True)
    assert looked_up(tmp_path, "linux", "linux-api-headers", "api") == (
        "pacman",
        {"linux": ["6.10.1.arch1-1"], "linux-api-headers": ["6.10-1"]},
    )
    put(tmp_path, "lib/apk/db/installed", APK)
    assert looked_up(tmp_path, "musl", "busybox", "C") == ("apk", {"musl": ["1.2.5-r0"], "busybox": ["1.36.1-r29"]})


def test_rpm_is_asked_once(tmp_path):
    (tmp_path / "usr/lib/sysimage/rpm").mkdir(parents=True)
    asked = []

    def run(argv, timeout):
        asked.append(argv)
        return 1, "bash\t5.2.26-4.el10\nkernel-core\t6.12.0-55.el10\nkernel-core\t6.12.0-60.el10\npackage nginx is not installed\n", ""

    manager, found = looked_up(tmp_path, "bash", "nginx", "kernel-core", run=run)
    assert (manager, found) == ("rpm", {"bash": ["5.2.26-4.el10"], "kernel-core": ["6.12.0-55.el10", "6.12.0-60.el10"]})
    assert [argv[argv.index("--") + 1 :] for argv in asked] == [["bash", "kernel-core", "nginx"]]

    def missing(argv, timeout):
        raise CommandMissing("rpm")

    with pytest.raises(CannotSee, match="rpm is not installed"):
        looked_up(tmp_path, "bash", run=missing)


def test_no_manager(tmp_path):
    with pytest.raises(CannotSee, match="no list of dpkg, rpm, apk or pacman") as caught:
        looked_up(tmp_path, "bash")
    assert caught.value.reason == "unsupported"


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="this node has no dpkg")
def test_it_agrees_with_dpkg(look):
    known = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "dpkg"], capture_output=True, text=True, check=True).stdout
    seen = look("package", name="dpkg")
    assert (seen["installed"], seen["version"], seen["manager"]) == (True, known, "dpkg")
    assert refused(look, "package", name="no-such-package").observed["installed"] is False


@pytest.mark.parametrize("name", ["", "-a", "a b", "a*", "../x", "bash;id", "a\nb"])
def test_names_that_are_no_packages(name):
    with pytest.raises(ValueError, match=r"package\.name"):
        read_options(package.SPEC, {"name": name})


# --- user and group ---


def test_users_are_those_of_the_system(look):
    me = pwd.getpwuid(os.getuid())
    seen = look("user", name=me.pw_name)
    assert (seen["exists"], seen["uid"], seen["gid"], seen["home"], seen["shell"]) == (True, me.pw_uid, me.pw_gid, me.pw_dir, me.pw_shell)
    assert seen["group"] == grp.getgrgid(me.pw_gid).gr_name
    assert seen["group"] in seen["groups"]


def test_groups_are_those_of_the_system(look):
    listed = grp.getgrall()[0]
    assert look("group", name=listed.gr_name) == {"exists": True, "gid": listed.gr_gid, "members": sorted(set(listed.gr_mem))}


@pytest.mark.parametrize("probe", ["user", "group"])
def test_nobody_of_this_name(look, probe):
    for name in ("no-such-name", "-", "\u00fc", "a:b", "x" * 5000):
        failure = refused(look, probe, name=name)
        assert (failure.reason, failure.observed) == ("not_found", {"exists": False})


@pytest.mark.parametrize("probe", ["user", "group"])
def test_a_directory_service_that_hangs_is_unknown(look, monkeypatch, probe):
    def hang(name):
        import time

        time.sleep(10)

    made = _looks.Guard({probe: hang})
    monkeypatch.setattr(_looks, "GUARD", made)
    with pytest.raises(CannotSee, match=r"was not answered within 0\.3 s") as caught:
        look(probe, name="x", timeout=0.3)
    assert caught.value.reason == "timeout"
    made.stop()


# --- kernel ---


def test_kernel_parameters(look):
    assert look("kernel", name="kernel.ostype")["value"] == "Linux"
    assert isinstance(look("kernel", name="vm.swappiness")["value"], int)
    assert len(look("kernel", name="net.ipv4.tcp_rmem")["values"]) == 3
    assert look("kernel", name="net/ipv4/tcp_rmem") == look("kernel", name="net.ipv4.tcp_rmem")
    assert look("kernel", name="net.ipv4.conf.lo.forwarding")["value"] in (0, 1)
    for name in ("net.ipv4", "kernel.no_such", "kernel.ostype.x", "x" * 300):
        assert refused(look, "kernel", name=name).observed["exists"] is False


@pytest.mark.parametrize(
    "name", ["", ".", "..", "kernel..ostype", "../cmdline", "kernel/../../cmdline", "/etc/passwd", "net.ipv4.", "a\nb", "..././x"]
)
def test_names_that_lead_elsewhere(name):
    with pytest.raises(ValueError, match=r"kernel\.name"):
        read_options(kernel.SPEC, {"name": name})


def test_a_dot_that_is_part_of_a_name(tmp_path):
    (tmp_path / "net" / "eth0.1").mkdir(parents=True)
    (tmp_path / "net" / "eth0.1" / "mtu").write_text("1500\n")
    for name in ("net.eth0/1.mtu", "net/eth0.1/mtu"):
        assert kernel._read(str(tmp_path), kernel._parts(name)) == "1500\n"


def test_links_out_of_the_root_are_not_followed(tmp_path):
    (tmp_path / "sys").mkdir()
    (tmp_path / "secret").write_text("1")
    (tmp_path / "sys" / "way").symlink_to(tmp_path / "secret")
    with pytest.raises(FileNotFoundError):
        kernel._read(str(tmp_path / "sys"), ["way"])


# --- interface ---


def test_loopback(look):
    seen = look("interface", name="lo")
    assert (seen["exists"], seen["up"], seen["mac"]) == (True, True, None)
    assert "127.0.0.1/8" in seen["addresses"]
    assert seen["mtu"] >= 1500
    assert seen["rx_bytes"] == seen["tx_bytes"]


def test_no_such_interface(look):
    failure = refused(look, "interface", name="nope0")
    assert failure.observed == {"exists": False, "up": False}
    assert failure.sentence.startswith("there is no interface nope0, only ")
    assert "lo" in failure.sentence


def test_an_interface_that_is_down(look, monkeypatch, tmp_path):
    folder = tmp_path / "eth7"
    for name, text in {
        "flags": "0x1002",
        "operstate": "down",
        "mtu": "9000",
        "speed": "-1",
        "address": "02:00:00:00:00:07",
        "ifindex": "99",
    }.items():
        put(folder, name, text + "\n")
    put(folder, "statistics/rx_errors", "7\n")
    monkeypatch.setattr(interface, "ROOT", str(tmp_path))
    seen = look("interface", name="eth7")
    assert (seen["up"], seen["state"], seen["carrier"], seen["mtu"], seen["speed"]) == (False, "down", None, 9000, None)
    assert (seen["rx_errors"], seen["tx_errors"], seen["addresses"]) == (7, None, [])
    monkeypatch.setattr(interface, "ROOT", str(tmp_path / "none"))
    with pytest.raises(CannotSee, match="only Linux"):
        look("interface", name="eth7")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 16])
def test_names_that_are_no_interfaces(name):
    with pytest.raises(ValueError, match=r"interface\.name"):
        read_options(interface.SPEC, {"name": name})


# --- processes ---


def test_zombies_are_counted(look):
    before = look("processes")
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken notice
    seen = look("processes")
    assert len(seen["zombie_names"]) >= 1
    assert seen["zombies"] >= 1
    child.wait()
    assert before["total"] >= 1
    assert before["threads"] >= before["total"] - before["zombies"]


def test_states_of_processes(tmp_path):
    put(tmp_path, "self/stat", "")
    for pid, name, state in ((1, "init", "S"), (2, "a) b (c", "D"), (3, "defunct", "Z"), (4, "busy", "R"), (5, "idle", "I")):
        put(tmp_path, f"{pid}/stat", f"{pid} ({name}) {state} 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 5 0 0\n")
    put(tmp_path, "6/stat", "torn")
    seen = processes.count(str(tmp_path))
    assert (seen["total"], seen["running"], seen["zombies"], seen["blocked"], seen["threads"]) == (5, 1, 1, 1, 15)
    assert (seen["zombie_names"], seen["blocked_names"]) == (["defunct"], ["a) b (c"])


def test_processes_that_cannot_be_seen(tmp_path):
    with pytest.raises(CannotSee, match="only Linux"):
        processes.count(str(tmp_path))
    put(tmp_path, "self/stat", "")
    with pytest.raises(CannotSee, match="hidepid") as caught:
        processes.count(str(tmp_path))
    assert caught.value.reason == "permission"


# --- reboot ---


def kernels(root, *releases):
    for release in releases:
        put(root, f"lib/modules/{release}/modules.dep")
        put(root, f"boot/vmlinuz-{release}")


@pytest.mark.parametrize(
    ("running", "installed", "newest"),
    [
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-18-amd64"], "6.1.0-18-amd64"),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-18-cloud-amd64"], "6.1.0-9-amd64"),
        ("5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"], "5.14.0-427.13.1.el9_4.x86_64"),
        ("6.10.1-arch1-1", ["6.10.2-arch1-1"], "6.10.2-arch1-1"),
        ("6.18.44-fc-v657", ["6.1.0-18-amd64"], None),
        ("6.1.0-9-amd64", [], None),
    ],
)
def test_the_newest_kernel_of_a_kind(tmp_path, running, installed, newest):
    kernels(tmp_path, *installed)
    (tmp_path / "lib/modules/99.0-amd64").mkdir(parents=True)  # left over: there is no image
    assert reboot.newest_kernel(running, str(tmp_path)) == newest


def test_a_container_has_no_kernel_of_its_own(tmp_path):
    kernels(tmp_path, "6.1.0-18-amd64")
    put(tmp_path, "run/systemd/container", "lxc")
    assert reboot.newest_kernel("6.1.0-9-amd64", str(tmp_path)) is None


def test_the_marker_of_debian(tmp_path):
    assert reboot._by_marker(str(tmp_path)) == (None, [])
    put(tmp_path, "reboot-required", "*** System restart required ***\n")
    assert reboot._by_marker(str(tmp_path)) == ("the system asks for it", [])
    put(tmp_path, "reboot-required.pkgs", "linux-image-6.1.0-18-amd64\ndbus\ndbus\n")
    assert reboot._by_marker(str(tmp_path))[0] == "the system asks for it because of linux-image-6.1.0-18-amd64, dbus"


@pytest.mark.parametrize(
    ("answer", "packages"),
    [
        (
            (1, "Core libraries or services have been updated since boot-up:\n  * glibc\n  * systemd\n\nReboot is required\n", ""),
            ["glibc", "systemd"],
        ),
        ((0, "No core libraries or services have been updated since boot-up.\n", ""), []),
        ((1, "", "Error: this command has to be run with superuser privileges"), []),
    ],
)
def test_needs_restarting(answer, packages):
    reason, found = reboot._by_program(Context(run=lambda argv, timeout: answer))
    assert found == packages
    assert (reason is not None) == bool(packages)
    assert reboot._by_program(Context()) == (None, [])
