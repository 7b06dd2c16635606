# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store on real files: made private, migrated, set aside when damaged, shared by many processes, killed in the middle."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import (
    results,
    schema,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import (
    StateDamaged,
    StateError,
    StateMissing,
    default_url,
    open_store,
)

NOW = 1_763_692_800.0


def outcome(status="ok", **metrics):
    result = {"name": "disk", "labels": {}, "status": status, "severity": "error", "summary": "s", "metrics": metrics}
    return {"results": [result], "summary": {status: 1}, "score": 100.0, "status": status}


def url_of(path):
    return "sqlite:///" + str(path)


def child(code, *args):
    """A process of its own that imports the engine."""
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_new_store_is_private(tmp_path):
    path = tmp_path / "a" / "b" / "state.db"
    os.umask(os.umask(0))
    store = open_store(url_of(path))
    with store.unit() as unit:
        results.record(unit, "web1", outcome(), NOW)
    for name in (path, f"{path}-wal", f"{path}-shm"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
    for name in (path.parent, path.parent.parent):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o700
    assert store.notices == []
    store.close()


def test_wide_rights_are_taken_back(tmp_path):
    path = tmp_path / "state.db"
    open_store(url_of(path)).close()
    os.chmod(path, 0o644)
    open_store(url_of(path)).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_plain_path_and_url_are_the_same(tmp_path):
    path = tmp_path / "stäte dir%20" / "state.db"
    with open_store(str(path)) as store:
        assert store.path == str(path)
    assert open_store("sqlite:///" + str(path).replace("%", "%25").replace(" ", "%20")).path == str(path)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("state.db", "is not a URL; write sqlite:////absolute"),
        ("sqlite:///rel/state.db", "four slashes"),
        ("sqlite://rel.db", "four slashes"),
        ("mysql://x", "unknown scheme 'mysql'"),
        ("", "is not a URL"),
    ],
)
def test_bad_urls(url, words):
    with pytest.raises(StateError, match=words) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("keep=soon", "keep in state_url: 'soon' is not a duration; write for example"),
        ("keep=", "keep in state_url: '' is not a duration"),
        ("keep=12h", "keep in state_url is 12h; it must be a day"),
        ("kept=30d", "unknown parameter 'kept'; it takes keep alone"),
        ("30d", "unknown parameter '30d'"),
    ],
)
def test_bad_parameters_are_refused(tmp_path, query, words):
    with pytest.raises(StateError, match=re.escape(words)):
        open_store(f"{url_of(tmp_path / 'state.db')}?{query}")
    assert list(tmp_path.iterdir()) == []


def test_no_sentence_shows_a_password():
    for url in (
        "sqlite://u:PASSWORD@h/d",
        "sqlite://u:PASSWORD@h/d?keep=1d",
        "u:PASSWORD@h",
        "postgresql://u:PASSWORD@127.0.0.1:1/d",
        "mysql://u:PASSWORD@h/d",
    ):
        with pytest.raises(StateError) as caught:
            open_store(url)
        assert "PASSWORD" not in str(caught.value)


def test_default_url(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_url() == "sqlite:////var/lib/vigil/state.db"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/x/state")
    assert default_url() == "sqlite:////x/state/vigil/state.db"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_url() == "sqlite:////home/me/.local/state/vigil/state.db"


def test_refused_places(tmp_path):
    directory = tmp_path / "dir"
    directory.mkdir()
    with pytest.raises(StateError, match=r"is a directory; give the path of a file in it"):
        open_store(url_of(directory))
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StateError, match="is a symbolic link"):
        open_store(url_of(link))
    assert not (tmp_path / "elsewhere.db").exists()
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(StateError, match="a part of its path is not a directory"):
        open_store(url_of(plain / "state.db"))
    os.mkfifo(tmp_path / "pipe.db")
    with pytest.raises(StateError, match="is not a plain file"):
        open_store(url_of(tmp_path / "pipe.db"))


def test_database_of_another_program(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE things (a)")
    other.execute("PRAGMA user_version = 1")
    other.commit()
    other.close()
    with pytest.raises(StateError, match="a database of another program"):
        open_store(url_of(path))
    assert path.exists()


def test_no_rights(tmp_path):
    """As an ordinary user: neither unreadable, read-only nor unwritable places end in a traceback."""
    code = (
        "import os, sys\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import check_writable, open_store, StateError\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for path in sys.argv[1:]:\n"
        "    try: open_store(path)\n"
        "    except StateError as exc: print(exc)\n"
        "for path in sys.argv[1:4]:\n"
        "    try: check_writable(path)\n"
        "    except StateError as exc: print(exc)\n"
    )
    if os.geteuid() != 0:
        pytest.skip("needs root to make files of somebody else")
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    theirs = tmp_path / "theirs.db"
    open_store(str(theirs)).close()
    readable = tmp_path / "readable.db"
    open_store(str(readable)).close()
    os.chmod(readable, 0o644)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        os.chmod(parent, 0o755)
    process = child(code, shut / "state.db", theirs, readable, "/proc/vigil/state.db")
    out, err = process.communicate(timeout=30)
    lines = out.splitlines()
    assert len(lines) == 7, err
    assert lines[5:] == lines[1:3], "what could not be written is known beforehand"
    assert all("state file" in line and "another state_url" in line for line in lines)
    assert [line for line in lines if "permission denied" in line] == lines[:3] + lines[4:]


def test_newer_version_is_refused(tmp_path):
    path = tmp_path / "state.db"
    open_store(url_of(path)).close()
    raw = sqlite3.connect(path)
    raw.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    raw.close()
    with pytest.raises(
        StateError, match=rf"newer version of vigil.ops \(schema {schema.VERSION + 1}, this one knows {schema.VERSION}\); upgrade"
    ):
        open_store(url_of(path))
    assert glob.glob(f"{path}*corrupt*") == []


@pytest.mark.parametrize("damage", ["not a database", "header", "malformed"])
def test_damaged_file_is_set_aside(tmp_path, damage):
    path = tmp_path / "state.db"
    with open_store(url_of(path)) as store, store.unit() as unit:
        for number in range(200):
            results.record(unit, f"host{number}", outcome(), NOW)
    data = bytearray(path.read_bytes())
    if damage == "not a database":
        data = bytearray(b"hello, I am no database\n" * 100)
    elif damage == "header":
        data[16:100] = b"\xff" * 84
    else:
        data[100:4096] = b"\xa5" * 3996
    path.write_bytes(bytes(data))
    store = open_store(url_of(path))
    aside = [name for name in glob.glob(f"{path}.corrupt-*") if not name.endswith(("-wal", "-shm"))]
    assert len(aside) == 1
    with open(aside[0], "rb") as handle:
        assert handle.read() == bytes(data)
    assert len(store.notices) == 1
    assert aside[0] in store.notices[0]
    with store.unit() as unit:
        results.record(unit, "web1", outcome(), NOW)
        assert unit.one("SELECT COUNT(*) FROM runs") == (1,)
    store.close()


@pytest.mark.parametrize("content", [b"root:x:0:0\n", b"root:x:0:0\n" * 500, b"\x00\x01" * 4000])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_was_never_a_store_is_left_alone(tmp_path, content, read_only):
    path = tmp_path / "passwd"
    path.write_bytes(content)
    os.chmod(path, 0o644)
    with pytest.raises(StateError, match="is no SQLite database and is left as it is; give another state_url") as caught:
        open_store(url_of(path), read_only=read_only)
    assert not isinstance(caught.value, StateDamaged)
    assert os.listdir(tmp_path) == ["passwd"] and path.read_bytes() == content and stat.S_IMODE(os.stat(path).st_mode) == 0o644


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "places.db"
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE places (url TEXT)")
    os.chmod(path, 0o644)
    content = path.read_bytes()
    with pytest.raises(StateError, match="is a database of another program; give another state_url"):
        open_store(url_of(path))
    assert path.read_bytes() == content and stat.S_IMODE(os.stat(path).st_mode) == 0o644 and os.listdir(tmp_path) == ["places.db"]


def test_damage_found_in_the_middle(tmp_path):
    path = tmp_path / "state.db"
    with open_store(url_of(path)) as store, store.unit() as unit:
        for number in range(2000):
            results.record(unit, f"host{number}", outcome(), NOW)
    data = bytearray(path.read_bytes())
    sound = 40 * 4096  # the tables themselves are described there
    data[sound:] = b"\x5a" * (len(data) - sound)
    path.write_bytes(bytes(data))
    store = open_store(url_of(path))
    before = len(store.notices)
    for number in range(2000):
        store.run(lambda unit, number=number: results.record(unit, f"host{number}", outcome(), NOW))
    assert before + 1 == len(store.notices) == 1
    with store.unit() as unit:
        assert unit.one("SELECT COUNT(*) FROM runs")[0] >= 1
    assert len(glob.glob(f"{path}.corrupt-*")) >= 1
    store.close()


def test_damage_seen_when_reading_only_leaves_the_file(tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all, really not")
    with pytest.raises(StateDamaged):
        open_store(url_of(path), read_only=True)
    assert path.read_bytes() == b"no database at all, really not"


def test_many_see_the_same_damage(tmp_path):
    """Ten processes open one damaged file: it is set aside once, and no sound file after it."""
    path = tmp_path / "state.db"
    path.write_bytes(b"x" * 5000)
    code = (
        "import sys, time\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "with store.unit() as unit: results.record(unit, sys.argv[2], {'status': 'ok'}, time.time())\n"
        "print(len(store.notices))\n"
    )
    processes = [child(code, path, f"host{number}") for number in range(10)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert sorted(out.strip() for out, _err in outputs) == ["0"] * 9 + ["1"], outputs
    assert len(glob.glob(f"{path}.corrupt-*")) == 1
    with open_store(str(path)) as store, store.view() as unit:
        assert unit.one("SELECT COUNT(*) FROM runs") == (10,)


def test_read_only_makes_nothing(tmp_path):
    path = tmp_path / "none" / "state.db"
    with pytest.raises(StateMissing):
        open_store(url_of(path), read_only=True)
    assert not path.parent.exists()
    path.parent.mkdir()
    path.write_bytes(b"")
    with pytest.raises(StateMissing):
        open_store(url_of(path), read_only=True)
    with open_store(url_of(path)) as store, store.unit() as unit:
        results.record(unit, "web1", outcome(), NOW)
    with open_store(url_of(path), read_only=True) as store:
        with store.view() as unit:
            assert results.scores(unit, "web1") == [(NOW, 100.0)]
        with pytest.raises(StateError, match="read-only"), store.unit() as unit:
            results.record(unit, "web1", outcome(), NOW)


def test_a_store_of_an_older_version_holds_up_nobody_who_only_tries(tmp_path):
    """Playbooks try everything before the run that writes, and so brings the store up to date."""
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    for statement in schema.STEPS[0]:
        connection.execute(statement)
    connection.execute("INSERT INTO meta (key, value) VALUES ('salt', 'aa')")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    connection.close()
    with pytest.raises(StateMissing, match="the next run that writes there"):
        open_store(url_of(path), read_only=True)
    with open_store(url_of(path)) as store, store.unit() as unit:
        results.record(unit, "web1", outcome(), NOW)
    open_store(url_of(path), read_only=True).close()


def test_file_removed_or_replaced_meanwhile(tmp_path):
    path = tmp_path / "state.db"
    with open_store(str(path)) as store:
        for name in glob.glob(f"{path}*"):
            os.unlink(name)
        with store.unit() as unit:
            results.record(unit, "web1", outcome(), time.time())
        with open_store(str(path)) as other, other.view() as unit:
            assert len(results.scores(unit, "web1")) == 1


def test_full_disk(tmp_path):
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare to make a small file system")
    code = (
        "import sys, time\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results\n"
        "from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store, StateError\n"
        "store = open_store(sys.argv[1])\n"
        "done = 0\n"
        "try:\n"
        "    while done < 5000:\n"
        "        with store.unit() as unit: results.record(unit, 'h' * 200, {'status': 'ok', 'summary': {'x': 'y' * 2000}}, time.time())\n"
        "        done += 1\n"
        "except StateError as exc: print(done, exc)\n"
        "with store.view() as unit: print(unit.one('SELECT COUNT(*) FROM runs')[0])\n"
    )
    script = 'mount -t tmpfs -o size=400k none "$1" && exec "$2" -c "$3" "$1/state.db"'
    process = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "mount" in process.stderr and not process.stdout:
        pytest.skip("cannot mount here")
    first, second = process.stdout.splitlines()
    done, sentence = first.split(" ", 1)
    assert "no space is left" in sentence or "disk I/O" in sentence
    assert int(second) == int(done) > 0
