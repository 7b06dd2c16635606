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
NEEDED: t.Dict[str, t.Tuple[t.Tuple[t.Tuple[str, ...], str], ...]] = {
    "integration": (
        (BROWSERS, "chromium"),
        (("chromedriver",), "chromium-driver"),
        (("promtool",), "prometheus"),
        (("ssh",), "openssh-client"),
    ),
    "unit": ((("promtool",), "prometheus"),),
    "sanity": ((("shellcheck",), "shellcheck"),),
    "lab": ((("systemd-nspawn",), "systemd-container"), (("mmdebstrap",), "mmdebstrap"), (("ssh",), "openssh-client")),
}
NEEDED["long"] = NEEDED["integration"] + NEEDED["lab"]


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
        say(f"not on this machine, what needs it is skipped: {', '.join(packages)} (names of Debian packages)")
        return
    say(f"install with apt-get: {' '.join(packages)}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    try:
        run(["apt-get", "-qq", "update"], "apt-get update", env=env)
        if "prometheus" in packages:
            packages.remove("prometheus")
            only_promtool(env)
        if packages:
            run(["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages], "apt-get install", env=env)
    except Failed as problem:
        say(f"{problem}\nThe tests that need these packages are skipped or fail.")


def only_promtool(env: t.Dict[str, str]) -> None:
    """Take promtool out of the package: installing it would leave a server running."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        run(["apt-get", "-qq", "download", "prometheus"], "apt-get download", env=env, cwd=scratch)
        package = next(Path(scratch).glob("*.deb"))
        run(["dpkg-deb", "-x", package, Path(scratch) / "out"], "dpkg-deb", env=env)
        (CACHE / "bin").mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(Path(scratch) / "out/usr/bin/promtool"), str(CACHE / "bin" / "promtool"))
