# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping events while the store is locked."""

from __future__ import annotations

import sqlite3
import threading
import time

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.notify import Batch
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store
from ansible_collections.vigil.ops.plugins.plugin_utils._teller import Teller


def batch_of(check):
    return Batch([new_event("service", "host", check, time.time(), message="m")], (), "test")


def told(path):
    return path.read_text(encoding="utf-8").count("\n") if path.exists() else 0


def test_events_wait_in_memory_for_a_locked_store(tmp_path):
    place, out = tmp_path / "state.db", tmp_path / "out.jsonl"
    open_store(f"sqlite:///{place}").close()
    other = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    teller = Teller(f"sqlite:///{place}", [parse(f"file://{out}")])
    for number in range(30):
        assert "locked" in teller.tell(batch_of(f"c{number}"))
    release = threading.Timer(0.5, other.rollback)
    release.start()
    assert teller.tell(batch_of("last"), seconds=20.0) == ""
    assert teller.finish(time.monotonic() + 20) == []
    assert told(out) == 31
    # the same teller serves the next playbook of the run
    assert teller.tell(batch_of("later"), seconds=5.0) == ""
    assert teller.finish(time.monotonic() + 20) == []
    assert told(out) == 32
    release.join()
    other.close()


def test_what_could_not_be_kept_is_counted(tmp_path):
    place = tmp_path / "state.db"
    teller = Teller(f"sqlite:///{place}", [parse(f"file://{tmp_path}/out.jsonl")])
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(3):
        teller.tell(batch_of(f"c{number}"))
    sentences = teller.finish(time.monotonic() + 1)
    assert len(sentences) == 1
    assert sentences[0].startswith("3 events could not be kept, and nobody is told of them: The state file")
    other.close()


def test_events_wait_in_memory_for_a_server_that_is_away(tmp_path, postgres):
    out, url = tmp_path / "out.jsonl", postgres.url(schema="vigil")
    postgres.stop()
    teller = Teller(url, [parse(f"file://{out}")])
    assert "cannot be reached" in teller.tell(batch_of("first"), seconds=0.1)
    postgres.start()
    assert teller.tell(batch_of("second"), seconds=20.0) == ""
    postgres.stop()
    for number in range(5):
        assert "cannot be reached" in teller.tell(batch_of(f"c{number}"))
    postgres.start()
    assert teller.tell(batch_of("last"), seconds=20.0) == ""
    assert teller.finish(time.monotonic() + 20) == []
    assert told(out) == 8, out.read_text()
    postgres.stop()
    teller.tell(batch_of("late"))
    assert teller.finish(time.monotonic() + 1)[0].startswith("1 event could not be kept, and nobody is told of them: The state store")
    postgres.start()
