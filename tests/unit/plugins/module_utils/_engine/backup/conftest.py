# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees of every kind of path, and what they are made of."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.outcome import Options
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.restore import Restore, Wish
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.snapshot import Snapshot
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.walk import Selection

ODD_NAMES = [
    b"plain", b"with space", b" leading", b"new\nline", b"tab\there", b"back\\slash", b"quote'\"", b"-dash", b"\xff\xfe bytes", "ümläut 中文".encode(),
    b"a" * 255, b"*glob?", b"~", b".hidden", b"..dots", b"x\x01control",
]  # fmt: skip


def torture(root):
    """Every kind of path that this user may make."""
    place = os.fsencode(root)
    os.makedirs(place, exist_ok=True)
    for name in ODD_NAMES:
        with open(os.path.join(place, name), "wb") as file:
            file.write(name * 3)
    deep = place
    while len(deep) < 3000:
        deep = os.path.join(deep, b"d" * 200)
        os.mkdir(deep)
    with open(os.path.join(deep, b"end"), "wb") as file:
        file.write(b"deep")
    os.mkdir(os.path.join(place, b"empty dir"), 0o751)
    with open(os.path.join(place, b"empty"), "wb"):
        pass
    with open(os.path.join(place, b"big"), "wb") as file:
        for number in range(6):
            file.write(os.urandom(1 << 20) if number % 2 else bytes([number]) * (1 << 20))
    with open(os.path.join(place, b"sparse"), "wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
        file.truncate(5 << 20)
    os.symlink(b"plain", os.path.join(place, b"link"))
    os.symlink(b"/does/not/exist/" + b"x" * 200, os.path.join(place, b"dangling"))
    os.symlink(b"..", os.path.join(place, b"up"))
    os.link(os.path.join(place, b"plain"), os.path.join(place, b"zz other name"))
    os.link(os.path.join(place, b"plain"), os.path.join(place, b"empty dir", b"third name"))
    os.mkfifo(os.path.join(place, b"fifo"), 0o640)
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(place)
        sock.bind("socket")
        os.chdir(here)
    os.chmod(os.path.join(place, b"tab\there"), 0o4711)
    os.utime(os.path.join(place, b"plain"), ns=(10**18 + 123456789, 10**18 + 987654321))
    try:
        os.setxattr(os.path.join(place, b".hidden"), b"user.note", b"a\0b\xff")
    except OSError:  # the file system knows none
        pass


def facts(root, times=True, sockets=True):
    """{path below root: all that must be alike}."""
    found, inodes = {}, {}
    root = os.fsencode(root)
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFSOCK and not sockets:
                continue
            content = None
            if kind == stat.S_IFREG:
                with open(path, "rb") as file:
                    content = file.read()
            elif kind == stat.S_IFLNK:
                content = os.readlink(path)
            short = os.path.relpath(path, root)
            first = inodes.setdefault(status.st_ino, short) if status.st_nlink > 1 and kind == stat.S_IFREG else None
            attributes = {each: os.getxattr(path, each, follow_symlinks=False) for each in os.listxattr(path, follow_symlinks=False)}
            when = status.st_mtime_ns if times and kind != stat.S_IFDIR else None
            found[short] = (kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, content, when, first is not None, attributes)
    return found


class Shop:
    """A repository with short words for what tests do."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.repository = Repository(str(place))

    def take(self, *paths, name="job", now=None, dry=False, comparer=None, paranoid=False, compression="gzip", **selection):
        repository = Repository(str(self.place))
        repository.create()
        repository.lock()
        try:
            wanted = Selection([str(path) for path in paths], **selection)
            return Snapshot(repository, wanted, Options(name, paranoid, compression=compression), dry, comparer).take(
                time.time() if now is None else now
            )
        finally:
            repository.unlock()

    def ids(self, name="job"):
        return self.repository.ids(name)

    def files(self):
        """Everything in the repository with its size, but for the lock."""
        return {str(path.relative_to(self.place)): path.stat().st_size for path in self.place.rglob("*") if path.is_file()}

    def back(self, dest=None, *paths, snapshot=-1, name="job", **wish):
        record = self.repository.record(name, self.ids(name)[snapshot])
        restore = Restore(self.repository, record, Wish(tuple(map(str, paths)), None if dest is None else str(dest), **wish))
        restore.plan()
        restore.run()
        return restore


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "repository")


@pytest.fixture
def tree(tmp_path):
    """A small tree whose files are old enough to be trusted."""
    root = tmp_path / "tree"
    (root / "conf.d").mkdir(parents=True)
    (root / "main.conf").write_text("listen 80\n")
    (root / "conf.d" / "a.conf").write_text("a 1\n")
    (root / "conf.d" / "b.conf").write_text("b 1\n")
    return root
