# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import cpu
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._procfs import read_cpu


def test_the_time_that_looking_takes_is_not_the_load_of_the_host():
    ctx = Context()
    begin, own = read_cpu(), sum(os.times()[:4])
    cpu.gather([{}], ctx)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:  # a whole core is kept busy by this very process
        pass
    seen = cpu.observe({}, ctx)
    after = read_cpu()
    busy = (after.total - begin.total) - (after.idle - begin.idle) - (after.iowait - begin.iowait)
    total, mine = after.total - begin.total, sum(os.times()[:4]) - own
    assert abs(seen["used_percent"] - 100 * max(0.0, busy - mine) / total) < 15
    # on a busy machine this process gets little, so what is left out is measured by what it got
    assert seen["used_percent"] <= 100 * (busy - mine / 2) / total
