# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A watcher of the packages of the distribution, on a node that has nothing yet, with its store in PostgreSQL."""

from __future__ import annotations

import json
import os

import pytest
from lab_watcher import Watched, changed, steps

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

SCHEMA = "node1"
FLAG = [{"name": "flag", "file": {"path": "/run/flag"}, "every": "1s", "priority": "P0"}]


@pytest.fixture(scope="module")
def plain_home():
    """A node without python3-venv, python3-apt and lists of packages, as many are."""
    from lab import Lab
    from lab_rootfs import cache_dir

    with Lab(cache_dir() / f"tests-{os.getpid()}-plain") as home:
        home.up(1)
        yield home


@pytest.fixture
def plain(plain_home, run_playbook, listen):
    return Watched(plain_home, run_playbook, None, listen())


def given(server):
    """The variables of the node."""
    return {"roles": ("health_watcher",), "watcher_state_url": server.url(schema=SCHEMA), "health_watcher_checks": FLAG}


def test_packages_of_the_distribution_and_a_store_in_postgresql(plain, guarded_postgres):
    """Check mode foretells it, a second run changes nothing, an alarm outlasts a restart, and no password is shown."""
    node, server = plain.node, guarded_postgres
    dry = plain.play("--check", "--diff", **given(server))
    assert dry.rc == 0, dry.output
    assert node.ssh("ls /opt/vigil /etc/vigil /usr/local/bin/vigil; dpkg -l | grep python3-psycopg2", check=False).stdout == ""
    real = plain.play("-vvv", "--diff", **given(server))
    assert real.rc == 0, real.output
    # the start is not foretold, as there is no unit yet
    assert steps(dry) == steps(real) and "Install those that are missing" in steps(real), (steps(dry), steps(real))
    assert server.password not in real.output + dry.output + node.read("/run/vigil/status.json")
    assert changed(plain.apply(**given(server))) == 0
    again = plain.play("--check", **given(server))
    assert again.rc == 0 and changed(again) == 0, again.output

    fired = plain.told("flag", 1)[0]
    kept = server.sql(f"SELECT alert_id, status FROM {SCHEMA}.events WHERE name = 'flag'")
    assert kept == f"{fired['alert_id']}|firing"
    node.ssh("systemctl restart vigil-watch; touch /run/flag")
    resolved = plain.told("flag", 2)[1]
    assert (resolved["alert_id"], resolved["status"]) == (fired["alert_id"], "resolved")

    assert "flag" in plain.vigil("events") and server.password not in node.ssh("journalctl -u vigil-watch --no-pager").stdout
    assert plain.play(roles=("watcher",), watcher_state="absent").rc == 0
    assert node.ssh("ls /opt/vigil /etc/vigil /usr/local/bin/vigil", check=False).stdout == ""


@pytest.mark.long
def test_a_node_that_starts_before_its_server_waits_for_it(plain, guarded_postgres):
    node, server = plain.node, guarded_postgres
    node.ssh("touch /run/flag")
    plain.apply(**given(server))
    server.stop()
    node.ssh("systemctl restart vigil-watch; rm /run/flag")
    process = node.ssh("systemctl is-active vigil-watch; systemctl show -p MainPID --value vigil-watch").stdout
    why = json.loads(plain.vigil("status", "--json", rc=1))["why"]
    assert process.startswith("active") and "not at work: health" in why and "cannot be reached" in why, (process, why)
    server.start()
    assert plain.told("flag", 1, seconds=90)[0]["status"] == "firing"
    assert node.ssh("systemctl is-active vigil-watch; systemctl show -p MainPID --value vigil-watch").stdout == process
    assert json.loads(plain.vigil("status", "--json"))["results"][0]["status"] == "critical"
