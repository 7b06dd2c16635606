# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module restore, run by ansible-playbook: points in time, exact states, differences, and everything that tries to get out of its place."""

from __future__ import annotations

import calendar
import gzip
import json
import os
import subprocess
import time
from pathlib import Path

import pytest


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "conf.d").mkdir(parents=True)
    (root / "main.conf").write_text("listen 80\npassword = hunter22\n")
    (root / "conf.d" / "a.conf").write_text("a 1\n")
    return root


def forged(repository, change):
    """Write the manifest of a repository anew, as somebody would who wants to get out of the place of a restore."""
    place = next(repository.glob("manifests/*.jsonl.gz"))
    rows = [json.loads(line) for line in gzip.decompress(place.read_bytes()).splitlines()]
    change(rows)
    place.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    record = next(repository.glob("snapshots/*/*.json"))
    found = json.loads(record.read_text())
    found["manifest"]["rows"] = len(rows)
    record.write_text(json.dumps(found))


def test_exactly_what_was(run_steps, tree, tmp_path):
    """New files go, a directory makes way for a file and a file for a directory; what was left out of the backup stays."""
    (tree / "kind").write_text("a file")
    (tree / "folder").mkdir()
    (tree / "folder" / "inside").write_text("x")
    of = {"repository": str(tmp_path / "repository")}
    run_steps([("backup", {**of, "paths": [str(tree)], "exclude": ["*.log", "cache/"], "max_size": "1MiB"})])
    (tree / "conf.d" / "evil.conf").write_text("new")
    (tree / "new dir" / "deep").mkdir(parents=True)
    (tree / "new dir" / "deep" / "file").write_text("new")
    (tree / "new dir" / "app.log").write_text("left out")
    (tree / "cache").mkdir()
    (tree / "cache" / "x").write_text("left out")
    (tree / "main.conf").write_text("listen 81\npassword = hunter33\n")
    (tree / "kind").unlink()
    (tree / "kind").mkdir()
    (tree / "kind" / "y").write_text("in the way")
    (tree / "folder" / "inside").unlink()
    (tree / "folder").rmdir()
    (tree / "folder").write_text("in the way")
    (tree / "link").symlink_to("/etc")
    before = sorted(str(path) for path in tree.rglob("*"))
    options = {**of, "exact": True}
    (dry, some), said = run_steps([("restore", options), ("restore", {**options, "paths": [f"{tree}/conf.d"]})], "--check", "--diff")
    gone = ["conf.d/evil.conf", "kind/y", "kind", "link", "new dir/deep/file", "new dir/deep"]
    assert sorted(dry["removed"]) == sorted(f"{tree}/{name}" for name in gone) and some["removed"] == [f"{tree}/conf.d/evil.conf"]
    assert (
        "+listen 80" in said and "-listen 81" in said and "hunter" not in said and before == sorted(str(path) for path in tree.rglob("*"))
    )
    (plain, exact, again), _said = run_steps([("restore", of), ("restore", options), ("restore", options)])
    assert plain["failed"] and "there is a directory of that name" in plain["msg"] and exact["changed"] and not again["changed"]
    assert (tree / "kind").read_text() == "a file" and (tree / "folder" / "inside").read_text() == "x"
    left = {str(path.relative_to(tree)) for path in tree.rglob("*")}
    assert left >= {"new dir/app.log", "cache/x"} and not left & {"conf.d/evil.conf", "link", "new dir/deep"}
    assert os.path.isdir("/etc")


@pytest.mark.long
def test_what_is_replaced_or_removed_is_kept(run_steps, tree, tmp_path):
    of = {"repository": str(tmp_path / "repository")}
    run_steps([("backup", {**of, "paths": [str(tree)]})])
    (tree / "main.conf").write_text("mine")
    (tree / "extra.conf").write_text("extra")
    (back, again), _said = run_steps([("restore", {**of, "exact": True, "backup": True})] * 2)
    kept = {Path(path).read_text() for path in back["kept"]}
    assert kept == {"mine", "extra"} and (tree / "main.conf").read_text().startswith("listen 80") and not (tree / "extra.conf").exists()
    assert not again["changed"]


def test_points_in_time(run_steps, tree, tmp_path):
    """Three snapshots, found by every way to write a moment, in the zone of the host and in others."""
    of = {"repository": str(tmp_path / "repository")}
    backups = [
        ("backup", {**of, "paths": [f"{tree}/{name}" for name in names]}) for names in (["conf.d"], ["conf.d", "main.conf"], ["main.conf"])
    ]
    taken = [found["snapshot"] for found in run_steps(backups)[0]]
    middle = calendar.timegm(time.strptime(taken[1][:15], "%Y%m%dT%H%M%S"))

    def utc(form, plus=0.0):
        return time.strftime(form, time.gmtime(middle + plus))

    moments = [
        utc("%Y-%m-%dT%H:%M:%SZ"), utc("%Y-%m-%d %H:%M:%S UTC"), utc("%Y-%m-%d %H:%M:%S+02:00", 7200), utc("%Y-%m-%d %H:%M:%S -0530", -19800),
        utc("%Y-%m-%dT%H:%M:%S.5Z"), str(middle), utc("%Y-%m-%d %H:%M:%S", 3600),
    ]  # fmt: skip
    steps = [
        ("restore", {**of, "at": at, "dest": str(tmp_path / "back")})
        for at in [*moments, utc("%Y-%m-%d", 86400), "1999-12-31", "2026-13-01", "noon"]
    ]
    found, said = run_steps(steps, "--check", env={"TZ": "VIGIL-1"})
    assert [each.get("snapshot") for each in found[:8]] == [taken[1]] * 7 + [taken[2]], said
    assert "is younger than that" in found[8]["msg"] and "no such day" in found[9]["msg"] and "is no moment" in found[10]["msg"]
    assert "Traceback" not in said


def test_nothing_gets_out(run_steps, tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()

    def dots(rows, row):
        row["path"] = f"{tree}/../outside/owned"

    def relative(rows, row):
        row["path"] = "outside/owned"

    def link(rows, row):
        rows.insert(
            rows.index(row), {"path": f"{tree}/conf.e", "kind": "symlink", "mode": "0777", "target": str(outside), "uid": 0, "gid": 0}
        )
        row["path"] = f"{tree}/conf.e/owned"

    ways = (dots, relative, link)
    run_steps([("backup", {"repository": str(tmp_path / way.__name__), "paths": [str(tree)]}) for way in ways])
    steps = []
    for way in ways:
        forged(tmp_path / way.__name__, lambda rows, way=way: way(rows, next(row for row in rows if row["path"].endswith("a.conf"))))
        of = {"repository": str(tmp_path / way.__name__)}
        steps += [("restore", {**of, "exact": True}), ("restore", {**of, "dest": str(tmp_path / "back")})]
    found, said = run_steps(steps)
    assert all(each["failed"] for each in found) and not list(outside.iterdir()) and "Traceback" not in said, said
    assert ["not absolute and plain" in each["msg"] for each in found] == [True] * 4 + [False] * 2
    assert all("is a symlink or a file there" in each["msg"] for each in found[4:])


def test_links_in_the_way_and_places_that_are_none(run_steps, tree, tmp_path):
    of = {"repository": str(tmp_path / "repository")}
    os.mkfifo(tree / "pipe")
    run_steps([("backup", {**of, "paths": [str(tree)]})])
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "conf.d" / "a.conf").unlink()
    (tree / "conf.d").rmdir()
    (tree / "conf.d").symlink_to(outside)  # a directory that became a link to elsewhere
    (tree / "main.conf").unlink()
    (tree / "main.conf").symlink_to(outside / "target")  # a file that became a link: it is replaced, not written through
    (tree / "pipe").unlink()
    dest = tmp_path / "file"
    dest.write_text("no directory")
    steps = [("restore", of), ("restore", of), ("restore", {**of, "dest": str(dest)}), ("restore", {**of, "paths": ["/nothing/of/this"]})]
    (back, again, no, some), said = run_steps(steps)
    assert back["changed"] and not list(outside.iterdir()) and not (tree / "main.conf").is_symlink() and not (tree / "conf.d").is_symlink()
    assert (tree / "pipe").is_fifo() and (tree / "conf.d" / "a.conf").read_text() == "a 1\n" and not again["changed"]
    assert no["failed"] and dest.read_text() == "no directory" and "holds no /nothing/of/this" in some["msg"] and "Traceback" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="makes devices and mounts file systems")
def test_devices_and_read_only_places(run_steps, tree, tmp_path):
    of = {"repository": str(tmp_path / "repository")}
    os.mknod(tree / "null", 0o20666, os.makedev(1, 3))
    run_steps([("backup", {**of, "paths": [str(tree)]})])
    (tree / "null").unlink()
    fixed = tmp_path / "fixed"
    fixed.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(fixed)], check=True)
    try:
        steps = [("restore", of), ("restore", {**of, "devices": True}), ("restore", {**of, "dest": str(fixed)})]
        (without, with_devices, read_only), said = run_steps(steps)
    finally:
        subprocess.run(["umount", str(fixed)], check=True)
    assert not without["changed"] and "is a device and left out" in " ".join(said.split()) and with_devices["restored"] == [f"{tree}/null"]
    assert (tree / "null").is_char_device()
    assert read_only["failed"] and "read-only file system" in read_only["msg"] and "Traceback" not in said
