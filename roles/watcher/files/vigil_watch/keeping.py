# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m vigil_watch.keeping``: one snapshot, in a process of its own: what many files take is given back, and nobody waits for it.

It takes the configuration, the name of a watch, a level and a trace id, pickled by the file room, on its standard input,
and writes what was told as JSON; it ends when that input does.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import receipts
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream
from vigil_watch.desk import Desk
from vigil_watch.log import Log

if t.TYPE_CHECKING:
    from vigil_watch.model import Config, FileWatch

_MOST_TEXT = 2000


def keep(config: Config, watch: FileWatch, log: Log) -> int:
    """Take a snapshot if something changed, and keep what is to be told; returns how many events that are."""
    now = time.time()
    desk = Desk(config)
    receipt = receipts.key(config.name, f"watcher files {watch.name}", config.state_url)
    with desk.store.view() as unit:
        batch = receipts.last(unit, receipt)
    job = flow.read_job({**watch.options, "batch": batch}, config.name)
    is_first = not job.repository.exists() or not job.repository.ids(job.options.name)
    outcome = flow.backup(job, flow.Tools(run, stream, time.sleep), now, show=True)
    for problem in outcome["problems"]:
        log.warning(f"{watch.name}: {problem}")
    for one in outcome["events"]:
        if one["snapshot"] and one["snapshot"] == outcome["snapshot"] and outcome["text"]:
            one["message"] += "\n" + outcome["text"][:_MOST_TEXT]
    if is_first:  # what was there before is no change
        outcome["events"] = [one for one in outcome["events"] if one["kind"] != "changed"]
    if outcome["snapshot"]:
        stats = outcome["stats"]
        words = ", ".join(f"{stats[key]} {key}" for key in ("added", "modified", "removed") if stats[key])
        log.info(f"{watch.name}: {words}", snapshot=outcome["snapshot"])
    return desk.tell_outcome(dict(outcome, receipt=receipt), now)


def _end_with_the_room() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> int:
    config, name, level, trace = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the room that started this process
    threading.Thread(target=_end_with_the_room, daemon=True).start()
    log = Log(level, "files")
    log.trace = trace
    watch = next(one for one in config.files if one.name == name)
    try:
        said = {"told": keep(config, watch, log)}
    except Exception as exc:  # noqa: BLE001 - the room says it, and tries again at the next look
        said = {"fault": f"{type(exc).__name__}: {exc}"}  # type: ignore[dict-item]
    sys.stdout.write(json.dumps(said))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
