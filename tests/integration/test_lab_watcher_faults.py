# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What befalls a watcher on a real systemd node: kills without end, a full disk, a clock that jumps, a receiver that is away for an hour."""

from __future__ import annotations

import json
import random
import time
from collections import Counter

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1200)]

KILLS = 100
CLOCK = """
import time
_true = time.time
def shifted():
    try:
        with open("/opt/clock") as source:
            return _true() + float(source.read())
    except (OSError, ValueError):
        return _true()
time.time = shifted
"""
FLAGS = [{"name": f"flag {number}", "file": {"path": f"/run/flag{number}"}, "every": "1s", "priority": "P0"} for number in range(3)]


def episodes(receiver, check):
    """How often each event of a check was told; an event that comes twice is the same event."""
    return Counter((event["alert_id"], event["status"]) for event in receiver.bodies if event["check"] == check)


@pytest.fixture
def clock(watched):
    """A function that puts the clock forward or back for the watcher's Python, by seconds from the true time; the clock of a container is that of its host.

    Monotonic time goes on, as it does when somebody sets the clock.
    """
    node = watched.node

    def jump(seconds):
        node.ssh(f"echo {seconds} > /opt/clock.new && mv /opt/clock.new /opt/clock")

    jump(0)
    watched.apply(health_watcher_checks=FLAGS)
    site = node.ssh("echo $(dirname $(dirname $(cat /opt/vigil/current/.python)))/lib/python3*/site-packages").stdout.strip()
    node.write(f"{site}/vigil_clock.py", CLOCK)
    node.write(f"{site}/vigil_clock.pth", "import vigil_clock\n")
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2; systemctl restart vigil-watch; sleep 3")
    yield jump
    node.ssh(f"rm {site}/vigil_clock.*; systemctl restart vigil-watch")


def test_a_hundred_kills_lose_and_invent_nothing(watched):
    """Rooms, the supervisor and the guarded processes are killed at any moment, while checks change; each change is told in the end, none twice."""
    node, rng = watched.node, random.Random(20261121)
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    watched.apply(health_watcher_checks=FLAGS)
    node.write("/etc/systemd/system/vigil-watch.service.d/quick.conf", "[Service]\nRestartSec=100ms\n")
    node.ssh("systemctl daemon-reload; systemctl restart vigil-watch; sleep 3")
    for number in range(KILLS):
        if number % 25 == 10:
            node.ssh(f"rm -f /run/flag{number // 25 % 3}")
        pause = rng.uniform(0.05, 1.2)
        node.ssh(f"kill -9 $(pgrep -f '[v]igil_watch' | shuf -n {rng.choice((1, 1, 2, 9))}); sleep {pause:.2f}", check=False)
    for number in range(3):
        watched.told(f"flag {number}", 1, seconds=60)
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    for number in range(3):
        watched.told(f"flag {number}", 2, seconds=60)
        found = episodes(watched.receiver, f"flag {number}")
        assert sorted(status for _alert, status in found) == ["firing", "resolved"], found
    node.ssh("rm /etc/systemd/system/vigil-watch.service.d/quick.conf; systemctl daemon-reload")


def test_a_full_disk_stops_nothing_for_good(watched):
    """The store cannot be written for a while: said, and what is wrong is told once there is room again."""
    node = watched.node
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    watched.apply(health_watcher_checks=FLAGS)
    node.ssh("systemctl stop vigil-watch; mount -t tmpfs -o size=4m tmpfs /var/lib/vigil; systemctl start vigil-watch; sleep 4")
    try:
        node.ssh(
            "dd if=/dev/zero of=/var/lib/vigil/big bs=64k 2> /dev/null; dd if=/dev/zero of=/var/lib/vigil/small bs=1 2> /dev/null",
            check=False,
        )
        node.ssh("rm /run/flag1; sleep 8")
        assert "full" in node.ssh("journalctl -u vigil-watch --since -20s -o cat").stdout
        node.ssh("rm /var/lib/vigil/big /var/lib/vigil/small")
        assert watched.told("flag 1", 1, seconds=90)[0]["status"] == "firing"
        node.ssh("touch /run/flag1")
        assert watched.told("flag 1", 2, seconds=60)[-1]["status"] == "resolved"
    finally:
        node.ssh("systemctl stop vigil-watch; umount -l /var/lib/vigil; systemctl start vigil-watch")


def test_a_clock_that_jumps_forward_and_back(watched, clock):
    """A day ahead, then back, then a day behind: checks are looked at, alarms begin and end, and nothing is restarted."""
    node = watched.node
    process = node.ssh("systemctl show -p MainPID --value vigil-watch").stdout
    for number, seconds in enumerate((86400, 0, -86400)):
        clock(seconds)
        node.ssh(f"sleep 2; rm /run/flag{number}")
        assert watched.told(f"flag {number}", 1, seconds=60)[0]["status"] == "firing"
        node.ssh(f"touch /run/flag{number}")
        end = time.monotonic() + 60  # a reminder may come in between, as the alarm stood for a day by this clock
        while watched.told(f"flag {number}", 2, seconds=60)[-1]["status"] != "resolved":
            assert time.monotonic() < end, watched.receiver.bodies
            time.sleep(0.5)
    assert node.ssh("systemctl show -p MainPID --value vigil-watch").stdout == process


def test_a_receiver_that_is_away_for_an_hour_hears_everything_once(watched, clock, listen):
    """The hour passes in steps of ten minutes, in each of which something happens and delivery is tried again."""
    node, receiver = watched.node, watched.receiver

    def queued(least=0, seconds=60.0):  # what an earlier test did not take belongs to another channel
        until = time.monotonic() + seconds
        while True:
            found = [one for one in json.loads(watched.vigil("outbox", "--json")) if f":{receiver.port}" in one["channel"]]
            if len(found) >= least:
                return found
            assert time.monotonic() < until, (found, watched.vigil("events", "--limit", "30"))

    while queued() or {one["status"] for one in json.loads(watched.vigil("status", "--json"))["results"]} != {"ok"}:
        time.sleep(0.5)
    receiver.mode, receiver.hangs_up = 503, True  # a connection that is open outlives the port
    receiver.close()
    for step in range(1, 7):
        clock(600 * step)
        node.ssh(f"rm /run/flag{step % 3}")
        queued(2 * step - 1)
        node.ssh(f"touch /run/flag{step % 3}")
        waiting = queued(2 * step)
    assert len(waiting) == 12 and max(one["attempts"] for one in waiting) > 1, waiting
    watched.receiver = listen(port=receiver.port)
    clock(600 * 8)
    begin = time.monotonic()
    while queued() and time.monotonic() - begin < 180:
        time.sleep(2)
    assert queued() == []
    for number in range(3):
        found = episodes(watched.receiver, f"flag {number}")
        assert sorted(status for _alert, status in found) == ["firing", "firing", "resolved", "resolved"], found
        assert set(found.values()) == {1}, found
