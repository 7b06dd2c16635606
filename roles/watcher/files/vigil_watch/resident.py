# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m vigil_watch.resident CONFIG LEVEL``: the supervisor in a Python that has loaded nothing else. ``vigil run`` becomes it."""

from __future__ import annotations

import sys

from vigil_watch.log import Log
from vigil_watch.supervisor import Supervisor

if __name__ == "__main__":
    sys.exit(Supervisor(sys.argv[1], Log(sys.argv[2])).run())
