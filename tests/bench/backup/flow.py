# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One backup or restore in a process of its own, without Ansible: ``flow.py backup|restore OPTIONS`` with the module's options as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time

from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream


def main() -> None:
    what, params = sys.argv[1], {"name": "job", **json.loads(sys.argv[2])}
    if what == "backup":  # a module loads its own flow alone
        from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup

        found = backup.backup(backup.read_job(params, "bench"), backup.Tools(run, stream, time.sleep), time.time())
        stats = {key: found["stats"][key] for key in ("added", "modified", "removed")}
    else:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import restore

        found = restore.restore(restore.read_request(params), run)
        stats = {"restored": len(found["restored"])}
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"done": True, "changed": found["changed"], **stats, "peak_mb": used.ru_maxrss // 1024}))


main()
