# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the sources of a scan one after the other: files, the journal of systemd, the output of programs."""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_collect import Collector, Origin, Told
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import files
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.crew import Done
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.follow import Follower, Options
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.packed import Unreadable
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import BLOCK, Block, Cutter
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.record import Record
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.tracker import Tracker
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.spec import Source

Stream = t.Callable[..., t.Tuple[int, str]]
Scan = t.Callable[[Block, Done], None]
Taking = t.Callable[[Origin, t.Optional[Told]], Done]
Failure = t.Dict[str, str]
Memory = t.Dict[str, t.Any]
_FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,USER_UNIT,SYSLOG_IDENTIFIER,_COMM,_PID"
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class Reading:
    """One run over all sources.

    :arg known: what is known of each source, by its name: ``since`` and ``cursor``; changed in place
    :arg stream: ``stream(argv, file, timeout) -> (rc, err)`` writes the output of a program to a file; None where none may run
    """

    def __init__(self, collector: Collector, known: t.Dict[str, Memory], now: float, stream: t.Optional[Stream]) -> None:
        self._collector, self._known, self._now, self._stream = collector, known, now, stream
        self.failures: t.List[Failure] = []
        self.bytes = self.rotations = self.long_lines = self.files = 0

    def files_of(self, source: Source, records: t.Dict[str, Record], scan: Scan) -> None:
        """What is new in the files of a source. ``records`` are those of this source; ``scan`` looks at a block and hands it on."""
        finder = files.Finder(source.exclude)
        places = [place for pattern in source.paths for place in finder.find(pattern)]
        tracker = Tracker(source.name, records, self._now, source.name not in self._known, source.start, source.rotated)
        jobs = tracker.plan(places)
        self.files += len(places)
        lives = {record.live for record in records.values()}
        for one in finder.troubles:
            if one.reason != "missing" or one.path not in lives:  # a log that was just rotated is made again when something is written
                self._fail(source, one)
        if not places and not finder.troubles and not lives:
            self._fail(source, files.Trouble(source.name, "missing", f"{source.name} means no file"))
        names = {id(record): name for name, record in records.items()}
        options = Options(source.encoding, source.multiline)
        for job in jobs:
            follower = Follower(job, options, self._now)
            take = self._taking(Origin(source.name, job.path, names.get(id(job.record), "")))
            try:
                for block in follower.blocks():
                    scan(block, take)
            except FileNotFoundError:
                continue  # rotated this very moment: the next look finds it
            except OSError as exc:
                self._fail(source, files.trouble(job.path, exc))
            except Unreadable as exc:
                if not exc.is_partial:  # else it is being packed
                    self._fail(source, files.Trouble(job.path, "damaged", str(exc)))
            self.bytes += follower.read
            self.long_lines += follower.long_lines
        for one in tracker.troubles:
            self._fail(source, one)
        self.rotations += tracker.rotations

    def journal(self, source: Source, scan: Scan) -> None:
        """What is new in the journal. Units are picked here: with a filter of its own journalctl may leave the first new entry out
        (https://github.com/systemd/systemd/issues/30288)."""
        known = self._known.get(source.name, {})
        # not --quiet: it would not say that this user does not see what there is
        argv = ["journalctl", "--no-pager", "--all", "--output=json", f"--output-fields={_FIELDS}"]
        if known.get("cursor"):
            argv.append(f"--after-cursor={known['cursor']}")
        elif source.start == "end" and not known:
            argv.append("--lines=1")
        sink = _Journal(source, self._taking, scan, is_silent=argv[-1] == "--lines=1")
        is_whole = self._run(source, argv, sink)
        sink.flush()
        self.bytes += sink.read
        if sink.cursor:  # what came before it failed was taken
            self._known[source.name] = {"since": self._now, "cursor": sink.cursor}
        elif is_whole:
            self._known[source.name] = dict(known, since=self._now)

    def command(self, source: Source, scan: Scan) -> None:
        """All that a program writes. ``{since}`` in its arguments is when it was asked before."""
        known = self._known.get(source.name, {})
        since = known.get("since", 0.0 if source.start == "begin" else self._now)
        argv = [word.replace("{since}", str(rfc3339(since))) for word in source.command]
        sink = _Lines(source, self._taking, scan, f"{source.name}/{self._now}")
        if self._run(source, argv, sink):
            sink.flush()
            self._known[source.name] = dict(known, since=self._now)
        self.bytes += sink.read

    def _taking(self, origin: Origin, told: t.Optional[Told] = None) -> Done:
        return functools.partial(self._collector.take, origin, told)

    def _run(self, source: Source, argv: t.Sequence[str], sink: t.Any) -> bool:
        if self._stream is None:
            return False
        try:
            rc, err = self._stream(list(argv), sink, source.timeout)
        except (CommandMissing, CommandTimeout) as exc:
            reason = "timeout" if isinstance(exc, CommandTimeout) else "missing"
            self._fail(source, files.Trouble(source.name, reason, f"{source.name} cannot be read: {exc}"))
            return False
        said = " ".join(err.split())
        if "not seeing messages" in said or "insufficient permissions" in said:
            said = "this user sees only its own messages; run with become, or add it to the group systemd-journal"
            self._fail(source, files.Trouble(source.name, "permission", f"{source.name} cannot be read: {said}"))
        elif rc != 0 or "No journal files were" in said:
            said = said[:300] or f"{argv[0]} ended with {rc}"
            self._fail(source, files.Trouble(source.name, "unseen", f"{source.name} cannot be read: {said}"))
        return rc == 0

    def _fail(self, source: Source, one: files.Trouble) -> None:
        failure = {"source": one.path, "reason": one.reason, "message": one.message}
        if failure not in self.failures:
            self.failures.append(failure)


class _Lines:
    """Takes what a program writes, as a file would."""

    def __init__(self, source: Source, taking: Taking, scan: Scan, identity: str) -> None:
        self._take, self._scan = taking(Origin(source.name, source.name, identity), None), scan
        self._cutter = Cutter(0, source.encoding, source.multiline)
        self.read = 0

    def write(self, piece: bytes) -> int:
        """One more piece."""
        self.read += len(piece)
        for block in self._cutter.feed(piece):
            self._scan(block, self._take)
        return len(piece)

    def flush(self) -> None:
        """There is no more."""
        for block in self._cutter.finish(True):
            self._scan(block, self._take)


class _Journal:
    """Takes entries as JSON, one a line, picks those of the source, and makes blocks of their messages."""

    def __init__(self, source: Source, taking: Taking, scan: Scan, is_silent: bool) -> None:
        filters = source.journal or {}
        self._units = {unit if "." in unit else unit + ".service" for unit in filters.get("unit", ())}
        self._identifiers = set(filters.get("identifier", ()))
        worst = [_PRIORITIES.index(word) for word in filters.get("priority", ())]
        self._priority = max(worst) if worst else 7
        self._origin = Origin(source.name, source.name, "journal")
        self._taking, self._scan, self._is_silent = taking, scan, is_silent
        self._cutter = Cutter(0, longest=1 << 24)
        self._parts: t.List[bytes] = []
        self._starts: t.List[int] = []
        self._told: t.Dict[int, t.Tuple[t.Optional[float], t.Dict[str, t.Any]]] = {}
        self._size = 0
        self.cursor = ""
        self.read = 0

    def write(self, piece: bytes) -> int:
        """One more piece."""
        self.read += len(piece)
        for block in self._cutter.feed(piece):
            for line in block.data.splitlines():
                self._entry(line)
        return len(piece)

    def _entry(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return  # longer than what is kept of a line
        if not isinstance(entry, dict):
            return
        self.cursor = str(entry.get("__CURSOR") or self.cursor)
        if self._is_silent or not self._is_wanted(entry):
            return
        unit = entry.get("_SYSTEMD_UNIT") or entry.get("UNIT") or ""
        moment = str(entry.get("__REALTIME_TIMESTAMP") or "")
        fields = {
            "unit": unit,
            "identifier": entry.get("SYSLOG_IDENTIFIER"),
            "pid": entry.get("_PID"),
            "priority": _word(entry.get("PRIORITY")),
        }
        message = _message(entry.get("MESSAGE")).rstrip(b"\n")
        name = str(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or unit).encode("utf-8", "replace")
        text = (
            b"%s[%s]: %s" % (name, str(entry.get("_PID") or "").encode(), message) if entry.get("_PID") else name + b": " + message
        ) + b"\n"
        shown = {key: value for key, value in fields.items() if isinstance(value, str) and value}
        self._told[self._size] = (int(moment) / 1e6 if moment.isdigit() else None, shown)
        self._starts.append(self._size)
        self._parts.append(text)
        self._size += len(text)
        if self._size >= BLOCK:
            self._hand()

    def _is_wanted(self, entry: t.Mapping[str, t.Any]) -> bool:
        units = {entry.get(key) for key in ("_SYSTEMD_UNIT", "UNIT", "USER_UNIT")}
        if self._units and not self._units & units:
            return False
        if self._identifiers and entry.get("SYSLOG_IDENTIFIER") not in self._identifiers:
            return False
        priority = str(entry.get("PRIORITY") or "6")
        return (int(priority) if priority.isdigit() else 6) <= self._priority

    def _hand(self) -> None:
        if not self._parts:
            return
        data, told = b"".join(self._parts), self._told
        origin = self._origin._replace(identity=f"journal/{self.cursor}")
        block = Block(data, 0, len(data), list(self._starts), 0)
        self._scan(block, self._taking(origin, lambda start: told.get(start, (None, {}))))
        self._parts, self._starts, self._told, self._size = [], [], {}, 0

    def flush(self) -> None:
        """There is no more."""
        for block in self._cutter.finish(True):
            for line in block.data.splitlines():
                self._entry(line)
        self._hand()


def _word(priority: t.Any) -> t.Optional[str]:
    return _PRIORITIES[int(priority)] if str(priority).isdigit() and int(priority) < len(_PRIORITIES) else None


def _message(value: t.Any) -> bytes:
    """Text is text; other bytes come as a list of numbers (journal export formats)."""
    if isinstance(value, list) and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return bytes(value)
    if isinstance(value, list):  # the field was there more than once
        return b" ".join(_message(item) for item in value)
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else b"(a message that is no text)"
