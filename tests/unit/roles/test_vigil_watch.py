# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resident process: its configuration, its schedule, and the process itself with what may befall it."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import pickle
import signal
import socket
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import read_checks
from vigil_watch.config import DNS, FILES, LOGS, ConfigError, load
from vigil_watch.health import is_near
from vigil_watch.schedule import Gate, Job, Schedule
from watching import Watcher, command, write

# --- configuration ---


def test_everything_that_can_be_watched_is_read(tmp_path):
    config = load(
        write(
            tmp_path,
            "name: web1\nlabels: {site: north}\nchannels: ['http://127.0.0.1:9/x']\n",
            a="checks:\n- {name: disk, disk: {path: /}, every: 5s, priority: P0}\n- {name: child, tcp: {port: 1}, depends_on: [other]}\n",
            b="checks: [{name: other, tcp: {port: 2}}]\nguards: [{service: nginx, interval: 3s}]\nfiles: [{name: etc, paths: [/etc], repository: /r}]\n",
            c="dns: [{name: ours, names: [a.example], nameservers: [127.0.0.1]}]\nlogs: [{name: shop, sources: [/var/log/x], rules: [kernel]}]\n",
        )
    )
    assert [check.name for check in config.checks] == ["disk", "child", "other"]
    assert config.checks[0].every == 5 and config.labels == {"site": "north"}
    assert (config.guards[0].guard.unit, config.guards[0].every) == ("nginx.service", 3)
    assert (config.files[0].quiet, config.dns[0].options["view"], config.logs[0].name) == (10, "ours", "shop")
    assert config.channels[0].scheme == "http"


@pytest.mark.parametrize("wanted", ["< 90", "between 1 and 2", "!= 3", "@1:2", "~ ^a+$", "in [1, 2]", "< baseline", "exists", "5"])
def test_what_was_read_is_handed_to_other_processes(tmp_path, wanted):
    text = f"checks: [{{name: disk, disk: {{path: /}}, expect: {{used_percent: '{wanted}'}}}}]\n"
    config = load(write(tmp_path, a=text))
    there = pickle.loads(pickle.dumps(config)).checks[0]  # noqa: S301 - its own
    assert [(path.text, matcher.text) for path, matcher in there.expect] == [
        (path.text, matcher.text) for path, matcher in config.checks[0].expect
    ]
    for value in (1, 5, 95):
        given = [check.expect[0][1].test(value) for check in (config.checks[0], there)]
        assert given[0] is given[1]


@pytest.mark.parametrize(
    ("main", "text", "line", "said"),
    [
        ("", "check: []\n", "a.yml:1", 'there is no key "check"; did you mean "checks"?'),
        ("", "checks:\n- name: a\n  disk: {path: /}\n- name: b\n  disc: {path: /}\n", "a.yml:4", 'did you mean "disk"?'),
        ("", "checks:\n- {name: a, tcp: {port: 1}, depends_on: [nobody]}\n", "a.yml", '"nobody", which is not there'),
        ("", "checks: yes\n", "a.yml:1", "a list is needed here, not a boolean"),
        ("", "checks:\n- name: a\n  disk: {path: /}\n  name: b\n", "a.yml:4", 'the key "name" stands twice'),
        ("", "checks: [\n", "a.yml:2", ""),
        ("", "guards:\n- {service: nginx, failurs: 3}\n", "a.yml:2", 'has no option "failurs"; did you mean "failures"?'),
        ("", "files:\n- {name: etc, paths: [/etc]}\n", "a.yml:2", "repository is missing"),
        ("", "files:\n- {name: etc, paths: [/etc], repository: /r, quit: 3s}\n", "a.yml:2", 'did you mean "quiet"?'),
        ("", "dns:\n- {name: ours}\n", "a.yml:2", "names"),
        ("", "dns:\n- {names: [a.example]}\n", "a.yml:2", "a watch of dns is a mapping with a name"),
        ("", "dns:\n- {name: x, names: [a.example], nameserver: [9.9.9.9]}\n", "a.yml:2", 'did you mean "nameservers"?'),
        ("", "dns:\n- {name: x, names: [a.example]}\n- {name: x, names: [b.example]}\n", "a.yml:3", 'the name "x" is taken by'),
        ("", "files:\n- {name: etc, paths: [/etc], repository: /r, retention: {dayly: 3}}\n", "a.yml:2", "dayly"),
        ("", "files:\n- {name: etc, paths: [etc], repository: /r}\n", "a.yml:2", "etc"),
        ("", "logs:\n- {name: x, sources: [/x], rules: [{name: r, regex: '('}]}\n", "a.yml:2", "regular expression"),
        ("metrics: {listen: everywhere}\n", "", "vigil.yml:2", "write 127.0.0.1:9469"),
        ("gate:\n  load_per_core: much\n", "", "vigil.yml:3", "load_per_core"),
        ("channels: ['htp://x']\n", "", "vigil.yml:2", 'the unknown scheme "htp"'),
        ("chanels: []\n", "", "vigil.yml:2", 'did you mean "channels"?'),
        ("alerts: {rotues: []}\n", "", "vigil.yml:2", 'alerts: vigil_alerts has no key "rotues"; did you mean "routes"?'),
        ("channels: ['http://127.0.0.1:9/x#ops']\nalerts: {routes: [{to: opps}]}\n", "", "vigil.yml:3", 'did you mean "ops"?'),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path, main, text, line, said):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, main, a=text))
    assert f"{line}" in str(caught.value) and said in str(caught.value) and "\n" not in str(caught.value), caught.value


def test_channels_in_a_file_for_everybody_are_refused_and_never_shown(tmp_path):
    secrets = tmp_path / "channels"
    secrets.write_text("https://hooks.example/T0KENVALUE123456\n")
    path = write(tmp_path, f"channels_file: {secrets}\n")
    secrets.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        load(path)
    assert "T0KEN" not in str(caught.value)
    secrets.chmod(0o600)
    assert len(load(path).channels) == 1
    secrets.write_text("htp://hooks.example/T0KENVALUE123456\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert "T0KEN" not in str(caught.value)


def test_a_candidate_is_read_in_the_place_of_a_file(tmp_path):
    path = write(tmp_path, a="checks: [{name: a, tcp: {port: 1}}]\n", b="checks: [{name: b, tcp: {port: 1}, depends_on: [a]}]\n")
    new = tmp_path / "new"
    new.write_text("checks: [{name: c, tcp: {port: 1}}]\n")
    assert [one.name for one in load(path, {"z.yml": str(new)}).checks] == ["a", "b", "c"]
    with pytest.raises(ConfigError, match='"a", which is not there'):
        load(path, {"a.yml": str(new)})


@pytest.mark.parametrize(
    ("module", "known", "given"),
    [
        ("dns_diff", DNS, {"view", "against", "expected", "reference", "zone", "zone_file", "tsig"}),
        ("log_scan", LOGS, {"view", "only_validate"}),
        ("backup", FILES, {"name", "engine", "restic"}),
    ],
)
def test_a_watch_takes_the_options_of_its_module(module, known, given):
    """Those that a watcher gives by itself, or has no use for, are named here."""
    spec = importlib.import_module(f"ansible_collections.vigil.ops.plugins.modules.{module}").ARGUMENT_SPEC
    assert set(spec) - given - {"state_url", "history_url", "acknowledge", "show", "batch"} == set(known)


# --- schedule ---


class Files:
    def __init__(self, load="0.1 0 0 1/1 1", pressure="some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"):
        self.texts = {"/proc/loadavg": load, "/proc/pressure/cpu": pressure}

    def __call__(self, path):
        if self.texts[path] is None:
            raise FileNotFoundError(path)
        return self.texts[path]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (Files(), ""),
        (Files(load=f"{100 * (os.cpu_count() or 1)} 0 0 1/1 1"), "the load is 100.0 a core, more than 4"),
        (Files(pressure="some avg10=75.50 avg60=1 avg300=1 total=1\n"), "the pressure on the CPUs is 76 %, more than 60 %"),
        (Files(pressure=None), ""),
        (Files(load="nonsense"), ""),
    ],
)
def test_the_gate_looks_at_load_and_pressure(files, why):
    assert Gate(4, 60, files).hot() == why


def test_behind_a_closed_gate_p2_waits_p1_is_stretched_and_p0_runs(tmp_path):
    config = load(write(tmp_path))
    hot = Gate(4, 60, Files(load="1000000 0 0 1/1 1"))
    jobs = [Job(name, 0.02, None, name) for name in ("P2", "P0", "P1")]
    schedule = Schedule(jobs, config, hot)
    time.sleep(0.05)
    due = schedule.due()
    assert [job.name for job in due] == ["P0", "P1"]
    for job in due:
        job.every = 100.0
    schedule.again(due)
    nexts = schedule.next_runs(10)
    assert 90 < nexts["P0"] < 110 and 280 < nexts["P1"] < 320
    assert "a core, more than 4" in schedule.held() and Schedule([Job("a", 1, None, "P0")], config, hot).held() == ""


def test_what_is_wrong_is_looked_at_sooner_and_what_never_changes_less_often():
    job = Job("a", 30, None, "P2", adapts=True)
    job.saw("critical", True)
    assert job.interval() == 15
    for _look in range(20):
        job.saw("ok", False)
    assert job.interval() == 60
    job.saw("ok", True)
    assert job.interval() == 30
    job.saw("ok", False, near=True)
    assert job.interval() == 15
    important = Job("b", 30, None, "P0", adapts=True)
    important.saw("critical", True)
    assert important.interval() == 30


@pytest.mark.parametrize(
    ("limit", "value", "near"),
    [("< 90", 85, True), ("< 90", 60, False), ("> 14", 15, True), ("> 14", 90, False), ("< baseline", 5, False), ("exists", 1, False)],
)
def test_a_number_close_to_its_limit_is_near(limit, value, near):
    check = read_checks([{"name": "disk", "disk": {"path": "/"}, "expect": {"used_percent": limit}}])[0]
    assert is_near(check, {"used_percent": value}) is near and is_near(check, {}) is False


# --- the process ---


@pytest.fixture
def start(tmp_path):
    made = []

    def begin(*args, **options):
        made.append(Watcher(tmp_path, *args, **options))
        return made[-1]

    yield begin
    for one in made:
        one.end()


def test_it_tells_systemd_reloads_and_ends_without_leaving_anybody(tmp_path, start):
    flag = tmp_path / "flag"
    main = f"labels: {{site: north}}\nchannels: ['file://{tmp_path}/told']\n"
    write(tmp_path, main, a=f"checks: [{{name: flag, file: {{path: {flag}}}, every: 1s}}]\n")
    watcher = start(watchdog="2000000")
    assert "watching 1 check, 1 channel" in watcher.hear("READY=1")[-1]
    watcher.hear("WATCHDOG=1")
    until = time.monotonic() + 60
    while not (tmp_path / "told").exists():
        assert time.monotonic() < until, watcher.log.read_text()
        time.sleep(0.05)
    event = json.loads((tmp_path / "told").read_text().splitlines()[0])
    assert (event["check"], event["status"], event["labels"]) == ("flag", "firing", {"site": "north"})
    # a bad configuration is not used, and said
    write(tmp_path, "channels: [1]\n")
    watcher.process.send_signal(signal.SIGHUP)
    assert "the new configuration is not used" in watcher.said("not used")["message"]
    shown = watcher.command("status")
    assert shown.returncode == 1 and "the new configuration is not used" in shown.stdout and "critical" in shown.stdout
    # a good one without the check ends its alert
    write(tmp_path, f"channels: ['file://{tmp_path}/told']\n", a="checks: [{name: other, file: {path: /}, every: 1s}]\n")
    watcher.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 60
    while len((tmp_path / "told").read_text().splitlines()) < 2:
        assert time.monotonic() < until, watcher.log.read_text()
        time.sleep(0.05)
    event = json.loads((tmp_path / "told").read_text().splitlines()[1])
    assert (event["check"], event["status"]) == ("flag", "resolved")
    status = json.loads(watcher.command("status", "--json").stdout)
    assert status["process"]["watches"] == "1 check, 1 channel" and status["healthy"] is True
    children = watcher.children()
    watcher.process.terminate()
    assert watcher.process.wait(20) == 0
    watcher.hear("STOPPING=1")
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_what_does_not_end_is_stopped_and_the_rest_goes_on(tmp_path, start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        write(
            tmp_path,
            "limits: {dns: 1s}\n",
            a=f"dns: [{{name: slow, names: [a.example], nameservers: ['127.0.0.1:{port}'], every: 1s, timeout: 60s}}]\n",
            b="checks: [{name: root, file: {path: /}, every: 1s}]\n",
        )
        watcher = start()
        assert "did not end within 1 s and was stopped" in watcher.said("was stopped")["message"]
        watcher.said("the room dns was ended by signal 9")
        until = time.monotonic() + 60
        while True:  # what hangs has a process of its own now, and the rest is not touched when it is stopped again
            status = json.loads(watcher.command("status", "--json").stdout)
            rooms = (status["process"] or {}).get("rooms", {})
            if rooms and rooms["dns"]["restarts"] >= 2 and status["results"]:
                break
            assert time.monotonic() < until, watcher.log.read_text()
            time.sleep(0.2)
    assert rooms["health"]["restarts"] == 1 and rooms["dns"]["pid"] != rooms["health"]["pid"]
    assert [one["status"] for one in status["results"]] == ["ok"]


def test_a_room_that_is_killed_begins_anew_and_tells_what_was_kept(tmp_path, start):
    write(tmp_path, f"channels: ['file://{tmp_path}/told']\n", a=f"checks: [{{name: flag, file: {{path: {tmp_path}/flag}}, every: 1s}}]\n")
    watcher = start()
    watcher.hear("READY=1")
    for _round in range(3):
        for pid in watcher.children():
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.7)
    until = time.monotonic() + 60
    while not (tmp_path / "told").exists():
        assert time.monotonic() < until, watcher.log.read_text()
        time.sleep(0.05)
    time.sleep(2)
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert len({event["event_id"] for event in told}) == 1 and told[0]["status"] == "firing"


def test_the_log_is_json_and_its_level_changes_by_signal(tmp_path, start):
    write(tmp_path, a="checks: [{name: root, file: {path: /}, every: 1s}]\n")
    watcher = start("--log-level", "warning")
    watcher.hear("READY=1")
    assert watcher.log.read_text() == ""
    for _level in range(2):
        watcher.process.send_signal(signal.SIGUSR1)
        time.sleep(0.5)
    entry = watcher.said("1 checks: ok")
    assert entry["level"] == "debug" and entry["room"] == "health" and len(entry["trace_id"]) == 32


def test_a_damaged_store_is_set_aside_and_the_watch_goes_on(tmp_path, start):
    write(tmp_path, a="checks: [{name: root, file: {path: /}, every: 1s}]\n")
    (tmp_path / "state.db").write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    watcher = start()
    watcher.hear("READY=1")
    time.sleep(2.5)
    assert "ok" in watcher.command("status").stdout
    assert list(tmp_path.glob("state.db.corrupt-*"))


def test_files_are_kept_and_put_back_from_the_command_line(tmp_path, start):
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("one\n")
    write(
        tmp_path,
        f"channels: ['file://{tmp_path}/told']\n",
        a=f"files: [{{name: my data, paths: [{data}], repository: {tmp_path}/repo, quiet: 300ms, every: 2s}}]\n",
    )
    watcher = start()
    watcher.said("my data: 2 added")
    (data / "file").write_text("two\n")
    watcher.said("1 modified", 20)
    listed = json.loads(watcher.command("backups", "--json").stdout)
    assert [one["modified"] for one in listed["snapshots"]] == [0, 1]
    shown = watcher.command("restore", "my data", "--snapshot", listed["snapshots"][0]["id"], "--dest", str(tmp_path / "back"))
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "back" / str(data).lstrip("/") / "file").read_text() == "one\n"
    unknown = watcher.command("restore", "no data")
    assert unknown.returncode == 1 and unknown.stderr == 'vigil: there is no file watch "no data"; there are: my data\n'


def test_a_hub_tells_when_a_heartbeat_is_missing_and_when_it_is_back(tmp_path, start):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = "a token of the hub"
    write(tmp_path, f"name: hub\nchannels: ['file://{tmp_path}/told']\nhub: {{listen: '127.0.0.1:{port}', token: {token}}}\n")
    hub = start()
    hub.hear("READY=1")

    def post(given, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/heartbeat", json.dumps(body).encode(), {"Authorization": f"Bearer {given}"})
        return connection.getresponse().status

    assert post("another token of 16", {"name": "web1"}) == 401
    assert [post(token, body) for body in ({}, {"name": "a\nb"}, {"name": "x", "every": 1e9}, [1], {"name": "x" * 5000})] == [
        400,
        400,
        400,
        400,
        413,
    ]
    node = tmp_path / "node"
    node.mkdir()
    write(node, f"name: web1\nheartbeat: {{url: 'http://127.0.0.1:{port}/heartbeat', token: {token}, every: 1s}}\n")
    watcher = Watcher(node)
    try:
        watcher.hear("READY=1")
        time.sleep(3)
        assert not (tmp_path / "told").exists()
        watcher.end()
        begin = time.monotonic()
        fired = hub.said("web1: no heartbeat for")
        assert time.monotonic() - begin < 10 and "expected every 1 s" in fired["message"]
        (node / "notify").unlink()
        watcher = Watcher(node)
        hub.said("web1: its heartbeats are there again")
    finally:
        watcher.end()
    until = time.monotonic() + 60
    while len((tmp_path / "told").read_text().splitlines()) < 2:
        assert time.monotonic() < until, hub.log.read_text()
        time.sleep(0.1)
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [(event["instance"], event["check"], event["status"]) for event in told[:2]] == [
        ("web1", "heartbeat", "firing"),
        ("web1", "heartbeat", "resolved"),
    ]


def test_alerts_are_muted_from_the_command_line(tmp_path, start):
    write(tmp_path, f"channels: ['file://{tmp_path}/told']\n", a=f"checks: [{{name: flag, file: {{path: {tmp_path}/flag}}, every: 1s}}]\n")
    made = command(tmp_path, "silence", "check=flag", "--for", "2h", "--comment", "we know", "--json")
    assert made.returncode == 0, made.stderr
    name = json.loads(made.stdout)[0]["id"]
    running = start()
    running.hear("READY=1")
    time.sleep(4)
    assert not (tmp_path / "told").exists() and "we know" in command(tmp_path, "silence").stdout
    assert command(tmp_path, "silence", "--end", name).returncode == 0
    assert command(tmp_path, "silence").stdout == "nothing is muted\n"
    wrong = command(tmp_path, "silence", "flag")
    assert wrong.returncode == 1 and "write for example check='root disk'" in wrong.stderr
    until = time.monotonic() + 60
    while not (tmp_path / "told").exists():
        assert time.monotonic() < until, running.log.read_text()
        time.sleep(0.1)
