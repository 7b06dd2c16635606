# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocks of whole lines, however the bytes arrive."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Cutter, Joiner
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = st.text(alphabet="ab\n\r\té\u0a00中\0 ", max_size=200)


def pieces(data, cuts):
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in zip(places, places[1:])]


def run(cutter, parts, is_last=False):
    blocks = [block for part in parts for block in cutter.feed(part)]
    return blocks + list(cutter.finish(is_last))


@settings(max_examples=300, deadline=None)
@given(text=TEXT, cuts=st.lists(st.integers(0, 400), max_size=12), encoding=st.sampled_from(["", "utf-16-le", "utf-16-be", "latin-1"]))
def test_no_chunk_border_changes_the_lines(text, cuts, encoding):
    if encoding == "latin-1":
        text = text.encode("latin-1", "ignore").decode("latin-1")
    data = text.encode(encoding or "utf-8")
    cutter = Cutter(0, encoding)
    blocks = run(cutter, pieces(data, cuts))
    whole, _newline, rest = text.rpartition("\n")
    expected = whole.encode() + b"\n" if _newline else b""
    assert b"".join(block.data for block in blocks) == expected
    assert cutter.waiting == len(rest.encode(encoding or "utf-8"))
    ends = [0] + [block.end for block in blocks]
    assert [block.start for block in blocks] == ends[:-1] and ends[-1] == len(data) - cutter.waiting
    assert data[max(0, ends[-1] - 64) : ends[-1]] == cutter.back[-64:]


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(st.sampled_from(["2026 a", " more", "\tat x", "2026 b", "", "é"]), max_size=40),
    cuts=st.lists(st.integers(0, 300), max_size=10),
    encoding=st.sampled_from(["", "utf-16-le"]),
)
def test_no_chunk_border_changes_messages_of_several_lines(lines, cuts, encoding):
    text = "".join(line + "\n" for line in lines)
    blocks = run(Cutter(0, encoding, Joiner("2026", False)), pieces(text.encode(encoding or "utf-8"), cuts))
    messages = []
    for block in blocks:
        ends = [*block.starts[1:], len(block.data)]
        messages += [block.data[begin:end].decode() for begin, end in zip(block.starts, ends)]
    expected = []
    for line in lines:
        if line.startswith("2026") or not expected:
            expected.append("")
        expected[-1] += line + "\n"
    assert messages == expected


@pytest.mark.parametrize("size", (1 << 16, 1000, 7))
def test_a_line_that_is_too_long_is_cut_and_counted_and_the_next_one_is_read(size):
    data = b"a\n" + b"x" * 5000 + b"END\nb\n" + b"y" * 3000
    cutter = Cutter(0, longest=100)
    blocks = run(cutter, [data[place : place + size] for place in range(0, len(data), size)])
    lines = b"".join(block.data for block in blocks).split(b"\n")
    if size == 1 << 16:
        assert lines[0] == b"a" and lines[2:] == [b"b", b""]  # it came whole, so it is kept whole
    else:
        assert lines == [b"a", b"x" * 100, b"b", b""] or (lines[0], lines[2:]) == (b"a", [b"b", b""])
    assert blocks[-1].end == 2 + 5004 + 2 and data[blocks[-1].end - 64 : blocks[-1].end] == cutter.back[-64:]
    last = list(cutter.finish(True))
    assert last[-1].end == len(data) and last[-1].data.startswith(b"yyy")


def test_hundred_megabytes_without_a_line_end_take_no_memory():
    cutter = Cutter(0)
    piece = b"z" * (1 << 18)
    for _number in range(400):
        assert list(cutter.feed(piece)) == []
    assert len(cutter._rest) <= 1 << 20 and cutter.waiting == 400 << 18
    blocks = list(cutter.feed(b"\nnext\n"))
    assert [len(block.data) for block in blocks] == [(1 << 20) + 1, 5] and cutter.long_lines == 1
    assert blocks[0].end == (400 << 18) + 1


def test_a_message_waits_for_its_next_line_and_is_bounded():
    cutter = Cutter(0, "", Joiner("E", False, most_lines=3))
    assert list(cutter.feed(b"E 1\n x\n")) == []
    blocks = list(cutter.feed(b" y\n z\n v\nE 2\n"))
    assert [block.data for block in blocks] == [b"E 1\n x\n y\n z\n v\n"] and blocks[0].starts == [0, 10]
    assert [block.data for block in cutter.finish(False)] == [b"E 2\n"]


@settings(max_examples=40, deadline=None)
@given(hole=st.integers(0, 900), cuts=st.lists(st.integers(0, 1200), max_size=12), encoding=st.sampled_from(["", "utf-16-le", "utf-16-be"]))
def test_the_line_behind_a_hole_is_whole_however_large_the_hole_is(hole, cuts, encoding):
    before, line = "before\n".encode(encoding or "utf-8"), "a line behind it\n".encode(encoding or "utf-8")
    data = before + b"\0\0" * hole + line + b"\0\0"
    cutter = Cutter(0, encoding, longest=100)
    blocks = run(cutter, pieces(data, cuts))
    text = b"".join(block.data for block in blocks)
    assert text.startswith(b"before\n") and text.endswith(b"a line behind it\n") and not text[7:-17].strip(b"\0")
    assert cutter.long_lines == 0 or len(line) > 100
    end = blocks[-1].end
    assert end == len(data) - 2 and data[max(0, end - 64) : end] == cutter.back[-64:]
