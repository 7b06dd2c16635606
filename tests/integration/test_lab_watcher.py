# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher on a real systemd node, put there by the roles over SSH."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import Lab
from lab_rootfs import cache_dir

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
QUICK = {"failures": 2, "interval": "1s", "verify_timeout": "5s", "grace": 0, "backoff": 0}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
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
def home():
    """A lab of one node whose Python can make environments."""
    with Lab(cache_dir() / "watcher") as made:
        made.up(1, packages=("python3-venv",))
        yield made


class Watched:
    """The node, and the roles with variables."""

    def __init__(self, home, run_playbook, wheels, receiver):
        self.node = home.node(1)
        self.home = home
        self.receiver = receiver
        self._run = run_playbook
        self._common = {"watcher_wheels": str(wheels), "watcher_channels": [receiver.url + "/hook"], "watcher_cpu_quota": "100%"}

    def play(self, *args, roles=("health_watcher", "file_watcher", "dns_watcher"), **variables):
        play = {
            "hosts": "all",
            "gather_facts": False,
            "vars": {**self._common, **variables},
            "roles": [f"vigil.ops.{role}" for role in roles],
        }
        return self._run([play], *args, inventory=self.home.inventory, timeout=200)

    def apply(self, **variables):
        done = self.play(**variables)
        assert done.rc == 0, done.output
        return done

    def vigil(self, *args, rc=0):
        done = self.node.ssh("vigil " + " ".join(args), check=False)
        assert done.returncode == rc, done.stdout + done.stderr
        return done.stdout

    def told(self, check, count, seconds=20.0):
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
def watched(home, run_playbook, wheels, listen):
    home.up(1)
    return Watched(home, run_playbook, wheels, listen())


def changed(done):
    return int(done.output.rstrip().split("changed=")[1].split()[0])


def test_it_is_installed_once_and_check_mode_says_so_before(watched):
    """On a clean host check mode goes through to its end and leaves nothing; then it is installed; a second run changes nothing."""
    node = watched.node
    watches = {"health_watcher_checks": [{"name": "root disk", "disk": {"path": "/"}, "every": "2s"}]}
    dry = watched.play("--check", "--diff", **watches)
    assert dry.rc == 0 and changed(dry) > 5, dry.output
    assert node.ssh("ls /opt/vigil /etc/vigil /var/lib/vigil /usr/local/bin/vigil", check=False).stdout == ""
    watched.apply(**watches)
    assert node.ssh("systemctl is-active vigil-watch").stdout.strip() == "active"
    assert changed(watched.apply(**watches)) == 0
    again = watched.play("--check", **watches)
    assert again.rc == 0 and changed(again) == 0, again.output
    exposure = node.ssh("systemd-analyze security vigil-watch | tail -1").stdout.split("vigil-watch.service: ")[1]
    assert float(exposure.split()[0]) <= 3.0
    time.sleep(3)
    status = json.loads(watched.vigil("status", "--json"))
    assert status["healthy"] is True and [one["check"] for one in status["results"]] == ["root disk"]
    secret = node.ssh("stat -c %a /etc/vigil/channels.yml /var/lib/vigil/state.db").stdout.split()
    assert secret == ["600", "600"]


ZONE, TEXT = "example.test", "$TTL 300\n@ SOA ns. host. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.1\n"


def test_files_services_and_names_are_watched_and_told(watched, nsd):
    """A changed file, a killed service and a changed record each reach a real receiver, and the service runs again."""
    node = watched.node
    server = nsd({ZONE: TEXT})
    node.write("/etc/systemd/system/idle.service", SLEEP)
    node.ssh("systemctl daemon-reload; systemctl start idle; mkdir -p /srv/data; echo one > /srv/data/file; rm -rf /var/backups/vigil")
    watched.apply(
        health_watcher_guards=[{"service": "idle", **QUICK}],
        file_watcher_watches=[{"name": "data", "paths": ["/srv/data"], "repository": "/var/backups/vigil"}],
        dns_watcher_watches=[{"name": "ours", "names": ["www.example.test"], "nameservers": [server.address], "every": "2s"}],
    )
    before = node.ssh("systemctl show -p InvocationID --value idle").stdout
    node.ssh("systemctl kill -s KILL idle")
    fired, resolved = watched.told("service idle", 2)[:2]
    assert (fired["status"], resolved["status"]) == ("firing", "resolved") and resolved["alert_id"] == fired["alert_id"]
    assert node.ssh("systemctl is-active idle").stdout.strip() == "active"
    assert node.ssh("systemctl show -p InvocationID --value idle").stdout != before
    begin = time.monotonic()
    node.ssh("echo two > /srv/data/file; cp /srv/data/file /srv/data/more")
    event = watched.told("backup data", 1)[0]
    assert time.monotonic() - begin < 14 and "1 added, 1 modified" in event["message"], event
    assert "+two" in event["message"]
    assert len(json.loads(watched.vigil("backups", "--json"))["snapshots"]) == 2
    server.set_zone(ZONE, TEXT.replace("192.0.2.1", "192.0.2.9"))
    until = time.monotonic() + 30
    while not any("192.0.2.9" in json.dumps(event) for event in watched.receiver.bodies):
        assert time.monotonic() < until, watched.receiver.bodies
        time.sleep(0.2)
    node.ssh("rm /srv/data/file")
    out = watched.vigil("restore", "data", "/srv/data/file")
    assert "/srv/data/file" in out and node.read("/srv/data/file") == "two\n"


def test_a_bad_configuration_is_refused_with_file_and_line_and_the_old_one_stays(watched):
    watched.apply(health_watcher_checks=[{"name": "root disk", "disk": {"path": "/"}}])
    done = watched.play(health_watcher_checks=[{"name": "fine", "disk": {"path": "/"}}, {"name": "bad", "disk": {"pth": "/"}}])
    assert done.rc == 2 and "did you mean" in done.output and 'no option \\"pth\\"' in done.output, done.output
    node = watched.node
    assert "root disk" in node.read("/etc/vigil/watch.d/health_watcher.yml")
    node.write("/etc/vigil/watch.d/own.yml", "checks:\n  - name: a\n    disk: {path: /}\n  - name: b\n    tcp: {port: 70000}\n")
    said = node.ssh("vigil check --only-config", check=False)
    assert said.returncode == 1 and "/etc/vigil/watch.d/own.yml:4: " in said.stderr and "70000" in said.stderr
    node.ssh("systemctl reload vigil-watch; sleep 1")
    assert json.loads(watched.vigil("status", "--json"))["process"]["watches"] == "1 check, 1 channel"
    node.ssh("rm /etc/vigil/watch.d/own.yml")


def test_nothing_is_lost_while_the_receiver_is_down_and_everything_is_killed(watched, listen):
    """The receiver is gone, rooms and the whole watcher are killed again and again; when it is back each alarm arrives once."""
    node, receiver = watched.node, watched.receiver
    checks = [{"name": f"flag {number}", "file": {"path": f"/run/flag{number}"}, "every": "1s"} for number in range(3)]
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    watched.apply(health_watcher_checks=checks)
    receiver.close()
    for number in range(3):
        node.ssh(f"rm /run/flag{number}; sleep 2")
        node.ssh("pkill -9 -f '[v]igil_watch run'; sleep 6" if number else "kill -9 $(pgrep -f '[v]igil_watch run' | tail -1); sleep 1")
    node.ssh("sleep 2; systemctl is-active vigil-watch")
    watched.receiver = listen(port=receiver.port)
    for number in range(3):
        found = watched.told(f"flag {number}", 1, seconds=60)
        assert [event["status"] for event in found] == ["firing"], found
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    assert [event["status"] for event in watched.told("flag 2", 2)] == ["firing", "resolved"]


def test_it_survives_a_reboot_and_sees_what_changed_meanwhile(watched):
    node = watched.node
    node.ssh("mkdir -p /srv/data; echo one > /srv/data/slept")
    watched.apply(file_watcher_watches=[{"name": "data", "paths": ["/srv/data"], "repository": "/var/backups/vigil", "quiet": "1s"}])
    node.ssh("systemctl stop vigil-watch; echo changed > /srv/data/slept")
    watched.home.reboot(1)
    assert "slept" in watched.told("backup data", 1)[-1]["message"]


def test_a_version_that_does_not_come_up_gives_way_to_the_one_before(watched, ansible_env, tmp_path):
    """The program on the node is taken for another version; the one of the collection is broken on its way."""
    watched.apply()
    node = watched.node
    good = node.ssh("readlink /opt/vigil/current").stdout.strip()
    # the present one becomes an old version, and its successor cannot start
    node.ssh(
        f"cd /opt/vigil && mv {good} versions/0000000000000000 && ln -sfn versions/0000000000000000 current && systemctl restart vigil-watch"
    )
    node.write("/etc/systemd/system/vigil-watch.service.d/break.conf", "[Service]\nExecCondition=/usr/bin/test -L /opt/vigil/old\n", "0644")
    node.ssh("rm -f /opt/vigil/old; systemctl daemon-reload")
    done = watched.play()
    assert done.rc == 2 and "did not come up; the version before runs again" in done.output, done.output
    assert node.ssh("readlink /opt/vigil/current").stdout.strip() == "versions/0000000000000000"
    node.ssh("rm /etc/systemd/system/vigil-watch.service.d/break.conf; systemctl daemon-reload; systemctl restart vigil-watch")
    assert changed(watched.apply()) > 0
    assert node.ssh("readlink /opt/vigil/current").stdout.strip() == good


def test_it_is_removed_whole_and_its_data_only_when_that_is_wished(watched):
    watched.apply(health_watcher_checks=[{"name": "root disk", "disk": {"path": "/"}}])
    node = watched.node
    assert watched.play(watcher_state="absent").rc == 0
    assert node.ssh("ls /opt/vigil /etc/vigil /usr/local/bin/vigil /etc/systemd/system/vigil-watch.service", check=False).stdout == ""
    assert node.ssh("pgrep -f vigil_watch", check=False).stdout == ""
    assert node.ssh("ls /var/lib/vigil").stdout.split() != []
    gone = watched.play(watcher_state="absent", watcher_purge=True)
    assert gone.rc == 0 and node.ssh("ls /var/lib/vigil", check=False).stdout == ""
    assert changed(watched.play(watcher_state="absent", watcher_purge=True)) == 0
