# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File watches with the inotify of this kernel: its limits, a queue that runs over, trees that move, and how editors save."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from vigil_watch.ears import Ears, fingerprint
from watching import Watcher, environment, write

QUEUE = 20000  # more than fs.inotify.max_queued_events usually is


@pytest.fixture
def watched(tmp_path):
    """A watcher of tmp_path/data, which holds a file and a directory."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("one\n")
    watch = f"{{name: data, paths: [{data}], repository: {tmp_path}/repo, quiet: 500ms, max_delay: 20s}}"
    write(tmp_path, f"channels: ['file://{tmp_path}/told']\n", a=f"files: [{watch}]\n")
    watcher = Watcher(tmp_path)
    try:
        watcher.said("data: 3 added")
        yield watcher
    finally:
        watcher.end()


def snapshots(watcher):
    return json.loads(watcher.command("backups", "--json").stdout)["snapshots"]


def worker(watcher):
    """The process of the rooms."""
    status = json.loads(watcher.command("status", "--json").stdout)
    return status["process"]["rooms"]["files"]["pid"]


def test_a_queue_that_runs_over_is_said_and_what_was_missed_is_found(watched, tmp_path):
    """The watcher sleeps while more happens than the kernel keeps; a directory that was made then is watched afterwards."""
    data = tmp_path / "data"
    sleeper = worker(watched)
    os.kill(sleeper, signal.SIGSTOP)
    try:
        for number in range(QUEUE):  # events that are alike and follow each other are one: so two files take turns
            os.utime(data / ("file" if number % 2 else "sub"))
        (data / "missed" / "deep").mkdir(parents=True)
        (data / "missed" / "deep" / "file").write_text("one\n")
        (data / "missed" / "other").write_text("one\n")
    finally:
        os.kill(sleeper, signal.SIGCONT)
    watched.said("more changed than the kernel keeps for us (IN_Q_OVERFLOW)", 30)
    watched.said("data: 4 added", 30)
    (data / "missed" / "deep" / "file").write_text("two\n")
    watched.said("data: 1 modified", 30)


def test_trees_that_move_in_and_new_directories_are_watched(watched, tmp_path):
    data = tmp_path / "data"
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "file").write_text("one\n")
    (tmp_path / "tree" / "other").write_text("one\n")
    os.rename(tmp_path / "tree", data / "tree")
    watched.said("data: 4 added")
    (data / "tree" / "deep" / "file").write_text("two\n")
    watched.said("data: 1 modified")
    shutil.rmtree(data)
    watched.said(" removed")
    data.mkdir()
    (data / "again").write_text("one\n")
    watched.said("data: 2 added", 30)


def test_however_an_editor_saves_it_is_one_snapshot(watched, tmp_path):
    """vim renames and writes anew, others write a new file and rename it over the old, others truncate; all within the quiet time."""
    file = tmp_path / "data" / "file"
    os.rename(file, tmp_path / "data" / "file~")
    file.write_text("two\n")
    os.unlink(tmp_path / "data" / "file~")
    (tmp_path / "data" / ".file.swp").write_text("x")
    (tmp_path / "data" / ".file.swp").unlink()
    (tmp_path / "data" / "file.new").write_text("three\n")
    os.rename(tmp_path / "data" / "file.new", file)
    with open(file, "w", encoding="ascii") as out:
        out.write("four\n")
    watched.said("data: ")
    watched.said("1 modified")
    time.sleep(2)
    assert [(one["added"], one["modified"], one["removed"]) for one in snapshots(watched)] == [(3, 0, 0), (0, 1, 0)]


LIMITED = """
import json, sys
from vigil_watch.ears import Ears
heard = []
ears = Ears([sys.argv[1]], "/nowhere", heard.append, lambda: None)
print(json.dumps([ears.open(), ears.alive()]))
"""


def test_where_the_kernel_gives_no_more_watches_it_says_so(tmp_path):
    """In a user namespace, whose limit is its own."""
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
    limit = f"echo 10 > /proc/sys/user/max_inotify_watches && exec {sys.executable} -c '{LIMITED}' {tmp_path}"
    argv = ["unshare", "--user", "--map-root-user", "sh", "-c", limit]
    done = subprocess.run(argv, env=environment(tmp_path), capture_output=True, text=True, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("this machine gives no user namespaces")
    why, alive = json.loads(done.stdout)
    assert "inotify watch limit reached" in why and alive is False, done.stderr


@pytest.mark.long
def test_what_cannot_be_heard_is_looked_at(tmp_path):
    """The watcher in a namespace without a single watch: said, and a change is found all the same."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("one\n")
    watch = f"{{name: data, paths: [{data}], repository: {tmp_path}/repo, quiet: 100ms}}"
    write(tmp_path, "", a=f"files: [{watch}]\n")
    (tmp_path / "run").mkdir()
    run = f"echo 0 > /proc/sys/user/max_inotify_watches && exec {sys.executable} -m vigil_watch run --config {tmp_path}/vigil.yml"
    with open(tmp_path / "log", "wb") as log:
        argv = ["unshare", "--user", "--map-root-user", "sh", "-c", run]
        process = subprocess.Popen(argv, env=environment(tmp_path), stderr=log)
    try:
        until(lambda: "so it is looked at every 10 s" in (tmp_path / "log").read_text() or process.poll())
        if process.poll() is not None and "unshare" in (tmp_path / "log").read_text():
            pytest.skip("this machine gives no user namespaces")
        until(lambda: "data: 2 added" in (tmp_path / "log").read_text())
        (data / "file").write_text("another\n")
        until(lambda: "data: 1 modified" in (tmp_path / "log").read_text())
    finally:
        process.terminate()
        process.wait()


def until(found, seconds=60):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_fingerprint_changes_with_what_a_backup_keeps_and_not_with_its_repository(tmp_path):
    data, repository = tmp_path / "data", tmp_path / "data" / "repo"
    repository.mkdir(parents=True)
    (data / "file").write_text("one")
    (data / "link").symlink_to("file")
    now = fingerprint([str(data), "/not there"], str(repository))
    seen = [now]
    for change in (
        lambda: (data / "file").write_text("two"),
        lambda: (data / "file").chmod(0o600),
        (data / "new").mkdir,
        lambda: os.rename(data / "file", data / "other"),
        (data / "link").unlink,
    ):
        change()
        seen.append(fingerprint([str(data), "/not there"], str(repository)))
    assert len(set(seen)) == len(seen)
    (repository / "x").write_text("x")
    inside = fingerprint([str(data), "/not there"], str(repository))
    (repository / "x").write_text("yy")
    assert fingerprint([str(data), "/not there"], str(repository)) == inside


def test_of_a_single_file_the_directory_is_watched_and_its_neighbours_are_not_heard(tmp_path):
    (tmp_path / "file").write_text("one")
    heard = []
    ears = Ears([str(tmp_path / "file")], "/nowhere", heard.append, lambda: None)
    assert ears.open() == ""
    try:
        (tmp_path / "neighbour").write_text("x")
        os.rename(tmp_path / "neighbour", tmp_path / "other")
        time.sleep(1)
        assert heard == []
        os.rename(tmp_path / "other", tmp_path / "file")
        until(lambda: heard)
    finally:
        ears.close()


def test_ears_are_deaf_to_the_repository_and_to_readers(tmp_path):
    (tmp_path / "repo").mkdir()
    heard = []
    ears = Ears([str(tmp_path)], str(tmp_path / "repo"), heard.append, lambda: None)
    assert ears.open() == "" and ears.alive()
    try:
        (tmp_path / "repo" / "x").write_text("x")
        os.listdir(tmp_path)
        time.sleep(1)
        assert not [one for one in heard if one], heard
        (tmp_path / "file").write_text("x")
        until(lambda: heard)
    finally:
        ears.close()
    assert not ears.alive()
