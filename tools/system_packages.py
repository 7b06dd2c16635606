# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that tests need besides Python: installed with apt-get where that can be done (Debian or Ubuntu, root), named elsewhere."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from pathlib import Path

from workbench import CACHE, Failed, run, say

# leg -> ((any of these programs, Debian package), ...)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NAME_SERVERS = (
    (("nsd",), "nsd"),
    (("unbound",), "unbound"),
    (("ldns-signzone",), "ldnsutils"),
    (("openssl",), "openssl"),
)
REMOTES = ((("rclone",), "rclone"), (("restic",), "restic"))
POSTGRES = ((("pg_ctlcluster",), "postgresql"),)
ARCHIVES = (
    (("zstd",), "zstd"),
    (("setfacl",), "acl"),
    (("getfattr",), "attr"),
)
NEEDED: t.Dict[str, t.Tuple[t.Tuple[t.Tuple[str, ...], str], ...]] = {
    "integration": (
        (BROWSERS, "chromium"),
        (("chromedriver",), "chromium-driver"),
        (("promtool",), "prometheus"),
        (("prometheus-alertmanager",), "prometheus-alertmanager"),
        (("ssh",), "openssh-client"),
        *NAME_SERVERS,
        *REMOTES,
        *POSTGRES,
    ),
    "unit": ((("promtool",), "prometheus"), *NAME_SERVERS, *REMOTES, *ARCHIVES, *POSTGRES),
    "bench": (
        *NAME_SERVERS,
        (("dnsperf",), "dnsperf"),
        (("nginx",), "nginx"),
        (("wrk",), "wrk"),
        (("prometheus-blackbox-exporter",), "prometheus-blackbox-exporter"),
        (("check_http",), "monitoring-plugins-basic"),
        (("restic",), "restic"),
        (("borg",), "borgbackup"),
        (("rsync",), "rsync"),
        (("zstd",), "zstd"),
        (("rg",), "ripgrep"),
        (("monit",), "monit"),
    ),
    "sanity": ((("shellcheck",), "shellcheck"),),
    "lab": ((("systemd-nspawn",), "systemd-container"), (("mmdebstrap",), "mmdebstrap"), (("ssh",), "openssh-client")),
}
# Installing these would leave a server running: only their programs are taken, and what those link to is installed.
TAKEN_OUT = {
    "prometheus": ("promtool",),
    "prometheus-alertmanager": ("prometheus-alertmanager",),
    "rabbitmq-server": (),
    "nsd": ("nsd", "nsd-control"),
    "unbound": ("unbound",),
    "nginx": ("nginx",),
    "prometheus-blackbox-exporter": ("prometheus-blackbox-exporter",),
    "monitoring-plugins-basic": ("check_http", "check_tcp"),
    "monit": ("monit",),
}
# What belongs to them beside programs: where it is in the package -> where the program looks for it, or the tests do.
BROUGHT_ALONG = {
    "prometheus-alertmanager": ("usr/share/prometheus/alertmanager", Path("/usr/share/prometheus/alertmanager")),
    "rabbitmq-server": ("usr/lib/rabbitmq", CACHE / "rabbitmq"),
}
# postgresql-common would make and start a cluster of its own.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/vigil-tests.conf")
BROKER = ((("rabbitmq-server",), "rabbitmq-server"),)
NEEDED["long"] = NEEDED["integration"] + NEEDED["lab"] + BROKER


def lacking(legs: t.Sequence[str]) -> t.List[str]:
    """Debian packages whose programs are not here, for these legs."""
    wanted = [need for leg in legs for need in NEEDED.get(leg.split("-")[0], ())]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", str(CACHE / "bin")])
    return sorted({package for programs, package in wanted if not any(shutil.which(program, path=path) for program in programs)})


def prepare(legs: t.Sequence[str]) -> None:
    """Install what is lacking, or say what it is."""
    packages = lacking(legs)
    if not packages:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        say(f"not on this machine, what needs it is skipped or fails: {', '.join(packages)} (names of Debian packages)")
        return
    say(f"install with apt-get: {' '.join(packages)}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    try:
        run(["apt-get", "-qq", "update"], "apt-get update", env=env)
        for package in [package for package in packages if package in TAKEN_OUT]:
            packages.remove(package)
            only_programs(package, TAKEN_OUT[package], env)
        if "postgresql" in packages and not NO_CLUSTER.exists():
            NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
            NO_CLUSTER.write_text("create_main_cluster = false\n", encoding="utf-8")
        if packages:
            run(["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages], "apt-get install", env=env)
    except Failed as problem:
        say(f"{problem}\nThe tests that need these packages are skipped or fail.")


def only_programs(package: str, programs: t.Sequence[str], env: t.Dict[str, str]) -> None:
    """Take programs out of a package into .cache/bin, and install the libraries that it depends on."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        run(["apt-get", "-qq", "download", package], "apt-get download", env=env, cwd=scratch)
        archive = next(Path(scratch).glob("*.deb"))
        depends = run(["dpkg-deb", "-f", archive, "Depends"], "dpkg-deb", env=env)
        libraries = ", ".join(
            name for name in depends.strip().split(", ") if name.startswith(("lib", "erlang-")) and not name.startswith("libjs")
        )
        if libraries:
            run(["apt-get", "-qq", "-y", "--no-install-recommends", "satisfy", libraries], "apt-get satisfy", env=env)
        run(["dpkg-deb", "-x", archive, Path(scratch) / "out"], "dpkg-deb", env=env)
        (CACHE / "bin").mkdir(parents=True, exist_ok=True)
        if package in BROUGHT_ALONG:
            source, place = BROUGHT_ALONG[package]
            shutil.copytree(str(Path(scratch) / "out" / source), str(place), symlinks=True, dirs_exist_ok=True)
        for program in programs:
            found = next(place for place in sorted(Path(scratch).rglob(program)) if place.parent.name in ("bin", "sbin", "plugins"))
            shutil.copy2(str(found), str(CACHE / "bin" / program))
    if package == "rabbitmq-server":
        link = CACHE / "bin" / "rabbitmq-server"
        link.unlink(missing_ok=True)
        link.symlink_to(next((CACHE / "rabbitmq" / "lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")))
