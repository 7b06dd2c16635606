# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both kinds of store promise alike, on a SQLite file and on a schema of a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks, outbox, results
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, StateMissing, check_writable, open_store

NOW = 1_763_692_800.0
STATE = "from ansible_collections.vigil.ops.plugins.module_utils._engine.state"


def outcome(status="ok", **metrics):
    result = {"name": "disk", "labels": {}, "status": status, "severity": "error", "summary": "s", "metrics": metrics}
    return {"results": [result], "summary": {status: 1}, "score": 100.0, "status": status}


def child(code, *args):
    """A process of its own that imports the engine."""
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_how_long_it_is_kept(store_url):
    now = [NOW]
    mark = "&" if "?" in store_url else "?"
    for keep, day, left in ((f"{mark}keep=30d", 0, 1), ("", 40, 2), (f"{mark}keep=30d", 50, 2)):
        now[0] = NOW + day * 86400.0
        with open_store(store_url + keep, clock=lambda: now[0]) as store, store.unit() as unit:
            results.record(unit, "web1", outcome(), now[0])
            assert len(results.scores(unit, "web1")) == left


def test_exception_rolls_back(store_url):
    with open_store(store_url) as store:
        with pytest.raises(KeyError), store.unit() as unit:
            results.record(unit, "web1", outcome(), NOW)
            raise KeyError("x")
        with store.view() as unit:
            assert results.scores(unit, "web1") == []


def test_to_read_makes_nothing_and_writes_nothing(store_url):
    check_writable(store_url)
    for _twice in range(2):
        with pytest.raises(StateMissing):
            open_store(store_url, read_only=True)
    with open_store(store_url) as store, store.unit(durable=True) as unit:
        results.record(unit, "web1", outcome(), NOW)
    check_writable(store_url)
    with open_store(store_url, read_only=True) as store:
        with store.view() as unit:
            assert results.scores(unit, "web1") == [(NOW, 100.0)]
        with pytest.raises(StateError, match="read-only"), store.unit() as unit:
            results.record(unit, "web1", outcome(), NOW)
        with store.view() as unit:
            assert len(results.scores(unit, "web1")) == 1


def test_the_salt_stays(store_url):
    with open_store(store_url) as store:
        salt = store.salt
    with open_store(store_url, read_only=True) as store:
        assert len(salt) == 32 and store.salt == salt


def test_texts_of_any_kind_come_back(store_url):
    texts = ["it's", 'say "x"', "%s %d ?", "\\x00 \\", "E'\\n'", "\u544a\u8b66 \u2028", "$1 $$", "", "-- ; DROP TABLE marks;"]
    with open_store(store_url) as store:
        with store.unit() as unit:
            for text in texts:
                marks.put(unit, "t", text, text)
            marks.put(unit, "odd", "a\udcff", ["b\0c\udcff", float("nan"), True])
        with store.view() as unit:
            assert [marks.get(unit, "t", text) for text in texts] == texts
            assert marks.get(unit, "odd", "a\udcff") == ["b\0c\\xff", None, True]
            assert unit.all("SELECT key FROM marks WHERE space = ? ORDER BY key", ("t",)) == [(text,) for text in sorted(texts)]


def test_a_nul_in_a_column_stops_nobody(store_url):
    with open_store(store_url) as store, store.unit() as unit:
        results.record(unit, "w\0eb", outcome(), NOW)
        assert len(results.scores(unit, "w\0eb" if store_url.startswith("sqlite") else "w\\x00eb")) == 1


def test_names_are_found_whatever_the_case_of_ascii(store_url):
    with open_store(store_url) as store, store.unit() as unit:
        marks.put(unit, "s", "Disk 50%", 1)
        for pattern, found in (("disk%", 1), ("DISK 50\\%", 1), ("disk _0\\%", 1), ("disk 5\\%", 0)):
            assert len(unit.all("SELECT 1 FROM marks WHERE key LIKE ? ESCAPE '\\'", (pattern,))) == found


def test_a_view_sees_one_moment(store_url):
    with open_store(store_url) as store, open_store(store_url) as other:
        with store.view() as unit:
            assert marks.get(unit, "a", "b") is None
            with other.unit() as writing:
                marks.put(writing, "a", "b", 1)
            assert marks.get(unit, "a", "b") is None
        with store.view() as unit:
            assert marks.get(unit, "a", "b") == 1


def test_a_writer_that_holds_on_is_not_waited_for_for_ever(store_url):
    with open_store(store_url) as store, open_store(store_url, busy=0.05) as other:
        with store.unit() as unit:
            marks.put(unit, "a", "b", 1)
            with pytest.raises(StateError, match="locked by another process for too long"), other.unit() as writing:
                marks.put(writing, "a", "b", 2)
            with other.view() as reading:
                assert marks.get(reading, "a", "b") is None
        with other.unit() as unit:
            assert marks.get(unit, "a", "b") == 1


def forked(work):
    """A forked worker, as Ansible makes them: the parent's imports, a connection of its own."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def recorder(url, name, start, times):
    def work():
        os.read(start, 1)
        for _number in range(times):
            with open_store(url) as store, store.unit() as unit:
                results.record(unit, name, {"results": [{"name": str(n), "status": "ok"} for n in range(20)], "status": "ok"}, time.time())

    return work


def check_sound(store):
    with store.view() as unit:
        assert store.notices == []
        if "sqlite" in store.url:
            assert unit.one("PRAGMA integrity_check") == ("ok",)
        return [unit.one(f"SELECT COUNT(*) FROM {table}")[0] for table in ("runs", "results")]


def test_thirty_workers_at_once_on_a_new_store(store_url):
    start, go = os.pipe()
    pids = [forked(recorder(store_url, f"host{number}", start, 3)) for number in range(30)]
    os.write(go, b"x" * 30)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 30
    os.close(start)
    os.close(go)
    with open_store(store_url) as store:
        assert check_sound(store) == [90, 1800]


def test_open_connection_over_a_fork(store_url):
    """The parent keeps its connection while children write to the same store, and writes on itself."""
    parent = open_store(store_url)
    start, go = os.pipe()
    pids = []

    def write_as_parent():
        with parent.unit() as unit:
            results.record(unit, "parent", {"status": "ok"}, time.time())

    for number in range(10):
        write_as_parent()
        pids.append(forked(recorder(store_url, f"host{number}", start, 5)))
        pids.append(forked(write_as_parent))  # the store object itself, in a child
    os.write(go, b"x" * 10)
    for _number in range(50):
        write_as_parent()
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 20
    os.close(start)
    os.close(go)
    write_as_parent()
    parent.close()
    with open_store(store_url) as store:
        assert check_sound(store) == [121, 1000]


RECORDER = (
    "import sys, time\n"
    f"{STATE} import results\n"
    f"{STATE}.store import open_store\n"
    "for number in range(int(sys.argv[3])):\n"
    "    with open_store(sys.argv[1]) as store:\n"
    "        with store.unit() as unit:\n"
    "            found = [{'name': str(n), 'status': 'ok'} for n in range(20)]\n"
    "            results.record(unit, sys.argv[2], {'results': found, 'status': 'ok'}, time.time())\n"
    "        assert not store.notices\n"
    "    print(number, flush=True)\n"
)


def kill_in_the_middle(url, times):
    committed = 0
    for number in range(times):
        process = child(RECORDER, url, "web1", 100000)
        for _line in range(1 + number % 5):
            assert process.stdout.readline(), process.stderr.read()
            committed += 1
        time.sleep(0.0007 * (number % 11))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        committed += len(process.stdout.read().split())  # not communicate(): it leaves out what readline() has buffered
        process.stdout.close()
        process.stderr.close()
        with open_store(url) as store, store.unit() as unit:  # after what a killed one had begun to commit is over
            kept = unit.one("SELECT COUNT(*) FROM runs")[0]
            assert store.notices == [] and committed <= kept <= committed + 1
            assert unit.one("SELECT COUNT(*) FROM results") == (kept * 20,)
            committed = kept


def test_kill_loses_no_committed_row(store_url):
    kill_in_the_middle(store_url, 12)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_kill_loses_no_committed_row_long(store_url):
    kill_in_the_middle(store_url, 150)


def test_old_rows_go_and_what_is_needed_stays(store_url):
    now = [NOW]
    with open_store(store_url, clock=lambda: now[0]) as store:
        for day in range(200):
            now[0] = NOW + day * 86400
            with store.unit() as unit:
                results.record(unit, "web1", outcome(used=float(day)), now[0])
    with open_store(store_url, clock=lambda: now[0]) as store, store.view() as unit:
        assert unit.one("SELECT COUNT(*) FROM runs")[0] in (90, 91)
        assert results.series(unit, "web1", "disk", "used", 1000)[-1] == 199.0
        assert results.listing(unit, None, 0.0, 1, False)[0]["since"] == "2025-11-21T02:40:00Z"


EVENT = {"alert_id": "A", "status": "firing", "severity": "error", "service": "s", "instance": "i", "check": "c", "message": "m"}
CLAIMER = (
    "import sys\n"
    f"{STATE} import outbox\n"
    f"{STATE}.store import open_store\n"
    "with open_store(sys.argv[1]) as store:\n"
    "    while True:\n"
    "        got = store.run(lambda unit: outbox.claim(unit, 'ops', sys.argv[2], limit=3))\n"
    "        if not got: break\n"
    "        for one in got: print(one.id)\n"
)


def test_two_that_claim_from_one_outbox_never_get_the_same(store_url):
    with open_store(store_url) as store, store.unit() as unit:
        for number in range(100):
            outbox.add(unit, f"e{number}", dict(EVENT, alert_id=f"A{number}"), ["ops"])
    processes = [child(CLAIMER, store_url, name) for name in ("one", "two", "three")]
    outputs = [process.communicate(timeout=60) for process in processes]
    claimed = [line for out, _err in outputs for line in out.split()]
    assert len(claimed) == len(set(claimed)) == 100, outputs


TAKER = (
    "import sys\n"
    "from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import budget\n"
    f"{STATE}.store import open_store\n"
    "with open_store(sys.argv[1], clock=lambda: 1000.0) as store:\n"
    "    print(sum(store.run(lambda unit: budget.take(unit, 'robot', [(20, 60.0)])) == 0.0 for _turn in range(40)))\n"
)


def test_a_budget_is_shared_by_all_processes(store_url):
    open_store(store_url).close()
    processes = [child(TAKER, store_url) for _number in range(3)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in processes) == 20
