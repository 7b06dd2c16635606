# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults: a receiver that is down for long, senders that are killed at any moment, several processes and a robot's budget on one store."""

from __future__ import annotations

import os
import random
import ssl
import subprocess
import sys
import time

import pytest
import trustme
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import delivery
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

KEY = "ROBOT-KEY-693a7aoc4bc4"
ENGINE = "ansible_collections.vigil.ops.plugins.module_utils._engine"
# One run: it tells twenty alerts of its own, through the life of an alert and the outbox, and sends for a while.
RUN = f"""
import sys, time
from {ENGINE}.alerts.event import new_event
from {ENGINE}.channels.url import parse
from {ENGINE}.flows import notify
from {ENGINE}.state.store import open_store
store, channel, who = open_store(sys.argv[1]), parse(sys.argv[2]), sys.argv[3]
for number in range(20):
    event = new_event("shop", who, "check %d" % number, time.time(), message="it is down")
    notify.tell(store, [channel], notify.Batch([event]), seconds=float(sys.argv[4]))
    print("told", flush=True)
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def any_store(store_url):
    with open_store(store_url) as opened:
        yield opened


def start(store, url, who, seconds=5.0):
    return subprocess.Popen([sys.executable, "-c", RUN, store.url, url, who, str(seconds)], stdout=subprocess.PIPE)


def down_and_back(store, listen, receivers, alerts):
    """A receiver that nobody listens at, then one that does: all arrive, each alert's beginning before its end, nothing twice."""
    port = receivers.dead_port()
    channel = parse(f"http://127.0.0.1:{port}/#ops")
    for status in ("firing", "resolved"):
        events = [
            new_event("shop", f"web{number}", "page", time.time() + 2 * (status == "resolved"), status=status, message="m")
            for number in range(alerts)
        ]
        found = notify.tell(store, [channel], notify.Batch(events), seconds=0.3)
        assert found["delivered"] == 0
    assert found["queued"] == 2 * alerts
    receiver = listen(port=port)
    until = time.monotonic() + 100
    sent = 0
    while sent < 2 * alerts and time.monotonic() < until:
        sent += delivery.deliver(store, [channel], 20)[0].sent
    told = [(body["instance"], body["status"]) for body in receiver.bodies]
    assert len(told) == len(set(told)) == 2 * alerts
    first = {}
    for place, (instance, status) in enumerate(told):
        first[instance, status] = place
    assert all(first[f"web{number}", "firing"] < first[f"web{number}", "resolved"] for number in range(alerts))


def test_a_receiver_that_was_down(store, listen, receivers):
    down_and_back(store, listen, receivers, 250)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_receiver_that_was_down_for_ten_thousand_events(store, listen, receivers):
    down_and_back(store, listen, receivers, 5000)


def runs_that_are_killed(store, listen, number, chance):
    receiver = listen()
    receiver.delay = 0.003
    url = f"{receiver.url}/#ops"
    for run in range(number):
        process = start(store, url, f"host{run}")
        if run % 2 and process.stdout is not None:
            process.stdout.readline()  # the others may be killed before they have told anything
        time.sleep(chance.uniform(0.0, 0.6))
        process.kill()
        process.communicate(timeout=10)
    channel = parse(url)
    channel.bind(store.salt)
    delivery.deliver(store, [channel], 60)
    with store.view() as unit:
        kept = {row[0] for row in unit.all("SELECT id FROM events")}
        left = outbox.pending(unit)
    ids = [body["event_id"] for body in receiver.bodies]
    assert left == {}
    assert kept
    assert set(ids) == kept, "what was kept is told, and nothing else is"
    assert len(ids) - len(kept) <= number, "only what was in flight may come twice"


def test_runs_that_are_killed_at_any_moment(any_store, listen):
    runs_that_are_killed(any_store, listen, 6, random.Random(3))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_runs_that_are_killed_at_any_moment_long(any_store, listen):
    runs_that_are_killed(any_store, listen, 200, random.Random(11))


def test_a_receiver_that_wants_a_certificate(store, listen, tmp_path):
    """Each channel shows its own, and one that shows none waits for somebody's hand."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    authority.issue_cert("robot.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "robot.pem"))
    receiver = listen(tls=(str(tmp_path / "server.pem"), str(tmp_path / "server.pem")))
    receiver._server.socket.context.verify_mode = ssl.CERT_REQUIRED
    receiver._server.socket.context.load_verify_locations(str(tmp_path / "ca.pem"))
    shows = parse({"name": "shows", "url": receiver.url, "ca": str(tmp_path / "ca.pem"), "client_cert": str(tmp_path / "robot.pem")})
    shy = parse({"name": "shy", "url": receiver.url, "ca": str(tmp_path / "ca.pem")})
    found = notify.tell(store, [shows, shy], notify.Batch([new_event("shop", "web1", "page", time.time(), message="m")]), seconds=3)
    assert {one["channel"].split()[0]: one["status"] for one in found["channels"]} == {"shows": "delivered", "shy": "queued"}
    assert len(receiver.requests) == 1


def test_three_processes_and_one_robot_keep_its_budget_together(any_store, listen, receivers):
    robot = receivers.Robot(KEY)
    url = f"wecom://{KEY}?endpoint={listen(robot).url}&group=none#ops"
    store = any_store
    runs = [start(store, url, f"host{number}", 0.5) for number in range(3)]
    assert [run.communicate(timeout=100) and run.returncode for run in runs] == [0] * 3
    assert len(robot.contents) == 20  # of sixty, within the first minute
    assert len(set(robot.contents)) == 20
    with store.view() as unit:
        assert outbox.pending(unit) == {"ops": 40}
