# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=unused-import  # it adds names of the standard library's http to a file of this name; ruff looks at the imports

"""Asks a web server and reads the answer."""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _headers, _http
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import failure, milliseconds, read_json
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream, ascii_host, connect, look_up
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Talker

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OWN_HEADERS = ("connection", "content-length", "transfer-encoding")
_HARMLESS = ("user-agent", "accept", "accept-encoding", "accept-language", "connection", "content-type")
_CHARSET = re.compile(
    r"charset=[\"']?(iso-8859-(?:1|2|5|9|15)|windows-125[0-8]|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|euc-kr|utf-16|us-ascii|koi8-r)(?![\w-])",
    re.IGNORECASE,
)
_BODY_HEADERS = ("content-type", "content-encoding", "content-language", "content-location")


def _complete(options: dict[str, t.Any]) -> None:
    _http.read_url(options["url"])
    for name, value in (options["headers"] or {}).items():
        if isinstance(value, (dict, list)):
            raise ValueError(f"http.headers: {name} must be text")
        _headers.check_header(str(name), str(value))
        if str(name).lower() in _OWN_HEADERS:
            raise ValueError(f"http.headers: {name} is set by the probe itself")
    if options["client_key"] and not options["client_cert"]:
        raise ValueError("http.client_key needs http.client_cert")
    if options["proxy"] is not None:
        try:
            proxy = _http.read_url(options["proxy"])
        except ValueError as exc:
            raise ValueError(f"http.proxy: {exc}") from exc
        if proxy.scheme != "http" or proxy.path != "/":
            raise ValueError("http.proxy is http://host:port, or http://user:password@host:port; nothing may follow")
    if options["max_body"] > 64 << 20:
        raise ValueError("http.max_body is more than 64MiB")


SPEC = ProbeSpec(
    "http",
    {
        "url": Option("url", required=True, help="http or https; user:password@ in it becomes Basic authentication"),
        "method": Option("str", default="GET", choices=_METHODS, help="the request method"),
        "headers": Option("dict", help="request headers"),
        "body": Option("any", help="request body; a mapping or a list is sent as JSON"),
        "timeout": Option("duration", default=5.0, help="for everything together, redirects included"),
        "follow": Option("bool", default=True, help="follow up to five redirects"),
        "ca": Option("path", help="PEM file or hashed directory on the node to trust instead of its own store"),
        "client_cert": Option("path", help="PEM file on the node with the client certificate, and its key unless client_key is given"),
        "client_key": Option("path", help="PEM file on the node with the key of the client certificate"),
        "verify": Option("bool", default=True, help="false accepts any certificate"),
        "proxy": Option(
            "url", help="http://host:port that is asked to pass everything on; user:password@ in it is told to the proxy alone"
        ),
        "max_body": Option("size", default=1 << 20, help="bytes of the body that are read; the rest is left"),
    },
    {
        "status": "status code of the last answer",
        "url": "where the last answer came from, without credentials",
        "body": "text of the body, as far as it was read",
        "body_bytes": "length that the server names, else what was read",
        "body_truncated": "whether there was more than max_body",
        "json": "parsed body where it is JSON, else null",
        "headers": "headers of the answer, names in lower case",
        "redirects": "how many redirects were followed",
        "phases": "milliseconds of dns, connect, tls and first_byte of the last request",
        "tls": "days_left, protocol and issuer; null for http",
    },
    {"status": "< 400"},
    help="Asks a web server. Proxy settings of the environment are not used, and compressed bodies are not asked for. Through a proxy, dns "
    "and connect are the times to the proxy; what it needs to reach an https server counts as connect.",
    complete=_complete,
)


class _Ask:
    """What is sent; changes from redirect to redirect."""

    def __init__(self, options: dict[str, t.Any]) -> None:
        self.target = _http.read_url(options["url"])
        self.method = str(options["method"])
        self.body = _body_bytes(options["body"])
        self.headers = {"Host": "", "User-Agent": "vigil.ops", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
        known = {name.lower(): name for name in self.headers}
        if isinstance(options["body"], (dict, list)):
            self.headers["Content-Type"] = "application/json"
            known["content-type"] = "Content-Type"
        for name, value in (options["headers"] or {}).items():
            self.headers[known.get(str(name).lower(), str(name))] = str(value).strip()
        if self.target.userinfo and "authorization" not in {name.lower() for name in self.headers}:
            self.headers["Authorization"] = _headers.basic(self.target.userinfo)

    def bytes(self, proxy: _http.Target | None) -> bytes:
        """:arg proxy: whom it is sent to with the whole URL (RFC 9112, section 3.2.2); a tunnel has none any more"""
        headers = dict(self.headers)
        host = ascii_host(self.target.host)
        place = self.target if host == self.target.host else self.target._replace(host=host)
        if not headers["Host"]:
            headers["Host"] = place.netloc
        if proxy is not None and proxy.userinfo:
            headers["Proxy-Authorization"] = _headers.basic(proxy.userinfo)
        return _http.request(self.method, place.url if proxy is not None else place.path, headers, self.body)

    def redirect(self, status: int, location: str) -> None:
        """Turn to another place, and leave at home what is not meant for it (RFC 9110, section 15.4)."""
        try:
            target = _http.read_url(
                urllib.parse.urljoin(self.target.url, urllib.parse.quote(location.strip().encode("latin-1"), safe=_SAFE))
            )
        except ValueError as exc:
            raise ProbeFailure("redirect", f"the server redirects to a place that is not followed: {exc}") from exc
        if (status == 303 and self.method != "HEAD") or (status in (301, 302) and self.method == "POST"):
            self.method, self.body = "GET", None
            self.headers = {name: value for name, value in self.headers.items() if name.lower() not in _BODY_HEADERS}
        if not _same_owner(self.target, target):
            if self.body:
                raise ProbeFailure("redirect", f"the server asks to send the request body to another place, {target.netloc}")
            kept = {name: value for name, value in self.headers.items() if name.lower() in _HARMLESS}
            self.headers = dict({"Host": ""}, **kept)
        self.target = target._replace(userinfo=None)


def _same_owner(here: _http.Target, there: _http.Target) -> bool:
    """Whether headers may go along: the same origin, or the same host that moves from plain HTTP to HTTPS on the usual ports."""
    upgrade = here.host.lower() == there.host.lower() and (here.scheme, here.port, there.scheme, there.port) == ("http", 80, "https", 443)
    return upgrade or here.origin == there.origin


_SAFE = "".join(chr(code) for code in range(33, 127))


def _body_bytes(body: t.Any) -> bytes | None:
    if body is None:
        return None
    text = json.dumps(body) if isinstance(body, (dict, list)) else str(body)
    return text.encode("utf-8", "surrogateescape")


@Talker
async def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: dns, refused, reset, unreachable, timeout, tls, protocol, proxy or redirect; nothing is observed then
    """
    begin = time.monotonic()
    deadline = Deadline(options["timeout"])
    ask = _Ask(options)
    redirects = 0
    while True:
        try:
            reply, phases, tls = await _exchange(ask, options, ctx, deadline)
        except NetError as exc:
            raise failure(exc, None, _where(exc, ask.target, redirects, options["proxy"])) from exc
        location = reply.headers.get("location")
        if not (options["follow"] and reply.status in _REDIRECTS and location):
            break
        redirects += 1
        if redirects > _MOST_REDIRECTS:
            raise ProbeFailure("redirect", f"the server redirects more than {_MOST_REDIRECTS} times")
        ask.redirect(reply.status, location)
    text = _text(reply)
    return {
        "status": reply.status,
        "url": ask.target.url,
        "body": text,
        "body_bytes": reply.body_bytes,
        "body_truncated": reply.truncated,
        "json": None if reply.truncated else read_json(text),
        "headers": reply.headers,
        "redirects": redirects,
        "phases": phases,
        "tls": tls,
        "latency_ms": milliseconds(begin),
    }


def _text(reply: _http.Reply) -> str:
    """The body in the character set that the server names, as far as it is a usual one, else UTF-8."""
    match = _CHARSET.search(reply.headers.get("content-type", ""))
    return reply.body.decode(match.group(1) if match else "utf-8", "replace")


def _where(exc: NetError, target: _http.Target, redirects: int, proxy: str | None) -> str:
    """Where it happened, unless the sentence says it already."""
    place = f"{target.host}:{target.port}"
    if proxy is not None:
        place += f" through the proxy {_http.read_url(proxy).netloc}"
    if redirects:
        return f"after {redirects} redirect{'s' if redirects > 1 else ''}, {place}"
    return "" if exc.phase in ("dns", "connect") and exc.reason != "timeout" and proxy is None else place


async def _exchange(
    ask: _Ask, options: dict[str, t.Any], ctx: Context, deadline: Deadline
) -> tuple[_http.Reply, dict[str, t.Any], dict[str, t.Any] | None]:
    target = ask.target
    proxy = _http.read_url(options["proxy"]) if options["proxy"] is not None else None
    first = proxy or target
    begin = time.monotonic()
    addresses = await look_up(first.host, first.port, deadline)
    resolved = time.monotonic()
    stream = Stream(await connect(addresses, deadline), deadline)
    try:
        if proxy is not None and target.scheme == "https":
            await _tunnel(stream, target, proxy)
            proxy = None
        connected = time.monotonic()
        tls = await _secure(stream, target, options, ctx) if target.scheme == "https" else None
        secured = time.monotonic()
        await _send(stream, ask, proxy)
        reply = await _http.read_reply(stream, ask.method, options["max_body"], _REDIRECTS if options["follow"] else ())
    finally:
        stream.close()
    phases = {
        "dns": milliseconds(begin, resolved),
        "connect": milliseconds(resolved, connected),
        "tls": milliseconds(connected, secured) if tls else None,
        "first_byte": milliseconds(secured, reply.first_byte),
    }
    return reply, phases, tls


async def _tunnel(stream: Stream, target: _http.Target, proxy: _http.Target) -> None:
    """Have the proxy connect to the server (RFC 9110, section 9.3.6).

    :raises NetError: proxy, it would not; timeout, reset or protocol
    """
    host = ascii_host(target.host)
    place = f"[{host}]:{target.port}" if ":" in host else f"{host}:{target.port}"
    headers = {"Host": place, "User-Agent": "vigil.ops"}
    if proxy.userinfo:
        headers["Proxy-Authorization"] = _headers.basic(proxy.userinfo)
    await stream.send(_http.request("CONNECT", place, headers, None))
    reply = await _http.read_reply(stream, "CONNECT", 0)
    if not 200 <= reply.status < 300:
        raise NetError("proxy", f"the proxy {proxy.netloc} answered {reply.status} when it was asked to connect", "connect")


async def _send(stream: Stream, ask: _Ask, proxy: _http.Target | None) -> None:
    """Send the request; a server that answers and closes before it has read all of it is still listened to."""
    try:
        await stream.send(ask.bytes(proxy))
    except NetError as exc:
        if exc.reason != "reset" or not ask.body:
            raise


async def _secure(stream: Stream, target: _http.Target, options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _tls

    files = {name: options[name] for name in ("verify", "ca", "client_cert", "client_key")}
    settings = await _tls.prepared(ctx.shared, stream.deadline, **files)
    await _tls.handshake(stream, settings, target.host)
    certificate = _tls.peer_certificate(stream)
    return {"days_left": _tls.days_left(certificate), "protocol": _tls.protocol(stream), "issuer": certificate.issuer}
