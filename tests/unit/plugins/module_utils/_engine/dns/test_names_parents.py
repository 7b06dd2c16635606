# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names whose parent was seen before take a shorter way. It must lead to the same, and to the same refusals."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names

HEADS = [
    "a",
    "A",
    "x" * 63,
    "x" * 64,
    "",
    "_dmarc",
    "*",
    "a/b",
    "http://a",
    "a:",
    "ä",
    "\u212a",
    "a b",
    "a\\.b",
    "\\065",
    "-",
    "a\x00",
    "a@",
    "0",
]
PARENTS = ["example.test", "Example.TEST", "example.test.", "ä.test", "x." * 94 + "test", "test", "test.", "", ".", "a..b"]


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("head", HEADS)
def test_a_known_parent_changes_nothing(head, parent):
    def said():
        try:
            return names.both(f"{head}.{parent}")
        except ValueError as exc:
            return str(exc)

    names._PARENTS.clear()
    alone = said()
    try:
        names.both(f"before.{parent}")
    except ValueError:
        pass
    assert said() == alone
    assert said() == alone


def test_parents_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(names, "_MOST_PARENTS", 3)
    names._PARENTS.clear()
    for number in range(10):
        assert names.both(f"www.z{number}.test")[0] == f"www.z{number}.test"
    assert len(names._PARENTS) == 3
