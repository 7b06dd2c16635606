# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for a terminal, with colours where it has them."""

from __future__ import annotations

import os
import shutil
import sys
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339

_COLOURS = {"ok": "32", "resolved": "32", "warning": "33", "unknown": "35", "skipped": "36", "critical": "31", "firing": "31"}


def table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]], coloured: t.Optional[int]) -> str:
    """Lines with aligned columns; the last one is cut at the width of a terminal.

    :arg coloured: the column whose words have colours
    """
    plain = [[_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in [list(head), *plain]) for index in range(len(head))]
    is_terminal = sys.stdout.isatty()
    most = shutil.get_terminal_size().columns if is_terminal else 1000
    lines = []
    for number, row in enumerate([list(head), *plain]):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths)] + [row[-1]]
        text = "  ".join(cells).rstrip()[: max(most, 40)]
        if is_terminal and coloured is not None and number and row[coloured] in _COLOURS and not os.environ.get("NO_COLOR"):
            text = (
                text.replace(row[coloured], f"\x1b[{_COLOURS[row[coloured]]}m{row[coloured]}\x1b[0m", 1)
                if row[0] != row[coloured]
                else text
            )
        lines.append(text)
    return "\n".join(lines)


def _line(text: t.Any) -> str:
    """Without what could move a cursor."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def age(seconds: float) -> str:
    """How long ago, in the largest unit: 40s, 5m, 3h, 2d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def seconds_since(moment: t.Any) -> float:
    """Of a time as it is shown (RFC 3339)."""
    try:
        return max(time.time() - parse_rfc3339(str(moment)), 0.0)
    except ValueError:
        return 0.0
