# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands before a path in a tar, written and read: the pax format of POSIX.1-2001, in a fifth of the time that tarfile takes."""

from __future__ import annotations

import os
import struct
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.entries import Entry

BLOCK = 512
_TYPES = {"file": b"0", "directory": b"5", "symlink": b"2", "fifo": b"6", "character_device": b"3", "block_device": b"4"}
_HARDLINK = b"1"
_EXTENDED = b"x"
_NAME, _OWNER = 100, 32
_MOST_ID, _MOST_SIZE = 8**7, 8**11
_EXTENDED_NAME = b"././@PaxHeader"
_ACLS = {"system.posix_acl_access": b"SCHILY.acl.access", "system.posix_acl_default": b"SCHILY.acl.default"}
_ACL_VERSION = b"\x02\0\0\0"
_ACL_TAGS = {1: "user", 2: "user", 4: "group", 8: "group", 16: "mask", 32: "other"}
_ACL_NAMED = (2, 8)
_PREFACES: dict[int, bytes] = {}


class Head(t.NamedTuple):
    """What was read.

    :ivar raw: all of its bytes; :ivar path: without a slash at its begin or end; :ivar kind: of the tar, one letter; :ivar size: of what follows
    """

    raw: bytes
    path: bytes
    kind: bytes
    size: int


def header(entry: Entry) -> bytes:
    """The pax records of a path and its block."""
    path = os.fsencode(entry.path).lstrip(b"/") or b"."
    kind, size, link = _TYPES[entry.kind], 0, b""
    if entry.hardlink is not None:
        kind, link = _HARDLINK, os.fsencode(entry.hardlink).lstrip(b"/")
    elif entry.kind == "file":
        size = entry.size
    elif entry.kind == "directory":
        path += b"/"
    elif entry.kind == "symlink":
        link = os.fsencode(entry.target or "")
    records: list[tuple[bytes, bytes]] = []
    seconds, rest = divmod(entry.mtime, 10**9)
    if rest:
        records.append((b"mtime", b"%s%d.%09d" % (b"-" if entry.mtime < 0 else b"", *divmod(abs(entry.mtime), 10**9))))
    if entry.xattrs:
        records += [(b"SCHILY.xattr." + os.fsencode(name), value) for name, value in sorted(entry.xattrs.items())]
        records += [(record, acl_text(entry.xattrs[name])) for name, record in _ACLS.items() if name in entry.xattrs]
    path = _text(b"path", path, _NAME, records)
    link = _text(b"linkpath", link, _NAME, records)
    user = _text(b"uname", os.fsencode(entry.user), _OWNER, records)
    group = _text(b"gname", os.fsencode(entry.group), _OWNER, records)
    numbers = [
        _number(name, value, most, records)
        for name, value, most in ((b"uid", entry.uid, _MOST_ID), (b"gid", entry.gid, _MOST_ID), (b"size", size, _MOST_SIZE))
    ]
    if not 0 <= seconds < _MOST_SIZE:
        seconds = _number(b"mtime", seconds, _MOST_SIZE, records if not rest else [])
    device = b""
    if entry.device:
        device = b"%07o\0%07o\0" % tuple(int(number) for number in entry.device.split(":"))
    block = _block(path, entry.mode & 0o7777, numbers, seconds, kind, link, user, group, device)
    return _extended(records) + block if records else block


def acl_text(packed: bytes) -> bytes:
    """An ACL as acl_from_text(3) and GNU tar want it, of the attribute in which Linux keeps it (linux/posix_acl_xattr.h); empty if it is none."""
    if len(packed) % 8 != 4 or packed[:4] != _ACL_VERSION:
        return b""
    parts = []
    for tag, rights, owner in struct.iter_unpack("<HHI", packed[4:]):
        letters = "".join(letter if rights & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        parts.append(f"{_ACL_TAGS.get(tag, 'other')}:{owner if tag in _ACL_NAMED else ''}:{letters}")
    return ",".join(parts).encode("ascii")


def _text(name: bytes, value: bytes, most: int, records: list[tuple[bytes, bytes]]) -> bytes:
    """What of it goes into the block; the whole goes into a record where it is too long or no ASCII."""
    if len(value) > most or not value.isascii():
        records.append((name, value))
        return value[:most].decode("ascii", "replace").encode("ascii", "replace")[:most]
    return value


def _number(name: bytes, value: int, most: int, records: list[tuple[bytes, bytes]]) -> int:
    if 0 <= value < most:
        return value
    records.append((name, b"%d" % value))
    return 0


def _block(
    path: bytes, mode: int, numbers: t.Sequence[int], seconds: int, kind: bytes, link: bytes, user: bytes, group: bytes, device: bytes
) -> bytes:
    uid, gid, size = numbers
    first = path.ljust(_NAME, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, seconds)
    last = kind + link.ljust(_NAME, b"\0") + b"ustar\x0000" + user.ljust(_OWNER, b"\0") + group.ljust(_OWNER, b"\0")
    last += device
    return (first + b"%06o\0 " % (sum(first) + sum(last) + 256) + last).ljust(BLOCK, b"\0")


def _extended(records: t.Sequence[tuple[bytes, bytes]]) -> bytes:
    """Pax records: length, space, name, equals sign, value, line end; the length counts itself."""
    parts = []
    if any(not _is_text(value) for _name, value in records):
        parts.append(b"21 hdrcharset=BINARY\n")
    for name, value in records:
        size = len(name) + len(value) + 3
        total = size + len(str(size))
        total = size + len(str(total))
        parts.append(b"%d %s=%s\n" % (total, name, value))
    data = b"".join(parts)
    preface = _PREFACES.get(len(data))
    if preface is None:
        preface = _PREFACES[len(data)] = _block(_EXTENDED_NAME, 0, (0, 0, len(data)), 0, _EXTENDED, b"", b"", b"", b"")
    return preface + data + bytes(-len(data) % BLOCK)


def _is_text(value: bytes) -> bool:
    if value.isascii():
        return True
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_head(take: t.Callable[[int], bytes]) -> Head | None:
    """The next path of a tar that this engine wrote; None at its end.

    :arg take: gives exactly so many bytes
    :raises ValueError: it is no head
    """
    raw, records = b"", {}
    while True:
        block = take(BLOCK)
        if not block.strip(b"\0"):
            return None
        if int(block[148:156].rstrip(b"\0 ") or b"0", 8) != sum(block[:148]) + sum(block[156:]) + 256:
            raise ValueError("the checksum of a head is wrong")
        raw += block
        kind, size = block[156:157], int(block[124:136].rstrip(b"\0 ") or b"0", 8)
        if kind != _EXTENDED:
            break
        data = take(size + -size % BLOCK)
        raw += data
        records = _records(data[:size])
    path = records.get(b"path", block[:_NAME].rstrip(b"\0"))
    return Head(raw, path.rstrip(b"/"), kind, int(records.get(b"size", size)) if kind == _TYPES["file"] else 0)


def _records(data: bytes) -> dict[bytes, bytes]:
    found = {}
    while data:
        length, _space, _rest = data.partition(b" ")
        if not length.isdigit() or int(length) <= len(length) + 2:
            raise ValueError("a record of a head is none")
        name, _equal, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        found[name] = value
        data = data[int(length) :]
    return found
