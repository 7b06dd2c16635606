# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps of a real PostgreSQL, as docs/backup.md shows them: taken when the data changed, never half, and back into a new database."""

from __future__ import annotations

import signal
import subprocess

import pytest
from postgres_server import PROGRAMS


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
