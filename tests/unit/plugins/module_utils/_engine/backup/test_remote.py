# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of repositories at remotes, with rclone itself, its servers, and what goes wrong with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils import _runner
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.distant import Distant
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.hygiene import slim
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import read_place
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.remote import Copy
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.remote_state import note_forgotten
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration

SECRET = "very-Secret-42"


def place(raw):
    return read_place(raw, parse_duration)


def copy(shop, raw, run=_runner.run, thorough=False, now=None):
    return Copy(shop.repository, place(raw), run, lambda seconds: None).update(time.time() if now is None else now, thorough)


def nobody(*argv):
    raise AssertionError(f"rclone was run: {argv}")


def forget(shop, *numbers):
    repository, ids = shop.repository, shop.ids()
    repository.lock()
    note_forgotten(repository, "job", [ids[number] for number in numbers])
    for number in numbers:
        repository.forget("job", ids[number])
    repository.sweep()
    repository.unlock()


def files(root, state=False):
    """What a copy is made of."""
    parts = ("FORMAT", "archives", "manifests", "snapshots")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] in parts
    }


def whole(root):
    """Every snapshot that is there has all that it needs; returns how many there are."""
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    records = list(root.glob("snapshots/*/*.json"))
    for path in records:
        record = json.loads(path.read_text())
        names = {name.split(".")[0] for name in there}
        assert f"manifests/{record['id']}" in names and {f"archives/{each}" for each in record["archives"]} <= names
    return len(records)


def changed(tree, number, size=1000):
    (tree / f"file{number}").write_bytes(os.urandom(size))


@pytest.fixture
def serve():
    """serve(kind, root, *args) -> port of a server of rclone."""
    running = []

    def start(kind, root, *args, port=None):
        if port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        argv = ["rclone", "serve", kind, str(root), "--addr", f"127.0.0.1:{port}", *args]
        running.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _turn in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port, running[-1]
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"rclone serve {kind} does not listen")

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def obscured(secret):
    return subprocess.run(["rclone", "obscure", secret], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_what_is_new_goes_there_and_nothing_else(shop, tree, tmp_path):
    there = tmp_path / "there"
    shop.take(tree)
    first = copy(shop, str(there))
    assert first["status"] == "ok" and first["uploaded"] == 5 and first["pending"] == 0 and first["message"] == ""
    assert files(there) == files(shop.place)
    assert copy(shop, str(there), run=nobody)["status"] == "ok"
    changed(tree, 1)
    shop.take(tree)
    assert copy(shop, str(there))["uploaded"] == 4
    assert files(there) == files(shop.place) and whole(there) == 2


def test_what_is_forgotten_here_goes_there_too(shop, tree, tmp_path):
    there = tmp_path / "there"
    for number in range(4):
        changed(tree, 0)
        shop.take(tree)
    copy(shop, str(there))
    (there / "mine.txt").write_text("not of ours")
    forget(shop, 1, 2)
    found = copy(shop, str(there))
    assert found["status"] == "ok" and found["removed"] >= 4
    assert files(there) == files(shop.place) and whole(there) == 2 and (there / "mine.txt").exists()


def test_archives_that_were_written_anew_take_the_place_of_the_old_ones(shop, tree, tmp_path):
    """There is no moment at which a snapshot at the remote lacks something, and in the end both are alike."""
    there = tmp_path / "there"
    for number in range(4):
        changed(tree, number, 50_000)
    shop.take(tree)
    copy(shop, str(there))
    for number in range(3):
        (tree / f"file{number}").unlink()
    shop.take(tree)
    forget(shop, 0)
    repository = Repository(str(shop.place))
    repository.lock()
    slim(repository, codec("gzip"), small=0)
    repository.unlock()
    assert [path.name for path in shop.place.glob("archives/*.1.tar.gz")]

    def watched(*argv):
        whole(there)
        return _runner.run(*argv)

    assert copy(shop, str(there), run=watched)["status"] == "ok" and whole(there) == 1
    assert files(there) == files(shop.place)


def test_a_lost_format_file_is_written_again(shop, tree, tmp_path):
    shop.take(tree)
    copy(shop, str(tmp_path / "there"))
    (shop.place / "FORMAT").unlink()
    changed(tree, 1)
    assert shop.take(tree).changed and copy(shop, str(tmp_path / "there"))["status"] == "ok" and whole(tmp_path / "there") == 2


def test_one_uploads_at_a_time(shop, tree, tmp_path):
    shop.take(tree)
    inside = []

    def slow(*argv):
        inside.append(copy(shop, str(tmp_path / "there"), run=nobody))
        return _runner.run(*argv)

    assert copy(shop, str(tmp_path / "there"), run=slow)["status"] == "ok" and {found["status"] for found in inside} == {"busy"}


def test_a_lost_repository_takes_nothing_with_it(shop, tree, tmp_path):
    there = tmp_path / "there"
    for number in range(3):
        changed(tree, number)
        shop.take(tree)
    copy(shop, str(there))
    ids = shop.ids()
    os.unlink(shop.place / "snapshots" / "job" / f"{ids[0]}.json")  # not by retention
    shop.repository.lock()
    shop.repository.unlock()
    changed(tree, 5)
    shop.take(tree)
    assert copy(shop, str(there))["status"] == "ok" and whole(there) == 4
    shutil.rmtree(shop.place)
    shop.take(tree)
    assert copy(shop, str(there))["status"] == "ok" and whole(there) == 5


@pytest.mark.parametrize("how", ["truncated", "gone", "flipped", "record gone"])
def test_what_is_damaged_there_is_uploaded_again(shop, tree, tmp_path, how):
    there = tmp_path / "there"
    shop.take(tree)
    copy(shop, str(there))
    victim = next(there.glob("snapshots/*/*.json" if how == "record gone" else "archives/*.tar.*"))
    data = victim.read_bytes()
    if how == "truncated":
        victim.write_bytes(data[:100])
    elif how == "flipped":
        victim.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    else:
        victim.unlink()
    found = copy(shop, str(there), thorough=how == "flipped", now=time.time() + 2 * 86400)
    assert found["status"] == "ok" and found["uploaded"] == 1 and files(there) == files(shop.place)


def test_what_is_there_already_is_not_sent_again(shop, tree, tmp_path):
    there = tmp_path / "there"
    shop.take(tree)
    copy(shop, str(there))
    shutil.rmtree(shop.place / "remotes")
    half = next(there.glob("archives/*.tar.*"))
    half.write_bytes(half.read_bytes()[:-10])
    found = copy(shop, str(there))
    assert found["status"] == "ok" and found["uploaded"] == 1 and files(there) == files(shop.place)


def webdav(port, **more):
    env = {
        "RCLONE_CONFIG_SHOP_TYPE": "webdav",
        "RCLONE_CONFIG_SHOP_URL": f"http://127.0.0.1:{port}",
        "RCLONE_CONFIG_SHOP_USER": "backup",
        "RCLONE_CONFIG_SHOP_PASS": more.pop("password", None) or obscured(SECRET),
    }
    return {"path": "shop:host1", "environment": env, "options": {"low-level-retries": 1}, "attempts": 2, **more}


def test_a_dead_remote_is_said_and_made_up_for(shop, tree, tmp_path, serve):
    """The server comes, goes and comes back; nothing of what happened meanwhile is lost."""
    there = tmp_path / "there"
    there.mkdir()
    port, process = serve("webdav", there, "--user", "backup", "--pass", SECRET)
    remote = webdav(port)
    shop.take(tree)
    assert copy(shop, remote)["status"] == "ok" and whole(there / "host1") == 1
    process.terminate()
    process.wait(10)
    for number in range(2):
        changed(tree, number)
        shop.take(tree)
        lost = copy(shop, remote)
        assert lost["status"] == "failed" and lost["pending"] == 4 * (number + 1) and lost["since"] and "refused" in lost["message"]
        assert SECRET not in str(lost) and remote["environment"]["RCLONE_CONFIG_SHOP_PASS"] not in str(lost)
    serve("webdav", there, "--user", "backup", "--pass", SECRET, port=port)
    assert not shop.take(tree).changed
    back = copy(shop, remote)
    assert back["status"] == "ok" and back["pending"] == 0 and back["since"] is None
    assert files(there / "host1") == files(shop.place)


def test_a_wrong_password_is_said(shop, tree, tmp_path, serve):
    port, _process = serve("webdav", tmp_path, "--user", "backup", "--pass", SECRET)
    shop.take(tree)
    wrong = obscured("an-other-secret")
    found = copy(shop, webdav(port, password=wrong))
    assert found["status"] == "failed" and "401" in found["message"] and wrong not in str(found)


def test_sftp_with_hashes_and_a_connection_string(shop, tree, tmp_path, serve):
    there = tmp_path / "there"
    there.mkdir()
    port, _process = serve("sftp", there, "--user", "backup", "--pass", SECRET)
    remote = f":sftp,host=127.0.0.1,port={port},user=backup,pass='{obscured(SECRET)}':host1"
    argvs = []

    def watched(argv, *more):
        argvs.append(" ".join(argv))
        return _runner.run(argv, *more)

    shop.take(tree)
    assert copy(shop, remote, run=watched)["status"] == "ok" and files(there / "host1") == files(shop.place)
    assert argvs and not any("pass" in argv.replace("ask-password", "") for argv in argvs)


@pytest.mark.long
def test_a_read_only_remote_is_said(shop, tree, tmp_path, serve):
    port, _process = serve("webdav", tmp_path, "--read-only", "--user", "backup", "--pass", SECRET)
    shop.take(tree)
    found = copy(shop, webdav(port))
    assert found["status"] == "failed" and found["pending"] == 5 and found["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_remote_holds_whole_snapshots_alone(shop, tree, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(there)], check=True)
    try:
        shop.take(tree)
        assert copy(shop, str(there))["status"] == "ok"
        changed(tree, 1, 3 << 20)
        shop.take(tree)
        full = copy(shop, {"path": str(there), "attempts": 1, "options": {"low_level_retries": 1}})
        assert full["status"] == "failed" and " space" in full["message"] and whole(there) == 1
        subprocess.run(["mount", "-o", "remount,size=20m", str(there)], check=True)
        assert copy(shop, str(there))["status"] == "ok" and whole(there) == 2
        assert files(there) == files(shop.place)
    finally:
        subprocess.run(["umount", str(there)], check=True)


@pytest.mark.long
def test_killed_uploads_leave_whole_snapshots_alone(shop, tree, tmp_path):
    """rclone is killed at several moments of a slow upload; what is at the remote is whole at any time, and the last run makes up for it."""
    there = tmp_path / "there"
    for number in range(3):
        changed(tree, number, 400_000)
        shop.take(tree)
    slow = {"path": str(there), "attempts": 1, "options": {"bwlimit": "1M"}}
    for turn in range(6):

        def killed(argv, timeout, env, turn=turn):
            process = subprocess.Popen(
                argv, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
            )
            timer = threading.Timer(0.1 * (turn + 1), process.send_signal, [signal.SIGKILL]) if argv[1] == "copy" else None
            if timer:
                timer.start()
            out, err = process.communicate()
            if timer:
                timer.cancel()
            return process.returncode, out, err

        copy(shop, slow, run=killed)
        whole(there)
    assert copy(shop, str(there))["status"] == "ok" and whole(there) == 3 and files(there) == files(shop.place)


def test_a_snapshot_whose_archive_is_missing_here_is_not_uploaded(shop, tree, tmp_path):
    there = tmp_path / "there"
    shop.take(tree)
    next(shop.place.glob("archives/*.tar.*")).unlink()
    found = copy(shop, str(there))
    assert found["status"] == "failed" and "missing" in found["message"] and whole(there) == 0


def test_restore_brings_only_what_is_needed(shop, tree, tmp_path):
    there = tmp_path / "there"
    for number in range(3):
        changed(tree, number)
        shop.take(tree)
    copy(shop, str(there))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    distant = Distant(place(str(there)), _runner.run, str(scratch))
    assert distant.repository.ids("job") == shop.ids()
    assert not list(scratch.glob("archives/*")) and not list(scratch.glob("manifests/*"))
    distant.manifests(shop.ids()[1:2])
    distant.archives(shop.ids()[1:2])
    assert {path.name.split(".")[0] for path in scratch.glob("[am]*/*")} == {shop.ids()[1]}
    distant.manifests(shop.ids())
    distant.indexes(shop.ids())
    distant.stand_ins()
    assert verify(distant.repository, ["job"], full=False) == []
    with pytest.raises(BackupError, match="there is no repository at"):
        Distant(place(str(tmp_path / "none")), _runner.run, str(scratch))


def test_names_from_outside_are_not_made_here(shop, tree, tmp_path):
    there = tmp_path / "there"
    shop.take(tree)
    copy(shop, str(there))
    for name in (
        "evil.sh",
        "archives/evil",
        "snapshots/evil.json",
        "snapshots/job/evil.json",
        "snapshots/.x/20260101T000000Z-00000000.json",
    ):
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_text("evil")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    distant = Distant(place(str(there)), _runner.run, str(scratch))
    distant.archives(shop.ids())
    assert not [path for path in scratch.rglob("*") if path.is_file() and path.read_bytes() == b"evil"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", "is no path of rclone"),
        ("relative/path", "is no path of rclone"),
        ({"path": "s3:x", "verify": "md5"}, "write size, hash or download"),
        ({"path": "s3:x", "attempts": 0}, "not a number above 0"),
        ({"path": "s3:x", "timeout": "soon"}, "remote.timeout"),
        ({"path": "s3:x", "password": SECRET}, "there is no 'password'"),
        ({"path": f":s3,secret_access_key='{SECRET}:x"}, "cannot be read as a connection string"),
    ],
)
def test_bad_remotes_are_one_sentence(raw, words):
    with pytest.raises(ValueError, match=words) as caught:
        place(raw)
    assert SECRET not in str(caught.value)


def test_settings_go_where_nobody_sees_them():
    found = place(
        {"path": f'store,secret_access_key="a ""b"" {SECRET}",region=eu:bucket/x', "options": {"s3-no-check-bucket": True, "bwlimit": "1M"}}
    )
    assert found.path == "store:bucket/x" and found.secrets() == {f'a "b" {SECRET}'}
    assert found.env == {
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
        "RCLONE_BWLIMIT": "1M",
        "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": f'a "b" {SECRET}',
        "RCLONE_CONFIG_STORE_REGION": "eu",
    }


def test_without_rclone_it_says_what_to_install(shop, tree, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    shop.take(tree)
    assert "install rclone" in copy(shop, str(tmp_path / "there"))["message"]
