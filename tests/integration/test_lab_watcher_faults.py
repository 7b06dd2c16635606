# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What befalls a watcher on a real systemd node: kills without end, a full disk, a clock that jumps, a receiver that is away for an hour."""

from __future__ import annotations

import base64
import glob
import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1200)]

KILLS = 100
DROP_IN = "/etc/systemd/system/vigil-watch.service.d/clock.conf"
CLOCK = "[Service]\nEnvironment=LD_PRELOAD=/opt/libfaketime.so FAKETIME_TIMESTAMP_FILE=/opt/clock FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1\n"
FLAGS = [{"name": f"flag {number}", "file": {"path": f"/run/flag{number}"}, "every": "1s", "priority": "P0"} for number in range(3)]


def episodes(receiver, check):
    """How often each event of a check was told; an event that comes twice is the same event."""
    return Counter((event["alert_id"], event["status"]) for event in receiver.bodies if event["check"] == check)


@pytest.fixture
def clock(watched):
    """A function that puts the clock of the watcher forward or back, by seconds from the true time; monotonic time goes on as it does after such a jump."""
    node = watched.node
    library = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))
    assert library, "libfaketime is not installed: apt-get install faketime"
    node.ssh("base64 -d > /opt/libfaketime.so", stdin=base64.b64encode(Path(library[0]).read_bytes()).decode())

    def jump(seconds):
        node.ssh(f"echo '{seconds:+d}' > /opt/clock.new && mv /opt/clock.new /opt/clock")

    jump(0)
    node.write(DROP_IN, CLOCK)
    yield jump
    node.ssh(f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart vigil-watch")


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
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    watched.apply(health_watcher_checks=FLAGS)
    node.ssh("systemctl daemon-reload; systemctl restart vigil-watch; sleep 3")
    process = node.ssh("systemctl show -p MainPID --value vigil-watch").stdout
    for number, seconds in enumerate((86400, 0, -86400)):
        clock(seconds)
        node.ssh(f"sleep 2; rm /run/flag{number}")
        assert watched.told(f"flag {number}", 1, seconds=60)[0]["status"] == "firing"
        node.ssh(f"touch /run/flag{number}")
        assert watched.told(f"flag {number}", 2, seconds=60)[-1]["status"] == "resolved"
    assert node.ssh("systemctl show -p MainPID --value vigil-watch").stdout == process
    assert all(count == 1 for number in range(3) for count in episodes(watched.receiver, f"flag {number}").values())


def test_a_receiver_that_is_away_for_an_hour_hears_everything_once(watched, clock, listen):
    """The hour passes in steps of ten minutes, in each of which something happens and delivery is tried again."""
    node, receiver = watched.node, watched.receiver
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    watched.apply(health_watcher_checks=FLAGS)
    node.ssh("systemctl daemon-reload; systemctl restart vigil-watch; sleep 3")
    receiver.close()
    for step in range(1, 7):
        clock(600 * step)
        node.ssh(f"rm /run/flag{step % 3}; sleep 3; touch /run/flag{step % 3}; sleep 3")
    waiting = json.loads(watched.vigil("outbox", "--json"))
    assert len(waiting) >= 12 and max(one["attempts"] for one in waiting) > 1, waiting
    watched.receiver = listen(port=receiver.port)
    clock(600 * 8)
    begin = time.monotonic()
    while json.loads(watched.vigil("outbox", "--json")) and time.monotonic() - begin < 180:
        time.sleep(2)
    assert json.loads(watched.vigil("outbox", "--json")) == []
    for number in range(3):
        found = episodes(watched.receiver, f"flag {number}")
        assert sorted(status for _alert, status in found) == ["firing", "firing", "resolved", "resolved"], found
        assert set(found.values()) == {1}, found
