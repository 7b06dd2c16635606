# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of DNS names, every change of them, and which changes their receiver has not got yet.

A view keeps apart what the same names are for different askers. Everything here is ASCII: names and records are canonical texts.
"""

from __future__ import annotations

import hashlib
import typing as t
import uuid

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import EVERY, Unit, clean, dump, load

MOST_PRINTS = 8
PORTION = 5000
FEW = 2000  # so many names are looked up one by one instead of reading the whole view
TOUCH = 86400.0
_DAY = 86400.0
_NAMES = "status, rdata, print, others, memory, since"
_CHANGES = "id, view, at, name, type, kind, before, after, status, nameserver, message"
Change = t.Dict[str, t.Any]


class Record(t.NamedTuple):
    """One name and type. ``print``: see the table; ``others``: further fingerprints; ``since``: when it got this value."""

    status: str
    rdata: t.Tuple[str, ...]
    print: bytes | None = None
    others: t.Tuple[bytes, ...] = ()
    memory: t.Dict[str, t.Any] | None = None
    since: float = 0.0


def prints(unit: Unit, view: str, tails: t.Sequence[bytes]) -> tuple[dict[bytes, bytes | None], dict[bytes, tuple[bytes, ...]]]:
    """(tail: fingerprint of the last answer, tail: further fingerprints) of the names that are known, at least of those asked for."""
    if len(tails) > FEW:
        known = unit.pairs("SELECT tail, print FROM dns_names WHERE view = ?", (view,))
        others = unit.pairs("SELECT tail, others FROM dns_names WHERE view = ? AND others IS NOT NULL", (view,))
        return known, {tail: _apart(packed) for tail, packed in others.items()}
    known, others = {}, {}
    for tail in tails:
        row = unit.one("SELECT print, others FROM dns_names WHERE view = ? AND tail = ?", (view, tail))
        if row is not None:
            known[tail] = row[0]
            if row[1]:
                others[tail] = _apart(row[1])
    return known, others


def get(unit: Unit, view: str, tail: bytes) -> Record | None:
    """All that is known of one name and type."""
    row = unit.one(f"SELECT {_NAMES} FROM dns_names WHERE view = ? AND tail = ?", (view, tail))
    if row is None:
        return None
    return Record(row[0], _lines(row[1]), row[2], _apart(row[3]), load(row[4]), row[5])


def save(unit: Unit, view: str, records: t.Iterable[tuple[bytes, Record]]) -> None:
    """Write what is known now in the place of what was."""
    marks.put(unit, "dns_generation", view, uuid.uuid4().hex)
    unit.bulk(
        "INSERT INTO dns_names (view, tail, status, rdata, print, others, memory, since, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (view, tail) DO UPDATE SET status = excluded.status, rdata = excluded.rdata, print = excluded.print,"
        " others = excluded.others, memory = excluded.memory, since = excluded.since, seen = excluded.seen",
        (
            (
                view,
                tail,
                one.status,
                "\n".join(one.rdata),
                one.print,
                _packed(one.others),
                dump(one.memory) if one.memory else None,
                one.since,
                unit.now,
            )
            for tail, one in records
        ),
    )


def below(unit: Unit, view: str, zone: bytes) -> list[bytes]:
    """The questions of a view whose names are a zone's name (on the wire) or below it, and that have records, or flap between some and none."""
    sql = "SELECT tail FROM dns_names WHERE view = ? AND instr(tail, ?) > 0 AND (rdata != '' OR memory LIKE '%\"told\"%')"
    rows = unit.all(sql, (view, zone))
    return [tail for (tail,) in rows if tail[:-4].endswith(zone)]


def generation(unit: Unit, view: str) -> t.Any:
    """Another one whenever something of the view was saved."""
    return marks.get(unit, "dns_generation", view)


def _set(tails: t.Sequence[bytes], view: str) -> str:
    return hashlib.sha256(clean(view).encode() + b"\0" + b"".join(tails)).hexdigest()[:32]


def is_untouched(unit: Unit, view: str, tails: t.Sequence[bytes]) -> bool:
    """Whether it is time to say that these names are still asked for: what nobody asks for is forgotten one day."""
    at = marks.get(unit, "dns_touched", _set(tails, view))
    return not (isinstance(at, (int, float)) and 0 <= unit.now - at < TOUCH)


def touch(unit: Unit, view: str, stale: t.Iterable[bytes], tails: t.Sequence[bytes]) -> None:
    """All of ``tails`` are still asked for; those in ``stale`` were not written just now."""
    unit.bulk("UPDATE dns_names SET seen = ? WHERE view = ? AND tail = ?", ((unit.now, view, tail) for tail in stale))
    marks.put(unit, "dns_touched", _set(tails, view), unit.now)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def _packed(parts: t.Sequence[bytes]) -> bytes | None:
    return b"".join(bytes((len(part),)) + part for part in parts) or None


def _apart(packed: bytes | None) -> tuple[bytes, ...]:
    parts, place = [], 0
    while packed and place < len(packed):
        end = place + 1 + packed[place]
        parts.append(packed[place + 1 : end])
        place = end
    return tuple(parts)


def change_id(view: str, change: t.Mapping[str, t.Any], at: float) -> str:
    """The name of a change: the same one has the same name whoever reports it, and how often."""
    text = dump([view, change["name"], change["type"], change["kind"], change["before"], change["after"], at])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def add_changes(unit: Unit, view: str, changes: t.Iterable[Change], batch: int, open_: bool = True) -> None:
    """Keep changes; each gets its ``id`` and ``time``. ``open_``: they are returned until the batch is acknowledged."""
    rows = []
    for change in changes:
        change["id"], change["time"] = change_id(view, change, unit.now), rfc3339(unit.now)
        values = [change[key] for key in ("name", "type", "kind")]
        sides = ["\n".join(change["before"]), "\n".join(change["after"])]
        rows.append(
            (change["id"], view, unit.now, *values, *sides, change["status"], change["nameserver"], change["message"], batch, int(open_))
        )
    unit.many(f"INSERT INTO dns_changes ({_CHANGES}, batch, open) VALUES ({', '.join('?' * 13)}) ON CONFLICT (id) DO NOTHING", rows)


def new_batch(unit: Unit, view: str, token: str) -> int:
    """A run begins to return changes; ``token`` is what its receiver hands back."""
    return unit.insert("INSERT INTO dns_batches (token, view, at) VALUES (?, ?, ?)", (token, view, unit.now))


def acknowledge(unit: Unit, view: str, token: str) -> int:
    """The batch and all before it were received; returns how many changes that were. A token that is not known does nothing."""
    row = unit.one("SELECT id FROM dns_batches WHERE token = ? AND view = ?", (token, view))
    if row is None:
        return 0
    unit.execute("DELETE FROM dns_batches WHERE view = ? AND id <= ?", (view, row[0]))
    return unit.execute("UPDATE dns_changes SET open = 0 WHERE view = ? AND open = 1 AND batch <= ?", (view, row[0]))


def pending(unit: Unit, view: str, after: str | None = None, limit: int = EVERY) -> list[Change]:
    """Changes that were not acknowledged, oldest first.

    :arg after: a batch that is about to be acknowledged; what it holds is left out
    :arg limit: at most so many
    """
    rows = unit.all(
        f"SELECT {_CHANGES} FROM dns_changes WHERE view = ? AND open = 1 AND batch > ? ORDER BY batch, at, name, type LIMIT ?",
        (view, _number(unit, view, after), limit),
    )
    return [_change(row) for row in rows]


def count_pending(unit: Unit, view: str, after: str | None = None) -> int:
    """How many :func:`pending` has without a limit."""
    row = unit.one("SELECT count(*) FROM dns_changes WHERE view = ? AND open = 1 AND batch > ?", (view, _number(unit, view, after)))
    return int(row[0]) if row else 0


def _number(unit: Unit, view: str, token: str | None) -> int:
    """The number of a batch, 0 of one that is not known."""
    row = unit.one("SELECT id FROM dns_batches WHERE token = ? AND view = ?", (token, view)) if token else None
    return int(row[0]) if row else 0


def _change(row: t.Sequence[t.Any]) -> Change:
    found = dict(zip(_CHANGES.split(", "), row))
    found["time"] = rfc3339(found.pop("at"))
    found["before"], found["after"] = list(_lines(found["before"])), list(_lines(found["after"]))
    found["added"] = sorted(set(found["after"]) - set(found["before"]))
    found["removed"] = sorted(set(found["before"]) - set(found["after"]))
    del found["view"]
    return found


def listing(unit: Unit, like: str | None, since: float, limit: int) -> list[dict[str, t.Any]]:
    """Changes as entries, newest first; ``like`` is a LIKE pattern for the name or the view."""
    sql, values = f"SELECT {_CHANGES} FROM dns_changes WHERE at >= ?", [since]  # type: tuple[str, list[t.Any]]
    if like is not None:
        sql += " AND (name LIKE ? ESCAPE '\\' OR view LIKE ? ESCAPE '\\')"
        values += [like, like]
    rows = unit.all(sql + " ORDER BY at DESC, batch DESC, name, type LIMIT ?", [*values, limit])
    return [dict(_change(row), view=row[1]) for row in rows]


def prune(unit: Unit, before: float, portion: int = PORTION) -> int:
    """Delete up to ``portion`` rows a table that are older than ``before``; returns how many went."""
    deleted = unit.execute(
        "DELETE FROM dns_changes WHERE id IN (SELECT id FROM dns_changes WHERE at < ? AND open = 0 ORDER BY at LIMIT ?)",
        (before, portion),
    )
    # a day of grace: `seen` is not written with every run
    deleted += unit.execute(
        "DELETE FROM dns_names WHERE (view, tail) IN (SELECT view, tail FROM dns_names WHERE seen < ? LIMIT ?)", (before - _DAY, portion)
    )
    unit.execute("DELETE FROM dns_batches WHERE at < ?", (before,))
    unit.execute("DELETE FROM marks WHERE space = 'dns_touched' AND at < ?", (before,))
    return deleted
