# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import codec as codecs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.hygiene import slim
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify

from .conftest import ODD_NAMES, facts, torture
from .test_repository import write_files

FORGET = """
import sys
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.hygiene import slim
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
repository = Repository(sys.argv[1]); repository.lock(20)
print("begin", flush=True)
for each in repository.ids("job")[:-2]:
    repository.forget("job", each)
repository.sweep()
print(slim(repository, codec(sys.argv[2]), 2, 0))
"""


def forget(shop, *ids):
    shop.repository.lock()
    try:
        for each in ids:
            shop.repository.forget("job", each)
        shop.repository.sweep()
    finally:
        shop.repository.unlock()


def slimmed(shop, how="gzip", small=0):
    shop.repository.lock()
    try:
        return slim(shop.repository, codec(how), 2, small)
    finally:
        shop.repository.unlock()


@pytest.mark.parametrize("first", codecs.SUFFIXES)
@pytest.mark.parametrize("then", codecs.SUFFIXES)
def test_an_archive_of_which_little_is_needed_becomes_small(shop, tmp_path, first, then):
    root = tmp_path / "tree"
    torture(root)
    for number in range(8):
        (root / f"noise{number}").write_bytes(os.urandom(300_000))
    old = shop.take(root, compression=first).snapshot
    for number in range(8):
        (root / f"noise{number}").unlink()
    (root / "big").unlink()
    (root / "sparse").unlink()
    os.symlink("new", root / "new link")
    shop.take(root, compression=first)
    assert slimmed(shop) == [] and Path(shop.repository.archive(old)).name == f"{old}{codecs.SUFFIXES[first]}"  # all of it is needed yet
    forget(shop, old)
    before = os.path.getsize(shop.repository.archive(old))
    assert slimmed(shop, then, small=before + 1) == [] and os.path.getsize(shop.repository.archive(old)) == before
    assert slimmed(shop, then) == []
    place = Path(shop.repository.archive(old))
    assert place.name == f"{old}.1{codecs.SUFFIXES[then]}" and place.stat().st_size < before / 5
    assert sorted(each.name for each in place.parent.iterdir() if each.name.startswith(old)) == sorted([place.name, f"{old}.1.jsonl.gz"])
    assert verify(shop.repository, ["job"]) == []
    assert not shop.take(root).changed
    shop.back(tmp_path / "back")
    assert facts(f"{tmp_path}/back{root}") == facts(root, sockets=False)
    by_tar(shop, tmp_path / "by tar")
    assert facts(f"{tmp_path}/by tar{root}") == facts(root, sockets=False)
    assert set(map(os.fsencode, os.listdir(root))) >= set(ODD_NAMES)


def by_tar(shop, place):
    """As the file FORMAT says."""
    place.mkdir()
    for archive in shop.repository.record("job", shop.ids()[-1])["archives"]:
        command = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", shop.repository.archive(archive), "-C", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_damaged_archive_is_not_written_anew(shop, tree):
    (tree / "noise").write_bytes(os.urandom(3 << 20))
    old = shop.take(tree).snapshot
    (tree / "noise").unlink()
    shop.take(tree)
    forget(shop, old)
    place = Path(shop.repository.archive(old))
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    (said,) = slimmed(shop)
    assert old in said and "could not be written anew" in said
    assert place.read_bytes() == whole[: len(whole) // 2] and not list((shop.place / "tmp").iterdir())
    place.write_bytes(whole)
    assert slimmed(shop) == [] and verify(shop.repository, ["job"]) == []


def test_a_record_that_cannot_be_read_keeps_everything(shop, tree):
    (tree / "noise").write_bytes(os.urandom(3 << 20))
    old = shop.take(tree).snapshot
    (tree / "noise").unlink()
    second = shop.take(tree).snapshot
    (tree / "main.conf").write_text("x")
    shop.take(tree)
    forget(shop, old)
    place = shop.place / "snapshots" / "job" / f"{second}.json"
    whole = place.read_bytes()
    place.write_bytes(b"{")
    before = shop.files()
    assert slimmed(shop) == [] and shop.files() == before
    place.write_bytes(whole)
    assert slimmed(shop) == [] and shop.files() != before


def test_without_room_all_stays(shop, tree, monkeypatch):
    (tree / "noise").write_bytes(os.urandom(3 << 20))
    old = shop.take(tree).snapshot
    (tree / "noise").unlink()
    shop.take(tree)
    forget(shop, old)
    before = shop.files()
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((4096, 4096, 100, 100, 100, 9, 9, 9, 0, 255)))
    (said,) = slimmed(shop)
    assert "no room" in said and shop.files() == before


@pytest.mark.parametrize("how", ["missing", "cut", "noise", "empty"])
@pytest.mark.parametrize("compression", codecs.SUFFIXES)
def test_an_index_is_made_anew_of_its_archive(shop, tmp_path, how, compression):
    root = tmp_path / "tree"
    torture(root)
    taken = shop.take(root, compression=compression).snapshot
    index = Path(shop.repository.archive_index(taken))
    whole = index.read_bytes()
    if how == "missing":
        index.unlink()
    else:
        index.write_bytes({"cut": whole[: len(whole) // 2], "noise": os.urandom(200), "empty": b""}[how])
    shop.repository.shelf.forget()
    shop.back(tmp_path / "back")  # for this run, as nobody may write
    assert facts(f"{tmp_path}/back{root}") == facts(root, sockets=False)
    assert index.exists() == (how != "missing")
    shop.repository.shelf.forget()
    shop.repository.shelf.mended.clear()
    (problem,) = verify(shop.repository, ["job"])
    assert "made anew of the archive for now" in problem.what and taken in problem.what
    (root / "new").write_text("new")
    outcome = shop.take(root, compression=compression)
    (said,) = outcome.problems
    assert said.endswith("made anew of the archive") and outcome.added == [f"{root}/new"]
    shop.repository.shelf.forget()
    assert verify(shop.repository, ["job"]) == [] and index.exists()
    assert outcome.stats["new_bytes"] == 3


def killed_rounds(shop, root, tmp_path, rounds):
    """Forgetting and writing anew, killed at a random moment; what is kept is always there."""
    chance, died, span = random.Random(rounds), 0, 0.0
    for number in range(1, rounds + 1):
        write_files(root, number, 150)
        shop.take(root)
        if number < 3:
            continue
        then = facts(root)
        child = subprocess.Popen(
            [sys.executable, "-c", FORGET, str(shop.place), chance.choice(list(codecs.SUFFIXES))], stdout=subprocess.PIPE, text=True
        )
        child.stdout.readline()
        if number == 3:  # how long it takes on this machine
            begin = time.monotonic()
            child.wait(60)
            span = time.monotonic() - begin
        else:
            time.sleep(chance.random() * 0.7 * span)
            child.send_signal(signal.SIGKILL)
            died += child.wait(30) < 0
        child.stdout.close()
        shop.repository.shelf.forget()
        assert verify(shop.repository, ["job"]) == []
        if number % 10 == 0 or number == rounds:
            shop.back(tmp_path / f"back{number}")
            assert facts(f"{tmp_path}/back{number}{root}") == then
    assert died > rounds // 4, f"only {died} of {rounds} were killed in time"
    assert not shop.take(root).changed
    assert not list((shop.place / "tmp").iterdir())
    for place in (shop.place / "archives").iterdir():
        assert str(place) in (shop.repository.archive(place.name.split(".")[0]), shop.repository.archive_index(place.name.split(".")[0]))


def test_killed_while_archives_are_written_anew(shop, tmp_path):
    (tmp_path / "tree").mkdir()
    write_files(tmp_path / "tree", 0, 150)
    killed_rounds(shop, tmp_path / "tree", tmp_path, 12)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_killed_hundreds_of_times_while_archives_are_written_anew(shop, tmp_path):
    (tmp_path / "tree").mkdir()
    write_files(tmp_path / "tree", 0, 150)
    killed_rounds(shop, tmp_path / "tree", tmp_path, 300)


def test_a_library_that_is_missing_is_named(shop, tree, monkeypatch):
    from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import zstd

    monkeypatch.setattr(zstd, "_FOUND", [])
    monkeypatch.setattr(zstd, "_by_package", lambda: None)
    monkeypatch.setattr(zstd, "_by_library", lambda: None)
    with pytest.raises(BackupError, match=r"no library for zstd; install libzstd \(Debian libzstd1\), Python 3\.14, or the Python package"):
        shop.take(tree, compression="zstd")
    assert shop.ids() == []
