# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups with a copy at a remote of rclone, with programs around them, and what channels are told of them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest

SECRET = "very-Secret-42"


@pytest.fixture
def webdav():
    """webdav(root, port) -> (port, process) of rclone's server with a password."""
    running = []

    def start(root, port=None):
        if port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        argv = ["rclone", "serve", "webdav", str(root), "--addr", f"127.0.0.1:{port}", "--user", "backup", "--pass", SECRET]
        running.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _turn in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port, running[-1]
            except OSError:
                time.sleep(0.05)
        raise AssertionError("rclone serve does not listen")

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def brief(events):
    return [(event["check"], event["status"], event["severity"]) for event in events]


def test_a_copy_at_a_remote_and_what_is_told(run_steps, webdav, listen, tmp_path):
    """The remote works, dies for a snapshot, and comes back: nothing is lost, all is told once, no secret is shown, and all comes back from there."""
    tree, there = tmp_path / "tree", tmp_path / "there"
    tree.mkdir()
    there.mkdir()
    (tree / "main.conf").write_text("listen 80\n")
    port, process = webdav(there)
    secret = subprocess.run(["rclone", "obscure", SECRET], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    remote = {
        "path": "shop:host1",
        "environment": {
            "RCLONE_CONFIG_SHOP_TYPE": "webdav",
            "RCLONE_CONFIG_SHOP_URL": f"http://127.0.0.1:{port}",
            "RCLONE_CONFIG_SHOP_USER": "backup",
            "RCLONE_CONFIG_SHOP_PASS": secret,
        },
        "options": {"low-level-retries": 1},
        "attempts": 1,
    }
    receiver = listen()
    backup = (
        "backup",
        {"paths": [str(tree)], "repository": str(tmp_path / "repository"), "name": "etc", "remote": remote, "acknowledge": "told"},
    )
    tell = ("notify", {"channels": [receiver.url + "/hook"], "results": {"localhost": "{{ found0 }}"}})

    (first, _told), said = run_steps([backup, tell], "-vvv")
    assert first["changed"] and first["remote"]["status"] == "ok" and first["remote"]["uploaded"] == 5, first
    assert secret not in said and secret not in json.dumps(first)
    assert brief(receiver.bodies) == [("backup etc", "firing", "info")] and receiver.bodies[0]["message"] == "first snapshot, of 2 paths"

    process.terminate()
    process.wait(10)
    (tree / "main.conf").write_text("listen 81\n")
    (lost, _told), said = run_steps([backup, tell], "-vvv")
    assert lost["changed"] and lost["snapshot"] and not lost.get("failed") and lost["remote"]["status"] == "failed", lost
    assert (
        lost["remote"]["pending"] == 4
        and lost["remote"]["since"]
        and "wait to be uploaded" in " ".join(said.split())
        and secret not in said
    )
    assert brief(receiver.bodies)[1:] == [("backup etc", "firing", "info"), ("backup etc remote", "firing", "error")]
    assert receiver.bodies[1]["message"] == f"1 modified:\n~ {tree}/main.conf"

    webdav(there, port)
    (again, _told), said = run_steps([backup, tell], "--check")
    assert not again["changed"] and again["remote"]["status"] == "skipped" and again["remote"]["pending"] == 4
    (again, _told), said = run_steps([backup, tell])
    assert not again["changed"] and again["snapshot"] is None and again["remote"]["status"] == "ok" and again["remote"]["uploaded"] == 4
    assert brief(receiver.bodies)[3:] == [("backup etc remote", "resolved", "error")]

    shutil.rmtree(tmp_path / "repository")
    shutil.rmtree(tree)
    of = {"name": "etc", "remote": remote}
    (listed, _dry), said = run_steps([("backup_info", {**of, "verify": "full"}), ("restore", of)], "--check")
    assert [each["id"] for each in listed["snapshots"]] == [first["snapshot"], lost["snapshot"]] and listed["problems"] == []
    assert _dry["changed"] and not tree.exists()
    old = {**of, "snapshot": first["snapshot"], "dest": str(tmp_path / "old")}
    (old, new, info), said = run_steps([("restore", old), ("restore", of), ("backup_info", of)], "-vvv")
    assert old["changed"] and (tmp_path / f"old{tree}" / "main.conf").read_text() == "listen 80\n"
    assert new["changed"] and (tree / "main.conf").read_text() == "listen 81\n" and len(info["snapshots"]) == 2
    assert secret not in said and not [name for name in os.listdir("/var/tmp") if name.startswith("vigil-")]

    archive = next((there / "host1").glob("archives/*.tar.*"))
    archive.write_bytes(archive.read_bytes()[:-40] + bytes(40))
    (damaged, back), said = run_steps(
        [("backup_info", {**of, "verify": "full"}), ("restore", {**of, "remote": {**remote, "path": "nowhere:x"}})]
    )
    assert damaged["problems"] and damaged["problems"][0]["paths"]
    assert back["failed"] and "nowhere" in back["msg"] and "section" in back["msg"] and secret not in said


@pytest.mark.long
def test_what_was_taken_while_nobody_listened_is_told_later(run_steps, listen, tmp_path):
    """The controller dies after the module and before anything was told: the next run tells what that snapshot changed, too."""
    receiver = listen()
    (tmp_path / "a").write_text("1")
    options = {"paths": [str(tmp_path / "a"), str(tmp_path / "b")], "repository": str(tmp_path / "repository"), "acknowledge": "told"}
    tell = ("notify", {"channels": [receiver.url + "/hook"], "results": {"localhost": "{{ found0 }}"}})
    run_steps([("backup", options), tell])
    (tmp_path / "b").write_text("2")
    (lost,), _said = run_steps([("backup", options)])
    (tmp_path / "a").write_text("3")
    (found, _told), _said = run_steps([("backup", options), tell])
    told = [event for event in receiver.bodies if event["check"] == "backup default"]
    assert (
        len(told) == 3
        and "added" in told[1]["message"]
        and f"+ {tmp_path}/b" in told[1]["message"]
        and f"~ {tmp_path}/a" in told[2]["message"]
    )
    assert [event["snapshot"] for event in found["events"] if event["kind"] == "changed"] == [lost["snapshot"], found["snapshot"]]
    (again, _told), _said = run_steps([("backup", options), tell])
    assert not [event for event in again["events"] if event["kind"] == "changed"]


def test_programs_around_a_backup(run_steps, tmp_path):
    """Hooks in their order, after also when before failed; streams that are whole, and one that is not, of which the older version stays."""
    database, log = tmp_path / "shop.db", tmp_path / "log"
    with sqlite3.connect(database) as connection:
        connection.execute("create table item (name text)")
        connection.execute("insert into item values ('first')")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "a").write_text("a")
    dump = [shutil.which("python3"), "-c", f"import sqlite3; [print(line) for line in sqlite3.connect({str(database)!r}).iterdump()]"]
    half = ["sh", "-c", "echo half; echo the server went away >&2; exit 3"]

    def note(word, code=0):
        return ["sh", "-c", f"echo {word} >> {log}; exit {code}"]

    def backup(argv, **more):
        return ("backup", {
            "paths": [str(tmp_path / "etc")], "repository": str(tmp_path / "repository"), "stdin_from": [{"name": "db/shop.sql", "argv": argv}], **more,
        })  # fmt: skip

    (first, same), _said = run_steps([backup(dump, before=[note("one"), note("two")], after=[note("three")]), backup(dump)])
    assert first["added"][0] == "/.streams/db/shop.sql" and first["streams"][0]["status"] == "ok" and not same["changed"]
    assert log.read_text().split() == ["one", "two", "three"]
    (tmp_path / "etc" / "a").write_text("b")
    (torn, refused, late, back), said = run_steps([
        backup(half),
        backup(dump, before=[note("four", 7), note("never")], after=[note("five")]),
        backup(dump, after=[{"argv": ["sh", "-c", "exit 9"]}]),
        ("restore", {"repository": str(tmp_path / "repository"), "dest": str(tmp_path / "back")}),
    ])  # fmt: skip
    assert torn["modified"] == [f"{tmp_path}/etc/a"] and torn["torn"] == ["/.streams/db/shop.sql"] and not torn.get("failed")
    assert torn["streams"][0]["message"] == "sh ended with code 3: the server went away" and "is not whole" in " ".join(said.split())
    assert next(event for event in torn["events"] if event["kind"] == "streams")["status"] == "firing"
    assert refused["failed"] and "before: sh ended with code 7" in refused["msg"] and log.read_text().split()[3:] == ["four", "five"]
    assert late["failed"] and "after: sh ended with code 9" in late["msg"] and late["snapshot"] is None
    assert back["changed"] and "half" not in (tmp_path / "back/.streams/db/shop.sql").read_text()
    copy = sqlite3.connect(":memory:")
    copy.executescript((tmp_path / "back/.streams/db/shop.sql").read_text())
    assert copy.execute("select name from item").fetchall() == [("first",)]
    assert not list((tmp_path / "repository" / "tmp").iterdir())


def test_check_mode_runs_no_program(run_steps, tmp_path):
    options = {"repository": str(tmp_path / "repository"), "stdin_from": [{"name": "x", "argv": ["touch", str(tmp_path / "ran")]}]}
    (found,), _said = run_steps(
        [("backup", {**options, "before": ["touch", str(tmp_path / "ran")], "after": [["touch", str(tmp_path / "ran")]]})], "--check"
    )
    assert not (tmp_path / "ran").exists() and found["streams"][0]["status"] == "skipped" and not (tmp_path / "repository").exists()


def test_bad_input_is_one_sentence(run_steps, tmp_path):
    repository = {"repository": str(tmp_path / "repository"), "paths": ["/etc/hostname"]}
    cases = [
        ("backup", {**repository, "remote": "relative"}, "is no path of rclone"),
        ("backup", {**repository, "remote": {"path": "s3:x", "password": SECRET}}, "there is no 'password'"),
        ("backup", {**repository, "before": [{"command": "x"}]}, "before, entry 1: there is no 'command'"),
        ("backup", {**repository, "before": [["sleep", "1"], {"argv": ["x"], "timeout": "soon"}]}, "before, entry 2: timeout"),
        ("backup", {**repository, "stdin_from": [{"name": "../x", "argv": ["x"]}]}, "write the name of a file"),
        ("backup", {**repository, "stdin_from": [{"name": "x", "argv": ["x"]}, {"name": "x", "argv": ["y"]}]}, "two streams of the name 'x'"),
        ("backup", {**repository, "before": [["/does/not/exist"]]}, "before: /does/not/exist cannot be run: No such file"),
        ("backup", {**repository, "before": [{"argv": ["sleep", "60"], "timeout": "100ms"}]}, "sleep did not end within 0.1 s"),
        ("restore", {"at": "2026-02-30", "repository": "/x"}, "there is no such day"),
        ("restore", {"remote": {"path": "s3:x", "password": SECRET, "environment": {"X": SECRET}}}, "there is no 'password'"),
        ("backup_info", {"remote": f":sftp,host=127.0.0.1,port=9,user=x,pass={SECRET}:x"}, "vigil:x cannot be looked at"),
        ("backup", {**repository, "before": [{"argv": ["sh", "-c", "echo $CRM_PWD >&2; exit 1"], "environment": {"CRM_PWD": SECRET}}]}, "********"),
        ("restore", {}, "one of the following is required: repository, remote"),
    ]  # fmt: skip
    found, said = run_steps([(module, options) for module, options, _words in cases], "-vvv")
    for result, (_module, _options, words) in zip(found, cases):
        assert result["failed"] and words in result["msg"], result
    assert "Traceback" not in said and SECRET not in said and SECRET not in json.dumps(found)
