# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of playbooks share: where Ansible and the collection are, and a way to run a playbook in a world of its own.

Environment (set by `make test`, with defaults that suit a run by hand):
VIGIL_TEST_BIN          bin directory that holds ansible-playbook
VIGIL_TEST_COLLECTIONS  directory that holds ansible_collections/vigil/ops, as installed
VIGIL_TEST_TREE         directory in which the checkout itself is ansible_collections/vigil/ops
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / place) for place in ("tests", "tests/lab", "tests/dns", "roles/watcher/files")]
# real nodes, real name servers and receivers on loopback, started when a test first asks for them
pytest_plugins = ["lab_fixtures", "lab_watcher", "dns_fixtures", "receivers", "postgres_server"]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what is in the background so, and everything below inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


@dataclasses.dataclass
class Outcome:
    """What a command left behind."""

    rc: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything that a person would have seen."""
        return self.stdout + self.stderr


@dataclasses.dataclass(frozen=True)
class AnsibleEnv:
    """Where Ansible and the collection are, and the environment of an isolated run."""

    bin: Path
    collections: Path
    home: Path
    env: t.Dict[str, str]

    def run(
        self, *argv: t.Union[str, Path], env: t.Optional[t.Mapping[str, str]] = None, cwd: t.Optional[Path] = None, timeout: float = 300
    ) -> Outcome:
        """Run a command of the Ansible environment (`ansible-playbook`, `ansible-doc`, `python`, ...) or any other; kills it at the timeout (seconds)."""
        name, *rest = [str(part) for part in argv]
        own = self.bin / name
        command = [str(own) if own.exists() else name, *rest]
        done = subprocess.run(
            command,
            env={**self.env, **(env or {})},
            cwd=str(cwd or self.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


class RunPlaybook(t.Protocol):
    def __call__(
        self,
        playbook: t.Union[str, Path, t.List[t.Any]],
        *args: str,
        env: t.Optional[t.Mapping[str, str]] = None,
        inventory: t.Union[str, Path, t.Mapping[str, t.Any], None] = None,
        timeout: float = 300,
    ) -> Outcome:
        """See the fixture run_playbook."""


def _new_env(home: Path) -> AnsibleEnv:
    places = Path(os.environ.get("VIGIL_TEST_BIN", Path(sys.executable).parent))
    collections = Path(os.environ.get("VIGIL_TEST_COLLECTIONS", os.environ.get("ANSIBLE_COLLECTIONS_PATH", ROOT.parent.parent.parent)))
    foreign = ("ANSIBLE_", "VIGIL_", "XDG_", "PYTEST_", "PYTHON")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    env.update(
        PATH=f"{places}{os.pathsep}{env.get('PATH', os.defpath)}",
        HOME=str(home),
        LC_ALL="C.UTF-8",
        PYTHONPYCACHEPREFIX=str(ROOT / ".cache" / "bytecode"),  # what many runs import is compiled once, and not into the sources
        VIGIL_STATE_URL=f"sqlite:///{home}/state.db",
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"),
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_HOME=str(home / ".ansible"),
    )
    return AnsibleEnv(places, collections, home, env)


def _runner(ansible_env: AnsibleEnv) -> RunPlaybook:
    def run(
        playbook: t.Union[str, Path, t.List[t.Any]],
        *args: str,
        env: t.Optional[t.Mapping[str, str]] = None,
        inventory: t.Union[str, Path, t.Mapping[str, t.Any], None] = None,
        timeout: float = 300,
    ) -> Outcome:
        if isinstance(playbook, list):
            place = ansible_env.home / "playbook.yml"
            place.write_text(json.dumps(playbook), encoding="utf-8")
            playbook = place
        if inventory is None:
            inventory = {"all": {"hosts": {"localhost": LOCAL}}}
        if not isinstance(inventory, (str, Path)):
            place = ansible_env.home / "inventory.yml"
            place.write_text(json.dumps(inventory), encoding="utf-8")
            inventory = place
        return ansible_env.run("ansible-playbook", "-i", str(inventory), str(playbook), *args, env=env, timeout=timeout)

    return run


@pytest.fixture
def ansible_env(tmp_path: Path) -> AnsibleEnv:
    """Ansible and the collection, with HOME and store of this test alone."""
    home = tmp_path / "home"
    home.mkdir()
    return _new_env(home)


@pytest.fixture
def run_playbook(ansible_env: AnsibleEnv) -> RunPlaybook:
    """Run `ansible-playbook`: a path, a name like vigil.ops.inspect, or a list of plays as data.

    `inventory`: a path or pattern, or a mapping in the shape of a YAML inventory; default is localhost alone, without SSH.
    """
    return _runner(ansible_env)


@pytest.fixture(scope="module")
def run_playbook_once(tmp_path_factory: pytest.TempPathFactory) -> RunPlaybook:
    """The same for a look that all tests of a file share; they share its HOME and store, too."""
    return _runner(_new_env(tmp_path_factory.mktemp("home")))
