# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps of a real PostgreSQL, as docs/backup.md shows them: taken when the data changed, never half, and back into a new database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
PROGRAMS = _FOUND[-1].parent if _FOUND else Path(shutil.which("initdb") or "/none/initdb").parent

pytestmark = pytest.mark.skipif(not (PROGRAMS / "initdb").exists(), reason="POSTGRESQL IS NOT TRIED: install the Debian package postgresql")


class Postgres:
    """A server of this test alone, on a socket below its directory."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, 0
        # PostgreSQL does not run as root
        self.prefix = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        if os.geteuid() == 0:
            shutil.chown(root, "nobody")
        self._do("initdb", "-D", str(root / "data"), "-U", "shop", "-A", "trust", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.root} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._do("pg_ctl", "-D", str(self.root / "data"), "-l", str(self.root / "log"), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._do("pg_ctl", "-D", str(self.root / "data"), "-m", "immediate", "-w", "stop")

    def _do(self, name: str, *argv: str) -> str:
        env = {**os.environ, "LC_ALL": "C.UTF-8"}
        command = [*self.prefix, str(PROGRAMS / name), *argv]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=str(self.root)
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def sql(self, text: str, database: str = "postgres") -> str:
        return self._do(
            "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "shop", "-d", database, "-c", text
        ).strip()

    def dump(self, *more: str) -> list:
        # without the key newer servers write a random one into each dump, so that no two are alike
        key = ["--restrict-key=backup"] if "--restrict-key" in self._do("pg_dump", "--help") else []
        return [*self.prefix, str(PROGRAMS / "pg_dump"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "shop", *key, *more, "postgres"]


@pytest.fixture
def postgres():
    root = Path(tempfile.mkdtemp(prefix="vigil-pg-"))  # that of pytest is closed to other users
    server = Postgres(root)
    yield server
    server.stop()
    shutil.rmtree(root)


@pytest.mark.long
def test_dumps_of_postgresql(postgres, run_steps, tmp_path):
    postgres.sql(
        "create table item (id int primary key, name text); insert into item select n, repeat('x', 200) || n from generate_series(1, 50000) n"
    )
    backup = {"repository": str(tmp_path / "repository"), "name": "db", "stdin_from": [{"name": "shop.sql", "argv": postgres.dump()}]}
    # killed in the middle of its output, as the server goes away
    slow = " ".join(postgres.dump())
    half = dict(backup, stdin_from=[{"name": "shop.sql", "argv": ["sh", "-c", f"{slow} | (head -c 1000000; kill -TERM $$)"]}])
    wrong = dict(backup, stdin_from=[{"name": "shop.sql", "argv": postgres.dump("-t", "no_such_table")}])
    steps = [
        ("backup", backup), ("backup", backup), ("backup", half), ("backup", wrong),
        ("restore", {"repository": str(tmp_path / "repository"), "name": "db", "dest": str(tmp_path / "back")}),
    ]  # fmt: skip
    (first, same, torn, missing, back), said = run_steps(steps)
    assert first["added"] == ["/.streams/shop.sql"] and first["streams"][0]["bytes"] > 10_000_000, said
    assert not same["changed"], "a dump of the same data is the same"
    for bad in (torn, missing):
        assert not bad["changed"] and bad["torn"] == ["/.streams/shop.sql"] and bad["streams"][0]["status"] == "torn"
    assert f"signal {signal.SIGTERM.value}" in torn["streams"][0]["message"] and "no matching tables" in missing["streams"][0]["message"]
    assert back["changed"]
    postgres.sql("create database copy")
    dump = tmp_path / "back" / ".streams" / "shop.sql"
    with dump.open() as source:
        command = [
            str(PROGRAMS / "psql"),
            "-qX",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(postgres.port),
            "-U",
            "shop",
            "copy",
        ]
        subprocess.run(command, stdin=source, check=True, stdout=subprocess.DEVNULL)
    look = "select count(*), sum(id), max(length(name)) from item"
    assert postgres.sql(look, "copy") == postgres.sql(look) == "50000|1250025000|205"
