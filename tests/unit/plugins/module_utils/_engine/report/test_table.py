# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.table import text_table
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.text import width


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [20, 100, 111, 500])
def test_no_line_of_a_host_is_wider_than_the_terminal(make, language, columns):
    lines = text_table(*make(language=language), columns=columns).split("\n\n", maxsplit=1)[0].splitlines()
    assert len(lines) == 2 + 9
    assert max(width(line) for line in lines) <= min(max(columns, 100), 120)


def test_columns_stand_in_line_whatever_the_script(make):
    doc, words = make({"中文主机": {"unreachable": True}, "b": {"unreachable": True}}, language="zh")
    lines = text_table(doc, words).splitlines()
    starts = {width(line[: line.index("不可达")]) for line in lines[2:4]}
    assert len(starts) == 1


def test_nothing_of_a_host_steers_the_terminal(make):
    table = text_table(*make())
    assert not [char for char in table if (ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160]
    assert len(table.splitlines()) == 2 + 9 + 5  # two suspects, two totals, and an empty line


def test_worst_finding_and_totals(make):
    lines = text_table(*make()).splitlines()
    assert lines[0].split()[:3] == ["Host", "Status", "Score"]
    assert lines[2].startswith("gone ") and "No route to host" in lines[2]
    assert "root disk: used_percent is 93.1" in next(line for line in lines if line.startswith("db1"))
    assert lines[-2] == "9 hosts: 1 unreachable, 3 critical, 3 unknown, 2 ok; fleet score 42.2, critical, 56.2% could be seen"
    assert lines[-1] == "12 checks: 3 critical, 1 unknown, 1 warning, 6 ok, 1 skipped"


@pytest.mark.parametrize(("hosts", "said"), [(31, "... and 1 more host, all ok"), (50, "... and 20 more hosts, all ok"), (30, None)])
def test_thirty_hosts_and_then_a_line(make, fleet, hosts, said):
    lines = text_table(*make({f"h{index}": fleet["web2"] for index in range(hosts)})).splitlines()
    assert [line for line in lines if line.startswith("...")] == ([said] if said else [])
    assert len([line for line in lines if line.startswith("h")]) == 30


def test_the_rest_says_what_it_is(make, fleet):
    many = {f"h{index}": fleet["gone" if index < 31 else "web2"] for index in range(40)}
    assert "... and 10 more hosts, 1 unreachable, 9 ok" in text_table(*make(many)).splitlines()


def test_no_hosts(make):
    assert text_table(*make({})).splitlines()[0] == "No host was inspected."
