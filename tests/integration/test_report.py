# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module report, run by ansible-playbook: its options, its files, and its last word after the recap."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

OK = {
    "name": "cpu",
    "probe": "cpu",
    "status": "ok",
    "severity": "error",
    "summary": "",
    "reason": None,
    "observed": {},
    "failed": [],
    "duration_ms": 1.0,
    "attempts": 1,
    "labels": {},
    "annotations": {},
    "weight": 1,
    "caused_by": None,
    "since": None,
    "was": None,
    "metrics": {},
}
BAD = dict(OK, name="root disk", status="critical", summary="used_percent is 93.1, expected < 90")
FLEET = {
    "web1": {"results": [OK], "score": 100, "status": "ok", "root_causes": []},
    "db1": {"results": [OK, BAD], "score": 50, "status": "critical", "root_causes": []},
    "gone": {"unreachable": True, "msg": "Failed to connect to the host via ssh: No route to host"},
}
TWO_HOSTS = {
    "all": {
        "hosts": {"a": {}, "b": {}},
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    }
}


def play(*tasks, **keys):
    return [dict({"hosts": "all", "gather_facts": False, "tasks": list(tasks)}, **keys)]


def report(dest, **options):
    return {"vigil.ops.report": dict({"dest": str(dest), "results": FLEET}, **options), "register": "made", "run_once": True}


DEBUG = {"ansible.builtin.debug": {"msg": "{{ made | to_json }}"}, "run_once": True}


def returned(outcome):
    """What the task before DEBUG returned."""
    found = [line.split('"msg": ', 1)[1] for line in outcome.stdout.splitlines() if '"msg": ' in line and "host_counts" in line]
    made = json.loads(found[0])
    return json.loads(made) if isinstance(made, str) else made


def test_files_and_returns(run_playbook, ansible_env):
    dest = ansible_env.home / "reports" / "today"
    formats = ["html", "md", "json", "junit", "prometheus"]
    done = run_playbook(play(report(dest, formats=formats, title="Shop"), DEBUG))
    assert done.rc == 0, done.output
    made = returned(done)
    assert made["changed"] is True and made["status"] == "critical" and made["score"] == 50.0
    assert made["summary"] == {"ok": 2, "warning": 0, "critical": 1, "unknown": 0, "skipped": 0, "unreachable": 1}
    assert made["files"] == {name: str(dest / file) for name, file in zip(formats, sorted_files(formats))}
    assert [os.stat(path).st_mode & 0o777 for path in made["files"].values()] == [0o644] * 5
    assert json.loads((dest / "inspection.json").read_text(encoding="utf-8"))["title"] == "Shop"
    assert "No route to host" in made["table"]
    assert "Report: " not in done.stdout, "show is off by default"
    again = returned(run_playbook(play(report(dest, formats=formats, title="Shop"), DEBUG)))
    assert again["changed"] is False


def sorted_files(formats):
    names = {"html": "html", "md": "md", "json": "json", "junit": "xml", "prometheus": "prom"}
    return ["inspection." + names[one] for one in formats]


def test_check_mode_and_diff(run_playbook, ansible_env):
    dest = ansible_env.home / "new" / "deep"
    done = run_playbook(play(report(dest, show=True), DEBUG), "--check", "--diff")
    assert done.rc == 0, done.output
    assert not (ansible_env.home / "new").exists()
    assert returned(done)["changed"] is True
    assert "+# Inspection" in done.stdout and "would be written" in done.stdout
    assert done.stdout.splitlines()[-1] == f"Report: {dest}/inspection.html"


def test_without_results_it_only_tries(run_playbook, ansible_env):
    dest = ansible_env.home / "new"
    task = {"vigil.ops.report": {"dest": str(dest), "show": True}}
    done = run_playbook(play(task))
    assert done.rc == 0 and "changed=0" in done.stdout, done.output
    assert not dest.exists() and "Report: " not in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"formats": ["htlm"]}, 'formats: "htlm" is not known; did you mean "html"?'),
        ({"language": "cn"}, 'language: "cn" is not known'),
        ({"dest": "/proc/vigil"}, "dest cannot be written at /proc/vigil: "),
        ({"dest": "/dev/null/x"}, "dest cannot be written at /dev/null/x: a part of that path is a file"),
        ({"history_url": "nosuch://x"}, "history_url: "),
        ({"colour": "red"}, "colour"),
        ({"results": "text"}, "results must map host names to what vigil.ops.inspect returned there, it is text"),
    ],
)
def test_bad_options_are_one_sentence(run_playbook, ansible_env, options, said):
    done = run_playbook(play(report(**dict({"dest": ansible_env.home / "x"}, **options))))
    assert done.rc == 2 and "Traceback" not in done.output
    assert said in done.output.replace('\\"', '"'), done.output
    assert not (ansible_env.home / "x").exists()


def last_lines(dest):
    return [
        "",
        "3 hosts: 1 unreachable, 1 critical, 1 ok; fleet score 50, critical, 66.7% could be seen",
        "3 checks: 1 critical, 2 ok",
        "",
        f"Report: {dest}/inspection.html",
    ]


@pytest.mark.parametrize("strategy", ["linear", "free"])
@pytest.mark.parametrize("verbosity", [[], ["-vvv"]])
def test_the_last_line_names_the_report(run_playbook, ansible_env, strategy, verbosity):
    dest = ansible_env.home / "out"
    task = report(dest, show=True)
    if strategy == "free":
        task.pop("run_once")
        task["when"] = "inventory_hostname == 'b'"
    done = run_playbook(play(task, strategy=strategy), *verbosity, inventory=TWO_HOSTS)
    assert done.rc == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[-5:] == last_lines(dest)
    recap = max(index for index, line in enumerate(lines) if line.startswith("PLAY RECAP"))
    assert max(index for index, line in enumerate(lines) if line.startswith("Host ")) > recap
    assert [line for line in lines if line.startswith("gone ")][-1].endswith("No route to host")


def test_every_host_reporting_the_same_is_said_once(run_playbook, ansible_env):
    task = report(ansible_env.home / "out", show=True)
    task.pop("run_once")
    done = run_playbook(play(task), inventory=TWO_HOSTS)
    assert done.rc == 0 and done.stdout.count("Report: ") == 1, done.output


def test_two_reports_are_both_said(run_playbook, ansible_env):
    done = run_playbook(play(report(ansible_env.home / "one", show=True), report(ansible_env.home / "two", show=True)))
    said = [line for line in done.stdout.splitlines() if line.startswith("Report: ")]
    assert said == [f"Report: {ansible_env.home}/one/inspection.html", f"Report: {ansible_env.home}/two/inspection.html"]


def test_it_is_said_when_a_later_task_fails(run_playbook, ansible_env):
    dest = ansible_env.home / "out"
    done = run_playbook(play(report(dest, show=True), {"ansible.builtin.fail": {"msg": "enough"}}))
    assert done.rc == 2
    assert done.stdout.splitlines()[-5:] == last_lines(dest)


def test_without_html_the_first_file_is_named(run_playbook, ansible_env):
    done = run_playbook(play(report(ansible_env.home / "out", show=True, formats=["prometheus", "md"], language="zh")))
    assert done.stdout.splitlines()[-1] == f"Report: {ansible_env.home}/out/inspection.prom"
    assert "不可达" in done.stdout


def test_a_terminal_without_utf8_is_no_trouble(run_playbook, ansible_env):
    done = run_playbook(play(report(ansible_env.home / "out", show=True, language="zh")), env={"PYTHONIOENCODING": "ascii:strict"})
    assert "Traceback" not in done.output and done.stdout.splitlines()[-1].startswith("Report: "), done.output


def test_machine_output_stays_machine_output(run_playbook, ansible_env):
    callbacks = ansible_env.home / "callbacks"
    callbacks.mkdir()
    (callbacks / "json.py").write_text(JSON_CALLBACK, encoding="utf-8")
    env = {"ANSIBLE_STDOUT_CALLBACK": "json", "ANSIBLE_CALLBACK_PLUGINS": str(callbacks)}
    done = run_playbook(play(report(ansible_env.home / "out", show=True)), env=env)
    assert done.rc == 0 and json.loads(done.stdout) == {"ended": True}, done.output
    assert (ansible_env.home / "out" / "inspection.html").exists()


JSON_CALLBACK = '''
from __future__ import annotations
DOCUMENTATION = """
name: json
type: stdout
short_description: Writes JSON
description: Writes JSON.
"""
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json"

    def v2_playbook_on_stats(self, stats):
        self._display.display('{"ended": true}')
'''


def started(ansible_env, tasks):
    """`ansible-playbook` in a process group of its own, running."""
    place = ansible_env.home / "playbook.json"
    place.write_text(json.dumps(play(*tasks, connection="local")), encoding="utf-8")
    return subprocess.Popen(
        [str(ansible_env.bin / "ansible-playbook"), "-i", "localhost,", str(place)],
        env=ansible_env.env,
        cwd=str(ansible_env.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_it_is_said_after_control_c(ansible_env):
    dest = ansible_env.home / "out"
    mark = ansible_env.home / "mark"
    wait = {"ansible.builtin.command": {"argv": ["sh", "-c", f"touch {mark}; sleep 60"]}}
    wait["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    process = started(ansible_env, [report(dest, show=True), wait])
    try:
        limit = time.monotonic() + 60
        while not mark.exists():
            assert time.monotonic() < limit and process.poll() is None, "the playbook does not come to its second task"
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode != 0
    assert out.splitlines()[-1:] == [f"Report: {dest}/inspection.html"], out + err
    assert "Traceback" not in err


def test_a_reader_that_has_gone_is_no_trouble(ansible_env):
    """The pipe breaks while Ansible itself prints or when the last word is said; that one must not raise."""
    process = started(ansible_env, [report(ansible_env.home / "out", show=True)])
    process.stdout.close()
    try:
        process.stdout = None
        _out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "_announce" not in err


def test_it_runs_without_a_playbook(ansible_env):
    done = ansible_env.run("ansible", "localhost", "-m", "vigil.ops.report", "-a", f"dest={ansible_env.home}/out")
    assert done.rc == 0, done.output


def test_what_a_loop_registered_is_one_host(run_playbook, tmp_path):
    look = {
        "vigil.ops.inspect": {"checks": [{"name": "{{ item }}", "file": {"path": "{{ item }}"}}]},
        "loop": ["/", "/none"],
        "register": "seen",
        "delegate_to": "a",
    }
    results = {"a": "{{ seen }}"}
    outcome = run_playbook(play(look, report(tmp_path / "out", results=results, formats=["json"]), hosts="a"), inventory=TWO_HOSTS)
    assert outcome.rc == 0, outcome.output
    (host,) = json.loads((tmp_path / "out" / "inspection.json").read_text())["hosts"]
    assert (host["score"], host["status"]) == (50.0, "critical")
    assert [(result["name"], result["status"]) for result in host["results"]] == [("/", "ok"), ("/none", "critical")]
