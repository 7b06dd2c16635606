# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.extras import Extras, remove


def extras(shop, *paths, dest=None):
    record = shop.repository.record("job", shop.ids()[-1])
    return Extras(shop.repository, record, tuple(map(str, paths)), dest).find()


def names(found, root):
    return sorted(os.path.relpath(extra.place, str(root)) for extra in found)


def test_what_is_new_is_found_and_what_was_left_out_stays(shop, tree):
    (tree / "big").write_bytes(b"x" * 5000)
    shop.take(tree, exclude=["*.log", "/tmp/**/cache"], max_size=4000)
    (tree / "big").write_text("small now")
    (tree / "x.log").write_text("")
    (tree / "cache").mkdir()
    (tree / "cache" / "y").write_text("")
    (tree / "main.conf.123.2026-11-20@12:00:00~").write_text("kept aside")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(tree)
        sock.bind("socket")
        os.chdir(here)
    (tree / "new").mkdir()
    (tree / "new" / "z").write_text("")
    (tree / "half").mkdir()
    (tree / "half" / "x.log").write_text("")
    (tree / "half" / "z").write_text("")
    found = extras(shop)
    wanted = ["half/z", "new", "new/z"] if "/tmp/" in str(tree) else ["cache", "cache/y", "half/z", "new", "new/z"]
    assert names(found, tree) == wanted and names(extras(shop, tree / "new"), tree) == ["new", "new/z"]
    remove(found, None, False)
    assert extras(shop) == [] and (tree / "half" / "x.log").exists() and (tree / "big").exists() and (tree / "socket").exists()


def test_nothing_is_removed_through_a_link_that_was_put_there_meanwhile(shop, tree, tmp_path):
    shop.take(tree)
    (tree / "conf.d" / "new").write_text("")
    found = extras(shop)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "new").write_text("not ours")
    os.rename(tree / "conf.d", tmp_path / "away")
    (tree / "conf.d").symlink_to(outside)
    with pytest.raises(BackupError, match="is a symlink or a file there"):
        remove(found, None, False)
    assert (outside / "new").exists()


def test_a_directory_in_the_place_of_a_file_goes_with_all_in_it(shop, tree):
    shop.take(tree)
    (tree / "main.conf").unlink()
    (tree / "main.conf" / "deep").mkdir(parents=True)
    (tree / "main.conf" / "deep" / "file").write_text("")
    found = extras(shop)
    assert names(found, tree) == ["main.conf", "main.conf/deep", "main.conf/deep/file"] and all(extra.way for extra in found)
    remove(found, None, False)
    assert not (tree / "main.conf").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_other_file_systems_stay(shop, tree):
    shop.take(tree)
    (tree / "new" / "mounted").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tree / "new" / "mounted")], check=True)
    try:
        (tree / "new" / "mounted" / "data").write_text("not ours")
        (tree / "new" / "z").write_text("")
        assert names(extras(shop), tree) == ["new/z"]
    finally:
        subprocess.run(["umount", str(tree / "new" / "mounted")], check=True)


def test_a_snapshot_that_does_not_say_what_it_left_out_removes_nothing(shop, tree):
    shop.take(tree)
    record = shop.repository.record("job", shop.ids()[-1])
    del record["selection"]
    with pytest.raises(BackupError, match="does not say what was left out"):
        Extras(shop.repository, record, (), None)
