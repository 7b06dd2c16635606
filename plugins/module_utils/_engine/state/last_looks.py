# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the probes of a host left in the last run for the next one, such as counters from which rates are computed."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit, clean, dump

SPACE = "left:"
# Of one probe, as text; a host with thousands of devices does without.
LONGEST = 1 << 19


def recall(unit: Unit, host: str, probes: t.Iterable[str]) -> dict[str, t.Any]:
    """What each of the probes left, by its name."""
    found = {probe: marks.get(unit, SPACE + clean(str(host)), probe) for probe in probes}
    return {probe: look for probe, look in found.items() if isinstance(look, dict)}


def remember(unit: Unit, host: str, left: t.Mapping[str, t.Any]) -> None:
    """Keep what probes left in the place of what they left before."""
    for probe, look in left.items():
        if isinstance(look, dict) and len(dump(look)) <= LONGEST:
            marks.put(unit, SPACE + clean(str(host)), str(probe), look)
