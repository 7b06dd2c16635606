# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import text, values


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("plain\ttext\nline", "plain\ttext\nline"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff\ud800", "\\xff\\ud800"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("巡检 é 🚀", "巡检 é 🚀"),
    ],
)
def test_visible(given, seen):
    assert text.visible(given) == seen
    assert text.visible(given).encode("utf-8")


def test_oneline():
    assert text.oneline(" a\n\n b\tc\u2028d ") == "a b c\\u2028d"


def test_plain_is_json_and_has_a_bottom():
    loop = {}
    loop["again"] = loop
    made = text.plain({1: {2.5}, "x": float("inf"), "d": datetime.date(2026, 11, 21), "b": b"\xff", "loop": loop})
    assert made["1"] == [2.5] and made["x"] is None and made["d"] == "2026-11-21" and made["b"] == "\\xff"


@pytest.mark.parametrize(("given", "columns"), [("abc", 3), ("主机", 4), ("a主", 3), ("é", 1), ("e\u0301", 1), ("🚀", 2), ("", 0)])
def test_width(given, columns):
    assert text.width(given) == columns


@pytest.mark.parametrize("given", ["plain words here", "中文主机名称很长很长", "a中b文c", "e\u0301" * 20])
@pytest.mark.parametrize("columns", [1, 2, 5, 9])
def test_pad_is_exact(given, columns):
    assert text.width(text.pad(given, columns)) == columns
    assert text.width(text.pad(given, columns, right=True)) == columns


@pytest.mark.parametrize(
    ("given", "seen"), [(93.14, "93.1"), (100.0, "100"), (0, "0"), (None, "–"), (True, "–"), (10, "10"), (1000.0, "1000")]
)
def test_number(given, seen):
    assert values.number(given) == seen


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("free_bytes", 13212057600, "12.3 GiB"),
        ("a.used_percent", 41.24, "41.2 %"),
        ("latency_ms", 612, "612 ms"),
        ("latency_ms", 0.84, "0.8 ms"),
        ("age_seconds", 90061, "1 d 1 h"),
        ("per_core5", 0.314, "0.31"),
        ("restarts", 3, "3"),
        ("free", 16222420, "16,222,420"),
    ],
)
def test_metric(name, value, seen):
    assert values.metric(name, value) == seen


@pytest.mark.parametrize(
    ("seconds", "seen"), [(0, "0 s"), (-5, "0 s"), (59.9, "59 s"), (420, "7 min"), (39900, "11 h 5 min"), (864000, "10 d"), (86700, "1 d")]
)
def test_span(seconds, seen):
    assert values.span(seconds) == seen


@pytest.mark.parametrize(
    ("given", "epoch"),
    [
        ("2026-11-21T02:00:00Z", 1795226400.0),
        ("2026-11-21T03:00:00+01:00", 1795226400.0),
        (1795226400, 1795226400.0),
        ("no", None),
        (None, None),
        (True, None),
    ],
)
def test_epoch_of(given, epoch):
    assert values.epoch_of(given) == epoch
