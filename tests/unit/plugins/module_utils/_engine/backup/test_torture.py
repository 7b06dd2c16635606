# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees that nobody has, and what may happen to a repository."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import codec as codecs
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import tarhead, zstd
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry, dump, entry_of, read_rows
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.reach import directory
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify

from .conftest import Shop, facts, torture
from .test_repository import TAKE

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


def program(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, errors="surrogateescape")
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def mounted(place, *options):
    """A small file system of its own."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NO FILE SYSTEM CAN BE MOUNTED HERE: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


# --- GNU tar ---


@pytest.mark.parametrize("compression", codecs.SUFFIXES)
def test_gnu_tar_makes_identical_trees(shop, tmp_path, compression):
    root = tmp_path / "tree"
    torture(root)
    if shutil.which("setfacl"):
        program("setfacl", "-m", "u:65534:r,m::rwx", str(root / "plain"))
        program("setfacl", "-d", "-m", "g:65534:rx", str(root / "empty dir"))
    else:
        pytest.fail("the programs of the Debian packages acl and attr are needed, see tools/system_packages.py")
    (root / "random").write_bytes(os.urandom(100_000))
    os.link(root / "random", root / "random too")
    shop.take(root, compression=compression)
    (root / "plain").write_bytes(b"another content")
    (root / "added").write_bytes(b"new")
    os.unlink(root / "link")
    os.symlink("elsewhere", root / "link")
    shop.take(root, compression=compression)
    place = tmp_path / "by tar"
    place.mkdir()
    for archive in shop.repository.record("job", shop.ids()[-1])["archives"]:
        path = shop.repository.archive(archive)
        assert path.endswith(codecs.SUFFIXES[compression])
        program("tar", "--xattrs", "--acls", "--xattrs-include=*", "-xpf", path, "-C", str(place))
    there = f"{place}{root}"
    assert facts(there) == facts(root, sockets=False)
    shop.back(tmp_path / "back")
    for other in (there, f"{tmp_path}/back{root}"):
        program("diff", "-r", "--no-dereference", "--exclude=fifo", "--exclude=socket", str(root), other)
        for ask in (("getfattr", "-R", "-h", "-d", "-m-"), ("getfacl", "-R", "-p", "-n")):
            mine, copy = (_asked(ask, folder) for folder in (str(root), other))
            assert mine == copy and len(mine) > 5, ask
    os.unlink(root / "link")


def _asked(ask, folder):
    """What a program says of every path, but for sockets, which no archive holds."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        lines = program(*ask, ".").split("\n\n")
    finally:
        os.chdir(here)
    return sorted(part for part in lines if "# file: ./socket" not in part and "# file: socket" not in part)


def test_heads_are_what_tarfile_reads(tmp_path):
    """Random paths, owners, times and attributes, read by Python's own reader of tars."""
    chance = random.Random(3)

    def name():
        return "/" + "".join(
            chance.choice(["a", "b/", "é", "\udcff", "中", " ", "xyz" * chance.randrange(40)]) for _piece in range(9)
        ).strip("/")

    kinds = {
        "file": tarfile.REGTYPE,
        "directory": tarfile.DIRTYPE,
        "symlink": tarfile.SYMTYPE,
        "fifo": tarfile.FIFOTYPE,
        "character_device": tarfile.CHRTYPE,
    }
    for _number in range(2000):
        kind = chance.choice(list(kinds))
        entry = Entry(
            name(), kind, mode=chance.randrange(0o10000), uid=chance.choice([0, 5, 10**7, 3 * 10**9]), gid=chance.choice([0, 100]),
            user=chance.choice(["", "root", "ü" * 20, "u" * 40]), group="g", size=chance.choice([0, 77, 8**11 + 5, 8**11 - 1]),
            mtime=chance.choice([0, 10**18 + 5, 10**18, -5, -5 * 10**9, 8**11 * 10**9]), xattrs={"user.x": b"a\xff"} if chance.random() < 0.2 else {},
            target=name() if kind == "symlink" else None, device="1:3" if kind == "character_device" else None,
        )  # fmt: skip
        raw = tarhead.header(entry)
        with tarfile.open(fileobj=io.BytesIO(raw + bytes(1024)), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
            (info,) = [archive.next()]
        assert info.name == (entry.path.strip("/") or ".") and info.type == kinds[kind]
        assert (info.mode, info.uid, info.gid, info.uname, info.gname) == (entry.mode, entry.uid, entry.gid, entry.user, "g")
        assert float(info.mtime) == pytest.approx(entry.mtime / 1e9) and info.linkname == (entry.target or "")
        assert info.size == (entry.size if kind == "file" else 0)
        head = tarhead.read_head(io.BytesIO(raw + bytes(1024)).read)
        assert head.raw == raw and os.fsdecode(head.path) == (entry.path.strip("/") or ".") and head.size == info.size


def test_rows_are_json(tmp_path):
    root = tmp_path / "tree"
    torture(root)
    for entry in (
        Entry(
            '/a\udcff"\\\n',
            "file",
            mode=0o4755,
            size=3,
            sha256="ab" * 32,
            archive="x",
            links=2,
            sparse=True,
            torn=True,
            xattrs={"user.a": b"\0"},
        ),
        Entry("/l", "symlink", target="中\udc80", uid=7, gid=8, user="u", group="g", mtime=-5, ctime=5, inode="1:2"),
        Entry("/h", "file", hardlink="/a\udcff", mode=0o7),
        Entry("/d", "block_device", device="8:0"),
    ):
        (row,) = read_rows([dump(entry)])
        assert row == json.loads(dump(entry))
        again = entry_of(row)
        assert all(getattr(again, each) == getattr(entry, each) for each in Entry.__slots__)
    for line in (
        b"[]\n",
        b'{"path": "/a"}\n',
        b'{"path": 5, "kind": "file"}\n',
        b'{"path": "/a", "kind": "x"}\n',
        b'{"path": "/a", "kind": "file"}, {}\n',
    ):
        with pytest.raises(ValueError, match=r"\S"):
            read_rows([line])


# --- codecs ---


def ways():
    found = {"the library": zstd._by_library(), "a package": zstd._by_package()}
    return {name: way for name, way in found.items() if way is not None}


def test_every_way_to_zstd_reads_what_the_others_wrote():
    data = [os.urandom(300_000), b"listen 80\n" * 200_000, b""]
    found = ways()
    assert found, "this host has no zstd at all"
    for one in found.values():
        pressed = b"".join(one.press(each, 3) for each in data)
        for other in found.values():
            rest, got = pressed, []
            while rest:
                unpacker, out = other.unpacker(), []
                while not unpacker.eof:
                    out.append(unpacker.decompress(rest[:1000]))
                    rest = (unpacker.unused_data if unpacker.eof else b"") + rest[1000:]
                got.append(b"".join(out))
            assert got == data
            with pytest.raises(other.errors):
                other.unpacker().decompress(b"this is no frame of zstd at all")


def test_every_way_to_gzip_is_gzip():
    data = b"listen 80\n" * 200_000 + os.urandom(100_000)
    for press in (codecs._by_isal(), codecs._by_libdeflate(), lambda each: codecs._member(each, 2), lambda each: codecs._gzip(each, False)):
        if press is not None:
            assert gzip.decompress(press(data) + press(b"") + press(data)) == data * 2


def test_what_is_pressed_already_is_not_pressed_again(shop, tree):
    assert codecs.dense(os.urandom(5000)) and not codecs.dense(b"listen 80\n" * 500) and not codecs.dense("größe = 5\n".encode() * 500)
    (tree / "text").write_text("listen 80\n" * 100_000)
    (tree / "noise").write_bytes(os.urandom(2 << 20))
    stored = shop.take(tree).stats["stored_bytes"]
    assert 2 << 20 <= stored < (2 << 20) + 20_000


# --- trees ---


def far(root, size):
    """A file so deep below a directory that its path has ``size`` bytes, and the depth."""
    handle, part, left = directory(str(root)), "d" * 250, size
    while left > 260:
        os.mkdir(part, dir_fd=handle)
        inner = os.open(part, os.O_PATH | os.O_DIRECTORY, dir_fd=handle)
        os.close(handle)
        handle, left = inner, left - 251
    file = os.open("f" * (left - 1), os.O_CREAT | os.O_WRONLY, 0o640, dir_fd=handle)
    os.write(file, b"far away")
    os.setxattr(file, "user.note", b"far")
    os.close(file)
    os.symlink("f" * (left - 1), "link", dir_fd=handle)
    os.link("f" * (left - 1), "other name", src_dir_fd=handle, dst_dir_fd=handle)
    os.mkfifo("fifo", dir_fd=handle)
    os.close(handle)


@pytest.mark.parametrize("size", [3900, 4096, 9000])
def test_paths_that_the_kernel_does_not_take_at_once(shop, tmp_path, size):
    root = tmp_path / "tree"
    root.mkdir()
    far(root, size)
    outcome = shop.take(root)
    assert not outcome.problems and len(os.fsencode(max(outcome.added, key=len))) >= size
    assert not shop.take(root).changed and not shop.take(root, paranoid=True).changed
    assert verify(shop.repository, ["job"]) == []
    restore = shop.back(tmp_path / "back")
    assert not restore.warnings
    again = Shop(tmp_path / "second")
    outcome = again.take(f"{tmp_path}/back{root}")
    first, second = ({row.row["path"][len(start):]: row.row for row in each.repository.rows(each.repository.record("job", each.ids()[-1]))}
                     for each, start in ((shop, str(root)), (again, f"{tmp_path}/back{root}")))  # fmt: skip
    same = ("kind", "mode", "size", "sha256", "mtime", "target", "xattrs", "links")
    assert {path: [row.get(key) for key in same if key != "mtime" or row["kind"] != "directory"] for path, row in first.items()} == {
        path: [row.get(key) for key in same if key != "mtime" or row["kind"] != "directory"] for path, row in second.items()
    }
    restore = shop.back()  # in its own place, where all of it is
    shutil.rmtree(tmp_path / "back", ignore_errors=True)
    subprocess.run(["rm", "-rf", str(root), str(tmp_path / "back")], check=True)


def crowd(root, count):
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    for number in range(count):
        os.close(os.open(f"f{number:06d}", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=handle))
    os.close(handle)
    (root / "f000007").write_text("seven")


def many(shop, root, count):
    crowd(root, count)
    assert len(shop.take(root).added) == count + 1
    os.unlink(root / "f000009")
    (root / "new").write_text("new")
    outcome = shop.take(root)
    assert (outcome.added, outcome.modified, outcome.removed) == ([f"{root}/new"], [], [f"{root}/f000009"])
    shop.back(root.parent / "back")
    assert sorted(os.listdir(f"{root.parent}/back{root}")) == sorted(os.listdir(root))


def test_many_entries_in_a_directory(shop, tmp_path):
    many(shop, tmp_path / "tree", 5000)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_thousand_entries_in_a_directory(shop, tmp_path):
    many(shop, tmp_path / "tree", 100_000)


def test_attributes_of_a_directory_are_seen(shop, tree):
    shop.take(tree)
    os.setxattr(tree / "conf.d", "user.note", b"new")
    outcome = shop.take(tree)
    assert outcome.modified == [f"{tree}/conf.d"]
    os.removexattr(tree / "conf.d", "user.note")
    (tree / "conf.d" / "x").write_text("")
    assert shop.take(tree).modified == [f"{tree}/conf.d"]
    assert not shop.take(tree).changed


@ROOT
def test_a_file_that_must_not_be_changed_is_named(shop, tree):
    shop.take(tree)
    (tree / "main.conf").write_text("mine")
    (tree / "conf.d" / "a.conf").unlink()
    done = subprocess.run(["chattr", "+i", str(tree / "main.conf")], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NO IMMUTABLE FILE IS TRIED: {done.stderr.strip()}")
    try:
        assert not shop.take(tree, dry=True).problems
        with pytest.raises(BackupError, match="cannot be restored: operation not permitted"):
            shop.back()
    finally:
        program("chattr", "-i", str(tree / "main.conf"))
    assert (tree / "main.conf").read_text() == "mine" and not [each for each in os.listdir(tree) if ".vigil-" in each]
    shop.back()
    assert (tree / "main.conf").read_text() == "listen 80\n"


@ROOT
def test_set_id_bits_owners_and_holes_come_back(shop, tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    for number, mode in enumerate((0o4755, 0o2755, 0o6711, 0o1777, 0o000)):
        (root / f"f{number}").write_text("x")
        os.chown(root / f"f{number}", 1000 + number, 2000 + number)
        os.chmod(root / f"f{number}", mode)
    for number, (size, data) in enumerate([(50 << 20, ()), (50 << 20, (0, 25 << 20)), (1 << 20, ((1 << 20) - 1,))]):
        with open(root / f"sparse{number}", "wb") as file:
            for at in data:
                file.seek(at)
                file.write(b"d")
            file.truncate(size)
    outcome = shop.take(root)
    assert outcome.stats["stored_bytes"] < 1 << 20
    shop.back(tmp_path / "back")
    back = Path(f"{tmp_path}/back{root}")
    assert facts(back) == facts(root)
    for path in back.glob("sparse*"):
        assert path.stat().st_blocks <= (root / path.name).stat().st_blocks + 16


# --- others at work ---


def test_a_tree_that_changes_all_the_time(shop, tmp_path):
    """Whatever is caught is a file as it was at one moment, and what is left alone comes back as it is."""
    root = tmp_path / "tree"
    (root / "calm").mkdir(parents=True)
    (root / "busy").mkdir()
    for number in range(100):
        (root / "calm" / f"f{number}").write_text(f"calm {number}\n" * 100)
    stop = threading.Event()

    def churn():
        chance = random.Random(1)
        own = f".scratch{threading.get_ident()}"
        while not stop.is_set():
            path = root / "busy" / f"f{chance.randrange(40)}"
            what = chance.randrange(5)
            with contextlib.suppress(OSError):
                if what == 0:
                    path.unlink()
                elif what == 1:
                    path.rename(root / "busy" / f"f{chance.randrange(40)}")
                elif what == 2:
                    os.symlink("nowhere", path)
                elif what == 3:
                    path.mkdir()
                else:
                    word = b"%06d\n" % chance.randrange(10**6)
                    scratch = root / "busy" / own
                    scratch.write_bytes(word * chance.randrange(1, 5000))
                    scratch.rename(path)
            time.sleep(0.0005)

    threads = [threading.Thread(target=churn) for _number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _number in range(8):
            shop.take(root)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert verify(shop.repository, ["job"]) == []
    calm = facts(root / "calm")
    for number in range(len(shop.ids())):
        shop.back(tmp_path / f"back{number}", snapshot=number)
        back = Path(f"{tmp_path}/back{number}{root}")
        assert facts(back / "calm") == calm
        for path in (back / "busy").iterdir():
            if path.is_file() and not path.is_symlink() and not path.name.startswith(".scratch"):
                assert len(set(path.read_bytes().splitlines())) == 1, "two versions in one file"
    shop.take(root)
    shop.back(tmp_path / "last")
    assert facts(f"{tmp_path}/last{root}") == facts(root)


def test_two_backups_at_once_take_turns(shop, tree):
    for number in range(200):
        (tree / f"f{number}").write_bytes(os.urandom(5000))
    children = [
        subprocess.Popen([sys.executable, "-c", TAKE, str(shop.place), str(tree)], stdout=subprocess.PIPE, text=True)
        for _number in range(4)
    ]
    said = [child.communicate(timeout=60)[0].split()[-1] for child in children]
    assert [child.returncode for child in children] == [0] * 4
    assert said.count("None") == 3 and [each for each in said if each != "None"] == shop.ids()
    assert verify(shop.repository, ["job"]) == [] and not list((shop.place / "tmp").iterdir())


@pytest.mark.parametrize("how", ["noise", "directory", "readonly"])
def test_a_lock_that_is_not_as_it_was(shop, tree, how):
    shop.take(tree)
    lock = shop.place / "lock"
    (tree / "main.conf").write_text("listen 81\n")
    if how == "noise":
        lock.write_bytes(os.urandom(1000))
    elif how == "readonly":
        lock.chmod(0)
    else:
        lock.unlink()
        lock.mkdir()
        with pytest.raises(BackupError, match="lock cannot be opened: is a directory"):
            shop.take(tree)
        lock.rmdir()
    assert shop.take(tree).modified == [f"{tree}/main.conf"]


@ROOT
def test_a_repository_that_cannot_be_written_can_be_restored(tree, tmp_path):
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=5m", "tmpfs") as place:
        shop = Shop(place / "repository")
        shop.take(tree)
        (tree / "main.conf").write_text("listen 81\n")
        program("mount", "-o", "remount,ro", str(place))
        with pytest.raises(BackupError, match="read-only file system"):
            shop.take(tree)
        assert Shop(place / "repository").repository.exists() and verify(shop.repository, ["job"]) == []
        shop.back(tmp_path / "back")
        assert Path(f"{tmp_path}/back{tree}/main.conf").read_text() == "listen 80\n"
        with pytest.raises(BackupError, match="read-only file system"):
            shop.back(place / "back")
        program("mount", "-o", "remount,rw", str(place))
        assert shop.take(tree).modified == [f"{tree}/main.conf"]


@ROOT
@pytest.mark.parametrize("compression", codecs.SUFFIXES)
def test_a_loop_file_system_that_is_full(tree, tmp_path, compression):
    """On a real ext4: whatever is left when the disk is full is what was there, and the next run has its room again."""
    image = tmp_path / "image"
    with open(image, "wb") as file:
        file.truncate(12 << 20)
    program("mkfs.ext4", "-q", "-m", "0", str(image))
    with mounted(tmp_path / "small", "-o", "loop", str(image)) as place:
        shop = Shop(place / "repository")
        shop.take(tree, compression=compression)
        before, chance = facts(tree), random.Random(5)
        for number in range(6):
            (tree / "noise").write_bytes(os.urandom(chance.randrange(11 << 20, 14 << 20)))
            (tree / f"new{number}").write_text("new")
            with pytest.raises(BackupError, match="no space left"):
                shop.take(tree, compression=compression)
            assert len(shop.ids()) == 1 and verify(Repository(str(shop.place)), ["job"]) == [] and not list((shop.place / "tmp").iterdir())
        shop.back(tmp_path / "back")
        assert facts(f"{tmp_path}/back{tree}") == before
        (tree / "noise").unlink()
        assert len(shop.take(tree, compression=compression).added) == 6
        with pytest.raises(BackupError, match="no space left"):
            (tree / "noise").write_bytes(os.urandom(9 << 20))
            shop.take(tree, compression=compression)
            shop.back(place / "back")  # restoring is no other thing
        assert not [path for path in place.rglob("*") if ".vigil-" in path.name]


def test_the_clock_goes_back_and_forth(shop, tree):
    chance = random.Random(8)
    for number in range(12):
        (tree / "main.conf").write_text(f"listen {number}\n")
        shop.take(tree, now=1_600_000_000 + chance.randrange(-(10**8), 10**8))
    ids = shop.ids()
    assert ids == sorted(ids) and len(ids) == 12
    shop.back(tree.parent / "back")
    assert facts(f"{tree.parent}/back{tree}") == facts(tree)


def test_a_file_whose_times_lie_in_the_future(shop, tree):
    """Times say nothing of it, so it is read every time, and a change without a trace is seen."""
    then = time.time_ns() + 10**15
    os.utime(tree / "main.conf", ns=(then, then))
    shop.take(tree)
    (tree / "main.conf").write_text("LISTEN 80\n")
    os.utime(tree / "main.conf", ns=(then, then))
    assert shop.take(tree).modified == [f"{tree}/main.conf"]


def test_sockets_have_names_alone(shop, tmp_path):
    root = tmp_path / "tree"
    torture(root)
    assert stat.S_ISSOCK(os.lstat(root / "socket").st_mode)
    assert f"{root}/socket" in shop.take(root).added
    shop.back(tmp_path / "back")
    assert not os.path.exists(f"{tmp_path}/back{root}/socket")
