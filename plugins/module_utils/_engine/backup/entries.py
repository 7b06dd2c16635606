# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one path is: a row of a manifest.

Paths are bytes on the disk and text here, with ``surrogateescape`` for bytes that are not UTF-8, as ``os.fsdecode`` makes them. A row is one
line of JSON; what is not set is left out, so that it can be read by people.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import typing as t

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "character_device",
    stat.S_IFBLK: "block_device",
    stat.S_IFSOCK: "socket",
}


class Entry:
    """A path as it was seen.

    :ivar path: absolute text; :ivar kind: one of :data:`KINDS`; :ivar mode: permission bits; :ivar mtime, ctime: nanoseconds
    :ivar inode: ``device:inode``, which tells a file that was replaced; :ivar links: names that the file has
    :ivar sha256: of the content of a file, None for others; :ivar archive: id of the archive that holds it, None where it is empty
    :ivar target: of a symlink; :ivar hardlink: path of the first name of the same file, whose row holds the content
    :ivar device: ``major:minor`` of a device; :ivar xattrs: name -> value, ACLs among them
    :ivar sparse: whether it has holes; :ivar torn: whether it changed again and again while it was read
    """

    __slots__ = (
        "archive",
        "ctime",
        "device",
        "gid",
        "group",
        "hardlink",
        "inode",
        "kind",
        "links",
        "mode",
        "mtime",
        "path",
        "sha256",
        "size",
        "sparse",
        "target",
        "torn",
        "uid",
        "user",
        "xattrs",
    )

    def __init__(self, path: str, kind: str, **values: t.Any) -> None:
        self.path = path
        self.kind = kind
        self.mode: int = values.get("mode", 0)
        self.uid: int = values.get("uid", 0)
        self.gid: int = values.get("gid", 0)
        self.user: str = values.get("user", "")
        self.group: str = values.get("group", "")
        self.size: int = values.get("size", 0)
        self.mtime: int = values.get("mtime", 0)
        self.ctime: int = values.get("ctime", 0)
        self.inode: str = values.get("inode", "")
        self.links: int = values.get("links", 1)
        self.sha256: str | None = values.get("sha256")
        self.archive: str | None = values.get("archive")
        self.target: str | None = values.get("target")
        self.hardlink: str | None = values.get("hardlink")
        self.device: str | None = values.get("device")
        self.xattrs: dict[str, bytes] = values.get("xattrs") or {}
        self.sparse: bool = values.get("sparse", False)
        self.torn: bool = values.get("torn", False)

    def same_thing(self, other: Entry) -> bool:
        """Whether both hold the same, whatever their times and inodes."""
        return self._meaning() == other._meaning()

    def _meaning(self) -> tuple[t.Any, ...]:
        return (self.kind, self.mode, self.uid, self.gid, self.target, self.device, self.sha256, self.hardlink, self.xattrs)


def order(path: str) -> bytes:
    """The key by which rows and walks are sorted: a directory, then all below it, names as bytes."""
    return os.fsencode(path).replace(b"/", b"\0")


# what a row names, in the order in which people look for it
_ROW = (
    *("mode", "uid", "gid", "user", "group", "size", "mtime", "ctime", "inode", "links"),
    *("sha256", "archive", "target", "hardlink", "device", "xattrs", "sparse", "torn"),
)
_DEFAULTS: dict[str, t.Any] = {"links": 1, "size": 0, "sparse": False, "torn": False, "user": "", "group": ""}


def dump(entry: Entry) -> bytes:
    """A row with its line end."""
    row: dict[str, t.Any] = {"path": entry.path, "kind": entry.kind}
    for name in _ROW:
        value = getattr(entry, name)
        if name == "mode":
            value = f"{value:04o}"
        elif name == "xattrs":
            value = {key: base64.b64encode(data).decode("ascii") for key, data in sorted(value.items())} or None
        if value is not None and value != _DEFAULTS.get(name):
            row[name] = value
    return json.dumps(row, separators=(", ", ": ")).encode("ascii") + b"\n"


def read_row(line: bytes) -> dict[str, t.Any]:
    """The row of a line.

    :raises ValueError: it is none
    """
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("path"), str) or row.get("kind") not in _NAMES:
        raise ValueError("a line of the manifest is not a row with path and kind")
    return row


def entry_of(row: t.Mapping[str, t.Any]) -> Entry:
    """The entry of a row.

    :raises ValueError: the row is damaged
    """
    values = {**row, "mode": int(row.get("mode", "0"), 8)}
    values["xattrs"] = {key: base64.b64decode(value) for key, value in (row.get("xattrs") or {}).items()}
    return Entry(values.pop("path"), values.pop("kind"), **values)


def untouched(row: t.Mapping[str, t.Any], kind: str, found: os.stat_result) -> bool:
    """Whether a path is as its row says, as far as that can be told without reading it. The times of a directory say nothing of it."""
    get = row.get
    if get("kind") != kind or get("mode") != _octal(found.st_mode & 0o7777) or get("uid") != found.st_uid or get("gid") != found.st_gid:
        return False
    if kind == "directory":
        return True
    return bool(
        get("mtime") == found.st_mtime_ns
        and get("ctime") == found.st_ctime_ns
        and get("size", 0) == found.st_size
        and get("inode") == f"{found.st_dev:x}:{found.st_ino}"
    )


_NAMES = frozenset(KINDS.values())
_OCTAL: dict[int, str] = {}


def _octal(mode: int) -> str:
    text = _OCTAL.get(mode)
    if text is None:
        text = _OCTAL[mode] = f"{mode:04o}"
    return text


def shown(path: str) -> str:
    r"""A path for results and messages: UTF-8, other bytes written ``\xNN``, a backslash as it is."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
