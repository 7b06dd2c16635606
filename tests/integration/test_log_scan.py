# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log_scan and the playbook log_audit, run by ansible-playbook over real files."""

from __future__ import annotations

import json
import os

import pytest

RULES = [
    {"name": "errors", "regex": r"ERROR \[(?P<part>\w+)\]", "labels": {"service": "shop"}},
    {"name": "many", "keyword": "ERROR", "severity": "critical", "threshold": {"count": 3, "within": "1h"}},
]


@pytest.fixture
def log(tmp_path):
    place = tmp_path / "logs" / "app.log"
    place.parent.mkdir()
    place.touch()
    return place


def write(log, *lines):
    with log.open("a") as file:
        file.write("".join(line + "\n" for line in lines))


@pytest.fixture
def scan(run_playbook, tmp_path, log):
    """scan(*args, **options of the module) -> (result of the task, Outcome)."""

    def run(*args, rc=0, **options):
        given = {"sources": [str(log)], "rules": RULES, "start": "begin", "state_url": f"sqlite:///{tmp_path}/node.db", **options}
        place = tmp_path / "result.json"
        place.unlink(missing_ok=True)
        keep = {"dest": str(place), "content": "{{ found | to_json }}", "mode": "0600"}
        tasks = [
            {"name": "Scan", "vigil.ops.log_scan": given, "register": "found", "ignore_errors": True},
            {"ansible.builtin.copy": keep, "check_mode": False},
        ]
        outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *args)
        assert outcome.rc == rc, outcome.output
        return json.loads(place.read_text()), outcome

    return run


def test_reads_only_what_is_new_over_a_rotation(log, scan):
    write(log, "INFO up", "ERROR [pay] password=hunter22 refused")
    first, _out = scan(levels=True)
    assert (first["changed"], first["counts"]) == (True, {"errors": 1, "many": 1})
    assert first["matches"][0]["fields"] == {"part": "pay"} and "hunter22" not in json.dumps(first)
    assert first["levels"] == {str(log): {"info": 1, "error": 1}} and first["stats"]["lines"] == 2
    write(log, "ERROR [a] 1")
    log.rename(log.with_name("app.log.1"))
    write(log, "ERROR [b] 2", "ERROR [b] unfinished"[:-4])
    second, _out = scan()
    assert [match["line"] for match in second["matches"] if match["rule"] == "errors"] == ["ERROR [a] 1", "ERROR [b] 2", "ERROR [b] unfini"]
    assert [(alarm["rule"], alarm["count"], alarm["kind"]) for alarm in second["alarms"]] == [
        ("errors", 3, "lines"),
        ("many", 4, "threshold"),
    ]
    assert second["stats"]["rotations"] == 1
    third, _out = scan()
    assert (third["matches"], third["alarms"], third["batch"], third["changed"]) == ([], [], "", False)


def test_findings_come_again_until_somebody_has_them_and_are_told_once(log, scan, run_playbook, tmp_path):
    told = tmp_path / "told.jsonl"
    write(log, "ERROR [a]", "ERROR [b]", "ERROR [c] trace_id=4bf92f3577b34da6")
    first, _out = scan(acknowledge="told")
    again, _out = scan(acknowledge="told")
    assert again["alarms"] == first["alarms"] and again["matches"] == first["matches"] and len(first["alarms"]) == 2
    tell = {"vigil.ops.notify": {"channels": [f"file://{told}"], "results": {"localhost": again}}}
    for _time in range(2):
        assert run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [tell]}]).rc == 0
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(event["check"], event["status"], event["severity"], event["service"]) for event in events] == [
        ("log errors", "firing", "error", "shop"),
        ("log many", "firing", "critical", events[1]["service"]),
    ]
    assert events[1]["context"]["trace_id"] == "4bf92f3577b34da6" and events[1]["context"]["observed"]["context"]
    assert scan(acknowledge="told")[0]["alarms"] == []


def test_check_mode_keeps_nothing(log, scan, tmp_path):
    write(log, "ERROR [a]")
    found, _out = scan("--check")
    assert found["counts"]["errors"] == 1 and not (tmp_path / "node.db").exists()
    assert scan()[0]["counts"]["errors"] == 1
    write(log, "ERROR [b]")
    assert scan("--check")[0]["counts"]["errors"] == scan()[0]["counts"]["errors"] == 1


def test_mistakes_are_refused_before_a_host_is_touched(scan, tmp_path):
    for options, sentence in (
        ({"rules": [{"name": "a", "regx": "x"}]}, 'rule "a" has no option "regx"; did you mean "regex"?'),
        ({"rules": [{"name": "a", "regex": "("}]}, "rule \"a\": '(' is not a regular expression"),
        ({"rules": ["sshdd"]}, 'there is no ready-made set of rules "sshdd"; did you mean "sshd"?'),
        ({"sources": ["var/log/x"]}, "source number 1: 'var/log/x' is not an absolute path"),
        ({"multiline": "jva"}, 'multiline is "jva"; did you mean "java"?'),
    ):
        found, _out = scan(**options)
        assert found["failed"] and sentence in found["msg"], found["msg"]
    assert not (tmp_path / "node.db").exists()


def test_what_cannot_be_read_is_said_and_the_rest_is_read(log, scan, tmp_path):
    write(log, "ERROR [a]")
    (log.parent / "bad.log.gz").write_bytes(b"no gzip")
    os.symlink(log.parent, log.parent / "loop")
    found, _out = scan(
        sources=[f"{log.parent}/**/*.log*", str(tmp_path / "none.log"), {"command": ["sh", "-c", "echo ERROR [cmd]; exit 3"]}]
    )
    assert found["counts"]["errors"] == 2
    assert {failure["reason"] for failure in found["failures"]} == {"damaged", "missing", "unseen"}


def test_the_playbook_tells_and_fails_as_asked(log, run_playbook, tmp_path):
    told = tmp_path / "told.jsonl"
    values = {
        "vigil_log_sources": [str(log)],
        "vigil_log_rules": RULES,
        "vigil_log_start": "begin",
        "vigil_log_state_url": f"sqlite:///{tmp_path}/node.db",
        "vigil_channels": [f"file://{told}"],
        "vigil_fail_on": "error",
    }
    given = tmp_path / "values.json"
    given.write_text(json.dumps(values))
    quiet = run_playbook("vigil.ops.log_audit", "-e", f"@{given}")
    assert quiet.rc == 0, quiet.output
    write(log, "ERROR [a] x")
    loud = run_playbook("vigil.ops.log_audit", "-e", f"@{given}")
    assert loud.rc == 2 and "errors: ERROR [a] x" in loud.stdout, loud.output
    assert run_playbook("vigil.ops.log_audit", "-e", f"@{given}").rc == 0
    assert [json.loads(line)["check"] for line in told.read_text().splitlines()] == ["log errors"]
