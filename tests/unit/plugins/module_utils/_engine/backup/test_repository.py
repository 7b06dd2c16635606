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
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify

from .conftest import facts

TAKE = """
import sys, time
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Options
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.snapshot import Snapshot
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Selection
repository = Repository(sys.argv[1]); repository.create(); repository.lock(20)
print("begin", flush=True)
print(Snapshot(repository, Selection([sys.argv[2]]), Options("job")).take(time.time()).snapshot)
"""


def write_files(root, number, count=300):
    """Files that differ from number to number."""
    chance = random.Random(number)
    for each in range(count):
        if not number or chance.random() < 0.3:
            (root / f"f{each:03d}").write_bytes(
                chance.randbytes(chance.randrange(20_000)) if hasattr(chance, "randbytes") else os.urandom(9000)
            )


def killed_runs(shop, root, rounds, chance):
    """Backups that are killed at a random moment; after each the last whole snapshot is what it was."""
    died = 0
    for number in range(1, rounds + 1):
        write_files(root, number)
        now = facts(root)
        child = subprocess.Popen([sys.executable, "-c", TAKE, str(shop.place), str(root)], stdout=subprocess.PIPE, text=True)
        child.stdout.readline()
        time.sleep(chance.random() * 0.15)
        child.send_signal(signal.SIGKILL)
        if child.wait(30) < 0:
            died += 1
        child.stdout.close()
        ids = shop.ids()
        for place in (shop.place / "snapshots" / "job").iterdir():
            assert place.stem in ids
        yield number, now
    assert died > rounds // 4, f"only {died} of {rounds} were killed in time"


def check_kills(shop, root, tmp_path, rounds):
    write_files(root, 0)
    shop.take(root)
    then, before = facts(root), shop.ids()
    for number, now in killed_runs(shop, root, rounds, random.Random(rounds)):
        assert shop.ids()[: len(before)] == before
        if len(shop.ids()) > len(before):
            then, before = now, shop.ids()
        if number % 5 == 0 or number == rounds:
            assert verify(shop.repository, ["job"]) == []
            shop.back(tmp_path / f"back{number}")
            assert facts(f"{tmp_path}/back{number}{root}") == then
    shop.take(root)
    assert not list((shop.place / "tmp").iterdir())
    kept = set(shop.ids())
    used = {archive for each in kept for archive in shop.repository.record("job", each)["archives"]}
    assert {path.name.split(".")[0] for path in (shop.place / "archives").iterdir()} <= used
    assert {path.name.split(".")[0] for path in (shop.place / "manifests").iterdir()} == kept
    shop.back(tmp_path / "last")
    assert facts(f"{tmp_path}/last{root}") == facts(root)


def test_killed_backups_lose_nothing(shop, tmp_path):
    (tmp_path / "tree").mkdir()
    check_kills(shop, tmp_path / "tree", tmp_path, 15)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_hundreds_of_killed_backups_lose_nothing(shop, tmp_path):
    (tmp_path / "tree").mkdir()
    check_kills(shop, tmp_path / "tree", tmp_path, 400)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_disk_leaves_every_snapshot_as_it_was(shop, tree, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"A FULL DISK IS NOT TRIED: {mount.stderr.strip()}")
    try:
        shop.place = place / "repository"
        shop.repository = Repository(str(shop.place))
        shop.take(tree)
        before = facts(tree)
        (tree / "noise").write_bytes(os.urandom(6 << 20))
        with pytest.raises(BackupError, match="no space left"):
            shop.take(tree)
        assert len(shop.ids()) == 1 and not list((shop.place / "tmp").iterdir())
        assert verify(shop.repository, ["job"]) == []
        shop.back(tmp_path / "back")
        assert facts(f"{tmp_path}/back{tree}") == before
        (tree / "noise").unlink()
        (tree / "main.conf").write_text("listen 81\n")
        assert shop.take(tree).modified == [f"{tree}/main.conf"]
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_one_flipped_bit_is_found_and_the_files_it_touches_are_named(shop, tree):
    (tree / "noise").write_bytes(os.urandom(3 << 20))
    shop.take(tree)
    (archive,) = (shop.place / "archives").glob("*.tar.gz")
    whole = archive.read_bytes()
    places = shop.repository.contents(archive.name.split(".")[0])
    assert verify(shop.repository, ["job"]) == []
    hit = max(place.at for place in places.values()) + 100_000
    archive.write_bytes(whole[:hit] + bytes([whole[hit] ^ 1]) + whole[hit + 1 :])
    (problem,) = verify(shop.repository, ["job"])
    assert problem.paths == (f"{tree}/noise",) and problem.snapshots == tuple(shop.ids())
    with pytest.raises(BackupError):
        shop.back(tree.parent / "back")
    archive.write_bytes(whole[: len(whole) // 2])
    assert any(f"{tree}/noise" in problem.paths for problem in verify(shop.repository, ["job"]))
    archive.unlink()
    (problem,) = verify(shop.repository, ["job"])
    assert "missing" in problem.what and len(problem.paths) == 4


@pytest.mark.parametrize("part", ["manifests", "snapshots/job", "archives"])
@pytest.mark.parametrize("how", ["cut", "noise", "empty"])
def test_damaged_parts_are_said_and_nothing_is_thrown_away(shop, tree, part, how):
    shop.take(tree)
    (tree / "main.conf").write_text("listen 81\n")
    shop.take(tree)
    place = sorted((shop.place / part).glob("*.json*"))[-1]
    whole = place.read_bytes()
    place.write_bytes({"cut": whole[: len(whole) // 2], "noise": os.urandom(200), "empty": b""}[how])
    left = set(shop.files())
    assert verify(shop.repository, ["job"])
    (tree / "main.conf").write_text("listen 82\n")
    outcome = shop.take(tree)
    assert len(outcome.problems) == 1 and outcome.snapshot
    assert left <= set(shop.files())
    shop.back(tree.parent / "back")
    assert facts(f"{tree.parent}/back{tree}") == facts(tree)
    place.write_bytes(whole)
    assert verify(shop.repository, ["job"]) == []


def stamps(*texts):
    return [f"{text}-{number:08x}" for number, text in enumerate(texts)]


def test_retention():
    ids = stamps(
        "20250101T000000Z",
        "20251231T000000Z",
        "20260101T100000Z",
        "20260102T100000Z",
        "20260102T110000Z",
        "20260103T110000Z",
        "20260103T110001Z",
    )
    now = retention.moment(ids[-1])
    assert list(retention.kept(ids, {}, now)) == ids
    assert set(retention.kept(ids, {"last": 2}, now)) == set(ids[-2:])
    assert set(retention.kept(ids, {"daily": 2}, now)) == {ids[-1], ids[4]}
    assert set(retention.kept(ids, {"yearly": 9}, now)) == {ids[-1], ids[1]}
    assert set(retention.kept(ids, {"hourly": 2}, now)) == {ids[-1], ids[4]}
    assert set(retention.kept(ids, {"within": 86400.0}, now)) == {ids[-1], ids[-2]}
    assert retention.kept(ids, {"monthly": 1, "last": 1}, now) == {ids[-1]: ["newest", "last", "monthly"]}
    assert list(retention.kept(ids, {"within": 1.0}, now + 10**9)) == [ids[-1]]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"dayly": 1}, "there is no 'dayly'"),
        ({"daily": -1}, "retention.daily"),
        ({"last": True}, "retention.last"),
        ({"last": 0}, "nothing"),
    ],
)
def test_bad_policies(raw, words):
    with pytest.raises(ValueError, match=words):
        retention.read_policy(raw, float)


def test_what_kept_snapshots_need_stays(shop, tree, tmp_path):
    seen = []
    for number in range(4):
        (tree / "main.conf").write_text(f"listen {number}\n")
        shop.take(tree)
        seen.append(facts(tree))
    ids = shop.ids()
    for each in (ids[0], ids[2]):
        shop.repository.forget("job", each)
    shop.repository.lock()
    shop.repository.unlock()
    assert shop.ids() == [ids[1], ids[3]] and verify(shop.repository, ["job"]) == []
    assert not Path(shop.repository.archive(ids[2])).exists() and Path(shop.repository.archive(ids[0])).exists()
    for place, then in ((0, seen[1]), (1, seen[3])):
        shop.back(tmp_path / f"back{place}", snapshot=place)
        assert facts(f"{tmp_path}/back{place}{tree}") == then
    assert not shop.take(tree).changed
