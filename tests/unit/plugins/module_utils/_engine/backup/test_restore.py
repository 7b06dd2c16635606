# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Damaged
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restore import Restore, Wish

from .conftest import facts, torture


def plan(shop, dest=None, *paths, **wish):
    record = shop.repository.record("job", shop.ids()[-1])
    restore = Restore(shop.repository, record, Wish(tuple(map(str, paths)), None if dest is None else str(dest), **wish))
    return [entry.path for entry in restore.plan()]


def rewrite(shop, change):
    """Change the rows of the last manifest, as somebody would who wants to write elsewhere."""
    record_id = shop.ids()[-1]
    place = Path(shop.repository.manifest(record_id))
    lines = [json.loads(line) for line in gzip.decompress(place.read_bytes()).splitlines()]
    for line in lines:
        change(line)
    place.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


def test_in_place_only_what_differs(shop, tmp_path):
    root = tmp_path / "tree"
    torture(root)
    shop.take(root)
    before = facts(root)
    assert plan(shop) == []
    (root / "plain").unlink()
    (root / "big").write_bytes(b"spoilt")
    os.chmod(root / "tab\there", 0o600)
    os.unlink(root / "link")
    os.symlink("elsewhere", root / "link")
    shutil.rmtree(root / "empty dir")
    (root / "mine").write_text("added later")
    wanted = {str(root / name) for name in ("plain", "big", "tab\there", "link", "empty dir", "empty dir/third name", "zz other name")}
    assert set(plan(shop)) == wanted
    shop.back()
    (root / "mine").unlink()
    assert facts(root) == before
    assert (root / "plain").stat().st_ino == (root / "empty dir" / "third name").stat().st_ino
    assert plan(shop) == []


def test_directories_in_which_nothing_is_put_back_are_left_alone(shop, tree):
    shop.take(tree)
    (tree / "main.conf").unlink()
    os.utime(tree / "conf.d", (1, 1))
    shop.back()
    assert (tree / "main.conf").exists() and (tree / "conf.d").stat().st_mtime == 1


def test_some_paths_alone(shop, tree, tmp_path):
    shop.take(tree)
    shop.back(tmp_path / "back", tree / "conf.d")
    assert sorted(path.name for path in (tmp_path / "back").rglob("*.conf")) == ["a.conf", "b.conf"]
    with pytest.raises(BackupError, match=r"holds no .*missing\.conf"):
        plan(shop, tmp_path / "back", tree / "missing.conf")


def test_one_file_out_of_the_middle_of_a_large_archive(shop, tree, tmp_path):
    for number in range(60):
        (tree / f"r{number:02d}").write_bytes(os.urandom(200_000))
    shop.take(tree)
    shop.back(tmp_path / "back", tree / "r37")
    assert Path(f"{tmp_path}/back{tree}/r37").read_bytes() == (tree / "r37").read_bytes()


def test_what_is_replaced_is_kept_when_asked(shop, tree):
    shop.take(tree)
    (tree / "main.conf").write_text("mine")
    restore = shop.back(None, keep=True)
    assert (tree / "main.conf").read_text() == "listen 80\n"
    (kept,) = restore.kept
    assert Path(kept).read_text() == "mine" and Path(kept).name.startswith("main.conf.") and kept.endswith("~")


def test_a_symlink_in_the_way_is_not_followed(shop, tree, tmp_path):
    """Somebody replaced a directory by a symlink to a place where nobody should write."""
    shop.take(tree)
    victim = tmp_path / "victim"
    victim.mkdir()
    shutil.rmtree(tree / "conf.d")
    (tree / "conf.d").symlink_to(victim)
    shop.back()
    assert not list(victim.iterdir()) and (tree / "conf.d" / "a.conf").read_text() == "a 1\n"
    dest = tmp_path / "dest"
    dest.mkdir()
    (dest / str(tree).split("/")[1]).symlink_to(victim)
    with pytest.raises(BackupError, match="is a symlink or a file there"):
        shop.back(dest)
    assert not list(victim.iterdir())


def test_a_file_that_is_a_symlink_now_is_replaced_not_written_through(shop, tree, tmp_path):
    shop.take(tree)
    (tmp_path / "passwd").write_text("precious")
    (tree / "main.conf").unlink()
    (tree / "main.conf").symlink_to(tmp_path / "passwd")
    shop.back()
    assert (tmp_path / "passwd").read_text() == "precious" and (tree / "main.conf").read_text() == "listen 80\n"


@pytest.mark.parametrize("path", ["/tmp/../etc/evil", "relative", "/a//b", "/a/./b", "/a\x00b"])
def test_paths_that_lead_elsewhere_are_refused(shop, tree, tmp_path, path):
    shop.take(tree)

    def change(row):
        if row["path"].endswith("main.conf"):
            row["path"] = path

    rewrite(shop, change)
    with pytest.raises(Damaged, match="not absolute and plain"):
        shop.back(tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_symlink_in_the_snapshot_does_not_lead_others_astray(shop, tree, tmp_path):
    """A manifest that says a is a symlink to elsewhere, and a/b a file."""
    shop.take(tree)

    def change(row):
        if row["path"].endswith("conf.d"):
            row.update(kind="symlink", target=str(tmp_path / "victim"))

    (tmp_path / "victim").mkdir()
    rewrite(shop, change)
    with pytest.raises(BackupError, match="is a symlink or a file there"):
        shop.back(tmp_path / "back")
    assert not list((tmp_path / "victim").iterdir())


def test_a_directory_in_the_way_of_a_file_is_not_thrown_away(shop, tree):
    shop.take(tree)
    (tree / "main.conf").unlink()
    (tree / "main.conf").mkdir()
    (tree / "main.conf" / "precious").write_text("x")
    with pytest.raises(BackupError, match="there is a directory of that name"):
        shop.back()
    assert (tree / "main.conf" / "precious").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="devices take root")
def test_devices_come_back_only_when_asked(shop, tree, tmp_path):
    try:
        os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError as exc:
        pytest.skip(f"NO DEVICE IS TRIED: {exc}")
    shop.take(tree)
    restore = shop.back(tmp_path / "without")
    assert not Path(f"{tmp_path}/without{tree}/null").exists() and "is a device" in restore.warnings[0]
    shop.back(tmp_path / "with", devices=True)
    assert os.stat(f"{tmp_path}/with{tree}/null").st_rdev == os.makedev(1, 3)


def test_a_swapped_content_is_never_put_in_place(shop, tree, tmp_path):
    shop.take(tree)

    def change(row):
        if row["path"].endswith("a.conf"):
            row["sha256"] = hashlib.sha256(b"b 1\n").hexdigest()

    rewrite(shop, change)
    shop.back(tmp_path / "back")  # the manifest is believed, and it names a content that is there
    index = Path(shop.repository.archive_index(shop.ids()[-1]))
    rows = [json.loads(line) for line in gzip.decompress(index.read_bytes()).splitlines()]
    for row in rows:
        row["skip"] = rows[0]["skip"]
    index.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    shop.repository.shelf.forget()
    with pytest.raises(BackupError):
        shop.back(tmp_path / "other")
    assert all(path.read_bytes() in (b"listen 80\n", b"b 1\n", b"a 1\n") for path in (tmp_path / "other").rglob("*") if path.is_file())
