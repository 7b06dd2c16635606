# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engine restic: the same options and results, with restic itself."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

PASSWORD = "very-Secret-42"
pytestmark = pytest.mark.timeout(400)  # each call of restic makes a key of the password anew, which takes a second


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "conf.d").mkdir(parents=True)
    (root / "main.conf").write_text("listen 80\n")
    (root / "conf.d" / "a.conf").write_text("a 1\n")
    (root / "conf.d" / "skip.tmp").write_text("x")
    (root / "we[i]rd *").write_text("odd")
    (root / "link").symlink_to("main.conf")
    return root


@pytest.fixture
def restic(tmp_path):
    """restic(*argv) -> its JSON, as somebody by hand."""

    def run(*argv):
        env = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": str(tmp_path / "restic"), "HOME": str(tmp_path)}
        out = subprocess.run(["restic", "--json", *argv], check=True, stdout=subprocess.PIPE, text=True, env=env).stdout
        return [json.loads(line) for line in out.splitlines()]

    return run


def test_restic_on_change_and_back(run_steps, tree, restic, tmp_path):
    """Nothing new leaves no snapshot, also where times alone moved; what is new is named; all comes back, through no link."""
    of = {"engine": "restic", "repository": str(tmp_path / "restic"), "restic": {"password": PASSWORD}, "name": "etc"}
    options = {**of, "paths": [str(tree)], "exclude": ["*.tmp"], "retention": {"last": 2}}
    (dry,), _said = run_steps([("backup", options)], "--check")
    assert dry["changed"] and dry["snapshot"] is None and not (tmp_path / "restic").exists()
    (first, same), said = run_steps([("backup", options), ("backup", options)], "-vvv")
    names = ["", "/conf.d", "/conf.d/a.conf", "/link", "/main.conf", "/we[i]rd *"]
    assert (
        first["changed"] and first["added"] == [f"{tree}{name}" for name in names] and not same["changed"] and same["snapshot"] is None
    ), said
    assert PASSWORD not in said

    os.utime(tree / "main.conf", (1, 1))
    os.utime(tree / "conf.d")
    (touched,), _said = run_steps([("backup", options)])
    assert not touched["changed"] and len(restic("snapshots")[0]) == 1
    (tree / "main.conf").write_text("listen 81\n")
    (tree / "we[i]rd *").chmod(0o600)
    (tree / "conf.d" / "a.conf").unlink()
    (tree / "new").write_text("new")
    (dry,), _said = run_steps([("backup", options)], "--check", "--diff")
    assert (
        dry["changed"]
        and dry["added"] == [f"{tree}/new"]
        and dry["removed"] == [f"{tree}/conf.d/a.conf"]
        and f"{tree}/main.conf" in dry["modified"]
    )
    (second, listed), _said = run_steps([("backup", options), ("backup_info", {**of, "verify": "full"})])
    assert second["added"] == [f"{tree}/new"] and second["modified"] == [f"{tree}/main.conf", f"{tree}/we[i]rd *"]
    assert second["removed"] == [f"{tree}/conf.d/a.conf"] and second["events"][0]["kind"] == "changed"
    assert [each["id"] for each in listed["snapshots"]] == [first["snapshot"], second["snapshot"]] and listed["problems"] == []

    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "main.conf").unlink()
    (tree / "main.conf").symlink_to(outside / "target")
    back = {**of, "snapshot": first["snapshot"][:8]}
    (dry,), _said = run_steps([("restore", back)], "--check")
    assert (
        dry["restored"] == [f"{tree}/conf.d/a.conf", f"{tree}/main.conf", f"{tree}/we[i]rd *"] and not (tree / "conf.d" / "a.conf").exists()
    )
    (real, again, other), _said = run_steps(
        [("restore", {**back, "backup": True}), ("restore", back), ("restore", {**of, "dest": str(tmp_path / "back")})]
    )
    assert real["restored"] == dry["restored"] and len(real["kept"]) == 2 and not again["changed"] and not list(outside.iterdir())
    assert (
        (tree / "main.conf").read_text() == "listen 80\n"
        and (tree / "we[i]rd *").stat().st_mode & 0o777 == 0o644
        and (tree / "new").exists()
    )
    assert other["changed"] and (tmp_path / f"back{tree}" / "main.conf").read_text() == "listen 81\n"

    (tree / "main.conf").write_text("listen 82\n")
    (third,), _said = run_steps([("backup", options)])
    assert third["forgotten"] == [first["snapshot"]] and len(restic("snapshots")[0]) == 2
    pack = max((tmp_path / "restic" / "data").glob("*/*"), key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[10] ^= 1
    pack.write_bytes(bytes(data))
    (damaged, wrong), said = run_steps(
        [("backup_info", {**of, "verify": "full"}), ("backup_info", {**of, "restic": {"password": "wrong-password"}})]
    )
    assert damaged["problems"] and wrong["failed"] and "wrong password" in wrong["msg"] and "Traceback" not in said


def test_what_restic_has_nothing_for_is_refused(run_steps, tmp_path):
    of = {"engine": "restic", "repository": str(tmp_path / "restic"), "restic": {"password": PASSWORD}}
    options = {**of, "paths": ["/etc/hostname"]}
    cases = [
        ("backup", {**options, "ignore_lines": ["x"]}, "needs engine archive"),
        ("backup", {**options, "stdin_from": [{"name": "x", "argv": ["x"]}]}, "let a program of before write the dump"),
        ("backup", {**options, "remote": "s3:x"}, "restic has remotes of its own"),
        ("backup", {**options, "exclude": ["cache/"]}, "cannot leave out directories alone"),
        ("backup", {**options, "restic": {}}, "needs one of password and password_file"),
        ("backup", {**options, "restic": {"pasword": PASSWORD}}, "there is no 'pasword'"),
        ("restore", {**of, "exact": True}, "exact needs engine archive"),
        ("restore", of, "there is no repository of restic"),
        ("backup_info", {**of, "repository": "/none/x"}, "there is no repository of restic"),
        ("backup", {**options, "before": [["false"]]}, "before: false ended with code 1"),
    ]  # fmt: skip
    found, said = run_steps([(module, options) for module, options, _words in cases])
    for result, (_module, _options, words) in zip(found, cases):
        assert result["failed"] and words in result["msg"], result
    assert "Traceback" not in said and PASSWORD not in said
