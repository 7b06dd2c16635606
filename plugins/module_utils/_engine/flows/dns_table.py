# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dns_diff returned as a short table for a terminal."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_events import differs, sentence

MOST = 20
_WIDEST = 60
_COUNTS = ("learned", "unchanged", "changed", "failed", "unconfirmed", "held", "flapping", "rotating")


def table(outcome: t.Mapping[str, t.Any], title: str, columns: int = 120) -> str:
    """Changes and failures, the first of them, and last a line with all counts."""
    say = sentence if outcome.get("against", "previous") == "previous" else differs
    rows = [(str(one["kind"]), _name(one), _rest(one, say(one))) for one in outcome["changes"]]
    rows += [(str(one["status"]), _name(one), str(one["message"])) for one in outcome["failures"]]
    shown = rows[:MOST]
    widths = [min(max([len(row[at]) for row in shown] or [0]), _WIDEST) for at in (0, 1)]
    lines = [title]
    lines += [f"  {row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}"[:columns].rstrip() for row in shown]
    stats = outcome["stats"]
    total = int(stats.get("changed") or 0) + int(stats.get("returned_again") or 0) + int(stats.get("failed") or 0)
    if len(rows) > MOST:
        lines.append(f"  and {max(total, len(rows)) - MOST} more")
    counts = ", ".join(f"{stats[key]} {key}" for key in _COUNTS if stats.get(key))
    lines.append(f"  {stats['names']} names: {counts or 'nothing to compare'} ({stats['seconds']} s)")
    return _plain("\n".join(lines))


def _name(one: t.Mapping[str, t.Any]) -> str:
    return "" if one["name"] == "*" else f"{one['name']} {one['type']}"


def _rest(one: t.Mapping[str, t.Any], text: str) -> str:
    if one["kind"] == "mass":
        return str(one["message"])
    start = f"{one['name']} {one['type']} "
    return text[len(start) :] if text.startswith(start) else text


def _plain(text: str) -> str:
    return "".join(char if char == "\n" or char.isprintable() else "?" for char in text)
