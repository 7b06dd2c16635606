# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import content
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Busy
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Options
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.snapshot import Snapshot
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Selection

from .conftest import Shop, facts, torture


def test_every_kind_of_path_comes_back(shop, tmp_path):
    root = tmp_path / "tree"
    torture(root)
    outcome = shop.take(root)
    assert outcome.snapshot and not outcome.torn and not outcome.problems
    shop.back(tmp_path / "back")
    there = facts(str(tmp_path / "back") + str(root))
    assert there == facts(root, sockets=False)
    assert os.stat(f"{tmp_path}/back{root}/sparse").st_blocks * 512 < 5 << 20
    assert shop.take(root).snapshot is None


def test_gnu_tar_restores_the_same(shop, tmp_path):
    root = tmp_path / "tree"
    torture(root)
    shop.take(root)
    (root / "plain").write_bytes(b"another content")
    (root / "added").write_bytes(b"new")
    shop.take(root)
    (tmp_path / "by tar").mkdir()
    record = shop.repository.record("job", shop.ids()[-1])
    for archive in record["archives"]:
        command = ["tar", "--xattrs", "--xattrs-include=*", "-xzpf", shop.repository.archive(archive), "-C", str(tmp_path / "by tar")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert facts(f"{tmp_path}/by tar{root}") == facts(root, sockets=False)


def test_nothing_new_writes_nothing(shop, tree):
    first = shop.take(tree)
    assert first.changed and len(first.added) == 5
    before = shop.files()
    for _number in range(2):
        again = shop.take(tree)
        assert not again.changed and again.snapshot is None
    assert shop.files() == before


def test_a_touched_file_is_no_change(shop, tree):
    shop.take(tree)
    before = shop.files()
    os.utime(tree / "main.conf")
    (tree / "conf.d" / "a.conf").write_text("a 1\n")
    (tree / "conf.d" / "new").write_text("x")
    (tree / "conf.d" / "new").unlink()  # the times of the directory move
    assert not shop.take(tree).changed
    assert shop.files() == before


def test_what_changed_is_named_and_stored_once(shop, tree):
    shop.take(tree)
    (tree / "main.conf").write_text("listen 81\n")
    (tree / "conf.d" / "c.conf").write_text("b 1\n")  # a content that is known
    (tree / "conf.d" / "b.conf").rename(tree / "moved.conf")
    os.chmod(tree / "conf.d" / "a.conf", 0o600)
    outcome = shop.take(tree)
    assert outcome.modified == [f"{tree}/conf.d/a.conf", f"{tree}/main.conf"]
    assert outcome.added == [f"{tree}/conf.d/c.conf", f"{tree}/moved.conf"]
    assert outcome.removed == [f"{tree}/conf.d/b.conf"]
    assert outcome.stats["new_bytes"] == len("listen 81\n")
    assert len(shop.repository.contents(outcome.snapshot)) == 1
    os.chmod(tree / "main.conf", 0o600)
    bare = shop.take(tree)
    assert bare.modified == [f"{tree}/main.conf"] and not os.path.exists(shop.repository.archive(bare.snapshot))


def test_each_snapshot_is_a_point_in_time(shop, tree, tmp_path):
    seen = []
    for number in range(4):
        (tree / "main.conf").write_text(f"listen {number}\n")
        (tree / f"only{number}").write_text("x")
        if number:
            (tree / f"only{number - 1}").unlink()
        shop.take(tree)
        seen.append(facts(tree))
    assert len(shop.ids()) == 4
    for number, then in enumerate(seen):
        shop.back(tmp_path / f"back{number}", snapshot=number)
        assert facts(f"{tmp_path}/back{number}{tree}") == then


def test_two_jobs_share_contents(shop, tree, tmp_path):
    shop.take(tree)
    other = tmp_path / "other"
    shutil.copytree(tree, other)
    outcome = shop.take(other, name="second")
    assert outcome.changed and outcome.stats["new_bytes"] == 0
    shop.back(tmp_path / "back", name="second")
    assert facts(f"{tmp_path}/back{other}") == facts(other)


def test_a_changing_file_is_torn_and_its_older_version_kept(shop, tree, tmp_path, monkeypatch):
    """Somebody writes whenever a piece of it was read."""
    big = tree / "big.log"
    big.write_bytes(b"old" * 50_000)
    shop.take(tree)
    real, writes = content._read, []

    def read(handle, size):
        for piece in real(handle, size):
            if os.fstat(handle).st_ino == big.stat().st_ino and writes is not None:
                with open(big, "r+b") as file:
                    file.write(b"new%d" % len(writes))
                writes.append(size)
            yield piece

    big.write_bytes(b"new" * 50_000)
    (tree / "main.conf").write_text("listen 99\n")
    monkeypatch.setattr(content, "_read", read)
    outcome = shop.take(tree)
    monkeypatch.undo()
    assert outcome.torn == [f"{big}"] and len(writes) == content.TRIES
    assert outcome.modified == [f"{tree}/main.conf"]
    shop.back(tmp_path / "back")
    assert Path(f"{tmp_path}/back{big}").read_bytes() == b"old" * 50_000
    later = shop.take(tree)
    assert later.modified == [f"{big}"] and not later.torn


def test_a_file_that_was_written_this_very_moment_is_read_again(shop, tree):
    """Two writes within a tick of the kernel's clock bear the same time."""
    (tree / "main.conf").write_text("a")
    began = time.monotonic()
    found = content.read(str(tree / "main.conf"))
    assert not found.torn and time.monotonic() - began >= 0.01


@pytest.fixture
def open_place():
    """A directory that other users reach, too."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        yield Path(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed, so root")
def test_what_may_not_be_read_is_said_and_kept(open_place):
    """A user who may not look must not lose what was seen before."""
    place, tree = open_place / "repository", open_place / "tree"
    (tree / "conf.d").mkdir(parents=True)
    for name in ("main.conf", "conf.d/a.conf", "conf.d/b.conf"):
        (tree / name).write_text(name)
    for path in (tree, tree / "conf.d", *tree.rglob("*.conf")):
        os.chown(path, 65534, 65534)
    place.mkdir()
    os.chown(place, 65534, 65534)
    shop = Shop(place)
    os.seteuid(65534)
    try:
        assert len(shop.take(tree).added) == 5
    finally:
        os.seteuid(0)
    for path in (tree / "conf.d", tree / "main.conf"):
        os.chown(path, 0, 0)
        os.chmod(path, 0o700)
    os.seteuid(65534)
    try:
        outcome = shop.take(tree)
    finally:
        os.seteuid(0)
    assert not outcome.removed
    assert f"{tree}/main.conf cannot be read: permission denied" in outcome.problems
    assert f"{tree}/conf.d cannot be looked at: permission denied" in outcome.problems
    assert shop.repository.record("job", shop.ids()[-1])["manifest"]["rows"] == 5


def test_a_dry_look_at_what_was_never_backed_up_sees_all_of_it(shop, tree):
    outcome = Snapshot(shop.repository, Selection([str(tree)]), Options("job"), True).take(time.time())
    assert len(outcome.added) == 5 and not shop.place.exists()


def test_dry_looks_write_nothing(shop, tree):
    shop.take(tree)
    before = shop.files()
    (tree / "main.conf").write_text("listen 81\n")
    outcome = shop.take(tree, dry=True)
    assert outcome.modified == [f"{tree}/main.conf"] and outcome.snapshot is None
    assert shop.files() == before


def test_one_writer_at_a_time(shop, tree):
    shop.take(tree)
    one, two = Repository(str(shop.place)), Repository(str(shop.place))
    one.lock()
    with pytest.raises(Busy, match="another process works on the repository"):
        two.lock()
    one.unlock()
    two.lock(1.0)
    two.unlock()


def test_a_directory_with_other_things_is_no_repository(tree):
    with pytest.raises(BackupError, match=r"is no repository, but holds"):
        Repository(str(tree)).create()


def test_selections(shop, tree):
    (tree / "cache").mkdir()
    (tree / "cache" / "x").write_text("x")
    (tree / "huge").write_bytes(bytes(5000))
    outcome = shop.take(tree, exclude=["cache/", "*.bak"], max_size=4096)
    assert outcome.left_out == [f"{tree}/huge"]
    assert not any("cache" in path for path in outcome.added)
    only = shop.take(tree, name="only", include=["*.conf"])
    assert [path.rsplit("/", 1)[1] for path in only.added if path.endswith(("conf", "huge"))] == ["a.conf", "b.conf", "main.conf"]


def test_clock_that_goes_back(shop, tree):
    shop.take(tree, now=2_000_000_000)
    (tree / "main.conf").write_text("2")
    shop.take(tree, now=1_000_000_000)
    (tree / "main.conf").write_text("3")
    shop.take(tree, now=1_000_000_000)
    ids = shop.ids()
    assert ids == sorted(ids) and [shop.repository.record("job", each)["parent"] for each in ids] == [None, *ids[:2]]
