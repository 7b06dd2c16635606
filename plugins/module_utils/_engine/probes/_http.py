# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP/1.1 request and its answer over a stream (RFC 9110, RFC 9112), with bounds on everything that the server may send.

Written for servers that cannot be trusted: lines, headers, interim answers, chunks and body are limited in number and size, and the
deadline of the stream holds for all of it. The standard client knows no limit for interim answers and reads bodies whole.
"""

from __future__ import annotations

import functools
import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._headers import TOKEN
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream

_MOST_HEADERS = 200
_LONGEST_HEADERS = 65536
_MOST_INTERIM = 20
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: .*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_UNSAFE = re.compile(r"[\x00-\x20\x7f]")


class Target(t.NamedTuple):
    """Where a request goes.

    :ivar host: without brackets; :ivar path: path and query, quoted; :ivar userinfo: ``(user, password)`` of the URL, or None
    """

    scheme: str
    host: str
    port: int
    path: str
    userinfo: tuple[str, str] | None

    @property
    def origin(self) -> tuple[str, str, int]:
        return (self.scheme, self.host.lower(), self.port)

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a Host header and in messages; the zone of an address belongs to this node alone."""
        host = "[" + self.host.split("%", 1)[0] + "]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Without user information."""
        return f"{self.scheme}://{self.netloc}{self.path}"


_PORTS = {"http": 80, "https": 443}


@functools.lru_cache(maxsize=4096)
def read_url(url: str) -> Target:
    """Take a URL apart.

    :raises ValueError: with a sentence that never holds the URL, as it may hold a password
    """
    if _UNSAFE.search(url):
        raise ValueError("the URL holds white space or a control character")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError("the URL cannot be read: its host or port is not valid") from exc
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise ValueError(f'"{scheme}:" is not a scheme that is followed; use http or https')
    if not parts.hostname:
        raise ValueError("the URL names no host")
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]|\"<>^`{}\\")
    userinfo = None
    if parts.username is not None:
        userinfo = (urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or ""))
    host = parts.hostname.replace("%25", "%", 1) if ":" in parts.hostname else parts.hostname
    return Target(scheme, host, port or _PORTS[scheme], path, userinfo)


def request(method: str, path: str, headers: t.Mapping[str, str], body: bytes | None) -> bytes:
    """A whole request; headers must have been checked."""
    lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
    if body is not None or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body or b'')}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


class Reply:
    """An answer.

    :ivar headers: name in lower case -> value; several of one name are joined by a comma
    :ivar body: at most as many bytes as were asked for
    :ivar body_bytes: the length that the server named, else what was read
    :ivar truncated: whether there was more than the body that was kept
    :ivar first_byte: time.monotonic() when the answer began
    """

    def __init__(self, status: int, headers: dict[str, str], first_byte: float) -> None:
        self.status = status
        self.headers = headers
        self.first_byte = first_byte
        self.body = b""
        self.body_bytes = 0
        self.truncated = False


async def read_reply(stream: Stream, method: str, max_body: int, left_alone: t.Collection[int] = ()) -> Reply:
    """Read an answer; the connection is of no use afterwards.

    :arg left_alone: status codes whose body is not read where there is a Location to go to
    :raises NetError: timeout, reset or protocol, with the phase first_byte, headers or body
    """
    for _number in range(_MOST_INTERIM):
        line = await stream.line("first_byte")
        first_byte = stream.moment
        match = _STATUS.fullmatch(line)
        if match is None:
            begin = line[:40].decode("ascii", "replace")
            shown = "".join(char if char.isprintable() else "?" for char in begin)
            raise NetError("protocol", f'the answer is not HTTP/1: it begins with "{shown}"', "first_byte")
        status = int(match.group(1))
        headers = await _read_headers(stream)
        if status >= 200 or status == 101:
            reply = Reply(status, headers, first_byte)
            if status not in left_alone or "location" not in headers:
                await _read_body(stream, reply, method, max_body)
            return reply
    raise NetError("protocol", f"the server sent {_MOST_INTERIM} interim answers and no final one", "first_byte")


@functools.lru_cache(maxsize=256)
def _lowered(name: str) -> str:
    """A header's name in lower case; empty where it is none."""
    return name.lower() if TOKEN.fullmatch(name) else ""


async def _read_headers(stream: Stream) -> dict[str, str]:
    headers: dict[str, str] = {}
    last, size = "", 0
    here = stream.block_here(_LONGEST_HEADERS)
    for number in range(_MOST_HEADERS + 1):
        if here is None:
            text = (await stream.line("headers", _LONGEST_HEADERS)).decode("latin-1")
        else:
            text = here[number] if number < len(here) else ""
        if not text:
            return headers
        size += len(text)
        if size > _LONGEST_HEADERS:
            break
        if text[0] in " \t" and last:
            headers[last] += " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        last, value = (_lowered if len(name) <= 64 else _lowered.__wrapped__)(name), value.strip(" \t")
        if not colon or not last:
            raise NetError("protocol", "a header of the answer cannot be read", "headers")
        if last == "content-length" and headers.get(last, value) != value:
            raise NetError("protocol", "the answer names two different lengths", "headers")
        headers[last] = f"{headers[last]}, {value}" if last in headers and last != "content-length" else value
    raise NetError("protocol", f"the answer has more than {_MOST_HEADERS} headers or {_LONGEST_HEADERS // 1024} KiB of them", "headers")


async def _read_body(stream: Stream, reply: Reply, method: str, most: int) -> None:
    length = reply.headers.get("content-length")
    if length is not None and not _LENGTH.fullmatch(length.encode("latin-1")):
        raise NetError("protocol", "the length that the answer names is not a number", "headers")
    reply.body_bytes = int(length) if length is not None else 0
    if method in ("HEAD", "CONNECT") or reply.status in (101, 204, 304):
        return
    if most <= 0:
        reply.truncated = reply.body_bytes > 0 or length is None
        return
    kept = _Kept(most)
    if reply.headers.get("transfer-encoding", "").lower().split(",")[-1].strip() == "chunked":
        await _chunks(stream, kept)
        length = None
    elif length is not None:
        await _counted(stream, int(length), kept)
    else:
        await _until_end(stream, kept)
    reply.body = bytes(kept.data)
    reply.truncated = kept.is_full and (length is None or int(length) > most)
    if length is None:
        reply.body_bytes = len(kept.data)


class _Kept:
    """What is kept of a body."""

    def __init__(self, most: int) -> None:
        self.data = bytearray()
        self._most = most

    @property
    def is_full(self) -> bool:
        return len(self.data) >= self._most

    def add(self, piece: bytes) -> None:
        self.data += piece[: self._most - len(self.data)]


async def _counted(stream: Stream, whole: int, kept: _Kept) -> None:
    left = whole
    while left > 0 and not kept.is_full:
        piece = await stream.receive("body", left)
        if not piece:
            raise NetError("reset", f"the server closed the connection after {whole - left} of {whole} bytes of the body", "body")
        left -= len(piece)
        kept.add(piece)


async def _until_end(stream: Stream, kept: _Kept) -> None:
    while not kept.is_full:
        piece = await stream.receive("body")
        if not piece:
            return
        kept.add(piece)


async def _chunks(stream: Stream, kept: _Kept) -> None:
    while True:
        match = _CHUNK_SIZE.fullmatch(await stream.line("body"))
        if match is None:
            raise NetError("protocol", "the chunks of the body cannot be read", "body")
        left = int(match.group(1), 16)
        if not left:
            await _read_headers(stream)
            return
        while left > 0:
            piece = await stream.receive("body", left)
            if not piece:
                raise NetError("reset", "the server closed the connection in a chunk of the body", "body")
            left -= len(piece)
            kept.add(piece)
            if kept.is_full:
                return
        if await stream.line("body"):
            raise NetError("protocol", "the chunks of the body cannot be read", "body")
