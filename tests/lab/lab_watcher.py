# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node with a watcher that the roles put there: the fixture ``watched``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from lab import Lab

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def watcher_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pinned packages, as a controller without a way for its nodes to PyPI has them."""
    place = tmp_path_factory.mktemp("wheels")
    listed = (ROOT / "roles/watcher/files/requirements.txt").read_text()
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
    names = ["PyYAML==6.0.3", "dnspython==2.8.0", "jmespath==1.0.1", "watchdog==6.0.0"]
    assert all(name in listed for name in names)
    subprocess.run(
        [*pip, "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64", "-d", str(place), *names], check=True
    )
    return place


@pytest.fixture(scope="module")
def watcher_home() -> t.Iterator[Lab]:
    """A lab of one node whose Python can make environments."""
    from lab import Lab
    from lab_rootfs import cache_dir

    with Lab(cache_dir() / f"tests-{os.getpid()}-watcher") as made:
        made.up(1, packages=("python3-venv",))
        yield made


class Watched:
    """The node, and the roles with variables.

    :arg wheels: None where the packages of the distribution are used
    """

    def __init__(self, home: Lab, run_playbook: t.Any, wheels: t.Optional[Path], receiver: t.Any) -> None:
        self.node = home.node(1)
        self.home = home
        self.receiver = receiver
        self._run = run_playbook
        packages = {"watcher_wheels": str(wheels)} if wheels else {"watcher_packages": "system"}
        self._common = {**packages, "watcher_channels": [receiver.url + "/hook"], "watcher_cpu_quota": "100%"}

    def play(self, *args: str, roles: t.Sequence[str] = ("health_watcher", "file_watcher", "dns_watcher"), **variables: t.Any) -> t.Any:
        play = {
            "hosts": "all",
            "gather_facts": False,
            "vars": {**self._common, **variables},
            "roles": [f"vigil.ops.{role}" for role in roles],
        }
        return self._run([play], *args, inventory=self.home.inventory, timeout=200)

    def apply(self, **variables: t.Any) -> t.Any:
        done = self.play(**variables)
        assert done.rc == 0, done.output
        return done

    def vigil(self, *args: str, rc: int = 0) -> str:
        done = self.node.ssh("vigil " + " ".join(args), check=False)
        assert done.returncode == rc, done.stdout + done.stderr
        return done.stdout

    def told(self, check: str, count: int, seconds: float = 20.0) -> t.List[t.Any]:
        """The events of a check, once there are so many of them."""
        until = time.monotonic() + seconds
        while True:
            found = [event for event in self.receiver.bodies if event["check"] == check]
            if len(found) >= count or time.monotonic() > until:
                assert len(found) >= count, (
                    check,
                    self.receiver.bodies,
                    self.node.ssh("journalctl -u vigil-watch -n 40 --no-pager").stdout,
                )
                return found
            time.sleep(0.1)


@pytest.fixture
def watched(watcher_home: Lab, run_playbook: t.Any, watcher_wheels: Path, listen: t.Any) -> Watched:
    watcher_home.up(1)
    return Watched(watcher_home, run_playbook, watcher_wheels, listen())


ONLY_REAL = ("Begin it", "Send the wheels", "Install the packages", "It is complete", "Enable and start it", "Use them")


def steps(done: t.Any) -> t.List[str]:
    """The tasks that changed something, in their order, but for those that only a host with the program can do."""
    found: t.List[str] = []
    name = ""
    for line in done.output.splitlines():
        if line.startswith("TASK ["):
            name = line[6:].split("]")[0].rpartition(" : ")[2]
        elif line.startswith("changed: ") and (not found or found[-1] != name):
            found.append(name)
    return [one for one in found if one not in ONLY_REAL]


def changed(done: t.Any) -> int:
    """How many tasks changed something."""
    return int(done.output.rstrip().split("changed=")[1].split()[0])
