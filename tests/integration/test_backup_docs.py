# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/backup.md shows for a restore without this collection, run word by word."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backup.md"


def facts(root):
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        when = status.st_mtime_ns if path.is_file() and not path.is_symlink() else None
        found[str(path.relative_to(root))] = (
            stat.S_IFMT(status.st_mode),
            status.st_mode & 0o7777,
            status.st_uid,
            status.st_gid,
            content,
            when,
        )
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="the script gives files to their owners")
def test_the_shell_script_of_the_page(run_steps, tmp_path):
    """Renamed files, equal files, files whose older version another one needs, removed ones, changed modes: all as the module would put them back."""
    tree = tmp_path / "tree"
    (tree / "conf.d").mkdir(parents=True)
    for name, text in {
        "a": "first",
        "same 1": "equal",
        "same 2": "equal",
        "gone": "gone",
        "old name": "renamed",
        "conf.d/x": "x",
        "empty": "",
    }.items():
        (tree / name).write_text(text)
    (tree / "link").symlink_to("conf.d/x")
    os.mkfifo(tree / "fifo")
    options = {"paths": [str(tree)], "repository": str(tmp_path / "repository"), "name": "etc"}
    run_steps([("backup", options)])
    (tree / "copy of a").write_text("first")
    run_steps([("backup", options)])
    (tree / "a").write_text("second")
    (tree / "gone").unlink()
    (tree / "old name").rename(tree / "new name")
    (tree / "conf.d" / "x").chmod(0o640)
    os.chown(tree / "same 1", 1, 1)
    ((found,), _said) = run_steps([("backup", {**options, "compression": "none"})])
    script = re.search(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    first, _line, rest = script.partition("\n")
    assert first == "repo=/var/backups/vigil name=etc id=20261121T164723Z-28061da5 out=/tmp/restored"
    out = tmp_path / "restored"
    script = f"set -e\nrepo={tmp_path}/repository name=etc id={found['snapshot']} out={out}\n{rest}"
    done = subprocess.run(["sh", "-c", script], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and done.stdout == "", done.stdout
    assert facts(out / f"tree{tree}") == facts(tree)
