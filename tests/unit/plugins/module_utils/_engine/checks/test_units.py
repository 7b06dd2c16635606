# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("7d", 604800),
        ("1h30m", 5400),
        ("5", 5),
        (5, 5),
        (0.25, 0.25),
        (" 3 s ", 3),
        ("1.5m", 90),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5x", "-1", "1h30", "s", "5 m x", None, True, [], float("nan"), float("inf"), -2, "1e3s", "5S"])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("10MiB", 10485760), ("4K", 4096), ("1.5GB", 1500000000), (512, 512), ("7", 7), ("2tib", 2 * 1024**4)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "10 apples", -1, None, True, "MiB"])
def test_what_is_no_size_is_named(text):
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@pytest.mark.parametrize(("seconds", "text"), [(0.02, "20ms"), (90, "1m30s"), (5, "5s"), (7200, "2h"), (90061, "1d1h")])
def test_durations_for_people(seconds, text):
    assert format_duration(seconds) == text
