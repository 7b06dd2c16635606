# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook and the module inspect, run by ansible-playbook against real local hosts and real servers."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import sqlite3
import threading
import types
from pathlib import Path

import pytest


class Site(http.server.BaseHTTPRequestHandler):
    """/ok answers well; every POST is kept in the server's list."""

    def do_GET(self):
        body = json.dumps({"status": "up", "items": [{"n": 1}]}).encode()
        self.send_response(200 if self.path.startswith("/ok") else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(name="site")
def fixture_site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.posts, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path):
    def write(hosts, checks=None, extra=""):
        lines = [f"{host} ansible_connection=local ansible_python_interpreter='{{{{ ansible_playbook_python }}}}'" for host in hosts]
        folder = tmp_path / "inventory"
        folder.mkdir(exist_ok=True)
        (folder / "hosts.ini").write_text("[all]\n" + "\n".join(lines) + "\n" + extra)
        (folder / "group_vars").mkdir(exist_ok=True)
        (folder / "group_vars" / "all.json").write_text(json.dumps({} if checks is None else {"vigil_checks": checks}))
        return folder / "hosts.ini"

    return write


@pytest.fixture(name="inspect")
def fixture_inspect(run_playbook, tmp_path):
    def run(inventory, *args, env=None):
        report = tmp_path / "report"
        found = run_playbook("vigil.ops.inspect", "-e", f"vigil_report_dir={report}", *args, env=env, inventory=inventory)
        place = report / "inspection.json"
        written = json.loads(place.read_text()) if place.exists() else None
        return types.SimpleNamespace(rc=found.rc, stdout=found.stdout, stderr=found.stderr, report=written)

    return run


def results_of(report, host):
    (found,) = [entry for entry in report["hosts"] if entry["name"] == host]
    return {result["name"]: result for result in found["results"]}


def task(tmp_path, options, name="vigil.ops.inspect", **keywords):
    play = [{"hosts": "all", "gather_facts": False, "tasks": [dict({"name": "Look", name: options, "register": "seen"}, **keywords)]}]
    play[0]["tasks"].append(
        {"name": "Show", "ansible.builtin.copy": {"dest": str(tmp_path / "seen.json"), "content": "{{ seen | to_json }}"}}
    )
    place = tmp_path / "play.json"
    place.write_text(json.dumps(play))
    return place


def seen(tmp_path):
    return json.loads((tmp_path / "seen.json").read_text())


def test_default_checks_of_a_host_without_variables(inspect, inventory):
    found = inspect(inventory(["here"]))
    assert found.rc == 0, found.stdout + found.stderr
    last = found.stdout.rstrip().splitlines()[-1]
    assert re.fullmatch(r"Report: /.*/inspection\.html", last)
    assert Path(last.split(": ", 1)[1]).exists()
    results = results_of(found.report, "here")
    assert {"cpu", "memory", "load", "swap", "disk /", "inodes /", "clock", "reboot"} <= set(results)
    assert [name for name, result in results.items() if result["status"] == "unknown"] == []


def test_groups_add_their_checks_and_a_failing_parent_explains_its_children(inspect, inventory, site, tmp_path):
    port = site.server_address[1]
    place = inventory(
        ["a", "b"], [{"name": "front", "http": {"url": f"http://127.0.0.1:{port}/ok"}, "expect": {"status": 200, "json.status": "up"}}]
    )
    (place.parent / "host_vars").mkdir()
    dead = closed_port()
    mine = [
        {"name": "app", "http": {"url": f"http://127.0.0.1:{dead}/"}, "depends_on": ["db"]},
        {"name": "db", "tcp": {"host": "127.0.0.1", "port": dead}},
    ]
    (place.parent / "host_vars" / "b.json").write_text(json.dumps({"vigil_checks_db": mine, "vigil_checks_more": [mine[1]]}))
    found = inspect(place)
    assert found.rc == 0, found.stdout + found.stderr
    assert list(results_of(found.report, "a")) == ["front"]
    results = results_of(found.report, "b")
    assert results["front"]["status"] == "ok"
    assert (results["db"]["status"], results["db"]["reason"]) == ("critical", "refused")
    assert (results["app"]["status"], results["app"]["caused_by"]) == ("skipped", "db")
    assert [entry["name"] for entry in found.report["hosts"]] == ["b", "a"]


def test_a_host_that_cannot_be_reached_is_in_the_report_and_counts_as_critical(inspect, inventory):
    extra = f"away ansible_connection=ssh ansible_host=127.0.0.1 ansible_port={closed_port()}\n"
    found = inspect(inventory(["here"], [{"name": "cpu", "cpu": {}, "expect": {}}], extra))
    assert found.rc == 0, found.stdout + found.stderr
    assert [(entry["name"], entry["status"]) for entry in found.report["hosts"]] == [("away", "unreachable"), ("here", "ok")]
    assert "Report: " in found.stdout.rstrip().splitlines()[-1]
    failed = inspect(inventory(["here"], [{"name": "cpu", "cpu": {}, "expect": {}}], extra), "-e", "vigil_fail_on=critical")
    assert failed.rc == 2
    assert "Report: " in failed.stdout.rstrip().splitlines()[-1]


def test_limit_serial_and_tags(inspect, inventory):
    place = inventory(["a", "b", "c"], [{"name": "cpu", "cpu": {}, "expect": {}}])
    assert sorted(entry["name"] for entry in inspect(place, "-e", "vigil_serial=1").report["hosts"]) == ["a", "b", "c"]
    shares = json.dumps({"vigil_serial": [1, "50%"]})
    assert sorted(entry["name"] for entry in inspect(place, "-e", shares).report["hosts"]) == ["a", "b", "c"]
    assert sorted(entry["name"] for entry in inspect(place, "--limit", "b,c").report["hosts"]) == ["b", "c"]
    assert inspect(place, "--tags", "inspect").rc == 0


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("warning", 2), ("critical", 0)])
def test_exit_codes(inspect, inventory, fail_on, code):
    place = inventory(["here"], [{"name": "cpu", "cpu": {}, "expect": {}, "warn": {"used_percent": "< -1"}}])
    found = inspect(place, "-e", f"vigil_fail_on={fail_on}")
    assert found.rc == code, found.stdout
    assert found.report["hosts"][0]["status"] == "warning"


def test_check_mode_looks_and_writes_nothing(inspect, inventory, site, tmp_path):
    checks = [{"name": "cpu", "cpu": {}, "expect": {}}, {"name": "run", "command": {"argv": ["touch", str(tmp_path / "ran")]}}]
    url = f"http://127.0.0.1:{site.server_address[1]}/hook"
    found = inspect(
        inventory(["here"], checks),
        "--check",
        "-e",
        json.dumps({"vigil_channels": [url]}),
        env={"VIGIL_STATE_URL": f"sqlite:///{tmp_path}/no.db"},
    )
    assert found.rc == 0, found.stdout + found.stderr
    assert found.report is None
    assert not (tmp_path / "report").exists() and not (tmp_path / "ran").exists() and not (tmp_path / "no.db").exists()
    assert site.posts == []


def test_since_and_was_come_from_the_history(inspect, inventory, site):
    check = {"name": "front", "http": {"url": f"http://127.0.0.1:{site.server_address[1]}/ok"}}
    first = results_of(inspect(inventory(["here"], [check])).report, "here")["front"]
    assert (first["status"], first["was"]) == ("ok", None)
    check["http"] = {"url": f"http://127.0.0.1:{site.server_address[1]}/bad"}
    second = results_of(inspect(inventory(["here"], [check])).report, "here")["front"]
    third = results_of(inspect(inventory(["here"], [check])).report, "here")["front"]
    assert (second["status"], second["was"], third["was"]) == ("critical", "ok", "critical")
    assert second["since"] == third["since"] > first["since"]


def test_channels_are_told_once_and_told_when_it_is_well_again(inspect, inventory, site):
    base = f"http://127.0.0.1:{site.server_address[1]}"
    told = ("-e", json.dumps({"vigil_channels": [base + "/hook"]}))
    bad = inventory(["here"], [{"name": "front", "http": {"url": base + "/bad"}, "severity": "critical", "labels": {"team": "x"}}])
    assert inspect(bad, *told).rc == 0
    assert inspect(bad, *told).rc == 0
    (event,) = site.posts
    assert (event["status"], event["severity"], event["instance"], event["check"]) == ("firing", "critical", "here", "front")
    assert event["labels"] == {"team": "x"} and event["message"] == "status is 503, expected < 400"
    good = inventory(["here"], [{"name": "front", "http": {"url": base + "/ok"}, "severity": "critical", "labels": {"team": "x"}}])
    assert inspect(good, *told).rc == 0
    assert [post["status"] for post in site.posts] == ["firing", "resolved"]
    assert site.posts[1]["alert_id"] == event["alert_id"] and site.posts[1]["ends_at"]


def test_what_could_not_be_sent_goes_with_the_next_run(inspect, inventory, site):
    base = f"http://127.0.0.1:{site.server_address[1]}"
    told = ("-e", json.dumps({"vigil_channels": [{"name": "room", "url": base + "/hook"}]}))
    site.answer = 503
    place = inventory(["here"], [{"name": "front", "http": {"url": base + "/bad"}}])
    assert inspect(place, *told).rc == 0
    refused = len(site.posts)
    assert refused >= 1
    site.answer = 200
    assert inspect(place, *told, "-e", "vigil_deadline=20").rc == 0
    assert len(site.posts) > refused


@pytest.mark.parametrize(
    ("checks", "sentence"),
    [
        ([{"name": "a", "htpp": {}}], 'check "a": "htpp" is neither a probe nor a key of a check; did you mean "http"?'),
        ([{"name": "a", "cpu": {}, "depends_on": ["b"]}, {"name": "b", "cpu": {}, "depends_on": ["a"]}], "depends_on goes in a circle"),
        ([{"name": "a", "cpu": {}, "expect": {"used_percent": "=< 5"}}], "is not a matcher"),
        ([{"name": "a", "tcp": {"host": "h", "port": 1, "timeout": "soon"}}], "is not a duration"),
    ],
)
def test_bad_checks_are_refused_before_the_host_is_touched(inspect, inventory, checks, sentence):
    extra = f"away ansible_connection=ssh ansible_host=127.0.0.1 ansible_port={closed_port()}\n"
    found = inspect(inventory([], checks, extra))
    assert found.rc == 2
    assert sentence in re.sub(r"\\", "", found.stdout + found.stderr)
    assert "UNREACHABLE" not in found.stdout
    assert found.report is None


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"vigil_report_dir": "/proc/nowhere/report"}, "/proc/nowhere"),
        ({"vigil_report_formats": ["htlm"]}, "html"),
        ({"vigil_channels": ["wecm://KEY-THAT-IS-SECRET"]}, "wecom"),
        ({"vigil_state_url": "sqlite:////proc/nowhere/state.db"}, "/proc/nowhere"),
        ({"vigil_serial": "abc"}, "vigil_serial is 'abc'; it must be a number of hosts"),
        ({"vigil_serial": [1, "half"]}, "or a list of these"),
    ],
)
def test_what_cannot_be_written_or_told_is_refused_before_any_work(inspect, inventory, variables, sentence):
    extra = f"away ansible_connection=ssh ansible_host=127.0.0.1 ansible_port={closed_port()}\n"
    found = inspect(inventory([], [{"name": "cpu", "cpu": {}}], extra), "-e", json.dumps(variables))
    assert found.rc == 2, found.stdout
    assert sentence in found.stdout + found.stderr
    assert "KEY-THAT-IS-SECRET" not in found.stdout + found.stderr
    assert "UNREACHABLE" not in found.stdout


def test_an_unreadable_state_file_is_refused(inspect, inventory, tmp_path):
    (tmp_path / "dir.db").mkdir()
    found = inspect(inventory(["here"]), "-e", f"vigil_state_url=sqlite:///{tmp_path}/dir.db")
    assert found.rc == 2
    assert "dir.db" in found.stdout + found.stderr


def test_a_damaged_state_file_is_set_aside_and_said(inspect, inventory, tmp_path):
    place = tmp_path / "bad.db"
    place.write_bytes(b"this is no database" * 1000)
    found = inspect(inventory(["here"], [{"name": "cpu", "cpu": {}, "expect": {}}]), "-e", f"vigil_state_url=sqlite:///{place}")
    assert found.rc == 0, found.stdout + found.stderr
    (aside,) = [name for name in os.listdir(tmp_path) if name.startswith("bad.db.corrupt-") and not name.endswith(("-wal", "-shm"))]
    assert (tmp_path / aside).read_bytes() == b"this is no database" * 1000
    assert "set aside" in " ".join((found.stdout + found.stderr).split())


def test_the_module_alone_keeps_state_on_the_host_only_when_asked(run_playbook, inventory, tmp_path):
    store = tmp_path / "node.db"
    options = {"checks": [{"name": "cpu", "cpu": {}, "expect": {}}]}
    assert run_playbook(task(tmp_path, options), inventory=inventory(["here"])).rc == 0
    assert not store.exists()
    options["state_url"] = f"sqlite:///{store}"
    assert run_playbook(task(tmp_path, options), inventory=inventory(["here"])).rc == 0
    with sqlite3.connect(store) as db:
        assert db.execute("select count(*) from sqlite_master").fetchone()[0] > 0
    assert store.stat().st_mode & 0o777 == 0o600
    assert seen(tmp_path)["changed"] is False
    assert seen(tmp_path)["results"][0]["since"]


def test_fail_on_fails_the_task_and_keeps_the_results(run_playbook, inventory, tmp_path):
    options = {"checks": [{"name": "cpu", "cpu": {}, "expect": {"used_percent": "< -1"}}], "fail_on": "critical"}
    found = run_playbook(task(tmp_path, options, ignore_errors=True), inventory=inventory(["here"]))
    assert found.rc == 0, found.stdout
    assert seen(tmp_path)["failed"] is True
    assert seen(tmp_path)["msg"].startswith("cpu is critical: used_percent is ")
    assert seen(tmp_path)["results"][0]["status"] == "critical"


def test_secrets_of_checks_do_not_come_out(run_playbook, inventory, site, tmp_path):
    port = site.server_address[1]
    options = {
        "checks": [
            {"name": "a", "http": {"url": f"http://joe:PASSW0RD-X@127.0.0.1:{port}/bad", "headers": {"Authorization": "Bearer T0KEN-Y"}}},
            {"name": "b", "http": {"url": f"http://127.0.0.1:{closed_port()}/x?token=T0KEN-Z"}},
        ]
    }
    found = run_playbook(task(tmp_path, options), "-vvvv", inventory=inventory(["here"]), env={"ANSIBLE_DEBUG": "1"})
    assert found.rc == 0
    shown = found.stdout + found.stderr + json.dumps(seen(tmp_path))
    for secret in ("PASSW0RD-X", "T0KEN-Y", "T0KEN-Z"):
        assert secret not in shown


def test_dates_and_other_things_that_yaml_knows_are_text(run_playbook, inventory, tmp_path):
    check = "{name: a, load: {}, expect: {}, labels: {since: 2026-01-31}, annotations: {at: 2026-01-31T05:06:07Z, raw: !!binary aGVsbG8=}}"
    play = [{"hosts": "all", "gather_facts": False, "tasks": []}]
    text = json.dumps(play)[:-3] + "{vigil.ops.inspect: {checks: [" + check + "]}, register: seen}, "
    text += json.dumps({"ansible.builtin.copy": {"dest": str(tmp_path / "seen.json"), "content": "{{ seen | to_json }}"}}) + "]}]"
    (tmp_path / "play.yml").write_text(text)
    found = run_playbook(tmp_path / "play.yml", inventory=inventory(["here"]))
    assert found.rc == 0, found.stdout
    (result,) = seen(tmp_path)["results"]
    assert result["labels"] == {"since": "2026-01-31"}
    assert (result["annotations"]["at"][:19], result["annotations"]["raw"]) == ("2026-01-31T05:06:07", "hello")


def test_checks_from_a_file(run_playbook, inventory, tmp_path):
    (tmp_path / "more.yml").write_text("vigil_checks:\n  - name: load\n    load: {}\n    expect: {}\n")
    found = run_playbook(task(tmp_path, {"checks_from": "more.yml"}), inventory=inventory(["here"]))
    assert found.rc == 0, found.stdout
    assert [result["name"] for result in seen(tmp_path)["results"]] == ["load"]
    found = run_playbook(task(tmp_path, {"checks_from": "none.yml"}), inventory=inventory(["here"]))
    assert found.rc == 2
    assert "none.yml" in found.stdout


def test_a_baseline_is_learned_from_the_history(run_playbook, inventory, tmp_path):
    history = f"sqlite:///{tmp_path}/history.db"
    options = {
        "checks": [{"name": "file", "file": {"path": str(tmp_path / "grows")}, "expect": {"size": "< baseline"}}],
        "history_url": history,
    }
    (tmp_path / "grows").write_text("x" * 1000)
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Learn", "vigil.ops.inspect": options, "loop": list(range(13))}]}]
    (tmp_path / "learn.json").write_text(json.dumps(plays))
    assert run_playbook(tmp_path / "learn.json", inventory=inventory(["here"])).rc == 0
    (tmp_path / "grows").write_text("x" * 5000)
    assert run_playbook(task(tmp_path, options), inventory=inventory(["here"])).rc == 0
    (result,) = seen(tmp_path)["results"]
    assert result["status"] == "critical"
    assert re.fullmatch(r"size is 5000, expected < baseline \([0-9.e+]+; usually 1000 ± 10 in 13 values\)", result["summary"])


def test_commands_are_bounded(run_playbook, inventory, tmp_path):
    script = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    checks = [
        {"name": "sleeps", "command": {"argv": ["sleep", "60"], "timeout": "1s"}},
        {"name": "floods", "command": {"argv": ["/usr/bin/env", "python3", "-c", script], "timeout": "20s"}},
        {"name": "missing", "command": {"argv": ["/no/such/program"]}},
        {"name": "plain", "command": {"argv": ["printf", "%s", "$HOME ~ *"]}, "expect": {"rc": 0, "stdout": "$HOME ~ *"}},
        {"name": "json", "command": {"argv": ["printf", '{"a": [1, 2]}']}, "expect": {"json.a[1]": 2, "length(json.a)": 2}},
        {"name": "stderr", "command": {"argv": ["sh", "-c", "echo oops >&2; exit 3"]}, "expect": {"rc": 3, "stderr": "contains oops"}},
    ]
    found = run_playbook(task(tmp_path, {"checks": checks}), inventory=inventory(["here"]))
    assert found.rc == 0, found.stdout
    results = {result["name"]: result for result in seen(tmp_path)["results"]}
    assert {name: results[name]["status"] for name in ("plain", "json", "stderr")} == {"plain": "ok", "json": "ok", "stderr": "ok"}
    assert (results["sleeps"]["status"], results["sleeps"]["reason"]) == ("critical", "timeout")
    assert (results["floods"]["status"], results["floods"]["reason"]) == ("critical", "output")
    assert results["missing"]["status"] in ("critical", "unknown") and "/no/such/program" in results["missing"]["summary"]
    assert len(json.dumps(seen(tmp_path))) < 200000


def test_a_state_url_that_cannot_be_a_store_is_refused(run_playbook, inventory, tmp_path):
    options = {"checks": [{"name": "cpu", "cpu": {}, "expect": {}}], "state_url": "sqlite:////dev/full"}
    found = run_playbook(task(tmp_path, options), inventory=inventory(["here"]))
    assert found.rc == 2
    assert "/dev/full" in found.stdout


def test_vaulted_values_are_read_and_stay_secret(run_playbook, ansible_env, inventory, site, tmp_path):
    (tmp_path / "vault.txt").write_text("vault-pass\n")
    url = f"http://127.0.0.1:{site.server_address[1]}/ok?token=VAULTED-T0KEN"
    made = ansible_env.run("ansible-vault", "encrypt_string", "--vault-password-file", str(tmp_path / "vault.txt"), "--name", "url", url)
    assert made.rc == 0, made.output
    value = made.stdout.split("url: ", 1)[1].replace("\n          ", "\n                  ")
    (tmp_path / "vaulted.yml").write_text(f"vigil_checks:\n  - name: vaulted\n    http:\n      url: {value}")
    play = task(tmp_path, {"checks": "{{ vigil_checks }}"})
    found = run_playbook(
        play, "-vvvv", "-e", f"@{tmp_path}/vaulted.yml", "--vault-password-file", str(tmp_path / "vault.txt"), inventory=inventory(["here"])
    )
    assert found.rc == 0, found.output
    assert seen(tmp_path)["results"][0]["status"] == "ok"
    assert "VAULTED-T0KEN" not in found.output + json.dumps(seen(tmp_path))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"vigil_checks_db": [{"name": "a", "tpc": {}}]}, 'vigil_checks_db: check "a": "tpc" is neither a probe'),
        ({"vigil_checks_enabled": True}, "vigil_checks_enabled must be a list of checks"),
        ({"vigil_checks": {"name": "a"}}, "vigil_checks must be a list of checks"),
        ({"vigil_checks_db": "{{ nowhere }}"}, "vigil_checks_db cannot be read"),
        ({"vigil_checks_db": "[{"}, "vigil_checks_db is text that is not YAML"),
        ({"vigil_fail_on": "crit"}, "vigil_fail_on is 'crit'; known are never, warning, critical"),
        ({"vigil_timeout": "5 parsecs"}, "timeout: '5 parsecs' is not a duration"),
    ],
)
def test_wrong_variables_are_named_before_any_host_is_touched(inspect, inventory, variables, sentence):
    extra = f"away ansible_connection=ssh ansible_host=127.0.0.1 ansible_port={closed_port()}\n"
    found = inspect(inventory(["here"], None, extra), "-e", json.dumps(variables))
    assert found.rc == 2, found.stdout
    assert sentence in re.sub(r"\\", "", found.stdout + found.stderr)
    assert "UNREACHABLE" not in found.stdout and "Run the checks" not in found.stdout
    assert found.report is None


def test_one_bad_list_stops_the_run_before_the_other_hosts_are_looked_at(inspect, inventory):
    place = inventory(["good", "bad"], [{"name": "cpu", "cpu": {}, "expect": {}}])
    (place.parent / "host_vars").mkdir()
    (place.parent / "host_vars" / "bad.json").write_text(json.dumps({"vigil_checks_own": [{"name": "b", "tpc": {}}]}))
    found = inspect(place)
    assert found.rc == 2 and found.report is None
    assert re.search(r"fatal: \[bad\].*vigil_checks_own: check", found.stdout)
    assert "Run the checks" not in found.stdout


@pytest.mark.parametrize(
    "empty", [{"vigil_checks_q": ""}, {"vigil_checks_q": None}, {"vigil_checks_q": []}, {"vigil_checks": ""}, {"vigil_checks": None}]
)
def test_empty_variables_contribute_nothing(inspect, inventory, empty):
    found = inspect(inventory(["here"]), "-e", json.dumps(empty))
    assert found.rc == 0, found.stdout
    assert len(found.report["hosts"][0]["results"]) == 9


def test_checks_as_text_of_the_command_line(inspect, inventory):
    found = inspect(inventory(["here"]), "-e", 'vigil_checks=[{"name":"cpu","cpu":{},"expect":{}}]', "-e", '{"vigil_checks_more": []}')
    assert found.rc == 0, found.stdout
    assert list(results_of(found.report, "here")) == ["cpu"]
    found = inspect(inventory(["here"]), "-e", '{"vigil_checks": []}')
    assert found.report["hosts"][0]["results"] == []


def test_the_report_alone_does_not_overwrite_one_with_nothing(inspect, inventory):
    place = inventory(["here"], [{"name": "cpu", "cpu": {}, "expect": {}}])
    first = inspect(place)
    again = inspect(place, "--tags", "report")
    assert again.rc == 0, again.stdout
    assert again.report == first.report


def test_check_mode_ends_with_the_path_too(inspect, inventory):
    found = inspect(inventory(["here"], [{"name": "cpu", "cpu": {}, "expect": {}}]), "--check")
    assert re.fullmatch(r"Report: /.*/inspection\.html", found.stdout.rstrip().splitlines()[-1])


def test_a_mistyped_option_names_the_nearest(run_playbook, inventory, tmp_path):
    found = run_playbook(task(tmp_path, {"check": []}), inventory=inventory(["here"]))
    assert found.rc == 2
    assert 'There is no option "check"; did you mean "checks"?' in re.sub(r"\\", "", found.stdout)


def test_the_host_gets_a_payload_without_ansible_module(run_playbook, tmp_path):
    kept = tmp_path / "kept"
    env = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0", "ANSIBLE_REMOTE_TMP": str(kept)}
    task = {"vigil.ops.inspect": {"checks": [{"name": "load", "load": {}, "expect": {"per_core1": ">= 0"}}]}}
    done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], env=env)
    assert done.rc == 0, done.output
    (sent,) = kept.rglob("AnsiballZ_inspect.py")
    text = sent.read_text()
    assert "vigil.ops needs Python 3.8" in text
    assert len(text) < 150_000


def test_an_alert_ends_when_its_check_is_gone(inspect, inventory, site):
    told = ("-e", json.dumps({"vigil_channels": [f"http://127.0.0.1:{site.server_address[1]}/hook"]}))
    first, second = ({"name": name, "file": {"path": f"/none/{name}"}} for name in ("first", "second"))

    def run(checks, *args):
        before = len(site.posts)
        assert inspect(inventory(["here", "there"], checks), *told, *args).rc == 0
        return sorted((post["status"], post["instance"], post["check"]) for post in site.posts[before:])

    every = [("firing", host, name) for host in ("here", "there") for name in ("first", "second")]
    assert run([first, second]) == every
    assert run([first], "--tags", "inspect,report") == []  # nobody is told
    assert run([first], "-e", "x=1") == []  # another command line may have other checks
    assert run([first], "--limit", "here", "--check") == []
    assert run([first], "--limit", "here") == [("resolved", "here", "second")]
    assert site.posts[-1]["message"] == "the check is gone from the checks of this host"
    assert run([first]) == [("resolved", "there", "second")]
    assert run([first, second]) == [("firing", "here", "second"), ("firing", "there", "second")]


def test_two_lists_in_one_run_do_not_end_each_others_alerts(run_playbook, inventory, site, tmp_path):
    place = tmp_path / "site.yml"
    lists = [[{"name": name, "file": {"path": f"/none/{name}"}}] for name in ("first", "second")]
    imports = [
        {"name": "Look", "ansible.builtin.import_playbook": "vigil.ops.inspect", "vars": {"vigil_checks": checks}} for checks in lists
    ]
    place.write_text(json.dumps(imports), encoding="utf-8")
    extra = {"vigil_channels": [f"http://127.0.0.1:{site.server_address[1]}/hook"], "vigil_report_dir": str(tmp_path / "report")}
    for _time in range(3):
        assert run_playbook(place, "-e", json.dumps(extra), inventory=inventory(["here"])).rc == 0
    assert [(post["status"], post["check"]) for post in site.posts] == [("firing", "first"), ("firing", "second")]


def test_only_what_stands_is_told(inspect, inventory, site, tmp_path):
    """confirm: 2 and resolve_after: 2 over six runs; the report says what was seen, the channel gets what stands."""
    flag = tmp_path / "flag"
    place = inventory(["here"], [{"name": "flag", "file": {"path": str(flag)}, "confirm": 2, "resolve_after": 2, "severity": "critical"}])
    told = ("-e", json.dumps({"vigil_channels": [f"http://127.0.0.1:{site.server_address[1]}/hook"]}))
    statuses, summaries, posts = [], [], []
    for there in (True, False, False, True, True):
        if there:
            flag.touch()
        elif flag.exists():
            flag.unlink()
        found = inspect(place, *told)
        result = results_of(found.report, "here")["flag"]
        statuses.append((result["status"], result["confirmed"]["status"], found.report["hosts"][0]["score"]))
        summaries.append(result["summary"].partition(" (")[2])
        posts.append([(post["status"], post["severity"]) for post in site.posts])
        site.posts.clear()
    assert statuses == [("ok", "ok", 100), ("critical", "ok", 0), ("critical", "critical", 0), ("ok", "critical", 100), ("ok", "ok", 100)]
    assert summaries == ["", "observed 1 of 2 times)", "", "observed 1 of 2 times; critical until then)", ""]
    assert posts == [[], [], [("firing", "critical")], [], [("resolved", "critical")]]


def test_children_on_other_hosts_go_down_with_their_parent_in_one_notice(inspect, inventory, site, tmp_path):
    hosts = ["db1", "web1", "web2", "web3"]
    place = inventory(hosts, [])
    (place.parent / "host_vars").mkdir()
    page = {"name": "page", "file": {"path": str(tmp_path / "flag")}, "depends_on": ["db1:postgres"], "severity": "critical"}
    postgres = {"name": "postgres", "file": {"path": str(tmp_path / "flag")}}
    for host in hosts:
        (place.parent / "host_vars" / f"{host}.json").write_text(json.dumps({"vigil_checks": [postgres if host == "db1" else page]}))
    told = ("-e", json.dumps({"vigil_channels": [f"http://127.0.0.1:{site.server_address[1]}/hook"]}))
    found = inspect(place, *told)
    assert found.rc == 0, found.stdout + found.stderr
    assert [(post["status"], post["instance"], post["check"]) for post in site.posts] == [("firing", "db1", "postgres")]
    results = [results_of(found.report, host)["page"] for host in hosts[1:]]
    assert {(result["status"], result["caused_by"]) for result in results} == {("skipped", "db1:postgres")}
    (cause,) = found.report["hosts"][0]["root_causes"]
    assert sorted(cause["affects"]) == ["web1:page", "web2:page", "web3:page"] and cause["probability"] > 0.9
    (tmp_path / "flag").touch()
    assert inspect(place, *told).report["status"] == "ok"
    assert [(post["status"], post["instance"]) for post in site.posts[1:]] == [("resolved", "db1")]
    (place.parent / "host_vars" / "web2.json").write_text(json.dumps({"vigil_checks": [dict(page, depends_on=["bd1:postgres"])]}))
    found = inspect(place, *told)
    assert found.rc != 0 and "begins with a host of the inventory; did you mean" in found.stdout and "db1:postgres" in found.stdout


def test_a_parent_that_is_told_in_a_whisper_is_heard_when_its_children_would_be(inspect, inventory, site, tmp_path):
    checks = [
        {"name": "link", "file": {"path": str(tmp_path / "a")}, "severity": "info"},
        {"name": "page", "file": {"path": str(tmp_path / "b")}, "severity": "critical", "depends_on": ["link"]},
        {"name": "grows", "file": {"path": "/etc/passwd"}, "expect": {"size": "< baseline"}},
        {"name": "job", "file": {"path": str(tmp_path / "c")}, "severity": "critical", "depends_on": ["grows"]},
    ]
    channel = {"name": "pager", "url": f"http://127.0.0.1:{site.server_address[1]}/hook", "min_severity": "critical"}
    told = ("-e", json.dumps({"vigil_channels": [channel]}))
    place = inventory(["here"], checks)
    inspect(place, *told)
    assert sorted((post["status"], post["severity"], post["check"]) for post in site.posts) == [
        ("firing", "critical", "job"),
        ("firing", "critical", "link"),
    ]
    for name in "abc":
        (tmp_path / name).touch()
    inspect(place, *told)
    assert sorted((post["status"], post["check"]) for post in site.posts[2:]) == [("resolved", "job"), ("resolved", "link")]


def test_a_goss_file_with_includes_is_read_and_what_is_left_out_is_said(run_playbook, inventory, tmp_path):
    (tmp_path / "goss.d").mkdir()
    (tmp_path / "flag").write_text("hello\n")
    (tmp_path / "goss.yaml").write_text(
        f"file: {{{tmp_path}/flag: {{exists: true, md5: abc, contents: [hello]}}}}\ngossfile: {{goss.d/*.yaml: {{}}, goss.yaml: {{}}}}\n"
    )
    (tmp_path / "goss.d" / "a.yaml").write_text("port: {tcp:1: {listening: false}}\n")
    options = {"checks": [{"name": "own", "load": {}}], "checks_from": [str(tmp_path / "goss.yaml")]}
    done = run_playbook(task(tmp_path, options), inventory=inventory(["here"]))
    assert done.rc == 0, done.stdout + done.stderr
    found = seen(tmp_path)
    names = [(result["name"], result["status"]) for result in found["results"]]
    assert names[1:] == [(f"file {tmp_path}/flag", "ok"), ("port tcp:1", "ok")]
    assert found["left_out"] == [f"{tmp_path}/goss.yaml: file {tmp_path}/flag: md5"]
    assert "Not taken over from goss" in done.stdout + done.stderr
    (tmp_path / "goss.yaml").write_text('file:\n{{range mkSlice "/etc/passwd"}}\n  {{.}}: {exists: true}\n{{end}}\n')
    done = run_playbook(task(tmp_path, options), inventory=inventory(["here"]))
    assert done.rc != 0 and "goss render" in done.stdout
    done = run_playbook(task(tmp_path, dict(options, checks_from="profile:linx")), inventory=inventory(["here"]))
    assert done.rc != 0 and "there is no profile" in done.stdout


def test_profiles_replace_the_default_set_and_add_to_the_lists_of_groups(inspect, inventory, tmp_path):
    place = inventory(["here"], extra="[here_too]\nhere\n[here_too:vars]\nvigil_checks_own=[{name: own, load: {}, expect: {}}]\n")
    (place.parent / "group_vars" / "all.json").write_text(json.dumps({"vigil_checks_from": ["profile:linux"]}))
    found = inspect(place)
    assert found.rc == 0, found.stdout + found.stderr
    names = set(results_of(found.report, "here"))
    assert {"own", "disk /", "network errors", "failed units"} <= names and "clock" in names and len(names) > 10
    found = inspect(place, "-e", "vigil_checks_from=[profile:linux,profile:three_tier]")
    assert len(set(results_of(found.report, "here")) - names) > 10
    found = inspect(place, "-e", "vigil_checks_from=profile:lunix")
    assert found.rc != 0 and "there is no profile" in found.stdout and "did you mean" in found.stdout


@pytest.mark.parametrize(
    "baselines", ["text", {"load": 1}, {"load": {"per_core1": 1}}, {"load": {"per_core1": {"low": "x", "high": 2, "n": 12}}}]
)
def test_baselines_that_are_none_are_refused(run_playbook, inventory, tmp_path, baselines):
    options = {"checks": [{"name": "load", "load": {}, "expect": {"per_core1": "< baseline"}}], "baselines": baselines}
    found = run_playbook(task(tmp_path, options), inventory=inventory(["here"]))
    assert found.rc == 2 and "baselines must be a mapping of checks" in found.stdout
