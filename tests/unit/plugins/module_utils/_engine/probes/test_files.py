# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _looks


def test_disk_is_as_df_shows_it(look, tmp_path):
    seen = look("disk", path=str(tmp_path))
    found = os.statvfs(tmp_path)
    assert seen["total_bytes"] == found.f_blocks * found.f_frsize
    assert 0 <= seen["used_percent"] <= 100
    assert seen["read_only"] is False
    assert seen["free_bytes"] + seen["used_bytes"] <= seen["total_bytes"]


def test_inode(look):
    seen = look("inode", path="/")
    assert 0 <= seen["used_percent"] <= 100
    assert look("inode", path="/proc") == {"used_percent": 0.0, "free": None, "total": None, "read_only": False}


@pytest.mark.parametrize("probe", ["disk", "inode"])
def test_a_path_that_is_not_there(look, probe):
    with pytest.raises(ProbeFailure, match="/no/such does not exist") as caught:
        look(probe, path="/no/such")
    assert (caught.value.reason, caught.value.observed) == ("not_found", {})


def test_a_mount_that_does_not_answer_is_unknown(look, monkeypatch):
    def hang(path):
        import time

        time.sleep(10)

    made = _looks.Guard({"filesystem": hang})
    monkeypatch.setattr(_looks, "GUARD", made)
    with pytest.raises(CannotSee, match=r"/mnt did not answer within 0\.3 s \(stale mount\?\)") as caught:
        look("disk", path="/mnt", timeout=0.3)
    assert caught.value.reason == "timeout"
    made.stop()


def test_file(look, tmp_path):
    path = tmp_path / "a b\u00fc"
    path.write_bytes(b"hello\xff")
    path.chmod(0o640)
    seen = look("file", path=str(path))
    assert (seen["exists"], seen["type"], seen["size"], seen["mode"]) == (True, "file", 6, "0640")
    assert (seen["uid"], seen["sha256"], seen["content"], seen["link"]) == (os.getuid(), None, None, None)
    assert -5 < seen["age_seconds"] < 600
    assert seen["owner"]


def test_hash_and_content_only_when_asked_for(look, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100000)
    digest = hashlib.sha256(b"x" * 100000).hexdigest()
    seen = look("file", Context(wanted=["sha256"]), path=str(path))
    assert (seen["sha256"], seen["content"]) == (digest, None)
    seen = look("file", path=str(path), content=True)
    assert (seen["sha256"], len(seen["content"])) == (None, 65536)
    assert look("file", path=str(path), sha256=True)["sha256"] == digest


def test_binary_content_is_replaced(look, tmp_path):
    (tmp_path / "f").write_bytes(b"a\x00\xffb")
    assert look("file", path=str(tmp_path / "f"), content=True)["content"] == "a\x00\ufffdb"


def test_what_is_no_regular_file_is_never_opened(look, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, kind in ((str(tmp_path / "fifo"), "fifo"), ("/dev/zero", "character device"), (str(tmp_path), "directory")):
        seen = look("file", path=path, content=True, sha256=True)
        assert (seen["type"], seen["content"], seen["sha256"]) == (kind, None, None)


def test_links(look, tmp_path):
    (tmp_path / "to").symlink_to("nowhere")
    seen = look("file", path=str(tmp_path / "to"))
    assert (seen["exists"], seen["type"], seen["link"]) == (True, "link", "nowhere")
    (tmp_path / "nowhere").write_text("")
    assert look("file", path=str(tmp_path / "to"))["type"] == "file"


@pytest.mark.parametrize("path", ["/no/such", "/etc/passwd/x", "/" + "x" * 300])
def test_a_file_that_is_not_there(look, path):
    with pytest.raises(ProbeFailure) as caught:
        look("file", path=path)
    assert caught.value.observed == {"exists": False}


def test_what_may_not_be_read_is_unknown(look, tmp_path, monkeypatch):
    def as_nobody(**arguments):
        if os.getuid() == 0:
            os.setuid(65534)
        return _looks.read_file(**arguments)

    made = _looks.Guard({"file": as_nobody})
    monkeypatch.setattr(_looks, "GUARD", made)
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0)
    with pytest.raises(CannotSee, match="become") as caught:
        look("file", path=str(tmp_path / "f"), content=True)
    assert caught.value.reason == "permission"
    made.stop()


def test_a_relative_path_is_refused(look):
    with pytest.raises(ValueError, match="absolute"):
        look("file", path="etc/passwd")


def test_a_file_of_the_kernel_in_which_there_is_nothing_yet():
    """/proc/kmsg passes for a regular file, and may be waited for; a pipe stands for it."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with os.fdopen(reader, "rb") as source:
        os.write(writer, b"abc")
        assert _looks.read_some(source, 2) == b"ab" and _looks.read_some(source, 9) == b"c"
        with pytest.raises(BlockingIOError, match="nothing to read yet"):
            _looks.read_some(source, 9)
        os.close(writer)
        assert _looks.read_some(source, 9) == b""
