# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the callback's other process makes of what it is told, without a run of Ansible."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.plugin_utils import _run_facts
from ansible_collections.vigil.ops.plugins.plugin_utils._office import Office
from ansible_collections.vigil.ops.plugins.plugin_utils._run_facts import Ending, Place

OPTIONS = dict.fromkeys(("channels_file", "alerts_file", "expect_every", "expect_name", "service", "min_severity", "group", "language"), "")


def options(place):
    own = {"channels": f"file://{place}/out", "events": None, "deadline": "5s", "state_url": f"sqlite:///{place}/state.db"}
    return {**OPTIONS, **own}


@pytest.fixture
def office(tmp_path):
    opened = Office()
    assert opened.do("read_options", (options(tmp_path), {}, "run")).value == _run_facts.Settings(
        1, ("results", "failures", "unreachable"), 5.0
    )
    return opened


def told(tmp_path):
    return sqlite3.connect(tmp_path / "state.db").execute("SELECT COUNT(*) FROM outbox").fetchone()[0]


def test_a_run_that_is_ended_while_the_store_is_locked_loses_nothing(office, tmp_path):
    assert office.do("begin", ("site.yml", "playbook:site.yml:1")).value == []
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    said = office.do("failed", (Place("web1", "play", "task"), "it is broken", time.time())).sentences
    assert "locked" in said[0] and said[0].endswith("It is tried again.")
    release = threading.Timer(0.5, other.rollback)
    release.start()
    assert office.do("close", ()) == (None, [])
    assert told(tmp_path) == 1
    release.join()
    other.close()


def test_the_end_of_a_run_does_not_wait_for_a_store_that_is_locked_longer_than_it_may(office, tmp_path):
    office.do("begin", ("site.yml", "playbook:site.yml:1"))
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    office.do("failed", (Place("web1", "play", "task"), "it is broken", time.time()))
    begin = time.monotonic()
    said = office.do("finish", (Ending(), "", None, time.time(), begin + 1)).sentences
    assert said[0].startswith("1 event could not be kept")
    office.do("close", ())
    assert time.monotonic() - begin < 4
    other.close()
    assert told(tmp_path) == 0


LIGHT = """
    import json, sys
    from ansible_collections.vigil.ops.plugins.callback import webhook
    line = webhook.Line(webhook._open_office)
    print(line.ask("read_options", json.loads(sys.argv[1]), {}, "run", seconds=20))
    print(line.ask("begin", "site.yml", "playbook:site.yml:1", seconds=20))
    print(sorted(name for name in sys.modules if "module_utils._engine" in name or name == "sqlite3"))
"""


def test_the_side_of_ansible_loads_nothing_of_the_engine(tmp_path):
    """Each worker is a fork of it and pays for what it has loaded; what comes over the line may load something, too."""
    argv = [sys.executable, "-c", textwrap.dedent(LIGHT), json.dumps(options(tmp_path))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("Settings(channels=1") and done.stdout.splitlines()[1:] == ["[]", "[]"], done.stdout
