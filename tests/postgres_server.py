# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real PostgreSQL for tests: on loopback, in a directory of its own, as an ordinary user; a schema of its own for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
PROGRAMS = _FOUND[-1].parent if _FOUND else Path(shutil.which("initdb") or "/none/initdb").parent
_NUMBERS = itertools.count(1)


class Postgres:
    """A server of these tests alone. ``trust``: no password is asked for."""

    def __init__(self, root: Path, user: str = "shop", trust: bool = True, password: str = "") -> None:
        self.root, self.user, self.password, self.port = root, user, password, 0
        # PostgreSQL does not run as root
        self.prefix = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        word = root / "password"
        word.write_text(password + "\n")
        if os.geteuid() == 0:
            shutil.chown(root, "nobody")
            shutil.chown(word, "nobody")
        asked = ["-A", "trust"] if trust else ["-A", "scram-sha-256", f"--pwfile={word}"]
        self._do("initdb", "-D", str(root / "data"), "-U", user, *asked, "--no-sync", "-E", "UTF8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self, more: str = "-c max_connections=200") -> None:
        options = f"-p {self.port} -k {self.root} -c listen_addresses=127.0.0.1 -c fsync=off {more}"
        self._do("pg_ctl", "-D", str(self.root / "data"), "-l", str(self.root / "log"), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._do("pg_ctl", "-D", str(self.root / "data"), "-m", "immediate", "-w", "stop")

    def restart(self) -> None:
        """As after a crash: nobody is waited for."""
        self.stop()
        self.start()

    def _do(self, name: str, *argv: str) -> str:
        env = {**os.environ, "LC_ALL": "C.UTF-8", "PGPASSWORD": self.password}
        command = [*self.prefix, str(PROGRAMS / name), *argv]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=str(self.root)
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def sql(self, text: str, database: str = "postgres") -> str:
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "-d", database]
        return self._do("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", *place, "-c", text).strip()

    def url(self, more: str = "", schema: str = "") -> str:
        """A state_url; without a schema in one that nobody has used yet."""
        who = f"{self.user}:{self.password}" if self.password else self.user
        return f"postgresql://{who}@127.0.0.1:{self.port}/postgres?schema={schema or self.schema()}{more}"

    def schema(self) -> str:
        return f"t{next(_NUMBERS)}_{os.getpid()}"

    def dump(self, *more: str) -> list:
        # without the key newer servers write a random one into each dump, so that no two are alike
        key = ["--restrict-key=backup"] if "--restrict-key" in self._do("pg_dump", "--help") else []
        return [
            *self.prefix, str(PROGRAMS / "pg_dump"), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, *key, *more, "postgres"
        ]  # fmt: skip


def _served(**options: t.Any) -> t.Iterator[Postgres]:
    if not (PROGRAMS / "initdb").exists():
        pytest.skip("POSTGRESQL IS NOT TRIED: install the Debian package postgresql")
    # that of pytest is closed to other users; in memory, as a schema is some fifty files
    root = Path(tempfile.mkdtemp(prefix="vigil-pg-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    server = Postgres(root, **options)
    yield server
    server.stop()
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def postgres_server() -> t.Iterator[Postgres]:
    """One that all tests share; no test stops it."""
    yield from _served()


@pytest.fixture
def postgres() -> t.Iterator[Postgres]:
    """One of this test alone, which may stop it."""
    yield from _served()


@pytest.fixture
def guarded_postgres() -> t.Iterator[Postgres]:
    """One of this test alone that asks for a password."""
    yield from _served(user="vigil", trust=False, password="T0p-Secret-Pa55")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A state_url of each kind; nothing is there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return str(request.getfixturevalue("postgres_server").url())
