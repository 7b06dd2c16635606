# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``file:///path.jsonl``: one Event a line, appended and flushed to disk; the file is for its owner alone."""

from __future__ import annotations

import errno
import json
import os
import stat
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    Channel,
    ChannelError,
    Dialect,
    Verdict,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    """The path is no secret."""
    path = urllib.parse.unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or path.endswith("/") or parts.query:
        raise ChannelError("The channel file://… needs the absolute path of a file; write it like file:///var/log/vigil/events.jsonl.")
    channel.path = os.path.normpath(path)
    channel.masked = f"file://{channel.path}"
    if os.path.islink(channel.path):
        raise ChannelError(f"The channel {channel.masked} is a symbolic link; give the path of the file itself.")
    if os.path.isdir(channel.path):
        raise ChannelError(
            f"The channel {channel.masked} is a directory; give the path of a file in it, such as {channel.path}/events.jsonl."
        )
    channel.secrets = set()


def write(channel: Channel, event: Event) -> Verdict:
    """One write with O_APPEND, so that lines of several processes do not mix."""
    line = (json.dumps(event, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace")
    try:
        handle = os.open(channel.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return Verdict(DEAD, "file", "the file is a symbolic link; give the path of the file itself")
        return Verdict(RETRY, "file", f"the file cannot be opened: {(exc.strerror or str(exc)).lower()}")
    try:
        line = (b"\n" if _is_torn(channel.path, handle) else b"") + line
        written = os.write(handle, line)
        os.fsync(handle)
    except OSError as exc:
        return Verdict(RETRY, "file", f"the file cannot be written: {(exc.strerror or str(exc)).lower()}")
    finally:
        os.close(handle)
    if written != len(line):
        return Verdict(RETRY, "file", "only a part of the line was written; look at the disk and the file")
    return Verdict(SENT, "file")


def _is_torn(path: str, handle: int) -> bool:
    """Whether the file ends within a line, as where a disk was full; what comes next must not be lost with that."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return False
    try:
        reading = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # it may be written alone
    try:
        return os.pread(reading, 1, status.st_size - 1) not in (b"\n", b"")
    finally:
        os.close(reading)


class Lines:
    """The way to a file, which is opened anew for each line: it may be rotated."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, events: t.Sequence[Event], _seconds: float) -> Verdict:
        return write(self._channel, events[0])

    def close(self) -> None:
        """Nothing is open."""


DIALECT = Dialect("file", read, way=Lines)
