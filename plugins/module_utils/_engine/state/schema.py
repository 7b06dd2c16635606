# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables, as a list of steps: step n brings a store from user_version n to n + 1. A released step is never edited.

Times are seconds since the epoch (REAL), structures are JSON text. Only SQL that SQLite 3.26 knows.
"""

from __future__ import annotations

STEP_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # One row a host and run.
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, host TEXT NOT NULL, at REAL NOT NULL, status TEXT NOT NULL, score REAL,"
    " summary TEXT NOT NULL)",
    "CREATE INDEX runs_host ON runs (host, id)",
    "CREATE INDEX runs_at ON runs (at)",
    # One row a check and run.
    "CREATE TABLE results (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, host TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,"
    " probe TEXT, at REAL NOT NULL, status TEXT NOT NULL, was TEXT, severity TEXT, summary TEXT, reason TEXT, since REAL NOT NULL,"
    " metrics TEXT NOT NULL)",
    "CREATE INDEX results_key ON results (host, key, id)",
    "CREATE INDEX results_run ON results (run)",
    "CREATE INDEX results_at ON results (at)",
    # The last known status of every check: what `since` and `was` are read from.
    "CREATE TABLE standing (host TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL, since REAL NOT NULL, at REAL NOT NULL,"
    " PRIMARY KEY (host, key))",
    # One row an alert: the episode that is open, or the last one.
    "CREATE TABLE episodes (fingerprint TEXT PRIMARY KEY, alert_id TEXT NOT NULL, open INTEGER NOT NULL, source TEXT NOT NULL,"
    " instance TEXT NOT NULL, severity TEXT NOT NULL, starts_at REAL NOT NULL, ends_at REAL, last_at REAL NOT NULL,"
    " count INTEGER NOT NULL, tellings INTEGER NOT NULL, event TEXT NOT NULL)",
    "CREATE INDEX episodes_source ON episodes (open, source, instance)",
    "CREATE TABLE events (id TEXT PRIMARY KEY, alert_id TEXT NOT NULL, at REAL NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL,"
    " service TEXT NOT NULL, instance TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX events_at ON events (at)",
    # One row an event and channel. `channel` is the channel's key, never its URL.
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY, event TEXT NOT NULL, alert_id TEXT NOT NULL, channel TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " severity TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, next_at REAL NOT NULL,"
    " throttled INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, owner TEXT, lease REAL NOT NULL DEFAULT 0,"
    " code TEXT, message TEXT,"
    " UNIQUE (event, channel))",
    "CREATE INDEX outbox_due ON outbox (state, channel, next_at)",
    "CREATE INDEX outbox_alert ON outbox (alert_id, channel, id)",
    # Small values that rooms keep between runs: rate budgets, positions.
    "CREATE TABLE marks (space TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (space, key))",
)

STEP_2 = (
    # What is known of every DNS name and type of a view. `tail` is the question on the wire, `rdata` canonical texts, one a line, `print`
    # the fingerprint of the last answer (NULL: it is to be read every time), `others` further ones of the same records, `memory` what
    # rotation and flapping remember (JSON), `seen` when it was last asked for, to within a day or so.
    "CREATE TABLE dns_names (view TEXT NOT NULL, tail BLOB NOT NULL, status TEXT NOT NULL, rdata TEXT NOT NULL, print BLOB, others BLOB,"
    " memory TEXT, since REAL NOT NULL, seen REAL NOT NULL, PRIMARY KEY (view, tail)) WITHOUT ROWID",
    "CREATE INDEX dns_names_others ON dns_names (view) WHERE others IS NOT NULL",
    # Every change. `id` is made of what the change is, `batch` of the run that found it; `open` until the one who asked has it.
    "CREATE TABLE dns_changes (id TEXT PRIMARY KEY, view TEXT NOT NULL, at REAL NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,"
    " kind TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, status TEXT NOT NULL, nameserver TEXT, message TEXT NOT NULL,"
    " batch INTEGER NOT NULL, open INTEGER NOT NULL)",
    "CREATE INDEX dns_changes_at ON dns_changes (at)",
    "CREATE INDEX dns_changes_open ON dns_changes (view, batch) WHERE open = 1",
    # One row a run that returned changes: `token` is what the receiver hands back. AUTOINCREMENT: a number is never used again.
    "CREATE TABLE dns_batches (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, view TEXT NOT NULL, at REAL NOT NULL)",
)

STEP_3 = (
    # What a guard remembers of a service, as JSON.
    "CREATE TABLE guards (service TEXT PRIMARY KEY, memory TEXT NOT NULL, at REAL NOT NULL)",
    # What a guard has to tell; `open` until the one who asked has it. AUTOINCREMENT: a number is never used again.
    "CREATE TABLE guard_events (id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, at REAL NOT NULL, open INTEGER NOT NULL,"
    " body TEXT NOT NULL)",
    "CREATE INDEX guard_events_open ON guard_events (id) WHERE open = 1",
    "CREATE INDEX guard_events_at ON guard_events (at)",
)

STEP_4 = (
    # How far each log was read, and what each rule remembers, as JSON.
    "CREATE TABLE log_files (view TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (view, id))",
    "CREATE TABLE log_rules (view TEXT NOT NULL, rule TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (view, rule))",
    # Matches and alarms; `open` until the one who asked has them. AUTOINCREMENT: a number is never used again.
    "CREATE TABLE log_found (id INTEGER PRIMARY KEY AUTOINCREMENT, view TEXT NOT NULL, kind TEXT NOT NULL, at REAL NOT NULL,"
    " open INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX log_found_open ON log_found (view, id) WHERE open = 1",
    "CREATE INDEX log_found_at ON log_found (at)",
)

STEP_5 = (
    # Who has seen an alert and takes care of it (JSON: at, by, comment, until), and when it began and ended lately (JSON).
    "ALTER TABLE episodes ADD COLUMN acked TEXT",
    "ALTER TABLE episodes ADD COLUMN flaps TEXT",
    # Until when a message waits for others to go together with it; 0: it waits for nothing.
    "ALTER TABLE outbox ADD COLUMN digest REAL NOT NULL DEFAULT 0",
    # What is not told for a time: `matchers` as they were given (JSON).
    "CREATE TABLE silences (id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts_at REAL NOT NULL, ends_at REAL NOT NULL,"
    " comment TEXT NOT NULL, author TEXT NOT NULL, at REAL NOT NULL)",
    "CREATE INDEX silences_ends ON silences (ends_at)",
    # Runs that are expected again and again: each says by itself how often, in seconds. `body`: severity and the like (JSON).
    "CREATE TABLE expected (name TEXT PRIMARY KEY, every REAL NOT NULL, grace REAL NOT NULL, last_at REAL NOT NULL, body TEXT NOT NULL)",
)

STEPS = (STEP_1, STEP_2, STEP_3, STEP_4, STEP_5)
VERSION = len(STEPS)
