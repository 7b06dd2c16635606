# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file is which log: finds what was read before again after a rotation, whatever its name is now, and what is new.

A log is renamed (and goes on being written for a while), or copied and truncated, or packed, or deleted and made again, while nobody looks,
and more than once. So each log that is known is looked for by its inode, and where that is gone or holds something else, by its first bytes
and by those before the position, among the files whose names a rotation would make. What lies between the log that was read last and the one
that is written now is read, too.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import files, likeness
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.packed import Log, Unreadable
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.record import NEVER, Record, continues

KEEP = 86400.0  # a log that is gone may come back packed in so many seconds
YOUNG = 60.0  # so long after a rotation other logs are looked for that were rotated with it
FINAL = 5.0  # a rotated log that was not written for so long gets no more


class Job(t.NamedTuple):
    """A log that has something new; ``is_final``: nothing will be added to it, so that its last line needs no end."""

    record: Record
    path: str
    is_final: bool


class Tracker:
    """One source in one run.

    :arg records: what is known of the logs of this source, by ids; new ones are added
    :arg start: ``end`` leaves what is there at the first look alone
    :arg rotated: further patterns of where rotated logs go
    :ivar rotations: how many logs were found again under another name, or not at all
    """

    def __init__(
        self, key: str, records: t.Dict[str, Record], now: float, is_first: bool, start: str = "end", rotated: t.Sequence[str] = ()
    ) -> None:
        self._key, self._records, self._now = key, records, now
        self._skips = is_first and start == "end"
        self._is_first, self._rotated = is_first, rotated
        self._known = {(one.dev, one.ino): one for one in records.values() if one.ino}
        self._found: t.Set[int] = set()  # ids of the objects that were met
        self._orphans: t.List[Record] = []
        self._between: t.Dict[str, int] = {}  # live paths whose log is another one now: time of the last look at the old one
        self._near: t.Dict[str, t.Tuple[t.List[files.Place], t.Dict[t.Tuple[int, int], files.Place]]] = {}
        self._fresh = 0
        self.troubles: t.List[files.Trouble] = []
        self.rotations = 0
        self.jobs: t.List[Job] = []

    def plan(self, places: t.Sequence[files.Place]) -> t.List[Job]:
        """What is to be read, the oldest first."""
        unknown = [place for place in places if not self._met(place)]
        self._find_moved({place.path for place in places})
        unknown = [place for place in unknown if (place.stat.st_dev, place.stat.st_ino) not in self._known]
        # by their inodes first: what is not found so has lost its inode, which may be that of another log by now
        lost = [record for record in self._orphans if not self._find_orphan(record, unknown, True)]
        for record in lost:
            self._known.pop((record.dev, record.ino), None)
            record.ino = 0
        for record in lost:
            if not self._find_orphan(record, unknown, False):
                self._drop_when_old(record)
        for place in unknown:
            if (place.stat.st_dev, place.stat.st_ino) not in self._known:
                self._guarded(place, lambda place=place: self._begin(place))  # type: ignore[misc]
        self._look_between()
        self.jobs.sort(key=lambda job: job.record.mtime)
        return self.jobs

    def _met(self, place: files.Place) -> bool:
        """A file of a pattern: whether its inode is known. Where it holds another log now, the old one is looked for elsewhere."""
        record = self._known.get((place.stat.st_dev, place.stat.st_ino))
        if record is None:
            return False
        if id(record) in self._found:
            return True  # a second name of the same file
        self._found.add(id(record))
        if record.is_quiet(place.stat):
            if record.live != place.path and self._is_over(place.stat):
                self._end(record, place)
            return True
        if self._guarded(place, lambda: self._check(record, place)) is False:
            self._found.discard(id(record))
            self._turn_out(record, place.path)
            return False
        return True

    def _check(self, record: Record, place: files.Place) -> bool:
        """Whether the file goes on where the log was left; then it is to be read."""
        if record.offset == NEVER:
            record.saw(place.stat, self._now)
            return True
        with Log(place.path) as log:
            if not record.is_at(log.stat):
                return True  # rotated this very moment: the next look finds where it went
            if not log.is_packed and (log.stat.st_size < record.offset or not continues(record, log)):
                return False
        record.path, record.gone = os.path.realpath(place.path), 0.0
        if not record.offset:  # nothing of it was read: that it was truncated since cannot be seen
            self._remember(record.live, record)
        self._add(record, record.path, place.path != record.live and self._is_over(place.stat))
        return True

    def _turn_out(self, record: Record, path: str) -> None:
        """The inode holds another log than it did: it was truncated, or deleted and given away again."""
        self._known.pop((record.dev, record.ino), None)
        self._remember(path, record)
        record.ino = 0
        self._orphans.append(record)

    def _remember(self, live: str, record: Record) -> None:
        """A log is another one than when it was looked at: what came between is to be found, and what is still looked for since before."""
        looked = [record.mtime, *record.between[:1], *([self._between[live]] if live in self._between else [])]
        self._between[live] = int(min(looked))

    def _find_moved(self, paths: t.Container[str]) -> None:
        """Known logs that no pattern means any more."""
        for record in list(self._records.values()):
            if id(record) in self._found or any(record is one for one in self._orphans):
                continue
            if not record.ino:
                self._orphans.append(record)
                continue
            try:
                stat = os.stat(record.path)
            except OSError:
                stat = None
            if record.live in paths:
                self._remember(record.live, record)
            if stat is None or not record.is_at(stat):
                self._orphans.append(record)
                continue
            self._found.add(id(record))
            place = files.Place(record.path, stat)
            if record.is_quiet(stat):
                if os.path.realpath(record.live) != record.path and self._is_over(stat):
                    self._end(record, place)
            elif self._guarded(place, lambda record=record, place=place: self._check(record, place)) is False:  # type: ignore[misc]
                self._turn_out(record, record.path)

    def _end(self, record: Record, place: files.Place) -> None:
        """A rotated log is over: a last line without an end is one, too."""
        if 0 <= record.offset < place.stat.st_size and not files.is_packed(place.path):
            self._add(record, place.path, True)

    def _find_orphan(self, record: Record, unknown: t.Sequence[files.Place], by_inode: bool) -> bool:
        """A log that is not where it was: under another name (same inode), as a copy, or packed."""
        record.gone = record.gone or self._now
        if record.offset == NEVER or not (record.ino if by_inode else record.offset):
            return False
        listed, inodes = self._siblings(record.path)
        if by_inode:
            found = inodes.get((record.dev, record.ino))
            others = [found] if found is not None and self._owner(found) in (None, record) else []
        else:
            near = {place.path: place for place in [*unknown, *listed] if self._owner(place) is None}
            others = [place for place in near.values() if place.path != record.live and self._may_be(record, place)]
            others.sort(key=lambda place: (files.is_packed(place.path), -place.stat.st_mtime_ns))
        for place in others:
            # a file that was only renamed is what it was
            if record.is_quiet(place.stat) or self._guarded(place, lambda place=place: self._is_same(record, place)):  # type: ignore[misc]
                self._move(record, place)
                return True
        return False

    def _owner(self, place: files.Place) -> t.Optional[Record]:
        return self._known.get((place.stat.st_dev, place.stat.st_ino))

    def _siblings(self, path: str) -> t.Tuple[t.List[files.Place], t.Dict[t.Tuple[int, int], files.Place]]:
        """The files beside a log, and the same by their inodes."""
        directory = os.path.dirname(path)
        if directory not in self._near:
            found = files.siblings(path, self._rotated)
            self._near[directory] = found, {(place.stat.st_dev, place.stat.st_ino): place for place in found}
        return self._near[directory]

    def _may_be(self, record: Record, place: files.Place) -> bool:
        if list(_print(place.stat)) == record.packed:
            return False  # looked at before: nothing in it is new
        name = os.path.basename(place.path)
        related = any(files.is_rotation_of(name, os.path.basename(one)) for one in (record.live, record.path))
        return related or os.path.dirname(place.path) != os.path.dirname(record.path)

    def _is_same(self, record: Record, place: files.Place) -> bool:
        with Log(place.path) as log:
            if (log.stat.st_dev, log.stat.st_ino) != (place.stat.st_dev, place.stat.st_ino):
                return False  # renamed since it was listed
            if not record.head_size:  # it was empty, so its inode is all that is known, and may have been given to another file
                others = [one for one in self._records.values() if one is not record]
                return record.is_at(place.stat) and not log.is_packed and not likeness.is_copy(log, others, self._now)
            if not log.is_packed and log.stat.st_size < record.offset:
                return False
            return continues(record, log)

    def _move(self, record: Record, place: files.Place) -> None:
        if record.path == os.path.realpath(record.live):
            self.rotations += 1
        self._remember(record.live, record)
        record.path, record.gone = place.path, 0.0
        is_quiet = record.is_quiet(place.stat)
        record.dev, record.ino = place.stat.st_dev, place.stat.st_ino
        self._known[(record.dev, record.ino)] = record
        self._found.add(id(record))
        if is_quiet:
            if self._is_over(place.stat):
                self._end(record, place)
            return
        record.size = -1
        self._add(record, place.path, files.is_packed(place.path) or self._is_over(place.stat))

    def _drop_when_old(self, record: Record) -> None:
        """A log that is gone is kept in mind for some time; not if nothing of it was read, as whatever holds it is new then."""
        if not record.offset or self._now - record.gone > KEEP:
            for name in [name for name, one in self._records.items() if one is record]:
                del self._records[name]

    def _begin(self, place: files.Place) -> None:
        """A file that is not known: a copy of a log that is, or a new log."""
        live = {one.live for one in self._records.values()}
        with Log(place.path) as log:
            if (log.stat.st_dev, log.stat.st_ino) in self._known or (
                place.path not in live and likeness.is_copy(log, self._records.values(), self._now)
            ):
                return
            if log.is_packed and not likeness.holds_all(log):
                return
            record = Record(path=os.path.realpath(place.path), live=place.path, source=self._key)
            record.dev, record.ino, record.at = log.stat.st_dev, log.stat.st_ino, self._now
            record.mtime = log.stat.st_mtime_ns
            if self._skips:
                likeness.skip(record, log, self._now)
        self._enter(record, record.path, files.is_packed(record.path))

    def _enter(self, record: Record, path: str, is_final: bool) -> None:
        self._fresh += 1
        self._records[f"{record.dev:x}-{record.ino:x}-{int(self._now * 1e6):x}-{self._fresh:x}"] = record
        self._known[(record.dev, record.ino)] = record
        self._found.add(id(record))
        if record.offset != NEVER:
            self._add(record, path, is_final)

    def _look_between(self) -> None:
        """A log that is just being copied or packed is none yet, so it is looked for some time longer than once."""
        if self._between:
            heirs = {one.live: one for one in self._records.values()}
            heirs.update({one.live: one for one in self._records.values() if one.path == os.path.realpath(one.live)})
            for live, since in self._between.items():
                if live in heirs:
                    earlier = heirs[live].between
                    heirs[live].between = [min(since, earlier[0]) if earlier else since, self._now + YOUNG]
        for record in list(self._records.values()):
            looked, until = record.between or [0.0, 0.0]
            if until and not self._is_first:
                self._find_between(record.live, looked)
            if self._now > until:
                record.between = []

    def _find_between(self, live: str, since: float) -> None:
        """Logs that were begun and rotated away since the last look: nobody has seen them."""
        name = os.path.basename(live)
        for place in self._siblings(os.path.realpath(live))[0]:
            stat = place.stat
            is_new = stat.st_mtime_ns >= since and (stat.st_dev, stat.st_ino) not in self._known
            if is_new and place.path != live and files.is_rotation_of(os.path.basename(place.path), name):
                self._guarded(place, lambda place=place: self._take(place, live))  # type: ignore[misc]

    def _take(self, place: files.Place, live: str) -> None:
        with Log(place.path) as log:
            if (log.stat.st_dev, log.stat.st_ino) in self._known or likeness.is_copy(log, self._records.values(), self._now):
                return
            if log.is_packed and not likeness.holds_all(log):
                return
            record = Record(path=place.path, live=live, source=self._key, dev=log.stat.st_dev, ino=log.stat.st_ino, at=self._now)
            record.mtime = log.stat.st_mtime_ns
        self.rotations += 1
        self._enter(record, place.path, log.is_packed or self._is_over(log.stat))

    def _is_over(self, stat: os.stat_result) -> bool:
        return self._now - stat.st_mtime > FINAL

    def _add(self, record: Record, path: str, is_final: bool) -> None:
        self.jobs.append(Job(record, path, is_final))

    def _guarded(self, place: files.Place, work: t.Callable[[], t.Any]) -> t.Any:
        """What cannot be read is said, and does not keep us from the others; None then."""
        try:
            return work()
        except Unreadable as exc:
            if not exc.is_partial:
                self.troubles.append(files.Trouble(place.path, "damaged", str(exc)))
        except FileNotFoundError:
            return None  # the next look finds where it went
        except OSError as exc:
            self.troubles.append(files.trouble(place.path, exc))
        return None


def _print(stat: os.stat_result) -> t.Tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
