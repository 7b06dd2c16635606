# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks backup and restore, on this machine in the place of two hosts."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def fleet(run_playbook, tmp_path, listen):
    """fleet(playbook, *args, **variables) -> (output, what the receiver was told so far); each host has a tree of its own."""
    receiver = listen()
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hosts = {}
    for name in ("web1", "web2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.conf").write_text(f"name {name}\n")
        hosts[name] = {**local, "vigil_backup_repository": str(tmp_path / f"{name}.backup")}
    hosts["gone"] = {"ansible_host": "127.0.0.1", "ansible_port": 9, "vigil_backup_repository": "/none"}

    def run(playbook, *args, rc=0, limit="web1,web2", **variables):
        given = {"vigil_channels": [receiver.url + "/hook"], **variables}
        done = run_playbook(f"vigil.ops.{playbook}", "-e", json.dumps(given), "--limit", limit, *args, inventory={"all": {"hosts": hosts}})
        assert done.rc == rc, done.output
        return done.output, receiver.bodies

    return run


def brief(events):
    return sorted((event["instance"], event["check"], event["status"], event["severity"]) for event in events)


def test_backup_and_restore_of_a_fleet(fleet, tmp_path):
    there = tmp_path / "remote"
    options = {
        "vigil_backup_paths": f"{tmp_path}/{{{{ inventory_hostname }}}}", "vigil_backup_name": "etc", "vigil_backup_remote": str(there),
        "vigil_backup_retention": {"last": 3},
    }  # fmt: skip
    output, told = fleet("backup", "--check", "--diff", **options)
    assert told == [] and not there.exists() and output.count("2 added") == 2 and "nothing is written in check mode" in output
    output, told = fleet("backup", **options)
    assert brief(told) == [("web1", "backup etc", "firing", "info"), ("web2", "backup etc", "firing", "info")]
    assert (there / "web1" / "FORMAT").exists() and (there / "web2" / "FORMAT").exists()
    assert sorted(line.split()[:3] for line in output.splitlines() if line.startswith("  web"))[-2:] == [
        [name, "etc", "changed"] for name in ("web1", "web2")
    ]
    output, told = fleet("backup", **options)
    assert len(told) == 2 and "changed=0" in output and output.count("unchanged") == 2

    # one host is changed, the other one cannot be read; a third one is not there
    (tmp_path / "web1" / "main.conf").write_text("name other\n")
    shutil.rmtree(tmp_path / "web2.backup" / "snapshots")
    (tmp_path / "web2.backup" / "snapshots").write_text("no directory")
    output, told = fleet("backup", rc=2, limit="web1,web2,gone", **options)
    assert brief(told[2:]) == [
        ("gone", "reachable", "firing", "critical"), ("web1", "backup etc", "firing", "info"), ("web2", "backups", "firing", "error"),
    ]  # fmt: skip
    assert "1 backups failed, 1 hosts could not be reached" in output

    # put back: shown first, done when confirmed, and from the remote when the repository is gone
    back = {"vigil_backup_name": "etc", "vigil_hosts": "web1", "vigil_restore_at": told[0]["starts_at"], "limit": "web1"}
    output, _told = fleet("restore", rc=2, **{**back, "vigil_hosts": ""})
    assert "there is no default" in output
    output, told = fleet("restore", "--diff", rc=2, **back)
    assert (
        "vigil_restore_confirm=true" in output
        and "+name web1" in output
        and (tmp_path / "web1" / "main.conf").read_text() == "name other\n"
    )
    output, told = fleet("restore", "--check", **back)
    assert (tmp_path / "web1" / "main.conf").read_text() == "name other\n"
    shutil.rmtree(tmp_path / "web1.backup")
    output, told = fleet(
        "restore", **{**back, "vigil_restore_confirm": True, "vigil_backup_repository": "", "vigil_backup_remote": str(there)}
    )
    assert (tmp_path / "web1" / "main.conf").read_text() == "name web1\n" and len(list((tmp_path / "web1").iterdir())) == 2
    assert brief(told[-1:]) == [("web1", "restore etc", "firing", "info")]
    output, _told = fleet("restore", **{**back, "vigil_backup_repository": "", "vigil_backup_remote": str(there)})
    assert "changed=0" in output


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "There is nothing to back up"),
        ({"vigil_backups": [{"path": "/etc"}]}, "there is no 'path'; known are name, paths"),
        ({"vigil_backups": {"paths": ["/etc"]}}, "vigil_backups must be a list of mappings"),
        ({"vigil_backup_paths": ["/etc"], "vigil_fail_on": "always"}, "known are never, failed, any"),
    ],
)
def test_bad_variables_are_one_sentence(fleet, variables, words):
    output, told = fleet("backup", rc=2, limit="web1", **variables)
    assert words in output and told == [] and "Traceback" not in output


@pytest.mark.long
def test_several_jobs_of_a_host(fleet, tmp_path):
    """Jobs with options of their own beside common ones; one that fails does not keep the others from being taken, and is told until it works."""
    jobs = [
        {"name": "conf", "paths": [str(tmp_path / "web1")]},
        {"name": "dump", "stdin_from": [{"name": "x.sql", "argv": ["sh", "-c", f"cat {tmp_path}/dump"]}]},
        {"name": "bad", "paths": ["/etc/hostname"], "before": [["sh", "-c", f"test -e {tmp_path}/dump"]]},
    ]
    output, told = fleet("backup", limit="web1", vigil_backups=jobs, vigil_fail_on="any", rc=2)
    assert brief(told) == [
        ("web1", "backup conf", "firing", "info"), ("web1", "backup dump streams", "firing", "error"), ("web1", "backups", "firing", "error"),
    ]  # fmt: skip
    assert "before: sh ended with code 1" in output
    (tmp_path / "dump").write_text("data")
    output, told = fleet("backup", limit="web1", vigil_backups=json.dumps(jobs), vigil_fail_on="any")
    assert brief(told[3:]) == [
        ("web1", "backup bad", "firing", "info"), ("web1", "backup dump", "firing", "info"),
        ("web1", "backup dump streams", "resolved", "error"), ("web1", "backups", "resolved", "error"),
    ]  # fmt: skip
