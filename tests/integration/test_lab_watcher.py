# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher on a real systemd node, put there by the roles over SSH."""

from __future__ import annotations

import json
import time

import pytest
from lab_watcher import changed, steps

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the first use builds the node image

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
QUICK = {"failures": 2, "interval": "1s", "verify_timeout": "5s", "grace": 0, "backoff": 0}


def test_it_is_installed_once_and_check_mode_says_so_before(watched):
    """On a clean host check mode goes through to its end and leaves nothing; then it is installed; a second run changes nothing."""
    node = watched.node
    watches = {"health_watcher_checks": [{"name": "root disk", "disk": {"path": "/"}, "every": "2s"}]}
    dry = watched.play("--check", "--diff", **watches)
    assert dry.rc == 0, dry.output
    assert node.ssh("ls /opt/vigil /etc/vigil /var/lib/vigil /usr/local/bin/vigil", check=False).stdout == ""
    before = steps(dry)
    real = watched.apply(**watches)
    # what only a host that has the program can do is not foretold: its Python packages, the first start and the look that it works
    assert before == steps(real) and len(before) > 5, (before, steps(real))
    assert node.ssh("systemctl is-active vigil-watch").stdout.strip() == "active"
    process = node.ssh("systemctl show -p MainPID --value vigil-watch").stdout
    assert changed(watched.apply(**watches)) == 0
    assert node.ssh("systemctl show -p MainPID --value vigil-watch").stdout == process
    assert "vigil restore" in node.ssh("man vigil 2> /dev/null || cat /usr/local/share/man/man1/vigil.1").stdout
    again = watched.play("--check", **watches)
    assert again.rc == 0 and changed(again) == 0, again.output
    exposure = node.ssh("systemd-analyze security vigil-watch | tail -1").stdout.split("vigil-watch.service: ")[1]
    assert float(exposure.split()[0]) <= 3.0
    time.sleep(3)
    status = json.loads(watched.vigil("status", "--json"))
    assert status["healthy"] is True and [one["check"] for one in status["results"]] == ["root disk"]
    secret = node.ssh("stat -c %a /etc/vigil/channels.yml /var/lib/vigil/state.db").stdout.split()
    assert secret == ["600", "600"]


def test_eleven_errors_within_a_minute_are_one_alarm(watched):
    node = watched.node
    node.ssh("rm -f /var/log/shop.log; echo INFO > /var/log/shop.log")
    rule = {"name": "many errors", "regex": " ERROR ", "threshold": {"count": 11, "within": "60s"}}
    logs = [{"name": "shop", "sources": ["/var/log/shop.log"], "rules": [rule], "every": "1s"}]
    assert watched.play(roles=("log_watcher",), log_watcher_watches=logs).rc == 0
    time.sleep(3)
    node.ssh('for n in $(seq 10); do echo "$n ERROR failed" >> /var/log/shop.log; done; sleep 3')
    assert not [event for event in watched.receiver.bodies if "many errors" in json.dumps(event)]
    node.ssh("echo '11 ERROR failed' >> /var/log/shop.log; sleep 3; echo '12 ERROR failed' >> /var/log/shop.log; sleep 3")
    told = [event for event in watched.receiver.bodies if "many errors" in json.dumps(event)]
    assert [event["status"] for event in told] == ["firing"] and "11" in told[0]["message"], told
    assert watched.play(roles=("log_watcher",), log_watcher_watches=[]).rc == 0


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
    assert time.monotonic() - begin < 12 and "1 added, 1 modified" in event["message"], event
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
    # neither channels nor who is told of what may take down what runs
    channels, secret = node.read("/etc/vigil/channels.yml"), "T0KENVALUE123456"
    wrong = (
        {"watcher_channels": [f"htp://{secret}/"]},
        {"watcher_alerts": {"routes": [{"to": "opps"}]}, "watcher_channels": [f"http://{secret}/#ops"]},
    )
    for given, said in zip(wrong, ("did you mean", "which is not among the channels")):
        done = watched.play(roles=("watcher",), **given)
        assert done.rc == 2 and said in done.output and "what there was stays" in done.output and secret not in done.output, done.output
        assert node.read("/etc/vigil/channels.yml") == channels and node.ssh("ls /etc/vigil").stdout.split() == [
            "channels.yml",
            "vigil.yml",
            "watch.d",
        ]
    node.ssh("systemctl restart vigil-watch")
    assert "root disk" in node.read("/etc/vigil/watch.d/health_watcher.yml")
    node.write("/etc/vigil/watch.d/own.yml", "checks:\n  - name: a\n    disk: {path: /}\n  - name: b\n    tcp: {port: 70000}\n")
    said = node.ssh("vigil check --only-config", check=False)
    assert said.returncode == 1 and "/etc/vigil/watch.d/own.yml:4: " in said.stderr and "70000" in said.stderr
    node.ssh("systemctl reload vigil-watch; sleep 1")
    status = json.loads(watched.vigil("status", "--json", rc=1))
    assert status["process"]["watches"] == "1 check, 1 channel" and "own.yml:4: " in status["why"], status
    node.ssh("rm /etc/vigil/watch.d/own.yml")
    assert changed(watched.apply(health_watcher_checks=[{"name": "root disk", "disk": {"path": "/"}}])) == 1  # a reload
    watched.vigil("status")
    # a file is that of the directory one is in, and no module lies there
    node.write("/tmp/own/yaml.py", "raise SystemExit('not this one')\n")
    node.ssh("cp /etc/vigil/vigil.yml /tmp/own/")
    assert "can be used" in node.ssh("cd /tmp/own && vigil check --only-config --config vigil.yml").stdout


def test_nothing_is_lost_while_the_receiver_is_down_and_everything_is_killed(watched, listen):
    """The receiver is gone, rooms and the whole watcher are killed again and again; when it is back each alarm arrives once."""
    node, receiver = watched.node, watched.receiver
    checks = [{"name": f"flag {number}", "file": {"path": f"/run/flag{number}"}, "every": "1s"} for number in range(3)]
    node.ssh("touch /run/flag0 /run/flag1 /run/flag2")
    watched.apply(health_watcher_checks=checks)
    receiver.close()
    for number in range(3):
        node.ssh(f"rm /run/flag{number}; sleep 2")
        node.ssh(
            "pkill -9 -f '[v]igil_watch.resident'; sleep 6" if number else "kill -9 $(pgrep -f '[v]igil_watch.resident' | tail -1); sleep 1"
        )
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


def test_what_runs_keeps_its_version_and_its_python_until_another_is_started(watched):
    """The program and its Python are replaced, but the play ends before the start: what runs goes on as it is, and the next play starts the new one."""
    watched.apply(roles=("watcher",))
    node = watched.node
    version = node.ssh("readlink /opt/vigil/current").stdout.strip()
    python = node.read(f"/opt/vigil/{version}/.python").strip()
    place = python.rpartition("/bin/")[0]
    node.ssh(
        f"cd /opt/vigil && mv {version} versions/0000000000000000 && ln -sfn versions/0000000000000000 current && mv {place} venvs/before"
        " && echo /opt/vigil/venvs/before/bin/python > current/.python && systemctl restart vigil-watch"
    )
    assert watched.play(roles=("watcher",), watcher_channels=["htp://x"]).rc == 2
    assert node.ssh("readlink /opt/vigil/current").stdout.strip() == version
    running = node.ssh("tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value vigil-watch)/environ").stdout
    assert "PYTHONPATH=/opt/vigil/versions/0000000000000000\n" in running
    assert changed(watched.apply(roles=("watcher",))) == 1
    status = json.loads(watched.vigil("status", "--json"))["process"]
    assert (status["program"], status["python"]) == (f"/opt/vigil/{version}", python)
    assert changed(watched.apply(roles=("watcher",))) == 0


def test_it_is_removed_whole_and_its_data_only_when_that_is_wished(watched):
    node, textfile = watched.node, {"watcher_textfile": "/var/lib/node_exporter/vigil.prom"}
    node.ssh("mkdir -p /var/lib/node_exporter")
    watched.apply(health_watcher_checks=[{"name": "root disk", "disk": {"path": "/"}}], **textfile)
    assert "vigil_up" in node.ssh("until cat /var/lib/node_exporter/vigil.prom 2> /dev/null; do sleep 0.5; done", timeout=40).stdout
    assert watched.play(watcher_state="absent", **textfile).rc == 0
    assert node.ssh("ls /var/lib/node_exporter").stdout == ""
    assert node.ssh("ls /opt/vigil /etc/vigil /usr/local/bin/vigil /etc/systemd/system/vigil-watch.service", check=False).stdout == ""
    assert node.ssh("pgrep -f vigil_watch", check=False).stdout == ""
    assert node.ssh("ls /var/lib/vigil").stdout.split() != []
    gone = watched.play("-e", "watcher_purge=true", watcher_state="absent")  # as people write it
    assert gone.rc == 0 and node.ssh("ls /var/lib/vigil", check=False).stdout == ""
    assert changed(watched.play(watcher_state="absent", watcher_purge=True)) == 0
