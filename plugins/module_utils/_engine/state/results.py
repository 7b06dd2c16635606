# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What inspections saw: runs per host, results per check, and since when a check has its status."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import (
    check_key,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.last_looks import (
    SPACE as LEFT,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import (
    rfc3339,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.trails import (
    LEARNED,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import (
    Unit,
    clean,
    dump,
    load,
)

Result = t.Dict[str, t.Any]
PORTION = 5000
_COLUMNS = "host, name, probe, at, status, was, severity, summary, reason, since, metrics"


# What a check remembers between its looks is in ``marks``, one row a check; the space carries the host.
_LOOKS = "looks:"
Follow = t.Callable[[Result, t.Any], t.Any]


def memories(unit: Unit, host: str) -> dict[str, t.Any]:
    """What the checks of a host remember of their last looks, by the key of the check."""
    rows = unit.all("SELECT key, value FROM marks WHERE space = ?", (_LOOKS + clean(str(host)),))
    return {key: load(value) for key, value in rows}


def recall(unit: Unit, host: str, results: t.Iterable[Result], follow: Follow) -> list[tuple[str, str]]:
    """Let ``follow(result, memory)`` fill in each result what stands; returns what is new to remember as (check key, JSON)."""
    before = memories(unit, host)
    news = []
    for result in results:
        key = clean(check_key(str(result["name"]), result.get("labels")))
        after = follow(result, before.get(key))
        # what is well and stays so need not be written; the rest is, so that it does not grow old
        if after is not None and (after != before.get(key) or result["status"] != "ok"):
            news.append((key, dump(after)))
    return news


def record(
    unit: Unit, host: str, outcome: t.Mapping[str, t.Any], now: float, follow: Follow | None = None, dry: bool = False
) -> list[Result]:
    """Keep one host's outcome (what ``vigil.ops.inspect`` returns, or ``{"unreachable": true}``, ``{"failed": true}``).

    Returns copies of its results with ``since`` (RFC 3339, when the present status began) and ``was`` (status in the run before, None at
    first) filled in. Secrets must be masked before.

    :arg follow: see :func:`recall`
    :arg dry: only fill in, write nothing
    """
    host = clean(str(host))
    results = [dict(result) for result in outcome.get("results") or ()]
    news = recall(unit, host, results, follow) if follow else []
    standing = {row[0]: row[1:] for row in unit.all("SELECT key, status, since FROM standing WHERE host = ?", (host,))} if results else {}
    for result in results:
        was, began = standing.get(clean(check_key(str(result["name"]), result.get("labels"))), (None, now))
        result["was"], result["since"] = was, rfc3339(began if was == result["status"] else now)
    if not dry:
        _write(unit, host, outcome, now, results, standing)
        unit.many(
            "INSERT INTO marks (space, key, value, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, at = excluded.at",
            [(_LOOKS + host, key, value, now) for key, value in news],
        )
    return results


def _write(
    unit: Unit, host: str, outcome: t.Mapping[str, t.Any], now: float, results: t.Sequence[Result], standing: t.Mapping[str, t.Any]
) -> None:
    run = unit.insert(
        "INSERT INTO runs (host, at, status, score, summary) VALUES (?, ?, ?, ?, ?)",
        (host, now, _status(outcome), outcome.get("score"), dump(outcome.get("summary") or {})),
    )
    rows, stands = [], {}
    for result in results:
        key = clean(check_key(str(result["name"]), result.get("labels")))
        status = str(result["status"])
        was, began = standing.get(key, (None, now))
        since = began if was == status else now
        stands[key] = (host, key, status, since, now)
        rows.append(
            (
                run,
                host,
                key,
                str(result["name"]),
                result.get("probe"),
                now,
                status,
                was,
                result.get("severity"),
                result.get("summary"),
                result.get("reason"),
                since,
                dump(_numbers(result.get("metrics"))),
            )
        )
    unit.many(
        "INSERT INTO results (run, host, key, name, probe, at, status, was, severity, summary, reason, since, metrics)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    unit.many(
        "INSERT INTO standing (host, key, status, since, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (host, key) DO UPDATE SET status = excluded.status, since = excluded.since, at = excluded.at",
        stands.values(),
    )


def _status(outcome: t.Mapping[str, t.Any]) -> str:
    if outcome.get("unreachable"):
        return "unreachable"
    if outcome.get("failed") and not outcome.get("results"):
        return "failed"
    return str(outcome.get("status") or "unknown")


def _numbers(metrics: t.Any) -> dict[str, float]:
    return {str(name): value for name, value in (metrics or {}).items() if isinstance(value, (int, float)) and not isinstance(value, bool)}


def last_run(unit: Unit, host: str | None = None) -> float | None:
    """When a host, or any, was last looked at and could be (seconds since the epoch); None where it never was."""
    sql = "SELECT MAX(at) FROM runs WHERE status NOT IN ('unreachable', 'failed')"
    row = unit.one(sql) if host is None else unit.one(sql + " AND host = ?", (clean(str(host)),))
    return None if row is None or row[0] is None else float(row[0])


def series(unit: Unit, host: str, key: str, metric: str, limit: int) -> list[float]:
    """The last ``limit`` numbers of a metric from runs in which the check was ok or warning, oldest first."""
    rows = unit.all(
        "SELECT metrics FROM results WHERE host = ? AND key = ? AND status IN ('ok', 'warning') ORDER BY id DESC LIMIT ?",
        (host, key, int(limit)),
    )
    values = [load(row[0], {}).get(metric) for row in reversed(rows)]
    return [float(value) for value in values if value is not None]


def scores(unit: Unit, host: str, limit: int = 30) -> list[tuple[float, float]]:
    """The host's last scores as (seconds since the epoch, 0..100), oldest first; runs without a score are left out."""
    rows = unit.all("SELECT at, score FROM runs WHERE host = ? AND score IS NOT NULL ORDER BY id DESC LIMIT ?", (host, int(limit)))
    return [(float(at), float(score)) for at, score in reversed(rows)]


def _entry(row: t.Sequence[t.Any]) -> dict[str, t.Any]:
    entry = dict(zip(("host", "check", "probe", "time", "status", "was", "severity", "summary", "reason", "since", "metrics"), row))
    entry.update(time=rfc3339(entry["time"]), since=rfc3339(entry["since"]), metrics=load(entry["metrics"], {}))
    return entry


def listing(unit: Unit, like: str | None, since: float, limit: int, changed: bool) -> list[dict[str, t.Any]]:
    """Results as entries, newest first; ``like`` is a LIKE pattern for host or check, ``changed`` leaves out repeated statuses."""
    sql = f"SELECT {_COLUMNS} FROM results WHERE at >= ?"
    values: list[t.Any] = [since]
    if like is not None:
        sql += " AND (host LIKE ? ESCAPE '\\' OR name LIKE ? ESCAPE '\\')"
        values += [like, like]
    if changed:
        sql += " AND was IS NOT NULL AND was <> status"
    return [_entry(row) for row in unit.all(sql + " ORDER BY id DESC LIMIT ?", [*values, limit])]


def prune(unit: Unit, before: float, portion: int = PORTION) -> int:
    """Delete up to ``portion`` rows of each table that are older than ``before``; returns how many went."""
    deleted = 0
    for table in ("results", "runs"):
        deleted += unit.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < ? ORDER BY at LIMIT ?)", (before, portion)
        )
    for space in (_LOOKS, LEARNED, LEFT):
        deleted += unit.execute("DELETE FROM marks WHERE space LIKE ? AND at < ?", (space + "%", before))
    return deleted + unit.execute("DELETE FROM standing WHERE at < ?", (before,))
