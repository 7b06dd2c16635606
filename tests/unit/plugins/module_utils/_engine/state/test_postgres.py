# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store on a real PostgreSQL: what is told of it, drivers, rights, servers that go away, connections cut in the middle of a commit."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import dns, marks, schema
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_schema import translated
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.postgres_url import read_postgres
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import (
    StateAway,
    StateError,
    StateMissing,
    check_writable,
    open_store,
)

STATE = "from ansible_collections.vigil.ops.plugins.module_utils._engine.state"


def failure(url, **more):
    """What a store says that cannot be opened, and everything that a traceback would show with it."""
    with pytest.raises(StateError) as caught:
        open_store(url, **more)
    return caught.value, "".join(traceback.format_exception(caught.type, caught.value, caught.tb))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:s3c@ret@db/x", "write %40 for @"),
        ("postgresql://me:s3c/ret@db/x", "write %40 for @"),
        ("postgresql://me:s3c?ret@db/x", "write %40 for @"),
        ("postgresql://me:s3c ret@db/x", "write %40 for @"),
        ("postgresql://me:s3cret/x", "no host and port that can be read"),
        ("postgresql://me:s3cret@db:54x/x", "no host and port that can be read"),
        ("postgres://me:s3cret@db/x?keep=1h", "must be a day"),
        ("postgres://me:s3cret@db/x?keep=soon", "is not a duration"),
        ("postgres://me:s3cret@db/x?schema=A-b", "schema in state_url must be a name"),
        ("postgres://me:s3cret@db/x?schema=pg_catalog", "schema in state_url must be a name"),
        ("postgres://me:s3cret@db/x?colour=s3cret", "cannot be read"),
        ("postgres://me:s3cret%zz@db/x", "cannot be read"),
    ],
)
def test_bad_urls(url, words):
    error, everything = failure(url)
    assert words in str(error) and str(error).endswith(".")
    shown = "\n".join(line for line in everything.splitlines() if "state_url" in line)
    for part in ("s3c", "ret@"):
        assert part not in shown, "no part of a password"
    with pytest.raises(StateError):
        check_writable(url)


def test_what_a_url_says():
    place = read_postgres("postgresql://me:p%40ss@[::1]:5433,db2/x?keep=30d&schema=ops_2&sslmode=verify-full&password=0ther%21")
    assert place.dsn == "postgresql://me:p%40ss@[::1]:5433,db2/x?sslmode=verify-full&password=0ther%21"
    assert (place.schema, place.keep_days) == ("ops_2", 30.0)
    assert place.shown == "postgresql://[::1]:5433,db2/x?schema=ops_2"
    assert place.secrets == {"p%40ss", "p@ss", "0ther%21", "0ther!"}
    assert read_postgres("postgres:///vigil?host=/run/postgresql").dsn == "postgresql:///vigil?host=/run/postgresql"


def test_who_may_not_come_in(guarded_postgres):
    good = guarded_postgres.url(schema="vigil")
    open_store(good).close()
    for url, words in (
        (good.replace("Pa55", "Pa66"), "cannot be opened"),
        (good.replace("vigil:", "nobody:"), "cannot be opened"),
        (good.replace("/postgres?", "/elsewhere?"), "cannot be opened"),
        (good.replace("sslmode", "") + "&sslmode=require", "cannot be"),
    ):
        error, everything = failure(url)
        assert words in str(error), error
        assert "T0p-Secret" not in "".join(line for line in everything.splitlines() if not line.lstrip().startswith(("open_store", "url")))
    guarded_postgres.sql("CREATE ROLE small LOGIN PASSWORD 'small'")
    small = good.replace("vigil:T0p-Secret-Pa55", "small:small")
    error, _everything = failure(small)
    assert "refuses this" in str(error) and "vigil" in str(error)
    with pytest.raises(StateError, match="may not make or fill tables"):
        check_writable(small.replace("schema=vigil", "schema=mine"))
    with pytest.raises(StateError, match="let its user create schemas there, or make the schema mine for it"):
        open_store(small.replace("schema=vigil", "schema=mine"))
    guarded_postgres.sql("CREATE SCHEMA mine AUTHORIZATION small")
    check_writable(small.replace("schema=vigil", "schema=mine"))
    with open_store(small.replace("schema=vigil", "schema=mine")) as store, store.unit() as unit:
        marks.put(unit, "a", "b", 1)


def test_the_password_may_come_from_the_environment(guarded_postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", guarded_postgres.password)
    open_store(guarded_postgres.url().replace(":T0p-Secret-Pa55", "")).close()


def test_databases_that_are_not_ours(postgres_server):
    theirs = postgres_server.schema()
    postgres_server.sql(f"CREATE SCHEMA {theirs}; CREATE TABLE {theirs}.meta (a int)")
    assert isinstance(failure(postgres_server.url(schema=theirs))[0], StateError)
    other = postgres_server.schema()
    postgres_server.sql(f"CREATE SCHEMA {other}; CREATE TABLE {other}.things (a int)")
    assert "holds tables of another program" in str(failure(postgres_server.url(schema=other))[0])
    postgres_server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    assert "as LATIN1, not as UTF8" in str(failure(postgres_server.url().replace("/postgres?", "/latin?"))[0])


def test_versions(postgres_server):
    name = postgres_server.schema()
    url = postgres_server.url(schema=name)
    old = ";".join([f"CREATE SCHEMA {name}", f"SET search_path TO {name}", *map(translated, schema.STEPS[0])])
    postgres_server.sql(f"{old}; INSERT INTO meta VALUES ('salt', 'aa'), ('version', '1')")
    with pytest.raises(StateMissing, match="the next run that writes there"):
        open_store(url, read_only=True)
    code = f"import sys\n{STATE}.store import open_store\nprint(open_store(sys.argv[1]).salt)\n"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _n in range(6)
    ]
    assert [process.communicate(timeout=60) for process in processes] == [("aa\n", "")] * 6
    postgres_server.sql(f"UPDATE {name}.meta SET value = '{schema.VERSION + 1}' WHERE key = 'version'")
    assert "newer version of vigil.ops" in str(failure(url)[0])


DRIVER = (
    "import sys\n"
    "for name in sys.argv[2:]: sys.modules[name] = None\n"
    f"{STATE} import dns, marks\n"
    f"{STATE}.store import open_store, StateError\n"
    "try:\n"
    "    with open_store(sys.argv[1]) as store:\n"
    "        with store.unit() as unit:\n"
    "            marks.put(unit, 'a', \"it's 50% \\\\ ?\", {'x': 1.5})\n"
    "            dns.save(unit, 'v', [(b'\\0\\xff\\'', dns.Record('noerror', ('a',), b'\\1\\2', (b'xy',)))])\n"
    "            token = dns.new_batch(unit, 'v', 't')\n"
    "        with store.view() as unit:\n"
    "            print(marks.get(unit, 'a', \"it's 50% \\\\ ?\"), dns.get(unit, 'v', b'\\0\\xff\\'')[:4], token,\n"
    "                  dns.below(unit, 'v', b'x'), unit.pairs('SELECT key, at > ? FROM marks WHERE space = ?', (1.0, 'a')))\n"
    "except StateError as exc: print(exc)\n"
)


def test_either_driver_and_none(postgres_server):
    said = [
        subprocess.run([sys.executable, "-c", DRIVER, postgres_server.url(), *without], capture_output=True, text=True, check=False)
        for without in ((), ("psycopg",), ("psycopg", "psycopg2"))
    ]
    assert said[0].stdout == said[1].stdout, said
    assert said[0].stdout.startswith("{'x': 1.5} ('noerror', ('a',), b'\\x01\\x02', (b'xy',)) 1 [] "), said[0]
    assert "needs the Python package psycopg (or psycopg2)" in said[2].stdout and "install psycopg[binary]" in said[2].stdout
    assert [one.stderr for one in said] == ["", "", ""]


def test_below_a_zone(postgres_server):
    with open_store(postgres_server.url()) as store, store.unit() as unit:
        tails = [b"\3www\1a\0\0\1\0\1", b"\1b\0\0\1\0\1"]
        dns.save(unit, "v", [(tail, dns.Record("noerror", ("x",))) for tail in tails])
        assert dns.below(unit, "v", b"\1a\0") == tails[:1]


def test_nobody_at_home():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error, _everything = failure(f"postgresql://me:s3cret@127.0.0.1:{port}/x")
    assert isinstance(error, StateAway) and "cannot be reached" in str(error) and "s3cret" not in str(error)
    with pytest.raises(StateAway):
        check_writable(f"postgresql://me@127.0.0.1:{port}/x")


def test_a_server_that_never_answers_is_not_asked_again_at_once(postgres_server):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        store = open_store(postgres_server.url())
        store.close()
        store._place = store._place._replace(dsn=f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2")
        for _time in range(3):
            with pytest.raises(StateAway, match="cannot be reached"), store.unit():
                pass
        silent.settimeout(0)
        asked = []
        with pytest.raises(BlockingIOError):
            while True:
                asked.append(silent.accept()[0])
        assert len(asked) == 1
        for one in asked:
            one.close()


def add_one(unit):
    marks.put(unit, "count", "n", marks.get(unit, "count", "n", 0) + 1)


class Cutter:
    """A way to the server that is cut at a commit: before it comes there, or after it, before its answer goes back."""

    def __init__(self, port, before):
        self._port, self._before, self.left = port, before, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            state = {"cut": False}
            threading.Thread(target=self._forth, args=(client, server, state), daemon=True).start()
            threading.Thread(target=self._back, args=(client, server, state), daemon=True).start()

    def _forth(self, client, server, state):
        for data in iter(lambda: self._read(client), b""):
            if self.left and b"INTO commits" in data and b"COMMIT" in data:
                self.left -= 1
                state["cut"] = True
                if self._before:
                    break
            server.sendall(data)
        if self._before or not state["cut"]:
            self._end(server)
        if state["cut"] and self._before:
            self._end(client)

    def _back(self, client, server, state):
        for data in iter(lambda: self._read(server), b""):
            if state["cut"]:
                break
            client.sendall(data)
        self._end(client)
        self._end(server)

    @staticmethod
    def _end(stream):
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _read(stream):
        try:
            return stream.recv(65536)
        except OSError:
            return b""

    def close(self):
        self._listener.close()


@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "before its answer"])
def test_a_commit_whose_answer_is_lost_is_done_once(postgres_server, before):
    url = postgres_server.url()
    cutter = Cutter(postgres_server.port, before)
    try:
        with open_store(url.replace(f":{postgres_server.port}/", f":{cutter.port}/")) as store:
            store.run(add_one)
            for _time in range(3):
                cutter.left = 1
                store.run(add_one)
            cutter.left = 1
            if before:
                with pytest.raises(StateAway, match="was lost"), store.unit() as unit:
                    add_one(unit)
            else:
                with store.unit() as unit:
                    add_one(unit)
            assert cutter.left == 0
            with store.view() as unit:
                assert marks.get(unit, "count", "n") == (4 if before else 5)
    finally:
        cutter.close()


def test_a_server_that_is_killed_and_comes_back(postgres):
    """Units go on over restarts; what was said to be kept is kept, and once."""
    url = postgres.url()
    over, done, failed = threading.Event(), [], []

    def work():
        with open_store(url) as store:
            while not over.is_set():
                try:
                    store.run(add_one)
                    done.append(1)
                except StateAway as exc:
                    failed.append(str(exc))

    writers = [threading.Thread(target=work) for _number in range(3)]
    open_store(url).close()
    for writer in writers:
        writer.start()
    for _time in range(4):
        enough = len(done) + 40
        while len(done) < enough:
            over.wait(0.01)
        postgres.restart()
    over.set()
    for writer in writers:
        writer.join(60)
    assert not any("not known" in sentence for sentence in failed), failed
    with open_store(url) as store, store.view() as unit:
        assert marks.get(unit, "count", "n") == len(done)


def test_a_unit_in_a_server_that_goes_away(postgres):
    with open_store(postgres.url()) as store:
        with pytest.raises(StateAway, match=r"was lost|cannot be reached"), store.unit() as unit:
            add_one(unit)
            postgres.stop()
            add_one(unit)
        with pytest.raises(StateAway, match="cannot be reached"), store.view():
            pass
        postgres.start()
        with store.view() as unit:
            assert marks.get(unit, "count", "n") is None
        postgres.restart()
        store.run(add_one)  # the connection is made anew


def test_tables_that_vanish_are_made_again(postgres_server):
    name = postgres_server.schema()
    with open_store(postgres_server.url(schema=name)) as store:
        salt = store.salt
        postgres_server.sql(f"DROP SCHEMA {name} CASCADE")
        store.run(add_one)
        assert store.salt != salt


def test_a_killed_parent_leaves_no_lock_to_its_child(postgres_server):
    """A forked worker that lives on holds the parent's connection open no longer than its first breath."""
    url = postgres_server.url()
    code = (
        "import os, signal, sys, time\n"
        f"{STATE} import marks\n"
        f"{STATE}.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "with store.unit() as unit:\n"
        "    marks.put(unit, 'a', 'b', 1)\n"
        "    child = os.fork()\n"
        "    if not child: time.sleep(600)\n"
        "    print(child, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    try:
        parent.send_signal(signal.SIGKILL)
        parent.wait(30)
        with open_store(url) as store, store.unit() as unit:
            assert marks.get(unit, "a", "b") is None
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


def test_a_pooler_may_stand_before_it(postgres_server):
    """Nothing of a session is set outside of a transaction."""
    with open_store(postgres_server.url()) as store:
        store.run(add_one)
        shown = [store._session.ask(f"SHOW {name}")[0][0] for name in ("search_path", "lock_timeout", "synchronous_commit")]
        assert shown == ['"$user", public', "0", "on"]


def test_a_crowded_server_is_waited_for(postgres):
    postgres.sql("ALTER SYSTEM SET max_connections = 5")
    postgres.sql("ALTER SYSTEM SET superuser_reserved_connections = 0")
    postgres.stop()
    postgres.start("")
    url = postgres.url()
    stores = [open_store(url) for _number in range(5)]
    with pytest.raises(StateAway, match="takes no more connections"):
        open_store(url, busy=0.05)
    freed = threading.Timer(0.3, stores[0].rest)
    freed.start()
    open_store(url).close()
    freed.join()
    stores[0].run(add_one)  # comes back by itself
    for store in stores:
        store.close()
