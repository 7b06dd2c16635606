# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DUMP = "/.streams/shop.sql"


def test_a_stream_is_a_file_of_the_snapshot(shop, tree, tmp_path):
    spool = tmp_path / "spool"
    spool.write_text("create table a\n")
    first = shop.take(tree, streams={DUMP: str(spool)})
    assert first.added[0] == DUMP and len(first.added) == 6
    spool.unlink()
    spool.write_text("create table a\n")
    assert not shop.take(tree, streams={DUMP: str(spool)}).changed
    spool.write_text("create table b\n")
    assert shop.take(tree, streams={DUMP: str(spool)}).modified == [DUMP]
    assert not shop.take(tree, streams={DUMP: None}).changed
    (tree / "main.conf").write_text("listen 81\n")
    assert shop.take(tree, streams={DUMP: None}).modified == [str(tree / "main.conf")]
    shop.back(tmp_path / "back")
    assert (tmp_path / "back" / DUMP[1:]).read_text() == "create table b\n"
    assert shop.take(tree).removed == [DUMP]


def test_large_streams_go_through_piece_by_piece(shop, tree, tmp_path):
    spool = tmp_path / "spool"
    with spool.open("wb") as file:
        for number in range(10):
            file.write(bytes([number]) * (1 << 20))
    assert shop.take(tree, streams={DUMP: str(spool)}).added[0] == DUMP
    shop.back(tmp_path / "back", DUMP)
    assert (tmp_path / "back" / DUMP[1:]).read_bytes() == spool.read_bytes()
