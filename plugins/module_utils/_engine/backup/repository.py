# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of a repository: what lies where, who may write, what is whole.

FORMAT                      which format it is, and how to restore without this software
lock                        held with flock(2), which the kernel lets go of when a process dies
snapshots/NAME/ID.json      the record of a snapshot; what has one is whole
manifests/ID.jsonl.gz       all that the snapshot holds
archives/ID.tar.gz          what was new in it (.tar.zst or .tar, as it is pressed); ID.1.tar.gz is ID without what is not needed any more
archives/ID.jsonl.gz        what lies where in that
tmp/                        what is being written; swept by the next one who writes
remotes/, remote.lock       what is known of copies elsewhere (see remote_state.py)
"""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import json
import os
import re
import secrets
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError, Busy, Damaged, refusal
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.manifest import Row, rows
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.pending import Pending, sync_directory
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.places import Places
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.shelf import Shelf

FORMAT = 1
_TEXT = """vigil.ops backup repository, format 1

Nothing but tar, gzip (zstd, where an archive ends in .zst) and a text editor is needed to restore:
  snapshots/NAME/*.json   one record a snapshot: when, of what, and which manifest and archives belong to it ("archives", oldest first)
  manifests/*.jsonl.gz    every path of that snapshot, one line of JSON each (zless); "archive" names the archive that holds its content
  archives/ID*.tar*       what was new in the snapshot of that id: ordinary tar files (tar tf, tar xf); ID.1.tar.gz took the place of ID.tar.gz
To restore a path, find its row in the manifest and unpack it from the archive that the row names (tar --xattrs --acls -xpf). A content that several
paths had lies there once, under one of them: unpack the archive and look for its sha256. To restore all of a snapshot, unpack each archive of
the record into a directory of its own and take every row of the manifest in turn; docs/backup.md of vigil.ops has a shell script for that.
"""
_DIRECTORIES = ("snapshots", "manifests", "archives", "tmp")
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


class Repository:
    """A repository on this host.

    :arg path: absolute
    :raises BackupError: it is none, or of a newer format
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = -1
        self.shelf = Shelf(self._place("archives"), self._place("tmp"))

    # --- begin and end ---

    def exists(self) -> bool:
        """Whether there is a repository; a directory with other things in it is none and is refused."""
        try:
            with open(self._place("FORMAT"), encoding="utf-8", errors="replace") as source:
                first = source.readline()
        except FileNotFoundError:
            try:
                others = [name for name in os.listdir(self.path) if name not in (*_DIRECTORIES, "lock", "remotes", "remote.lock")]
            except FileNotFoundError:
                return False
            except OSError as exc:
                raise refusal(exc, self.path, "read") from exc
            if others:
                raise BackupError(f"{self.path} is no repository, but holds {others[0]}; name a new or an empty directory") from None
            return False
        except OSError as exc:
            raise refusal(exc, self._place("FORMAT"), "read") from exc
        match = re.search(r"format (\d+)", first)
        if match is None or int(match.group(1)) > FORMAT:
            raise BackupError(f"the repository {self.path} is of a format that this version cannot read: {first.strip()[:80]!r}")
        return True

    def create(self) -> None:
        """Make what is missing of it; it is for its owner alone."""
        try:
            os.makedirs(self.path, 0o700, exist_ok=True)
            for name in _DIRECTORIES:
                os.makedirs(self._place(name), 0o700, exist_ok=True)
            while not self.exists():
                # another process that begins at the same time may have swept it away
                with contextlib.suppress(FileNotFoundError), Pending(self._place("tmp"), self._place("FORMAT")) as pending:
                    pending.file.write(_TEXT.encode("ascii"))
                    pending.commit()
                    os.chmod(self.path, 0o700)
        except OSError as exc:
            raise refusal(exc, self.path, "made a repository") from exc

    def lock(self, patience: float = 0.0) -> None:
        """Become the only one who writes; what others left unfinished is swept.

        :arg patience: seconds to wait for another one
        :raises Busy: another process holds it
        """
        until = time.monotonic() + patience
        try:
            self._lock = os.open(self._place("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise refusal(exc, self._place("lock"), "opened") from exc
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as exc:
                if time.monotonic() >= until:
                    self.unlock()
                    raise Busy(f"another process works on the repository {self.path}") from exc
                time.sleep(0.1)
        self.shelf.forget(writable=True)
        self.sweep()

    def unlock(self) -> None:
        """Let others write."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
            self.shelf.forget()

    def sweep(self) -> None:
        """Take away what a process that died left behind: unfinished files, and what no record speaks of.

        While a record cannot be read nobody knows what it needs, so then only the unfinished files go.
        """
        for name in os.listdir(self._place("tmp")):
            with contextlib.suppress(FileNotFoundError):  # one that makes the repository at the same time
                os.unlink(self._place("tmp", name))
        known: set[str] = set()
        used: set[str] = set()
        try:
            for name in self.names():
                for record_id in self.ids(name):
                    known.add(record_id)
                    used.update(self.record(name, record_id)["archives"])
        except (Damaged, KeyError, TypeError):
            return
        for name in os.listdir(self._place("manifests")):
            if ID.fullmatch(name.split(".")[0]) and name.split(".")[0] not in known:
                os.unlink(self._place("manifests", name))
        self.shelf.sweep(used)

    # --- names ---

    def _place(self, *parts: str) -> str:
        return os.path.join(self.path, *parts)

    def scratch(self) -> str:
        """The directory for unfinished files."""
        return self._place("tmp")

    def manifest(self, record_id: str) -> str:
        """Path of a manifest."""
        return self._place("manifests", f"{record_id}.jsonl.gz")

    def archive(self, archive_id: str) -> str:
        """Path of an archive."""
        return self.shelf.path_of(archive_id)

    def archive_index(self, archive_id: str) -> str:
        """Path of the list of what lies where in an archive."""
        return self.shelf.index_of(archive_id)

    def new_id(self, now: float) -> str:
        """An id that sorts behind all others, also where the clock went back or two snapshots are taken in one second."""
        last = max((record_id for name in self.names() for record_id in self.ids(name)), default="")
        if last:
            now = max(now, calendar.timegm(time.strptime(last[:16], _STAMP)) + 1)
        return f"{time.strftime(_STAMP, time.gmtime(now))}-{secrets.token_hex(4)}"

    # --- records ---

    def names(self) -> list[str]:
        """The jobs that have snapshots."""
        try:
            return sorted(name for name in os.listdir(self._place("snapshots")) if _NAME.fullmatch(name))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise refusal(exc, self._place("snapshots"), "read") from exc

    def ids(self, name: str) -> list[str]:
        """The snapshots of a job, oldest first."""
        try:
            found = os.listdir(self._place("snapshots", name))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise refusal(exc, self._place("snapshots", name), "read") from exc
        return sorted(place[:-5] for place in found if place.endswith(".json") and ID.fullmatch(place[:-5]))

    def record(self, name: str, record_id: str) -> dict[str, t.Any]:
        """The record of a snapshot.

        :raises Damaged: it cannot be read
        """
        try:
            with open(self._place("snapshots", name, f"{record_id}.json"), encoding="utf-8") as source:
                found = json.load(source)
        except (OSError, ValueError) as exc:
            raise Damaged(f"the record of the snapshot {record_id} of {name} cannot be read: {exc}") from exc
        if not isinstance(found, dict) or found.get("id") != record_id:
            raise Damaged(f"the record of the snapshot {record_id} of {name} is not the one that was written")
        return found

    def commit(self, record: t.Mapping[str, t.Any]) -> None:
        """Make a snapshot be there: its record is the last thing that is written."""
        folder = self._place("snapshots", record["name"])
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            sync_directory(os.path.dirname(folder))
        with Pending(self.scratch(), os.path.join(folder, f"{record['id']}.json")) as pending:
            pending.file.write(json.dumps(record, indent=1).encode("ascii") + b"\n")
            pending.commit()

    def forget(self, name: str, record_id: str) -> None:
        """Remove a snapshot; its manifest and the archives that no other needs go with the next sweep."""
        os.unlink(self._place("snapshots", name, f"{record_id}.json"))
        sync_directory(self._place("snapshots", name))

    def rows(self, record: t.Mapping[str, t.Any]) -> t.Iterator[Row]:
        """What a snapshot holds.

        :raises Damaged: its manifest cannot be read, or is not the one of the record
        """
        about = record.get("manifest")
        return rows(self.manifest(record["id"]), about.get("rows") if isinstance(about, dict) else None)

    # --- contents ---

    def contents(self, archive_id: str) -> Places:
        """sha256 -> where it lies in an archive.

        :raises Damaged: neither its index nor the archive can be read
        """
        return self.shelf.places(archive_id)

    def archives(self) -> list[str]:
        """Ids of all archives, oldest first."""
        return self.shelf.ids()


def check_name(name: str) -> str:
    """The name of a job, which becomes the name of a directory.

    :raises ValueError: it cannot
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a backup; write up to 100 letters, digits, dots, underscores and hyphens, a letter or digit first"
        )
    return name
