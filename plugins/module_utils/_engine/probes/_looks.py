# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may hang, done in guarded processes: looks at file systems, and regular expressions that may backtrack for ever."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
import stat
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._guard import AT_ONCE, Guard, GuardLost, GuardTimeout

CONTENT_LIMIT = 65536
_LONGEST_TEXT = 8192
_PORTION = 32768
_KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISLNK, "link"),
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISBLK, "block device"),
    (stat.S_ISCHR, "character device"),
)
_YEAR = 8760.0


def read_filesystem(path: str) -> dict[str, t.Any]:
    """The numbers of statvfs; sizes in bytes."""
    found = os.statvfs(os.fsencode(path))
    unit = found.f_frsize or found.f_bsize
    return {
        "total": found.f_blocks * unit,
        "free": found.f_bfree * unit,
        "available": found.f_bavail * unit,
        "inodes": found.f_files,
        "inodes_free": found.f_ffree,
        "inodes_available": found.f_favail,
        "read_only": bool(found.f_flag & os.ST_RDONLY),
    }


def read_file(path: str, digest: bool, content: bool) -> dict[str, t.Any]:
    """What a path is; hash and content only of regular files, which alone are opened."""
    name = os.fsencode(path)
    try:
        status, target = os.stat(name), None
        link = os.path.islink(name)
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ELOOP) or not os.path.islink(name):
            raise
        status, link = os.lstat(name), True
    if link:
        target = os.fsdecode(os.readlink(name))
    seen: dict[str, t.Any] = {
        "type": next((kind for test, kind in _KINDS if test(status.st_mode)), "other"),
        "size": status.st_size,
        "modified": status.st_mtime,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "owner": _name_of("user", status.st_uid),
        "group": _name_of("group", status.st_gid),
        "link": target,
        "sha256": None,
        "content": None,
    }
    if stat.S_ISREG(status.st_mode) and (digest or content):
        _read_regular(name, seen, digest, content)
    return seen


def _name_of(kind: str, number: int) -> str:
    """A directory service that hangs is asked here, where it can be left behind."""
    import grp
    import pwd

    try:
        return pwd.getpwuid(number).pw_name if kind == "user" else grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return str(number)


def _read_regular(name: bytes, seen: dict[str, t.Any], digest: bool, content: bool) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return  # it was changed into something else meanwhile
        begin = read_some(source, CONTENT_LIMIT)
        if content:
            seen["content"] = begin.decode("utf-8", "replace")
        if digest:
            total = hashlib.sha256(begin)
            for block in iter(lambda: read_some(source, 1 << 20), b""):
                total.update(block)
            seen["sha256"] = total.hexdigest()


def read_some(source: t.BinaryIO, most: int) -> bytes:
    """Up to so many bytes; nothing at the end.

    :raises BlockingIOError: there is nothing yet, as in files of the kernel such as /proc/kmsg
    """
    data: bytes | None = source.read(most)
    if data is None:
        raise BlockingIOError(errno.EAGAIN, "there is nothing to read yet")
    return data


def search_texts(pattern: str, texts: list[str]) -> dict[str, t.Any]:
    """The places of the texts in which the regular expression is found."""
    search = re.compile(pattern).search
    return {"found": [place for place, text in enumerate(texts) if search(text)]}


def read_bytes(path: str, most: int) -> dict[str, t.Any]:
    """The first bytes of a regular file in base64; null where it is none."""
    name = os.fsencode(path)
    if not stat.S_ISREG(os.stat(name).st_mode):
        return {"data": None}
    with open(name, "rb") as source:
        return {"data": base64.b64encode(source.read(most)).decode("ascii")}


def read_user(name: str) -> dict[str, t.Any]:
    """What the system knows of a user; empty where there is none."""
    import pwd

    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return {}
    return {
        "uid": found.pw_uid,
        "gid": found.pw_gid,
        "group": _name_of("group", found.pw_gid),
        "groups": sorted({_name_of("group", number) for number in os.getgrouplist(name, found.pw_gid)}),
        "home": found.pw_dir,
        "shell": found.pw_shell,
        "comment": found.pw_gecos,
    }


def read_group(name: str) -> dict[str, t.Any]:
    """What the system knows of a group; empty where there is none."""
    import grp

    try:
        found = grp.getgrnam(name)
    except (KeyError, ValueError):
        return {}
    return {"gid": found.gr_gid, "members": sorted(set(found.gr_mem))}


GUARD = Guard(
    {
        "filesystem": read_filesystem,
        "file": read_file,
        "bytes": read_bytes,
        "search": search_texts,
        "user": read_user,
        "group": read_group,
    }
)


def hours_left(left: t.Any, known: t.Mapping[str, t.Any]) -> float | None:
    """Hours until nothing is left, a year at most; None while it is not known how much goes in an hour."""
    lost = known.get("full_in_hours", {}).get("per_hour")
    if lost is None or left is None:
        return None
    return _YEAR if lost <= 0 or left / lost >= _YEAR else round(max(left, 0) / lost, 1)


def start_guard(at_once: int = AT_ONCE) -> None:
    """Fork the keeper of the guarded processes, before threads are started.

    :arg at_once: see Guard.start
    :raises CannotSee: it cannot be forked
    """
    try:
        GUARD.start(at_once)
    except GuardLost as exc:
        raise CannotSee(str(exc), "unseen") from exc


def guarded(name: str, path: str, seconds: float, **arguments: t.Any) -> dict[str, t.Any]:
    """Make a look at a path.

    :raises ProbeFailure: not_found, with nothing observed
    :raises CannotSee: timeout or permission; the sentence names the path
    """
    try:
        return GUARD.call(name, dict(arguments, path=path), seconds)
    except GuardTimeout as exc:
        raise CannotSee(f"{path} did not answer within {seconds:g} s (stale mount?)", "timeout") from exc
    except GuardLost as exc:
        raise CannotSee(f"{path} could not be looked at: {exc}", "unseen") from exc
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            raise ProbeFailure("not_found", f"{path} does not exist") from exc
        if exc.errno in (errno.EACCES, errno.EPERM):
            raise CannotSee(
                f"{path} may not be looked at by this user; run with become, or grant read and search rights", "permission"
            ) from exc
        if exc.errno == errno.ESTALE:
            raise CannotSee(f"{path} is a stale mount (stale file handle); mount it again", "unseen") from exc
        raise CannotSee(f"{path} could not be looked at: {(exc.strerror or 'error').lower()}", "unseen") from exc


def account(kind: str, name: str, seconds: float) -> dict[str, t.Any]:
    """A user or a group; empty where there is none.

    :raises CannotSee: a directory service did not answer
    """
    try:
        return GUARD.call(kind, {"name": name}, seconds)
    except GuardTimeout as exc:
        raise CannotSee(
            f"{kind} {name} was not answered within {seconds:g} s; a directory service (sssd, ldap) may be down", "timeout"
        ) from exc
    except (GuardLost, OSError) as exc:
        why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else str(exc)
        raise CannotSee(f"{kind} {name} could not be looked up: {why}", "unseen") from exc


def found_in(pattern: str, texts: t.Sequence[str], seconds: float) -> list[bool]:
    """For each text whether the user's regular expression is found in it.

    A thread could not be stopped while it searches, nor could any other run, as the search holds the interpreter.

    :raises CannotSee: it took too long
    """
    end = time.monotonic() + seconds
    found = [False] * len(texts)
    for begin, portion in _portions(texts):
        try:
            places = GUARD.call("search", {"pattern": pattern, "texts": portion}, max(0.05, end - time.monotonic()))["found"]
        except GuardTimeout as exc:
            sentence = f"the regular expression {pattern!r} took longer than {seconds:g} s on what was seen; write a simpler one"
            raise CannotSee(sentence, "expression") from exc
        except (GuardLost, OSError) as exc:
            raise CannotSee(f"the regular expression {pattern!r} could not be applied: {exc}", "unseen") from exc
        for place in places:
            found[begin + place] = True
    return found


def _portions(texts: t.Sequence[str]) -> t.Iterator[tuple[int, list[str]]]:
    """Texts in portions that fit into one request; each is cut at 8 Ki characters."""
    portion: list[str] = []
    begin, size = 0, 0
    for place, text in enumerate(texts):
        text = text[:_LONGEST_TEXT]
        length = len(json.dumps(text))
        if portion and size + length > _PORTION:
            yield begin, portion
            begin, portion, size = place, [], 0
        portion.append(text)
        size += length
    if portion:
        yield begin, portion
